"""Learning curves: the validation accuracy of every candidate that was trained, epoch by epoch."""

from typing import NamedTuple

import optuna

from nas.study.record import record_of

SHOWN = ("finished", "pruned", "paused", "running")


class Curve(NamedTuple):
    """The accuracies, fractions, after epochs 1, 2, ... of one trial."""

    trial: int
    outcome: str
    params: int
    accuracies: tuple[float, ...]


def curves(study: optuna.Study) -> list[Curve]:
    """The curves of trials that finished, were pruned or paused, or are running, in order."""
    shown = []
    for trial in study.get_trials(deepcopy=False):
        if not trial.intermediate_values:
            continue
        record = record_of(trial)
        if record.outcome in SHOWN and record.cost is not None:
            accuracies = tuple(value for _, value in sorted(trial.intermediate_values.items()))
            shown.append(Curve(trial.number, record.outcome, record.cost.params, accuracies))
    return shown
