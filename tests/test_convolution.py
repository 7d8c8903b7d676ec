"""What numba convolves is a convolution: against torch in float64, forwards and backwards."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from test_blocks import DEEP, built, images_for
from test_fused import SECOND_ORDER, SINGLE, stored, within
from torch import Tensor, nn

from nas.network.convolution import convolve, planes_of, suits
from nas.network.kinds import Conv
from nas.training.device import multiplies_bfloat16

pytestmark = pytest.mark.skipif(not multiplies_bfloat16(), reason="this CPU has no products of bfloat16")
SMALLEST = 2.0**-126  # what is smaller counts as 0


def check(images: Tensor, convolution: nn.Conv2d) -> None:
    """Result and gradients are off by no more than roundings are.

    Inputs, weights and bias are rounded to bfloat16 first. Then a sum of so many products takes as many roundings at
    most, whatever its order, each of at most SINGLE of the sum of the magnitudes; and a result and a gradient of the
    input one to bfloat16 besides.
    """
    n_in, n_out, kernel = convolution.in_channels, convolution.out_channels, convolution.kernel_size[0]
    x = images.clone().requires_grad_()
    result = convolve(x, convolution.weight, convolution.bias, convolution.padding[0])
    gradient = torch.randn(result.shape).bfloat16()
    result.backward(gradient)
    rounded = [
        None if each is None else each.detach().bfloat16().double() for each in (convolution.weight, convolution.bias)
    ]
    exact, gradients = differentiated(images.bfloat16().double(), *rounded, gradient.double(), convolution.padding)
    of_exact, of_gradients = differentiated(
        images.bfloat16().double().abs(),
        *(None if each is None else each.abs() for each in rounded),
        gradient.double().abs(),
        convolution.padding,
    )

    def off(magnitudes: Tensor, n_products: int) -> Tensor:
        return SECOND_ORDER * (n_products + 1) * (SINGLE * magnitudes + 2 * SMALLEST)

    assert result.dtype == torch.bfloat16
    assert result.is_contiguous(memory_format=torch.channels_last)
    assert within(result, exact, stored(off(of_exact, n_in * kernel**2), exact, torch.bfloat16))
    of_input = stored(off(of_gradients[0], n_out * kernel**2), gradients[0], torch.bfloat16)
    assert x.grad is not None
    assert within(x.grad, gradients[0], of_input)
    n_pixels = gradient.numel() // n_out + 16  # and 16 sums become one
    parameters = list(convolution.parameters())
    for parameter, one, magnitudes in zip(parameters, gradients[1:], of_gradients[1:], strict=True):
        assert parameter.grad is not None
        assert parameter.grad.dtype == torch.float32
        assert within(parameter.grad, one, off(magnitudes, n_pixels))


def differentiated(
    x: Tensor, weight: Tensor, bias: Tensor | None, gradient: Tensor, padding: Any
) -> tuple[Tensor, list[Tensor]]:
    inputs = [each.clone().requires_grad_() for each in (x, weight, bias) if each is not None]
    result = F.conv2d(inputs[0], inputs[1], inputs[2] if len(inputs) > 2 else None, padding=padding)
    result.backward(gradient)
    return result.detach(), [each.grad for each in inputs if each.grad is not None]


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[tuple[int, int, int], nn.Conv2d]:
    """With the shape of an image that they can be applied to."""
    kernel = draw(st.integers(2, 5))
    padding = draw(st.integers(0, kernel - 1))
    height, width = (draw(st.integers(max(1, kernel - 2 * padding), 14)) for _ in range(2))
    n_in, n_out = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    return (n_in, height, width), nn.Conv2d(n_in, n_out, kernel, padding=padding, bias=draw(st.booleans()))


@settings(deadline=None, max_examples=100)
@given(
    drawn=convolutions(),
    n=st.integers(1, 9),
    dtype=st.sampled_from([torch.float32, torch.bfloat16]),
    channels_last=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_it_is_a_convolution(
    drawn: tuple[tuple[int, int, int], nn.Conv2d], n: int, dtype: torch.dtype, channels_last: bool, seed: int
) -> None:
    shape, convolution = drawn
    torch.manual_seed(seed)
    images = torch.randn(n, *shape).to(dtype)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    images = images.contiguous(memory_format=layout)
    check(images, convolution)


@pytest.mark.parametrize(
    ("n", "n_in", "n_out", "size", "padding"),
    [
        (3, 16, 20, 28, 0),  # planes too large for copies
        (3, 65, 66, 10, 1),  # more channels than go into one register
        (50, 12, 8, 7, 1),  # more images than are summed at a time, and fewer in the last group
        (2, 64, 64, 28, 1),
        (130, 3, 2, 1, 1),
    ],
)
def test_planes_of_any_size(n: int, n_in: int, n_out: int, size: int, padding: int) -> None:
    torch.manual_seed(0)
    check(torch.randn(n, n_in, size, size), nn.Conv2d(n_in, n_out, 3, padding=padding))


def test_both_layouts_of_planes_are_tried() -> None:
    assert {planes_of(n_in, size, size, 0, 3).copies for n_in, size in ((16, 28), (12, 7))} == {1, 3}


def test_an_image_has_nothing_to_do_with_those_beside_it() -> None:
    torch.manual_seed(0)
    convolution = nn.Conv2d(5, 7, 3, padding=1)
    images = torch.randn(20, 5, 9, 7)
    images[3] = torch.inf
    together = images.clone().requires_grad_()
    result = convolve(together, convolution.weight, convolution.bias, 1)
    gradient = torch.randn(result.shape)
    result.backward(gradient)
    for i in (0, 2, 4, 19):
        alone = images[i : i + 1].clone().requires_grad_()
        single = convolve(alone, convolution.weight, convolution.bias, 1)
        single.backward(gradient[i : i + 1])
        assert torch.equal(single[0], result[i])
        assert torch.equal(alone.grad[0], together.grad[i])


@pytest.mark.parametrize(
    "convolution", [Conv(4, stride=2), Conv(4, groups=2), Conv(4, kernel=1), Conv(4, padding=3), Conv(400)]
)
def test_what_does_not_suit_is_left_to_torch(convolution: Conv) -> None:
    assert not suits(convolution, (4, 30, 30))
    assert suits(Conv(4, padding=2), (4, 30, 30))
    assert not suits(Conv(4), (4, 900, 900))


def test_it_is_used_within_branches() -> None:
    plain, joined = built(DEEP), built(DEEP)
    joined.join_layers()
    paths = [
        path
        for path, layer, _ in DEEP.plain_layers
        if isinstance(layer.spec, Conv) and suits(layer.spec, layer.input_shape)
    ]
    joined.convolve(paths)
    images = images_for(DEEP, 8)
    for network in (plain, joined):
        torch.manual_seed(0)
        for module in network.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        network.train()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            scores = network(images)
        scores.float().square().sum().backward()
    n_used = 0
    for name, one in plain.named_parameters():
        other = joined.get_parameter(name)
        assert one.grad is not None
        assert other.grad is not None
        assert (one.grad - other.grad).norm() <= 0.1 * one.grad.norm() + 0.1, name
        path = name.removesuffix(".weight")
        if path in paths:
            assert torch.equal(one.grad.bfloat16().float(), one.grad)  # torch's gradients have few digits
            n_used += not torch.equal(other.grad.bfloat16().float(), other.grad)
    assert n_used == len(paths)
    assert sum("." in path for path in paths) > 1
    joined.eval()
    plain.load_state_dict(joined.state_dict())
    plain.eval()
    torch.testing.assert_close(joined(images), plain(images), rtol=0, atol=0)  # used, in float32, torch computes
