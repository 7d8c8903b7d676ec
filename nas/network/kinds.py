"""The kinds of layers. Each is one class, which states all there is to know of it, once.

A kind says what comes out of it, what it costs, the torch module that it becomes, and how it is written in a table and
in an exported file; the module and the exported source are made from the same statement of constructor arguments. So
whoever adds a kind adds a class here, and everything else (JSON, counting, building, tables, exports to Python, ONNX
and torch) knows it. C needs a class of its own for a kind that is not element-wise: `nas.export.c.stages`.

Shapes are `(channels, height, width)` up to the flattening and `(features,)` after it; the batch is left out.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from math import prod
from typing import Any, ClassVar, Literal, get_args

from nas.errors import ArchitectureError

Shape = tuple[int, ...]
ActivationKind = Literal["relu", "leaky_relu", "elu", "gelu", "silu", "hardswish"]
NEVER_FALLING = ("relu", "leaky_relu")  # of these functions

KINDS: dict[str, type["LayerSpec"]] = {}  # by the name in JSON; a class is entered when it is defined


@dataclass(frozen=True)
class Part:
    """In the place of a constructor's argument: the chain of layers that a block holds under this name."""

    name: str


Size = int | tuple[int, int]  # one number for height and width, or one for each
Argument = int | float | str | Part | tuple[Part, ...] | tuple[int, ...]
LATER: Mapping[str, bool] = {
    "left out of JSON at its default": True
}  # of a field: networks from before keep their digest


@dataclass(frozen=True)
class Constructor:
    """The call that makes a torch module, as plain data: counting needs no torch.

    `nn.NAME(*arguments, **options)`, or, where it is not `of_torch`, a class of `nas.network.modules`.
    """

    name: str
    arguments: tuple[Argument, ...] = ()
    options: Mapping[str, int | float | str | tuple[int, ...]] = field(default_factory=dict)
    of_torch: bool = True


@dataclass(frozen=True)
class LayerSpec(ABC):
    """One layer as asked for; its input shape is known only once the architecture is walked.

    A class that has a `kind` is entered into `KINDS`; Python refuses to define one that forgets to state something.
    """

    kind: ClassVar[str]  # the name in JSON
    label: ClassVar[str]  # the stem of the layer's name in a module: label `conv` gives conv1, conv2, ...
    in_place: ClassVar[bool] = False  # writes its result over its input, in any sensible run-time
    elementwise: ClassVar[bool] = False  # each number of the result is made of the one in its place, by one function
    idle_in_use: ClassVar[bool] = False  # once trained it changes no number, at most their shape
    opens_a_line: ClassVar[bool] = False  # in the forward() of an exported file
    chains: ClassVar[tuple[str, ...]] = ()  # fields that hold layers, in a chain or in several

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "kind" not in cls.__dict__:
            return
        for name in (*STATEMENTS, *(OF_BLOCKS if cls.chains else ())):
            if getattr(cls, name) is getattr(LayerSpec, name):
                raise TypeError(f"a kind of layer must state its {name}, but {cls.__name__} does not")
        if cls.kind in KINDS:
            raise TypeError(f"a kind of layer must have a name of its own, but {cls.kind!r} is taken")
        KINDS[cls.kind] = cls

    def __post_init__(self) -> None:
        for each in fields(self):
            if each.name in self.chains:
                _check_chains(self, each.name)
            else:
                _check_type(self, each.name, each.type)

    @abstractmethod
    def output_shape(self, shape: Shape) -> Shape:
        """The shape after this layer; raises `ArchitectureError` where it cannot be applied to `shape`."""

    @abstractmethod
    def params(self, shape: Shape) -> int:
        """Trainable parameters, for an input of this shape."""

    @abstractmethod
    def macs(self, shape: Shape) -> int:
        """Multiply-accumulates for one image of this shape, as torch's `FlopCounterMode` counts them."""

    @abstractmethod
    def constructor(self, shape: Shape) -> Constructor:
        """The torch module that it becomes, for an input of this shape."""

    def repeated_constructor(self, shape: Shape, times: tuple[int, ...]) -> Constructor:
        """The same within blocks that apply it so many times each, the outermost first."""
        return self.constructor(shape)

    @abstractmethod
    def describe(self) -> str:
        """The layer in a few characters, as in a table."""

    def statistics(self, shape: Shape) -> int:
        """Numbers that are stored beside the parameters, and not trained; for each time that it is applied."""
        return 0

    def applied(self, values: str) -> str | None:
        """The Python expression that applies it without a module, to those of the name `values`; None: it has one."""
        return None

    @property
    def family(self) -> str:
        """What layers of its sort are called where several are counted together."""
        return self.describe()

    @property
    def goes_without_saying(self) -> bool:
        """Whether the description of a whole network leaves it out."""
        return False

    @property
    def drops(self) -> bool:
        """Whether it, or a layer in it, drops anything in training, so that a schedule of dropout rates matters."""
        return any(spec.drops for spec in self.held)

    # What a block states besides. A block is a layer that holds chains of others.

    def parts(self, shape: Shape) -> "dict[str, Layers]":
        """The chains that it holds, for an input of this shape; each gets that very input. None in a plain layer."""
        return {}

    def keeps_input(self, part: str, shape: Shape) -> bool:
        """Whether the input must still be there when this part has been computed."""
        return False

    def n_live(self, shape: Shape, peaks: Mapping[str, int], kept: bool) -> int:
        """Most numbers of activations at once, given those of each part; `kept`: the input must outlive all of them."""
        return max(peaks.values())

    def n_scratch(self, shape: Shape) -> int:
        """Numbers that a plain layer needs besides its input and its output while it is computed."""
        return 0

    @property
    def n_uses(self) -> int:
        """How often its parts are applied."""
        return 1

    @property
    def held(self) -> "tuple[LayerSpec, ...]":
        """All layers directly in its chains, whatever the shape."""
        values = [getattr(self, name) for name in self.chains]
        return tuple(
            spec for value in values for item in value for spec in (item if isinstance(item, tuple) else (item,))
        )


Layers = tuple[LayerSpec, ...]


OF_BLOCKS = ("parts", "n_live")
STATEMENTS = tuple(sorted(LayerSpec.__abstractmethods__))


@dataclass(frozen=True)
class _Window(LayerSpec):
    """A window that slides over height and width."""

    opens_a_line = True

    def _slide(self, shape: Shape, kernel: Size, stride: int, padding: Size, dilation: int = 1) -> tuple[int, int]:
        sizes = image(self, shape)[1:]
        spans = [dilation * (size - 1) + 1 for size in pair(kernel)]
        padded = [size + 2 * by for size, by in zip(sizes, pair(padding), strict=True)]
        if any(span > size for span, size in zip(spans, padded, strict=True)):
            raise ArchitectureError(
                f"a window must fit into its input, but {self.describe()} got {sizes[0]}×{sizes[1]}: "
                "use a smaller kernel, padding, or fewer layers before it"
            )
        height, width = ((size - span) // stride + 1 for size, span in zip(padded, spans, strict=True))
        return height, width


@dataclass(frozen=True)
class Conv(_Window):
    """A two-dimensional convolution; `kernel` and `padding` are one number, or one for height and one for width."""

    kind = "conv"
    label = "conv"
    channels: int  # that come out
    kernel: Size = 3  # pixels: one number, or one for height and one for width
    stride: int = 1  # pixels from one window to the next, in both directions
    padding: Size = 0  # pixels of zeros on each side: one number, or one above and below and one left and right
    groups: int = 1  # of channels that are convolved by themselves
    bias: bool = True  # whether a number is added to each channel; not needed before batch norm
    dilation: int = field(default=1, metadata=LATER)  # pixels between two weights of the kernel

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, 1, "channels", "kernel", "stride", "groups", "dilation")
        at_least(self, 0, "padding")

    def output_shape(self, shape: Shape) -> Shape:
        channels = image(self, shape)[0]
        if channels % self.groups or self.channels % self.groups:
            raise ArchitectureError(
                f"groups must divide the channels in and out, but {self.describe()} got {channels} channels: "
                "change groups or channels"
            )
        return (self.channels, *_convolved(self, shape))

    def params(self, shape: Shape) -> int:
        return self._weights(shape) + self.bias * self.channels

    def macs(self, shape: Shape) -> int:
        return self._weights(shape) * prod(self.output_shape(shape)[1:])

    def constructor(self, shape: Shape) -> Constructor:
        return _convolution(self, shape, self.channels, self.groups)

    def describe(self) -> str:
        groups = f" g{self.groups}" * (self.groups > 1)
        return f"conv {sides(self.kernel)} {self.channels}{_unusual(self)}{groups}"

    @property
    def family(self) -> str:
        return f"convolution {sides(self.kernel)}"

    def _weights(self, shape: Shape) -> int:
        return self.channels * (shape[0] // self.groups) * _area(self)


@dataclass(frozen=True)
class DepthwiseConv(_Window):
    """A convolution of each channel by itself: as many groups and output channels as input channels."""

    kind = "depthwise_conv"
    label = "depthwise"
    kernel: Size = 3  # pixels: one number, or one for height and one for width
    stride: int = 1  # pixels from one window to the next, in both directions
    padding: Size = 0  # pixels of zeros on each side: one number, or one above and below and one left and right
    bias: bool = True  # whether a number is added to each channel; not needed before batch norm
    dilation: int = field(default=1, metadata=LATER)  # pixels between two weights of the kernel

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, 1, "kernel", "stride", "dilation")
        at_least(self, 0, "padding")

    def output_shape(self, shape: Shape) -> Shape:
        return (image(self, shape)[0], *_convolved(self, shape))

    def params(self, shape: Shape) -> int:
        return shape[0] * (_area(self) + self.bias)

    def macs(self, shape: Shape) -> int:
        return _area(self) * prod(self.output_shape(shape))

    def constructor(self, shape: Shape) -> Constructor:
        return _convolution(self, shape, shape[0], shape[0])

    def describe(self) -> str:
        return f"depthwise {sides(self.kernel)}{_unusual(self)}"


def _convolved(spec: Conv | DepthwiseConv, shape: Shape) -> tuple[int, int]:
    return spec._slide(shape, spec.kernel, spec.stride, spec.padding, spec.dilation)


def _convolution(spec: Conv | DepthwiseConv, shape: Shape, channels: int, groups: int) -> Constructor:
    options = {"stride": spec.stride, "padding": spec.padding, "groups": groups, "bias": spec.bias}
    return Constructor("Conv2d", (shape[0], channels, spec.kernel), {**options, "dilation": spec.dilation})


def _area(spec: Conv | DepthwiseConv) -> int:
    return prod(pair(spec.kernel))


def _unusual(spec: Conv | DepthwiseConv) -> str:
    """In words, what is not as in most."""
    padding = sides(spec.padding) if isinstance(spec.padding, tuple) else spec.padding
    words = [f" s{spec.stride}"] * (spec.stride > 1) + [f" p{padding}"] * (spec.padding != 0)
    return "".join([*words, *[f" d{spec.dilation}"] * (spec.dilation > 1)])


@dataclass(frozen=True)
class Free(LayerSpec):
    """A layer without weights and products."""

    def params(self, shape: Shape) -> int:
        return 0

    def macs(self, shape: Shape) -> int:
        return 0


@dataclass(frozen=True)
class BatchNorm(LayerSpec):
    """Batch normalisation over channels (or features), with or without a learned scale and shift."""

    kind = "batch_norm"
    label = "norm"
    in_place = True
    affine: bool = True  # whether scale and shift are learned

    def output_shape(self, shape: Shape) -> Shape:
        return shape

    def params(self, shape: Shape) -> int:
        return 2 * self.affine * shape[0]

    def macs(self, shape: Shape) -> int:
        return 0

    def statistics(self, shape: Shape) -> int:
        return 2 * shape[0]

    def constructor(self, shape: Shape) -> Constructor:
        name = "BatchNorm2d" if len(shape) == 3 else "BatchNorm1d"
        return Constructor(name, (shape[0],), {"affine": self.affine})

    def repeated_constructor(self, shape: Shape, times: tuple[int, ...]) -> Constructor:
        """With statistics of its own each time: those of one time are far from those of the next."""
        return Constructor("NormInTurn", (shape[0], times), {"affine": self.affine}, of_torch=False)

    def describe(self) -> str:
        return "batch norm" if self.affine else "batch norm (not affine)"

    @property
    def goes_without_saying(self) -> bool:
        return True


@dataclass(frozen=True)
class Activation(Free):
    """An element-wise activation function."""

    kind = "activation"
    label = "act"
    in_place = True
    elementwise = True
    function: ActivationKind = "relu"  # of each number: relu, leaky_relu, elu, gelu, silu or hardswish

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.function not in get_args(ActivationKind):
            raise ArchitectureError(
                f"an activation must be one of {', '.join(get_args(ActivationKind))}, but got {self.function!r}"
            )

    def output_shape(self, shape: Shape) -> Shape:
        return shape

    def constructor(self, shape: Shape) -> Constructor:
        modules = {"relu": "ReLU", "leaky_relu": "LeakyReLU", "elu": "ELU", "gelu": "GELU", "silu": "SiLU"}
        return Constructor(modules.get(self.function, "Hardswish"))

    def applied(self, values: str) -> str | None:
        return f"F.{self.function}({values})"

    def describe(self) -> str:
        return self.function

    @property
    def goes_without_saying(self) -> bool:
        return self.function == "relu"

    @property
    def never_falls(self) -> bool:
        """Whether the larger of two numbers stays the larger one, or as large."""
        return self.function in NEVER_FALLING


@dataclass(frozen=True)
class _Pool(Free, _Window):
    label = "pool"
    kernel: int = 2  # pixels along each side of the window
    stride: int = 0  # 0: as the kernel; a stride that is the kernel becomes 0, so that equal pools are equal
    padding: int = 0  # pixels on each side, at most half the kernel

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, 1, "kernel")
        at_least(self, 0, "stride", "padding")
        if self.padding > self.kernel // 2:
            raise ArchitectureError(
                f"padding of a pool must be at most half its kernel, but got {self.padding=} and {self.kernel=}"
            )
        if self.stride == self.kernel:
            object.__setattr__(self, "stride", 0)

    @property
    def step(self) -> int:
        """The stride in pixels, resolved."""
        return self.stride or self.kernel

    def output_shape(self, shape: Shape) -> Shape:
        return (image(self, shape)[0], *self._slide(shape, self.kernel, self.step, self.padding))

    def _pooling(self, name: str) -> Constructor:
        stride = {"stride": self.stride} if self.stride else {}  # torch takes the kernel's unless told
        return Constructor(name, (self.kernel,), {**stride, "padding": self.padding})


@dataclass(frozen=True)
class MaxPool(_Pool):
    """The maximum over a square window."""

    kind = "max_pool"

    def constructor(self, shape: Shape) -> Constructor:
        return self._pooling("MaxPool2d")

    def describe(self) -> str:
        return f"max pool {self.kernel}×{self.kernel}"


@dataclass(frozen=True)
class AvgPool(_Pool):
    """The mean over a square window (padding counts as zeros)."""

    kind = "avg_pool"

    def constructor(self, shape: Shape) -> Constructor:
        return self._pooling("AvgPool2d")

    def describe(self) -> str:
        return f"average pool {self.kernel}×{self.kernel}"


@dataclass(frozen=True)
class AdaptiveAvgPool(Free):
    """The mean over as many equal parts of the image as asked: `size` by `size`. Size 1 is global average pooling."""

    kind = "adaptive_avg_pool"
    label = "pool"
    opens_a_line = True
    size: int = 1  # parts along each side, which are the pixels that come out

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, 1, "size")

    def output_shape(self, shape: Shape) -> Shape:
        return (image(self, shape)[0], self.size, self.size)

    def constructor(self, shape: Shape) -> Constructor:
        return Constructor("AdaptiveAvgPool2d", (self.size,))

    def describe(self) -> str:
        return "global average pool" if self.size == 1 else f"adaptive average pool to {self.size}×{self.size}"


@dataclass(frozen=True)
class _Dropout(Free):
    label = "dropout"
    in_place = True
    idle_in_use = True
    rate: float = 0.1  # share that is zeroed, from 0 to below 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 <= self.rate < 1.0:
            raise ArchitectureError(f"a dropout rate must be at least 0 and below 1, but got {self.rate}")

    @property
    def drops(self) -> bool:
        return self.rate > 0


@dataclass(frozen=True)
class Dropout(_Dropout):
    """Zeroes single elements while training."""

    kind = "dropout"

    def output_shape(self, shape: Shape) -> Shape:
        return shape

    def constructor(self, shape: Shape) -> Constructor:
        return Constructor("Dropout", (self.rate,))

    def describe(self) -> str:
        return f"dropout {self.rate:g}"


@dataclass(frozen=True)
class Dropout2d(_Dropout):
    """Zeroes whole channels while training."""

    kind = "dropout2d"

    def output_shape(self, shape: Shape) -> Shape:
        return image(self, shape)

    def constructor(self, shape: Shape) -> Constructor:
        return Constructor("Dropout2d", (self.rate,))

    def describe(self) -> str:
        return f"dropout2d {self.rate:g}"


@dataclass(frozen=True)
class Flatten(Free):
    """`(channels, height, width)` to `(features,)`."""

    kind = "flatten"
    label = "flatten"
    in_place = True
    idle_in_use = True
    opens_a_line = True

    def output_shape(self, shape: Shape) -> Shape:
        channels, height, width = image(self, shape)
        return (channels * height * width,)

    def constructor(self, shape: Shape) -> Constructor:
        return Constructor("Flatten")

    def applied(self, values: str) -> str | None:
        return f"{values}.flatten(1)"

    def describe(self) -> str:
        return "flatten"

    @property
    def goes_without_saying(self) -> bool:
        return True


@dataclass(frozen=True)
class Linear(LayerSpec):
    """A fully connected layer on a flattened input."""

    kind = "linear"
    label = "fc"
    opens_a_line = True
    features: int  # that come out
    bias: bool = True  # whether a number is added to each feature

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, 1, "features")

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 1:
            raise ArchitectureError(
                f"{self.describe()} needs a flattened input, but got {shape}: put Flatten() before it"
            )
        return (self.features,)

    def params(self, shape: Shape) -> int:
        return (shape[0] + self.bias) * self.features

    def macs(self, shape: Shape) -> int:
        return shape[0] * self.features

    def constructor(self, shape: Shape) -> Constructor:
        return Constructor("Linear", (shape[0], self.features), {"bias": self.bias})

    def describe(self) -> str:
        return f"FC {self.features}"

    @property
    def family(self) -> str:
        return "fully connected"


def depthwise_separable(
    channels: int, kernel: int = 3, stride: int = 1, padding: int = 0, *, bias: bool = True
) -> tuple[LayerSpec, ...]:
    """A depthwise convolution and the 1×1 convolution that mixes its channels (Howard et al. 2017, MobileNets)."""
    return DepthwiseConv(kernel, stride, padding, bias), Conv(channels, 1, bias=bias)


def flatten_head(n_classes: int, hidden: Sequence[int] = ()) -> tuple[LayerSpec, ...]:
    """Flatten and a stack of fully connected layers, with ReLU between them."""
    return Flatten(), *_fc_stack(n_classes, hidden)


def gap_head(
    n_classes: int, hidden: Sequence[int] = (), size: int = 1, dropout: float = 0.0, pool: LayerSpec | None = None
) -> tuple[LayerSpec, ...]:
    """Average pooling to `size` by `size` (1: global), dropout, and a stack of fully connected layers.

    `pool` instead of the average: `GemPool()`, `MaxAvgPool()`.
    """
    drop = (Dropout(dropout),) if dropout else ()
    return pool or AdaptiveAvgPool(size), *drop, Flatten(), *_fc_stack(n_classes, hidden)


def conv_head(n_classes: int) -> tuple[LayerSpec, ...]:
    """A 1×1 convolution to one channel a class, and global average pooling (Lin et al. 2013, Network in Network)."""
    return Conv(n_classes, 1), AdaptiveAvgPool(1), Flatten()


def _fc_stack(n_classes: int, hidden: Sequence[int]) -> Iterator[LayerSpec]:
    for features in hidden:
        yield Linear(features)
        yield Activation()
    yield Linear(n_classes)


def _check_type(spec: LayerSpec, name: str, wanted: Any) -> None:
    """Exact types only: these values are written into Python source by the export."""
    value = getattr(spec, name)
    if wanted is float and type(value) is int:
        object.__setattr__(spec, name, float(value))
    elif wanted == Size and isinstance(value, tuple | list) and [type(each) for each in value] == [int, int]:
        object.__setattr__(spec, name, value[0] if value[0] == value[1] else tuple(value))  # equal ones are equal
    elif wanted == Size and type(value) is not int:
        raise ArchitectureError(f"{name} of {spec.kind} must be int, or two for height and width, but got {value!r}")
    elif wanted != Size and type(value) is not (wanted if isinstance(wanted, type) else str):
        expected = wanted.__name__ if isinstance(wanted, type) else "str"
        raise ArchitectureError(f"{name} of {spec.kind} must be {expected}, but got {value!r}")


def at_least(spec: LayerSpec, low: int, *names: str) -> None:
    """Raises `ArchitectureError` unless the values of these names are as large."""
    for name in names:
        if min(pair(getattr(spec, name))) < low:
            raise ArchitectureError(f"{name} of {spec.kind} must be at least {low}, but got {getattr(spec, name)}")


def pair(size: Size) -> tuple[int, int]:
    """Height and width."""
    return size if isinstance(size, tuple) else (size, size)


def sides(size: Size) -> str:
    """A size in words: `3×3`."""
    return "{}×{}".format(*pair(size))


def image(spec: LayerSpec, shape: Shape) -> tuple[int, int, int]:
    """The shape of an image; raises `ArchitectureError` for another one."""
    if len(shape) != 3:
        raise ArchitectureError(f"{spec.describe()} needs (channels, height, width), but got the flattened {shape}")
    return shape[0], shape[1], shape[2]


PATH = "in "  # begins an error of a layer within a block


def shape_behind(chain: Layers, shape: Shape, name: str) -> Shape:
    """The shape that a chain of layers makes of this one; an error names the layer, and before it the chain."""
    for position, spec in enumerate(chain, start=1):
        try:
            shape = spec.output_shape(shape)
        except ArchitectureError as error:
            raise ArchitectureError(f"{PATH}{name} › {located(position, spec, error)}") from None
    return shape


def located(position: int, spec: LayerSpec, error: ArchitectureError) -> str:
    """An error of a layer with its place: `layer 4 (conv 3×3 8): …`, or `layer 4 › body › layer 2 (…): …`."""
    if spec.chains and str(error).startswith(PATH):
        return f"layer {position} › {str(error).removeprefix(PATH)}"
    return f"layer {position} ({spec.describe()}): {error}"


def _check_chains(spec: LayerSpec, name: str) -> None:
    """A chain of layers, or several, none of them empty; lists become tuples, so that equal ones are equal."""
    value = getattr(spec, name)
    if not isinstance(value, tuple | list) or not value:
        raise ArchitectureError(f"{name} of {spec.kind} must hold layers, but got {value!r}")
    chains = tuple(tuple(item) if isinstance(item, tuple | list) else item for item in value)
    for item in chains:
        layers = item if isinstance(item, tuple) else (item,)
        if not layers or not all(type(layer) in KINDS.values() for layer in layers):
            raise ArchitectureError(f"{name} of {spec.kind} must hold layers, but got {item!r}")
    object.__setattr__(spec, name, chains)
