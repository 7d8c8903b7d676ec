"""C of networks that branch: to the last bit what the reference computes, and no more memory than what is alive."""

import re
from dataclasses import dataclass, replace
from itertools import chain, takewhile
from math import ceil, prod
from pathlib import Path
from typing import Any

import pytest
import torch
from frozen_models import PROVENANCE, frozen, measured, network_of, with_other_numbers, with_weights_of
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_blocks import DEEP as DEEPEST
from test_blocks import branching
from test_export_c import (  # noqa: F401 - fixtures
    compile_and_run,
    needs_cc,
    one_thread,
    random_images,
    sanitizers,
    weight_bits,
)
from torch import nn

from nas.datasets.dataset import Dataset
from nas.datasets.splitting import Split, normalisation
from nas.errors import ExportError
from nas.export.c import compiled
from nas.export.c.graph import refuses
from nas.export.c.operations import Convolution, Excitation, Operation
from nas.export.c.program import Program
from nas.export.c.quantise import quantise
from nas.export.c.reference import scores_of
from nas.export.c.stages import STAGES
from nas.export.frozen import FrozenModel
from nas.export.writing import write
from nas.network import modules
from nas.network.architecture import Architecture, Layer
from nas.network.blocks import (
    ChannelScale,
    ChannelShuffle,
    Parallel,
    PReLU,
    Repeat,
    Residual,
    SqueezeExcite,
    inverted_bottleneck,
)
from nas.network.build import Network
from nas.network.cost import cost_of
from nas.network.kinds import (
    KINDS,
    Activation,
    BatchNorm,
    Conv,
    DepthwiseConv,
    Flatten,
    Layers,
    LayerSpec,
    Linear,
    MaxPool,
    Shape,
    gap_head,
    pair,
)
from nas.network.pools import BlurPool, GemPool, MaxAvgPool
from nas.training.recipe import Recipe
from nas.training.run import TrainingRun

DEEP = Architecture(
    DEEPEST.input_shape,
    3,
    tuple(spec for spec in DEEPEST.layers if GemPool() not in spec.held),
)
# Residuals in a chain whose results lie now in front and now at the back; what is joined grows over its last part.
GROWING = Architecture(
    (2, 6, 6),
    3,
    (
        *(Conv(4, 3, padding=1), Parallel(((Conv(4, 1),), (Conv(4, 1), Activation("silu"), Conv(6, 3, padding=1))))),
        Residual((Parallel(((Conv(5, 1),), (Residual((Conv(10, 1),)), Conv(7, 1), Conv(5, 1)))),)),
        *(Conv(3, 1), Parallel(((MaxPool(1), Conv(2, 1)), (ChannelScale(), Conv(2, 1), Conv(3, 1)))), *gap_head(3)),
    ),
)
in_c = branching().filter(lambda architecture: refuses(architecture) is None)


def model_of(architecture: Architecture, *, alike: bool = True, seed: int = 0) -> FrozenModel:
    """`alike`: all channels of an image are normalised alike, so that a byte stands for the very number."""
    if not alike:
        return frozen(architecture)
    n = architecture.input_shape[0]
    numbers = {"mean": (128 / 255,) * n, "std": (0.25,) * n}
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


@pytest.mark.slow
@settings(max_examples=250)
@given(in_c, st.booleans())
@example(DEEP, True)
def test_the_buffer_is_as_large_as_what_is_alive_at_once(architecture: Architecture, alike: bool) -> None:
    program = quantise(model_of(architecture, alike=alike), random_images(architecture, 2, 0))
    assert program.ram == alive_at_once(architecture, image_in_buffer=program.operations[0].name == "images")
    assert program.ram <= cost_of(architecture).memory // 4, "a byte a number"


def test_where_neither_image_nor_scores_decide_it_is_what_the_cost_model_says() -> None:
    program = quantise(model_of(DEEP), random_images(DEEP, 2, 0))
    assert program.ram == cost_of(DEEP).memory // 4


@pytest.mark.slow
@settings(max_examples=200)
@given(in_c, weight_bits)
@example(DEEP, 8)
@example(DEEP, 4)
@example(GROWING, 4)
def test_nothing_is_written_over_what_is_still_to_be_read(architecture: Architecture, bits: int) -> None:
    program = quantise(with_weights_of(model_of(architecture), bits), random_images(architecture, 2, 0))
    places, scratches = program.memory.places, program.memory.scratches
    last_read = {source: number for number, step in enumerate(program.steps) for source in step.sources}
    for now, (operation, sources) in enumerate(program.steps):
        there = {n: span(places[n], program.operations[n].n_out) for n in range(now) if last_read[n] >= now}
        written = span(places[now], operation.n_out) if places[now] is not None else range(0)
        scratch = span(scratches[now], operation.n_scratch) if scratches[now] is not None else range(0)
        assert len(scratch) == n_scratch(operation, bits)
        for n, lies in there.items():
            assert not overlap(lies, scratch)
            if n in sources and last_read[n] == now and operation.in_place and lies == written:
                continue
            if n == sources[-1] and last_read[n] == now and operation.grows:
                continue  # that it is copied in the right order is seen by running it
            assert not overlap(lies, written)
        assert not overlap(written, scratch)
        assert max(written.stop, scratch.stop) <= program.ram


def n_scratch(operation: Operation, bits: int) -> int:
    """Means and what is between two layers; with 4 bits also the weights of one output channel, a byte each."""
    if isinstance(operation, Excitation):
        means, hidden = operation.squeeze.n_in, operation.squeeze.n_out
        return means + hidden + (max(means, hidden) if bits == 4 else 0)
    return operation.weights[0].numel() if bits == 4 and isinstance(operation, Convolution) else 0


def span(place: int | None, n: int) -> range:
    assert place is not None
    assert place >= 0
    return range(place, place + n)


def overlap(one: range, other: range) -> bool:
    return bool(one and other) and one.start < other.stop and other.start < one.stop


def test_what_is_joined_grows_over_its_last_part_in_front_and_at_the_back() -> None:
    program = quantise(model_of(GROWING), random_images(GROWING, 2, 0))
    places, seen = program.memory.places, set()
    for place, (operation, sources) in zip(places, program.steps, strict=True):
        if operation.grows and place is not None:
            last, n = places[sources[-1]], program.operations[sources[-1]].n_out
            assert last is not None
            seen.add((last == place, last + n == place + operation.n_out))
    assert seen >= {(True, False), (False, True)}


# The arithmetic -------------------------------------------------------------------------------------------------------


@needs_cc
@settings(max_examples=25)
@given(architecture=in_c, seed=st.integers(0, 1000), alike=st.booleans(), bits=weight_bits)
@example(architecture=DEEP, seed=0, alike=True, bits=8)
@example(architecture=DEEP, seed=0, alike=True, bits=4)
@example(architecture=GROWING, seed=0, alike=True, bits=4)
@example(architecture=Architecture((3, 1, 1), 3, (Flatten(),)), seed=0, alike=True, bits=8)
@example(architecture=Architecture((3, 1, 1), 3, (Flatten(),)), seed=0, alike=False, bits=4)
def test_c_is_the_reference_to_the_last_bit(
    architecture: Architecture,
    seed: int,
    alike: bool,
    bits: int,
    sanitizers: tuple[str, ...],  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    model = with_weights_of(model_of(architecture, alike=alike, seed=seed), bits)
    images = random_images(architecture, 20, seed)
    program = quantise(model, images[:10])
    expected = scores_of(program, images)
    scores, classes = compile_and_run(model, program, images, tmp_path_factory.mktemp("c"), sanitizers)
    assert torch.equal(scores, expected)
    assert torch.equal(classes, expected.argmax(1))


BY_ITSELF: dict[str, tuple[LayerSpec, float]] = {
    # A layer on an image, and by how many levels of its output it may be off: half of one for each time that something
    # is rounded, and half of one since the ends of a range are moved, so that 0 is a whole number.
    "sum": (Residual((Activation("relu"),)), 1.5),
    "sum of three": (Parallel(((Activation(),), (Activation("silu"),), (PReLU(),)), "add"), 3),
    "concatenation": (Parallel(((Activation(),), (BlurPool(1, maximum=False),), (MaxPool(3, 1, 1),))), 1.5),
    "zeros": (Residual((Conv(6, 1, 2),), "pool"), 2.5),
    "shuffle": (ChannelShuffle(2), 0.5),
    "channel scale": (ChannelScale(), 1),
    "batch norm": (BatchNorm(), 1),
    "prelu": (PReLU(), 1),
    "blur": (BlurPool(1, maximum=False), 1),
    "blur of maxima": (BlurPool(3), 1),
    "maximum and average": (MaxAvgPool(), 1),
    "squeeze-excite": (SqueezeExcite(2), 4),
    "hard squeeze-excite": (SqueezeExcite(1, "hardsigmoid"), 4),
    "dilated": (Conv(3, (2, 3), 2, (1, 3), dilation=2), 2.5),
}


@pytest.mark.parametrize("name", BY_ITSELF)
@torch.no_grad()
def test_each_kind_computes_what_its_module_does(name: str) -> None:
    """On images that are calibrated on, so that no range is left."""
    spec, levels = BY_ITSELF[name]
    architecture = Architecture((4, 9, 7), 3, (spec, *gap_head(3)))
    model, images = model_of(architecture), random_images(architecture, 50, 1)
    program, network = quantise(model, images), network_of(model).double()
    layer = architecture.walk[0]
    n = 1 + max(n for n, operation in enumerate(program.operations) if operation.name.startswith(layer.name))
    coding = program.operations[n - 1].output
    assert coding is not None
    numbers = scores_of(replace(program, steps=program.steps[:n]), images).double().view(50, *layer.output_shape)
    exact = network.get_submodule(layer.name)((images.double() / 255 - network.mean) / network.std)
    off = (coding.scale * (numbers - coding.zero) - exact).abs()
    assert off.max() <= levels * coding.scale
    assert coding.scale < 0.1, "of numbers about 1"


# Weights that are used several times ----------------------------------------------------------------------------------


def repeated(times: int, *norm: LayerSpec) -> Program:
    body = (Conv(6, 3, padding=1, bias=False), *norm, Activation("silu"), SqueezeExcite(2))
    layers = (Conv(6), Repeat((Residual(body),), times), *gap_head(3))
    architecture = Architecture((1, 9, 9), 3, layers)
    return quantise(model_of(architecture), random_images(architecture, 20, 0))


def test_weights_that_are_used_several_times_are_stored_once() -> None:
    """Their ranges too are those of all uses. The first use alone gets numbers of another scale than the others do."""
    once, twice, often = repeated(1), repeated(2), repeated(7)
    assert [array.name for array in often.arrays if array.c_type == "int8_t"] == [
        array.name for array in once.arrays if array.c_type == "int8_t"
    ]
    assert often.flash == twice.flash == once.flash + 9 * 6, "a bias, a multiplier and a shift of each channel"
    assert len(often.steps) - len(twice.steps) == 5 * len(("convolution", "squeeze-excite", "sum"))
    assert often.ram == twice.ram


def test_batch_norm_takes_a_bias_a_multiplier_and_a_shift_of_each_channel_for_each_use() -> None:
    """It has statistics of each use, so factors are others; the weights in 8 bits are the same."""
    once, often = repeated(1, BatchNorm()), repeated(7, BatchNorm())
    assert often.flash == once.flash + 6 * 9 * 6
    weights = [
        op.weights for op in often.operations if isinstance(op, Convolution) and op.shared == "rep1_body_0_body_0"
    ]
    assert len(weights) == 7
    assert all(torch.equal(each, weights[0]) for each in weights)
    assert weights[0].abs().flatten(1).amax(1).tolist() == [127] * 6


@st.composite
def nested_repeats(draw: st.DrawFn) -> Architecture:
    """Repeats within each other, each with batch norm behind a convolution or by itself, and other layers around it."""
    channels = draw(st.integers(1, 4))
    shape: Shape = (channels, draw(st.integers(3, 6)), draw(st.integers(3, 6)))
    layers: Layers = ()
    for _ in range(draw(st.integers(1, 3))):
        around = [draw(keeping(channels)) for _ in range(draw(st.integers(1, 3)))]
        around.insert(draw(st.integers(0, len(around))), layers)
        layers = tuple(chain.from_iterable(around))
        layers = (Residual(layers) if draw(st.booleans()) else Repeat(layers, draw(st.integers(1, 3))),)
    return Architecture(shape, 3, (Repeat(layers, 2), *gap_head(3)))


def keeping(channels: int) -> st.SearchStrategy[Layers]:
    """Layers that keep the shape."""
    convolutions = st.sampled_from([Conv(channels, 3, padding=1), DepthwiseConv((1, 3), 1, (0, 1), bias=False)])
    norms, functions = st.builds(BatchNorm, st.booleans()), st.sampled_from([Activation(), Activation("silu"), PReLU()])
    return st.one_of(
        st.tuples(convolutions, norms, functions),
        st.tuples(convolutions, norms, st.just(ChannelScale())),
        st.tuples(st.one_of(norms, functions, st.sampled_from([SqueezeExcite(2), BlurPool(1, maximum=False)]))),
    )


def with_numbers_of_any_sign(model: FrozenModel, seed: int) -> FrozenModel:
    """Some are 0; variances stay above it."""
    generator = torch.Generator().manual_seed(seed)

    def number(name: str, values: torch.Tensor) -> torch.Tensor:
        drawn = torch.randn(values.shape, generator=generator)
        return 0.2 + drawn.abs() if "var" in name else drawn * (torch.rand(values.shape, generator=generator) > 0.1)

    return replace(model, state={name: number(name, x) if x.ndim else x for name, x in model.state.items()})


@settings(max_examples=100)
@given(nested_repeats(), st.integers(0, 1000), weight_bits)
def test_each_use_has_its_own_statistics_and_the_same_weights(architecture: Architecture, seed: int, bits: int) -> None:
    model = with_weights_of(with_numbers_of_any_sign(model_of(architecture), seed), bits)
    program = quantise(model, random_images(architecture, 5, seed))
    network = network_of(model).double()
    uses: dict[str, list[Convolution]] = {}
    for operation in chain.from_iterable(each.called for each in program.operations):
        if isinstance(operation, Convolution):
            uses.setdefault(operation.shared, []).append(operation)
    for name, module in network.named_modules():
        same = uses.get(name.replace(".", "_"), [])
        behind = [network.get_submodule(each) for each in joined_behind(name, network)]
        for time, operation in enumerate(same):  # in the order of the repeats, the innermost first
            weights, bias = as_convolution(module, time)
            for each in behind:
                factor, shift = factor_and_shift(each, time)
                weights, bias = weights * factor.view(-1, 1, 1, 1), bias * factor + shift
            assert torch.equal(operation.weights, same[0].weights)
            one = operation.scales.double() / operation.input.scale  # what 1 in a weight stands for
            off = (operation.weights * one.view(-1, 1, 1, 1) - weights).abs().amax((1, 2, 3)) / one
            assert (off <= 0.5001).all()
            rounding = 2**-24 * bias.abs()  # of the scale, which is made in float64 and noted in float32
            off = (operation.bias * operation.scales.double() - bias).abs()
            assert (off <= 0.5001 * operation.scales + 1.0001 * rounding).all()
    n_weights = sum(array.n_bytes for array in program.arrays if array.name.endswith("_weights"))
    assert n_weights == sum(ceil(operations[0].weights.numel() * bits / 8) for operations in uses.values())


def joined_behind(path: str, network: Network) -> list[str]:
    """Paths of what is a factor and a shift a channel right behind a layer with weights."""
    *within, name = path.split(".")
    siblings = list(network.get_submodule(".".join(within))._modules.items())
    after = siblings[[each for each, _ in siblings].index(name) + 1 :] if name else []
    scaling = takewhile(lambda each: isinstance(each[1], modules.NormInTurn | modules.ChannelScale), after)
    return [".".join((*within, each)) for each, _ in scaling]


def as_convolution(module: Any, time: int) -> tuple[torch.Tensor, torch.Tensor]:
    if isinstance(module, nn.Conv2d | nn.Linear):
        bias = module.bias if module.bias is not None else torch.zeros(len(module.weight))
        return module.weight if module.weight.ndim == 4 else module.weight[:, :, None, None], bias
    factor, shift = factor_and_shift(module, time)
    return factor.view(-1, 1, 1, 1), shift


def factor_and_shift(module: Any, time: int) -> tuple[torch.Tensor, torch.Tensor]:
    if isinstance(module, modules.ChannelScale):
        return module.scale.flatten(), torch.zeros(len(module.scale)).double()
    mean, var = (each.flatten(0, -2)[time] for each in (module.running_mean, module.running_var))
    factor = (var + module.eps).rsqrt() * (1 if module.weight is None else module.weight)
    return factor, (0 if module.bias is None else module.bias) - mean * factor


@needs_cc
@settings(max_examples=25)
@given(architecture=nested_repeats(), seed=st.integers(0, 1000), bits=weight_bits)
def test_c_of_nested_repeats_is_the_reference_to_the_last_bit(
    architecture: Architecture,
    seed: int,
    bits: int,
    sanitizers: tuple[str, ...],  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    model = with_weights_of(with_numbers_of_any_sign(model_of(architecture), seed), bits)
    images = random_images(architecture, 20, seed)
    program = quantise(model, images[:10])
    scores, _ = compile_and_run(model, program, images, tmp_path_factory.mktemp("c"), sanitizers)
    assert torch.equal(scores, scores_of(program, images))


@needs_cc
@pytest.mark.parametrize("bias", [1e9, -1e9, 0.0])
def test_shared_channels_without_weights_and_with_a_huge_bias(
    bias: float,
    sanitizers: tuple[str, ...],  # noqa: F811
    tmp_path: Path,
) -> None:
    body = (Conv(3, 3, padding=1, bias=False), BatchNorm(), Activation())
    model = model_of(Architecture((1, 4, 4), 2, (Conv(3, 1), Repeat(body, 3), *gap_head(2))))
    numbers = {
        "rep1.body.1.weight": torch.tensor([0.0, 1.0, -1.0]),
        "rep1.body.1.bias": torch.tensor([bias, 0.0, bias]),
    }
    model = replace(model, state=dict(model.state) | numbers)
    images = random_images(model.architecture, 10, 0)
    program = quantise(model, images)
    assert torch.equal(compile_and_run(model, program, images, tmp_path, sanitizers)[0], scores_of(program, images))


# What C cannot have ---------------------------------------------------------------------------------------------------


def test_what_c_cannot_have_is_named_with_its_path(tmp_path: Path) -> None:
    layers = (Conv(4), Parallel(((MaxAvgPool(),), (Conv(2), GemPool())), "concat"), *gap_head(2))
    architecture = Architecture((1, 9, 9), 2, layers)
    said = refuses(architecture)
    assert said is not None
    assert "a layer of the kind 'gem_pool' (branch1.1.1, global GeM pool)" in said
    assert "\n" not in said
    model, images, labels = measured(architecture)
    with pytest.raises(ExportError, match=re.escape(said)):
        write(model, "m", tmp_path / "none", images, labels, training_images=images, formats=("py", "c"))
    assert not (tmp_path / "none").exists()


def test_a_kind_that_c_does_not_know_is_refused() -> None:
    known = set(STAGES) | {Residual, Parallel, Repeat}
    others = {kind for kind in KINDS.values() if kind not in known and not (kind.elementwise or kind.idle_in_use)}
    assert others == {GemPool}


# Networks that were trained, on real images ---------------------------------------------------------------------------


def normed(channels: int, kernel: int = 3, stride: int = 1) -> Layers:
    return Conv(channels, kernel, stride, kernel // 2, bias=False), BatchNorm(), Activation()


def projected(channels: int) -> Layers:
    return Conv(channels, 3, padding=1, bias=False), BatchNorm()


TRAINED: dict[str, Layers] = {
    "residual with squeeze-excite": (
        *(*normed(8), MaxPool(), Residual((*normed(8), *projected(8), SqueezeExcite(2))), Activation()),
        *(Residual((*normed(16, stride=2), *projected(16), SqueezeExcite(4, "hardsigmoid"))), Activation()),
    ),
    "inverted bottlenecks": (
        *(*normed(8), MaxPool(), Residual(inverted_bottleneck(8, 24, squeeze=4, function="hardswish"))),
        *(Residual(inverted_bottleneck(12, 32, 5, 2, function="silu")), Residual(inverted_bottleneck(12, 36))),
    ),
    "shared repeats": (
        *(*normed(12), MaxPool(), Repeat((Residual((*normed(12), ChannelScale(0.3))),), 3)),
        *(MaxPool(), *normed(16)),
        Repeat((Residual((Conv(16, 3, 1, 1, 4), Activation("silu"), ChannelShuffle(4), Conv(16, 1))),), 2),
    ),
}


@needs_cc
@pytest.mark.parametrize("name", TRAINED)
def test_a_trained_network_loses_little(name: str, mnist: Dataset, tmp_path: Path) -> None:
    mean, std = normalisation(mnist.images[:3000])
    parts = mnist.images[:3000], mnist.labels[:3000], mnist.images[3000:5000], mnist.labels[3000:5000]
    architecture = Architecture((1, 28, 28), 10, (*TRAINED[name], *gap_head(10)))
    recipe = Recipe(epochs=3, batch_size=30, lr=0.1, schedule="linear")
    run = TrainingRun(architecture, recipe, Split(*parts, mean, std, 10, (1, 28, 28)), seed=0)
    *_, last = run
    said = replace(PROVENANCE, n_validation=2000, epochs=3, validation_accuracy=last.validation_accuracy, n_train=3000)
    model = frozen(architecture, mean=mean, std=std, recipe=recipe, provenance=said, state=run.network.state_dict())
    assert last.validation_accuracy > 0.85
    program = quantise(model, parts[0][:1000])
    expected = scores_of(program, parts[2])
    with torch.no_grad():
        n_equal = int((expected.argmax(1) == network_of(model)(parts[2]).argmax(1)).sum())
    assert n_equal >= 1940
    assert abs((expected.argmax(1) == parts[3]).float().mean().item() - last.validation_accuracy) <= 0.01
    scores, _ = compile_and_run(model, program, parts[2], tmp_path, compiled.OPTIONS)
    assert torch.equal(scores, expected)
