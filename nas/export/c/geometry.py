"""How the C source goes through a convolution: the numbers of its structure, and which function adds its products."""

from math import prod
from typing import NamedTuple

from nas.export.c.operations import Convolution

N_AT_ONCE = 4  # numbers of a row of the output, so that each weight is loaded once for so many
WIDEST_UNROLLED = 7  # kernels that are wider are gone through in a loop


class Window(NamedTuple):
    """What is written out in a function that adds products: one for each of these that a network has."""

    width: int
    stride: int
    dilation: int

    @property
    def function(self) -> str:
        """What it is called."""
        strided = f"_by_{self.stride}" if self.stride > 1 else ""
        return f"row_{self.width}{strided}" + (f"_dilated_{self.dilation}" if self.dilation > 1 else "")


class Geometry(NamedTuple):
    """The same products and sums as the operation's, in the order in which they are quickest to go through.

    `channels`: of one group. `begin` and `end`: the columns of the output whose windows lie within the width, and that
    are computed several at once; none if there are fewer than `N_AT_ONCE`.
    """

    channels: int
    height: int
    width: int
    out_channels: int
    out_height: int
    out_width: int
    kernel_height: int
    kernel_width: int
    stride: int
    dilation: int
    groups: int
    padding: tuple[int, int]
    begin: int
    end: int

    @property
    def window(self) -> Window | None:
        """That of what is computed several at once, if anything is."""
        return Window(self.kernel_width, self.stride, self.dilation) if self.end > self.begin else None

    @property
    def macs(self) -> int:
        """Products, those with padding too."""
        return prod((self.channels, self.out_channels, self.out_height, self.out_width)) * (
            self.kernel_height * self.kernel_width
        )


def geometry_of(op: Convolution) -> Geometry:
    """A window as large as the image is a single row of numbers; where windows are pixels, so is the image.

    So a fully connected layer goes through its input once, and a pixelwise one has a single row of windows.
    """
    (channels, height, width), (out_channels, out_height, out_width) = op.input_shape, op.output_shape
    channels, (kernel_height, kernel_width) = channels // op.groups, op.kernel
    stride, dilation = op.stride, op.dilation
    if not op.is_padded and op.kernel == (height, width) and dilation == 1:
        n = channels * height * width
        channels, height, width, kernel_height, kernel_width, stride = 1, 1, n, 1, n, 1
    elif not op.is_padded and op.kernel == (1, 1) and stride == 1:
        n_pixels = height * width
        height, width, out_height, out_width, dilation = 1, n_pixels, 1, n_pixels, 1
    begin, end = _within(width, out_width, kernel_width, stride, dilation, op.padding[1])
    inside = (begin, end) if end - begin >= N_AT_ONCE and op.output is not None else (0, 0)
    return Geometry(
        *(channels, height, width, out_channels, out_height, out_width),
        *(kernel_height, kernel_width, stride, dilation, op.groups, op.padding),
        *inside,
    )


def _within(width: int, n: int, kernel: int, stride: int, dilation: int, padding: int) -> tuple[int, int]:
    """The first of the `n` columns of the output whose window lies within the width, and the first behind these."""
    first = -(-padding // stride)
    last = (width + padding - (kernel - 1) * dilation - 1) // stride
    return first, min(n, last + 1)
