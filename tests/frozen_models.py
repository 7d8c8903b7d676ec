"""Trained networks to export, without a training: what is carried over does not depend on how good it is."""

from dataclasses import replace
from typing import Any

import torch

from nas.datasets.framing import framing_of
from nas.export.frozen import FrozenModel, Provenance
from nas.network.architecture import Architecture
from nas.network.build import Network
from nas.network.kinds import (
    Activation,
    ActivationKind,
    AdaptiveAvgPool,
    AvgPool,
    BatchNorm,
    Conv,
    DepthwiseConv,
    Dropout,
    Dropout2d,
    Flatten,
    LayerSpec,
    Linear,
    MaxPool,
    gap_head,
)
from nas.training.recipe import Augmentation, Recipe

FUNCTIONS: tuple[ActivationKind, ...] = ("relu", "leaky_relu", "elu", "gelu", "silu", "hardswish")
N_IMAGES = 500
MEAN, STD = (0.1307,), (0.3081,)  # of MNIST
SHARPNESS = 10.0  # what scores of least squares, around 0 and 1, are worth as logarithms
PROVENANCE = Provenance(
    dataset="mnist",
    study="first",
    trial=7,
    seed=123,
    validation_accuracy=0.25,
    n_train=50_000,
    n_validation=N_IMAGES,
    split_seed=0,
    epochs=20,
    versions="nas 0.1.0, torch 2.13.0, Python 3.11.7",
    precision="bfloat16",
    device="cpu",
    threads=1,
)


def conv(channels: int, kernel: int = 3, padding: int = 0) -> tuple[LayerSpec, ...]:
    return Conv(channels, kernel, padding=padding), BatchNorm(), Activation()


B5 = Architecture(
    (1, 28, 28),
    10,
    (
        *(*conv(16, padding=1), *conv(20), MaxPool(), Dropout(0.05)),
        *(*conv(28), *conv(36), MaxPool(), Dropout(0.1)),
        *(*conv(48, 1), *gap_head(10, dropout=0.15)),
    ),
)
TINY = Architecture(
    (1, 28, 28), 10, (Conv(4, 5, stride=3), BatchNorm(), Activation(), MaxPool(), Flatten(), Linear(10))
)
EVERYTHING = Architecture(
    (2, 13, 11),
    3,
    (
        *(Conv(4, 3, 2, 1, groups=2, bias=False), BatchNorm(affine=False), Activation("leaky_relu")),
        *(DepthwiseConv(3, 1, 1, bias=False), Activation("elu"), Dropout2d(0.25), MaxPool(3, 1, 1), BatchNorm()),
        *(AvgPool(2, 1), Activation("gelu"), DepthwiseConv(2), Activation("silu"), Conv(6, 1), Activation("hardswish")),
        *(AdaptiveAvgPool(2), Dropout(), Flatten(), Linear(5, bias=False), BatchNorm(), Activation(), Linear(3)),
    ),
)


def with_other_numbers(network: Network, seed: int = 0) -> Network:
    """Untrained, but with no number left at its initial value: batch norm's would hide what is not carried over."""
    generator = torch.Generator().manual_seed(seed)
    for name, values in network.state_dict().items():
        if values.is_floating_point():
            values.copy_(0.2 + 0.6 * torch.rand(values.shape, generator=generator))
            if values.ndim > 1 and "running" not in name:  # a variance is above 0
                values.sub_(0.5)
    return network.eval()


def frozen(architecture: Architecture, **changes: Any) -> FrozenModel:
    channels = architecture.input_shape[0]
    mean, std = (0.1307, 0.25, 0.375, 0.5)[:channels], (0.3081, 0.5, 0.1, 0.2)[:channels]
    parts = {
        "architecture": architecture,
        "recipe": Recipe(epochs=20, optimizer="sgd", schedule="onecycle", augmentation=Augmentation(rotation=5)),
        "mean": mean,
        "std": std,
        "classes": tuple(f"class {i}" for i in range(architecture.n_classes)),
        "state": with_other_numbers(Network(architecture, mean, std)).state_dict(),
        "provenance": PROVENANCE,
    }
    return FrozenModel(**(parts | changes))


def with_weights_of(model: FrozenModel, weight_bits: int) -> FrozenModel:
    """The same network, as one that was trained for whole numbers with weights of so many bits."""
    return replace(model, recipe=replace(model.recipe, quantised=True, weight_bits=weight_bits))


def solved(images: torch.Tensor, labels: torch.Tensor) -> FrozenModel:
    """A network that knows digits without a training: filters of noise, and the last layer that fits these best (ridge
    regression; Jarrett et al. 2009, "What is the Best Multi-Stage Architecture for Object Recognition?", section 3).
    """
    torch.manual_seed(0)
    architecture = Architecture((1, 28, 28), 10, (Conv(64, 7), Activation(), AvgPool(4, 3), Flatten(), Linear(10)))
    network = Network(architecture, MEAN, STD).eval()
    *before, last = list(network.children())
    with torch.no_grad():
        features = torch.nn.Sequential(*before)((images / 255 - network.mean) / network.std).double()
        mean = features.mean(0)
        centred, wanted = features - mean, torch.eye(10)[labels].double()
        penalty = torch.eye(len(mean)) * centred.square().sum(0).mean() * 0.01
        weights = torch.linalg.solve(centred.T @ centred + penalty, centred.T @ (wanted - wanted.mean(0))).T
        last.weight.copy_(SHARPNESS * weights)
        last.bias.copy_(SHARPNESS * (wanted.mean(0) - weights @ mean))
    return frozen(
        architecture,
        mean=MEAN,
        std=STD,
        framing=framing_of(images),
        classes=tuple("0123456789"),
        state=network.state_dict(),
        provenance=replace(PROVENANCE, fingerprint="of some", n_train=len(images)),
    )


def network_of(model: FrozenModel) -> Network:
    """Built from the parts, not by the code under test."""
    network = Network(model.architecture, model.mean, model.std)
    network.load_state_dict(dict(model.state))
    return network.eval()


def measured(architecture: Architecture) -> tuple[FrozenModel, torch.Tensor, torch.Tensor]:
    """A model with images that it was measured on: labels are what it says for one in four."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (500, *architecture.input_shape), generator=generator, dtype=torch.uint8)
    model = frozen(architecture)
    with torch.no_grad():
        labels = model.network()(images).argmax(1)
    n_wrong = len(labels) - round(model.provenance.validation_accuracy * len(labels))
    labels[:n_wrong] = (labels[:n_wrong] + 1) % architecture.n_classes
    return model, images, labels
