"""The documented space holds every documented iteration, with its structure and its exact count."""

import pytest
from documented_iterations import ALL, Iteration
from optuna.trial import FixedTrial

from nas.network.architecture import Architecture
from nas.network.build import Network
from nas.network.cost import cost_of
from nas.network.kinds import Conv, Linear
from nas.space import finding as space
from nas.space.candidate import Candidate


def replay(iteration: Iteration) -> tuple[Candidate, FixedTrial]:
    """A value outside its range is a warning of Optuna's, and warnings are errors."""
    trial = FixedTrial(iteration.params)
    return space.load("documented").suggest(trial, iteration.task), trial


def structure_of(architecture: Architecture) -> str:
    """Every layer in order, in the notation of documented_iterations."""
    text = ", ".join(spec.describe() for spec in architecture.layers)
    for long, short in {
        ", batch norm (not affine), relu, ": " |p ",
        ", batch norm, relu, ": " | ",
        ", relu, ": " · ",
    }.items():
        text = text.replace(long, short)
    return text


@pytest.mark.parametrize("iteration", ALL, ids=str)
def test_a_documented_iteration_has_its_count(iteration: Iteration) -> None:
    architecture = replay(iteration)[0].architecture
    assert cost_of(architecture).params == iteration.counted
    assert sum(p.numel() for p in Network(architecture, (0.1307,), (0.3081,)).parameters()) == iteration.counted


@pytest.mark.parametrize("iteration", ALL, ids=str)
def test_a_documented_iteration_has_its_structure(iteration: Iteration) -> None:
    architecture = replay(iteration)[0].architecture
    assert structure_of(architecture) == iteration.structure
    assert all(spec.bias for spec in architecture.layers if isinstance(spec, Conv | Linear))


@pytest.mark.parametrize("iteration", ALL, ids=str)
def test_a_documented_iteration_has_its_recipe(iteration: Iteration) -> None:
    recipe = replay(iteration)[0].recipe
    assert {name: vars(recipe)[name] for name in iteration.recipe} == iteration.recipe
    assert recipe.epochs == iteration.epochs


@pytest.mark.parametrize("iteration", ALL, ids=str)
def test_the_parameters_of_an_iteration_are_the_axes_of_the_space(iteration: Iteration) -> None:
    """Not one more, which nothing would read, and not one fewer: every trial suggests them all."""
    assert replay(iteration)[1].params == iteration.params


def test_all_fifteen_are_there_and_three_counts_differ_from_the_documents() -> None:
    assert {iteration.name.removesuffix("-plain") for iteration in ALL} == {
        *(f"A{i}" for i in range(1, 11)),
        *(f"B{i}" for i in range(1, 6)),
    }
    differing = {i.name: (i.documented, i.counted) for i in ALL if i.documented != i.counted}
    assert differing == {"A9": (24_498, 24_706), "A10": (24_498, 24_706), "B4": (26_202, 26_870)}


def test_iterations_that_only_train_otherwise_have_the_same_network() -> None:
    digests = {iteration.name: replay(iteration)[0].architecture.digest for iteration in ALL}
    same = [{"A2", "A3"}, {"A6", "A7", "A8"}, {"B1", "B2"}]
    groups = [{name for name in digests if digests[name] == digest} for digest in set(digests.values())]
    assert sorted(map(sorted, (group for group in groups if len(group) > 1))) == sorted(map(sorted, same))
    assert len({replay(iteration)[0].digest for iteration in ALL}) == len(ALL)
