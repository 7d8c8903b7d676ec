"""What becomes one operation in C: each class is one way of doing so, and says for which kinds of layers.

A stage is made from the architecture alone, so that it is soon known what C cannot have. With a trained network it
computes its layers on images, to see what ranges they have, and then says what the operation is. So whoever brings a
kind of layer to C adds a class here, with an operation of its own where none of `nas.export.c.operations` does. Kinds
that are element-wise, and those that are idle in use, need nothing; `nas.export.c.graph` takes blocks apart.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from nas.export.c.operations import (
    LEVELS,
    MEAN_STEPS,
    Average,
    Blur,
    Coding,
    Concatenation,
    Excitation,
    Lookup,
    Maximum,
    MaximumAndAverage,
    Operation,
    Scaling,
    Shrinking,
    Shuffle,
    Slopes,
    Sum,
)
from nas.export.c.weights import FOLDED, WEIGHTED, Use, Weights, convolution, folded
from nas.network.architecture import Layer
from nas.network.blocks import ChannelShuffle, PaddedShortcut, PReLU, SqueezeExcite
from nas.network.build import Network
from nas.network.kinds import Activation, AdaptiveAvgPool, AvgPool, BatchNorm, LayerSpec, MaxPool, Shape
from nas.network.pools import BlurPool, MaxAvgPool

ImageShape = tuple[int, int, int]
See = Callable[[str, Tensor], None]  # notes the range of values under a name


class Located(NamedTuple):
    """A layer with the path of its module in the network."""

    path: str
    layer: Layer


@dataclass(frozen=True, eq=False)
class Calibrated:
    """A trained network in float64, with the smallest and the largest number that was seen under each name."""

    network: Network
    ranges: dict[str, tuple[float, float]]

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
        values = self.first(network, inputs, see)
        see(self.path, values)
        for path, layer in self.layers[1:]:
            values = self.module(network, path)(values.reshape(len(values), *layer.input_shape))
            see(path, values)
        return values

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


class _BeforeFunction(Stage):
    """A stage that an element-wise function behind it can be joined to."""

    @property
    def function(self) -> Located | None:
        """The one that was joined, if any."""
        return self.layers[-1] if len(self.layers) > 1 and self.layers[-1].layer.spec.elementwise else None

    def joins(self, layer: Layer) -> bool:
        return self.function is None and layer.spec.elementwise

    def behind(self, of: Calibrated, output: Coding | None) -> tuple[Coding | None, tuple[int, ...] | None]:
        """The coding before the function, and its table; ReLU needs none, since it is the lower end of a range."""
        if self.function is None or self.function.layer.spec == Activation("relu"):
            return output, None
        assert output is not None
        before = of.coding(self.layers[-2].path)
        return before, table_of(of.module(self.function.path), before, output)


class Weighted(_BeforeFunction):
    """Weights, what can be folded into them, and an element-wise function."""

    kinds = tuple(WEIGHTED)

    @property
    def can_score(self) -> bool:
        return self.function is None

    def joins(self, layer: Layer) -> bool:
        if type(layer.spec) in FOLDED:  # not if a flattening lies between: it would have other channels
            return self.function is None and layer.input_shape == self.layers[-1].layer.output_shape
        return super().joins(layer)

    def weights(self, of: Calibrated) -> Weights:
        """All but the function as one."""
        weighted = self.layers if self.function is None else self.layers[:-1]
        return folded([layer for _, layer in weighted], [self.module(of.network, path) for path, _ in weighted])

    def operation(self, of: Calibrated, ends: Ends) -> Operation:
        before, table = self.behind(of, ends.output)
        return convolution(
            ends.name,
            self.weights(of),
            self.shapes,
            (ends.inputs[0], ends.output),
            before=before,
            table=table,
            uses=[Use(stage.weights(of), coding) for stage, coding in ends.uses if isinstance(stage, Weighted)],
            shared=as_name(self.path),
        )


class Added(_BeforeFunction):
    """The sum of two images, and an element-wise function; the layer is the block that adds them."""

    def first(self, network: Network, inputs: Sequence[Tensor], see: See) -> Tensor:
        return inputs[0] + inputs[1]

    def operation(self, of: Calibrated, ends: Ends) -> Operation:
        before, table = self.behind(of, ends.output)
        assert before is not None
        factors = [coding.scale / before.scale for coding in ends.inputs]
        shift = Scaling.of(max(factors)).shift
        one, other = (min(2**31 - 1, round(factor * 2**shift)) for factor in factors)
        return Sum(*self._common(ends), as_name(self.path), ends.inputs[1], (one, other), shift, before, table)


class Concatenated(Stage):
    """Several images one behind the other, of one scale; the layer is the block that joins them."""

    def first(self, network: Network, inputs: Sequence[Tensor], see: See) -> Tensor:
        return torch.cat(list(inputs), 1)

    def operation(self, of: Calibrated, ends: Ends) -> Operation:
        assert ends.output is not None
        sizes = (prod(part[-1].output_shape) for part in self.layers[0].layer.parts.values())
        scalings = (Scaling.of(coding.scale / ends.output.scale) for coding in ends.inputs)
        parts = tuple(zip(sizes, ends.inputs, scalings, strict=True))
        return Concatenation(*self._common(ends), parts)


class Elementwise(Stage):
    """An element-wise function by itself: a table."""

    def operation(self, of: Calibrated, ends: Ends) -> Operation:
        assert ends.output is not None
        return Lookup(*self._common(ends), (table_of(of.module(self.path), ends.inputs[0], ends.output),))


class Sloped(Stage):
    """ReLU with a slope a channel below 0."""

    kinds = (PReLU,)

    def operation(self, of: Calibrated, ends: Ends) -> Operation:
        assert ends.output is not None
        above = self._scaling(ends)
        factor = ends.inputs[0].scale / ends.output.scale
        below = tuple(Scaling.of_signed(factor * slope) for slope in of.module(self.path).weight.tolist())
        return Slopes(*self._common(ends), above, below)


class _KeepingCoding(Stage):
    """A stage that puts out numbers of its input."""

    def coding(self, of: Calibrated, inputs: Sequence[Coding]) -> Coding:
        return inputs[0]


class MaximumPooled(_KeepingCoding):
    """A max pool."""

    kinds = (MaxPool,)

    def operation(self, of: Calibrated, ends: Ends) -> Operation:
        return Maximum(*self._common(ends), self.spec.kernel, self.spec.step, self.spec.padding)


class Shuffled(_KeepingCoding):
    """Channels in another order."""

    kinds = (ChannelShuffle,)

    def operation(self, of: Calibrated, ends: Ends) -> Operation:
        return Shuffle(*self._common(ends), self.spec.groups)


class Averaged(Stage):
    """An average pool, over windows or over equal parts."""

    kinds = (AvgPool, AdaptiveAvgPool)

    @property
    def can_score(self) -> bool:
        return True

    def operation(self, of: Calibrated, ends: Ends) -> Operation:
        pool = self.spec
        window = (pool.kernel, pool.step, pool.padding) if isinstance(pool, AvgPool) else (0, 0, 0)
        scale = ends.inputs[0].scale / MEAN_STEPS
        return Average(*self._common(ends), *window, self._scaling(ends, 1 / MEAN_STEPS), scale)


class MaximumAveraged(Stage):
    """The mean of the largest number and the average."""

    kinds = (MaxAvgPool,)

    def operation(self, of: Calibrated, ends: Ends) -> Operation:
        part = 0.5 / MEAN_STEPS
        return MaximumAndAverage(*self._common(ends), 0, 0, 0, self._scaling(ends, part), ends.inputs[0].scale * part)


class Blurred(Stage):
    """A blur before striding."""

    kinds = (BlurPool,)

    def operation(self, of: Calibrated, ends: Ends) -> Operation:
        window = 2 if self.spec.maximum else 1
        return Blur(*self._common(ends), self.spec.stride, window, self._scaling(ends, 1 / 16))


class Padded(Stage):
    """Averages and channels of zeros."""

    kinds = (PaddedShortcut,)

    def operation(self, of: Calibrated, ends: Ends) -> Operation:
        return Shrinking(*self._common(ends), self.spec.stride, self._scaling(ends, 1 / MEAN_STEPS))


class Excited(Stage):
    """Squeeze-excite: an average, two fully connected layers, and a product."""

    kinds = (SqueezeExcite,)

    def first(self, network: Network, inputs: Sequence[Tensor], see: See) -> Tensor:
        module, values = self.module(network, self.path), self._shaped(inputs[0])
        means = values.mean((2, 3))
        hidden = F.relu(module.squeeze(means))
        before = module.excite(hidden)
        factors = module.gate(before)
        for name, noted in {"mean": means, "squeeze": hidden, "excite": before, "gate": factors}.items():
            see(f"{self.path}.{name}", noted)
        excited: Tensor = values * factors[:, :, None, None]
        return excited

    def operation(self, of: Calibrated, ends: Ends) -> Operation:
        assert ends.output is not None
        module = of.module(self.path)
        mean, hidden, before, factor = (of.coding(f"{self.path}.{x}") for x in ("mean", "squeeze", "excite", "gate"))
        name, shape = as_name(self.path), self.shapes[0]
        channels, squeezed = (shape[0], 1, 1), (len(module.squeeze.bias), 1, 1)
        scaling = Scaling.of(ends.inputs[0].scale / MEAN_STEPS / mean.scale)
        return Excitation(
            *self._common(ends),
            Average(f"{ends.name}_mean", shape, channels, ends.inputs[0], mean, 0, 0, 0, scaling, 0.0),
            convolution(
                f"{name}_squeeze",
                Weights(module.squeeze.weight[:, :, None, None], module.squeeze.bias),
                (channels, squeezed),
                (mean, hidden),
                before=hidden,
            ),
            convolution(
                f"{name}_excite",
                Weights(module.excite.weight[:, :, None, None], module.excite.bias),
                (squeezed, channels),
                (hidden, factor),
                before=before,
                table=table_of(module.gate, before, factor),
            ),
            self._scaling(ends, factor.scale),
        )


def stage_of(spec: LayerSpec) -> type[Stage] | None:
    """What layers of this kind become, if anything."""
    return Elementwise if spec.elementwise else STAGES.get(type(spec))


_STAGES: tuple[type[Stage], ...] = (
    *(Weighted, Sloped, MaximumPooled, Shuffled, Averaged, MaximumAveraged, Blurred, Padded, Excited),
)
STAGES = {kind: stage for stage in _STAGES for kind in stage.kinds}


def as_image(shape: Shape) -> ImageShape:
    """Features are images of 1×1."""
    return (shape[0], shape[1], shape[2]) if len(shape) == 3 else (prod(shape), 1, 1)


def as_name(path: str) -> str:
    """What constants of a layer are called in C."""
    return path.replace(".", "_")


def table_of(function: Callable[[Tensor], Tensor], before: Coding, after: Coding) -> tuple[int, ...]:
    """For each of the 256 numbers before a function the one behind it."""
    values = before.scale * (torch.arange(256).double() - before.zero)
    return tuple(coded(value, after) for value in function(values).tolist())


def coded(value: float, coding: Coding) -> int:
    """The number that stands for a value."""
    return min(LEVELS, max(0, round(value / coding.scale) + coding.zero))
