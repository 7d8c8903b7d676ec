"""What a network is, as plain frozen data, and the one walk that gives every layer its input and output shape.

Counting (`nas.cost`), building (`nas.module`) and exporting (`nas.export`) all read `Architecture.walk`, so they cannot
disagree. Shapes are `(channels, height, width)` up to the flattening and `(features,)` after it; the batch is left out.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any, ClassVar, Literal, get_args

from nas.errors import ArchitectureError

Shape = tuple[int, ...]
ActivationKind = Literal["relu", "leaky_relu", "elu", "gelu", "silu", "hardswish"]


@dataclass(frozen=True)
class LayerSpec:
    """One layer as asked for; its input shape is known only once the architecture is walked."""

    kind: ClassVar[str]  # the name in JSON
    label: ClassVar[str]  # the stem of the layer's name in a module: label `conv` gives conv1, conv2, ...

    def __post_init__(self) -> None:
        for field in fields(self):
            _check_type(self, field.name, field.type)

    def output_shape(self, shape: Shape) -> Shape:
        """The shape after this layer; raises `ArchitectureError` where it cannot be applied to `shape`."""
        return shape

    def describe(self) -> str:
        """The layer in a few characters, as in a table."""
        return self.label


@dataclass(frozen=True)
class _Window(LayerSpec):
    """A square window that slides over height and width."""

    def _slide(self, shape: Shape, kernel: int, stride: int, padding: int) -> tuple[int, int]:
        _, height, width = _image(self, shape)
        if kernel > min(height, width) + 2 * padding:
            raise ArchitectureError(
                f"a window must fit into its input, but {self.describe()} got {height}×{width}: "
                "use a smaller kernel, padding, or fewer layers before it"
            )
        return (height + 2 * padding - kernel) // stride + 1, (width + 2 * padding - kernel) // stride + 1


@dataclass(frozen=True)
class Conv(_Window):
    """A two-dimensional convolution with a square kernel."""

    kind = "conv"
    label = "conv"
    channels: int
    kernel: int = 3
    stride: int = 1
    padding: int = 0
    groups: int = 1
    bias: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        _at_least(self, 1, "channels", "kernel", "stride", "groups")
        _at_least(self, 0, "padding")

    def output_shape(self, shape: Shape) -> Shape:
        channels = _image(self, shape)[0]
        if channels % self.groups or self.channels % self.groups:
            raise ArchitectureError(
                f"groups must divide the channels in and out, but {self.describe()} got {channels} channels: "
                "change groups or channels"
            )
        return (self.channels, *self._slide(shape, self.kernel, self.stride, self.padding))

    def describe(self) -> str:
        extras = [f" s{self.stride}"] * (self.stride > 1) + [f" p{self.padding}"] * (self.padding > 0)
        return f"conv {self.kernel}×{self.kernel} {self.channels}" + "".join(
            [*extras, *[f" g{self.groups}"] * (self.groups > 1)]
        )


@dataclass(frozen=True)
class DepthwiseConv(_Window):
    """A convolution of each channel by itself: as many groups and output channels as input channels."""

    kind = "depthwise_conv"
    label = "depthwise"
    kernel: int = 3
    stride: int = 1
    padding: int = 0
    bias: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        _at_least(self, 1, "kernel", "stride")
        _at_least(self, 0, "padding")

    def output_shape(self, shape: Shape) -> Shape:
        return (_image(self, shape)[0], *self._slide(shape, self.kernel, self.stride, self.padding))

    def describe(self) -> str:
        extras = [f" s{self.stride}"] * (self.stride > 1) + [f" p{self.padding}"] * (self.padding > 0)
        return f"depthwise {self.kernel}×{self.kernel}" + "".join(extras)


@dataclass(frozen=True)
class BatchNorm(LayerSpec):
    """Batch normalisation over channels (or features), with or without a learned scale and shift."""

    kind = "batch_norm"
    label = "norm"
    affine: bool = True

    def describe(self) -> str:
        return "batch norm" if self.affine else "batch norm (not affine)"


@dataclass(frozen=True)
class Activation(LayerSpec):
    """An element-wise activation function."""

    kind = "activation"
    label = "act"
    function: ActivationKind = "relu"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.function not in get_args(ActivationKind):
            raise ArchitectureError(
                f"an activation must be one of {', '.join(get_args(ActivationKind))}, but got {self.function!r}"
            )

    def describe(self) -> str:
        return self.function


@dataclass(frozen=True)
class _Pool(_Window):
    label = "pool"
    kernel: int = 2
    stride: int = 0  # 0: as the kernel; a stride that is the kernel becomes 0, so that equal pools are equal
    padding: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        _at_least(self, 1, "kernel")
        _at_least(self, 0, "stride", "padding")
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
        return (_image(self, shape)[0], *self._slide(shape, self.kernel, self.step, self.padding))


@dataclass(frozen=True)
class MaxPool(_Pool):
    """The maximum over a square window."""

    kind = "max_pool"

    def describe(self) -> str:
        return f"max pool {self.kernel}×{self.kernel}"


@dataclass(frozen=True)
class AvgPool(_Pool):
    """The mean over a square window (padding counts as zeros)."""

    kind = "avg_pool"

    def describe(self) -> str:
        return f"average pool {self.kernel}×{self.kernel}"


@dataclass(frozen=True)
class AdaptiveAvgPool(LayerSpec):
    """The mean over as many equal parts of the image as asked: `size` by `size`. Size 1 is global average pooling."""

    kind = "adaptive_avg_pool"
    label = "pool"
    size: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        _at_least(self, 1, "size")

    def output_shape(self, shape: Shape) -> Shape:
        return (_image(self, shape)[0], self.size, self.size)

    def describe(self) -> str:
        return "global average pool" if self.size == 1 else f"adaptive average pool to {self.size}×{self.size}"


@dataclass(frozen=True)
class _Dropout(LayerSpec):
    label = "dropout"
    rate: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 <= self.rate < 1.0:
            raise ArchitectureError(f"a dropout rate must be at least 0 and below 1, but got {self.rate}")


@dataclass(frozen=True)
class Dropout(_Dropout):
    """Zeroes single elements while training."""

    kind = "dropout"

    def describe(self) -> str:
        return f"dropout {self.rate:g}"


@dataclass(frozen=True)
class Dropout2d(_Dropout):
    """Zeroes whole channels while training."""

    kind = "dropout2d"

    def output_shape(self, shape: Shape) -> Shape:
        return _image(self, shape)

    def describe(self) -> str:
        return f"dropout2d {self.rate:g}"


@dataclass(frozen=True)
class Flatten(LayerSpec):
    """`(channels, height, width)` to `(features,)`."""

    kind = "flatten"
    label = "flatten"

    def output_shape(self, shape: Shape) -> Shape:
        channels, height, width = _image(self, shape)
        return (channels * height * width,)


@dataclass(frozen=True)
class Linear(LayerSpec):
    """A fully connected layer on a flattened input."""

    kind = "linear"
    label = "fc"
    features: int
    bias: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        _at_least(self, 1, "features")

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 1:
            raise ArchitectureError(
                f"{self.describe()} needs a flattened input, but got {shape}: put Flatten() before it"
            )
        return (self.features,)

    def describe(self) -> str:
        return f"FC {self.features}"


SPECS: Mapping[str, type[LayerSpec]] = {
    spec.kind: spec
    for spec in (
        Conv,
        DepthwiseConv,
        BatchNorm,
        Activation,
        MaxPool,
        AvgPool,
        AdaptiveAvgPool,
        Dropout,
        Dropout2d,
        Flatten,
        Linear,
    )
}


@dataclass(frozen=True)
class Layer:
    """A layer with the shapes that the walk gave it, and the name it has in the module and in the exported file."""

    name: str
    spec: LayerSpec
    input_shape: Shape
    output_shape: Shape


@dataclass(frozen=True)
class Architecture:
    """A chain of layers from images of `input_shape` to one score for each of `n_classes` classes.

    Raises `ArchitectureError`, naming the layer, if the chain is impossible.
    """

    input_shape: Shape
    n_classes: int
    layers: tuple[LayerSpec, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "input_shape", tuple(self.input_shape))
        object.__setattr__(self, "layers", tuple(self.layers))
        _check_ends(self)
        last = self.walk[-1].output_shape if self.walk else self.input_shape
        if last != (self.n_classes,):
            raise ArchitectureError(
                f"a network must end with one score a class, ({self.n_classes},), but this one ends with {last}: "
                "add a head such as gap_head()"
            )

    @cached_property
    def walk(self) -> tuple[Layer, ...]:
        """Every layer with its name and its shapes, in order."""
        return tuple(_walk(self.input_shape, self.layers))

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; `from_dict` reads it back."""
        layers = [{"kind": spec.kind, **asdict(spec)} for spec in self.layers]
        return {"input_shape": list(self.input_shape), "n_classes": self.n_classes, "layers": layers}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Architecture":
        """The architecture that `to_dict` wrote; every value is checked again."""
        try:
            layers = tuple(_spec_from_dict(spec) for spec in data["layers"])
            return cls(tuple(data["input_shape"]), data["n_classes"], layers)
        except ArchitectureError:
            raise
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            what = f"{error} is missing" if isinstance(error, KeyError) else error
            raise ArchitectureError(f"an architecture must be what Architecture.to_dict() gives, but {what}") from error

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that are the same for the same network, on every machine and in every version."""
        return digest_of(self.to_dict())

    def __str__(self) -> str:
        """The chain in one line, without what goes without saying."""
        shown = [s.describe() for s in self.layers if not isinstance(s, BatchNorm | Activation | Flatten)]
        return ", ".join(shown)


def digest_of(data: Mapping[str, Any]) -> str:
    """Sixteen hexadecimal digits of the canonical JSON of plain data."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]


def depthwise_separable(
    channels: int, kernel: int = 3, stride: int = 1, padding: int = 0, *, bias: bool = True
) -> tuple[LayerSpec, ...]:
    """A depthwise convolution and the 1×1 convolution that mixes its channels (Howard et al. 2017, MobileNets)."""
    return DepthwiseConv(kernel, stride, padding, bias), Conv(channels, 1, bias=bias)


def flatten_head(n_classes: int, hidden: Sequence[int] = ()) -> tuple[LayerSpec, ...]:
    """Flatten and a stack of fully connected layers, with ReLU between them."""
    return Flatten(), *_fc_stack(n_classes, hidden)


def gap_head(n_classes: int, hidden: Sequence[int] = (), size: int = 1, dropout: float = 0.0) -> tuple[LayerSpec, ...]:
    """Average pooling to `size` by `size` (1: global), dropout, and a stack of fully connected layers."""
    drop = (Dropout(dropout),) if dropout else ()
    return AdaptiveAvgPool(size), *drop, Flatten(), *_fc_stack(n_classes, hidden)


def conv_head(n_classes: int) -> tuple[LayerSpec, ...]:
    """A 1×1 convolution to one channel a class, and global average pooling (Lin et al. 2013, Network in Network)."""
    return Conv(n_classes, 1), AdaptiveAvgPool(1), Flatten()


def _fc_stack(n_classes: int, hidden: Sequence[int]) -> Iterator[LayerSpec]:
    for features in hidden:
        yield Linear(features)
        yield Activation()
    yield Linear(n_classes)


def _walk(shape: Shape, specs: Sequence[LayerSpec]) -> Iterator[Layer]:
    counts: dict[str, int] = {}
    for position, spec in enumerate(specs, start=1):
        counts[spec.label] = counts.get(spec.label, 0) + 1
        try:
            after = spec.output_shape(shape)
        except ArchitectureError as error:
            raise ArchitectureError(f"layer {position} ({spec.describe()}): {error}") from None
        yield Layer(f"{spec.label}{counts[spec.label]}", spec, shape, after)
        shape = after


def _spec_from_dict(data: Mapping[str, Any]) -> LayerSpec:
    values = dict(data)
    kind = values.pop("kind")
    if kind not in SPECS:
        raise ArchitectureError(f"a layer's kind must be one of {', '.join(SPECS)}, but got {kind!r}")
    return SPECS[kind](**values)


def _check_ends(architecture: Architecture) -> None:
    shape = architecture.input_shape
    if len(shape) != 3 or not all(type(size) is int and size > 0 for size in shape):
        raise ArchitectureError(f"an input shape must be (channels, height, width), all above 0, but got {shape}")
    if type(architecture.n_classes) is not int or architecture.n_classes < 2:
        raise ArchitectureError(f"a classifier needs at least 2 classes, but got {architecture.n_classes!r}")
    for spec in architecture.layers:
        if type(spec) not in SPECS.values():
            raise ArchitectureError(f"a layer must be one of {', '.join(SPECS)}, but got {spec!r}")


def _check_type(spec: LayerSpec, name: str, wanted: Any) -> None:
    """Exact types only: these values are written into Python source by the export."""
    value = getattr(spec, name)
    if wanted is float and type(value) is int:
        object.__setattr__(spec, name, float(value))
    elif type(value) is not (wanted if isinstance(wanted, type) else str):
        expected = wanted.__name__ if isinstance(wanted, type) else "str"
        raise ArchitectureError(f"{name} of {spec.kind} must be {expected}, but got {value!r}")


def _at_least(spec: LayerSpec, low: int, *names: str) -> None:
    for name in names:
        if getattr(spec, name) < low:
            raise ArchitectureError(f"{name} of {spec.kind} must be at least {low}, but got {getattr(spec, name)}")


def _image(spec: LayerSpec, shape: Shape) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise ArchitectureError(f"{spec.describe()} needs (channels, height, width), but got the flattened {shape}")
    return shape[0], shape[1], shape[2]
