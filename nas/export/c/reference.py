"""What the C source computes, to the last bit, in torch: whole numbers in float64, which holds all of them exactly."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from nas.export.c.operations import (
    LEVELS,
    MEAN_STEPS,
    MOST_NUMBERS,
    Average,
    Blur,
    Concatenation,
    Convolution,
    Excitation,
    Lookup,
    Maximum,
    MaximumAndAverage,
    Operation,
    Scaling,
    Scores,
    Shrinking,
    Shuffle,
    Slopes,
    Sum,
)
from nas.export.c.program import IMAGE, Program


@torch.no_grad()
def scores_of(program: Program, images: Tensor) -> Tensor:
    """Scores (float32, `(n, n_classes)`) of images (uint8, `(n, channels, height, width)`)."""
    largest = max(max(operation.n_in, operation.n_out) for operation in program.operations)
    batches = images.cpu().split(max(1, MOST_NUMBERS // largest))
    return torch.cat([_scores(program, batch) for batch in batches])


def _scores(program: Program, images: Tensor) -> Tensor:
    results = {IMAGE: images.long()}
    last_read = {source: number for number, step in enumerate(program.steps) for source in step.sources}
    for number, (operation, sources) in enumerate(program.steps):
        results[number] = _result(operation, [results[source] for source in sources])
        for source in set(sources):
            if last_read[source] == number:
                del results[source]
    return results[number].flatten(1)


def _result(operation: Operation, inputs: list[Tensor]) -> Tensor:
    if isinstance(operation, Concatenation):
        each = zip(inputs, operation.parts, strict=True)
        return torch.cat([_rescaled(operation, x - coding.zero, scaling) for x, (_, coding, scaling) in each], 1)
    values = inputs[0].reshape(len(inputs[0]), *operation.input_shape)
    match operation:
        case Convolution():
            return _convolved(operation, values)
        case Maximum(kernel=kernel, stride=stride, padding=padding):
            return F.max_pool2d(values.double(), kernel, stride, padding).long()
        case MaximumAndAverage():
            means = _means(operation, values) + MEAN_STEPS * (values.amax((2, 3), keepdim=True) - operation.input.zero)
            return _rescaled(operation, means, operation.scaling)
        case Average(output=None):
            return _means(operation, values).float() * torch.tensor(operation.scale)
        case Average(scaling=scaling):
            return _rescaled(operation, _means(operation, values), scaling)
        case Blur():
            return _blurred(operation, values)
        case Shrinking():
            return _shrunk(operation, values)
        case Lookup(tables=tables):
            channels = torch.arange(values.shape[1]).view(-1, 1, 1) if len(tables) > 1 else torch.tensor(0)
            return torch.tensor(tables)[channels, values]
        case Slopes(above=above, below=below):
            numbers = values - operation.input.zero
            falling = _limited(_scaled(numbers, *_a_channel(below)) + _zero(operation))
            return torch.where(numbers < 0, falling, _rescaled(operation, numbers, above))
        case Shuffle(groups=groups):
            return F.channel_shuffle(values, groups)
        case Sum():
            return _added(operation, values, inputs[1].reshape(values.shape))
        case Excitation():
            factors = values
            for inner in (operation.mean, operation.squeeze, operation.excite):
                factors = _result(inner, [factors])
            return _rescaled(operation, (values - operation.input.zero) * factors, operation.scaling)
        case Scores():
            return (values - operation.input.zero).float() * torch.tensor(operation.input.scale)
    raise TypeError(f"no reference for {operation!r}")


def _convolved(op: Convolution, values: Tensor) -> Tensor:
    inputs, weights = (values - op.input.zero).double(), op.weights.double()
    sums = F.conv2d(inputs, weights, op.bias.double(), op.stride, op.padding, op.dilation, op.groups).long()
    if op.before is None:
        return sums.float() * op.scales.view(-1, 1, 1)
    numbers = _limited(_scaled(sums, *_a_channel(op.scalings)) + op.before.zero)
    return numbers if op.table is None else torch.tensor(op.table)[numbers]


def _added(op: Sum, first: Tensor, second: Tensor) -> Tensor:
    sums = (first - op.input.zero) * op.multipliers[0] + (second - op.second.zero) * op.multipliers[1]
    numbers = _limited(_scaled(sums, 1, op.shift) + op.before.zero)
    return numbers if op.table is None else torch.tensor(op.table)[numbers]


def _blurred(op: Blur, values: Tensor) -> Tensor:
    """Beyond the edge the last pixel goes on."""
    maxima = F.max_pool2d(values.double(), op.window, 1)
    weights = torch.tensor([1.0, 2.0, 1.0]).double()
    kernel = (weights.view(3, 1) * weights).expand(maxima.shape[1], 1, 3, 3)
    sums = F.conv2d(F.pad(maxima, (1, 1, 1, 1), "replicate"), kernel, None, op.stride, groups=maxima.shape[1]).long()
    return _rescaled(op, sums - 16 * op.input.zero, op.scaling)


def _shrunk(op: Shrinking, values: Tensor) -> Tensor:
    ones = torch.ones_like(values[:1, :1]).double()
    counts, sums = (
        F.avg_pool2d(x.double(), op.stride, ceil_mode=True, divisor_override=1).round().long() for x in (ones, values)
    )
    means = (sums * MEAN_STEPS + counts // 2) // counts - MEAN_STEPS * op.input.zero
    n_zeros = op.output_shape[0] - op.input_shape[0]
    return F.pad(_rescaled(op, means, op.scaling), (0, 0, 0, 0, 0, n_zeros), value=_zero(op))


def _means(op: Average, values: Tensor) -> Tensor:
    """In 1 / MEAN_STEPS of a level; padding is the number that stands for 0."""
    _, height, width = op.input_shape
    rows, columns = _windows(op, height, op.output_shape[1]), _windows(op, width, op.output_shape[2])
    sums = torch.stack([torch.stack([_sum(op, values, r, c) for c in columns], -1) for r in rows], -2)
    counts = torch.tensor([[_count(op, r, c) for c in columns] for r in rows])
    return (sums * MEAN_STEPS + counts // 2) // counts - MEAN_STEPS * op.input.zero


def _windows(op: Average, size: int, n: int) -> list[tuple[int, int]]:
    """Where each window begins and ends along one side, before it is cut at the border."""
    if op.kernel:
        return [(i * op.stride - op.padding, i * op.stride - op.padding + op.kernel) for i in range(n)]
    return [(i * size // n, -(-(i + 1) * size // n)) for i in range(n)]


def _sum(op: Average, values: Tensor, rows: tuple[int, int], columns: tuple[int, int]) -> Tensor:
    inside = values[:, :, max(0, rows[0]) : rows[1], max(0, columns[0]) : columns[1]]
    n_padded = _count(op, rows, columns) - inside.shape[2] * inside.shape[3]
    return inside.sum((2, 3)) + op.input.zero * n_padded


def _count(op: Average, rows: tuple[int, int], columns: tuple[int, int]) -> int:
    return (rows[1] - rows[0]) * (columns[1] - columns[0])


def _a_channel(scalings: Sequence[Scaling]) -> tuple[Tensor, Tensor]:
    """Multipliers and shifts, to be broadcast over images."""
    multipliers, shifts = ([each.multiplier for each in scalings], [each.shift for each in scalings])
    return torch.tensor(multipliers).view(-1, 1, 1), torch.tensor(shifts).view(-1, 1, 1)


def _rescaled(op: Operation, values: Tensor, scaling: Scaling) -> Tensor:
    return _limited(_scaled(values, scaling.multiplier, scaling.shift) + _zero(op))


def _zero(op: Operation) -> int:
    assert op.output is not None
    return op.output.zero


def _scaled(values: Tensor, multiplier: Tensor | int, shift: Tensor | int) -> Tensor:
    """Times `multiplier / 2 ** shift`, rounded, halves up."""
    half = torch.ones_like(values) << (torch.as_tensor(shift) - 1)
    return (values * multiplier + half) >> torch.as_tensor(shift)


def _limited(values: Tensor) -> Tensor:
    return values.clamp(0, LEVELS)
