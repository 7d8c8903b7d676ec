"""Convolutions of small images in training, in bfloat16 on one thread of a CPU with AVX512-BF16, compiled by numba.

The library that torch calls puts output channels into the lanes of registers, 16 at a time, and so wastes a third of
them where there are 20; and its backward passes read memory more often than they need. Here pixels are in the lanes.
Image after image is laid out in planes that fit into the nearest caches and is convolved there, while the lines of
memory that the next one needs are asked for. The gradient of the input is the convolution of the incoming gradient with
the weights turned around (Dumoulin and Visin 2016, section 4); that of the weights sums products over all pixels of the
batch. Both are formed while an image's gradient is at hand.

Numbers are what torch's autocast makes of them, inputs and weights rounded to bfloat16 and products summed in float32;
only the order of the sums is another, and the gradients of weights are not rounded. `benchmarks/convolutions.py`
measures both.
"""
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg"
# numba infers the types of what it compiles, and has no annotations for it.

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from nas.network.fused import compiled, flat
from nas.network.kinds import Conv, Shape
from nas.network.vectors import (
    CHANNELS,
    MOST_ROWS,
    PIXELS,
    SUMMED_GRADIENTS,
    SUMMED_TAPS,
    TILE,
    correlate,
    fetch,
    multiply,
    split,
    to_pixels,
    to_planes,
)

NEAR = 40_000  # bytes of planes that leave room for others in a core's first cache
NEARBY = 100_000  # and in its second one
MOST_BYTES = 400_000  # of an image's planes; beyond that nothing is gained
LINE = 32  # bfloat16 numbers in a line of memory
ONE = 0x3F80  # as a bfloat16
SLACK = 3 * PIXELS  # words behind a plane that whole registers may read and write


class Planes(NamedTuple):
    """An image `(channels, height, width)` and how it lies in planes of pairs, with `padding` zeros on each side.

    Where the planes are small there are as many `copies` of them as the kernel has columns, each shifted by one more
    column and as wide as the output, so that no pixel is computed that is not wanted.
    """

    channels: int
    height: int
    width: int
    padding: int
    copies: int
    n_pairs: int
    wide: int  # pixels of a row
    size: int  # of a plane
    length: int  # words from one plane to the next


@lru_cache(maxsize=1024)
def planes_of(channels: int, height: int, width: int, padding: int, kernel: int) -> Planes:
    """The planes in which an image is convolved."""
    tall, wide, n_pairs = height + 2 * padding, width + 2 * padding, (channels + 1) // 2
    copied = 4 * kernel * n_pairs * tall * (wide - kernel + 1) <= NEAR
    if copied:
        wide -= kernel - 1
    copies, length = kernel if copied else 1, up(tall * wide, PIXELS) + SLACK
    return Planes(channels, height, width, padding, copies, n_pairs, wide, tall * wide, length)


def up(number: int, multiple: int) -> int:
    """The next multiple."""
    return -(-number // multiple) * multiple


@lru_cache(maxsize=1024)
def taps_of(planes: Planes, kernel: int, n_planes: int, length: int) -> Any:
    """Distances from a pixel of the output to the pixels it is made of, by plane, row and column of the kernel."""
    next_column = n_planes * length if planes.copies > 1 else 1
    steps = (np.arange(n_planes) * length, np.arange(kernel) * planes.wide, np.arange(kernel) * next_column)
    of_planes, rows, columns = np.ix_(*steps)
    return (of_planes + rows + columns).ravel()


@compiled
def _fetch_ahead(values, at, n):
    for i in range(at, min(at + n, values.size), LINE):
        fetch(values, i)


@compiled
def _lay_out(pixels, at, planes, n_copies, out):
    """An image into its planes; what lies between and beside its rows is 0 already, and is left so."""
    for shift in range(n_copies):
        before, skipped = max(0, planes.padding - shift), max(0, shift - planes.padding)
        n = max(0, min(planes.wide - before, planes.width - skipped))
        for row in range(planes.height):
            start = at + (row * planes.width + skipped) * planes.channels
            to = shift * planes.n_pairs * planes.length + (row + planes.padding) * planes.wide + before
            if planes.channels == 1:
                source, place = pixels[start : start + n], out[to : to + n]
                for i in range(source.size):
                    place[i] = source[i]
            else:
                _lay_out_row(pixels, start, n, planes, out, to)


@compiled
def _lay_out_row(pixels, at, n, planes, out, to):
    channels, length = planes.channels, planes.length
    for c in range(0, channels, CHANNELS):
        for i in range(0, n, PIXELS):
            n_there, n_channels = min(PIXELS, n - i), min(CHANNELS, channels - c)
            to_planes(
                pixels, at + i * channels + c, channels, n_there, n_channels, out, c // 2 * length + to + i, length
            )


@compiled
def _multiply_all(planes, length, taps, weights, start, rows, out, coming, coming_at, n_coming, y, y_at, n_leaving):
    """All pixels of an image; meanwhile the memory of the next input and of this output is asked for."""
    n_tiles = start.size // rows * (length // TILE)
    coming_step = (n_coming // LINE + n_tiles) // n_tiles * LINE
    leaving_step = (n_leaving // LINE + n_tiles) // n_tiles * LINE
    for block in range(start.size // rows):
        for tile in range(length // TILE):
            done = block * (length // TILE) + tile
            _fetch_ahead(coming, coming_at + done * coming_step, coming_step)
            _fetch_ahead(y, y_at + done * leaving_step, leaving_step)
            to = block * rows // 2 * length + tile * TILE
            begin = block * taps.size * rows
            multiply(planes, tile * TILE, taps, weights, begin, start, block * rows, rows, out, to, length)


@compiled
def _take_out(planes, length, wide, channels, height, width, pixels, at):
    """An image from planes of pairs, whose rows may be longer than its own."""
    n_rows, n = (1, height * width) if wide == width else (height, width)
    for c in range(0, channels, CHANNELS):
        n_channels = min(CHANNELS, channels - c)
        for row in range(n_rows):
            for i in range(0, n, PIXELS):
                n_there, begin = min(PIXELS, n - i), c // 2 * length + row * wide + i
                place = at + (row * width + i) * channels + c
                to_pixels(planes, begin, length, n_there, n_channels, pixels, place, channels)


@compiled
def _convolve(x, n, planes, kernel, taps, weights, start, rows, channels, y):
    planes = Planes(*planes)
    height, width = planes.height + 2 * planes.padding - kernel + 1, planes.width + 2 * planes.padding - kernel + 1
    length = (height * planes.wide + TILE - 1) // TILE * TILE
    laid_out = np.zeros(planes.copies * planes.n_pairs * planes.length + 2 * TILE, np.uint32)
    out = np.empty(start.size // 2 * length + PIXELS, np.uint32)
    size, size_out = planes.height * planes.width * planes.channels, height * width * channels
    for i in range(n):
        following, here = (i + 1) * size, i * size_out
        _lay_out(x, i * size, planes, planes.copies, laid_out)
        _multiply_all(laid_out, length, taps, weights, start, rows, out, x, following, size, y, here, size_out)
        _take_out(out, length, planes.wide, channels, height, width, y, here)


@compiled
def _split_all(pairs, n_pairs, pairs_length, n, planes, length, at):
    for pair in range(n_pairs):
        for i in range(0, n, TILE):
            to = 2 * pair * length + at + i
            split(pairs, pair * pairs_length + i, planes, to, to + length)


@compiled
def _correlate_all(gradients, length, planes, taps, n, sums, coming, coming_at, n_coming):
    """Adds an image's products, or those of several; meanwhile the memory of the next gradient is asked for."""
    n_taps = taps.size // SUMMED_TAPS
    n_tiles = sums.size // (SUMMED_GRADIENTS * SUMMED_TAPS * PIXELS)
    step = (n_coming // LINE + n_tiles) // n_tiles * LINE
    for tile in range(n_tiles):
        _fetch_ahead(coming, coming_at + tile * step, step)
        first, begin = tile // n_taps * SUMMED_GRADIENTS * length, tile % n_taps * SUMMED_TAPS
        to = tile * SUMMED_GRADIENTS * SUMMED_TAPS * PIXELS
        correlate(gradients, first, length, planes, taps, begin, n, sums, to)


@compiled
def _differentiate(
    x, of_x, gradient, of_gradient, n, group, taps, length, sums,
    to_input, turned, turned_taps, weights, start, rows, dx,
):  # fmt: skip
    """Fills `sums` with products of gradients and inputs, and `dx` with the gradient of the input, if it is wanted.

    `of_gradient` are the planes of a gradient whose rows are as long as those of the input, and `turned` those in which
    it is convolved. `group` images are summed at a time, in planes of single channels of this `length`.
    """
    of_x, of_gradient, turned = Planes(*of_x), Planes(*of_gradient), Planes(*turned)
    size, size_out = of_x.height * of_x.width * of_x.channels, gradient.size // n
    length_in = (of_x.height * turned.wide + TILE - 1) // TILE * TILE
    laid_out = np.zeros(turned.copies * turned.n_pairs * turned.length + 2 * TILE, np.uint32)
    out = np.empty(start.size // 2 * length_in + PIXELS, np.uint32)
    n_x, n_gradient = (of_x.size + TILE - 1) // TILE * TILE, (of_gradient.size + TILE - 1) // TILE * TILE
    x_pairs = np.zeros(of_x.copies * of_x.n_pairs * of_x.length + 2 * TILE, np.uint32)
    gradient_pairs = np.zeros(of_gradient.n_pairs * of_gradient.length + 2 * TILE, np.uint32)
    n_planes = 2 * of_x.copies * of_x.n_pairs
    planes = np.zeros((n_planes + 1) * length, np.uint16)
    planes[n_planes * length :] = ONE  # for the gradient of the bias
    n_blocks = (of_gradient.channels + SUMMED_GRADIENTS - 1) // SUMMED_GRADIENTS
    gradients = np.zeros(n_blocks * SUMMED_GRADIENTS * length + 2 * TILE, np.uint16)
    for begin in range(0, n, group):
        n_images = min(group, n - begin)
        for j in range(n_images):
            i = begin + j
            if to_input:
                _lay_out(gradient, i * size_out, turned, turned.copies, laid_out)
                _multiply_all(
                    laid_out, length_in, turned_taps, weights, start, rows, out, x, i * size, size, dx, i * size, size
                )
                _take_out(out, length_in, turned.wide, of_x.channels, of_x.height, of_x.width, dx, i * size)
            _lay_out(x, i * size, of_x, of_x.copies, x_pairs)
            _split_all(x_pairs, of_x.copies * of_x.n_pairs, of_x.length, n_x, planes, length, j * of_x.size)
            _lay_out(gradient, i * size_out, of_gradient, 1, gradient_pairs)
            _split_all(
                gradient_pairs, of_gradient.n_pairs, of_gradient.length, n_gradient, gradients, length, j * of_x.size
            )
        end = (n_images - 1) * of_x.size + of_gradient.size
        for c in range(of_gradient.channels):  # behind the last image a fuller group may have left something
            gradients[c * length + end : c * length + end + TILE] = 0
        n_pixels, following = (end + TILE - 1) // TILE * TILE, (begin + n_images) * size_out
        _correlate_all(gradients, length, planes, taps, n_pixels, sums, gradient, following, group * size_out)


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None, padding: int) -> Tensor:
    """The convolution of `x`, `(n, channels, height, width)` in CPU memory, if it is one that `suits`.

    The result is bfloat16 and lies in memory as channels_last.
    """
    result: Tensor = _Convolution.apply(x, weight, bias, padding)
    return result


def suits(convolution: Conv, shape: Shape) -> bool:
    """Whether `convolve` can do it for images of this shape, and there is anything to be gained."""
    kernel, padding = convolution.kernel, convolution.padding
    if isinstance(kernel, tuple) or isinstance(padding, tuple) or not padding < kernel:
        return False
    if convolution.stride != 1 or convolution.groups != 1 or convolution.dilation != 1:
        return False
    n_in, height, width = shape
    size = 2 * max(n_in, convolution.channels) * (height + 2 * padding) * (width + 2 * padding)
    return kernel > 1 and size <= MOST_BYTES  # one product is all there is to a kernel of one pixel


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, padding: int) -> Tensor:
        x = x.to(torch.bfloat16).contiguous(memory_format=torch.channels_last)
        ctx.save_for_backward(x, weight)
        ctx.padding, ctx.biased = padding, bias is not None
        n, _, height, width = x.shape
        channels, _, kernel, _ = weight.shape
        planes = planes_of(*x.shape[1:], padding, kernel)
        shape = (n, channels, height + 2 * padding - kernel + 1, width + 2 * padding - kernel + 1)
        y = torch.empty(shape, dtype=torch.bfloat16, memory_format=torch.channels_last)
        _convolve(flat(x), n, tuple(planes), kernel, *_factors(weight, bias, planes), channels, flat(y))
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        gradient = gradient.to(torch.bfloat16).contiguous(memory_format=torch.channels_last)
        to_input = ctx.needs_input_grad[0]
        dx = torch.empty_like(x) if to_input else x
        dw, db = _gradients(x, gradient, weight, ctx.padding, dx, to_input)
        return dx if to_input else None, dw, db if ctx.biased else None, None


def _factors(weight: Tensor, bias: Tensor | None, planes: Planes) -> tuple[Any, ...]:
    """Taps, weights in the order in which `multiply` reads them, where sums start, and channels made at once."""
    n_out, n_in, kernel, _ = weight.shape
    rows = _rows(n_out)
    padded = torch.zeros(up(n_out, rows), up(n_in, 2), kernel, kernel, dtype=torch.bfloat16)
    padded[:n_out, :n_in] = weight
    ordered = padded.view(-1, rows, planes.n_pairs, 2, kernel, kernel).permute(0, 2, 4, 5, 1, 3).contiguous()
    start = torch.zeros(len(padded))
    if bias is not None:
        start[:n_out] = bias.to(torch.bfloat16)
    taps = taps_of(planes, kernel, planes.n_pairs, planes.length)
    return taps, ordered.view(torch.uint32).view(-1).numpy(), start.numpy(), rows


def _rows(channels: int) -> int:
    """Channels that are made at once: as many as registers hold, of those numbers that leave the fewest unused."""
    if channels <= MOST_ROWS:
        return up(channels, 2)
    return min(range(MOST_ROWS, MOST_ROWS // 2, -2), key=lambda rows: up(channels, rows))


def _gradients(
    x: Tensor, gradient: Tensor, weight: Tensor, padding: int, dx: Tensor, to_input: bool
) -> tuple[Tensor, Tensor]:
    """Those of weight and bias, in float32; that of the input is written into `dx`, if it is wanted."""
    n_out, n_in, kernel, _ = weight.shape
    of_x = planes_of(*x.shape[1:], padding, kernel)
    size, (height, width) = of_x.size, gradient.shape[2:]
    of_gradient = of_x._replace(
        channels=n_out, height=height, width=width, padding=0, n_pairs=up(n_out, 2) // 2, size=height * of_x.wide,
        length=up(height * of_x.wide, TILE) + SLACK,
    )  # fmt: skip
    group = max(1, min(len(x), NEARBY // (2 * size * (of_x.copies * n_in + n_out))))
    length = up(group * size, TILE) + 3 * TILE
    turned = planes_of(n_out, height, width, kernel - 1 - padding, kernel)
    factors = _factors(weight.flip(2, 3).transpose(0, 1), None, turned)
    taps = _all_taps(of_x, kernel, length)
    sums = torch.zeros(up(n_out, SUMMED_GRADIENTS) // SUMMED_GRADIENTS, len(taps) // SUMMED_TAPS,
                       SUMMED_GRADIENTS, SUMMED_TAPS, PIXELS)  # fmt: skip
    _differentiate(
        flat(x), tuple(of_x), flat(gradient), tuple(of_gradient), len(x), group, taps, length, sums.view(-1).numpy(),
        to_input, tuple(turned), *factors, flat(dx),
    )  # fmt: skip
    totals = sums.sum(-1).transpose(1, 2).flatten(0, 1).flatten(1)[:n_out]
    n_weights = n_in * kernel * kernel
    return totals[:, :n_weights].view_as(weight), totals[:, n_weights]


@lru_cache(maxsize=1024)
def _all_taps(planes: Planes, kernel: int, length: int) -> Any:
    """Of planes of single channels, and behind them one that leads to the plane of ones."""
    taps = taps_of(planes, kernel, 2 * planes.n_pairs, length)[: planes.channels * kernel * kernel]
    ones = 2 * planes.copies * planes.n_pairs * length
    return np.pad(taps, (0, up(len(taps) + 1, SUMMED_TAPS) - len(taps)), constant_values=ones)
