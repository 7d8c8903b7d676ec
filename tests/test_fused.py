"""What numba computes is batch norm, ReLU and pooling: against torch in float64, forwards and backwards."""

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import architectures
from torch import Tensor, nn

from nas.datasets.dataset import Dataset
from nas.datasets.splitting import split
from nas.network.architecture import Architecture
from nas.network.build import Network
from nas.network.fused import dropout, norm_relu
from nas.space.documented import load
from nas.training.run import TrainingRun

# A bfloat16 has 8 binary digits, so rounding one changes it by at most 2^-9 of itself; the result of the gradient is
# rounded once, from sums of numbers that were rounded before.
TOLERANCES = {torch.float32: 2e-6, torch.bfloat16: 2**-8}


def norm_of(channels: int, affine: bool, seed: int) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(channels, affine=affine)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for values in (*norm.parameters(), norm.running_mean):
            values.normal_(generator=generator)
    return norm


def exactly(x: Tensor, norm: nn.BatchNorm2d, pooled: bool) -> Tensor:
    """In float64, by torch."""
    values = norm(x)
    return F.relu(F.max_pool2d(values, 2) if pooled else values)


def close(found: Tensor, wanted: Tensor, tolerance: float) -> bool:
    largest = max(1.0, wanted.abs().max().item())
    return bool((found.double() - wanted.double()).abs().max() <= tolerance * largest)


@settings(deadline=None, max_examples=60)
@given(
    n=st.integers(2, 9),
    channels=st.integers(1, 40),
    height=st.integers(2, 13),
    width=st.integers(2, 13),
    centre=st.sampled_from([0.0, 3.0, -100.0]),
    affine=st.booleans(),
    pooled=st.booleans(),
    dtype=st.sampled_from([torch.float32, torch.bfloat16]),
    channels_last=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_it_is_batch_norm_relu_and_pooling(
    n: int,
    channels: int,
    height: int,
    width: int,
    centre: float,
    affine: bool,
    pooled: bool,
    dtype: torch.dtype,
    channels_last: bool,
    seed: int,
) -> None:
    torch.manual_seed(seed)
    # Distinct numbers, so that it is clear which one of a window is the largest.
    spread = torch.randperm(n * channels * height * width).view(n, channels, height, width) / 100
    x = (spread + centre).to(dtype)
    given = x.contiguous(memory_format=torch.channels_last) if channels_last else x
    found, wanted = norm_of(channels, affine, seed), norm_of(channels, affine, seed).double()
    one, other = given.clone().requires_grad_(), x.double().requires_grad_()
    result, exact = norm_relu(one, found, pooled=pooled), exactly(other, wanted, pooled)
    assert result.dtype == dtype
    assert result.shape == exact.shape
    # Digits that all numbers of a channel share are lost when the mean is taken off.
    moments = [x.double().mean((0, 2, 3)), x.double().std((0, 2, 3))]
    tolerance = TOLERANCES[dtype] + 2**-23 * (moments[0] / moments[1]).abs().max().item()
    assert close(result, exact, tolerance)
    assert close(found.running_mean, wanted.running_mean, 2e-6)
    assert close(found.running_var, wanted.running_var, 2e-6)
    assert found.num_batches_tracked == wanted.num_batches_tracked == 1

    evaluated, in_float64 = copy.deepcopy(found).eval(), copy.deepcopy(found).double().eval()
    with torch.no_grad():
        exact_there = exactly(x.double(), in_float64, pooled)
        digits_lost = 2**-22 * x.abs().max().item()  # where the mean is taken off
        assert close(norm_relu(given, evaluated, pooled=pooled), exact_there, TOLERANCES[dtype] + digits_lost)
    assert all(map(torch.equal, evaluated.buffers(), found.buffers()))

    gradient = torch.randn(result.shape).to(dtype)
    # Where ReLU is on in one and off in the other, for lack of digits, nothing is to be learned.
    gradient[(result > 0) != (exact > 0)] = 0
    result.backward(gradient)
    exact.backward(gradient.double())
    for mine, torchs in zip(found.parameters(), wanted.parameters(), strict=True):
        assert close(mine.grad, torchs.grad, 2e-5 + (tolerance if dtype == torch.float32 else 0))
    if dtype == torch.float32 or not pooled:  # bfloat16 has ties: see below
        assert close(one.grad, other.grad, 2 * tolerance)


@pytest.mark.parametrize("value", [0.5, -2.0])
def test_of_equal_numbers_in_a_window_one_gets_the_gradient(value: float) -> None:
    x = torch.zeros(3, 2, 5, 4)
    x[1] = value  # whole windows of equal numbers, whatever the sign of the scale
    norm = norm_of(2, True, 0)
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.5, -0.5]))
        norm.bias.fill_(10.0)
    x.requires_grad_()
    norm_relu(x, norm, pooled=True).sum().backward()
    single = torch.zeros(3, 2, 5, 4)
    single[:, :, 0:4:2, 0:4:2] = 1  # the upper left of each
    reference = x.detach().double().requires_grad_()
    exact = norm_of(2, True, 0).double()
    with torch.no_grad():
        exact.weight.copy_(torch.tensor([1.5, -0.5]))
        exact.bias.fill_(10.0)
    (exact(reference) * single).sum().backward()
    assert close(x.grad, reference.grad, 1e-6)


@settings(deadline=None, max_examples=40)
@given(
    shape=st.one_of(st.tuples(*[st.integers(1, 9)] * 2), st.tuples(*[st.integers(1, 9)] * 4)),
    rate=st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0, 1)),
    dtype=st.sampled_from([torch.float32, torch.bfloat16]),
    seed=st.integers(0, 1000),
)
def test_dropout_scales_what_it_keeps_and_its_gradient_alike(
    shape: tuple[int, ...], rate: float, dtype: torch.dtype, seed: int
) -> None:
    torch.manual_seed(seed)
    x = (torch.rand(shape) + 1).to(dtype).requires_grad_()
    gradient = (torch.rand(shape) + 1).to(dtype)
    torch.manual_seed(seed)
    y = dropout(x, rate)
    y.backward(gradient)
    torch.manual_seed(seed)
    assert torch.equal(dropout(x, rate), y)  # the seed decides
    kept = y > 0
    factor = 1 / (1 - rate) if rate < 1 else 0.0
    for found, values in ((y, x), (x.grad, gradient)):
        assert found is not None
        assert found.dtype == dtype
        torch.testing.assert_close(found, torch.where(kept, values.float() * factor, 0.0).to(dtype))


def test_dropout_keeps_as_many_as_asked_and_each_on_its_own() -> None:
    torch.manual_seed(0)
    n, rate = 1_000_000, 0.3
    masks = [dropout(torch.ones(n // 100, 100), rate).flatten() > 0 for _ in range(4)]
    for i, mask in enumerate(masks):
        for other in (*masks[:i], *(mask.roll(places) for places in (1, 2, 3, 16, 100, 128, 4096))):
            # Of two independent ones 0.49 keep both; 5 standard errors are 0.0025.
            assert abs((mask & other).float().mean().item() - (1 - rate) ** 2) < 0.0025
        assert abs(mask.float().mean().item() - (1 - rate)) < 0.0023  # 5 standard errors
    together = torch.stack(masks).view(4, -1, 100).float().mean(1)
    assert (together - (1 - rate)).abs().max() < 0.023  # of 10,000 each: no column is favoured


@settings(deadline=None, max_examples=40)
@given(architectures(), st.integers(0, 1000))
def test_a_network_with_joined_layers_learns_what_it_learns_without(architecture: Architecture, seed: int) -> None:
    torch.manual_seed(seed)
    plain = Network(architecture, [0.5] * architecture.input_shape[0], [0.25] * architecture.input_shape[0])
    joined = Network(architecture, [0.5] * architecture.input_shape[0], [0.25] * architecture.input_shape[0])
    joined.load_state_dict(plain.state_dict())
    joined.join_layers()
    images = torch.rand(6, *architecture.input_shape)
    scores = []
    for network in (plain, joined):
        for module in network.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0  # the two keep different numbers
        torch.manual_seed(seed)  # dropout of whole channels
        scores.append(network(images))
        F.cross_entropy(scores[-1], torch.arange(6) % architecture.n_classes).backward()
    torch.testing.assert_close(scores[1], scores[0], rtol=1e-3, atol=1e-3)
    for name, values in plain.state_dict().items():
        torch.testing.assert_close(joined.state_dict()[name], values, rtol=1e-3, atol=1e-4)
    for network in (plain, joined):
        network.load_state_dict(plain.state_dict())
        network.eval()
    wanted = plain(images)
    torch.testing.assert_close(joined(images), wanted, rtol=0, atol=0)  # with gradients: torch's own layers
    with torch.no_grad():
        found = joined(images)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5 * max(1.0, wanted.abs().max().item()))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_training_repeats_and_continues_to_the_last_digit(mnist: Dataset, precision: Any) -> None:
    candidate = load("B5").candidate
    part = split(mnist, 59_000)  # 1,000 images to train on

    def run() -> TrainingRun:
        training = TrainingRun(
            candidate.architecture, candidate.recipe, part_of(part), seed=3, precision=precision, kernels="numba"
        )
        assert training.network.joined
        return training

    first, second = run(), run()
    one = [next(first) for _ in range(3)]
    next(second)
    third = run()
    third.load_state_dict(second.state_dict())
    two = [next(third) for _ in range(2)]
    assert [(r.train_loss, r.validation_loss) for r in one[1:]] == [(r.train_loss, r.validation_loss) for r in two]


def part_of(whole: Any) -> Any:
    """With 500 images to validate."""
    from dataclasses import replace

    return replace(
        whole, validation_images=whole.validation_images[:500], validation_labels=whole.validation_labels[:500]
    )
