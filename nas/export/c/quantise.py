"""From a trained network to whole numbers: stages become operations, with ranges taken from training images.

A layer that is used several times has one range for all of its uses: the smallest and the largest number seen in any
of them. So all its uses put out numbers of one scale, and from the second use on also get such; weights, factors and
tables are stored once, as its parameters are counted once, which is why one repeats a block. Only what reads the
block's input has others for the first use, where that comes from elsewhere: nine bytes an output channel. Batch norm
has statistics of each use, so what it is folded into takes nine bytes an output channel for each; its weights are still
stored once, since a factor a channel leaves them the same whole numbers.
"""

from collections.abc import Sequence
from copy import deepcopy
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor

from nas.errors import ExportError
from nas.export.c.graph import stages_of
from nas.export.c.operations import LEVELS, MOST_NUMBERS, WEIGHT_BITS, Coding, Lookup, Operation, Scores
from nas.export.c.program import IMAGE, Program, Step
from nas.export.c.stage import Calibrated, Ends, Stage, as_image, as_name, coded
from nas.export.frozen import FrozenModel
from nas.network.architecture import Architecture
from nas.network.build import Network


def quantise(model: FrozenModel, images: Tensor) -> Program:
    """The network in whole numbers, in those that it was trained for.

    `images` (uint8, `(n, channels, height, width)`) must be ones it was trained on.
    """
    normalisation, weight_bits = Normalisation(model.mean, model.std), model.recipe.effective().weight_bits
    return program_of(model.network(), model.architecture, normalisation, images, weight_bits)


class Normalisation(NamedTuple):
    """Of images between 0 and 1: one number a channel."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


def program_of(
    network: Network,
    architecture: Architecture,
    normalisation: Normalisation,
    images: Tensor,
    weight_bits: int = WEIGHT_BITS,
) -> Program:
    """A network of this architecture in whole numbers; it is left as it is. `images` as for `quantise`."""
    stages = stages_of(architecture)
    with torch.no_grad():
        calibrated = calibrate(network, stages, images, weight_bits)
        return assembled(architecture, normalisation, stages, calibrated)


def calibrate(network: Network, stages: Sequence[Stage], images: Tensor, weight_bits: int) -> Calibrated:
    """A copy of the network in float64, so that its ranges on these images are those of any machine, to the digits that
    are stored. Raises `ExportError` where its weights are not finite.
    """
    network = deepcopy(network).cpu().double().eval()
    if not all(values.isfinite().all() for values in network.state_dict().values()):
        raise ExportError("only a network of finite weights can be written in whole numbers, but this one has others")
    ranges: dict[str, tuple[float, float]] = {}

    def see(name: str, values: Tensor) -> Tensor:
        low, high = ranges.get(name, (0.0, 0.0))
        ranges[name] = min(low, values.min().item()), max(high, values.max().item())
        return values

    last_read = {source: number for number, stage in enumerate(stages) for source in stage.sources}
    largest = max((prod(located.layer.output_shape) for stage in stages for located in stage.layers), default=1)
    for batch in images.cpu().split(max(1, MOST_NUMBERS // largest)):
        results = {IMAGE: (batch.double() / LEVELS - network.mean) / network.std}
        for number, stage in enumerate(stages):
            results[number] = stage.compute(network, [results[source] for source in stage.sources], see)
            for source in set(stage.sources):
                if last_read[source] == number:
                    del results[source]
    return Calibrated(network, ranges, weight_bits)


def assembled(
    architecture: Architecture, normalisation: Normalisation, stages: Sequence[Stage], of: Calibrated
) -> Program:
    """The stages as operations, between an image and the scores."""
    steps: list[Step] = []
    coding = byte_coding(normalisation)
    if coding is None:
        lookup = _lookup(architecture, normalisation)
        coding = lookup.output
        steps.append(Step(lookup, (IMAGE,)))
    assert coding is not None
    n_before = len(steps)  # what a stage takes for the image is then the first step
    operations = _operations(stages, of, coding)
    steps += [
        Step(operation, tuple(source + n_before for source in stage.sources))
        for stage, operation in zip(stages, operations, strict=True)
    ]
    last = operations[-1].output if operations else coding
    if last is not None:
        shape = as_image((architecture.n_classes,))
        steps.append(Step(Scores("scores", shape, shape, last, None), (len(steps) - 1,)))
    return Program(tuple(steps), architecture.n_classes)


def _operations(stages: Sequence[Stage], of: Calibrated, image: Coding) -> list[Operation]:
    """That of each stage; uses of a layer between the same codings have one operation in common."""
    ends = codings_of(stages, of, image)
    uses = uses_of(stages, ends)
    made: dict[str, dict[Any, Operation]] = {path: {} for path in uses}
    for stage, (inputs, output) in zip(stages, ends, strict=True):
        variants, key = made[stage.path], (stage.own_turn, inputs, output)
        if key not in variants:
            name = as_name(stage.path) + (f"_use{len(variants) + 1}" if variants else "")
            variants[key] = stage.operation(of, Ends(name, inputs, output, uses[stage.path]))
    return [made[stage.path][stage.own_turn, *between] for stage, between in zip(stages, ends, strict=True)]


Between = tuple[tuple[Coding, ...], Coding | None]  # the codings of what a stage takes, and of what it puts out


def uses_of(stages: Sequence[Stage], ends: Sequence[Between]) -> dict[str, list[tuple[Stage, Coding]]]:
    """For each path the uses of its layers that differ, each with the coding of its first input."""
    uses: dict[str, dict[Any, tuple[Stage, Coding]]] = {}
    for stage, (inputs, output) in zip(stages, ends, strict=True):
        uses.setdefault(stage.path, {}).setdefault((stage.own_turn, inputs, output), (stage, inputs[0]))
    return {path: list(differing.values()) for path, differing in uses.items()}


def codings_of(stages: Sequence[Stage], of: Calibrated, image: Coding) -> list[Between]:
    """The codings of what each stage takes and of what it puts out; that of the last is None if it gives the scores."""
    codings, ends = {IMAGE: image}, list[Between]()
    for number, stage in enumerate(stages):
        inputs = tuple(codings[source] for source in stage.sources)
        codings[number] = stage.coding(of, inputs)
        is_last = number == len(stages) - 1
        ends.append((inputs, None if is_last and stage.can_score else codings[number]))
    return ends


def byte_coding(normalisation: Normalisation) -> Coding | None:
    """The coding that makes a byte of an image its normalised value, if one does for all channels."""
    mean, std = normalisation.mean[0], normalisation.std[0]
    if len(set(zip(*normalisation, strict=True))) > 1 or not 0 <= mean <= 1:
        return None
    return Coding(1 / (LEVELS * std), round(LEVELS * mean))


def table_coding(normalisation: Normalisation) -> Coding:
    """The coding of normalised images where channels are normalised with different numbers."""
    ends = [(end - mean) / std for mean, std in zip(*normalisation, strict=True) for end in (0, 1)]
    return Coding.of_range(min(ends), max(ends))


def _lookup(architecture: Architecture, normalisation: Normalisation) -> Lookup:
    """A table a channel, where they are normalised with different numbers."""
    channels = [[(byte / 255 - mean) / std for byte in range(256)] for mean, std in zip(*normalisation, strict=True)]
    output = table_coding(normalisation)
    shape = as_image(architecture.input_shape)
    tables = tuple(tuple(coded(value, output) for value in values) for values in channels)
    return Lookup("images", shape, shape, Coding(1 / LEVELS, 0), output, tables)
