"""A network in whole numbers, as plain data: what `nas.export.c.reference` computes, and the C source too.

Activations are 8 bits without sign: `real = scale * (number - zero)`, so that an image of bytes is one already and a
ReLU is the lower end of its range. Weights are 8 bits or 4 with sign, symmetric, with one scale an output channel; sums
are 32 bits (Jacob et al. 2018, Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference). Shapes are `(channels, height, width)`; features are `(n, 1, 1)`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from math import frexp, prod
from typing import NamedTuple

from torch import Tensor

from nas.training.recipe import Recipe

LEVELS = 255
WEIGHT_BITS = Recipe.weight_bits  # unless others are asked for
PACKED_BITS, PACKED_ZERO = 4, 8  # of weights of which two are stored in a byte, and what is then added to each
LARGEST_SHIFT = 62
MOST_NUMBERS = 500_000  # computed at once in one layer: they stay in the cache of a core, whatever the size of images
BYTES = {"int8_t": 1, "uint8_t": 1, "int32_t": 4, "float": 4}
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

    @classmethod
    def of_signed(cls, factor: float) -> "Scaling":
        """The nearest one, below 0 too."""
        size = cls.of(abs(factor))
        return cls(-size.multiplier, size.shift) if factor < 0 else size


class Array(NamedTuple):
    """Constants in flash: an array of this C type and name."""

    c_type: str
    name: str
    values: Sequence[float]

    @property
    def n_bytes(self) -> int:
        """What it takes."""
        return BYTES[self.c_type] * len(self.values)


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
        """Whether each number is made of the one in its place, so that it can be written over it."""
        return False

    @property
    def grows(self) -> bool:
        """Whether its last source may lie where its result ends, or begins: see `Concatenation`."""
        return False

    @property
    def n_scratch(self) -> int:
        """Bytes that it needs besides its sources and its result."""
        return 0

    @property
    def called(self) -> "tuple[Operation, ...]":
        """The operations that are called, in order: itself, and others before it."""
        return (self,)

    @property
    def limiting(self) -> "tuple[Scaling, ...]":
        """The factors by which sums are brought to 8 bits."""
        return ()

    @property
    def arrays(self) -> Iterator[Array]:
        """Its constants."""
        yield from ()

    @property
    def n_in(self) -> int:
        return prod(self.input_shape)

    @property
    def n_out(self) -> int:
        return prod(self.output_shape)


@dataclass(frozen=True, eq=False)
class Convolution(Operation):
    """Also a fully connected layer, on 1×1 images, and a batch norm by itself, depthwise 1×1.

    `weights` (int8, `(out, in / groups, height, width)`), `bias` (int32, `(out,)`). Behind it either `scalings`, one a
    channel, and perhaps a `table` for an activation function, or `scales` (float32, `(out,)`) that make scores.
    `shared`: whose weights and table these are; those of that name have them in common. With `weight_bits` of no more
    than 4 they are stored packed, and those of one output channel at a time are unpacked into RAM.
    """

    kernel: tuple[int, int]
    stride: int
    padding: tuple[int, int]
    dilation: int
    groups: int
    shared: str
    weights: Tensor
    bias: Tensor
    before: Coding | None  # of what goes into the table; `output` where there is none
    scalings: tuple[Scaling, ...]
    scales: Tensor
    table: tuple[int, ...] | None
    weight_bits: int = WEIGHT_BITS

    @property
    def is_packed(self) -> bool:
        """Whether two weights are stored in a byte."""
        return self.weight_bits <= PACKED_BITS

    @property
    def n_scratch(self) -> int:
        return self.weights[0].numel() if self.is_packed else 0

    @property
    def in_place(self) -> bool:
        depthwise = self.groups == self.input_shape[0] == self.output_shape[0]
        return depthwise and (self.kernel, self.stride, self.padding) == ((1, 1), 1, (0, 0)) and self.output is not None

    @property
    def limiting(self) -> tuple[Scaling, ...]:
        return self.scalings

    @property
    def is_padded(self) -> bool:
        """Whether windows reach beyond the image."""
        return any(self.padding)

    @property
    def stored_bias(self) -> Tensor:
        """Without padding less what the number that stands for 0 adds to each sum, so that it need not be subtracted.

        No sum of some of the products leaves 32 bits for that: see `nas.export.c.weights.LARGEST_SUM`.
        """
        return self.bias if self.is_padded else self.bias - self.input.zero * self.weights.int().flatten(1).sum(1)

    @property
    def _stored_weights(self) -> Array:
        name, numbers = f"{self.shared}_weights", self.weights.flatten().tolist()
        if not self.is_packed:
            return Array("int8_t", name, numbers)
        halves = [number + PACKED_ZERO for number in numbers] + [0] * (len(numbers) % 2)
        packed = tuple(first | second << PACKED_BITS for first, second in zip(halves[::2], halves[1::2], strict=True))
        return Array("uint8_t", name, packed)

    @property
    def arrays(self) -> Iterator[Array]:
        yield self._stored_weights
        yield Array("int32_t", f"{self.name}_bias", self.stored_bias.tolist())
        if self.before is None:
            yield Array("float", f"{self.name}_scales", self.scales.tolist())
            return
        yield from scaling_arrays(self.name, self.scalings)
        if self.table is not None:
            yield Array("uint8_t", f"{self.shared}_table", self.table)


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

    @property
    def limiting(self) -> tuple[Scaling, ...]:
        return (self.scaling,) if self.output is not None else ()


@dataclass(frozen=True, eq=False)
class MaximumAndAverage(Average):
    """The mean of an image's largest number and its average; `scaling` is of half of 1 / MEAN_STEPS of a level."""


@dataclass(frozen=True, eq=False)
class Blur(Operation):
    """Every `stride`-th pixel of the sums with the weights (1, 2, 1) along each side; beyond the edge the last pixel
    goes on. `window`: of the maxima of so many pixels along each side, 1 or 2. `scaling` is of a sixteenth of a level.
    """

    stride: int
    window: int
    scaling: Scaling

    @property
    def limiting(self) -> tuple[Scaling, ...]:
        return (self.scaling,)


@dataclass(frozen=True, eq=False)
class Shrinking(Operation):
    """Averages over squares of `stride` pixels, cut at the edge, and channels of zeros behind the others."""

    stride: int
    scaling: Scaling  # of 1 / MEAN_STEPS of a level

    @property
    def limiting(self) -> tuple[Scaling, ...]:
        return (self.scaling,)


@dataclass(frozen=True, eq=False)
class Lookup(Operation):
    """A table for each channel, or one for all: the normalisation of images, or an activation function by itself."""

    tables: tuple[tuple[int, ...], ...]

    @property
    def in_place(self) -> bool:
        return True

    @property
    def arrays(self) -> Iterator[Array]:
        yield Array("uint8_t", f"{self.name}_tables", tuple(chain.from_iterable(self.tables)))


@dataclass(frozen=True, eq=False)
class Slopes(Operation):
    """One factor for what is above 0, and one a channel for what is below."""

    above: Scaling
    below: tuple[Scaling, ...]

    @property
    def limiting(self) -> tuple[Scaling, ...]:
        return (self.above, *self.below)

    @property
    def in_place(self) -> bool:
        return True

    @property
    def arrays(self) -> Iterator[Array]:
        return scaling_arrays(self.name, self.below)


@dataclass(frozen=True, eq=False)
class Shuffle(Operation):
    """Channels of `groups` dealt out in turn."""

    groups: int


@dataclass(frozen=True, eq=False)
class Sum(Operation):
    """Two images of one shape, each brought to the scale of the sum; perhaps a `table` behind, as in `Convolution`.

    Their factors are `multipliers / 2 ** shift`, and each sum is rounded once. `shared`: whose table it is.
    """

    shared: str
    second: Coding  # that of the other image
    multipliers: tuple[int, int]
    shift: int
    before: Coding
    table: tuple[int, ...] | None

    @property
    def in_place(self) -> bool:
        return True

    @property
    def arrays(self) -> Iterator[Array]:
        if self.table is not None:
            yield Array("uint8_t", f"{self.shared}_table", self.table)


@dataclass(frozen=True, eq=False)
class Concatenation(Operation):
    """Images one behind the other, each brought to one scale.

    The last one is written first, and from its end on: so it may lie where the result begins or ends, and the result
    grows over it.
    """

    parts: tuple[tuple[int, Coding, Scaling], ...]  # how many numbers, and what they are times

    @property
    def limiting(self) -> tuple[Scaling, ...]:
        return tuple(scaling for _, _, scaling in self.parts)

    @property
    def grows(self) -> bool:
        return True


@dataclass(frozen=True, eq=False)
class Excitation(Operation):
    """Each channel times a number that the means of all channels decide, by two fully connected layers."""

    mean: Average
    squeeze: Convolution
    excite: Convolution
    scaling: Scaling

    @property
    def limiting(self) -> tuple[Scaling, ...]:
        return (self.scaling,)

    @property
    def in_place(self) -> bool:
        return True

    @property
    def n_scratch(self) -> int:
        own = self.squeeze.n_in + self.squeeze.n_out  # what excites lies where the means were
        return own + max(self.squeeze.n_scratch, self.excite.n_scratch)

    @property
    def called(self) -> tuple[Operation, ...]:
        return self.mean, self.squeeze, self.excite, self

    @property
    def arrays(self) -> Iterator[Array]:
        yield from chain(self.squeeze.arrays, self.excite.arrays)


@dataclass(frozen=True, eq=False)
class Scores(Operation):
    """Numbers of 8 bits as the scores that they stand for."""


def scaling_arrays(name: str, scalings: Iterable[Scaling]) -> Iterator[Array]:
    """Multipliers and shifts, one a channel."""
    multipliers, shifts = zip(*((each.multiplier, each.shift) for each in scalings), strict=True)
    yield Array("int32_t", f"{name}_multipliers", multipliers)
    yield Array("uint8_t", f"{name}_shifts", shifts)
