"""Looking at a search space without a study: random candidates, and the cheapest one there is."""

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FixedTrial

from nas.cost import Budget, Cost, cost_of
from nas.errors import BudgetError
from nas.space import Candidate, Space, Task


class ProbeTrial(FixedTrial):
    """A trial with no study behind it: given parameters are taken, all others drawn at random."""

    def __init__(self, params: dict[str, Any], random: Random) -> None:
        super().__init__(params)
        self._random = random

    def _suggest(self, name: str, distribution: BaseDistribution) -> Any:
        if name not in self._params:
            self._params[name] = _draw(distribution, self._random)
        return super()._suggest(name, distribution)


def random_candidates(space: Space, task: Task, seed: int = 0) -> Iterator[tuple[Candidate, dict[str, Any]]]:
    """Endless candidates, uniform over the space (log-uniform where the space says so), with their parameters."""
    random = Random(seed)
    while True:
        trial = ProbeTrial({}, random)
        yield space.suggest(trial, task), trial.params


def check_budget(space: Space, task: Task, seed: int = 0, n_random: int = 200) -> None:
    """Raises `BudgetError`, with the smallest possible counts, if no candidate of the space meets the budget."""
    candidates = random_candidates(space, task, seed)
    if any(task.budget.admits(cost_of(next(candidates)[0].architecture)) for _ in range(n_random)):
        return
    smallest = {name: smallest_cost(space, task, name, seed) for name in task.budget.limits}
    for name, cost in smallest.items():
        if getattr(cost, name) > task.budget.limits[name]:
            raise BudgetError(
                f"a budget must leave room for at least one candidate, but the smallest of space {space.name!r} has "
                f"{getattr(cost, name):,} {name} and the budget is {task.budget.limits[name]:,}: raise the budget or "
                "give a smaller --space"
            )
    # Each limit can be met alone; whether together is what the search finds out.


def smallest_cost(space: Space, task: Task, name: str, seed: int = 0, n_random: int = 300) -> Cost:
    """The cost of the candidate with the smallest `name` (a field of `Cost`) that coordinate descent finds.

    From the best of some random candidates, each parameter in turn goes to whichever of its choices, or of its two
    ends, costs least, until nothing gets cheaper. Exact where the cost is monotone in each parameter.
    """
    random = Random(seed)
    trials = [_probe(space, task, {}, random) for _ in range(n_random)]
    cost, trial = min(trials, key=lambda pair: _key(pair[0], name))
    improved = True
    while improved:
        improved = False
        for parameter, distribution in list(trial.distributions.items()):
            for value in _extremes(distribution):
                other_cost, other = _probe(space, task, {**trial.params, parameter: value}, random)
                if _key(other_cost, name) < _key(cost, name):
                    cost, trial, improved = other_cost, other, True
    return cost


def _probe(space: Space, task: Task, params: dict[str, Any], random: Random) -> tuple[Cost, ProbeTrial]:
    trial = ProbeTrial(params, random)
    return cost_of(space.suggest(trial, task).architecture), trial


def _key(cost: Cost, name: str) -> tuple[int, int]:
    # The sum of all counts breaks ties, so that the descent does not stop on a plateau of, say, the peak memory.
    return getattr(cost, name), cost.params + cost.macs + cost.memory


def _extremes(distribution: BaseDistribution) -> Sequence[Any]:
    match distribution:
        case CategoricalDistribution(choices=choices):
            return choices
        case IntDistribution(low=low, high=high) | FloatDistribution(low=low, high=high):
            return low, high
    raise TypeError(f"unknown distribution {distribution!r}")


def _draw(distribution: BaseDistribution, random: Random) -> Any:
    match distribution:
        case CategoricalDistribution(choices=choices):
            return random.choice(choices)
        case IntDistribution(low=low, high=high, step=step, log=log):
            if log:
                return min(high, int(low * ((high + 1) / low) ** random.random()))
            return random.randrange(low, high + 1, step)
        case FloatDistribution(low=low, high=high, step=step, log=log):
            if log:
                return min(high, float(low * (high / low) ** random.random()))  # rounding may go over
            if step is not None:
                return min(high, low + step * random.randrange(round((high - low) / step) + 1))
            return min(high, random.uniform(low, high))
    raise TypeError(f"unknown distribution {distribution!r}")


def feasible_share(space: Space, task: Task, n: int = 1000, seed: int = 0) -> float:
    """The share of random candidates that meet the budget."""
    candidates = random_candidates(space, task, seed)
    return sum(task.budget.admits(cost_of(next(candidates)[0].architecture)) for _ in range(n)) / n


def unlimited(task: Task) -> Task:
    """The same task without a budget."""
    return Task(task.image_shape, task.n_classes, task.epochs, Budget())
