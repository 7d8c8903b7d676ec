"""From a trained network to whole numbers: layers joined, batch norm folded, ranges taken from training images."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from nas.errors import ExportError
from nas.export.c.operations import (
    LEVELS,
    MEAN_STEPS,
    MOST_NUMBERS,
    Average,
    Coding,
    Convolution,
    Lookup,
    Maximum,
    Operation,
    Program,
    Scaling,
    Scores,
)
from nas.export.frozen import FrozenModel
from nas.network.architecture import Layer
from nas.network.build import Network
from nas.network.kinds import (
    Activation,
    AdaptiveAvgPool,
    AvgPool,
    BatchNorm,
    Conv,
    DepthwiseConv,
    LayerSpec,
    Linear,
    MaxPool,
    Shape,
)

N_CALIBRATION = 2000
LARGEST_WEIGHT = 127
LARGEST_SUM = 2**30  # half of what 32 bits hold: the other half is for roundings

Ranges = dict[str, tuple[float, float]]  # of what each layer puts out


def quantise(model: FrozenModel, images: Tensor) -> Program:
    """The network in whole numbers. `images` (uint8, `(n, channels, height, width)`) must be ones it was trained on."""
    network = model.network().double()  # so that the ranges are those of any machine, to the digits that are stored
    if not all(values.isfinite().all() for values in network.state_dict().values()):
        raise ExportError("only a network of finite weights can be written in 8 bits, but this one has others")
    with torch.no_grad():
        return Program(
            tuple(_operations(model, network, _ranges(model, network, images))), model.architecture.n_classes
        )


def calibration_images(images: Tensor) -> Tensor:
    """Up to `N_CALIBRATION` of the training images, drawn with a fixed seed: they may lie in an order."""
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    return images[order[:N_CALIBRATION]]


def _ranges(model: FrozenModel, network: Network, images: Tensor) -> Ranges:
    ranges: Ranges = {}
    largest = max(prod(layer.output_shape) for layer in model.architecture.walk)
    for batch in images.cpu().split(max(1, MOST_NUMBERS // largest)):
        values = (batch.double() / 255 - network.mean) / network.std
        for layer in model.architecture.walk:
            values = getattr(network, layer.name)(values)
            low, high = ranges.get(layer.name, (0.0, 0.0))
            ranges[layer.name] = min(low, values.min().item()), max(high, values.max().item())
    return ranges


def _operations(model: FrozenModel, network: Network, ranges: Ranges) -> Iterator[Operation]:
    coding = _byte_coding(model)
    if coding is None:
        normalisation = _normalisation(model)
        coding = normalisation.output
        yield normalisation
    groups = _groups(model.architecture.walk)
    for group in groups:
        assert coding is not None
        operation = _operation(group, network, ranges, coding, is_last=group is groups[-1])
        yield operation
        coding = operation.output
    if coding is not None:
        shape = _image((model.architecture.n_classes,))
        yield Scores("scores", shape, shape, coding, None)


def _groups(layers: Sequence[Layer]) -> list[list[Layer]]:
    """Layers that are one operation: weights, the batch norms behind them, and an activation function."""
    groups: list[list[Layer]] = []
    for layer in layers:
        if layer.spec.idle_in_use:
            continue
        if groups and _joins(groups[-1], layer):
            groups[-1].append(layer)
        else:
            groups.append([layer])
    return groups


def _joins(group: Sequence[Layer], layer: Layer) -> bool:
    if type(group[0].spec) not in WEIGHTED or group[-1].spec.elementwise:
        return False
    if isinstance(layer.spec, BatchNorm):  # not if a flattening lies between: it would have other channels
        return layer.input_shape == group[-1].output_shape
    return layer.spec.elementwise


def _operation(group: Sequence[Layer], network: Network, ranges: Ranges, coding: Coding, *, is_last: bool) -> Operation:
    first = group[0]
    if type(first.spec) in WEIGHTED:
        return _convolution(group, network, ranges, coding, is_last=is_last)
    if first.spec.elementwise:
        return _lookup(first, network, ranges, coding)
    if type(first.spec) in POOLINGS:
        return POOLINGS[type(first.spec)](first, ranges, coding, is_last)
    raise ExportError(
        f"C has no operation for a layer of the kind {first.spec.kind!r} ({first.name}, {first.spec.describe()}): "
        "choose other formats"
    )


def _lookup(layer: Layer, network: Network, ranges: Ranges, coding: Coding) -> Lookup:
    output = Coding.of_range(*ranges[layer.name])
    tables = (_table(getattr(network, layer.name), coding, output),)
    return Lookup(layer.name, _image(layer.input_shape), _image(layer.output_shape), coding, output, tables)


def _maximum(layer: Layer, ranges: Ranges, coding: Coding, is_last: bool) -> Maximum:
    assert isinstance(layer.spec, MaxPool)
    shapes = _image(layer.input_shape), _image(layer.output_shape)
    return Maximum(layer.name, *shapes, coding, coding, layer.spec.kernel, layer.spec.step, layer.spec.padding)


def _average(layer: Layer, ranges: Ranges, coding: Coding, is_last: bool) -> Average:
    pool = layer.spec
    window = (pool.kernel, pool.step, pool.padding) if isinstance(pool, AvgPool) else (0, 0, 0)
    step = coding.scale / MEAN_STEPS
    averaged = None if is_last else Coding.of_range(*ranges[layer.name])
    scaling = Scaling.of(step / averaged.scale if averaged is not None else 1.0)
    shapes = _image(layer.input_shape), _image(layer.output_shape)
    return Average(layer.name, *shapes, coding, averaged, *window, scaling, step)


POOLINGS: Mapping[type[LayerSpec], Callable[[Layer, Ranges, Coding, bool], Operation]] = {
    MaxPool: _maximum,
    AvgPool: _average,
    AdaptiveAvgPool: _average,
}


@dataclass(frozen=True, eq=False)
class _Weights:
    """Weights `(out, in / groups, kernel, kernel)` and bias `(out,)`, in float64."""

    weights: Tensor
    bias: Tensor
    stride: int = 1
    padding: int = 0
    groups: int = 1

    def scaled(self, factor: Tensor, shift: Tensor) -> "_Weights":
        """With each output channel times `factor`, plus `shift`."""
        weights, bias = self.weights * factor.view(-1, 1, 1, 1), self.bias * factor + shift
        return _Weights(weights, bias, self.stride, self.padding, self.groups)


def _convolution(
    group: Sequence[Layer], network: Network, ranges: Ranges, coding: Coding, *, is_last: bool
) -> Convolution:
    folded = _folded(group, network)
    last = group[-1]
    output: Coding | None = None
    table = None
    if not is_last or last.spec.elementwise:
        output = Coding.of_range(*ranges[last.name])
    before = output
    if last.spec.elementwise and last.spec != Activation("relu"):  # which is the lower end of a range
        assert output is not None
        before = Coding.of_range(*ranges[group[-2].name])
        table = _table(getattr(network, last.name), before, output)
    scales = _weight_scales(folded, coding)
    sums = scales * coding.scale  # what 1 in a sum stands for
    return Convolution(
        name=group[0].name,
        input_shape=_image(group[0].input_shape),
        output_shape=_image(group[0].output_shape),
        input=coding,
        output=output,
        kernel=folded.weights.shape[-1],
        stride=folded.stride,
        padding=folded.padding,
        groups=folded.groups,
        weights=(folded.weights / scales.view(-1, 1, 1, 1)).round().to(torch.int8),
        bias=(folded.bias / sums).round().to(torch.int32),
        before=before,
        scalings=tuple(Scaling.of(each / before.scale) for each in sums.tolist()) if before is not None else (),
        scales=sums.float(),
        table=table,
    )


def _folded(group: Sequence[Layer], network: Network) -> _Weights:
    """The group's weights with its batch norms in them."""
    norms = [layer for layer in group if isinstance(layer.spec, BatchNorm)]
    folded = _own_weights(group[0], network)
    for layer in norms:
        norm: nn.BatchNorm2d = getattr(network, layer.name)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        factor = (norm.running_var + norm.eps).rsqrt()
        if norm.affine:
            factor = factor * norm.weight
        shift = -norm.running_mean * factor
        folded = folded.scaled(factor, shift + norm.bias if norm.affine else shift)
    return folded


def _own_weights(layer: Layer, network: Network) -> _Weights:
    return WEIGHTED[type(layer.spec)](layer, getattr(network, layer.name))


def _weights_of_convolution(layer: Layer, module: Any) -> _Weights:
    return _Weights(module.weight, _bias(layer, module), module.stride[0], module.padding[0], module.groups)


def _weights_of_linear(layer: Layer, module: Any) -> _Weights:
    return _Weights(module.weight[:, :, None, None], _bias(layer, module))


def _weights_of_norm(layer: Layer, module: Any) -> _Weights:
    """By itself: each channel times 1, until it is folded in."""
    channels = layer.output_shape[0]
    return _Weights(torch.ones(channels, 1, 1, 1).double(), torch.zeros(channels).double(), groups=channels)


def _bias(layer: Layer, module: Any) -> Tensor:
    return module.bias if module.bias is not None else torch.zeros(layer.output_shape[0]).double()


# Kinds that are a convolution in C, with what reads their weights.
WEIGHTED: Mapping[type[LayerSpec], Callable[[Layer, Any], _Weights]] = {
    Conv: _weights_of_convolution,
    DepthwiseConv: _weights_of_convolution,
    Linear: _weights_of_linear,
    BatchNorm: _weights_of_norm,
}


def _weight_scales(folded: _Weights, coding: Coding) -> Tensor:
    """One an output channel: as small as the weights allow, as large as the sums need to stay within 32 bits."""
    weights = folded.weights.abs().flatten(1)
    span = max(coding.zero, LEVELS - coding.zero)
    for_weights = weights.amax(1) / LARGEST_WEIGHT
    for_sums = (weights.sum(1) * span + folded.bias.abs() / coding.scale) / LARGEST_SUM
    scales = torch.maximum(for_weights, for_sums)
    return torch.where(scales > 0, scales, 1.0)


def _byte_coding(model: FrozenModel) -> Coding | None:
    """The coding that makes a byte of an image its normalised value, if one does for all channels."""
    if len(set(zip(model.mean, model.std, strict=True))) > 1 or not 0 <= model.mean[0] <= 1:
        return None
    return Coding(1 / (LEVELS * model.std[0]), round(LEVELS * model.mean[0]))


def _normalisation(model: FrozenModel) -> Lookup:
    """A table a channel, where they are normalised with different numbers."""
    channels = [
        [(byte / 255 - mean) / std for byte in range(256)] for mean, std in zip(model.mean, model.std, strict=True)
    ]
    output = Coding.of_range(min(map(min, channels)), max(map(max, channels)))
    shape = _image(model.architecture.input_shape)
    tables = tuple(tuple(_coded(value, output) for value in values) for values in channels)
    return Lookup("images", shape, shape, Coding(1 / LEVELS, 0), output, tables)


def _table(function: nn.Module, before: Coding, after: Coding) -> tuple[int, ...]:
    """For each of the 256 numbers before an activation function the one behind it."""
    values = before.scale * (torch.arange(256).double() - before.zero)
    return tuple(_coded(value, after) for value in function(values).tolist())


def _coded(value: float, coding: Coding) -> int:
    return min(LEVELS, max(0, round(value / coding.scale) + coding.zero))


def _image(shape: Shape) -> tuple[int, int, int]:
    """Features are images of 1×1."""
    return (shape[0], shape[1], shape[2]) if len(shape) == 3 else (prod(shape), 1, 1)
