"""Looking at a search space without a study: random candidates, and the cheapest one there is."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from random import Random
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FixedTrial

from nas.errors import BudgetError
from nas.network.cost import COSTS, Budget, Cost, cost_of
from nas.space.candidate import Candidate, Task
from nas.space.finding import Space

N_SPREAD = 5  # values of a parameter's range that are tried where its ends are not enough


class ProbeTrial(FixedTrial):
    """A trial with no study behind it: given parameters are taken, all others drawn at random."""

    def __init__(self, params: dict[str, Any], random: Random) -> None:
        super().__init__(params)
        self._random = random

    def _suggest(self, name: str, distribution: BaseDistribution) -> Any:
        if name not in self._params:
            self._params[name] = draw(distribution, self._random)
        return super()._suggest(name, distribution)


def random_candidates(space: Space, task: Task, seed: int = 0) -> Iterator[tuple[Candidate, dict[str, Any]]]:
    """Endless candidates, uniform over the space (log-uniform where the space says so), with their parameters."""
    random = Random(seed)
    while True:
        trial = ProbeTrial({}, random)
        yield space.suggest(trial, task), trial.params


def axes_of(space: Space, task: Task, seed: int = 0) -> dict[str, BaseDistribution]:
    """What a random candidate of the space is drawn from."""
    trial = ProbeTrial({}, Random(seed))
    space.suggest(trial, task)
    return dict(trial.distributions)


def check_budget(space: Space, task: Task, seed: int = 0, n_random: int = 200) -> None:
    """Raises `BudgetError`, with what comes nearest, if no candidate of the space was found that meets the budget.

    Limits on what cannot be counted are left out.

    Looked at are random candidates, the smallest by each limit, and, where each can be met but not by these, the one
    that is least over all of them.
    """
    limits = {name: limit for name, limit in task.budget.items() if COSTS[name].counted}
    candidates = random_candidates(space, task, seed)
    if any(task.budget.admits(cost_of(next(candidates)[0].architecture)) for _ in range(n_random)):
        return
    smallest = {name: smallest_cost(space, task, name, seed) for name in limits}
    for name, cost in smallest.items():
        if cost[name] > limits[name]:
            raise BudgetError(
                f"a budget must leave room for at least one candidate, but the smallest of space {space.name!r} has "
                f"{cost.shown(name)} {name} and the budget is {limits[name]:,}: raise the budget or "
                "give a smaller --space"
            )
    nearest = min([*smallest.values(), nearest_cost(space, task, seed)], key=partial(_excess, task.budget))
    if not task.budget.admits(nearest):
        costs = ", ".join(f"{nearest.shown(name)} {COSTS[name].noun}" for name in limits)
        raise BudgetError(
            f"a budget must leave room for at least one candidate, but none of space {space.name!r} was found that has "
            f"at most {task.budget} together, not one of {n_random} random ones and not the smallest by each; the "
            f"nearest has {costs}: raise a limit or give a smaller --space"
        )


def smallest_cost(space: Space, task: Task, name: str, seed: int = 0, n_random: int = 300) -> Cost:
    """The cost of the candidate with the smallest `name` (a field of `Cost`) that coordinate descent finds.

    From the best of some random candidates, each parameter in turn goes to whichever of its choices, or of its two
    ends, costs least, until nothing gets cheaper. Exact where the cost is monotone in each parameter.
    """
    return _descend(space, task, lambda cost: cost[name], _extremes, seed, n_random)


def nearest_cost(space: Space, task: Task, seed: int = 0, n_random: int = 300) -> Cost:
    """The cost of the candidate that is least over the budget of those that coordinate descent finds.

    As `smallest_cost`, by the sum of what is over each limit. Where one limit wants a parameter at one end and another
    at the other, the best lies between them, so some values between are tried too. It is not exact: there may be a
    nearer one.
    """
    return _descend(space, task, partial(_excess, task.budget), _spread, seed, n_random)


def _descend(
    space: Space,
    task: Task,
    key: Callable[[Cost], float],
    values: Callable[[BaseDistribution], Sequence[Any]],
    seed: int,
    n_random: int,
) -> Cost:
    def height(cost: Cost) -> tuple[float, int]:
        # The sum of all counts breaks ties, so that the descent does not stop on a plateau of, say, the peak memory.
        return key(cost), cost.params + cost.macs + cost.memory

    random = Random(seed)
    trials = [_probe(space, task, {}, random) for _ in range(n_random)]
    cost, trial = min(trials, key=lambda pair: height(pair[0]))
    improved = True
    while improved:
        improved = False
        for parameter, distribution in list(trial.distributions.items()):
            for value in values(distribution):
                other_cost, other = _probe(space, task, {**trial.params, parameter: value}, random)
                if height(other_cost) < height(cost):
                    cost, trial, improved = other_cost, other, True
    return cost


def _excess(budget: Budget, cost: Cost) -> float:
    """By how much a cost is over the limits, all together; 0 if it meets them."""
    return sum(max(0.0, violation) for violation in budget.violations(cost).values())


def _probe(space: Space, task: Task, params: dict[str, Any], random: Random) -> tuple[Cost, ProbeTrial]:
    trial = ProbeTrial(params, random)
    return cost_of(space.suggest(trial, task).architecture), trial


def _extremes(distribution: BaseDistribution) -> Sequence[Any]:
    match distribution:
        case CategoricalDistribution(choices=choices):
            return choices
        case IntDistribution(low=low, high=high) | FloatDistribution(low=low, high=high):
            return low, high
    raise TypeError(f"unknown distribution {distribution!r}")


def _spread(distribution: BaseDistribution) -> Sequence[Any]:
    """The ends, and up to three values between them."""
    match distribution:
        case IntDistribution(low=low, high=high, step=step):
            n = (high - low) // step
            return sorted({low + step * (n * i // (N_SPREAD - 1)) for i in range(N_SPREAD)})
        case FloatDistribution(low=low, high=high, step=None):
            return [min(high, low + (high - low) * i / (N_SPREAD - 1)) for i in range(N_SPREAD)]
    return _extremes(distribution)


def draw(distribution: BaseDistribution, random: Random) -> Any:
    """A random value, uniform, or log-uniform where the distribution says so."""
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
