"""What was asked, what was found, and how everything was measured: in words."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import optuna

from nas.network.cost import COSTS, Budget, Cost
from nas.report.winner import arithmetic, beside_float, confirmed_beside_float, in_brackets
from nas.statistics import LEAST
from nas.study.confirmation import Confirmed, readings
from nas.study.goal import Goal
from nas.study.record import Record, counts, n_trained, ranked, records
from nas.study.teacher import StudyTeacher, taught_by, teacher_of
from nas.study.terms import Terms, notes_of, short_name, target_of, terms_of
from nas.table import file_size, per_cent, per_cent_range, plural, points

ENVIRONMENT = {
    "nas": "nas",
    "revision": "revision of nas",
    "torch": "torch",
    "optuna": "Optuna",
    "python": "Python",
    "machine": "machine",
    "device": "device",
    "threads": "threads of a training",
    "precision": "precision of a training",
    "kernels": "kernels",
}
COUNTED = "counted by arithmetic, never built or trained, and told to the sampler"
OUTCOMES = {
    "rejected": f"over the budget: {COUNTED}",
    "pruned": "stopped early by the pruner, because others did better with as much training, or because its loss was "
    "not finite any more; its accuracy is that of the epoch where it stopped",
    "paused": "stopped early too, but it goes on as soon as it is among the best after as much training",
    "finished": "trained for all epochs; its accuracy is that of the last one, not of the best",
    "repeated": "the same candidate as an earlier trial; it has that one's figures and was not trained again",
    "winner": "the finished candidate with the best validation accuracy; of equal ones the smallest",
    "confirmed": "trained from scratch on all training images with fresh seeds; each network reads the test set once",
}
UNCONFIRMED = "one training, not confirmed: no interval, and optimistic"


class Fact(NamedTuple):
    """A term and what is known of it."""

    term: str
    text: str


class KeyFigure(NamedTuple):
    """A figure that is set large, with what it is, and what must be known with it."""

    value: str
    name: str
    notes: tuple[str, ...]


def heading(study: optuna.Study, winner: Record | None, confirmed: Confirmed | None) -> str:
    """What was found, as the title of a page."""
    data = short_name(terms_of(study).dataset)
    if winner is None or winner.accuracy is None or winner.cost is None:
        return f"No network for {data} yet"
    found, part = winner.accuracy, "validation part"
    if confirmed is not None:
        found, part = confirmed.accuracy.mean, "test set"
    return f"A network of {winner.cost.params:,} parameters recognises {per_cent(found)} of the {part} of {data}"


def key_figures(study: optuna.Study, winner: Record, confirmed: Confirmed | None) -> list[KeyFigure]:
    """Accuracy with its interval, parameters of the budget, and what the network costs a device."""
    assert winner.cost is not None
    assert winner.accuracy is not None
    budget = terms_of(study).limits
    limit = budget.limits.get("params")
    share = None if limit is None else per_cent(winner.cost.params / limit, 1)
    used = "no limit on them" if share is None else f"{share} of the {limit:,} allowed"
    accuracy = (
        KeyFigure(per_cent(winner.accuracy), "of the validation part recognised", (UNCONFIRMED, *beside_float(winner)))
        if confirmed is None
        else KeyFigure(
            per_cent(confirmed.accuracy.mean),
            "of the test set recognised",
            (_interval(confirmed), *confirmed_beside_float(confirmed)),
        )
    )
    return [accuracy, KeyFigure(f"{winner.cost.params:,}", "parameters", (used,)), _on_a_device(winner.cost, budget)]


def _interval(confirmed: Confirmed) -> str:
    trainings = plural(len(confirmed.seeds), "training")
    if confirmed.interval is not None:
        return f"95 % interval of the mean of {trainings}: {per_cent_range(confirmed.interval)}"
    if len(confirmed.seeds) < LEAST:
        return f"mean of {trainings}, {confirmed.accuracy.per_cent()} %; an interval needs {LEAST}"
    return f"mean of {trainings}, all equal: no interval"


def _on_a_device(cost: Cost, budget: Budget) -> KeyFigure:
    """What is known of where it will run; in float32 as long as that is not known."""
    macs = f"{cost.macs:,}" if cost.macs < 1e6 else f"{cost.macs / 1e6:,.2f} M"
    further = [kind for name, kind in COSTS.items() if name in cost and not kind.counted]
    notes = [f"{_amount(kind.name, cost[kind.name])}{_of(kind.name, budget)}" for kind in further]
    in_float = {"memory": "RAM for activations", "bytes": "flash for weights"}
    shown = {name: noun for name, noun in in_float.items() if name in cost and (not further or name in budget)}
    notes += [f"{file_size(cost[name])} of {noun}{_of(name, budget)}" for name, noun in shown.items()]
    notes += ["numbers in float32"] if shown else []
    return KeyFigure(macs, f"multiply-accumulates an image{_of('macs', budget)}", tuple(notes))


def _amount(name: str, number: float) -> str:
    """With its unit: such as `4.7 KiB of flash`, or `3.1 ms an image`."""
    kind = COSTS[name]
    return f"{file_size(number)} of {kind.column}" if kind.quantity == "bytes" else f"{kind.shown(number)} {kind.noun}"


def _of(name: str, budget: Budget) -> str:
    limit = budget.limits.get(name)
    if limit is None:
        return ""
    return f", of {file_size(limit) if COSTS[name].quantity == 'bytes' else COSTS[name].shown(limit)} allowed"


def story(study: optuna.Study, winner: Record | None, confirmed: Confirmed | None, target: float | None) -> list[str]:
    """What was asked, done and found, and how far that can be trusted, in five sentences; in three if nothing was.

    `target` is a fraction of the test set, whose chance is told of what was confirmed.
    """
    if winner is None or winner.accuracy is None or winner.cost is None:
        return [question(study), effort(study), "Nothing was found yet, since no training has finished."]
    asked = terms_of(study).target or target_of(study)
    return [
        question(study),
        effort(study),
        f"The winner, trial {winner.trial}, has {winner.cost.params:,} parameters and recognises "
        f"{per_cent(winner.accuracy)} of the validation part{in_brackets(beside_float(winner))}.",
        *([] if asked is None else [reached(study, asked)]),
        *_trust(study, confirmed, target, in_one=asked is not None),
    ]


def question(study: optuna.Study) -> str:
    """The question, in a sentence."""
    terms, target = terms_of(study), target_of(study)
    until = ""
    if terms.minimize is None and target is not None:
        until = f", until one has {per_cent(target)} validation accuracy"
    return (
        f"Asked was {terms.goal.wanted}, for {terms.dataset} within {terms.limits}, out of the space "
        f"{terms.space!r}, with trainings of {plural(terms.epochs, 'epoch')}{until}."
    )


def effort(study: optuna.Study) -> str:
    """What was done, in a sentence."""
    tally = counts(study)
    stopped = _some(tally["pruned"] + tally["paused"])
    return (
        f"The search trained {plural(n_trained(study), 'candidate')}, of which it stopped {stopped} early, and "
        f"rejected {_some(tally['rejected'])} before training for being {_over(terms_of(study).goal)}."
    )


def _some(n: int) -> str:
    return f"{n:,}" if n else "none"


def reached(study: optuna.Study, target: float) -> str:
    """Whether the search has what it was to reach, in a sentence."""
    best = ranked(study)[0]
    if best.expected_accuracy >= target:
        return f"The target of {per_cent(target)} was reached, by trial {best.trial}."
    return (
        f"The target of {per_cent(target)} was not reached: trial {best.trial} is nearest, with "
        f"{per_cent(best.expected_accuracy)}."
    )


def distilled(study: optuna.Study, winner: Record) -> str:
    """By whom the winner was taught; nothing if it was not."""
    teacher = taught_by(study, winner.candidate)
    return "" if teacher is None else f"{teacher.sentences} It took {teacher.cost}."


def _over(goal: Goal) -> str:
    smaller = "" if goal.minimize is None else ", or not smaller than a network found by then that has the target"
    return f"over the budget{smaller}"


def _trust(study: optuna.Study, confirmed: Confirmed | None, target: float | None, in_one: bool) -> list[str]:
    """Two sentences, or the more important half of them as one."""
    times = plural(len(readings(study)), "time")
    if confirmed is None:
        why = "That accuracy is of one training, on images that also chose it among others: it is optimistic"
        until = f"nas confirm trains it again and tests it; the test set was read {times}"
        return [f"{why} until {until}."] if in_one else [f"{why}.", f"It stays so until {until}."]
    whole = (
        f"Trained {plural(len(confirmed.seeds), 'time')} from scratch on all {confirmed.n_train:,} training images, it "
        f"recognises {confirmed.accuracy.per_cent()} % of the test set, which was read {times} in this study and chose "
        "nothing"
    )
    chance = None if target is None else confirmed.probability(target)
    if target is None or chance is None:
        sampling = points(confirmed.sampling_error)
        more = f"another test set of as many images would change that by some {sampling} (one binomial standard error)"
    else:
        more = f"a fresh training has {per_cent(target)} of it with a chance of {per_cent(chance, 0)}"
    return [f"{whole}; {more}."] if in_one else [f"{whole}.", f"A{more[1:]}."]


def measured(study: optuna.Study) -> list[Fact]:
    """How the figures were made."""
    terms = terms_of(study)
    return [*_terms(terms, study), *_environment(records(study))]


def _terms(terms: Terms, study: optuna.Study) -> list[Fact]:
    return [
        Fact("data", f"{terms.dataset}, training images with the fingerprint {terms.dataset_fingerprint}"),
        Fact(
            "split",
            f"{terms.n_train:,} images to train, {terms.n_validation:,} to validate, held out of the training set in "
            f"proportion to the classes (split seed {terms.split_seed}); the test set chooses nothing",
        ),
        Fact("accuracy", f"of the last epoch, on the validation part, evaluated {arithmetic(terms)}"),
        *_device(terms, study),
        *_taught(teacher_of(study)),
        Fact("epochs", f"{terms.epochs}"),
        Fact("space", f"{terms.space}, whose source has the digest {terms.space_digest}"),
        Fact(
            "seeds", "each training has its own, from the study's seed and the trial's number: see the table of trials"
        ),
        *(Fact("note on the data", note) for note in notes_of(study)),
    ]


def _device(terms: Terms, study: optuna.Study) -> list[Fact]:
    """Where the network will run, whose code its flash and RAM are of, and what its latency was measured on."""
    if terms.deployment is None:
        return []
    compiled = [] if terms.compiler is None else [Fact("compiler", f"{terms.compiler}: flash and RAM are of its code")]
    n_timed = len({record.timing["shape"] for record in records(study) if record.timing is not None})
    timed = (
        "of one image, as exported before it was trained: the median of several rounds; each shape was timed once, "
        f"{plural(n_timed, 'shape')} in all"
    )
    return [
        Fact("device", f"it runs as {terms.deployment}"),
        *compiled,
        *([Fact("latency", timed)] if n_timed else []),
    ]


def _taught(teacher: StudyTeacher | None) -> list[Fact]:
    if teacher is None:
        return []
    return [Fact("teacher", f"{teacher.figures}: {teacher.cost}. {teacher.trained_on}")]


def _environment(trained: Iterable[Record]) -> list[Fact]:
    made = [record.made_with for record in trained if record.made_with]
    return [
        Fact(name, _tally(Counter(str(each[key]) for each in made if each.get(key) is not None)))
        for key, name in ENVIRONMENT.items()
        if any(each.get(key) is not None for each in made)
    ]


def _tally(values: Counter[str]) -> str:
    """One value as it is; several with the number of trainings that had each."""
    if len(values) == 1:
        return next(iter(values))
    return ", ".join(f"{value} ({plural(n, 'training')})" for value, n in values.most_common())


def meanings(goal: Goal) -> list[Fact]:
    """What the words for outcomes mean, in a search for this."""
    words = OUTCOMES
    if goal.minimize is not None:
        winner = f"of the finished candidates {goal.wanted}; where none has it, the most accurate one"
        words = words | {"rejected": f"{_over(goal)}: {COUNTED}", "winner": winner}
    return [Fact(word, text) for word, text in words.items()]
