"""Kinds of layers that hold others: what branches, what is added to its input, what is used several times.

Each states as a kind does (`nas.network.kinds`), and besides the chains of layers that it holds. What it becomes is a
torch module of `nas.network.modules`, whose source an exported file gets. Blocks may hold blocks, to any depth.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil, prod
from typing import Literal, get_args

from nas.errors import ArchitectureError
from nas.network.kinds import (
    Activation,
    ActivationKind,
    BatchNorm,
    Constructor,
    Conv,
    DepthwiseConv,
    Free,
    Layers,
    LayerSpec,
    Part,
    Shape,
    at_least,
    image,
    shape_behind,
)

Shortcut = Literal["conv", "pool"]
Join = Literal["concat", "add"]
Gate = Literal["sigmoid", "hardsigmoid"]


@dataclass(frozen=True)
class Block(Free):
    """A layer that holds chains of layers; without parameters and products of its own."""

    opens_a_line = True


@dataclass(frozen=True)
class Residual(Block):
    """`body` of the input, added to the input (He et al. 2016, "Deep Residual Learning for Image Recognition").

    Where the body changes the shape, the input is brought to it by the `shortcut`: "conv", a 1×1 convolution with batch
    norm, or "pool", averages over as many pixels as the body strides, and channels of zeros, which costs nothing.
    """

    kind = "residual"
    label = "res"
    chains = ("body",)
    body: Layers  # layers whose result is added to their input
    shortcut: Shortcut = "conv"  # where the body changes the shape: conv or pool

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of(self, "shortcut", get_args(Shortcut))

    def output_shape(self, shape: Shape) -> Shape:
        after = shape_behind(self.body, image(self, shape), "body")
        self._stride(shape, after)
        return after

    def parts(self, shape: Shape) -> dict[str, Layers]:
        after = self.output_shape(shape)
        if after == shape:
            return {"body": self.body}
        stride = self._stride(shape, after)
        if self.shortcut == "conv":
            return {"body": self.body, "shortcut": (Conv(after[0], 1, stride, bias=False), BatchNorm())}
        return {"body": self.body, "shortcut": (PaddedShortcut(after[0], stride),)}

    def keeps_input(self, part: str, shape: Shape) -> bool:
        return part == "body"

    def n_live(self, shape: Shape, peaks: Mapping[str, int], kept: bool) -> int:
        """The input lives until it is added, or until the shortcut has read it."""
        n_in, n_out = prod(shape), prod(self.output_shape(shape))
        if "shortcut" not in peaks:
            return max(peaks["body"], n_out + n_in)
        return max(peaks["body"], n_out + peaks["shortcut"], 2 * n_out + n_in * kept)

    def constructor(self, shape: Shape) -> Constructor:
        return Constructor("Residual", tuple(map(Part, self.parts(shape))), of_torch=False)

    def describe(self) -> str:
        return f"res[{in_words(self.body)}]"

    def _stride(self, shape: Shape, after: Shape) -> int:
        """By how much the body strides; raises `ArchitectureError` where no shortcut has the shape of the body."""
        fits = len(after) == 3 and (self.shortcut == "conv" or after[0] >= shape[0])
        for stride in range(1, max(shape[1:]) + 1):
            if fits and after[1:] == tuple(ceil(size / stride) for size in shape[1:]):
                return stride
        raise ArchitectureError(
            f"what is added must have one shape, but the body of {self.describe()} makes {after} of {shape}, which no "
            f"shortcut of the kind {self.shortcut!r} does: pad its convolutions, or stride both directions alike"
        )


@dataclass(frozen=True)
class PaddedShortcut(Free):
    """Averages over squares of `stride` pixels, and channels of zeros up to `channels`: a shortcut without weights."""

    kind = "padded_shortcut"
    label = "pad"
    channels: int  # that come out, at least those that go in
    stride: int = 1  # pixels along each side of the squares

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, 1, "channels", "stride")

    def output_shape(self, shape: Shape) -> Shape:
        channels, height, width = image(self, shape)
        if self.channels < channels:
            raise ArchitectureError(f"{self.describe()} adds channels, but got {channels}: ask for as many at least")
        return self.channels, ceil(height / self.stride), ceil(width / self.stride)

    def constructor(self, shape: Shape) -> Constructor:
        return Constructor("Padded", (self.stride, self.channels - shape[0]), of_torch=False)

    def describe(self) -> str:
        return f"zeros to {self.channels}" + f" s{self.stride}" * (self.stride > 1)


@dataclass(frozen=True)
class Parallel(Block):
    """Several branches on the same input, joined: "concat" channel behind channel, or "add"."""

    kind = "parallel"
    label = "branch"
    chains = ("branches",)
    branches: tuple[Layers, ...]  # chains of layers, two or more, each of which gets the input
    join: Join = "concat"  # concat or add

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of(self, "join", get_args(Join))
        if len(self.branches) < 2:
            raise ArchitectureError(f"a parallel needs two branches or more, but got {len(self.branches)}")

    def output_shape(self, shape: Shape) -> Shape:
        image(self, shape)
        shapes = [shape_behind(chain, shape, name) for name, chain in self.parts(shape).items()]
        alike = {after if self.join == "add" else after[1:] for after in shapes}
        if len(alike) > 1 or len(shapes[0]) != 3:
            raise ArchitectureError(
                f"branches that are joined by {self.join} must end in images of one shape"
                f"{' but for their channels' * (self.join == 'concat')}, but these end in "
                f"{', '.join(map(str, shapes))}: pad or stride them alike"
            )
        channels = sum(after[0] for after in shapes) if self.join == "concat" else shapes[0][0]
        return channels, *shapes[0][1:]

    def parts(self, shape: Shape) -> dict[str, Layers]:
        return {str(i): branch for i, branch in enumerate(self.branches)}

    def keeps_input(self, part: str, shape: Shape) -> bool:
        return int(part) < len(self.branches) - 1

    def n_live(self, shape: Shape, peaks: Mapping[str, int], kept: bool) -> int:
        """The input lives until the last branch has read it; results wait for the others, or are added at once."""
        waiting, most = 0, 0
        for part, chain in self.parts(shape).items():
            size = prod(shape_behind(chain, shape, part))
            most = max(most, waiting + peaks[part])
            still_there = prod(shape) if kept or self.keeps_input(part, shape) else 0
            waiting += size
            most = max(most, still_there + waiting)
            if self.join == "add":
                waiting = size
        if self.join == "concat":
            most = max(most, prod(shape) * kept + 2 * waiting)
        return most

    def constructor(self, shape: Shape) -> Constructor:
        name = "Concatenated" if self.join == "concat" else "Added"
        return Constructor(name, (tuple(map(Part, self.parts(shape))),), of_torch=False)

    def describe(self) -> str:
        sign = " | " if self.join == "concat" else " + "
        return f"[{sign.join(map(in_words, self.branches))}]"


@dataclass(frozen=True)
class Repeat(Block):
    """`body` applied `times` times with the same weights: counted once in parameters and bytes, each time in MACs.

    Under a limit on parameters that is the cheapest depth there is (Savarese and Maire 2019, "Learning Implicitly
    Recurrent CNNs Through Parameter Sharing"). The body must keep the shape. Only the statistics of batch norm, which
    are not trained, are of each time (Liao and Poggio 2016, "Bridging the Gaps Between Residual Learning, Recurrent
    Neural Networks and Visual Cortex"): with those of all times together, three uses of a separable convolution had
    13 % of digits right where it had 94 % while it was trained.
    """

    kind = "repeat"
    label = "rep"
    chains = ("body",)
    body: Layers  # layers that are applied again and again
    times: int = 2  # how often

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, 1, "times")

    def output_shape(self, shape: Shape) -> Shape:
        after = shape_behind(self.body, shape, "body")
        if self.times > 1 and after != shape:
            raise ArchitectureError(
                f"what is repeated must keep the shape, but the body of {self.describe()} makes {after} of {shape}: "
                "pad its convolutions, and give them the channels they get"
            )
        return after

    def parts(self, shape: Shape) -> dict[str, Layers]:
        return {"body": self.body}

    @property
    def n_uses(self) -> int:
        return self.times

    def n_live(self, shape: Shape, peaks: Mapping[str, int], kept: bool) -> int:
        """That of the first time; `nas.network.architecture` looks at the others."""
        return peaks["body"]

    def constructor(self, shape: Shape) -> Constructor:
        return Constructor("Repeated", (Part("body"), self.times), of_torch=False)

    def repeated_constructor(self, shape: Shape, times: tuple[int, ...]) -> Constructor:
        return Constructor("Repeated", (Part("body"), self.times), {"level": len(times)}, of_torch=False)

    def describe(self) -> str:
        return f"{self.times}×[{in_words(self.body)}]"


@dataclass(frozen=True)
class SqueezeExcite(LayerSpec):
    """Each channel times a number that the means of all channels decide (Hu et al. 2018, "Squeeze-and-Excitation").

    `ratio`: channels to hidden numbers.
    """

    kind = "squeeze_excite"
    label = "se"
    in_place = True
    ratio: int = 4  # channels to hidden numbers
    gate: Gate = "sigmoid"  # what makes factors of numbers: sigmoid or hardsigmoid

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, 1, "ratio")
        one_of(self, "gate", get_args(Gate))

    def output_shape(self, shape: Shape) -> Shape:
        return image(self, shape)

    def hidden(self, shape: Shape) -> int:
        """Numbers between squeezing and exciting."""
        return max(1, shape[0] // self.ratio)

    def params(self, shape: Shape) -> int:
        return 2 * shape[0] * self.hidden(shape) + self.hidden(shape) + shape[0]

    def macs(self, shape: Shape) -> int:
        return 2 * shape[0] * self.hidden(shape)

    def n_scratch(self, shape: Shape) -> int:
        return shape[0] + self.hidden(shape)

    def constructor(self, shape: Shape) -> Constructor:
        return Constructor("SqueezeExcite", (shape[0], self.hidden(shape)), {"gate": self.gate}, of_torch=False)

    def describe(self) -> str:
        return f"squeeze-excite 1/{self.ratio}" + " hard" * (self.gate == "hardsigmoid")


@dataclass(frozen=True)
class ChannelShuffle(Free):
    """Channels of `groups` dealt out in turn (Zhang et al. 2018, "ShuffleNet")."""

    kind = "channel_shuffle"
    label = "shuffle"
    groups: int = 2  # that are dealt out; they divide the channels

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, 1, "groups")

    def output_shape(self, shape: Shape) -> Shape:
        if image(self, shape)[0] % self.groups:
            raise ArchitectureError(
                f"groups must divide the channels, but {self.describe()} got {shape[0]} channels: change groups"
            )
        return shape

    def constructor(self, shape: Shape) -> Constructor:
        return Constructor("ChannelShuffle", (self.groups,))

    def describe(self) -> str:
        return f"shuffle g{self.groups}"


@dataclass(frozen=True)
class ChannelScale(LayerSpec):
    """Each channel times a learned number (Touvron et al. 2021, "Going deeper with Image Transformers", LayerScale)."""

    kind = "channel_scale"
    label = "scale"
    in_place = True
    start: float = 1.0  # the factor of each channel before the training

    def output_shape(self, shape: Shape) -> Shape:
        return image(self, shape)

    def params(self, shape: Shape) -> int:
        return shape[0]

    def macs(self, shape: Shape) -> int:
        return 0

    def constructor(self, shape: Shape) -> Constructor:
        return Constructor("ChannelScale", (shape[0],), {"start": self.start}, of_torch=False)

    def describe(self) -> str:
        return "channel scale"


@dataclass(frozen=True)
class PReLU(LayerSpec):
    """ReLU with a learned slope below zero for each channel (He et al. 2015, "Delving Deep into Rectifiers")."""

    kind = "prelu"
    label = "act"
    in_place = True
    start: float = 0.25  # the slope of each channel before the training

    def output_shape(self, shape: Shape) -> Shape:
        return shape

    def params(self, shape: Shape) -> int:
        return shape[0]

    def macs(self, shape: Shape) -> int:
        return 0

    def constructor(self, shape: Shape) -> Constructor:
        return Constructor("PReLU", (shape[0],), {"init": self.start})

    def describe(self) -> str:
        return "prelu"


def inverted_bottleneck(
    channels: int,
    expand: int,
    kernel: int = 3,
    stride: int = 1,
    *,
    squeeze: int = 0,
    function: ActivationKind = "relu",
) -> Layers:
    """Expanded to `expand` channels, filtered depthwise, projected (Sandler et al. 2018, "MobileNetV2"); no shortcut.

    `squeeze`: ratio of a squeeze-excite behind the depthwise convolution, 0 for none. Within a `Residual` it is the
    whole block.
    """
    excite = (SqueezeExcite(squeeze),) if squeeze else ()
    return (
        *(Conv(expand, 1, bias=False), BatchNorm(), Activation(function)),
        *(DepthwiseConv(kernel, stride, kernel // 2, bias=False), BatchNorm(), Activation(function)),
        *(*excite, Conv(channels, 1, bias=False), BatchNorm()),
    )


def in_words(chain: Layers) -> str:
    """A chain in one line, without what goes without saying."""
    return ", ".join(_described(chain))


def _described(chain: Layers) -> Iterator[str]:
    return (spec.describe() for spec in chain if not spec.goes_without_saying)


def one_of(spec: LayerSpec, name: str, choices: tuple[str, ...]) -> None:
    """Raises `ArchitectureError` unless a value is one of these."""
    if getattr(spec, name) not in choices:
        raise ArchitectureError(
            f"{name} of {spec.kind} must be one of {', '.join(choices)}, but got {getattr(spec, name)!r}"
        )
