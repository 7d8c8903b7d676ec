"""What was found when: accuracy over the time in which something was trained."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import optuna

from nas.records import record_of

TRAINED = ("finished", "pruned", "interrupted")


class Moment(NamedTuple):
    """The end of a training. `best`: the best finished accuracy by then, None before the first."""

    seconds: float
    trial: int
    finished: bool
    accuracy: float
    best: float | None


def progress(study: optuna.Study) -> list[Moment]:
    """The ends of all trainings, finished or pruned, in the order of time.

    Time counts while at least one candidate is trained: a night between a search and its continuation does not.
    Rejected candidates are not there, since they have no accuracy.
    """
    ended = [
        (trial.datetime_start, trial.datetime_complete, record_of(trial))
        for trial in study.get_trials(deepcopy=False)
        if trial.datetime_start is not None and trial.datetime_complete is not None
    ]
    ended = [each for each in ended if each[2].outcome in TRAINED]
    spans = merged((start, end) for start, end, _ in ended)
    moments: list[Moment] = []
    best: float | None = None
    for _, end, record in sorted(ended, key=lambda each: (each[1], each[2].trial)):
        if record.accuracy is None or record.outcome == "interrupted":
            continue
        if record.finished:
            best = max(best or 0.0, record.accuracy)
        moments.append(Moment(busy_until(end, spans), record.trial, record.finished, record.accuracy, best))
    return moments


def merged(spans: Iterable[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """The spans without overlaps, in order."""
    found: list[tuple[datetime, datetime]] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found


def busy_until(moment: datetime, spans: Iterable[tuple[datetime, datetime]]) -> float:
    """Seconds of the spans that lie before a moment."""
    return sum((min(end, moment) - start).total_seconds() for start, end in spans if start < moment)
