"""Where the studies of a database stand, told from outside while a search may be running."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

import optuna
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial

from nas.network.cost import COSTS
from nas.shell import command_line
from nas.study.busy import busy_seconds, busy_spans
from nas.study.folders import DEFAULT_STORAGE
from nas.study.locks import is_searched
from nas.study.opening import find_study
from nas.study.record import Record, outcomes, ranking
from nas.study.teacher import StudyTeacher, teacher_of
from nas.study.terms import Terms, default_name, is_of_nas, options_of, terms_of
from nas.study.trial import TrialAttributes, outcome_of
from nas.study.urls import without_password
from nas.table import per_cent


@dataclass(frozen=True)
class Status:
    """One study. `counts`: trials by outcome; `seconds`: time in which at least one trial was under way.

    `words` are those of the command that continues it. They and `terms` are None for a study that nas did not make;
    `options` is what its last search was told beyond the defaults, and None for one that did not note it.
    """

    study: str
    terms: Terms | None
    options: dict[str, Any] | None
    searching: bool
    counts: dict[str, int]
    best: Record | None
    seconds: float
    epochs: int
    words: tuple[str, ...] | None
    teacher: StudyTeacher | None = None

    @property
    def command(self) -> str | None:
        """What continues it, for this system's shell."""
        return None if self.words is None else command_line(self.words)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "study": self.study,
            "terms": None if self.terms is None else self.terms.to_dict(),
            "options": self.options,
            "searching": self.searching,
            "counts": self.counts,
            "best": None if self.best is None else self.best.to_dict(),
            "seconds": self.seconds,
            "epochs": self.epochs,
            "left": self.left,
            "command": self.command if self.left else None,
            "teacher": None if self.teacher is None else self.teacher.to_dict(),
        }

    @property
    def left(self) -> str:
        """What its command, given again, would still do, in words; empty if that is nothing."""
        options, count = self.options or {}, self.counts.get
        target, trials, minimize = options.get("target"), options.get("trials"), options.get("minimize")
        reached = target is not None and self.best is not None and self.best.expected_accuracy >= target
        n_ended = count("finished", 0) + count("pruned", 0)
        if (reached and minimize is None) or (trials is not None and n_ended >= trials):
            return ""
        begun = [f"{count(name):,} {name}" for name in ("interrupted", "paused", "waiting") if count(name)]
        n_begun = sum(count(name, 0) for name in ("interrupted", "paused", "waiting"))
        if trials is not None:
            more = (
                [f"{trials - n_ended - n_begun:,} of {trials:,} trials to begin"] if trials > n_ended + n_begun else []
            )
        elif target is not None and not reached:
            more = [f"the target of {per_cent(target)} is not reached"]
        else:
            more = [f"{options['timeout']:g} s more" if "timeout" in options else "more trials, until Ctrl-C"]
        return ", ".join([*begun, *more])


def statuses(storage: RDBStorage, name: str | None = None, url: str = DEFAULT_STORAGE) -> list[Status]:
    """One study by name, or all of a database, the one begun last first; only reads.

    `url` names the storage in the commands.
    """
    if name is not None:
        return [status(find_study(storage, name), storage, url)]
    names = optuna.get_all_study_names(storage)
    studies = [optuna.load_study(study_name=name, storage=storage) for name in names]
    return [status(study, storage, url) for study in sorted(studies, key=_beginning_of, reverse=True)]


def _beginning_of(study: optuna.Study) -> datetime:
    """When its first trial began; a study without any comes after all others."""
    starts = (trial.datetime_start for trial in study.get_trials(deepcopy=False))
    return min((start for start in starts if start is not None), default=datetime.max)


def status(study: optuna.Study, storage: RDBStorage, url: str = DEFAULT_STORAGE) -> Status:
    """Where one study stands."""
    # Asked first: a search that ends in between has told all of its trials by then.
    searching = is_searched(storage, study.study_name)
    trials = study.get_trials(deepcopy=False)
    terms = terms_of(study) if is_of_nas(study) else None
    best = ranking(trials) if len(study.directions) == 1 else []
    return Status(
        study=study.study_name,
        terms=terms,
        options=options_of(study),
        searching=searching,
        counts=_counts(trials, searching),
        best=best[0] if best else None,
        seconds=busy_seconds(busy_spans(trials, searching)),
        epochs=_epochs(trials),
        words=_words(study, trials, terms, url) if terms is not None else None,
        teacher=teacher_of(study),
    )


def command_for(study: optuna.Study, url: str) -> str | None:
    """What continues a study of nas; None where no command can."""
    words = _words(study, study.get_trials(deepcopy=False), terms_of(study), url)
    return None if words is None else command_line(words)


def search_words(options: Mapping[str, Any]) -> tuple[str, ...]:
    """`nas search` with these options, word by word."""
    told = [(name, each) for name, value in options.items() for each in (value if isinstance(value, list) else [value])]
    words = ((f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])) for name, value in told)
    return ("nas", "search", *chain.from_iterable(words))


def _counts(trials: Sequence[FrozenTrial], searching: bool) -> dict[str, int]:
    tally = outcomes(trials)
    if not searching:
        tally["interrupted"] += tally.pop("running", 0)
    tally["waiting"] = sum(outcome_of(trial) == "waiting" for trial in trials)
    return {outcome: n for outcome, n in tally.items() if n}


def _words(study: optuna.Study, trials: Sequence[FrozenTrial], terms: Terms, url: str) -> tuple[str, ...] | None:
    if not terms.budget:  # no option says that there is no limit
        return None
    options = options_of(study)
    if options is None:
        options = _told_by_trials(terms, trials)
    settings = {name: value for name, value in options.items() if name not in ("storage", "study")}
    seed = options.get("seed", 0)
    name = default_name(
        *(terms.dataset, terms.limits, terms.space, terms.epochs, seed, terms.goal, terms.teacher, terms.deployment),
        quantised=terms.quantised,
        weight_bits=terms.weight_bits,
    )
    if name != study.study_name:
        settings["study"] = study.study_name
    if url != DEFAULT_STORAGE:
        settings["storage"] = without_password(url)
    return search_words(settings)


def _told_by_trials(terms: Terms, trials: Sequence[FrozenTrial]) -> dict[str, Any]:
    """What can be told of a study that did not note its options."""
    limits = {COSTS[name].option: limit for name, limit in terms.budget.items()}
    attributes = map(TrialAttributes, trials)
    seeds = [each.seed // 1_000_003 for each in attributes if each.seed is not None and each.continues is None]
    return {
        **limits,
        **({} if terms.minimize is None else {"minimize": terms.minimize, "target": terms.target}),
        "epochs": terms.epochs,
        "space": terms.space,
        "dataset": terms.dataset,
        "validation": terms.n_validation,
        "seed": seeds[0] if seeds else 0,
    }


def _epochs(trials: Sequence[FrozenTrial]) -> int:
    """Epochs trained, each once: a repeated candidate has another's figures, as does a continued one of old studies."""
    furthest: dict[int, int] = {}
    for trial in trials:
        if TrialAttributes(trial).repeats is None:
            first = _beginning(trials, trial)
            furthest[first] = max(furthest.get(first, 0), len(trial.intermediate_values))
    return sum(furthest.values())


def _beginning(trials: Sequence[FrozenTrial], trial: FrozenTrial) -> int:
    """The number of the trial in which this trial's training began."""
    while (origin := TrialAttributes(trial).continues) is not None:
        trial = trials[origin]
    return trial.number
