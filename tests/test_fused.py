"""What numba computes is batch norm, ReLU and pooling: against torch in float64, forwards and backwards."""

import copy
from math import ceil
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
from nas.network.fused import BLOCK, TILE, dropout, norm_relu
from nas.space.documented import load
from nas.training.device import multiplies_bfloat16
from nas.training.run import TrainingRun

# Bounds -------------------------------------------------------------------------------------------------------------
#
# A float32 has 24 binary digits and a bfloat16 8, so rounding to one changes a number by at most UNIT of itself. Errors
# are added up to first order in UNIT; what that leaves out are products of two of them, a few per cent at most here.
UNIT = {torch.float32: 2**-24, torch.bfloat16: 2**-8}
SINGLE = UNIT[torch.float32]
SECOND_ORDER = 1.1


def lane(n_pixels: int) -> int:
    """The most numbers that one float32 adds up: with every TILEth pixel, in a block of BLOCK tiles."""
    return min(BLOCK, ceil(n_pixels / TILE))


def over_pixels(values: Tensor) -> Tensor:
    """The sum for each channel, shaped so that it goes with `(n, channels, height, width)`."""
    return values.sum((0, 2, 3), keepdim=True)


class Bounds:
    """By how much what numba computes may be off from float64, for inputs `x` of batch norm `norm`, both in float64.

    A channel's N numbers are summed as differences d = x - x0 from the first of them, rounded once, and as their
    squares, rounded once more; a lane of m of them takes m - 1 roundings more, in whatever order; lanes are joined in
    float64, which counts as exact. With D = mean(x) - x0 and r^2 = mean(d^2) = variance + D^2 (and mean |d| <= r)

        the mean is off by at most                  m u r
        the variance, mean(d^2) - mean(d)^2,        (m + 2) u r^2 + 2 |D| m u r  <=  u r ((m + 2) r + 2 m |D|)

    so that it is the distance of the first pixel that decides. 1 / sqrt(variance + eps) is off by less than the
    relative error e of variance + eps (half of it, to first order).
    """

    def __init__(self, x: Tensor, norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor) -> None:
        self.x, self.mean = x, mean.view(1, -1, 1, 1)
        self.inverse = 1 / (variance.view(1, -1, 1, 1) + norm.eps).sqrt()
        self.gain = self.inverse if norm.weight is None else norm.weight.detach().view(1, -1, 1, 1) * self.inverse
        self.bias = torch.zeros_like(self.gain) if norm.bias is None else norm.bias.detach().view(1, -1, 1, 1)
        self.of_mean = self.of_variance = self.of_inverse = torch.zeros_like(self.gain)  # as if they were known

    @classmethod
    def in_training(cls, x: Tensor, norm: nn.BatchNorm2d) -> "Bounds":
        bounds = cls(x, norm, x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0))
        m, first = lane(x.numel() // x.shape[1]), x[:1, :, :1, :1]
        distance = (bounds.mean - first).abs()
        r = ((x - first) ** 2).mean((0, 2, 3), keepdim=True).sqrt()
        bounds.of_mean = m * SINGLE * r
        bounds.of_variance = SINGLE * r * ((m + 2) * r + 2 * m * distance)
        bounds.of_inverse = bounds.of_variance * bounds.inverse**2
        return bounds

    def of_running(self, before: Tensor, exact: Tensor, of_figure: Tensor) -> Tensor:
        """Of `before + 0.1 * (exact - before)`: both are rounded to float32, and so are 0.1 and three results."""
        return SECOND_ORDER * (0.1 * of_figure.flatten() + 1.2 * SINGLE * (before.abs() + exact.abs()))

    def of_values(self) -> Tensor:
        """Of x * scale + shift, scale = gain and shift = bias - gain * mean: each rounded, as are product and sum."""
        off_by_moments = self.gain.abs() * (self.of_inverse * (self.x - self.mean).abs() + self.of_mean)
        product, shift = (self.gain * self.x).abs(), self.bias.abs() + (self.gain * self.mean).abs()
        return SECOND_ORDER * (off_by_moments + SINGLE * (2 * product + shift + (product + shift)))

    def of_sums(self, passed: Tensor, n_pixels: int) -> tuple[Tensor, Tensor]:
        """Of the gradients of bias and weight: sums of `passed`, and of its products with the normalised x.

        Like those above, with a rounding of x - mean and one of the product; the float32 that the result becomes; and
        of the second the mean's own error, which all share, and that of 1 / the standard deviation.
        """
        m, distance = lane(n_pixels), (self.x - self.mean).abs()
        of_bias = m * SINGLE * over_pixels(passed.abs())
        off_by_sums = (m + 2) * SINGLE * over_pixels(passed.abs() * distance)
        off_by_mean = self.of_mean * over_pixels(passed).abs()
        of_weight = self.inverse * (off_by_sums + off_by_mean) + (self.of_inverse + SINGLE) * self.of_gain(passed).abs()
        return SECOND_ORDER * of_bias, SECOND_ORDER * of_weight

    def of_gain(self, passed: Tensor) -> Tensor:
        return self.inverse * over_pixels(passed * (self.x - self.mean))

    def of_gradient(self, passed: Tensor, n_pixels: int) -> Tensor:
        """Of gain * passed - B - C * (x - mean), B and C being means over the channel: a line in x, of three numbers.

        Gain, B and C are off by what the sums and 1 / the standard deviation are; the rest are roundings: of the
        three numbers, two products and two sums.
        """
        n = self.x.numel() // self.x.shape[1]
        distance = (self.x - self.mean).abs()
        of_bias, of_weight = self.of_sums(passed, n_pixels)
        gain = self.gain.abs()
        direct, b = gain * passed.abs(), gain * over_pixels(passed).abs() / n
        c = gain * self.inverse * self.of_gain(passed).abs() / n
        of_b = gain * of_bias / n + self.of_inverse * b
        of_c = gain * self.inverse * of_weight / n + 2 * self.of_inverse * c
        off_by_figures = self.of_inverse * direct + of_b + of_c * distance + c * self.of_mean
        roundings = 4 * SINGLE * (direct + b + c * (self.x.abs() + self.mean.abs()))
        return SECOND_ORDER * (off_by_figures + roundings)


def stored(bound: Tensor, exact: Tensor, dtype: torch.dtype) -> Tensor:
    """The bound of what is rounded once more, to the dtype that it is stored in."""
    return bound + UNIT[dtype] * (exact.abs() + bound)


def within(computed: Tensor, exact: Tensor, bound: Tensor) -> bool:
    return bool(((computed.double() - exact).abs() <= bound).all())


def norm_of(channels: int, affine: bool, seed: int) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(channels, affine=affine)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for values in (*norm.parameters(), norm.running_mean):
            values.normal_(generator=generator)
    return norm


def pooled_by(size: int, values: Tensor) -> Tensor:
    return F.max_pool2d(values, size) if size > 1 else values


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
    stored_so = x.contiguous(memory_format=torch.channels_last) if channels_last else x
    norm, in_float64 = norm_of(channels, affine, seed), norm_of(channels, affine, seed).double()
    before, size = copy.deepcopy(in_float64), 2 if pooled else 1
    one, other = stored_so.clone().requires_grad_(), x.double().requires_grad_()
    result = norm_relu(one, norm, pooled=pooled)
    values = in_float64(other)
    values.retain_grad()
    exact = F.relu(pooled_by(size, values))
    assert result.dtype == dtype
    assert result.shape == exact.shape
    bounds = Bounds.in_training(x.double(), in_float64)
    of_result = pooled_by(size, bounds.of_values())
    assert within(result, exact, stored(of_result, exact, dtype))
    n_pixels = n * height * width
    unbiased = n_pixels / (n_pixels - 1)
    mean, variance = x.double().mean((0, 2, 3)), x.double().var((0, 2, 3))
    of_mean = bounds.of_running(before.running_mean, mean, bounds.of_mean)
    of_variance = bounds.of_running(before.running_var, variance, unbiased * bounds.of_variance)
    assert within(norm.running_mean, in_float64.running_mean, of_mean)
    assert within(norm.running_var, in_float64.running_var, of_variance)
    assert norm.num_batches_tracked == in_float64.num_batches_tracked == 1

    evaluated, exactly = copy.deepcopy(norm).eval(), copy.deepcopy(norm).double().eval()
    with torch.no_grad():
        exact_there = F.relu(pooled_by(size, exactly(x.double())))
        there = Bounds(x.double(), exactly, exactly.running_mean, exactly.running_var)
        of_evaluated = stored(pooled_by(size, there.of_values()), exact_there, dtype)
        assert within(norm_relu(stored_so, evaluated, pooled=pooled), exact_there, of_evaluated)
    assert all(map(torch.equal, evaluated.buffers(), norm.buffers()))

    gradient = torch.randn(result.shape).to(dtype)
    # Where ReLU may be on in one and off in the other, for lack of digits, nothing is to be learned.
    gradient[pooled_by(size, values).detach().abs() <= of_result] = 0
    result.backward(gradient)
    exact.backward(gradient.double())
    n_summed = result.numel() // channels
    of_bias, of_weight = bounds.of_sums(values.grad, n_summed)
    if affine:
        assert within(norm.bias.grad, in_float64.bias.grad, of_bias.flatten())
        assert within(norm.weight.grad, in_float64.weight.grad, of_weight.flatten())
    if dtype == torch.float32 or not pooled:  # bfloat16 has ties: see below
        assert within(one.grad, other.grad, stored(bounds.of_gradient(values.grad, n_summed), other.grad, dtype))


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
    of_gradient = Bounds.in_training(reference.detach(), exact).of_gradient(single.double(), n_pixels=3 * 2 * 2)
    assert within(x.grad, reference.grad, stored(of_gradient, reference.grad, x.dtype))


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


@pytest.mark.parametrize(
    ("precision", "convolutions"), [("float32", ()), ("bfloat16", ()), ("bfloat16", ("conv1", "conv2", "conv4"))]
)
def test_a_training_repeats_and_continues_to_the_last_digit(mnist: Dataset, precision: Any, convolutions: Any) -> None:
    if convolutions and not multiplies_bfloat16():
        pytest.skip("this CPU has no products of bfloat16")
    candidate = load("B5").candidate
    part = split(mnist, 59_000)  # 1,000 images to train on

    def run() -> TrainingRun:
        training = TrainingRun(
            candidate.architecture,
            candidate.recipe,
            part_of(part),
            seed=3,
            precision=precision,
            kernels="numba",
            convolutions=convolutions,
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
