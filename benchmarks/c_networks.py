"""Networks on which exported C is measured, in whole numbers: untrained, since weights decide no loop."""

from dataclasses import dataclass, replace

import torch
from optuna.trial import FixedTrial
from torch import Tensor

from nas import (
    Activation,
    AdaptiveAvgPool,
    Architecture,
    BatchNorm,
    Budget,
    Conv,
    Flatten,
    LayerSpec,
    Linear,
    MaxPool,
    Recipe,
    Task,
    datasets,
    gap_head,
)
from nas.export.c.program import Program
from nas.export.c.quantise import quantise
from nas.export.frozen import FrozenModel, Provenance
from nas.network.build import Network
from nas.space import finding

N_CALIBRATION = 500
MICRO = {  # a network of separable convolutions of the space for such budgets
    **{"first": "3 strided", "block": "separable", "stage2": 2, "stage3": 2, "repeats": 1, "growth": 1.6},
    **{"between": "strided", "head": "average", "function": "relu", "lr": 0.1, "batch_size": 64, "distortion": 0.5},
}


@dataclass(frozen=True, eq=False)
class Measured:
    """A network and 100 images of the data set; others it was calibrated on."""

    name: str
    model: FrozenModel
    program: Program
    images: Tensor
    calibration: Tensor

    def in_four_bits(self) -> "Measured":
        """The same one with weights of 4 bits."""
        model = replace(self.model, recipe=replace(self.model.recipe, quantised=True, weight_bits=4))
        return replace(self, model=model, program=quantise(model, self.calibration))


def conv(channels: int, kernel: int = 3, padding: int = 0, bias: bool = False) -> tuple[LayerSpec, ...]:
    return Conv(channels, kernel, padding=padding, bias=bias), BatchNorm(), Activation()


B5 = Architecture(
    (1, 28, 28),
    10,
    (
        *(*conv(16, padding=1, bias=True), *conv(20, bias=True), MaxPool()),
        *(*conv(28, bias=True), *conv(36, bias=True), MaxPool(), *conv(48, 1, bias=True)),
        *gap_head(10),
    ),
)
WINNER = Architecture(  # what the README's search finds
    (1, 28, 28),
    10,
    (
        *(*conv(13, 5, 2), *conv(14), MaxPool(), *conv(19, padding=1), *conv(19), *conv(19), *conv(19), MaxPool()),
        *(*conv(17, padding=1), AdaptiveAvgPool(3), Flatten(), Linear(10)),
    ),
)


def architectures() -> dict[str, Architecture]:
    """By name, with as many parameters as it says."""
    task = Task((1, 28, 28), 10, 1, Budget(2000))
    micro = finding.load("micro").suggest(FixedTrial(MICRO), task).architecture
    return {"B5": B5, "winner of budget_fill": WINNER, "micro, separable": micro}


def measured(name: str, architecture: Architecture, images: Tensor) -> Measured:
    """The network with fresh weights, calibrated on the first images; the last 100 are to be classified."""
    torch.manual_seed(0)
    mean, std = (0.1307,), (0.3081,)
    network = Network(architecture, mean, std)
    network.train()(images[:N_CALIBRATION])  # batch norm's statistics
    model = FrozenModel(
        architecture=architecture,
        recipe=Recipe(epochs=1),
        mean=mean,
        std=std,
        classes=tuple(map(str, range(10))),
        state=network.eval().state_dict(),
        provenance=Provenance(
            **{"dataset": "mnist", "study": "none", "trial": 0, "seed": 0, "validation_accuracy": 0.1, "n_train": 1},
            **{"n_validation": 100, "split_seed": 0, "epochs": 1, "versions": "", "precision": "float32"},
            **{"device": "cpu", "threads": 1},
        ),
    )
    calibration = images[:N_CALIBRATION]
    return Measured(name, model, quantise(model, calibration), images[-100:], calibration)


def all_measured() -> list[Measured]:
    """Each of them, with images of MNIST."""
    images = datasets.load("mnist").images[: N_CALIBRATION + 100]
    return [measured(name, architecture, images) for name, architecture in architectures().items()]
