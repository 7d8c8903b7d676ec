"""The smallest network that has a certain accuracy."""

import json
from pathlib import Path

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import IntDistribution
from optuna.trial import TrialState, create_trial
from test_cli import check_refused
from test_search import table

from nas.network.cost import COSTS, Budget, Cost
from nas.study.goal import Goal
from nas.study.halving import HalvingPruner

SMALLEST = ("--space", "tiny", "--epochs", "3", "--budget", "3k", "--minimize", "params")
costs = st.builds(Cost, **{name: st.integers(1, 30_000) for name in COSTS})
accuracies = st.floats(0, 1)


@given(accuracies, costs, accuracies, costs, st.sampled_from(sorted(COSTS)), st.floats(0.01, 0.999))
def test_who_has_the_target_is_ahead_and_among_those_the_smaller(
    accuracy: float, cost: Cost, other_accuracy: float, other: Cost, minimize: str, target: float
) -> None:
    goal, budget = Goal(minimize, target), Budget(20_000)
    one, two = goal.value(accuracy, cost, budget), goal.value(other_accuracy, other, budget)
    assert 0 <= one <= 1
    if goal.reached(accuracy) and not goal.reached(other_accuracy):
        assert one > two
    elif goal.reached(accuracy) and goal.reached(other_accuracy):
        assert (one > two) == (getattr(cost, minimize) < getattr(other, minimize))
    elif not goal.reached(other_accuracy):
        assert (one > two) == (accuracy > other_accuracy)
    assert Goal().value(accuracy, cost, budget) == accuracy


@given(accuracies, costs, st.sampled_from(sorted(COSTS)), st.floats(0.01, 0.999))
def test_what_is_left_are_smaller_ones(accuracy: float, cost: Cost, minimize: str, target: float) -> None:
    budget = Budget(20_000, macs=20_000)
    left = Goal(minimize, target).tightened(budget, accuracy, cost)
    if accuracy < target:
        assert left == budget
    else:
        assert getattr(cost, minimize) == 1 or not left.admits(cost)
        assert all(limit >= left.limits[name] for name, limit in budget.limits.items())
    assert Goal().tightened(budget, accuracy, cost) == budget


@pytest.mark.slow
@pytest.mark.usefixtures("one_core")
def test_every_network_that_has_the_target_is_smaller_than_those_before(nas, tmp_path: Path) -> None:
    # Without pauses each is over before the next begins.
    options = (*SMALLEST, "--space", "budget_fill", "--target", "0.3", "--workers", "1", "--pruner", "none")
    first = nas("search", *options, "--trials", "4")
    assert first.returncode in (0, 3), first.stderr
    done = nas("search", *options, "--trials", "8", "--json")  # goes on with what the first one reached
    result = json.loads(done.stdout)
    trained = [record for record in table(tmp_path) if record.epochs]
    smallest = 3001
    for record in trained:
        assert record.cost is not None
        assert record.cost.params < smallest
        if record.finished and record.expected_accuracy >= 0.3:
            smallest = record.cost.params
    assert smallest <= 3000, "none has the target"
    assert done.returncode == 0
    assert result["best"][0]["params"] == smallest
    sizes = [row["params"] for row in result["best"] if row["validation_accuracy"] >= 0.3]
    assert sizes == sorted(sizes)


def finished(values: list[float]) -> optuna.trial.FrozenTrial:
    return create_trial(
        params={"x": 1}, distributions={"x": IntDistribution(0, 9)}, value=values[-1],
        intermediate_values=dict(enumerate(values, start=1)),
    )  # fmt: skip


def running(study: optuna.Study, values: list[float]) -> bool:
    trial = study.ask()
    for epoch, value in enumerate(values, start=1):
        trial.report(value, epoch)
    pruned = trial.should_prune()
    study.tell(trial, state=TrialState.PRUNED)
    return pruned


def test_small_networks_are_measured_by_those_that_had_the_target() -> None:
    study = optuna.create_study(direction="maximize", pruner=HalvingPruner(goal=Goal("params", 0.97)))
    for values in ([0.95, 0.97, 0.98], [0.96, 0.975, 0.985], [0.9, 0.95, 0.96]):
        study.add_trial(finished(values))
    # Worse than all of them, and still not hopeless: the worst that reached the target had 5 % of errors, then 3 %.
    assert not running(study, [0.93])
    assert not running(study, [0.93, 0.957])
    assert running(study, [0.92])
    assert running(study, [0.93, 0.95])
    plain = optuna.create_study(direction="maximize", pruner=HalvingPruner())
    plain.add_trials(study.get_trials()[:3])
    assert running(plain, [0.93]), "in a search for accuracy it is the worst"


@pytest.mark.slow
@pytest.mark.usefixtures("one_core")
def test_a_second_training_decides_whether_the_bar_is_set(nas, tmp_path: Path) -> None:
    done = nas("search", *SMALLEST, "--target", "0.25", "--trials", "5", "--workers", "1", "--json")
    finished = [record for record in table(tmp_path) if record.finished]
    twice = [record for record in finished if record.second_accuracy is not None]
    assert twice, done.stderr
    for record in finished:
        assert (record.second_accuracy is not None) == ((record.accuracy or 0) >= 0.25)
        if record.second_accuracy is not None:
            assert "with a second seed" in record.reason
            assert record.second_accuracy != record.accuracy, "with another seed"
    sure = [record for record in twice if record.expected_accuracy >= 0.25]
    best = json.loads(done.stdout)["best"][0]
    assert (done.returncode == 0) == bool(sure)
    if sure:
        assert best["params"] == min(record.cost.params for record in sure if record.cost)


def test_bad_input_is_one_line(nas) -> None:
    check_refused(nas("search", "--minimize", "params"), "minimize", "target")
    check_refused(nas("search", "--minimize", "layers", "--target", "0.9"), "minimize", "params, macs", "layers")


def test_the_goal_is_a_term_of_the_study(nas) -> None:
    options = ("search", *SMALLEST, "--trials", "1", "--study", "one")
    assert nas(*options, "--target", "0.1").returncode in (0, 3)
    check_refused(nas(*options, "--target", "0.2"), "target 0.2", "0.1")
    shown = nas("status").stdout
    assert "for the fewest parameters with 10.00 %" in shown
    assert "until" not in shown, "it does not stop at the target"


@given(accuracies, costs, st.sampled_from(sorted(COSTS)), st.integers(1, 999).map(lambda n: n / 1000))
def test_the_formula_that_is_shown_is_the_one_that_is_used(
    accuracy: float, cost: Cost, minimize: str, target: float
) -> None:
    goal, budget = Goal(minimize, target), Budget(20_000)
    formula = goal.formula(budget).replace(goal.noun, str(getattr(cost, minimize)))
    shown = eval(formula.replace("×", "*").replace(",", ""))
    assert shown == pytest.approx(goal.value(max(target, accuracy), cost, budget), abs=1e-5)
