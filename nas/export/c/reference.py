"""What the C source computes, to the last bit, in torch: whole numbers in float64, which holds all of them exactly."""

import torch
import torch.nn.functional as F
from torch import Tensor

from nas.export.c.operations import (
    LEVELS,
    MEAN_STEPS,
    MOST_NUMBERS,
    Average,
    Convolution,
    Lookup,
    Maximum,
    Program,
    Scores,
)


@torch.no_grad()
def scores_of(program: Program, images: Tensor) -> Tensor:
    """Scores (float32, `(n, n_classes)`) of images (uint8, `(n, channels, height, width)`)."""
    largest = max(max(operation.n_in, operation.n_out) for operation in program.operations)
    batches = images.cpu().split(max(1, MOST_NUMBERS // largest))
    return torch.cat([_scores(program, batch) for batch in batches])


def _scores(program: Program, images: Tensor) -> Tensor:
    values = images.long()
    for operation in program.operations:
        values = values.reshape(len(values), *operation.input_shape)
        match operation:
            case Convolution():
                values = _convolved(operation, values)
            case Maximum(kernel=kernel, stride=stride, padding=padding):
                values = F.max_pool2d(values.double(), kernel, stride, padding).long()
            case Average():
                values = _averaged(operation, values)
            case Lookup(tables=tables):
                channels = torch.arange(values.shape[1]).view(-1, 1, 1) if len(tables) > 1 else torch.tensor(0)
                values = torch.tensor(tables)[channels, values]
            case Scores():
                values = (values - operation.input.zero).float() * torch.tensor(operation.input.scale)
    return values.flatten(1)


def _convolved(op: Convolution, values: Tensor) -> Tensor:
    inputs, weights = (values - op.input.zero).double(), op.weights.double()
    sums = F.conv2d(inputs, weights, op.bias.double(), op.stride, op.padding, groups=op.groups).long()
    if op.before is None:
        return sums.float() * op.scales.view(-1, 1, 1)
    multipliers = torch.tensor([each.multiplier for each in op.scalings]).view(-1, 1, 1)
    shifts = torch.tensor([each.shift for each in op.scalings]).view(-1, 1, 1)
    numbers = _limited(_scaled(sums, multipliers, shifts) + op.before.zero)
    return numbers if op.table is None else torch.tensor(op.table)[numbers]


def _averaged(op: Average, values: Tensor) -> Tensor:
    """Padding is the number that stands for 0."""
    _, height, width = op.input_shape
    rows, columns = _windows(op, height, op.output_shape[1]), _windows(op, width, op.output_shape[2])
    sums = torch.stack([torch.stack([_sum(op, values, r, c) for c in columns], -1) for r in rows], -2)
    counts = torch.tensor([[_count(op, r, c) for c in columns] for r in rows])
    means = (sums * MEAN_STEPS + counts // 2) // counts - MEAN_STEPS * op.input.zero
    if op.output is None:
        return means.float() * torch.tensor(op.scale)
    return _limited(_scaled(means, op.scaling.multiplier, op.scaling.shift) + op.output.zero)


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


def _scaled(values: Tensor, multiplier: Tensor | int, shift: Tensor | int) -> Tensor:
    """Times `multiplier / 2 ** shift`, rounded, halves up."""
    half = torch.ones_like(values) << (torch.as_tensor(shift) - 1)
    return (values * multiplier + half) >> torch.as_tensor(shift)


def _limited(values: Tensor) -> Tensor:
    return values.clamp(0, LEVELS)
