"""The time in which a study was worked on: one reckoning, for all that tell it.

When a trial ended whose process was killed is not known, and the time at which the next search told it would count the
night in between: it counts up to the last thing that is known to have happened before.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from optuna.trial import FrozenTrial, TrialState

from nas.study.trial import died


class Span(NamedTuple):
    """A time without a pause in which at least one trial was under way."""

    start: datetime
    end: datetime


def busy_spans(trials: Sequence[FrozenTrial], searching: bool = False) -> list[Span]:
    """The spans of a study's trials, in order and without overlaps; `searching`: trials that run go on until now."""
    now = datetime.now()
    events = sorted(
        moment
        for trial in trials
        for moment in (trial.datetime_start, None if died(trial) else trial.datetime_complete)
        if moment is not None
    )
    under_way = sorted(
        (trial.datetime_start, _end(trial, events, now, searching))
        for trial in trials
        if trial.datetime_start is not None
    )
    spans: list[Span] = []
    for start, end in under_way:
        if spans and start <= spans[-1].end:
            spans[-1] = Span(spans[-1].start, max(end, spans[-1].end))
        else:
            spans.append(Span(start, max(start, end)))
    return spans


def busy_seconds(spans: Sequence[Span], until: datetime = datetime.max) -> float:
    """Seconds of the spans that lie before a moment."""
    return sum((min(end, until) - start).total_seconds() for start, end in spans if start < until)


def _end(trial: FrozenTrial, events: Sequence[datetime], now: datetime, searching: bool) -> datetime:
    if trial.state == TrialState.RUNNING and searching:
        return now
    if trial.datetime_complete is not None and not died(trial):
        return trial.datetime_complete
    recorded = trial.datetime_complete or now
    return max((moment for moment in events if moment < recorded), default=recorded)
