"""From the layer list to an `nn.Module`."""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nas.architecture import (
    Activation,
    AdaptiveAvgPool,
    Architecture,
    AvgPool,
    BatchNorm,
    Conv,
    DepthwiseConv,
    Dropout,
    Dropout2d,
    Flatten,
    Layer,
    LayerSpec,
    Linear,
    MaxPool,
)

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "hardswish": nn.Hardswish,
}


class Network(nn.Sequential):
    """An architecture built; it normalises its input itself, so that training and use cannot differ.

    Takes images `(n, channels, height, width)`, either `uint8` from 0 to 255 or floats from 0 to 1, and returns one
    score a class, `(n, n_classes)`. Layers have the names that the walk gave them.
    """

    def __init__(self, architecture: Architecture, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__(OrderedDict((layer.name, layer_module(layer)) for layer in architecture.walk))
        self._order = execution_order(architecture.walk)
        # Not part of the state: the exported source states them.
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)
        self.mean: Tensor
        self.std: Tensor

    def forward(self, images: Tensor) -> Tensor:
        if images.dtype == torch.uint8:
            images = images / 255
        values = (images - self.mean) / self.std
        for name in self._order:
            values = getattr(self, name)(values)
        return values


def execution_order(layers: Sequence[Layer]) -> tuple[str, ...]:
    """Names of the layers as they are computed: an activation after the max pools that follow it.

    For an activation that never falls the result is the same to the last bit, gradients too, and the activation has a
    quarter of the numbers to go through.
    """
    order: list[Layer] = []
    for layer in layers:
        place = len(order)
        while isinstance(layer.spec, MaxPool) and place and _never_falls(order[place - 1].spec):
            place -= 1
        order.insert(place, layer)
    return tuple(layer.name for layer in order)


def _never_falls(spec: LayerSpec) -> bool:
    return isinstance(spec, Activation) and spec.function in ("relu", "leaky_relu")


def layer_module(layer: Layer) -> nn.Module:
    """The torch module of one layer."""
    channels = layer.input_shape[0]
    match layer.spec:
        case Conv(out, kernel, stride, padding, groups, bias):
            return nn.Conv2d(channels, out, kernel, stride, padding, groups=groups, bias=bias)
        case DepthwiseConv(kernel, stride, padding, bias):
            return nn.Conv2d(channels, channels, kernel, stride, padding, groups=channels, bias=bias)
        case BatchNorm(affine):
            return (nn.BatchNorm2d if len(layer.input_shape) == 3 else nn.BatchNorm1d)(channels, affine=affine)
        case Activation(function):
            return ACTIVATIONS[function]()
        case MaxPool(kernel, _, padding) as pool:
            return nn.MaxPool2d(kernel, pool.step, padding)
        case AvgPool(kernel, _, padding) as pool:
            return nn.AvgPool2d(kernel, pool.step, padding)
        case AdaptiveAvgPool(size):
            return nn.AdaptiveAvgPool2d(size)
        case Dropout(rate):
            return nn.Dropout(rate)
        case Dropout2d(rate):
            return nn.Dropout2d(rate)
        case Flatten():
            return nn.Flatten()
        case Linear(features, bias):
            return nn.Linear(channels, features, bias=bias)
    raise TypeError(f"no torch module for {layer.spec!r}")
