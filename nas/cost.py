"""What a network costs, by arithmetic on its layers: no torch, no tensors, well under a millisecond."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import prod

from nas.architecture import (
    Activation,
    Architecture,
    BatchNorm,
    Conv,
    DepthwiseConv,
    Dropout,
    Dropout2d,
    Flatten,
    Layer,
    Linear,
)
from nas.errors import InputError

# What the fields of `Cost` are called in words.
COST_NAMES: Mapping[str, str] = {
    "params": "parameters",
    "macs": "MACs",
    "memory": "bytes of activations",
    "bytes": "bytes of weights",
}
BYTES_A_NUMBER = 4  # float32
# These write their result over their input, in any sensible run-time.
_IN_PLACE = (Activation, BatchNorm, Dropout, Dropout2d, Flatten)


@dataclass(frozen=True)
class Cost:
    """What one network costs.

    `params`: trainable parameters. `macs`: multiply-accumulates of convolutions and fully connected layers for one
    image (biases, pooling and element-wise work are left out, as torch's `FlopCounterMode` does). `memory`: bytes of
    float32 activations that must be there at once: the largest sum of a layer's input and output for one image.
    `bytes`: size of the stored float32 weights, batch norm's running statistics included.
    """

    params: int
    macs: int
    memory: int
    bytes: int


@dataclass(frozen=True)
class Budget:
    """Upper limits, each inclusive; `None` is no limit. Fields are those of `Cost`."""

    params: int | None = None
    macs: int | None = None
    memory: int | None = None
    bytes: int | None = None

    def __post_init__(self) -> None:
        for name, limit in asdict(self).items():
            if limit is not None and (type(limit) is not int or limit <= 0):
                raise InputError(f"a budget must be a whole number above 0, but got {name}={limit!r}")

    @property
    def limits(self) -> dict[str, int]:
        """The limits that are set, by name."""
        return {name: limit for name, limit in asdict(self).items() if limit is not None}

    def violations(self, cost: Cost) -> dict[str, float]:
        """For each limit `count / limit - 1`: above 0 is over the budget, graded and comparable between limits."""
        return {name: getattr(cost, name) / limit - 1 for name, limit in self.limits.items()}

    def admits(self, cost: Cost) -> bool:
        """Whether every limit is met."""
        return all(violation <= 0 for violation in self.violations(cost).values())

    def __str__(self) -> str:
        return ", ".join(f"{limit:,} {COST_NAMES[name]}" for name, limit in self.limits.items()) or "no limit"


def cost_of(architecture: Architecture) -> Cost:
    """All costs of an architecture."""
    layers = architecture.walk
    params = sum(layer_params(layer) for layer in layers)
    statistics = sum(2 * layer.input_shape[0] for layer in layers if isinstance(layer.spec, BatchNorm))
    return Cost(
        params=params,
        macs=sum(layer_macs(layer) for layer in layers),
        memory=max(layer_memory(layer) for layer in layers),
        bytes=BYTES_A_NUMBER * (params + statistics),
    )


def layer_params(layer: Layer) -> int:
    """Trainable parameters of one layer."""
    match layer.spec:
        case Conv(bias=bias) | DepthwiseConv(bias=bias):
            return _conv_weights(layer) + bias * layer.output_shape[0]
        case Linear(features=features, bias=bias):
            return layer.input_shape[0] * features + bias * features
        case BatchNorm(affine=affine):
            return 2 * affine * layer.input_shape[0]
    return 0


def layer_macs(layer: Layer) -> int:
    """Multiply-accumulates of one layer for one image."""
    match layer.spec:
        case Conv() | DepthwiseConv():
            return _conv_weights(layer) * prod(layer.output_shape[1:])
        case Linear(features=features):
            return layer.input_shape[0] * features
    return 0


def layer_memory(layer: Layer) -> int:
    """Bytes of float32 activations that one layer needs at once, for one image."""
    numbers = prod(layer.input_shape)
    if not isinstance(layer.spec, _IN_PLACE):
        numbers += prod(layer.output_shape)
    return BYTES_A_NUMBER * numbers


def _conv_weights(layer: Layer) -> int:
    match layer.spec:
        case Conv(channels=channels, kernel=kernel, groups=groups):
            return channels * (layer.input_shape[0] // groups) * kernel * kernel
        case DepthwiseConv(kernel=kernel):
            return layer.input_shape[0] * kernel * kernel
    raise TypeError(f"not a convolution: {layer.spec!r}")
