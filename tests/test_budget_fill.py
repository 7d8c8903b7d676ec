"""The space that solves widths from the budget: nothing is rejected, and the budget is used."""

from itertools import islice

import optuna
import pytest

from nas.network.cost import Budget, cost_of
from nas.network.kinds import Conv
from nas.space import finding as space
from nas.space.candidate import Task
from nas.space.probing import random_candidates

TASKS = [
    *(Task((1, 28, 28), 10, 20, Budget(params)) for params in (150, 1_000, 2_000, 20_000, 200_000)),
    Task((3, 32, 32), 100, 20, Budget(5_000)),
    Task((1, 8, 8), 10, 1, Budget(2_000)),
    Task((2, 5, 11), 3, 3, Budget(800)),
    Task((1, 28, 28), 10, 20, Budget(20_000, macs=300_000)),
    Task((1, 28, 28), 10, 20, Budget(20_000, bytes=9_000)),
    Task((1, 28, 28), 10, 20, Budget(macs=100_000)),
    Task((1, 28, 28), 10, 20, Budget(memory=10_000)),
]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: f"{task.image_shape}-{task.budget}")
def test_nothing_is_rejected(task: Task) -> None:
    for candidate, params in islice(random_candidates(space.load("budget_fill"), task), 150):
        cost = cost_of(candidate.architecture)
        assert task.budget.admits(cost), params
        if task.budget.params is not None:
            assert cost.params <= max(params["use"] * task.budget.params, 150), params


@pytest.mark.parametrize("budget", [2_000, 20_000])
def test_the_budget_is_used_as_asked(budget: int) -> None:
    task = Task((1, 28, 28), 10, 20, Budget(budget))
    for candidate, params in islice(random_candidates(space.load("budget_fill"), task), 300):
        convs = [spec for spec in candidate.architecture.layers if isinstance(spec, Conv)]
        assert len(convs) == sum(params[f"stage{stage}_convs"] for stage in (1, 2, 3)), "as deep as asked"
        assert cost_of(candidate.architecture).params >= 0.75 * params["use"] * budget


@pytest.mark.parametrize("limits", [{"macs": 500_000}, {"memory": 40_000}, {"bytes": 40_000}, {"params": 20_000}])
def test_the_share_is_that_of_every_limit(limits: dict[str, int]) -> None:
    task = Task((1, 28, 28), 10, 20, Budget(**limits))
    for candidate, params in islice(random_candidates(space.load("budget_fill"), task), 100):
        for name, limit in limits.items():
            assert getattr(cost_of(candidate.architecture), name) <= params["use"] * limit, params


def test_a_share_of_the_memory_makes_no_network_shallower_that_fits() -> None:
    task = Task((1, 28, 28), 10, 20, Budget(memory=12_600))  # 12,544 bytes: two channels of 28×28 into two others
    for candidate, params in islice(random_candidates(space.load("budget_fill"), task), 100):
        convs = [spec for spec in candidate.architecture.layers if isinstance(spec, Conv)]
        assert len(convs) == sum(params[f"stage{stage}_convs"] for stage in (1, 2, 3))


def test_every_trial_has_the_same_parameters_whatever_the_budget() -> None:
    seen = set()
    for budget in (1_000, 20_000):
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
        for _ in range(50):
            trial = study.ask()
            space.load("budget_fill").suggest(trial, Task((1, 28, 28), 10, 20, Budget(budget)))
            seen.add(tuple(sorted((name, repr(each)) for name, each in trial.distributions.items())))
    assert len(seen) == 1
