"""Networks that branch: for any nesting of blocks the count, the module and the exported file are one."""

import json
from collections.abc import Iterator
from itertools import islice, pairwise
from math import prod
from pathlib import Path
from typing import Any

import pytest
import torch
from frozen_models import measured, with_other_numbers
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import CHAINED, image_layers, own_layers
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from nas.errors import ArchitectureError
from nas.export.check import check
from nas.export.python import source, weights_file
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
from nas.network.cost import Budget, cost_of
from nas.network.kinds import (
    KINDS,
    Activation,
    BatchNorm,
    Constructor,
    Conv,
    DepthwiseConv,
    Dropout,
    Layers,
    LayerSpec,
    MaxPool,
    Shape,
    gap_head,
    shape_behind,
)
from nas.network.layer_table import folded, layer_rows
from nas.network.pools import BlurPool, GemPool, MaxAvgPool
from nas.space import finding
from nas.space.candidate import Task
from nas.space.probing import random_candidates

MOST_DEEP = 3


# Any network ----------------------------------------------------------------------------------------------------------


@st.composite
def chains(draw: st.DrawFn, shape: Shape, depth: int, keeps: bool = False) -> Layers:
    """Up to three layers behind an image of this shape, blocks among them; `keeps`: the shape is the same behind it."""
    layers: list[LayerSpec] = []
    current = shape
    for _ in range(draw(st.integers(1, 3))):
        for spec in draw(
            st.just((draw(blocks(current, depth)),)) if depth and draw(st.booleans()) else simple(current)
        ):
            layers.append(spec)
            current = spec.output_shape(current)
    if keeps and current != shape:
        return (Conv(shape[0], 3, padding=1), BatchNorm(), Activation())
    return tuple(layers)


def simple(shape: Shape) -> st.SearchStrategy[Layers]:
    return st.one_of(own_layers(shape), image_layers(shape))


@st.composite
def blocks(draw: st.DrawFn, shape: Shape, depth: int) -> LayerSpec:
    kind = draw(st.sampled_from(["residual", "strided", "concat", "add", "repeat"]))
    if kind == "residual":
        return Residual(draw(chains(shape, depth - 1, keeps=True)))
    if kind == "strided":
        n, stride = draw(st.integers(shape[0], shape[0] + 3)), draw(st.integers(1, 2))
        body = (Conv(n, 3, stride, 1, bias=False), BatchNorm())
        return Residual(body, draw(st.sampled_from(["conv", "pool"])))
    if kind == "repeat":
        return Repeat(draw(chains(shape, depth - 1, keeps=True)), draw(st.integers(1, 3)))
    branches = tuple(draw(chains(shape, depth - 1, keeps=True)) for _ in range(draw(st.integers(2, 3))))
    return Parallel(branches, "add" if kind == "add" else "concat")


@st.composite
def branching(draw: st.DrawFn) -> Architecture:
    shape: Shape = (draw(st.integers(1, 4)), draw(st.integers(3, 10)), draw(st.integers(3, 10)))
    layers = draw(chains(shape, MOST_DEEP))
    return Architecture(shape, 3, (*layers, *gap_head(3)))


def built(architecture: Architecture) -> Network:
    channels = architecture.input_shape[0]
    return with_other_numbers(Network(architecture, (0.5,) * channels, (0.25,) * channels))


def images_for(architecture: Architecture, n: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (n, *architecture.input_shape), generator=generator, dtype=torch.uint8)


@settings(max_examples=250)
@given(branching())
def test_count_module_and_data_are_one(architecture: Architecture) -> None:
    cost, network = cost_of(architecture), built(architecture)
    assert sum(p.numel() for p in network.parameters()) == cost.params
    floats = [values.numel() for values in network.state_dict().values() if values.is_floating_point()]
    assert 4 * sum(floats) == cost.bytes
    with FlopCounterMode(display=False) as counted, torch.no_grad():
        assert network(images_for(architecture, 1)).shape == (1, 3)
    assert counted.get_total_flops() == 2 * cost.macs
    assert Architecture.from_dict(json.loads(json.dumps(architecture.to_dict()))) == architecture
    rows = layer_rows(architecture)
    assert sum(row.params for row in rows) == cost.params
    assert sum(row.macs for row in rows) == cost.macs
    for row in rows:
        network.get_submodule(row.name)  # is there
    few = folded(rows)
    assert (sum(row.params for row in few), sum(row.macs for row in few)) == (cost.params, cost.macs)
    assert all(row.macs for row in few[1:])
    assert [row.name for row in few[1:]] == [row.name for row in rows[1:] if row.macs]
    assert ", ".join(row.layer for row in few) == ", ".join(row.layer for row in rows)


@settings(max_examples=250)
@given(branching())
def test_every_layer_has_the_shapes_that_the_walk_gave_it(architecture: Architecture) -> None:
    network = built(architecture)
    wanted = {path: (layer.input_shape, layer.output_shape) for path, layer, _ in architecture.plain_layers}
    moved = {  # activations are computed behind a max pool that follows: see `nas.network.build.steps`
        path: (pool.output_shape, pool.output_shape)
        for (path, layer, _), (_, pool, _) in pairwise(architecture.plain_layers)
        if isinstance(layer.spec, Activation) and isinstance(pool.spec, MaxPool)
    }
    seen = set()

    def look(path: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
            shapes = tuple(inputs[0].shape[1:]), tuple(output.shape[1:])
            assert shapes in (wanted[path], moved.get(path))
            seen.add(path)

        return hook

    for path in wanted:
        network.get_submodule(path).register_forward_hook(look(path))
    with torch.no_grad():
        network(images_for(architecture))
    assert seen == set(wanted)


# Peak memory ----------------------------------------------------------------------------------------------------------


def measured_peak(architecture: Architecture) -> int:
    """Numbers of activations at once, by running the modules that were built one after the other.

    It is noted what each reads and makes; a tensor lives from its making to its last reading. What works in place takes
    over its input's place if nobody reads that afterwards.
    """
    network, events = built(architecture), list[tuple[list[int], int, int, bool]]()
    sizes: dict[int, int] = {}
    keep: list[torch.Tensor] = []  # so that no two tensors have one identity

    def noted(read: list[torch.Tensor], made: torch.Tensor, *, overwrites: bool, scratch: int = 0) -> torch.Tensor:
        for tensor in (*read, made):
            sizes[id(tensor)] = prod(tensor.shape[1:])
            keep.append(tensor)
        events.append(([id(tensor) for tensor in read], id(made), scratch, overwrites))
        return made

    def run(path: str, layer: Layer, values: torch.Tensor) -> torch.Tensor:
        spec, module = layer.spec, network.get_submodule(path)
        if isinstance(spec, Residual):
            body = chain(f"{path}.body.", layer.parts["body"], values)
            other = chain(f"{path}.shortcut.", layer.parts["shortcut"], values) if "shortcut" in layer.parts else values
            return noted([body, other], body + other, overwrites=True)
        if isinstance(spec, Parallel) and spec.join == "concat":
            results = [chain(f"{path}.{name}.", part, values) for name, part in layer.parts.items()]
            return noted(results, torch.cat(results, 1), overwrites=False)
        if isinstance(spec, Parallel):
            total: torch.Tensor | None = None
            for name, part in layer.parts.items():
                result = chain(f"{path}.{name}.", part, values)
                total = result if total is None else noted([total, result], total + result, overwrites=True)
            assert total is not None
            return total
        if isinstance(spec, Repeat):
            for _ in range(spec.times):
                values = chain(f"{path}.body.", layer.parts["body"], values)
            return values
        scratch = spec.n_scratch(layer.input_shape)
        return noted([values], module(values).clone(), overwrites=spec.in_place, scratch=scratch)

    def chain(prefix: str, part: tuple[Layer, ...], values: torch.Tensor) -> torch.Tensor:
        for layer in part:
            values = run(prefix + layer.name, layer, values)
        return values

    with torch.no_grad():
        start = (images_for(architecture, 1) / 255 - network.mean) / network.std
        sizes[id(start)] = prod(start.shape[1:])
        chain("", architecture.walk, start)
    last = {tensor: when for when, (read, _, _, _) in enumerate(events) for tensor in read}
    alive, peak = {id(start)}, 0
    for when, (read, made, scratch, in_place) in enumerate(events):
        ending = {tensor for tensor in read if last[tensor] == when}
        taken_over = next((t for t in read if t in ending and sizes[t] == sizes[made]), None) if in_place else None
        now = sum(sizes[tensor] for tensor in alive) + (0 if taken_over is not None else sizes[made]) + scratch
        peak = max(peak, now)
        alive = (alive - ending) | {made}
    return peak


def all_layers(layers: tuple[Layer, ...], prefix: str = "") -> Iterator[tuple[str, Layer]]:
    for layer in layers:
        yield prefix + layer.name, layer
        for part, held in layer.parts.items():
            yield from all_layers(held, f"{prefix}{layer.name}.{part}.")


@pytest.mark.slow
@settings(max_examples=400)
@given(branching())
def test_peak_memory_is_what_is_alive_at_once(architecture: Architecture) -> None:
    assert cost_of(architecture).memory == 4 * measured_peak(architecture)


@pytest.mark.slow
@settings(max_examples=2_000)
@given(branching())
def test_so_it_is_for_two_thousand_networks(architecture: Architecture) -> None:
    assert cost_of(architecture).memory == 4 * measured_peak(architecture)


# Exports, training, errors --------------------------------------------------------------------------------------------

DEEP = Architecture(
    (1, 12, 12),
    3,
    (
        *(Conv(4, 3, padding=1, bias=False), BatchNorm(), Activation()),
        Residual((Conv(4, 3, padding=1, bias=False), BatchNorm(), Activation(), Dropout(0.1), Conv(4, 3, padding=1))),
        Residual((*inverted_bottleneck(6, 8, stride=2, squeeze=2), ChannelScale(0.5)), "conv"),
        Residual((Conv(8, 3, 2, 1), BatchNorm()), "pool"),
        Parallel(((Conv(2, 1),), (Conv(2, 3, padding=1), Activation("gelu")), (MaxPool(3, 1, 1),)), "concat"),
        ChannelShuffle(2),
        Repeat((Residual((Conv(12, 3, padding=1, groups=4), BatchNorm(), Activation())),), 3),
        Parallel(((Conv(5, 1),), (Conv(5, 3, padding=1),)), "add"),
        SqueezeExcite(2, "hardsigmoid"),
        *(BlurPool(), DepthwiseConv((1, 3), padding=(0, 1)), PReLU(), Conv(4, 3, padding=2, dilation=2)),
        Parallel(((BlurPool(1, maximum=False), MaxAvgPool()), (GemPool(),)), "add"),
        *gap_head(3, pool=MaxAvgPool()),
    ),
)


def constructor(layer: Layer) -> Constructor:
    return layer.spec.constructor(layer.input_shape)


def test_every_kind_of_block_is_tried() -> None:
    tried = {type(layer.spec) for _, layer in all_layers(DEEP.walk)}
    assert {kind for kind in KINDS.values() if kind not in CHAINED.values()} <= tried


def test_a_line_of_text_shows_what_branches() -> None:
    assert str(DEEP) == (
        "conv 3×3 4 p1, res[conv 3×3 4 p1, dropout 0.1, conv 3×3 4 p1], "
        "res[conv 1×1 8, depthwise 3×3 s2 p1, squeeze-excite 1/2, conv 1×1 6, channel scale], res[conv 3×3 8 s2 p1], "
        "[conv 1×1 2 | conv 3×3 2 p1, gelu | max pool 3×3], shuffle g2, 3×[res[conv 3×3 12 p1 g4]], "
        "[conv 1×1 5 + conv 3×3 5 p1], squeeze-excite 1/2 hard, max blur pool, depthwise 1×3 p0×1, prelu, "
        "conv 3×3 4 p2 d2, [blur pool s1, global max and average pool + global GeM pool], "
        "global max and average pool, FC 3"
    )


@pytest.mark.slow
def test_it_is_exported_as_python_onnx_and_a_program(tmp_path: Path) -> None:
    model, images, labels = measured(DEEP)
    write(model, "deep", tmp_path, images, labels, formats=("py", "onnx", "torch"))
    text = (tmp_path / "deep.py").read_text()
    for name in (
        "Residual",
        "Concatenated",
        "Added",
        "Repeated",
        "SqueezeExcite",
        "Padded",
        "ChannelScale",
        "BlurPool",
    ):
        assert text.count(f"class {name}(") == 1
        assert hasattr(modules, name)
    assert max(map(len, text.splitlines())) <= 120


def bottleneck(channels: int, expand: int, stride: int = 1) -> LayerSpec:
    return Residual(inverted_bottleneck(channels, expand, 3, stride), "conv")


def test_blocks_that_differ_in_their_numbers_are_one_class(tmp_path: Path) -> None:
    same = (Conv(3, 3, padding=1),)
    layers = (
        *(Conv(6, 3, padding=1), bottleneck(6, 12), bottleneck(6, 12)),
        *(bottleneck(8, 12, 2), bottleneck(8, 20), bottleneck(10, 30, 2), bottleneck(10, 20)),
        *(Parallel((same, same)), Parallel((same, same)), Repeat((bottleneck(6, 7),), 2)),
    )
    model, images, labels = measured(Architecture((1, 16, 16), 3, (*layers, *gap_head(3))))
    write(model, "winner", tmp_path, images, labels)
    text = (tmp_path / "winner.py").read_text()
    assert "class ResidualBlock1(Residual):" in text
    assert "self.res1 = ResidualBlock1(n_channels=6, n_hidden=12)\n" in text
    assert "self.res4 = ResidualBlock1(n_channels=8, n_hidden=20)\n" in text
    assert "self.res5 = ResidualBlock2(n_in=8, n_hidden=30, n_out=10)  # 10×4×4\n" in text
    assert "def __init__(self, n_in):\n" in text  # of the branches, which differ in what they get
    assert text.count("groups=") == 3, "of each class once, and of the repeated block"


@settings(max_examples=4)
@given(branching())
def test_any_is_exported_as_python(architecture: Architecture) -> None:
    from tempfile import TemporaryDirectory

    model, images, labels = measured(architecture)
    with TemporaryDirectory() as folder:
        (Path(folder) / "any_net.py").write_text(source(model, "any_net"), "utf-8")
        (Path(folder) / "any_net.safetensors").write_bytes(weights_file(model))
        check(model, "any_net", Path(folder), images, labels)


def test_joined_kernels_compute_the_same_within_branches() -> None:
    plain, joined = built(DEEP), built(DEEP)
    joined.join_layers()
    images = images_for(DEEP, 8)
    for network in (plain, joined):
        torch.manual_seed(0)
        for module in network.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        network.train()
        network(images).square().sum().backward()
    for (name, one), (_, other) in zip(plain.named_parameters(), joined.named_parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=1e-4, msg=name)
    assert plain.conv1.weight.grad.abs().max() > 0, "something is compared"
    assert str(joined) == str(plain)


SHARED = (Conv(3, 3, padding=1, bias=False), BatchNorm(), Activation())


@pytest.mark.parametrize("joined", [False, True])
@pytest.mark.parametrize(
    "body",
    [
        SHARED,
        (Repeat((Residual(SHARED),), 2), DepthwiseConv(3, 1, 1), BatchNorm(affine=False)),
        (Repeat((Repeat((Residual(SHARED), Activation("silu")), 2), Repeat(SHARED, 1)), 2), BatchNorm()),
    ],
)
def test_each_use_of_shared_weights_has_statistics_of_its_own(body: Layers, joined: bool) -> None:
    layers = (Conv(3, 3, padding=1), Repeat(body, 3), *gap_head(3))
    network = built(Architecture((1, 16, 16), 3, layers)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if joined:
        network.join_layers()
    for module in network.modules():
        if hasattr(module, "momentum"):
            module.momentum = 1.0  # the statistics are those of the last batch
    images = images_for(Architecture((1, 16, 16), 3, layers), 32)
    with torch.no_grad():
        trained = network.train()(images)
        torch.testing.assert_close(network.eval()(images), trained, rtol=1e-2, atol=1e-3)  # but for n / (n - 1)


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ((Conv(4), Residual((Conv(4, 3), Conv(4, 99)))), "layer 2 › body › layer 2 (conv 99×99 4): a window must fit"),
        (
            (Residual((Residual((Conv(1, 4),)),)),),
            "layer 1 › body › layer 1 (res[conv 4×4 1]): what is added must have one shape",
        ),
        ((Residual((Conv(4),)),), "layer 1 (res[conv 3×3 4]): what is added must have one shape"),
        ((Repeat((Conv(4, padding=1, kernel=3),)),), "what is repeated must keep the shape"),
        ((Parallel(((Conv(2),), (Conv(2, 1),))),), "must end in images of one shape but for their channels"),
        ((Conv(3), ChannelShuffle(2)), "groups must divide the channels"),
    ],
)
def test_an_impossible_block_is_named_with_the_path_to_it(layers: Layers, said: str) -> None:
    with pytest.raises(ArchitectureError) as caught:
        Architecture((1, 12, 12), 3, (*layers, *gap_head(3)))
    assert said in str(caught.value)


@pytest.mark.parametrize("body", [(), None, (3,), ("conv",), ((Conv(1),), ())])
def test_a_block_holds_layers_and_nothing_else(body: Any) -> None:
    with pytest.raises(ArchitectureError, match="must hold layers"):
        Residual(body)


def test_lists_are_as_good_as_tuples() -> None:
    assert Residual([Conv(1)]) == Residual((Conv(1),))  # type: ignore[arg-type]
    assert Parallel([[Conv(1)], [Conv(2)]]) == Parallel(((Conv(1),), (Conv(2),)))  # type: ignore[arg-type]
    assert shape_behind((Conv(2), MaxPool()), (1, 8, 8), "any") == (2, 3, 3)


def test_a_field_that_is_not_used_is_not_stored() -> None:
    plain = Architecture((1, 8, 8), 2, (Conv(2, (3, 3)), *gap_head(2)))
    assert plain == Architecture((1, 8, 8), 2, (Conv(2), *gap_head(2)))
    assert plain.to_dict()["layers"][0] == {
        **{"kind": "conv", "channels": 2, "kernel": 3, "stride": 1, "padding": 0, "groups": 1, "bias": True}
    }
    other = Architecture((1, 8, 8), 2, (Conv(2, (1, 3), dilation=2), *gap_head(2)))
    assert (other.to_dict()["layers"][0]["kernel"], other.to_dict()["layers"][0]["dilation"]) == ([1, 3], 2)
    assert Architecture.from_dict(json.loads(json.dumps(other.to_dict()))) == other


@pytest.mark.parametrize("kernel", [(3,), (3, 3, 3), (1, 2.0), "3", (0, 1), None])
def test_a_kernel_is_one_number_or_two(kernel: Any) -> None:
    with pytest.raises(ArchitectureError, match="kernel of conv must be"):
        Conv(2, kernel)


# The space that suggests them -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("space", ["blocks", "micro"])
@pytest.mark.parametrize("budget", [Budget(n) for n in (700, 2_000, 5_000, 20_000, 100_000)])
@pytest.mark.parametrize(("shape", "n_classes"), [((1, 28, 28), 10), ((3, 8, 8), 2), ((3, 96, 96), 200)])
def test_a_space_of_blocks_rejects_nothing(space: str, shape: Shape, n_classes: int, budget: Budget) -> None:
    task = Task(shape, n_classes, 5, budget)
    candidates = [candidate for candidate, _ in islice(random_candidates(finding.load(space), task), 40)]
    costs = [cost_of(candidate.architecture) for candidate in candidates]
    assert all(map(budget.admits, costs))
    # But for what a channel more everywhere would cost: from two to three, (3/2)² times.
    assert min(cost.params for cost in costs) > budget.params / 1.5**2, "and uses what there is"


@pytest.mark.parametrize("space", ["blocks", "micro"])
@pytest.mark.parametrize(("params", "macs", "memory"), [(5_000, 500_000, 20_000), (700, 60_000, 12_000)])
def test_a_space_of_blocks_meets_several_limits_together(space: str, params: int, macs: int, memory: int) -> None:
    budget = Budget(params, macs=macs, memory=memory)
    task = Task((1, 28, 28), 10, 5, budget)
    candidates = islice(random_candidates(finding.load(space), task), 100)
    assert all(budget.admits(cost_of(candidate.architecture)) for candidate, _ in candidates)


@pytest.mark.parametrize("space", ["blocks", "micro"])
def test_a_space_has_a_dozen_axes_at_most(space: str) -> None:
    _, params = next(random_candidates(finding.load(space), Task((1, 28, 28), 10, 5, Budget(3_000))))
    assert len(params) <= 12
