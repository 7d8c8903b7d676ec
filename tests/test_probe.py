"""Looking at a space without a study: what is drawn, and the cheapest candidate there is."""

import math
from collections import Counter
from dataclasses import replace
from itertools import islice, product
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import BaseTrial, FixedTrial
from shipped_spaces import SPACES

from nas.errors import BudgetError
from nas.network.architecture import Architecture
from nas.network.cost import Budget, Cost, cost_of
from nas.network.kinds import Conv, MaxPool, flatten_head, gap_head
from nas.space import finding as space
from nas.space.candidate import Candidate, Task
from nas.space.probing import ProbeTrial, check_budget, feasible_share, random_candidates, smallest_cost, unlimited
from nas.training.recipe import Recipe

TASK = Task((1, 28, 28), 10, 5, Budget())
COUNTS = ("params", "macs", "memory", "bytes")


# Random draws ---------------------------------------------------------------------------------------------------------


class Extreme(Random):
    """A generator whose floats are always the same; its whole numbers, which would then never end, are not."""

    def __init__(self, value: float) -> None:
        super().__init__(0)
        self.value = value

    def random(self) -> float:
        return self.value

    def getrandbits(self, k: int) -> int:
        return super().getrandbits(k)


ENDS = (0.0, math.ulp(1.0), 0.5, 1 - 2**-53)


def randoms(seed: int) -> list[Random]:
    return [Random(seed), *(Extreme(value) for value in ENDS)]


def drawn(distribution: BaseDistribution, random: Random) -> Any:
    trial = ProbeTrial({}, random)
    match distribution:
        case CategoricalDistribution(choices=choices):
            return trial.suggest_categorical("x", choices)
        case IntDistribution(low=low, high=high, log=log, step=step):
            return trial.suggest_int("x", low, high, log=log, step=step)
        case FloatDistribution(low=low, high=high, log=log, step=step):
            return trial.suggest_float("x", low, high, log=log, step=step)
    raise AssertionError(distribution)


@st.composite
def integers(draw: st.DrawFn) -> IntDistribution:
    log = draw(st.booleans())
    low = draw(st.integers(1 if log else -1000, 1000))
    step = 1 if log else draw(st.integers(1, 9))
    return IntDistribution(low, low + step * draw(st.integers(0, 300)), log=log, step=step)


@st.composite
def floats(draw: st.DrawFn) -> FloatDistribution:
    kind = draw(st.sampled_from(["plain", "log", "step"]))
    low = draw(st.floats(1e-6, 1e3) if kind == "log" else st.floats(-1e3, 1e3))
    if kind == "step":
        step = draw(st.sampled_from([0.01, 0.05, 0.1, 0.25, 1.0]))
        low = round(low, 2)
        return FloatDistribution(low, round(low + step * draw(st.integers(1, 40)), 2), step=step)
    high = low + draw(st.floats(0, 1e3))
    return FloatDistribution(low, high, log=kind == "log")


categories = st.lists(st.one_of(st.text(max_size=3), st.booleans(), st.integers()), min_size=1, max_size=6, unique=True)
distributions = st.one_of(integers(), floats(), categories.map(CategoricalDistribution))


@settings(deadline=None, max_examples=300)
@given(distributions, st.integers(0, 2**32))
def test_a_draw_is_within_its_distribution(distribution: BaseDistribution, seed: int) -> None:
    """Optuna warns where it is not, and warnings are errors."""
    for random in randoms(seed):
        value = drawn(distribution, random)
        match distribution:
            case CategoricalDistribution(choices=choices):
                assert value in choices
            case IntDistribution(low=low, high=high, step=step):
                assert type(value) is int
                assert low <= value <= high
                assert (value - low) % step == 0
            case FloatDistribution(low=low, high=high, step=step):
                assert type(value) is float
                assert low <= value <= high
                assert step is None or abs((value - low) / step - round((value - low) / step)) < 1e-6


def counts(distribution: BaseDistribution, n: int = 6000) -> Counter[Any]:
    random = Random(0)
    return Counter(drawn(distribution, random) for _ in range(n))


def test_draws_are_uniform() -> None:
    for distribution, values in (
        (CategoricalDistribution(["a", "b", "c"]), ["a", "b", "c"]),
        (IntDistribution(2, 7), range(2, 8)),
        (IntDistribution(4, 16, step=4), range(4, 17, 4)),
        (FloatDistribution(0.0, 0.25, step=0.125), [0.0, 0.125, 0.25]),
    ):
        seen = counts(distribution)
        assert set(seen) == set(values)
        for value in values:
            assert seen[value] / 6000 == pytest.approx(1 / len(values), abs=0.03)


@pytest.mark.parametrize(
    ("distribution", "middle"),
    [
        (FloatDistribution(0.0, 10.0), 5.0),
        (FloatDistribution(0.01, 1.0, log=True), 0.1),
        (IntDistribution(1, 99, log=True), 9.5),
    ],
)
def test_the_middle_of_a_range_is_that_of_its_scale(distribution: BaseDistribution, middle: float) -> None:
    seen = counts(distribution)
    below = sum(count for value, count in seen.items() if value < middle)
    assert below / 6000 == pytest.approx(0.5, abs=0.03)
    if isinstance(distribution, IntDistribution):
        assert {1, 2, 3, 99} <= set(seen), "both ends are drawn"


def test_given_parameters_are_taken_and_the_others_drawn() -> None:
    shipped = space.load("tiny")
    for seed in range(20):
        trial = ProbeTrial({"channels1": 14, "lr": 0.25}, Random(seed))
        candidate = shipped.suggest(trial, TASK)
        assert (trial.params["channels1"], trial.params["lr"]) == (14, 0.25)
        assert candidate.recipe.lr == 0.25
        assert set(trial.params) == {"channels1", "channels2", "channels3", "lr", "batch_size", "rotation"}


@pytest.mark.parametrize("name", SPACES)
def test_random_candidates_repeat_by_seed_and_replay_by_parameters(name: str) -> None:
    shipped = space.load(name)
    one, again, other = (list(islice(random_candidates(shipped, TASK, seed), 30)) for seed in (0, 0, 1))
    assert one == again
    assert one != other
    for candidate, params in one:
        assert shipped.suggest(FixedTrial(params), TASK) == candidate


# The cheapest candidate -----------------------------------------------------------------------------------------------


def all_costs_of_tiny(task: Task) -> list[Cost]:
    shipped = space.load("tiny")
    rest = {"lr": 0.1, "batch_size": 64, "rotation": 0}
    widths = product(range(4, 17, 2), repeat=3)
    params = [{f"channels{i}": width for i, width in enumerate(each, start=1)} | rest for each in widths]
    return [cost_of(shipped.suggest(FixedTrial(each), task).architecture) for each in params]


@pytest.mark.parametrize("task", [TASK, Task((3, 32, 32), 100, 5, Budget())], ids=["mnist", "colour"])
def test_the_smallest_of_tiny_is_that_of_all_its_candidates(task: Task) -> None:
    costs = all_costs_of_tiny(task)
    assert len(costs) == 343
    for name in COUNTS:
        smallest = smallest_cost(space.load("tiny"), task, name)
        assert getattr(smallest, name) == min(getattr(cost, name) for cost in costs)
        assert smallest in costs


def conditional(trial: BaseTrial, task: Task) -> Candidate:
    """The cheapest has neither the fewest layers nor, at the start, a neighbour that is cheaper."""
    if trial.suggest_categorical("head", ["fc", "gap"]) == "fc":
        layers = flatten_head(task.n_classes, (trial.suggest_int("hidden", 1, 64),))
    else:
        width = trial.suggest_int("width", 2, 64, log=True)
        layers = (Conv(width, trial.suggest_categorical("kernel", [5, 3, 1])), *gap_head(task.n_classes))
        for _ in range(trial.suggest_int("pools", 0, 2)):
            layers = (MaxPool(), *layers)
    return Candidate(Architecture(task.image_shape, task.n_classes, layers), Recipe(epochs=task.epochs))


def test_the_smallest_of_a_space_with_conditions() -> None:
    """By hand: two channels, a 1×1 kernel, a bias each, and ten scores from them; or a seventh of the pixels."""
    found = {name: smallest_cost(space.load(conditional), TASK, name) for name in COUNTS}
    assert found["params"].params == 2 * 1 + 2 + 2 * 10 + 10
    assert found["bytes"].bytes == 4 * found["params"].params
    assert found["macs"].macs == 2 * 7 * 7 + 2 * 10
    assert found["memory"].memory == 4 * (28 * 28 + 1)


CHOSEN = ("documented", "tiny")  # the others solve their widths


@pytest.mark.parametrize(
    "name", [pytest.param("blocks", marks=pytest.mark.slow) if each == "blocks" else each for each in SPACES]
)
@pytest.mark.parametrize("count", COUNTS)
def test_no_random_candidate_is_smaller_than_the_smallest(name: str, count: str) -> None:
    task = Task((1, 28, 28), 10, 5, Budget(20_000))
    smallest = getattr(smallest_cost(space.load(name), task, count), count)
    others = islice(random_candidates(space.load(name), task, seed=99), 300)
    fewest = min(getattr(cost_of(candidate.architecture), count) for candidate, _ in others)
    # Where widths are solved from the budget, rounding makes the count a saw-tooth, and the descent ends on one tooth.
    assert smallest <= (fewest if name in CHOSEN else 1.01 * fewest)


@pytest.mark.parametrize("count", COUNTS)
def test_a_budget_is_met_at_exactly_the_smallest_count(count: str) -> None:
    tiny = space.load("tiny")
    smallest = getattr(smallest_cost(tiny, TASK, count), count)
    check_budget(tiny, replace(TASK, budget=Budget(**{count: smallest})))
    check_budget(tiny, replace(TASK, budget=Budget(**{count: 10**9})))
    for below in (smallest - 1, 1):
        with pytest.raises(BudgetError) as caught:
            check_budget(tiny, replace(TASK, budget=Budget(**{count: below})))
        message = str(caught.value)
        assert f"{smallest:,} {count}" in message
        assert f"the budget is {below:,}" in message
        assert "'tiny'" in message
        assert "\n" not in message


def test_each_limit_of_a_budget_is_checked() -> None:
    tiny = space.load("tiny")
    with pytest.raises(BudgetError, match="memory"):
        check_budget(tiny, replace(TASK, budget=Budget(params=10**6, memory=100)))
    check_budget(tiny, replace(TASK, budget=Budget(params=10**6, memory=10**6)))
    check_budget(tiny, TASK)


def trade_off(trial: BaseTrial, task: Task) -> Candidate:
    """Parameters grow with `mix` and with `waste`, by much; multiply-accumulates fall with `mix`."""
    mix, waste = trial.suggest_int("mix", 0, 20), trial.suggest_int("waste", 1, 100_000)
    head = gap_head(task.n_classes, (1, 50 * mix + 1, waste))
    layers = (Conv(21 - mix, 3, padding=1, bias=False), *head)
    return Candidate(Architecture(task.image_shape, task.n_classes, layers), Recipe(epochs=task.epochs))


def test_limits_that_can_only_be_met_one_at_a_time_are_refused() -> None:
    both = space.load(trade_off)
    check_budget(both, replace(TASK, budget=Budget(params=1700)))
    check_budget(both, replace(TASK, budget=Budget(macs=70_000)))
    with pytest.raises(BudgetError, match=r"1,700 parameters, 70,000 MACs together, not one of 200 random ones"):
        check_budget(both, replace(TASK, budget=Budget(params=1700, macs=70_000)))


def test_limits_that_hardly_any_candidate_meets_are_not_refused() -> None:
    """Only `mix` 10 and `waste` 1 do, which is neither the smallest by one nor that by the other."""
    both, task = space.load(trade_off), replace(TASK, budget=Budget(params=1700, macs=85_000))
    assert feasible_share(both, task) == 0
    assert not any(task.budget.admits(smallest_cost(both, task, name)) for name in ("params", "macs"))
    check_budget(both, task)


def test_the_share_that_meets_a_budget() -> None:
    tiny = space.load("tiny")
    costs = all_costs_of_tiny(TASK)
    for limit in (1, 1500, 2500, 10**6):
        expected = sum(cost.params <= limit for cost in costs) / len(costs)
        share = feasible_share(tiny, replace(TASK, budget=Budget(limit)), n=500)
        assert share == pytest.approx(expected, abs=0.08)
        assert (share in (0.0, 1.0)) == (expected in (0.0, 1.0))


def test_a_task_without_its_budget() -> None:
    assert unlimited(replace(TASK, budget=Budget(1))) == TASK
