"""What was found when: accuracy over the time in which something was trained."""

from typing import NamedTuple

import optuna

from nas.study.busy import busy_seconds, busy_spans
from nas.study.record import record_of
from nas.study.trial import outcome_of

TRAINED = ("finished", "pruned")


class Moment(NamedTuple):
    """The end of a training. `best`: the best finished accuracy by then, None before the first."""

    seconds: float
    trial: int
    finished: bool
    accuracy: float
    best: float | None


def progress(study: optuna.Study) -> list[Moment]:
    """The ends of all trainings, finished or pruned, in the order of time.

    Time counts as `nas.study.busy` reckons it: a night between a search and its continuation does not.
    Rejected candidates are not there, since they have no accuracy.
    """
    trials = study.get_trials(deepcopy=False)
    spans = busy_spans(trials)
    ended = [
        (trial.datetime_complete, record_of(trial))
        for trial in trials
        if trial.datetime_complete is not None and outcome_of(trial) in TRAINED
    ]
    moments: list[Moment] = []
    best: float | None = None
    for end, record in sorted(ended, key=lambda each: (each[0], each[1].trial)):
        if record.accuracy is None:
            continue
        if record.finished:
            best = max(best or 0.0, record.accuracy)
        moments.append(Moment(busy_seconds(spans, end), record.trial, record.finished, record.accuracy, best))
    return moments
