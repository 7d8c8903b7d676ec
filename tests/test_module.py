"""The module is the architecture: named like it, computing what it says, on images as they are."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import example, given, settings
from hypothesis import strategies as st
from strategies import architectures
from torch import Tensor, nn

from nas.network.architecture import Architecture, Layer
from nas.network.build import Network, steps
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
    Linear,
    MaxPool,
    flatten_head,
    gap_head,
)

FUNCTIONS = {
    "relu": lambda x: x.clamp(min=0),
    "leaky_relu": lambda x: torch.where(x > 0, x, 0.01 * x),
    "elu": lambda x: torch.where(x > 0, x, x.exp() - 1),
    "gelu": lambda x: x * 0.5 * (1 + torch.erf(x / 2**0.5)),
    "silu": lambda x: x / (1 + (-x).exp()),
    "hardswish": lambda x: x * (x + 3).clamp(0, 6) / 6,
}


def reference(layer: Layer, weights: dict[str, Tensor], x: Tensor) -> Tensor:
    """What a layer computes in evaluation, by torch's functions and what the architecture says, without modules."""
    given = {name.rpartition(".")[2]: value for name, value in weights.items() if name.split(".")[0] == layer.name}
    weight, bias = given.get("weight"), given.get("bias")
    match layer.spec:
        case Conv(_, kernel, stride, padding, groups, has_bias):
            assert weight is not None
            assert weight.shape[-1] == kernel
            assert (bias is not None) == has_bias
            return F.conv2d(x, weight, bias, stride, padding, groups=groups)
        case DepthwiseConv(kernel, stride, padding, has_bias):
            assert weight is not None
            assert (bias is not None) == has_bias
            channels = [F.conv2d(x[:, i : i + 1], weight[i : i + 1], None, stride, padding) for i in range(x.shape[1])]
            return torch.cat(channels, dim=1) + (0 if bias is None else bias.view(1, -1, 1, 1))
        case BatchNorm(affine):
            assert (weight is not None) == affine
            per_channel = (1, -1, *[1] * (x.ndim - 2))
            x = x - given["running_mean"].view(per_channel)
            x = x / (given["running_var"].view(per_channel) + 1e-5).sqrt()
            return x if weight is None or bias is None else x * weight.view(per_channel) + bias.view(per_channel)
        case Activation(function):
            return FUNCTIONS[function](x)
        case MaxPool(kernel, stride, padding):
            padded = F.pad(x, [padding] * 4, value=-torch.inf)
            return padded.unfold(2, kernel, stride or kernel).unfold(3, kernel, stride or kernel).amax((-1, -2))
        case AvgPool(kernel, stride, padding):
            padded = F.pad(x, [padding] * 4)
            return padded.unfold(2, kernel, stride or kernel).unfold(3, kernel, stride or kernel).mean((-1, -2))
        case AdaptiveAvgPool(size):
            return F.adaptive_avg_pool2d(x, size)
        case Dropout() | Dropout2d():
            return x
        case Flatten():
            return x.reshape(len(x), -1)
        case Linear(_, has_bias):
            assert weight is not None
            assert (bias is not None) == has_bias
            return F.linear(x, weight, bias)
    raise AssertionError(layer)


EVERY_FUNCTION = Architecture(
    (3, 9, 8),
    6,
    (
        *(Conv(4), Activation("relu"), AvgPool(3, 1, 1), Activation("leaky_relu"), MaxPool(3, 1, 1), Activation("elu")),
        *(DepthwiseConv(), Activation("gelu"), BatchNorm(), Activation("silu"), Activation("hardswish")),
        *flatten_head(6),
    ),
)


@settings(deadline=None, max_examples=200)
@given(architectures(), st.integers(0, 2**31))
@example(EVERY_FUNCTION, 0)
@torch.no_grad()
def test_a_network_computes_what_its_architecture_says(architecture: Architecture, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    channels = architecture.input_shape[0]
    network = Network(architecture, [0.5] * channels, [0.25] * channels).double().eval()
    weights = network.state_dict()
    for name, value in weights.items():
        if value.is_floating_point():
            low = 0.5 if name.endswith("running_var") else -1.0
            value.copy_(low + (1 - low) * torch.rand(value.shape, generator=generator))
    images = torch.rand(3, *architecture.input_shape, generator=generator, dtype=torch.float64)
    expected = (images - 0.5) / 0.25
    for layer in architecture.walk:
        expected = reference(layer, weights, expected)
    torch.testing.assert_close(network(images), expected)


@settings(deadline=None, max_examples=100)
@given(architectures())
def test_layers_have_the_names_of_the_walk(architecture: Architecture) -> None:
    channels = architecture.input_shape[0]
    network = Network(architecture, [0.5] * channels, [0.25] * channels)
    assert [name for name, _ in network.named_children()] == [layer.name for layer in architecture.walk]
    assert {name.split(".")[0] for name in network.state_dict()} <= {layer.name for layer in architecture.walk}


SMALL = Architecture((2, 6, 5), 3, (Conv(4), Activation(), *gap_head(3)))


@settings(deadline=None, max_examples=60)
@given(architectures(), st.integers(0, 1000))
def test_the_order_of_computation_changes_no_digit(architecture: Architecture, seed: int) -> None:
    """Neither of the scores nor of the gradients, in training."""
    torch.manual_seed(seed)
    network = Network(architecture, [0.5] * architecture.input_shape[0], [0.25] * architecture.input_shape[0])
    images = torch.rand(4, *architecture.input_shape)
    results = []
    for forward in (network, lambda images: in_turn(network, images)):
        torch.manual_seed(seed)  # dropout
        network.zero_grad()
        scores = forward(images)
        F.cross_entropy(scores, torch.arange(4) % architecture.n_classes).backward()
        results.append([scores.detach(), *(p.grad.clone() for p in network.parameters() if p.grad is not None)])
    for one, other in zip(*results, strict=True):
        assert torch.equal(one, other)


def in_turn(network: Network, images: Tensor) -> Tensor:
    """One layer after the other, as they are listed."""
    values = (images - network.mean) / network.std
    for layer in network:
        values = layer(values)
    return values


POOL, RELU, NORM = MaxPool(), Activation(), BatchNorm()


@pytest.mark.parametrize(
    ("layers", "wanted"),
    [
        ((NORM, RELU), ["norm1 act1"]),
        ((NORM, RELU, POOL), ["norm1 pool1 act1"]),
        ((NORM, POOL, RELU), ["norm1 pool1 act1"]),
        ((POOL, NORM, RELU), ["pool1", "norm1 act1"]),
        ((NORM, RELU, POOL, POOL), ["norm1 pool1 act1", "pool2"]),
        ((NORM, RELU, MaxPool(3)), ["norm1", "pool1", "act1"]),
        ((NORM, RELU, MaxPool(2, 1)), ["norm1", "pool1", "act1"]),
        ((NORM, RELU, AvgPool()), ["norm1 act1", "pool1"]),
        ((NORM, Dropout(), RELU), ["norm1", "dropout1", "act1"]),
        ((NORM, NORM, RELU), ["norm1", "norm2 act1"]),
        ((NORM, Activation("leaky_relu"), POOL), ["norm1", "pool1", "act1"]),
        ((RELU, POOL), ["pool1", "act1"]),
        ((Activation("gelu"), POOL), ["act1", "pool1"]),
        ((NORM,), ["norm1"]),
    ],
    ids=lambda value: None if isinstance(value, list) else "-".join(spec.describe() for spec in value),
)
def test_layers_that_can_be_joined_are_one_step(layers: Any, wanted: list[str]) -> None:
    architecture = Architecture((1, 28, 28), 2, (Conv(3), *layers, *gap_head(2)))
    found = [" ".join(step) for step in steps(architecture.walk)]
    assert found[0] == "conv1"
    assert found[1 : len(wanted) + 1] == wanted
    assert sorted(" ".join(found).split()) == sorted(layer.name for layer in architecture.walk)


def test_batch_norm_of_features_is_not_joined() -> None:
    layers = (Flatten(), Linear(5), BatchNorm(), Activation(), Linear(2))
    assert all(len(step) == 1 for step in steps(Architecture((1, 4, 4), 2, layers).walk))


def test_bytes_and_floats_are_normalised_alike() -> None:
    network = Network(SMALL, [0.25, 0.5], [0.5, 2.0]).eval()
    images = torch.randint(0, 256, (7, 2, 6, 5), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(network(images), network(images / 255))
    seen: list[Tensor] = []
    network[0].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    network(images)
    expected = torch.stack([(images[:, 0] / 255 - 0.25) / 0.5, (images[:, 1] / 255 - 0.5) / 2.0], dim=1)
    torch.testing.assert_close(seen[0], expected)


def test_normalisation_moves_with_the_network_and_is_no_weight() -> None:
    network = Network(SMALL, [0.25, 0.5], [0.5, 2.0])
    assert "mean" not in network.state_dict()
    assert network.to("meta").mean.device.type == "meta"


@pytest.mark.parametrize(("spec", "module"), [(Dropout(0.25), nn.Dropout), (Dropout2d(0.25), nn.Dropout2d)])
def test_dropout_zeroes_elements_or_channels_at_its_rate(spec: Any, module: type[nn.Module]) -> None:
    architecture = Architecture((400, 9, 7), 2, (spec, *flatten_head(2)))
    network = Network(architecture, [0.0] * 400, [1.0] * 400)
    dropped: list[Tensor] = []
    network[0].register_forward_hook(lambda layer, inputs, output: dropped.append(output == 0))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network.train()(torch.ones(20, 400, 9, 7))
    zeroed = dropped[0].flatten(2).double().mean(2)
    whole_channels = ((zeroed == 0) | (zeroed == 1)).all().item()
    assert whole_channels == (module is nn.Dropout2d)
    assert zeroed.mean().item() == pytest.approx(0.25, abs=0.02)
    network.eval()(torch.ones(2, 400, 9, 7))
    assert not dropped[1].any()
