"""What a space is told to keep to, where the limits are those of a device.

A space fills a budget of what it can count. Left to itself with a limit on flash it would fill its limit on parameters,
and all that it suggests would be rejected. So it is told the number of parameters, and of bytes of activations, that
the device has room for: as much as its own random candidates need, beside what it can count. That is an aim, not a
limit: what decides is what the device tells of each candidate.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from math import sqrt
from statistics import median
from typing import Any

from nas.deployment.deployment import Deployment
from nas.errors import BudgetError
from nas.export.formats import refused_by
from nas.network.architecture import Architecture
from nas.network.cost import BYTES_A_NUMBER, COSTS, Budget, Cost, cost_of, further_cost_of
from nas.space.candidate import Task
from nas.space.finding import Space
from nas.space.probing import random_candidates

N_RANDOM = 6  # candidates of each round: for C each takes a compilation, which is a tenth of a second
ROUNDS = 6
STEEPEST = 1 / 16  # the least share of a budget that is gone towards in one round


def aimed_at(space: Space, task: Task, deployment: Deployment | None, formats: Sequence[str], seed: int = 0) -> Budget:
    """The budget for the space; the task's own where there is nothing to aim at.

    Raises `BudgetError` where the smallest network that was found is over a limit that only the device can tell.
    """
    limits = {name: limit for name, limit in task.budget.items() if COSTS[name].had == "predicted"}
    if deployment is None or not limits:
        return task.budget
    budget = _first(task, deployment)
    seen: list[Cost] = []
    for _ in range(ROUNDS):
        costs = [_cost(each, deployment, limits) for each in _drawn(space, replace(task, budget=budget), formats, seed)]
        seen += costs
        if sum(map(task.budget.admits, costs)) * 2 > len(costs) or not costs:
            return budget
        budget = _nearer(task, budget, costs, deployment)
    if not any(map(task.budget.admits, seen)):
        tiniest = replace(task, budget=Budget(params=1, memory=1))  # what a space suggests for it is its smallest
        seen += [_cost(each, deployment, limits) for each in _drawn(space, tiniest, formats, seed)]
        _check_smallest(space, limits, seen)
    return budget


def timed_once(
    space: Space, task: Task, deployment: Deployment | None, formats: Sequence[str], seed: int = 0
) -> dict[str, Any] | None:
    """Times one candidate, so that what cannot time is known before anything is stored; what is to be stored of it.

    Raises `ExportError`. None where nothing times.
    """
    if deployment is None or "latency" not in deployment.tells:
        return None
    for architecture in _drawn(space, task, formats, seed)[:1]:
        deployment.timing(architecture)
        return deployment.stored(architecture)
    return None


def _first(task: Task, deployment: Deployment) -> Budget:
    """What cannot be more: a parameter takes 8 bits in C, or 4, and four bytes elsewhere, a number of an activation one
    byte.
    """
    budget = dict(task.budget)
    for name, of in (("flash", "params"), ("ram", "memory")):
        if name in budget:
            most = max(1, int(budget[name] * _units(name, deployment)))
            budget[of] = min(budget.get(of, most), most)
    return Budget(**budget)


def _nearer(task: Task, budget: Budget, costs: Sequence[Cost], deployment: Deployment) -> Budget:
    """With less where the candidates were over: half the way, in its logarithm, to what is left beside the rest of what
    they take, since that rest becomes less, too.
    """
    changed = dict(budget)
    for name, of in (("flash", "params"), ("ram", "memory")):
        if name not in task.budget or median(cost[name] for cost in costs) <= task.budget[name]:
            continue
        units = _units(name, deployment)
        rest = median(cost[name] - cost[of] / units for cost in costs)
        room = max((task.budget[name] - rest) * units, budget[of] * STEEPEST)
        changed[of] = max(1, int(sqrt(min(room, budget[of]) * budget[of])))
    return Budget(**changed)


def _units(name: str, deployment: Deployment) -> float:
    """How much of what is counted a byte of the device is."""
    if name == "ram":
        return BYTES_A_NUMBER
    return 8 / deployment.weight_bits if deployment.runs_as == "c" else 1 / BYTES_A_NUMBER


def _drawn(space: Space, task: Task, formats: Sequence[str], seed: int) -> list[Architecture]:
    drawn = (candidate.architecture for candidate, _ in islice(random_candidates(space, task, seed), 10 * N_RANDOM))
    return list(islice((each for each in drawn if refused_by(each, formats) is None), N_RANDOM))


def _cost(architecture: Architecture, deployment: Deployment, names: dict[str, float]) -> Cost:
    return Cost(**cost_of(architecture), **further_cost_of(architecture, names.keys(), "predicted", deployment))


def _check_smallest(space: Space, limits: dict[str, float], costs: Sequence[Cost]) -> None:
    """Raises `BudgetError` where none of the candidates meets a limit."""
    for name, limit in limits.items():
        least = min(costs, key=lambda cost: cost[name])
        if least[name] > limit:
            raise BudgetError(
                f"a budget must leave room for at least one candidate, but the smallest of space {space.name!r} that "
                f"was found has {least.shown(name)} {COSTS[name].noun} and the limit is {limit:,}: raise "
                f"{COSTS[name].option} or give a smaller --space"
            )
