"""Searches played on a table, by benchmarks/simulate.py: in the world of the table's own candidates."""

import json
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, distribution_to_json

N_CANDIDATES, N_EPOCHS = 20, 4
BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
AXES = {"width": FloatDistribution(1.0, 8.0, log=True), "norm": CategoricalDistribution(["before", "after"])}


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Of candidates that are the better the wider they are; every fifth one was trained with two seeds."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from simulated.world import Table

    random, lines = Random(0), list[dict[str, Any]]()
    for number in range(N_CANDIDATES):
        params = {"width": random.uniform(1, 8), "norm": random.choice(["before", "after"])}
        for seed in range(2 if number % 5 == 0 else 1):
            best = 0.7 + 0.03 * params["width"] + random.gauss(0, 0.005)
            curve = [best - 0.3 / epoch for epoch in range(1, N_EPOCHS + 1)]
            cost = {"params": 100 + number, "macs": 1_000 * (1 + number)}
            lines.append({"candidate": number, "epochs": N_EPOCHS, "seed": seed, "params": params, "cost": cost})
            lines[-1] |= {"validation_accuracy": curve, "seconds": [1.0] * N_EPOCHS}
    axes = {name: json.loads(distribution_to_json(each)) for name, each in AXES.items()}
    settings = {"space": "widths", "epochs": N_EPOCHS, "distributions": axes}
    file = tmp_path / "table.jsonl"
    file.write_text("".join(json.dumps(each) + "\n" for each in [settings, *lines]))
    return Table.read(file)


def test_look_up_hands_out_each_candidate_once(table: Any) -> None:
    from simulated.world import LookUpWorld

    world, random = LookUpWorld(table), Random(1)
    shelf = world.shelf()
    wanted = table.params[7]
    taken = [shelf.take(wanted), *(shelf.take(world.axes.drawn(random)) for _ in range(N_CANDIDATES - 1))]
    assert taken[0] == wanted
    assert sorted(map(str, taken)) == sorted(map(str, table.params))
    assert shelf.is_empty
    assert shelf.take(wanted) is None
    assert world.shelf().take(wanted) == wanted  # another search


@pytest.mark.parametrize("name", ["learned, pausing", "tpe, halving", "one epoch, then the best"])
def test_a_search_trains_what_it_was_handed(table: Any, name: str) -> None:
    """No candidate twice, with its own costs told to its trial, and when all are trained it ends."""
    from simulated.playing import Extent, play
    from simulated.policies import POLICIES, Terms
    from simulated.world import LookUpWorld

    world, begun = LookUpWorld(table), list[Any]()
    policy = POLICIES[name].make(Terms(world, 400, seed=0))
    ask = policy.next

    def noting() -> Any:
        asked = ask()
        begun.append(asked)
        return asked

    policy.next = noting  # type: ignore[method-assign]
    play(policy, world, Extent(3, 1_000.0, 400), seed=0)
    new = [each for each in begun if hasattr(each, "params")]
    assert sorted(map(str, (dict(sorted(each.params.items())) for each in new))) == sorted(
        str(dict(sorted(params.items()))) for params in table.params
    )
    for each in new:
        assert each.handle is None or each.handle.user_attrs == world.cost(each.params)


def test_oracle_regrets_nothing(table: Any) -> None:
    from simulated.playing import Extent, play, regrets
    from simulated.policies import POLICIES, Terms
    from simulated.world import LookUpWorld

    world = LookUpWorld(table)
    history = play(POLICIES["oracle"].make(Terms(world, 40, seed=0)), world, Extent(2, 20.0, 40), seed=0)
    assert history.when == {"seconds": [N_EPOCHS], "epochs": [N_EPOCHS]}
    assert regrets([history], world, N_EPOCHS, "epochs") == pytest.approx([0.0])
    assert regrets([history], world, N_EPOCHS - 1, "epochs") == pytest.approx([100 * world.best])


def test_true_accuracies_are_drawn_towards_the_middle(table: Any) -> None:
    """The more the less is known of a candidate, and in the order of what was measured with one seed."""
    from simulated.world import LookUpWorld

    measured, random = table.accuracies[:, -1], np.random.default_rng(0)
    true = np.array([LookUpWorld(table).trained(params, random).true for params in table.params])
    once = [i for i, curves in enumerate(table.of_seeds) if len(curves) == 1]
    assert (np.argsort(true[once]) == np.argsort(measured[once])).all()
    assert true[once].max() < measured[once].max()
    assert true[once].min() > measured[once].min()


def test_processes_change_no_result(table: Any) -> None:
    from simulated.playing import Extent, play_all
    from simulated.world import LookUpWorld

    names, world, extent = ["tpe, hyperband", "random, halving"], LookUpWorld(table), Extent(1, 30.0, 30)
    one, two = (play_all(names, world, extent, 2, n_processes) for n_processes in (1, 2))
    assert one == two
    assert one["tpe, hyperband"][0] != one["tpe, hyperband"][1]
