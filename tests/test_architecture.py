"""An architecture is plain data that is possible, or an error that says which layer is not."""

import json
import math
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import CHAINED, architectures

from nas.errors import ArchitectureError
from nas.network.architecture import Architecture
from nas.network.kinds import (
    Activation,
    AdaptiveAvgPool,
    AvgPool,
    BatchNorm,
    Conv,
    DepthwiseConv,
    Dropout,
    Dropout2d,
    Flatten,
    LayerSpec,
    Linear,
    MaxPool,
    Shape,
    conv_head,
    depthwise_separable,
    flatten_head,
    gap_head,
)

EVERY_KIND = Architecture(
    (3, 20, 17),
    10,
    (
        *(Conv(8, 5, 2, 2, bias=False), BatchNorm(), Activation("gelu"), Dropout2d(0.25)),
        *(Conv(12, 3, padding=1, groups=4), Activation("hardswish"), MaxPool(3, 2, 1)),
        *(*depthwise_separable(16, padding=1), BatchNorm(affine=False), Activation(), AvgPool(2, 1)),
        *(AdaptiveAvgPool(2), Dropout(0.1), Flatten(), Linear(20, bias=False), BatchNorm(), Activation(), Linear(10)),
    ),
)


# Plain data -----------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(architectures())
def test_json_gives_the_same_architecture_back(architecture: Architecture) -> None:
    text = json.dumps(architecture.to_dict(), allow_nan=False)
    again = Architecture.from_dict(json.loads(text))
    assert again == architecture
    assert hash(again) == hash(architecture)
    assert again.digest == architecture.digest
    assert json.dumps(again.to_dict()) == text


def test_every_kind_of_layer_has_its_name_in_json() -> None:
    written = {layer["kind"] for layer in EVERY_KIND.to_dict()["layers"]}
    assert written == set(CHAINED), "blocks are in test_blocks.py"
    assert Architecture.from_dict(EVERY_KIND.to_dict()) == EVERY_KIND


def test_a_digest_never_changes() -> None:
    """Studies remember digests: another one for the same network would train everything again."""
    assert EVERY_KIND.digest == "dd7aca889a3b95c1"


@settings(deadline=None, max_examples=50)
@given(architectures(), architectures())
def test_digests_tell_architectures_apart(one: Architecture, other: Architecture) -> None:
    assert (one.digest == other.digest) == (one == other)


def test_every_field_of_a_layer_changes_the_digest() -> None:
    changes: dict[str, Any] = {"channels": 12, "features": 10, "function": "relu", "rate": 0.5, "size": 3}
    changes |= {"kernel": 2, "stride": 3, "padding": 1, "groups": 2, "bias": True, "affine": True, "dilation": 2}
    digests, n_changed = {EVERY_KIND.digest}, 0
    for position, spec in enumerate(EVERY_KIND.layers):
        for name, value in vars(spec).items():
            other = not value if type(value) is bool else changes[name]
            if other == value or (position, name) == (len(EVERY_KIND.layers) - 1, "features"):
                continue
            layers = list(EVERY_KIND.layers)
            layers[position] = replace(spec, **{name: other})
            try:
                digests.add(Architecture(EVERY_KIND.input_shape, 10, tuple(layers)).digest)
                n_changed += 1
            except ArchitectureError:
                continue
    assert n_changed > 20
    assert len(digests) == n_changed + 1


@pytest.mark.parametrize("pool", [MaxPool, AvgPool])
def test_a_pool_with_its_kernel_as_stride_is_the_same_pool(pool: type[MaxPool]) -> None:
    assert pool(3, 3) == pool(3)
    assert pool(3).step == pool(3, 3).step == 3
    assert pool(3, 2).step == 2


def test_an_architecture_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        EVERY_KIND.n_classes = 3  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        EVERY_KIND.layers[0].bias = True  # type: ignore[attr-defined]
    assert type(Architecture([1, 8, 8], 2, [*conv_head(2)]).layers) is tuple  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("architecture", "text"),
    [
        (Architecture((1, 8, 8), 3, conv_head(3)), "conv 1×1 3, global average pool"),
        (Architecture((1, 8, 8), 3, flatten_head(3, (5,))), "FC 5, FC 3"),
        (
            Architecture((1, 8, 8), 3, (Conv(4, 3, 2, 1), BatchNorm(), Activation(), MaxPool(), *gap_head(3))),
            "conv 3×3 4 s2 p1, max pool 2×2, global average pool, FC 3",
        ),
        (
            Architecture(
                (2, 8, 8), 3, (*depthwise_separable(4), Conv(4, 3, groups=2), *gap_head(3, (6,), size=2, dropout=0.15))
            ),
            "depthwise 3×3, conv 1×1 4, conv 3×3 4 g2, adaptive average pool to 2×2, dropout 0.15, FC 6, FC 3",
        ),
    ],
)
def test_a_line_of_text_shows_what_does_not_go_without_saying(architecture: Architecture, text: str) -> None:
    assert str(architecture) == text


# The walk -------------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(architectures())
def test_the_walk_is_a_chain_with_a_name_for_each_layer(architecture: Architecture) -> None:
    walk = architecture.walk
    assert [layer.spec for layer in walk] == list(architecture.layers)
    shapes = [architecture.input_shape, *(layer.output_shape for layer in walk)]
    assert [layer.input_shape for layer in walk] == shapes[:-1]
    assert shapes[-1] == (architecture.n_classes,)
    assert len({layer.name for layer in walk}) == len(walk)
    assert all(layer.name.isidentifier() for layer in walk)


def test_names_count_the_layers_of_a_kind() -> None:
    assert [layer.name for layer in EVERY_KIND.walk] == [
        *("conv1", "norm1", "act1", "dropout1", "conv2", "act2", "pool1"),
        *("depthwise1", "conv3", "norm2", "act3", "pool2"),
        *("pool3", "dropout2", "flatten1", "fc1", "norm3", "act4", "fc2"),
    ]


# What cannot be -------------------------------------------------------------------------------------------------------

IMPOSSIBLE: dict[str, tuple[Shape, tuple[LayerSpec, ...], str, str]] = {
    "kernel too large": ((1, 8, 8), (Conv(4, 9), *gap_head(2)), "layer 1 (conv 9×9 4)", "8×8"),
    "kernel too large for the padding": ((1, 4, 9), (Conv(4, 7, padding=1), *gap_head(2)), "layer 1", "4×9"),
    "no room left": ((1, 5, 5), (Conv(4), Conv(4), Conv(5), *gap_head(2)), "layer 3 (conv 3×3 5)", "1×1"),
    "depthwise too large": ((1, 8, 3), (BatchNorm(), DepthwiseConv(5), *gap_head(2)), "layer 2 (depthwise 5×5)", "8×3"),
    "pool too large": ((1, 8, 3), (Conv(4), MaxPool(), *gap_head(2)), "layer 2 (max pool 2×2)", "6×1"),
    "average pool too large": ((1, 8, 8), (AvgPool(9), *gap_head(2)), "layer 1 (average pool 9×9)", "8×8"),
    "groups in": ((3, 8, 8), (Conv(4, groups=2), *gap_head(2)), "layer 1 (conv 3×3 4 g2)", "3 channels"),
    "groups out": ((4, 8, 8), (Conv(5, groups=2), *gap_head(2)), "layer 1 (conv 3×3 5 g2)", "4 channels"),
    "linear before flatten": ((1, 8, 8), (Conv(4), Linear(2)), "layer 2 (FC 2)", "Flatten()"),
    "flattened twice": ((1, 8, 8), (Flatten(), Flatten(), Linear(2)), "layer 2 (flatten)", "(64,)"),
    "conv after flatten": ((1, 8, 8), (Flatten(), Conv(4), Linear(2)), "layer 2 (conv 3×3 4)", "(64,)"),
    "depthwise after flatten": ((1, 8, 8), (Flatten(), DepthwiseConv(), Linear(2)), "layer 2 (depthwise 3×3)", "(64,)"),
    "pool after flatten": ((1, 8, 8), (Flatten(), MaxPool(), Linear(2)), "layer 2 (max pool 2×2)", "(64,)"),
    "adaptive after flatten": (
        (1, 8, 8),
        (Flatten(), AdaptiveAvgPool(3), Linear(2)),
        "layer 2 (adaptive average pool to 3×3)",
        "(64,)",
    ),
    "dropout2d after flatten": ((1, 8, 8), (Flatten(), Dropout2d(0.1), Linear(2)), "layer 2 (dropout2d 0.1)", "(64,)"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_an_impossible_layer_is_named(case: str) -> None:
    shape, layers, layer, detail = IMPOSSIBLE[case]
    with pytest.raises(ArchitectureError) as caught:
        Architecture(shape, 2, layers)
    message = str(caught.value)
    assert message.startswith(layer)
    assert detail in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("shape", "n_classes", "layers", "said"),
    [
        ((1, 8, 8), 2, (Conv(4),), "(4, 6, 6)"),
        ((1, 8, 8), 2, (), "(1, 8, 8)"),
        ((1, 8, 8), 3, gap_head(2), "(3,)"),
        ((1, 8, 8), 2, (Conv(2, 1), AdaptiveAvgPool(1)), "head"),
        ((1, 8, 8), 1, gap_head(1), "at least 2 classes"),
        ((1, 8, 8), True, gap_head(2), "at least 2 classes"),
        ((1, 8, 8), 2.0, gap_head(2), "at least 2 classes"),
        ((8, 8), 2, gap_head(2), "input shape"),
        ((1, 8, 8, 8), 2, gap_head(2), "input shape"),
        ((1, 0, 8), 2, gap_head(2), "input shape"),
        ((1, -8, 8), 2, gap_head(2), "input shape"),
        ((True, 8, 8), 2, gap_head(2), "input shape"),
        ((1, 8.0, 8), 2, gap_head(2), "input shape"),
        ((1, 8, 8), 2, (None, *gap_head(2)), "None"),
        ((1, 8, 8), 2, ("conv", *gap_head(2)), "'conv'"),
    ],
)
def test_both_ends_are_checked(shape: Any, n_classes: Any, layers: Any, said: str) -> None:
    with pytest.raises(ArchitectureError) as caught:
        Architecture(shape, n_classes, layers)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "values", "name"),
    [
        (Conv, {"channels": 0}, "channels"),
        (Conv, {"channels": -4}, "channels"),
        (Conv, {"channels": 4, "kernel": 0}, "kernel"),
        (Conv, {"channels": 4, "stride": 0}, "stride"),
        (Conv, {"channels": 4, "padding": -1}, "padding"),
        (Conv, {"channels": 4, "groups": 0}, "groups"),
        (Conv, {"channels": 4.0}, "channels"),
        (Conv, {"channels": True}, "channels"),
        (Conv, {"channels": "4"}, "channels"),
        (Conv, {"channels": None}, "channels"),
        (Conv, {"channels": 4, "bias": 1}, "bias"),
        (Conv, {"channels": 4, "bias": None}, "bias"),
        (DepthwiseConv, {"kernel": 0}, "kernel"),
        (DepthwiseConv, {"stride": 0}, "stride"),
        (DepthwiseConv, {"padding": -1}, "padding"),
        (DepthwiseConv, {"kernel": (3, 3, 3)}, "kernel"),
        (BatchNorm, {"affine": "yes"}, "affine"),
        (BatchNorm, {"affine": 0}, "affine"),
        (Activation, {"function": "tanh"}, "relu, leaky_relu"),
        (Activation, {"function": "ReLU()"}, "relu, leaky_relu"),
        (Activation, {"function": 3}, "function"),
        (MaxPool, {"kernel": 0}, "kernel"),
        (MaxPool, {"stride": -1}, "stride"),
        (MaxPool, {"padding": -1}, "padding"),
        (MaxPool, {"kernel": 3, "padding": 2}, "padding"),
        (AvgPool, {"kernel": 2.0}, "kernel"),
        (AdaptiveAvgPool, {"size": 0}, "size"),
        (AdaptiveAvgPool, {"size": False}, "size"),
        (Dropout, {"rate": 1.0}, "rate"),
        (Dropout, {"rate": -0.1}, "rate"),
        (Dropout, {"rate": math.nan}, "rate"),
        (Dropout, {"rate": True}, "rate"),
        (Dropout2d, {"rate": "0.1"}, "rate"),
        (Linear, {"features": 0}, "features"),
        (Linear, {"features": 10.0}, "features"),
    ],
)
def test_a_value_of_a_layer_is_checked_and_named(spec: type[LayerSpec], values: dict[str, Any], name: str) -> None:
    with pytest.raises(ArchitectureError) as caught:
        spec(**values)
    assert name in str(caught.value)
    data = {"input_shape": [4, 8, 8], "n_classes": 2, "layers": [{"kind": spec.kind, **values}]}
    with pytest.raises(ArchitectureError) as caught:
        Architecture.from_dict(data)
    assert name in str(caught.value)


def test_a_whole_number_is_a_rate() -> None:
    assert repr(Dropout(0)) == repr(Dropout(0.0))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"layers": [{"kind": "lstm"}]}, "conv, depthwise_conv"),
        ({"layers": [{"kind": "Conv", "channels": 4}]}, "'Conv'"),
        ({"layers": [{"channels": 4}]}, "kind"),
        ({"layers": [{"kind": "conv"}]}, "channels"),
        ({"layers": [{"kind": "conv", "channels": 4, "dilate": 2}]}, "dilate"),
        ({"layers": [{"kind": ["conv"]}]}, "list"),
        ({"layers": ["conv"]}, "to_dict()"),
        ({"layers": [3]}, "to_dict()"),
        ({"layers": None}, "to_dict()"),
        ({"input_shape": 28}, "to_dict()"),
        ({"input_shape": ["1", "8", "8"]}, "input shape"),
        ({"n_classes": "2"}, "'2'"),
        ({"n_classes": None}, "None"),
    ],
)
def test_what_is_no_architecture_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ArchitectureError) as caught:
        Architecture.from_dict(EVERY_KIND.to_dict() | change)
    assert said in str(caught.value)


@pytest.mark.parametrize("missing", ["layers", "input_shape", "n_classes"])
def test_a_missing_entry_is_named(missing: str) -> None:
    data = EVERY_KIND.to_dict()
    del data[missing]
    with pytest.raises(ArchitectureError, match=missing):
        Architecture.from_dict(data)


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.just(10**400),
    st.floats(),
    st.sampled_from(["", "conv", "relu", "flatten", "3", "__class__", "x'; import os #"]),
    st.just([]),
    st.just({}),
)


@settings(deadline=None, max_examples=500)
@given(architectures(), st.data(), JUNK)
def test_whatever_a_value_becomes_it_is_refused_or_of_its_type(
    architecture: Architecture, data: st.DataObject, junk: Any
) -> None:
    """What `from_dict` lets through is written into Python source by the export."""
    changed = architecture.to_dict()
    place = data.draw(st.sampled_from([changed, *changed["layers"]]))
    place[data.draw(st.sampled_from(sorted(place)))] = junk
    try:
        accepted = Architecture.from_dict(changed)
    except ArchitectureError:
        return
    types = {type(value) for spec in accepted.layers for value in vars(spec).values()}
    assert types <= {int, float, bool, str}
    texts = {value for spec in accepted.layers for value in vars(spec).values() if isinstance(value, str)}
    assert texts <= {"relu", "leaky_relu", "elu", "gelu", "silu", "hardswish"}
    assert Architecture.from_dict(json.loads(json.dumps(accepted.to_dict(), allow_nan=False))) == accepted


# Heads ----------------------------------------------------------------------------------------------------------------


def test_heads() -> None:
    assert conv_head(7) == (Conv(7, 1), AdaptiveAvgPool(1), Flatten())
    assert flatten_head(7) == (Flatten(), Linear(7))
    assert flatten_head(7, (9, 8)) == (Flatten(), Linear(9), Activation(), Linear(8), Activation(), Linear(7))
    assert gap_head(7) == (AdaptiveAvgPool(1), Flatten(), Linear(7))
    assert gap_head(7, (9,), 2, 0.1) == (
        *(AdaptiveAvgPool(2), Dropout(0.1), Flatten()),
        *(Linear(9), Activation(), Linear(7)),
    )
    assert depthwise_separable(6, 5, 2, 1, bias=False) == (DepthwiseConv(5, 2, 1, False), Conv(6, 1, bias=False))
