"""`nas check` tells before a search what it would meet; nothing is trained, nothing is written."""

import inspect
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from test_cli import check_refused
from test_probe import trade_off

from nas.network.cost import Budget, cost_of
from nas.searching.forecast import check, halved_epochs
from nas.space import finding as space
from nas.space.candidate import Task
from nas.space.probing import feasible_share, smallest_cost

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.slow
@pytest.mark.parametrize("name", space.names())
@pytest.mark.parametrize("budget", [2_000, 20_000])
def test_figures_are_those_of_random_candidates(name: str, budget: int) -> None:
    task = Task((1, 28, 28), 10, 20, Budget(budget))
    found = check(space.load(name), task)
    assert found.feasible_share == feasible_share(space.load(name), task)
    assert found.smallest.params <= smallest_cost(space.load(name), task, "params").params
    counts = [cost_of(candidate.architecture).params for candidate in found.feasible]
    assert found.smallest.params <= min(counts)
    assert max(counts) <= min(budget, found.largest)
    assert sum(found.shares().values()) == pytest.approx(1, abs=0.03)
    kind, how_often, share = found.dearest()
    assert kind in found.shares()
    assert 1 / len(found.shares()) <= how_often <= 1
    assert 0 < share <= 1
    macs = sorted(cost_of(candidate.architecture).macs for candidate in found.feasible)
    assert cost_of(found.typical.architecture).macs == macs[len(macs) // 2]


@pytest.mark.parametrize(
    ("epochs", "wanted"), [(1, 1), (3, 1 + 2 / 3), (9, 1 + 2 / 3 + 6 / 9), (20, 1 + 2 / 3 + 6 / 9 + 11 / 27)]
)
def test_halving_trains_a_third_on_at_each_rung(epochs: int, wanted: float) -> None:
    assert halved_epochs(epochs) == pytest.approx(wanted)


def test_it_says_what_it_found_and_writes_nothing(nas: Run, tmp_path: Path) -> None:
    done = nas("check", "--space", "tiny", "--budget", "4k", "--epochs", "2", "--trials", "6")
    assert done.returncode == 0, done.stderr
    for text in ("under 4,000 parameters", "of random candidates are feasible", "Smallest candidate:", "What eats"):
        assert text in done.stdout
    assert "An epoch of a typical candidate" in done.stdout
    assert "A search of 6 candidates and 2 epochs" in done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--budget", "5"], ["smallest", "params", "raise the budget"]),
        (["--max-memory", "10"], ["smallest", "memory"]),
        (["--space", "documentd"], ["did you mean 'documented'?"]),
        (["--trials", "0"], ["trials", "above 0"]),
    ],
)
def test_a_budget_that_cannot_be_met_is_explained(nas: Run, options: list[str], words: list[str]) -> None:
    check_refused(nas("check", *options), *words)


def test_limits_that_cannot_be_met_together_are_explained_and_nothing_begins(nas: Run, tmp_path: Path) -> None:
    imports = "from nas import *\n"
    source = inspect.getsource(trade_off).replace("def trade_off", "def suggest")
    (tmp_path / "mine.py").write_text(imports + source)
    limits = ("--space", "mine.py", "--budget", "1700", "--max-macs")
    for command in ("check", "search"):
        check_refused(
            nas(command, *limits, "70k"), "1,700 parameters, 70,000 MACs together", "nearest", "raise a limit"
        )
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]
    done = nas("check", *limits, "85k")
    assert done.returncode == 0, done.stderr
    assert "0.0 % of random candidates are feasible. There is one that is" in done.stdout
    assert "next to nothing" not in done.stdout
