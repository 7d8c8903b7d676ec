"""A network in whole numbers, as plain data: what `nas.export.c.reference` computes, and the C source too.

Activations are 8 bits without sign: `real = scale * (number - zero)`, so that an image of bytes is one already and a
ReLU is the lower end of its range. Weights are 8 bits with sign, symmetric, with one scale an output channel; sums are
32 bits (Jacob et al. 2018, Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference). Shapes are `(channels, height, width)`; features are `(n, 1, 1)`.
"""

from dataclasses import dataclass
from math import frexp, prod

from torch import Tensor

LEVELS = 255
LARGEST_SHIFT = 62
MOST_NUMBERS = 4_000_000  # that are computed at once in one layer, so that large images do not fill the memory
MEAN_STEPS = 256  # an average is rounded to this fraction of a level, before it is brought to its own scale


@dataclass(frozen=True)
class Coding:
    """How 8 bits stand for real numbers; 0 is always one of them, since padding is 0."""

    scale: float
    zero: int

    @classmethod
    def of_range(cls, low: float, high: float) -> "Coding":
        """The coding of a range, widened so that it holds 0; a range of nothing but 0 gets any scale."""
        low, high = min(low, 0.0), max(high, 0.0)
        scale = (high - low) / LEVELS or 1 / LEVELS
        return cls(scale, min(LEVELS, max(0, round(-low / scale))))


@dataclass(frozen=True)
class Scaling:
    """A factor as `multiplier / 2 ** shift`: `multiplier` below 2 ** 31, `shift` from 1 to 62."""

    multiplier: int
    shift: int

    @classmethod
    def of(cls, factor: float) -> "Scaling":
        """The nearest one; factors from 2 ** 30 on, which bring everything to an end of the range, become that."""
        mantissa, exponent = frexp(factor)
        multiplier, shift = round(mantissa * 2**31), 31 - exponent
        if multiplier == 2**31:
            multiplier, shift = 2**30, shift - 1
        if shift < 1:
            return cls(2**31 - 1, 1)
        return cls(multiplier >> max(0, shift - LARGEST_SHIFT), min(shift, LARGEST_SHIFT))


@dataclass(frozen=True, eq=False)
class Operation:
    """One step. Without an `output` coding its results are the scores themselves."""

    name: str
    input_shape: tuple[int, int, int]
    output_shape: tuple[int, int, int]
    input: Coding
    output: Coding | None

    @property
    def in_place(self) -> bool:
        """Whether each number is made of the one in its place."""
        return False

    @property
    def flash(self) -> int:
        """Bytes of constants."""
        return 0

    @property
    def n_in(self) -> int:
        return prod(self.input_shape)

    @property
    def n_out(self) -> int:
        return prod(self.output_shape)


@dataclass(frozen=True, eq=False)
class Convolution(Operation):
    """Also a fully connected layer, on 1×1 images, and a batch norm by itself, depthwise 1×1.

    `weights` (int8, `(out, in / groups, kernel, kernel)`), `bias` (int32, `(out,)`). Behind it either `scalings`, one a
    channel, and perhaps a `table` for an activation function, or `scales` (float32, `(out,)`) that make scores.
    """

    kernel: int
    stride: int
    padding: int
    groups: int
    weights: Tensor
    bias: Tensor
    before: Coding | None  # of what goes into the table; `output` where there is none
    scalings: tuple[Scaling, ...]
    scales: Tensor
    table: tuple[int, ...] | None

    @property
    def in_place(self) -> bool:
        depthwise = self.groups == self.input_shape[0] == self.output_shape[0]
        return depthwise and (self.kernel, self.stride, self.padding) == (1, 1, 0) and self.output is not None

    @property
    def flash(self) -> int:
        a_channel = 4 + (4 if self.output is None else 5)  # bias, and a float, or a multiplier and a shift
        return self.weights.numel() + a_channel * self.output_shape[0] + (256 if self.table is not None else 0)


@dataclass(frozen=True, eq=False)
class Maximum(Operation):
    """The maximum over a window; what is padded does not count."""

    kernel: int
    stride: int
    padding: int


@dataclass(frozen=True, eq=False)
class Average(Operation):
    """The mean over a window, what is padded counting as 0; with a kernel of 0, over equal parts of the image."""

    kernel: int
    stride: int
    padding: int
    scaling: Scaling  # of 1 / MEAN_STEPS of a level
    scale: float  # the same, for scores


@dataclass(frozen=True, eq=False)
class Lookup(Operation):
    """A table for each channel, or one for all: the normalisation of images, or an activation function by itself."""

    tables: tuple[tuple[int, ...], ...]

    @property
    def in_place(self) -> bool:
        return True

    @property
    def flash(self) -> int:
        return 256 * len(self.tables)


@dataclass(frozen=True, eq=False)
class Scores(Operation):
    """Numbers of 8 bits as the scores that they stand for."""


@dataclass(frozen=True, eq=False)
class Program:
    """The operations in order, from an image of bytes to scores."""

    operations: tuple[Operation, ...]
    n_classes: int

    @property
    def flash(self) -> int:
        """Bytes of weights and tables."""
        return sum(operation.flash for operation in self.operations)

    @property
    def ram(self) -> int:
        """Bytes of the buffer that all activations share."""
        return max((n for n, _ in self._needs()), default=0)

    def places(self) -> list[int | None]:
        """For each operation where in the buffer its output begins; None for scores.

        Outputs lie at the front and at the back in turn, so that an operation's input and output never overlap.
        """
        places: list[int | None] = []
        for operation, (_, at_back) in zip(self.operations, self._needs(), strict=True):
            size = operation.n_out
            places.append(None if operation.output is None else (self.ram - size) * at_back)
        return places

    def _needs(self) -> list[tuple[int, bool]]:
        """For each operation the bytes it needs at once, and whether its output lies at the back."""
        needs: list[tuple[int, bool]] = []
        held, at_back = 0, True  # the image is the caller's
        for operation in self.operations:
            added = operation.n_out if operation.output is not None else 0
            if operation.in_place and held:
                needs.append((held, at_back))
                continue
            at_back = not at_back
            needs.append((held + added, at_back))
            held = added
        return needs
