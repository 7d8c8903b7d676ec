"""How layers become one operation in C: each class is one way of doing so, and says for which kinds of layers.

Whoever brings a kind of layer to C adds a class here, with an operation of its own where none of
`nas.export.c.operations` does. Kinds that are element-wise, and those that are idle in use, need nothing;
`nas.export.c.graph` takes blocks apart.
"""

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nas.export.c.operations import (
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
from nas.export.c.stage import Calibrated, Ends, Located, See, Stage, as_name, on_levels, table_of
from nas.export.c.weights import FOLDED, WEIGHTED, Use, Weights, convolution, folded, folded_factor, rounded
from nas.network.architecture import Layer
from nas.network.blocks import ChannelShuffle, PaddedShortcut, PReLU, SqueezeExcite
from nas.network.build import Network
from nas.network.kinds import Activation, AdaptiveAvgPool, AvgPool, LayerSpec, MaxPool
from nas.network.pools import BlurPool, MaxAvgPool


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

    def finished(self, of: Calibrated, values: Tensor, output: Coding | None) -> Tensor:
        """Values of a network in training before the function, as they are behind it."""
        if self.function is None or self.function.layer.spec == Activation("relu"):
            return on_levels(values, output)
        before = of.coding(self.layers[-2].path)
        return on_levels(of.module(self.function.path)(on_levels(values, before)), output)


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

    @property
    def weighted(self) -> tuple[Located, ...]:
        """All layers but the function."""
        return self.layers if self.function is None else self.layers[:-1]

    def weights(self, of: Calibrated) -> Weights:
        """All but the function as one."""
        return folded(*self._with_modules(of), of.weight_bits)

    def _with_modules(self, of: Calibrated) -> tuple[list[Layer], list[Any]]:
        return [layer for _, layer in self.weighted], [self.module(of.network, path) for path, _ in self.weighted]

    def simulate(self, of: Calibrated, inputs: Sequence[Tensor], ends: Ends) -> Tensor:
        """With the statistics of the batch in batch norm, as in any training; those of all decide the scales of the
        weights, since with these they are stored (Krishnamoorthi 2018, arXiv 1806.08342, section 3.2.2).
        """
        values = self._summed(of, self._shaped(inputs[0]), ends)
        for path, layer in self.weighted[1:]:
            values = self.module(of.network, path)(values.reshape(len(values), *layer.input_shape))
        return self.finished(of, values, ends.output)

    def _summed(self, of: Calibrated, values: Tensor, ends: Ends) -> Tensor:
        """What the first layer makes of values with its weights as they are in whole numbers."""
        module = self.module(of.network, self.path)
        if type(self.spec) in FOLDED:  # its weights are one number a channel, which needs no rounding
            summed: Tensor = module(values)
            return summed
        with torch.no_grad():
            factor = folded_factor(*self._with_modules(of))
            uses = [Use(stage.weights(of), coding) for stage, coding in ends.uses if isinstance(stage, Weighted)]
            change = rounded(self.weights(of), ends.inputs[0], factor, uses)
        weights = module.weight + change.view_as(module.weight)
        if isinstance(module, torch.nn.Linear):
            return F.linear(values, weights, module.bias)
        return F.conv2d(values, weights, module.bias, module.stride, module.padding, module.dilation, module.groups)

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

    def simulate(self, of: Calibrated, inputs: Sequence[Tensor], ends: Ends) -> Tensor:
        return self.finished(of, inputs[0] + inputs[1], ends.output)

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
        means = see(f"{self.path}.mean", values.mean((2, 3)))
        hidden = see(f"{self.path}.squeeze", F.relu(module.squeeze(means)))
        before = see(f"{self.path}.excite", module.excite(hidden))
        factors: Tensor = see(f"{self.path}.gate", module.gate(before))
        return values * factors[:, :, None, None]

    def simulate(self, of: Calibrated, inputs: Sequence[Tensor], ends: Ends) -> Tensor:
        module, values = of.module(self.path), self._shaped(inputs[0])
        codings = {name: of.coding(f"{self.path}.{name}") for name in ("mean", "squeeze", "excite", "gate")}
        means = on_levels(values.mean((2, 3)), codings["mean"])
        sums = _linear(module.squeeze, means, codings["mean"], of)
        hidden = on_levels(sums, codings["squeeze"])
        before = on_levels(_linear(module.excite, hidden, codings["squeeze"], of), codings["excite"])
        factors = on_levels(module.gate(before), codings["gate"])
        return on_levels(values * factors[:, :, None, None], ends.output)

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
                _weights_of(module.squeeze, of),
                (channels, squeezed),
                (mean, hidden),
                before=hidden,
            ),
            convolution(
                f"{name}_excite",
                _weights_of(module.excite, of),
                (squeezed, channels),
                (hidden, factor),
                before=before,
                table=table_of(module.gate, before, factor),
            ),
            self._scaling(ends, factor.scale),
        )


class Dropped(_KeepingCoding):
    """What is idle in use and is not in training: never an operation."""

    def operation(self, of: Calibrated, ends: Ends) -> Operation:
        raise TypeError(f"{self.path} is for training alone")


def _weights_of(module: torch.nn.Linear, of: Calibrated) -> Weights:
    return Weights(module.weight[:, :, None, None], module.bias, bits=of.weight_bits)


def _linear(module: torch.nn.Linear, values: Tensor, coding: Coding, of: Calibrated) -> Tensor:
    """A fully connected layer of a network in training, with its weights as they are in whole numbers."""
    change = rounded(_weights_of(module, of), coding)
    return F.linear(values, module.weight + change.view_as(module.weight), module.bias)


def stage_of(spec: LayerSpec) -> type[Stage] | None:
    """What layers of this kind become, if anything."""
    return Elementwise if spec.elementwise else STAGES.get(type(spec))


_STAGES: tuple[type[Stage], ...] = (
    *(Weighted, Sloped, MaximumPooled, Shuffled, Averaged, MaximumAveraged, Blurred, Padded, Excited),
)
STAGES = {kind: stage for stage in _STAGES for kind in stage.kinds}
