"""Where the studies of a database stand, told from outside while a search may be running."""

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

import optuna
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from nas.cost import Budget
from nas.records import Record, counts, ranked
from nas.study import (
    DEFAULT_STORAGE,
    OPTIONS,
    TERMS,
    Terms,
    checkpoint_folder,
    default_name,
    find_study,
    is_searched,
    terms_of,
)

LIMIT_OPTIONS = {"params": "budget", "macs": "max-macs", "memory": "max-memory", "bytes": "max-bytes"}


@dataclass(frozen=True)
class Status:
    """One study. `counts`: trials by outcome; `seconds`: time in which at least one trial was under way.

    `terms` and `command` are None for a study that nas did not make; `options` is what its last search was told beyond
    the defaults, and None for one that did not note it.
    """

    study: str
    terms: Terms | None
    options: dict[str, Any] | None
    searching: bool
    counts: dict[str, int]
    best: Record | None
    seconds: float
    epochs: int
    command: str | None


def statuses(storage: RDBStorage, name: str | None = None, url: str = DEFAULT_STORAGE) -> list[Status]:
    """One study by name, or all of a database, the one begun last first; only reads.

    `url` names the storage in the commands.
    """
    if name is not None:
        return [status(find_study(storage, name), storage, url)]
    summaries = optuna.get_all_study_summaries(storage, include_best_trial=False)
    newest_first = sorted(summaries, key=lambda summary: summary.datetime_start or datetime.max, reverse=True)
    return [status(find_study(storage, summary.study_name), storage, url) for summary in newest_first]


def status(study: optuna.Study, storage: RDBStorage, url: str = DEFAULT_STORAGE) -> Status:
    """Where one study stands."""
    # Asked first: a search that ends in between has told all of its trials by then.
    searching = is_searched(checkpoint_folder(storage, study.study_name))
    trials = study.get_trials(deepcopy=False)
    terms = terms_of(study) if TERMS in study.user_attrs else None
    best = ranked(study) if len(study.directions) == 1 else []
    return Status(
        study=study.study_name,
        terms=terms,
        options=study.user_attrs.get(OPTIONS),
        searching=searching,
        counts=_counts(study, trials, searching),
        best=best[0] if best else None,
        seconds=_seconds(trials, searching),
        epochs=_epochs(trials),
        command=_command(study, trials, terms, url) if terms is not None else None,
    )


def search_command(options: Mapping[str, Any]) -> str:
    """`nas search` with these options, for a POSIX shell."""
    words = [
        word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", shlex.quote(str(value)))
    ]
    return " ".join(["nas search", *words])


def _counts(study: optuna.Study, trials: Sequence[FrozenTrial], searching: bool) -> dict[str, int]:
    tally: Counter[str] = Counter(counts(study))
    if not searching:
        tally["interrupted"] += tally.pop("running", 0)
    tally["waiting"] = sum(trial.state == TrialState.WAITING for trial in trials)
    return {outcome: n for outcome, n in tally.items() if n}


def _command(study: optuna.Study, trials: Sequence[FrozenTrial], terms: Terms, url: str) -> str:
    options = study.user_attrs.get(OPTIONS)
    if options is None:
        options = _options_of(terms, trials)
    told = {name: value for name, value in options.items() if name not in ("storage", "study")}
    budget = Budget(**terms.budget)
    name = default_name(terms.dataset, budget, terms.space, terms.epochs, options.get("seed", 0), terms.goal)
    if name != study.study_name:
        told["study"] = study.study_name
    if url != DEFAULT_STORAGE:
        told["storage"] = url
    return search_command(told)


def _options_of(terms: Terms, trials: Sequence[FrozenTrial]) -> dict[str, Any]:
    """What can be told of a study that did not note its options."""
    limits = {LIMIT_OPTIONS[name]: limit for name, limit in terms.budget.items()}
    seeds = [
        trial.user_attrs["seed"] // 1_000_003
        for trial in trials
        if "seed" in trial.user_attrs and "continues" not in trial.user_attrs
    ]
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
    """Epochs trained, each once: a repeated candidate has another's figures, a continued one those it goes on from."""
    furthest: dict[int, int] = {}
    for trial in trials:
        if "repeats" not in trial.user_attrs:
            first = _beginning(trials, trial)
            furthest[first] = max(furthest.get(first, 0), len(trial.intermediate_values))
    return sum(furthest.values())


def _beginning(trials: Sequence[FrozenTrial], trial: FrozenTrial) -> int:
    """The number of the trial in which this trial's training began."""
    while (origin := trial.user_attrs.get("continues")) is not None:
        trial = trials[origin]
    return trial.number


def _seconds(trials: Sequence[FrozenTrial], searching: bool) -> float:
    """Length of the union of the trials' times.

    When a trial ended whose process was killed is not known, and the time at which the next search told it would count
    the night in between: it counts up to the last thing that is known to have happened before.
    """
    known = sorted(
        moment
        for trial in trials
        for moment in (trial.datetime_start, None if _died(trial) else trial.datetime_complete)
        if moment is not None
    )
    now = datetime.now()
    spans = sorted(
        (trial.datetime_start, _end(trial, known, now, searching))
        for trial in trials
        if trial.datetime_start is not None
    )
    reach = [spans[0][0]] if spans else []
    for _, end in spans:
        reach.append(max(reach[-1], end))
    return sum(
        (max(0.0, (after - max(before, start)).total_seconds()))
        for (before, after), (start, _) in zip(pairwise(reach), spans, strict=True)
    )


def _end(trial: FrozenTrial, known: Sequence[datetime], now: datetime, searching: bool) -> datetime:
    if trial.state == TrialState.RUNNING and searching:
        return now
    if trial.datetime_complete is not None and not _died(trial):
        return trial.datetime_complete
    told = trial.datetime_complete or now
    return max((moment for moment in known if moment < told), default=told)


def _died(trial: FrozenTrial) -> bool:
    """Whether its process ended in the middle of its training, without a word."""
    return trial.state == TrialState.FAIL and "outcome" not in trial.user_attrs
