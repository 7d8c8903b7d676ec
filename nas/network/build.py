"""From the layer list to an `nn.Module`."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from nas.network import modules
from nas.network.architecture import Architecture, Layer
from nas.network.kinds import Activation, Argument, BatchNorm, MaxPool, Part


class Chain(nn.Sequential):
    """Layers one after the other; what can be computed as one step is, once `joined`."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__(OrderedDict((layer.name, layer_module(layer)) for layer in layers))
        self._steps = steps(layers)
        self.joined = False

    def forward(self, values: Tensor) -> Tensor:
        """As torch's `Sequential`."""
        for step in self._steps:
            values = self._computed(step, values)
        return values

    def _computed(self, step: Sequence[str], values: Tensor) -> Tensor:
        first = self._modules[step[0]]
        if self.joined:
            from nas.network import fused  # loads a compiler: only where it is used

            is_norm = isinstance(first, nn.BatchNorm2d | modules.NormInTurn)
            if is_norm and len(step) > 1 and (self.training or not torch.is_grad_enabled()):
                return fused.norm_relu(values, first, pooled=len(step) > 2)
            if self.training and isinstance(first, nn.Dropout):
                return fused.dropout(values, first.p)
        for name in step:
            module = self._modules[name]
            assert module is not None
            values = module(values)
        return values


class Network(Chain):
    """An architecture built; it normalises its input itself, so that training and use cannot differ.

    Takes images `(n, channels, height, width)`, either `uint8` from 0 to 255 or floats from 0 to 1, and returns one
    score a class, `(n, n_classes)`. Layers have the names that the walk gave them.
    """

    def __init__(self, architecture: Architecture, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__(architecture.walk)
        # Not part of the state: the exported source states them.
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)
        self.mean: Tensor
        self.std: Tensor

    def forward(self, images: Tensor) -> Tensor:
        if images.dtype == torch.uint8:
            images = images / 255
        return super().forward((images - self.mean) / self.std)

    def join_layers(self) -> None:
        """From now on batch norm, ReLU and a max pool between them are one step: see `nas.network.fused`.

        Dropout is computed there too. For a network in CPU memory that trains with one thread. Where gradients of a
        network in evaluation mode are wanted, torch's layers compute them.
        """
        for module in self.modules():
            if isinstance(module, Chain):
                module.joined = True


def steps(layers: Sequence[Layer]) -> tuple[tuple[str, ...], ...]:
    """Names of the layers in the order in which they are computed; those that can be joined stand in one step.

    An activation that never falls comes after the max pool behind it. The result is the same to the last bit, gradients
    too, and the activation has a quarter of the numbers to go through.
    """
    in_order: list[tuple[str, ...]] = []
    rest = _with_activations_behind_pools(layers)
    while rest:
        n = _n_joined(rest)
        in_order.append(tuple(layer.name for layer in rest[:n]))
        rest = rest[n:]
    return tuple(in_order)


def _with_activations_behind_pools(layers: Sequence[Layer]) -> list[Layer]:
    order = list(layers)
    i = 0
    while i + 1 < len(order):
        function = order[i].spec
        if isinstance(order[i + 1].spec, MaxPool) and isinstance(function, Activation) and function.never_falls:
            order[i], order[i + 1] = order[i + 1], order[i]
            i += 1  # one pool is enough: behind it there is little left to save
        i += 1
    return order


def _n_joined(layers: Sequence[Layer]) -> int:
    """How many layers at the beginning are one step: batch norm of images, ReLU, and between them perhaps a pool."""
    if not isinstance(layers[0].spec, BatchNorm) or len(layers[0].input_shape) != 3:
        return 1
    specs = [layer.spec for layer in layers[1:3]]
    if specs[:1] == [Activation("relu")]:
        return 2
    return 3 if specs == [MaxPool(2), Activation("relu")] else 1


def layer_module(layer: Layer) -> nn.Module:
    """The torch module of one layer, with the chains of layers that it holds."""
    made = layer.constructor
    arguments = [_argument(each, layer) for each in made.arguments]
    module: nn.Module = getattr(nn if made.of_torch else modules, made.name)(*arguments, **made.options)
    return module


def _argument(argument: Argument, layer: Layer) -> Any:
    if isinstance(argument, tuple) and isinstance(argument[0], Part):
        return [_argument(each, layer) for each in argument]
    return Chain(layer.parts[argument.name]) if isinstance(argument, Part) else argument
