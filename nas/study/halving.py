"""A pruner: successive halving that never stops comparing."""

from collections.abc import Sequence

import optuna
from optuna.pruners import BasePruner
from optuna.trial import FrozenTrial, TrialState

from nas.study.goal import Goal
from nas.study.trial import TrialAttributes

MOST_ERRORS = 1.5


class HalvingPruner(BasePruner):
    """Asynchronous successive halving (Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning").

    At rungs 1, `factor`, `factor`², ... epochs a trial goes on only if it is among the best `1 / factor` of all that
    reported there. Unlike Optuna's `SuccessiveHalvingPruner` it asks again after every epoch, at each rung already
    passed: a trial that was let through because nobody had come before it ends as soon as enough others were better
    *with less training*. The first trials of a study are otherwise all trained to their end, however poor.

    Where the smallest network with a certain accuracy is wanted, smaller ones must not be measured by larger ones. Once
    a network has that accuracy, a trial goes on unless it has `MOST_ERRORS` times the errors that any such network had
    after as many epochs.
    """

    def __init__(self, factor: int = 3, goal: Goal = Goal()) -> None:  # noqa: B008 - it is frozen
        if factor < 2:
            raise ValueError(f"factor must be at least 2, but got {factor=}")
        self.factor, self.goal = factor, goal

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Whether `trial`, which has just reported, is beaten; for studies that maximize."""
        epoch = trial.last_step
        if epoch is None:
            return False
        accuracy = max(trial.intermediate_values.values())
        others = study.get_trials(deepcopy=False)
        if models := [each for each in others if finished_with(each, self.goal)]:
            return has_too_many_errors(trial, models)
        return any(accuracy < self._cutoff(others, rung) for rung in self.rungs(epoch))

    def rungs(self, epoch: int) -> list[int]:
        """The rungs up to an epoch."""
        rungs = []
        rung = 1
        while rung <= epoch:
            rungs.append(rung)
            rung *= self.factor
        return rungs

    def _cutoff(self, trials: Sequence[FrozenTrial], rung: int) -> float:
        """The accuracy at a rung of the last one among the best `1 / factor`, or of the best while there are few."""
        reported = sorted(
            (t.intermediate_values[rung] for t in trials if rung in t.intermediate_values and not is_copy(t)),
            reverse=True,
        )
        return reported[max(1, len(reported) // self.factor) - 1] if reported else 0.0


def finished_with(trial: FrozenTrial, goal: Goal) -> bool:
    """Whether it was trained to its end and has the accuracy that the smallest network must have."""
    finished = trial.state == TrialState.COMPLETE and bool(trial.intermediate_values)
    return goal.minimize is not None and finished and goal.reached(trial.value or 0.0)


def has_too_many_errors(trial: FrozenTrial, models: Sequence[FrozenTrial]) -> bool:
    """Whether a trial has more than `MOST_ERRORS` times the errors that any of the models had after as many epochs."""
    epoch = trial.last_step or 0
    accuracies = [model.intermediate_values[epoch] for model in models if epoch in model.intermediate_values]
    errors = 1 - max(trial.intermediate_values.values(), default=0.0)
    return bool(accuracies) and errors > MOST_ERRORS * (1 - min(accuracies))


def is_copy(trial: FrozenTrial) -> bool:
    """Whether its figures stand in another trial too: a repeated candidate, or one that went on in a new trial."""
    return TrialAttributes(trial).repeats is not None or trial.state == TrialState.FAIL
