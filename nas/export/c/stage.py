"""What becomes one operation in C, in general: `nas.export.c.stages` has one class for each way of doing so.

A stage is made from the architecture alone, so that it is soon known what C cannot have. With a trained network it
computes its layers on images, to see what ranges they have, and then says what the operation is.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from nas.export.c.operations import LEVELS, WEIGHT_BITS, Coding, Operation, Scaling
from nas.network.architecture import Layer
from nas.network.build import Network
from nas.network.kinds import BatchNorm, LayerSpec, Shape

ImageShape = tuple[int, int, int]
See = Callable[[str, Tensor], Tensor]  # is shown values under a name, and gives them back


class Located(NamedTuple):
    """A layer with the path of its module in the network."""

    path: str
    layer: Layer


@dataclass(frozen=True, eq=False)
class Calibrated:
    """A trained network in float64, with the smallest and the largest number that was seen under each name.

    Also one in training, with the ranges of a moment. `weight_bits`: of the weights in whole numbers.
    """

    network: Network
    ranges: dict[str, tuple[float, float]]
    weight_bits: int = WEIGHT_BITS

    def module(self, path: str) -> Any:
        """That of a layer."""
        return self.network.get_submodule(path)

    def coding(self, name: str) -> Coding:
        """That of the range of this name."""
        return Coding.of_range(*self.ranges[name])


class Ends(NamedTuple):
    """What an operation stands between; `output` is None where it gives the scores.

    `uses`: all stages of the same layers, each with the coding of its first input; this one is among them.
    """

    name: str
    inputs: tuple[Coding, ...]
    output: Coding | None
    uses: "Sequence[tuple[Stage, Coding]]"


@dataclass(frozen=True, eq=False)
class Stage(ABC):
    """Layers that become one operation, and the stages whose results they read, by number.

    `turn`: at which time each of the repeats around them is, the outermost first.
    """

    layers: tuple[Located, ...]
    sources: tuple[int, ...]
    turn: tuple[int, ...] = ()
    kinds: ClassVar[tuple[type[LayerSpec], ...]] = ()

    @property
    def path(self) -> str:
        """Where the first layer is, by which the operation is called."""
        return self.layers[0].path

    @property
    def spec(self) -> Any:
        """What the first layer is."""
        return self.layers[0].layer.spec

    @property
    def shapes(self) -> tuple[ImageShape, ImageShape]:
        """Of the input and of the output; of several inputs that is the same one."""
        layer = self.layers[0].layer
        before = layer.output_shape if len(self.sources) > 1 else layer.input_shape
        return as_image(before), as_image(layer.output_shape)

    @property
    def own_turn(self) -> tuple[int, ...]:
        """The turn, where the layers are not the same in each: batch norm has statistics of its own."""
        return self.turn if any(isinstance(layer.spec, BatchNorm) for _, layer in self.layers) else ()

    @property
    def can_score(self) -> bool:
        """Whether the scores can be what it computes, without rounding them to 8 bits first."""
        return False

    def joins(self, layer: Layer) -> bool:
        """Whether this layer, which comes next, can be computed with it."""
        return False

    def with_layer(self, located: Located) -> "Stage":
        """The same with a layer joined to it."""
        return replace(self, layers=(*self.layers, located))

    def compute(self, network: Network, inputs: Sequence[Tensor], see: See) -> Tensor:
        """What the layers make of their inputs, in float64."""
        values = see(self.path, self.first(network, inputs, see))
        for path, layer in self.layers[1:]:
            values = see(path, self.module(network, path)(values.reshape(len(values), *layer.input_shape)))
        return values

    def simulate(self, of: Calibrated, inputs: Sequence[Tensor], ends: Ends) -> Tensor:
        """What the operation would make of its inputs, in floats, for a network in training.

        Values are rounded as it rounds them, gradients pass where nothing is cut off.
        """
        return on_levels(self.first(of.network, inputs, lambda name, values: values), ends.output)

    def module(self, network: Network, path: str) -> Any:
        """That of one of the layers, in its turn."""
        module: Any = network.get_submodule(path)
        if hasattr(module, "turn"):
            module.turn[:] = self.turn
        return module

    def first(self, network: Network, inputs: Sequence[Tensor], see: See) -> Tensor:
        """What the first layer makes of them; notes what it makes in between."""
        values: Tensor = self.module(network, self.path)(self._shaped(inputs[0]))
        return values

    def _shaped(self, values: Tensor) -> Tensor:
        return values.reshape(len(values), *self.layers[0].layer.input_shape)

    def coding(self, of: Calibrated, inputs: Sequence[Coding]) -> Coding:
        """Of what it puts out."""
        return of.coding(self.layers[-1].path)

    @abstractmethod
    def operation(self, of: Calibrated, ends: Ends) -> Operation:
        """The operation that it becomes."""

    def _common(self, ends: Ends) -> tuple[str, ImageShape, ImageShape, Coding, Coding | None]:
        """What all operations begin with."""
        return ends.name, *self.shapes, ends.inputs[0], ends.output

    def _scaling(self, ends: Ends, part: float = 1.0) -> Scaling:
        """From this part of a level of the input to levels of the output; of nothing where that are scores."""
        return Scaling.of(ends.inputs[0].scale * part / ends.output.scale if ends.output is not None else 1.0)


def as_image(shape: Shape) -> ImageShape:
    """Features are images of 1×1."""
    return (shape[0], shape[1], shape[2]) if len(shape) == 3 else (prod(shape), 1, 1)


def as_name(path: str) -> str:
    """What constants of a layer are called in C."""
    return path.replace(".", "_")


def on_levels(values: Tensor, coding: Coding | None) -> Tensor:
    """Values as the 8 bits of a coding hold them; scores, which have none, as they are."""
    if coding is None:
        return values
    return torch.fake_quantize_per_tensor_affine(values, coding.scale, coding.zero, 0, LEVELS)


def table_of(function: Callable[[Tensor], Tensor], before: Coding, after: Coding) -> tuple[int, ...]:
    """For each of the 256 numbers before a function the one behind it."""
    values = before.scale * (torch.arange(256).double() - before.zero)
    return tuple(coded(value, after) for value in function(values).tolist())


def coded(value: float, coding: Coding) -> int:
    """The number that stands for a value."""
    return min(LEVELS, max(0, round(value / coding.scale) + coding.zero))
