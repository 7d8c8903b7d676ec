"""A network as plain frozen data, and the one walk that gives every layer its input and output shape.

Counting (`nas.network.cost`), building (`nas.network.build`) and exporting (`nas.export`) all read `Architecture.walk`,
so they cannot disagree.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from math import prod
from typing import Any, NamedTuple

from nas.errors import ArchitectureError
from nas.network import blocks, pools  # noqa: F401 - so that all kinds are there, whoever reads one
from nas.network.kinds import KINDS, LATER, Constructor, Layers, LayerSpec, Shape, located


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
    parts: Mapping[str, tuple["Layer", ...]] = field(default_factory=dict)  # of a block: the layers in its chains
    times: tuple[int, ...] = ()  # how often the blocks around it apply it, the outermost first; without those of once

    @property
    def constructor(self) -> Constructor:
        """The torch module that it becomes."""
        if not self.times:
            return self.spec.constructor(self.input_shape)
        return self.spec.repeated_constructor(self.input_shape, self.times)

    @property
    def held(self) -> Iterator["Layer"]:
        """The layers in all of its parts, one after the other."""
        return (layer for part in self.parts.values() for layer in part)

    @property
    def params(self) -> int:
        """Trainable parameters; those that are used several times count once."""
        return self.spec.params(self.input_shape) + sum(layer.params for layer in self.held)

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one image, each time that they are made."""
        return self.spec.macs(self.input_shape) + self.spec.n_uses * sum(layer.macs for layer in self.held)

    @property
    def statistics(self) -> int:
        """Numbers that are stored beside the parameters, for each time that they are made."""
        return self.spec.statistics(self.input_shape) + self.spec.n_uses * sum(layer.statistics for layer in self.held)

    def plain(self, within: str = "", n_uses: int = 1) -> Iterator["Plain"]:
        """The layers that hold no others, in the order of execution: itself, or those in its parts, to any depth."""
        name = within + self.name
        if not self.parts:
            yield Plain(name, self, n_uses)
        for part, layers in self.parts.items():
            for layer in layers:
                yield from layer.plain(f"{name}.{part}.", n_uses * self.spec.n_uses)


class Plain(NamedTuple):
    """A layer that holds no others: where its module is, and how often it is applied to one image."""

    path: str
    layer: Layer
    n_uses: int


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

    @property
    def plain_layers(self) -> Iterator[Plain]:
        """All layers that hold no others, in the order of execution."""
        return (plain for layer in self.walk for plain in layer.plain())

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; `from_dict` reads it back."""
        layers = [_as_data(spec) for spec in self.layers]
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
            layer = _placed(f"{spec.label}{counts[spec.label]}", spec, shape, kept=False)
        except ArchitectureError as error:
            raise ArchitectureError(located(position, spec, error)) from None
        yield layer
        shape = layer.output_shape


def _placed(name: str, spec: LayerSpec, shape: Shape, times: tuple[int, ...] = (), *, kept: bool) -> Layer:
    """A layer with its shapes, and those in it; `kept`: its input must outlive it."""
    after = spec.output_shape(shape)
    times_within = (*times, spec.n_uses) if spec.n_uses > 1 else times
    parts = {
        part: tuple(_in_part(chain, shape, times_within, kept=kept or spec.keeps_input(part, shape)))
        for part, chain in spec.parts(shape).items()
    }
    if parts:
        peaks = {part: max(layer.n_live for layer in layers) for part, layers in parts.items()}
        n_live = spec.n_live(shape, peaks, kept)
        if kept and spec.n_uses > 1:  # from the second time on a part's input is another one, which may be overwritten
            again = (_in_part(chain, shape, times_within, kept=False) for chain in spec.parts(shape).values())
            n_live = max(n_live, prod(shape) + max(layer.n_live for layers in again for layer in layers))
    else:
        overwrites = spec.in_place and not kept
        n_live = prod(shape) + (0 if overwrites else prod(after)) + spec.n_scratch(shape)
    return Layer(name, spec, shape, after, n_live, parts, times)


def _in_part(chain: Layers, shape: Shape, times: tuple[int, ...], *, kept: bool) -> Iterator[Layer]:
    """The layers of a block's chain, named as torch names those of a sequence; `kept`: the input outlives the chain."""
    first = prod(shape)
    for position, spec in enumerate(chain):
        layer = _placed(str(position), spec, shape, times, kept=kept and position == 0)
        waiting = first if kept and position > 0 else 0
        yield replace(layer, n_live=layer.n_live + waiting)
        shape = layer.output_shape


def _as_data(value: Any) -> Any:
    """A layer as plain data for JSON, with those that it holds."""
    if isinstance(value, LayerSpec):
        stored = (each for each in fields(value) if each.metadata != LATER or getattr(value, each.name) != each.default)
        return {"kind": value.kind, **{each.name: _as_data(getattr(value, each.name)) for each in stored}}
    return [_as_data(item) for item in value] if isinstance(value, tuple) else value


def _spec_from_dict(data: Mapping[str, Any]) -> LayerSpec:
    values = dict(data)
    kind = values.pop("kind")
    if kind not in KINDS:
        raise ArchitectureError(f"a layer's kind must be one of {', '.join(KINDS)}, but got {kind!r}")
    return KINDS[kind](**{name: _chains_from_data(value) for name, value in values.items()})


def _chains_from_data(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_chains_from_data, value))
    return _spec_from_dict(value) if isinstance(value, Mapping) else value


def _check_ends(architecture: Architecture) -> None:
    shape = architecture.input_shape
    if len(shape) != 3 or not all(type(size) is int and size > 0 for size in shape):
        raise ArchitectureError(f"an input shape must be (channels, height, width), all above 0, but got {shape}")
    if type(architecture.n_classes) is not int or architecture.n_classes < 2:
        raise ArchitectureError(f"a classifier needs at least 2 classes, but got {architecture.n_classes!r}")
    for spec in architecture.layers:
        if type(spec) not in KINDS.values():
            raise ArchitectureError(f"a layer must be one of {', '.join(KINDS)}, but got {spec!r}")
