"""Batch norm, ReLU and max pooling as one step on a CPU, and dropout in training, compiled by numba.

Around a convolution of a small network most of the time goes into reading and writing memory: torch goes over a layer's
output once for its statistics, again to normalise, again for ReLU, again for the pool, and all of it again backwards.
Here the forward pass reads it twice and writes what the pool leaves; the backward pass reads it once and writes the
gradient. Sums are formed in float32 and float64, whatever the numbers are stored in. Dropout asks a hash of each
number's place whether to keep it, forwards and backwards, where torch draws and keeps a mask.

The mathematics is that of batch normalisation in training (Ioffe and Szegedy 2015, section 3); the gradient of a pool
goes to one of its largest inputs. torch's own layers do the same, more slowly.
"""
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg"
# numba infers the types of what it compiles, and has no annotations for it.

from typing import Any

import numpy as np
import torch
from numba import njit, types
from numba.extending import intrinsic, overload
from torch import Tensor

# Sums may be reordered, so that they can be formed in wide registers; nothing else that changes results for NaN.
OPTIONS: dict[str, Any] = {
    "fastmath": {"reassoc", "contract", "nsz"},
    "nogil": True,
    "error_model": "numpy",
}
TILE = 16  # pixels that the inner loops take at once: as many numbers as registers hold, whatever the channels are
BLOCK = 256  # tiles that are summed in float32 before they go into a float64
POOL = 2  # height and width of the pool that can be joined in


def compiled(function: Any) -> Any:
    """The function compiled when it is first called; the machine code is kept on disk where there is a place for it."""
    try:
        return njit(function, cache=True, **OPTIONS)
    except RuntimeError:  # neither this package's folder nor the user's cache can be written to
        return njit(function, **OPTIONS)


@intrinsic
def _widened(_: Any, bits: Any) -> Any:
    """The float32 with these upper 16 bits, which is what a bfloat16 is."""
    from llvmlite import ir

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        wide = builder.zext(arguments[0], ir.IntType(32))
        return builder.bitcast(builder.shl(wide, ir.Constant(ir.IntType(32), 16)), ir.FloatType())

    return types.float32(types.uint16), generate


@intrinsic
def _narrowed(_: Any, value: Any) -> Any:
    """The bits of the bfloat16 nearest to a float32, ties to even."""
    from llvmlite import ir

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = ir.IntType(32)
        bits = builder.bitcast(arguments[0], word)
        last = builder.and_(builder.lshr(bits, ir.Constant(word, 16)), ir.Constant(word, 1))
        rounded = builder.add(bits, builder.add(last, ir.Constant(word, 0x7FFF)))
        return builder.trunc(builder.lshr(rounded, ir.Constant(word, 16)), ir.IntType(16))

    return types.uint16(types.float32), generate


def _read(stored):
    """A stored number as a float32."""


def _write(value, stored):
    """A float32 as it is stored where `stored` is."""


@overload(_read)
def _read_of(stored):
    if isinstance(stored, types.Integer):
        return lambda stored: _widened(stored)
    return lambda stored: stored


@overload(_write)
def _write_of(value, stored):
    if isinstance(stored, types.Integer):
        return lambda value, stored: _narrowed(value)
    return lambda value, stored: value


@compiled
def _repeated(values, times):
    """One number a channel, for so many pixels beside each other."""
    repeated = np.empty(times * values.size, np.float32)
    for i in range(times):
        repeated[i * values.size : (i + 1) * values.size] = values
    return repeated


@compiled
def _add_up(sums, tile, n_channels):
    for i in range(TILE):
        for c in range(n_channels):
            sums[c] += tile[i * n_channels + c]


@compiled
def _moments(x, n_channels):
    """Mean and variance of each channel of `(pixels * channels,)`."""
    size = TILE * n_channels
    n_tiles = (x.size + size - 1) // size
    sums, squares = np.zeros(n_channels), np.zeros(n_channels)
    tile, tile_of_squares = np.zeros(size, np.float32), np.zeros(size, np.float32)
    # Around a first pixel's values, so that the squares of a channel far from 0 do not cancel.
    origin = np.empty(n_channels, np.float32)
    for c in range(n_channels):
        origin[c] = _read(x[c])
    origins = _repeated(origin, TILE)
    for block in range((n_tiles + BLOCK - 1) // BLOCK):
        tile[:] = 0
        tile_of_squares[:] = 0
        for t in range(block * BLOCK, min(n_tiles, (block + 1) * BLOCK)):
            part = x[t * size : min(x.size, (t + 1) * size)]
            for i in range(part.size):
                value = _read(part[i]) - origins[i]
                tile[i] += value
                tile_of_squares[i] += value * value
        _add_up(sums, tile, n_channels)
        _add_up(squares, tile_of_squares, n_channels)
    n = x.size // n_channels
    mean = sums / n
    return mean + origin, np.maximum(squares / n - mean * mean, 0.0)


@compiled
def _normalise(x, scale, shift, y):
    """y = relu(x * scale + shift)."""
    size = TILE * scale.size
    scales, shifts = _repeated(scale, TILE), _repeated(shift, TILE)
    for t in range((x.size + size - 1) // size):
        part, out = x[t * size : min(x.size, (t + 1) * size)], y[t * size : min(x.size, (t + 1) * size)]
        for i in range(part.size):
            out[i] = _write(max(_read(part[i]) * scales[i] + shifts[i], np.float32(0)), out[i])


@compiled
def _signs(scale):
    signs = np.ones(scale.size, np.float32)
    for c in range(scale.size):
        if scale[c] < 0:
            signs[c] = -1
    return signs


@compiled
def _normalise_and_pool(x, n, height, width, scale, shift, y, largest):
    """y = relu(maxpool(x * scale + shift)); `largest` are the x that were chosen."""
    n_channels = scale.size
    rows, columns = height // POOL, width // POOL
    length, length_out = width * n_channels, columns * n_channels
    # Where the scale is negative the smallest x is wanted: the largest of -x.
    signs = _repeated(_signs(scale), width)
    scales, shifts = _repeated(np.abs(scale), columns), _repeated(shift, columns)
    upper, best = np.empty(length, np.float32), np.empty(length_out, np.float32)
    for row in range(n * rows):
        start = (row // rows * height + row % rows * POOL) * length
        above, below = x[start : start + length], x[start + length : start + 2 * length]
        out = y[row * length_out : (row + 1) * length_out]
        chosen = largest[row * length_out : (row + 1) * length_out]
        for i in range(length):
            upper[i] = max(_read(above[i]) * signs[i], _read(below[i]) * signs[i])
        for column in range(columns):
            left = upper[2 * column * n_channels : (2 * column + 1) * n_channels]
            right = upper[(2 * column + 1) * n_channels : (2 * column + 2) * n_channels]
            here = best[column * n_channels : (column + 1) * n_channels]
            for c in range(n_channels):
                here[c] = max(left[c], right[c])
        for i in range(length_out):
            chosen[i] = _write(best[i] * signs[i], chosen[i])
        for i in range(length_out):
            out[i] = _write(max(best[i] * scales[i] + shifts[i], np.float32(0)), out[i])


@compiled
def _gradient_sums(gradient, x, scale, shift, mean):
    """For each channel the sum of the gradient behind ReLU, and of its product with x less the mean."""
    n_channels = scale.size
    size = TILE * n_channels
    scales, shifts, means = _repeated(scale, TILE), _repeated(shift, TILE), _repeated(mean, TILE)
    sums, products = np.zeros(n_channels), np.zeros(n_channels)
    tile, tile_of_products = np.zeros(size, np.float32), np.zeros(size, np.float32)
    n_tiles = (x.size + size - 1) // size
    for block in range((n_tiles + BLOCK - 1) // BLOCK):
        tile[:] = 0
        tile_of_products[:] = 0
        for t in range(block * BLOCK, min(n_tiles, (block + 1) * BLOCK)):
            part = x[t * size : min(x.size, (t + 1) * size)]
            incoming = gradient[t * size : min(x.size, (t + 1) * size)]
            for i in range(part.size):
                value = _read(part[i])
                passed = _read(incoming[i]) if value * scales[i] + shifts[i] > 0 else np.float32(0)
                tile[i] += passed
                tile_of_products[i] += passed * (value - means[i])
        _add_up(sums, tile, n_channels)
        _add_up(products, tile_of_products, n_channels)
    return sums, products


@compiled
def _propagate(gradient, x, scale, shift, factor, offset, slope, out):
    """out = factor * gradient behind ReLU + offset + slope * x."""
    size = TILE * scale.size
    scales, shifts = _repeated(scale, TILE), _repeated(shift, TILE)
    factors, offsets, slopes = _repeated(factor, TILE), _repeated(offset, TILE), _repeated(slope, TILE)
    for t in range((x.size + size - 1) // size):
        part, to = x[t * size : min(x.size, (t + 1) * size)], out[t * size : min(x.size, (t + 1) * size)]
        incoming = gradient[t * size : min(x.size, (t + 1) * size)]
        for i in range(part.size):
            value = _read(part[i])
            passed = _read(incoming[i]) if value * scales[i] + shifts[i] > 0 else np.float32(0)
            to[i] = _write(factors[i] * passed + offsets[i] + slopes[i] * value, to[i])


@compiled
def _propagate_through_pool(gradient, largest, x, n, height, width, scale, shift, factor, offset, slope, out):
    """The same where only the largest of each four got a gradient: of equal ones the upper, then the left one.

    Loops are many and short of arrays: more arrays than a few, and the compiler no longer uses wide registers.
    """
    n_channels = scale.size
    rows, columns = height // POOL, width // POOL
    length, length_out = width * n_channels, columns * n_channels
    signs, offsets, slopes = _repeated(_signs(scale), width), _repeated(offset, width), _repeated(slope, width)
    scales, shifts, factors = _repeated(scale, columns), _repeated(shift, columns), _repeated(factor, columns)
    upper, passed = np.empty(length, np.float32), np.empty(length_out, np.float32)
    # Columns behind the last whole window get no gradient, hence zeros.
    of_column, of_above = np.zeros(length, np.float32), np.empty(length, np.float32)
    for row in range(n * rows):
        start = (row // rows * height + row % rows * POOL) * length
        above, below = x[start : start + length], x[start + length : start + 2 * length]
        to_above, to_below = out[start : start + length], out[start + length : start + 2 * length]
        incoming = gradient[row * length_out : (row + 1) * length_out]
        chosen = largest[row * length_out : (row + 1) * length_out]
        for i in range(length_out):
            on = _read(chosen[i]) * scales[i] + shifts[i] > 0
            passed[i] = factors[i] * _read(incoming[i]) if on else np.float32(0)
        for i in range(length):
            upper[i] = max(_read(above[i]) * signs[i], _read(below[i]) * signs[i])
        for column in range(columns):
            left = upper[2 * column * n_channels : (2 * column + 1) * n_channels]
            right = upper[(2 * column + 1) * n_channels : (2 * column + 2) * n_channels]
            here = passed[column * n_channels : (column + 1) * n_channels]
            to_left = of_column[2 * column * n_channels : (2 * column + 1) * n_channels]
            to_right = of_column[(2 * column + 1) * n_channels : (2 * column + 2) * n_channels]
            # Read first, chosen from then: a number that is only read where it is wanted costs a jump each.
            for c in range(n_channels):
                share = here[c]
                to_left[c] = share if left[c] >= right[c] else np.float32(0)
            for c in range(n_channels):
                share = here[c]
                to_right[c] = np.float32(0) if left[c] >= right[c] else share
        for i in range(length):
            wins = _read(above[i]) * signs[i] >= _read(below[i]) * signs[i]
            of_above[i] = of_column[i] if wins else np.float32(0)
        for i in range(length):
            to_above[i] = _write(of_above[i] + offsets[i] + slopes[i] * _read(above[i]), to_above[i])
        for i in range(length):
            to_below[i] = _write(of_column[i] - of_above[i] + offsets[i] + slopes[i] * _read(below[i]), to_below[i])
    if height % POOL:
        for image in range(n):
            start = (image * height + height - 1) * length
            last, to_last = x[start : start + length], out[start : start + length]
            for i in range(length):
                to_last[i] = _write(offsets[i] + slopes[i] * _read(last[i]), to_last[i])


@compiled
def _drop(x, rate, factor, key, other_key, y):
    """y = x * factor, or 0 where the upper 24 bits of a hash of the place are below `rate`.

    The hash is `lowbias32` of Wellons ("Prospecting for hash functions", 2018), with a second key between its rounds.
    """
    for i in range(x.size):
        bits = np.uint32(i + key)  # numba computes in 64 bits unless told
        bits = np.uint32((bits ^ (bits >> np.uint32(16))) * np.uint32(0x7FEB352D)) ^ other_key
        bits = np.uint32((bits ^ (bits >> np.uint32(15))) * np.uint32(0x846CA68B))
        bits ^= bits >> np.uint32(16)
        kept = _read(x[i]) * factor if (bits >> np.uint32(8)) >= rate else np.float32(0)
        y[i] = _write(kept, y[i])


def dropout(x: Tensor, rate: float) -> Tensor:
    """As `torch.nn.functional.dropout` in training; which are kept follows from torch's global generator.

    `x`: `(n, channels, height, width)` or `(n, features)`, float32 or bfloat16, in CPU memory.
    """
    if rate == 0:
        return x
    keys = torch.randint(0, 2**32, (2,)).tolist()
    result: Tensor = _Dropout.apply(x, rate, keys)
    return result


class _Dropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, rate: float, keys: list[int]) -> Tensor:
        ctx.rate, ctx.keys = rate, keys
        return _dropped(x, rate, keys)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return _dropped(gradient, ctx.rate, ctx.keys), None, None


def _dropped(values: Tensor, rate: float, keys: list[int]) -> Tensor:
    values = values.contiguous(memory_format=torch.channels_last if values.ndim == 4 else torch.contiguous_format)
    out = torch.empty_like(values)
    factor = 1 / (1 - rate) if rate < 1 else 0.0
    _drop(_flat(values), np.uint32(round(rate * 2**24)), np.float32(factor), *map(np.uint32, keys), _flat(out))
    return out


def norm_relu(x: Tensor, norm: Any, *, pooled: bool) -> Tensor:
    """relu(norm(x)), or relu(maxpool(norm(x))) with a pool of 2×2; in training running statistics move along.

    `x`: `(n, channels, height, width)`, float32 or bfloat16, in CPU memory. The result has its shape, or that with
    `height // 2` and `width // 2` if pooled, and its dtype, and lies in memory as channels_last. `norm` is a
    `torch.nn.BatchNorm2d` or `nas.network.modules.NormInTurn`. It must track running statistics, with a momentum that
    is a number: None, torch's cumulative average, is not computed here.
    Without gradients where `norm` is in evaluation mode.
    """
    if not norm.training:
        return _evaluated(x, norm, pooled)
    if isinstance(norm, torch.nn.BatchNorm2d):
        assert norm.num_batches_tracked is not None
        norm.num_batches_tracked.add_(1)
    result: Tensor = _NormRelu.apply(x, norm.weight, norm.bias, norm, pooled)
    return result


class _NormRelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, norm: Any, pooled: bool) -> Tensor:
        n, channels, height, width = x.shape
        x = x.contiguous(memory_format=torch.channels_last)
        mean, variance = _moments(_flat(x), channels)
        n_pixels = n * height * width
        with torch.no_grad():
            unbiased = variance * (n_pixels / max(1, n_pixels - 1))
            running_mean, running_variance = _running(norm)
            running_mean.lerp_(torch.from_numpy(mean).float(), norm.momentum)
            running_variance.lerp_(torch.from_numpy(unbiased).float(), norm.momentum)
        inverse, gain, scale, shift = _line(norm, mean, variance)
        y = _empty(x, height // POOL, width // POOL) if pooled else torch.empty_like(x)
        chosen = torch.empty_like(y) if pooled else x
        _compute(x, scale, shift, y, chosen, pooled)
        ctx.save_for_backward(x, chosen)
        ctx.numbers = (mean, inverse, gain, scale, shift, pooled, weight is not None)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, chosen = ctx.saved_tensors
        mean, inverse, gain, scale, shift, pooled, affine = ctx.numbers
        n, _, height, width = x.shape
        n_pixels = n * height * width
        incoming = _flat(gradient.to(x.dtype).contiguous(memory_format=torch.channels_last))
        centre = mean.astype(np.float32)
        sums, products = _gradient_sums(incoming, _flat(chosen), scale, shift, centre)
        of_gain = (products - (mean - centre) * sums) * inverse
        # gain * (gradient - mean of gradients - normalised x * mean of gradients times normalised x), as a line in x
        slope = -gain * inverse * of_gain / n_pixels
        offset = -gain * sums / n_pixels - slope * mean
        line = (gain.astype(np.float32), offset.astype(np.float32), slope.astype(np.float32))
        out = torch.empty_like(x)
        if pooled:
            _propagate_through_pool(
                incoming, _flat(chosen), _flat(x), n, height, width, scale, shift, *line, _flat(out)
            )
        else:
            _propagate(incoming, _flat(x), scale, shift, *line, _flat(out))
        if not affine:
            return out, None, None, None, None
        return out, torch.from_numpy(of_gain).float(), torch.from_numpy(sums).float(), None, None


@torch.no_grad()
def _evaluated(x: Tensor, norm: Any, pooled: bool) -> Tensor:
    x = x.contiguous(memory_format=torch.channels_last)
    mean, variance = (running.double().numpy() for running in _running(norm))
    _, _, scale, shift = _line(norm, mean, variance)
    y = _empty(x, x.shape[2] // POOL, x.shape[3] // POOL) if pooled else torch.empty_like(x)
    _compute(x, scale, shift, y, y, pooled)  # what the pool chose is written over: nobody asks for it
    return y


def _running(norm: Any) -> tuple[Tensor, Tensor]:
    """Its running mean and variance, where they are stored; of a norm in turn those of this time."""
    turn = tuple(getattr(norm, "turn", ()))
    return norm.running_mean[turn], norm.running_var[turn]


def _line(norm: Any, mean: Any, variance: Any) -> tuple[Any, Any, Any, Any]:
    """Batch norm as x * scale + shift, in float32; before them 1 / standard deviation, and the scale in float64."""
    inverse = 1 / np.sqrt(variance + norm.eps)
    gain = inverse if norm.weight is None else norm.weight.detach().numpy() * inverse
    offset = -gain * mean if norm.bias is None else norm.bias.detach().numpy() - gain * mean
    return inverse, gain, gain.astype(np.float32), offset.astype(np.float32)


def _compute(x: Tensor, scale: Any, shift: Any, y: Tensor, chosen: Tensor, pooled: bool) -> None:
    """Fills `y`, and `chosen` with what the pool chose."""
    if pooled:
        n, _, height, width = x.shape
        _normalise_and_pool(_flat(x), n, height, width, scale, shift, _flat(y), _flat(chosen))
    else:
        _normalise(_flat(x), scale, shift, _flat(y))


def _empty(like: Tensor, height: int, width: int) -> Tensor:
    shape = (*like.shape[:2], height, width)
    return torch.empty(shape, dtype=like.dtype, memory_format=torch.channels_last)


def _flat(values: Tensor) -> Any:
    """The numbers as they lie in memory, pixel by pixel; bfloat16, which numpy does not have, as its bits."""
    flat = (values.permute(0, 2, 3, 1) if values.ndim == 4 else values).view(-1)  # a view or an error, never a copy
    return flat.view(torch.uint16).numpy() if flat.dtype == torch.bfloat16 else flat.numpy()
