"""What a search is for, what it tries, and the widest network that a budget admits."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import sqrt

from nas.network.architecture import Architecture, digest_of
from nas.network.cost import Budget, cost_of
from nas.network.kinds import Shape
from nas.training.recipe import Recipe


@dataclass(frozen=True)
class Task:
    """What a search is for: all of it is fixed for the whole study, so ranges may depend on it."""

    image_shape: Shape  # (channels, height, width)
    n_classes: int  # scores that a network must end with
    epochs: int  # of a training
    budget: Budget  # limits that a network must meet
    teacher: bool = False  # whether there is one, so that recipes may have a teacher_weight


@dataclass(frozen=True)
class Candidate:
    """An architecture with the recipe to train it. Raises `InputError` where the recipe does not suit its images."""

    architecture: Architecture  # the network
    recipe: Recipe  # how it is trained

    def __post_init__(self) -> None:
        self.recipe.augmentation.check_channels(self.architecture.input_shape[0])

    @property
    def digest(self) -> str:
        """The same for two candidates exactly if the same network would be trained in the same way."""
        recipe = self.recipe.effective()
        if not any(spec.drops for spec in self.architecture.layers):
            recipe = replace(recipe, dropout_schedule="constant")
        return digest_of({"architecture": self.architecture.to_dict(), "recipe": recipe.to_dict()})


def widest(build: Callable[[float], Architecture], budget: Budget) -> Architecture:
    """The architecture with the largest factor that meets the budget, for a `build` that gets dearer with its factor.

    `build(1.0)` where the budget has no limit; one that is over the budget, to be rejected, where nothing meets it.
    """
    if not budget.limits:
        return build(1.0)
    low, high = 1 / 64, 64.0
    best = build(low)
    if not budget.admits(cost_of(best, budget)):
        return best
    for _ in range(16):  # halves the factor's range, in its logarithm, each time
        middle = sqrt(low * high)
        architecture = build(middle)
        if budget.admits(cost_of(architecture, budget)):
            best, low = architecture, middle
        else:
            high = middle
    return best
