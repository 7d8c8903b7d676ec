"""The time in which a study was worked on: one reckoning, for all that tell it.

A trial that is paused or interrupted is trained in several stretches. When the last of them ended where its process was
killed is not known, and the time at which the next search tells it would count the night in between: it counts up to
the last thing that is known to have happened before.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from nas.study.trial import HasAttributes, TrialAttributes, died, outcome_of


class Span(NamedTuple):
    """A time without a pause in which at least one trial was under way; made by `span`, it does not end too early."""

    start: datetime
    end: datetime


def span(start: datetime, end: datetime) -> Span:
    """From one moment to another, or none at all where the clock was set back in between."""
    return Span(start, max(start, end))


def busy_spans(trials: Sequence[FrozenTrial], searching: bool = False) -> list[Span]:
    """The spans of a study's trials, in order and without overlaps; `searching`: trials that run go on until now."""
    now, moments = datetime.now(), _moments(trials)
    under_way = sorted(span for trial in trials for span in _of_trial(trial, moments, now, searching))
    spans: list[Span] = []
    for start, end in under_way:
        if spans and start <= spans[-1].end:
            spans[-1] = Span(spans[-1].start, max(end, spans[-1].end))
        else:
            spans.append(Span(start, end))
    return spans


def busy_seconds(spans: Sequence[Span], until: datetime = datetime.max) -> float:
    """Seconds of the spans that lie before a moment."""
    return sum((min(end, until) - start).total_seconds() for start, end in spans if start < until)


def end_stretch(trial: Trial) -> None:
    """Notes that a trial is left now, to go on later."""
    attributes = TrialAttributes(trial)
    now = datetime.now()
    begun = trial.datetime_start or now if attributes.resumed is None else datetime.fromisoformat(attributes.resumed)
    attributes.stretches = [*(attributes.stretches or []), [each.isoformat() for each in span(begun, now)]]


def begin_stretch(trial: Trial) -> None:
    """Notes that a trial goes on now."""
    TrialAttributes(trial).resumed = datetime.now().isoformat()


def note_stretch(study: optuna.Study, trial: FrozenTrial, trials: Sequence[FrozenTrial]) -> None:
    """Notes the last stretch of a trial whose process was killed, as far as it is known."""
    stretches = [[start.isoformat(), end.isoformat()] for start, end in _of_trial(trial, _moments(trials))]
    study._storage.set_trial_user_attr(trial._trial_id, "stretches", stretches)


def _moments(trials: Sequence[FrozenTrial]) -> list[datetime]:
    """All that is known to have happened, in order."""
    return sorted(
        moment
        for trial in trials
        for moment in (
            *(each for stretch in _stretches(trial) for each in stretch),
            _resumed(trial),
            None if died(trial) else trial.datetime_complete,
        )
        if moment is not None
    )


def _of_trial(
    trial: FrozenTrial, moments: Sequence[datetime], now: datetime | None = None, searching: bool = False
) -> Iterator[Span]:
    """Its stretches, the last one too."""
    yield from _stretches(trial)
    start, outcome = _resumed(trial), outcome_of(trial)
    if start is None or outcome == "paused" or trial.state == TrialState.WAITING:  # it was left, and that was noted
        return
    if trial.state == TrialState.RUNNING and searching and now is not None:
        yield span(start, now)
    elif trial.datetime_complete is not None and not died(trial):
        yield span(start, trial.datetime_complete)
    else:
        recorded = trial.datetime_complete or now or datetime.now()
        yield span(start, max((moment for moment in moments if moment < recorded), default=recorded))


def _stretches(trial: HasAttributes) -> list[Span]:
    return [
        span(datetime.fromisoformat(start), datetime.fromisoformat(end))
        for start, end in TrialAttributes(trial).stretches or []
    ]


def _resumed(trial: FrozenTrial) -> datetime | None:
    """When its last stretch began."""
    resumed = TrialAttributes(trial).resumed
    return trial.datetime_start if resumed is None else datetime.fromisoformat(resumed)
