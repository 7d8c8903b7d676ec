"""The default pruner: successive halving by promotion; what it stops may go on later."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock

import optuna
from optuna.pruners import BasePruner
from optuna.trial import FrozenTrial, TrialState

from nas.study.goal import Goal
from nas.study.halving import finished_with, has_too_many_errors
from nas.study.ranks import Ranks
from nas.study.trial import TrialAttributes


class PausingPruner(BasePruner):
    """Asynchronous successive halving with promotion (Li et al. 2020, arXiv 1810.05934, algorithm 2).

    At rungs 1, `factor`, `factor`², ... epochs a trial goes on if it is among the best `1 / factor` of all that came as
    far. One that is not is stopped, and is worth going on with (`goes_on`) as soon as it is, because worse ones came
    after it. So nothing is trained to its end only because it came first, and nothing good is lost because better ones
    came first. What cannot be paused, in a study that `nas.search` does not run, ends there.

    Where the smallest network with a certain accuracy is wanted, smaller ones must not be measured by larger ones. Once
    a network has that accuracy, a trial goes on unless it has too many more errors than such networks had after as many
    epochs (as with `HalvingPruner`); and none does that is not smaller.

    Behind the first rung the best so far goes on at once, so that a search shows early what it has. Where it ends with
    the first network that has its target (`until_target`), that is so at the first rung, too, and trials are compared
    after every epoch, with what others had at the rung that they passed last: one that these have overtaken with less
    training stops.
    """

    def __init__(
        self,
        epochs: int,
        factor: int = 3,
        goal: Goal = Goal(),  # noqa: B008 - it is frozen
        until_target: bool = False,
    ) -> None:
        if factor < 2:
            raise ValueError(f"factor must be at least 2, but got {factor=}")
        self.epochs, self.factor, self.goal, self.until_target = epochs, factor, goal, until_target
        self._ranks, self._lock = Ranks(self.rungs, self._rung, lambda trial: finished_with(trial, goal)), Lock()

    @property
    def rungs(self) -> list[int]:
        """The epochs after which trials are compared; none where more than half of the training is done."""
        rungs = [1]
        while 2 * rungs[-1] * self.factor <= self.epochs:
            rungs.append(rungs[-1] * self.factor)
        return rungs

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Whether `trial`, which has just reported, is to stop; for studies that maximize."""
        is_compared = self.until_target or trial.last_step in self.rungs
        if not is_compared and self.goal.minimize is None:
            return False
        with self._followed(study) as (ranks, trials):
            if ranks.models:
                return not self._is_like(trial, list(ranks.models.values()))
            if not is_compared:
                return False
            rung = self._rung(trial)
            place, n_best = ranks.rungs[rung].place_of(trial.number), self._n_best(rung, len(ranks.rungs[rung]))
            if place is not None and place < n_best:
                return False
            if place is None or not self.until_target:
                return True
            cut_off = trials[ranks.rungs[rung].number_at(n_best - 1)].intermediate_values[rung]
        return max(trial.intermediate_values.values()) < cut_off

    def goes_on(self, study: optuna.Study, paused: Collection[int], none_begins: bool = False) -> int | None:
        """The number of the paused trial that is to go on, the one that has come furthest first; None if none is.

        `none_begins`: no other trial runs or will, so that of those that came furthest the best one goes on anyway,
        unless one has been trained to its end.
        """
        with self._followed(study) as (ranks, trials):
            if ranks.models:
                models = list(ranks.models.values())
                alike = (number for number in paused if self._is_like(trials[number], models))
                return max(alike, key=lambda number: trials[number].last_step or 0, default=None)
            for rung in reversed(self.rungs):
                number = ranks.rungs[rung].first_here(paused)
                place = None if number is None else ranks.rungs[rung].place_of(number)
                if place is not None and place < self._n_best(rung, len(ranks.rungs[rung])):
                    return number
        if none_begins and not any(trial.state == TrialState.COMPLETE for trial in trials):
            return max(paused, key=lambda number: _progress(trials[number]), default=None)
        return None

    @contextmanager
    def _followed(self, study: optuna.Study) -> Iterator[tuple[Ranks, Sequence[FrozenTrial]]]:
        """Where the trials stand now, for one thread at a time."""
        with self._lock:
            trials = study.get_trials(deepcopy=False)
            self._ranks.follow(trials)
            yield self._ranks, trials

    def _rung(self, trial: FrozenTrial) -> int:
        """The last one that a trial has passed."""
        return max(rung for rung in self.rungs if rung <= (trial.last_step or 1))

    def _n_best(self, rung: int, n: int) -> int:
        """How many of the `n` that came to a rung go on."""
        at_once = rung > 1 or self.until_target
        return max(1, n // self.factor) if at_once else n // self.factor

    def _is_like(self, trial: FrozenTrial, models: Sequence[FrozenTrial]) -> bool:
        """Whether a trial may become one of them, smaller than all of them."""
        assert self.goal.minimize is not None  # else there are no models
        cost, *costs = (_count(each, self.goal.minimize) for each in (trial, *models))
        return cost < min(costs) and not has_too_many_errors(trial, models)


def _count(trial: FrozenTrial, name: str) -> float:
    """What a trial's network costs."""
    cost = TrialAttributes(trial).cost
    assert cost is not None  # it was counted before it was trained
    count: float = cost[name]
    return count


def _progress(trial: FrozenTrial) -> tuple[int, float]:
    return trial.last_step or 0, max(trial.intermediate_values.values(), default=0.0)
