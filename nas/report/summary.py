"""What was asked, what was found, and how everything was measured: in words."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import optuna

from nas.network.cost import COSTS
from nas.study.confirmation import Confirmed, readings
from nas.study.goal import Goal
from nas.study.record import Record, counts, n_trained, ranked, records
from nas.study.teacher import StudyTeacher, taught_by, teacher_of
from nas.study.terms import Terms, notes_of, target_of, terms_of
from nas.table import Table, plural

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


class Fact(NamedTuple):
    """A term and what is known of it."""

    term: str
    text: str


def question(study: optuna.Study) -> str:
    """The question, in a sentence."""
    terms, target = terms_of(study), target_of(study)
    until = ""
    if terms.minimize is None and target is not None:
        until = f", until one has {100 * target:.2f} % validation accuracy"
    return (
        f"Asked: {terms.goal.wanted}, for {terms.dataset} within {terms.limits}, out of the space "
        f"{terms.space!r}, with trainings of {plural(terms.epochs, 'epoch')}{until}."
    )


def answer(study: optuna.Study, winner: Record | None, confirmed: Confirmed | None) -> list[str]:
    """The answer, in a few sentences."""
    tally = counts(study)
    n_stopped = tally["pruned"] + tally["paused"]
    effort = (
        f"{plural(n_trained(study), 'candidate')} trained, {n_stopped:,} of them stopped early; {tally['rejected']:,} "
        f"rejected before training, because they were {_over(terms_of(study).goal)}."
    )
    if winner is None or winner.accuracy is None or winner.cost is None:
        return ["Found: nothing yet, since no training has finished.", effort]
    network = (
        f"Found: trial {winner.trial}, with {winner.cost.params:,} parameters and {winner.cost.macs:,} "
        f"multiply-accumulates an image. It recognises {100 * winner.accuracy:.2f} % of the validation part."
    )
    return [network, *_reached(study), effort, *_distilled(study, winner), _trust(study, confirmed)]


def _reached(study: optuna.Study) -> list[str]:
    """Whether the search has what it was to reach, if it was told."""
    target, best = terms_of(study).target or target_of(study), ranked(study)[0]
    if target is None:
        return []
    accuracy = best.expected_accuracy
    if accuracy >= target:
        return [f"The target of {100 * target:.2f} % was reached, by trial {best.trial}."]
    return [
        f"The target of {100 * target:.2f} % was not reached: trial {best.trial} is nearest, with "
        f"{100 * accuracy:.2f} %."
    ]


def _distilled(study: optuna.Study, winner: Record) -> list[str]:
    """By whom it was taught, if it was."""
    teacher = taught_by(study, winner.candidate)
    if teacher is None:
        return []
    return [f"{teacher.sentences} It took {teacher.cost}."]


def _over(goal: Goal) -> str:
    smaller = "" if goal.minimize is None else ", or not smaller than a network found by then that has the target"
    return f"over the budget{smaller}"


def _trust(study: optuna.Study, confirmed: Confirmed | None) -> str:
    n = len(readings(study))
    if confirmed is None:
        return (
            f"The test set was read {plural(n, 'time')}. That accuracy is of one training, on images that also chose "
            "it among others: it is optimistic until nas confirm trains it again and tests it."
        )
    return (
        f"Confirmed: trial {confirmed.trial}, trained {plural(len(confirmed.seeds), 'time')} from scratch, recognises "
        f"{confirmed.accuracy.per_cent()} % of the test set, which was read {plural(n, 'time')} in this study and "
        "chose nothing."
    )


def winner_table(record: Record) -> Table:
    """The winner's figures."""
    assert record.cost is not None
    assert record.accuracy is not None
    return Table(
        f"Trial {record.trial}",
        ("figure", "value"),
        (
            ("validation accuracy", f"{100 * record.accuracy:.2f} %"),
            *((COSTS[name].label, f"{record.cost.shown(name)} {COSTS[name].unit}".rstrip()) for name in record.cost),
            ("layers", record.network),
            ("training", record.training),
        ),
    )


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
        Fact("accuracy", "of the last epoch, on the validation part, evaluated in float32"),
        *_taught(teacher_of(study)),
        Fact("epochs", f"{terms.epochs}"),
        Fact("space", f"{terms.space}, whose source has the digest {terms.space_digest}"),
        Fact(
            "seeds", "each training has its own, from the study's seed and the trial's number: see the table of trials"
        ),
        *(Fact("note on the data", note) for note in notes_of(study)),
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
