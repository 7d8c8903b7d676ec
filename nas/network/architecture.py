"""A network as plain frozen data, and the one walk that gives every layer its input and output shape.

Counting (`nas.network.cost`), building (`nas.network.build`) and exporting (`nas.export`) all read `Architecture.walk`,
so they cannot disagree.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from math import prod
from typing import Any

from nas.errors import ArchitectureError
from nas.network.kinds import KINDS, LayerSpec, Shape


@dataclass(frozen=True)
class Layer:
    """A layer with the shapes that the walk gave it, and the name it has in the module and in the exported file.

    `n_live`: how many numbers of activations must be there at once while it is computed, for one image.
    """

    name: str
    spec: LayerSpec
    input_shape: Shape
    output_shape: Shape
    n_live: int

    @property
    def params(self) -> int:
        """Trainable parameters."""
        return self.spec.params(self.input_shape)

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one image."""
        return self.spec.macs(self.input_shape)

    @property
    def statistics(self) -> int:
        """Numbers that are stored beside the parameters."""
        return self.spec.statistics(self.input_shape)


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
        return ", ".join(spec.describe() for spec in self.layers if not spec.goes_without_saying)


def digest_of(data: Mapping[str, Any]) -> str:
    """Sixteen hexadecimal digits of the canonical JSON of plain data."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]


def _walk(shape: Shape, specs: Sequence[LayerSpec]) -> Iterator[Layer]:
    counts: dict[str, int] = {}
    for position, spec in enumerate(specs, start=1):
        counts[spec.label] = counts.get(spec.label, 0) + 1
        try:
            after = spec.output_shape(shape)
        except ArchitectureError as error:
            raise ArchitectureError(f"layer {position} ({spec.describe()}): {error}") from None
        n_live = prod(shape) + (0 if spec.in_place else prod(after))
        yield Layer(f"{spec.label}{counts[spec.label]}", spec, shape, after, n_live)
        shape = after


def _spec_from_dict(data: Mapping[str, Any]) -> LayerSpec:
    values = dict(data)
    kind = values.pop("kind")
    if kind not in KINDS:
        raise ArchitectureError(f"a layer's kind must be one of {', '.join(KINDS)}, but got {kind!r}")
    return KINDS[kind](**values)


def _check_ends(architecture: Architecture) -> None:
    shape = architecture.input_shape
    if len(shape) != 3 or not all(type(size) is int and size > 0 for size in shape):
        raise ArchitectureError(f"an input shape must be (channels, height, width), all above 0, but got {shape}")
    if type(architecture.n_classes) is not int or architecture.n_classes < 2:
        raise ArchitectureError(f"a classifier needs at least 2 classes, but got {architecture.n_classes!r}")
    for spec in architecture.layers:
        if type(spec) not in KINDS.values():
            raise ArchitectureError(f"a layer must be one of {', '.join(KINDS)}, but got {spec!r}")
