"""What the C source computes, to the last bit, in torch.

Results are whole numbers from 0 to 255 in float32. Sums are computed in float32 where all of them are below 2 ** 24,
which it holds exactly in whatever order they are formed, else in float64; rescaling in float64 where products stay
below 2 ** 53, else in int64. A candidate is ranked by this, so it must be fast.
"""

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

IN_FLOAT32, IN_FLOAT64 = 2**24, 2**53  # whole numbers below are held exactly
LARGEST_PRODUCT = 2**17  # of two levels, and of a level in MEAN_STEPS


@torch.no_grad()
def scores_of(program: Program, images: Tensor) -> Tensor:
    """Scores (float32, `(n, n_classes)`) of images (uint8, `(n, channels, height, width)`)."""
    largest = max(max(operation.n_in, operation.n_out) for operation in program.operations)
    batches = images.cpu().split(max(1, MOST_NUMBERS // largest))
    return torch.cat([_scores(program, batch) for batch in batches])


def _scores(program: Program, images: Tensor) -> Tensor:
    results = {IMAGE: images.float()}
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
            return F.max_pool2d(values, kernel, stride, padding)
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
            return torch.tensor(tables).float()[channels, values.long()]
        case Slopes(above=above, below=below):
            numbers = values - operation.input.zero
            falling = _limited(_scaled(numbers, *_a_channel(below)), _zero(operation))
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
            return (values - operation.input.zero) * torch.tensor(operation.input.scale)
    raise TypeError(f"no reference for {operation!r}")


def _convolved(op: Convolution, values: Tensor) -> Tensor:
    largest, sums = _largest_sum(op), None
    if largest < IN_FLOAT32:
        sums = _sums(op, values)
        if not bool((sums == sums.round()).all()):  # by another way than adding up products, which rounds
            sums = None
    sums = _sums(op, values.double()) if sums is None else sums
    if op.before is None:
        return sums.float() * op.scales.view(-1, 1, 1)
    return _looked_up(_limited(_scaled(sums, *_a_channel(op.scalings), largest), op.before.zero), op.table)


def _sums(op: Convolution, values: Tensor) -> Tensor:
    weights, bias = op.weights.to(values.dtype), op.bias.to(values.dtype)
    return F.conv2d(values - op.input.zero, weights, bias, op.stride, op.padding, op.dilation, op.groups)


def _largest_sum(op: Convolution) -> int:
    """No sum, nor any part of one, is further from 0."""
    span = max(op.input.zero, LEVELS - op.input.zero)
    return int((op.weights.long().abs().flatten(1).sum(1) * span + op.bias.long().abs()).max())


def _added(op: Sum, first: Tensor, second: Tensor) -> Tensor:
    one, other = (first - op.input.zero).double(), (second - op.second.zero).double()
    sums = one * op.multipliers[0] + other * op.multipliers[1]
    return _looked_up(_limited(_scaled(sums, 1, op.shift, 2**40), op.before.zero), op.table)


def _looked_up(numbers: Tensor, table: Sequence[int] | None) -> Tensor:
    return numbers if table is None else torch.tensor(table).float()[numbers.long()]


def _blurred(op: Blur, values: Tensor) -> Tensor:
    """Beyond the edge the last pixel goes on."""
    maxima = F.max_pool2d(values, op.window, 1).double()
    weights = torch.tensor([1.0, 2.0, 1.0]).double()
    kernel = (weights.view(3, 1) * weights).expand(maxima.shape[1], 1, 3, 3)
    sums = F.conv2d(F.pad(maxima, (1, 1, 1, 1), "replicate"), kernel, None, op.stride, groups=maxima.shape[1])
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
    return inside.sum((2, 3), dtype=torch.float64).long() + op.input.zero * n_padded


def _count(op: Average, rows: tuple[int, int], columns: tuple[int, int]) -> int:
    return (rows[1] - rows[0]) * (columns[1] - columns[0])


def _a_channel(scalings: Sequence[Scaling]) -> tuple[Tensor, Tensor]:
    """Multipliers and shifts, to be broadcast over images."""
    multipliers, shifts = ([each.multiplier for each in scalings], [each.shift for each in scalings])
    return torch.tensor(multipliers).view(-1, 1, 1), torch.tensor(shifts).view(-1, 1, 1)


def _rescaled(op: Operation, values: Tensor, scaling: Scaling) -> Tensor:
    return _limited(_scaled(values, scaling.multiplier, scaling.shift), _zero(op))


def _zero(op: Operation) -> int:
    assert op.output is not None
    return op.output.zero


def _scaled(values: Tensor, multiplier: Tensor | int, shift: Tensor | int, largest: int = LARGEST_PRODUCT) -> Tensor:
    """Times `multiplier / 2 ** shift`, rounded, halves up, in float64; no value is further from 0 than `largest`."""
    multipliers, shifts = torch.as_tensor(multiplier), torch.as_tensor(shift)
    half = 2 ** (int(shifts.max()) - 1)
    if largest * int(multipliers.abs().max()) + half < IN_FLOAT64:
        return values.double().mul_(multipliers.double() / 2.0**shifts).add_(0.5).floor_()
    halves = torch.ones_like(shifts) << (shifts - 1)
    return ((values.long() * multipliers + halves) >> shifts).double()


def _limited(values: Tensor, zero: int) -> Tensor:
    """As a level, where `zero` stands for 0; changes the values."""
    return values.add_(zero).clamp_(0, LEVELS).float()
