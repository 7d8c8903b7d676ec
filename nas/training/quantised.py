"""Training for whole numbers: when a network is measured in them, and when it learns as if it were computed in them.

Who computes them is not known here: an export that has them (`nas.export.c.learning`) is handed to the training.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

from torch import Tensor

from nas.network.architecture import Architecture
from nas.network.build import Network
from nas.training.recipe import Recipe

SHARE = 0.3  # of the epochs, at the end, that may be trained so


class Calibration(Protocol):
    """What whole numbers need of a data set; `nas.datasets.Split` is one.

    `calibration_images` (uint8) show the ranges of activations; mean and std normalise images, one number a channel.
    """

    @property
    def mean(self) -> tuple[float, ...]: ...
    @property
    def std(self) -> tuple[float, ...]: ...
    @property
    def calibration_images(self) -> Tensor: ...


class Quantiser(Protocol):
    """Computes networks in whole numbers."""

    @property
    def most_loss(self) -> float:
        """What whole numbers may cost, a fraction of the images, before the training minds it."""
        ...

    def scores(self, architecture: Architecture, network: Network, data: Calibration, images: Tensor) -> Tensor:
        """What the network gives in whole numbers for images (uint8): float32, `(n, n_classes)`, on the CPU."""
        ...

    def simulation(self, architecture: Architecture, network: Network, data: Calibration) -> Callable[[Tensor], Tensor]:
        """The network as if computed in whole numbers, from images between 0 and 1 to scores, with gradients."""
        ...


def n_last_epochs(recipe: Recipe) -> int:
    """How many epochs at the end may be trained so; none of a single one, which must learn first."""
    return min(recipe.epochs - 1, max(1, round(SHARE * recipe.epochs)))


def is_measured(recipe: Recipe, epoch: int) -> bool:
    """Whether the figures of an epoch, counted from 1, are those of whole numbers.

    They are from the epoch before the last ones on, since what they cost decides what comes next.
    """
    return recipe.quantised and epoch >= recipe.epochs - n_last_epochs(recipe)


def is_simulated(losses: Iterable[float | None], most_loss: float) -> bool:
    """Whether the epoch after those that lost so much is trained as if in whole numbers: once it was too much, to the
    end. None: not measured.
    """
    return any(loss is not None and loss > most_loss for loss in losses)
