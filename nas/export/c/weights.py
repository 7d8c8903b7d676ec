"""Layers that are a convolution in C: their weights, with what follows folded into them, in 8 bits or in 4."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from nas.export.c.operations import LEVELS, WEIGHT_BITS, Coding, Convolution, Scaling
from nas.network.architecture import Layer
from nas.network.blocks import ChannelScale
from nas.network.kinds import BatchNorm, Conv, DepthwiseConv, LayerSpec, Linear

LARGEST_SUM = 2**30  # half of what 32 bits hold: the other half is for roundings


@dataclass(frozen=True, eq=False)
class Weights:
    """Weights `(out, in / groups, height, width)` and bias `(out,)`, in float64."""

    weights: Tensor
    bias: Tensor
    stride: int = 1
    padding: tuple[int, int] = (0, 0)
    dilation: int = 1
    groups: int = 1
    bits: int = WEIGHT_BITS  # of a weight in whole numbers

    @property
    def largest(self) -> int:
        """Weights in whole numbers are from minus this to this."""
        return int(2 ** (self.bits - 1)) - 1

    def scaled(self, factor: Tensor, shift: Tensor) -> "Weights":
        """With each output channel times `factor`, plus `shift`."""
        return replace(self, weights=self.weights * factor.view(-1, 1, 1, 1), bias=self.bias * factor + shift)


def convolution(
    name: str,
    weights: Weights,
    shapes: tuple[tuple[int, int, int], tuple[int, int, int]],
    codings: tuple[Coding, Coding | None],
    *,
    before: Coding | None,
    table: tuple[int, ...] | None = None,
    uses: "Sequence[Use]" = (),
    shared: str | None = None,
) -> Convolution:
    """The operation, from the coding of its input to that of its output.

    `uses`: all that are made of the same weights, this one among them, if it is not the only one; the weights in whole
    numbers are the same for all. `shared`: what they are called.
    """
    coding, output = codings
    numbers, scales = in_whole_numbers(weights, coding, uses)
    sums = scales * coding.scale  # what 1 in a sum stands for
    return Convolution(
        name,
        *shapes,
        coding,
        output,
        kernel=(weights.weights.shape[2], weights.weights.shape[3]),
        stride=weights.stride,
        padding=weights.padding,
        dilation=weights.dilation,
        groups=weights.groups,
        shared=shared or name,
        weights=numbers.to(torch.int8),
        bias=(weights.bias / sums).round().to(torch.int32),
        before=before,
        scalings=tuple(Scaling.of(each / before.scale) for each in sums.tolist()) if before is not None else (),
        scales=sums.float(),
        table=table,
        weight_bits=weights.bits,
    )


class Use(NamedTuple):
    """One use of weights: with what is folded in for that time, and the coding of its input."""

    weights: Weights
    coding: Coding


def in_whole_numbers(weights: Weights, coding: Coding, uses: "Sequence[Use]" = ()) -> tuple[Tensor, Tensor]:
    """Weights as whole numbers, and their scales, one an output channel; `uses` as for `convolution`."""
    if len(uses) < 2:
        scales = _scales(weights, coding)
        return (weights.weights / scales.view(-1, 1, 1, 1)).round(), scales
    stored = uses[0].weights
    return (stored.weights / _shared_scales(stored, uses).view(-1, 1, 1, 1)).round(), _shared_scales(weights, uses)


def rounded(weights: Weights, coding: Coding, factor: Tensor | None = None, uses: "Sequence[Use]" = ()) -> Tensor:
    """What the whole numbers of weights stand for, as a change of them that has no gradient.

    So their sum has the values of the one and the gradient of the other: a straight-through estimator (Bengio et al.
    2013, arXiv 1308.3432). With the `factor` a channel of what is folded into them, it is a change of the weights
    before that; where the factor is 0, and nothing of them is left, they stay.
    """
    with torch.no_grad():
        numbers, scales = in_whole_numbers(weights, coding, uses)
        change: Tensor = numbers * scales.view(-1, 1, 1, 1) - weights.weights
        if factor is None:
            return change
        factors = factor.view(-1, 1, 1, 1)
        unfolded: Tensor = torch.where(factors == 0, 0.0, change / torch.where(factors == 0, 1.0, factors))
        return unfolded


def _shared_scales(weights: Weights, uses: Sequence[Use]) -> Tensor:
    """Those that make the same numbers of the weights in all uses: what is folded in scales a channel, and they too."""
    scales = torch.stack([_scales(*use) for use in uses])
    least = torch.stack([_least_scales(use.weights) for use in uses])
    own = _least_scales(weights)
    return torch.where(own > 0, (scales / least).amax(0) * own, scales.amax(0))


def _least_scales(weights: Weights) -> Tensor:
    """Those that make the largest weight of each output channel the largest number there is."""
    return weights.weights.abs().flatten(1).amax(1) / weights.largest


def _scales(weights: Weights, coding: Coding) -> Tensor:
    """One an output channel: as small as the weights allow, as large as the sums need to stay within 32 bits."""
    sizes = weights.weights.abs().flatten(1)
    span = max(coding.zero, LEVELS - coding.zero)
    for_weights = _least_scales(weights)
    for_sums = (sizes.sum(1) * span + weights.bias.abs() / coding.scale) / LARGEST_SUM
    scales = torch.maximum(for_weights, for_sums)
    return torch.where(scales > 0, scales, 1.0)


def folded(layers: Sequence[Layer], modules: Sequence[Any], bits: int = WEIGHT_BITS) -> Weights:
    """The weights of the first of these layers, with those behind it folded in; each with its module.

    A batch norm in turn is folded in with the statistics of the time at which it is. `bits`: see `Weights`.
    """
    weights = replace(WEIGHTED[type(layers[0].spec)](layers[0], modules[0]), bits=bits)
    for layer, module in zip(layers[1:], modules[1:], strict=True):
        weights = weights.scaled(*FOLDED[type(layer.spec)](module))
    return weights


def folded_factor(layers: Sequence[Layer], modules: Sequence[Any]) -> Tensor | None:
    """What each output channel of the first of these layers is multiplied with by those behind it; None if by none."""
    factors = [FOLDED[type(layer.spec)](module)[0] for layer, module in zip(layers[1:], modules[1:], strict=True)]
    return torch.stack(factors).prod(0) if factors else None


def _of_convolution(layer: Layer, module: Any) -> Weights:
    bias = _bias(layer, module)
    return Weights(module.weight, bias, module.stride[0], module.padding, module.dilation[0], module.groups)


def _of_linear(layer: Layer, module: Any) -> Weights:
    return Weights(module.weight[:, :, None, None], _bias(layer, module))


def _bias(layer: Layer, module: Any) -> Tensor:
    bias: Tensor = module.bias if module.bias is not None else module.weight.new_zeros(layer.output_shape[0])
    return bias


def _by_itself(layer: Layer, module: Any) -> Weights:
    """What can be folded in, where there is nothing to fold it into: each channel times 1, with it folded in."""
    channels = layer.output_shape[0]
    ones = Weights(torch.ones(channels, 1, 1, 1).double(), torch.zeros(channels).double(), groups=channels)
    return ones.scaled(*FOLDED[type(layer.spec)](module))


def _norm(module: Any) -> tuple[Tensor, Tensor]:
    time = tuple(getattr(module, "turn", ()))
    factor = (module.running_var[time] + module.eps).rsqrt()
    if module.weight is not None:
        factor = factor * module.weight
    shift = -module.running_mean[time] * factor
    return factor, shift if module.bias is None else shift + module.bias


def _channel_scale(module: Any) -> tuple[Tensor, Tensor]:
    factor = module.scale.flatten()
    return factor, torch.zeros_like(factor)


# Kinds that are a factor and a shift a channel, and are folded into the weights before them, if there are any.
FOLDED: Mapping[type[LayerSpec], Callable[[Any], tuple[Tensor, Tensor]]] = {
    BatchNorm: _norm,
    ChannelScale: _channel_scale,
}
# Kinds that are a convolution, with what reads their weights.
WEIGHTED: Mapping[type[LayerSpec], Callable[[Layer, Any], Weights]] = {
    Conv: _of_convolution,
    DepthwiseConv: _of_convolution,
    Linear: _of_linear,
    **dict.fromkeys(FOLDED, _by_itself),
}
