"""C of networks that branch: to the last bit what the reference computes, and no more memory than what is alive."""

from dataclasses import dataclass
from math import prod

import pytest
import torch
from frozen_models import frozen, with_other_numbers
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_blocks import DEEP as DEEPEST
from test_blocks import branching
from test_export_c import compile_and_run, needs_cc, one_thread, random_images, sanitizers  # noqa: F401 - fixtures

from nas.export.c.graph import refuses
from nas.export.c.quantise import quantise
from nas.export.c.reference import scores_of
from nas.export.frozen import FrozenModel
from nas.network.architecture import Architecture, Layer
from nas.network.blocks import Parallel, Repeat, Residual
from nas.network.build import Network
from nas.network.cost import cost_of
from nas.network.kinds import Conv, DepthwiseConv, Linear, pair
from nas.network.pools import GemPool

DEEP = Architecture(
    DEEPEST.input_shape,
    3,
    tuple(spec for spec in DEEPEST.layers if GemPool() not in spec.held),
)
in_c = branching().filter(lambda architecture: refuses(architecture) is None)


def model_of(architecture: Architecture, *, alike: bool = True, seed: int = 0) -> FrozenModel:
    """`alike`: all channels of an image are normalised alike, so that C needs no table for that."""
    if not alike:
        return frozen(architecture)
    n = architecture.input_shape[0]
    numbers = {"mean": (0.5,) * n, "std": (0.25,) * n}
    state = with_other_numbers(Network(architecture, **numbers), seed).state_dict()
    return frozen(architecture, state=state, **numbers)


# Memory ---------------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Values:
    """Activations between two layers; `n`: bytes."""

    n: int
    born: int
    dies: int = 0


def alive_at_once(architecture: Architecture, *, image_in_buffer: bool) -> int:
    """Most bytes of activations at once, a byte each, by following who reads what.

    As the cost model counts, but that the image and the scores are the caller's, unless the image was copied; that what
    is idle in use makes no copy; and that what filters pixel by pixel and channel by channel works in place.
    """
    image = Values(prod(architecture.input_shape) if image_in_buffer else 0, -1)
    everything, needs = [image], list[tuple[list[Values], Values, bool, int]]()

    def made(n: int, read: list[Values], *, in_place: bool, scratch: int = 0) -> Values:
        result = Values(n, len(needs))
        for values in read:
            values.dies = result.born
        everything.append(result)
        needs.append((read, result, in_place, scratch))
        return result

    def run(layer: Layer, values: Values) -> Values:
        spec, size = layer.spec, prod(layer.output_shape)
        if isinstance(spec, Repeat):
            for _ in range(spec.times):
                values = chain(layer.parts["body"], values)
            return values
        if isinstance(spec, Residual):
            body = chain(layer.parts["body"], values)
            return made(size, [body, chain(layer.parts.get("shortcut", ()), values)], in_place=True)
        if isinstance(spec, Parallel):
            results = []
            for part in layer.parts.values():
                results.append(chain(part, values))
                if spec.join == "add" and len(results) > 1:
                    results = [made(size, results, in_place=True)]
            return results[0] if spec.join == "add" else made(size, results, in_place=False)
        if spec.idle_in_use:
            return values
        in_place = spec.in_place or is_pixelwise(layer)
        return made(size, [values], in_place=in_place, scratch=spec.n_scratch(layer.input_shape))

    def chain(layers: tuple[Layer, ...], values: Values) -> Values:
        for layer in layers:
            values = run(layer, values)
        return values

    chain(architecture.walk, image).n = 0  # the scores
    most = 0
    for now, (read, result, in_place, scratch) in enumerate(needs):
        ending = [values for values in read if values.dies == now and values.n == result.n and values is not image]
        over = result.n if in_place and (ending or (image in read and image_in_buffer and image.dies == now)) else 0
        there = sum(values.n for values in everything if values.born <= now <= values.dies or values is result)
        most = max(most, there + scratch - over)
    return most


def is_pixelwise(layer: Layer) -> bool:
    spec, channels = layer.spec, layer.input_shape[0]
    if isinstance(spec, Linear):
        return channels == spec.features == 1
    if not isinstance(spec, Conv | DepthwiseConv):
        return False
    groups = spec.groups if isinstance(spec, Conv) else channels
    depthwise = groups == channels == layer.output_shape[0]
    return depthwise and (pair(spec.kernel), spec.stride, pair(spec.padding)) == ((1, 1), 1, (0, 0))


@settings(max_examples=400)
@given(in_c, st.booleans())
@example(DEEP, True)
def test_the_buffer_is_as_large_as_what_is_alive_at_once(architecture: Architecture, alike: bool) -> None:
    program = quantise(model_of(architecture, alike=alike), random_images(architecture, 2, 0))
    assert program.ram == alive_at_once(architecture, image_in_buffer=program.operations[0].name == "images")
    assert program.ram <= cost_of(architecture).memory // 4, "a byte a number"


def test_where_neither_image_nor_scores_decide_it_is_what_the_cost_model_says() -> None:
    program = quantise(model_of(DEEP), random_images(DEEP, 2, 0))
    assert program.ram == cost_of(DEEP).memory // 4


@settings(max_examples=200)
@given(in_c)
@example(DEEP)
def test_nothing_is_written_over_what_is_still_to_be_read(architecture: Architecture) -> None:
    program = quantise(model_of(architecture), random_images(architecture, 2, 0))
    places, scratches = program.memory.places, program.memory.scratches
    last_read = {source: number for number, step in enumerate(program.steps) for source in step.sources}
    for now, (operation, sources) in enumerate(program.steps):
        there = {n: span(places[n], program.operations[n].n_out) for n in range(now) if last_read[n] >= now}
        written = span(places[now], operation.n_out) if places[now] is not None else range(0)
        scratch = span(scratches[now], operation.n_scratch) if scratches[now] is not None else range(0)
        for n, lies in there.items():
            assert not overlap(lies, scratch)
            if n in sources and last_read[n] == now and operation.in_place and lies == written:
                continue
            if n == sources[-1] and last_read[n] == now and operation.grows:
                continue  # that it is copied in the right order is seen by running it
            assert not overlap(lies, written)
        assert not overlap(written, scratch)
        assert max(written.stop, scratch.stop) <= program.ram


def span(place: int | None, n: int) -> range:
    assert place is not None
    assert place >= 0
    return range(place, place + n)


def overlap(one: range, other: range) -> bool:
    return bool(one and other) and one.start < other.stop and other.start < one.stop


# The arithmetic -------------------------------------------------------------------------------------------------------


@needs_cc
@settings(max_examples=25)
@given(architecture=in_c, seed=st.integers(0, 1000), alike=st.booleans())
@example(architecture=DEEP, seed=0, alike=True)
def test_c_is_the_reference_to_the_last_bit(
    architecture: Architecture,
    seed: int,
    alike: bool,
    sanitizers: tuple[str, ...],  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    model, images = model_of(architecture, alike=alike, seed=seed), random_images(architecture, 20, seed)
    program = quantise(model, images[:10])
    expected = scores_of(program, images)
    scores, classes = compile_and_run(model, program, images, tmp_path_factory.mktemp("c"), sanitizers)
    assert torch.equal(scores, expected)
    assert torch.equal(classes, expected.argmax(1))
