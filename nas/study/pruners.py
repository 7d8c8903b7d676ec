"""Who stops hopeless trainings early, by name. A new pruner is a function here, and its line in `PRUNERS`."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from nas.errors import InputError, nearest
from nas.study.goal import Goal

if TYPE_CHECKING:  # the names alone are quickly there: whoever presses TAB waits for them
    from optuna.pruners import BasePruner


def _pausing(epochs: int, goal: Goal, until_target: bool) -> "BasePruner":
    """nas's own `PausingPruner`: at epochs 1, 3, 9, ... the best third goes on; others may, later."""
    from nas.study.pausing import PausingPruner

    return PausingPruner(epochs, goal=goal, until_target=until_target)


def _halving(epochs: int, goal: Goal, until_target: bool) -> "BasePruner":
    """nas's own `HalvingPruner`: the same, but what was stopped has ended."""
    from nas.study.halving import HalvingPruner

    return HalvingPruner(goal=goal)


def _hyperband(epochs: int, goal: Goal, until_target: bool) -> "BasePruner":
    """Several such races beside each other, each with a later first rung."""
    from optuna.pruners import HyperbandPruner

    return HyperbandPruner(min_resource=1, max_resource=epochs, reduction_factor=3)


def _median(epochs: int, goal: Goal, until_target: bool) -> "BasePruner":
    from optuna.pruners import MedianPruner

    return MedianPruner(n_startup_trials=5, n_warmup_steps=1)


def _none(epochs: int, goal: Goal, until_target: bool) -> "BasePruner":
    from optuna.pruners import NopPruner

    return NopPruner()


PRUNERS: Mapping[str, Callable[[int, Goal, bool], "BasePruner"]] = {
    "pausing": _pausing,
    "halving": _halving,
    "hyperband": _hyperband,
    "median": _median,
    "none": _none,
}


def make_pruner(
    name: str,
    epochs: int,
    goal: Goal = Goal(),  # noqa: B008 - it is frozen
    until_target: bool = False,
) -> "BasePruner":
    """The pruner of a name, for trainings of so many epochs; raises `InputError`.

    `until_target`: the search ends with the first network that has a certain accuracy.
    """
    check_pruner(name)
    return PRUNERS[name](epochs, goal, until_target)


def check_pruner(name: str) -> None:
    """Raises `InputError` unless there is a pruner of that name."""
    if name not in PRUNERS:
        raise InputError(f"pruner must be one of {', '.join(PRUNERS)}, but got {name!r}{nearest(name, PRUNERS)}")
