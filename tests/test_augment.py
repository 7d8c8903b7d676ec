"""Augmentation does to a batch what torchvision does to an image, with parameters drawn as torchvision draws them."""

import math
from dataclasses import replace
from types import ModuleType

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor

from nas.training.augment import augment
from nas.training.geometry import affine_matrices, mirror, random_matrices, resample, smoothed
from nas.training.recipe import Augmentation

# Images are between 0 and 1, so that a value changes by at most 1 a pixel along each axis. A float32 position within 40
# pixels of the centre is off by some 40 × 2^-23 = 5e-6 pixels after the few operations of either implementation; both
# together, along both axes, stay below 2e-5 in the value.
TOLERANCE = {"rtol": 0.0, "atol": 2e-5}
SIZES = [(28, 28), (32, 32), (20, 37), (41, 16), (9, 9)]
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def bilinear(functional: ModuleType) -> object:
    from torchvision.transforms import InterpolationMode

    return InterpolationMode.BILINEAR


def generator(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def noise(n: int, height: int, width: int, channels: int = 1) -> Tensor:
    return torch.rand(n, channels, height, width, generator=generator(1))


def drawn(augmentation: Augmentation, n: int = 20_000, height: int = 28, width: int = 28) -> Tensor:
    return random_matrices(n, height, width, augmentation, generator(), CPU)


# Against torchvision --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("angle", [5.0, -12.5, 90.0, 137.0, -180.0])
@pytest.mark.parametrize(("shift_x", "shift_y"), [(0, 0), (3, -2), (-5, 0)])
@pytest.mark.parametrize("scale", [1.0, 0.85, 1.3])
def test_affine_changes_are_torchvisions(
    functional: ModuleType,
    bilinear: object,
    size: tuple[int, int],
    angle: float,
    shift_x: int,
    shift_y: int,
    scale: float,
) -> None:
    images = noise(2, *size, channels=3)
    values = (torch.full((2,), float(value)) for value in (angle, shift_x, shift_y, scale))
    clockwise = -angle
    expected = functional.affine(images, clockwise, [shift_x, shift_y], scale, [0.0, 0.0], bilinear)
    torch.testing.assert_close(resample(images, affine_matrices(*values)), expected, **TOLERANCE)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("angle", [5.0, -12.5, 90.0, 137.0])
def test_rotations_are_torchvisions(
    functional: ModuleType, bilinear: object, size: tuple[int, int], angle: float
) -> None:
    images = noise(2, *size)
    turned = resample(images, affine_matrices(torch.full((2,), angle), *torch.zeros(2, 2), torch.ones(2)))
    torch.testing.assert_close(turned, functional.rotate(images, angle, bilinear), **TOLERANCE)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("crop", [22, 7, 28])
@pytest.mark.parametrize("position", ["centre", "random"])
def test_crops_are_torchvisions(
    functional: ModuleType, bilinear: object, size: tuple[int, int], crop: int, position: str
) -> None:
    """But for the pixels at the border that lie beyond the centres of the crop's outermost pixels.

    torchvision repeats these; here the image goes on beyond the crop.
    """
    height, width = size
    side = torch.tensor([min(crop, width), min(crop, height)])
    images = noise(20, height, width)
    augmentation = Augmentation(crop=crop, crop_probability=1.0, crop_position=position)
    result = augment(images, augmentation, generator(7))
    matrices = random_matrices(20, height, width, augmentation, generator(7), CPU)
    centres = matrices[:, :, 2]  # of the crops, from the images', in pixels (x, y)
    corners = centres + torch.tensor([width, height]) / 2 - side / 2
    if position == "centre":
        assert torch.equal(centres, torch.zeros(20, 2))
        corners = corners.floor()  # torchvision crops at whole pixels
        if ((torch.tensor([width, height]) - side) % 2).any():
            return
    torch.testing.assert_close(corners, corners.round(), **TOLERANCE)
    inside = within(width, int(side[0])).unsqueeze(0) & within(height, int(side[1])).unsqueeze(1)
    for image, changed, (left, top) in zip(images, result, corners.round().int().tolist(), strict=True):
        expected = functional.resized_crop(
            image, top, left, int(side[1]), int(side[0]), [height, width], bilinear, antialias=False
        )
        torch.testing.assert_close(changed[:, inside], expected[:, inside], **TOLERANCE)
    assert inside.float().mean() > 0.4


def within(size: int, crop: int) -> Tensor:
    """Which pixels of a line of `size` lie between the centres of the first and last pixel of the `crop` they show."""
    positions = (torch.arange(size) + 0.5) * crop / size - 0.5
    return (positions >= -1e-6) & (positions <= crop - 1 + 1e-6)


def test_a_crop_comes_before_the_affine_change() -> None:
    """The two resamplings in one are the two in turn, as far as interpolating twice allows: on a smooth image."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, 64), torch.linspace(-1, 1, 64), indexing="ij")
    images = (0.5 + 0.5 * (x + 2 * y + 0.3 * x * y)).expand(1, 1, 64, 64)
    crop = Augmentation(crop=32, crop_probability=1.0, crop_position="centre")
    turn = affine_matrices(torch.tensor([30.0]), torch.tensor([4.0]), torch.tensor([-6.0]), torch.ones(1))
    in_turn = resample(augment(images, crop, generator()), turn)
    factor = torch.tensor([0.5, 0.5]).view(1, 2, 1)
    at_once = resample(images, turn * factor)
    middle = (..., slice(20, 44), slice(20, 44))
    torch.testing.assert_close(in_turn[middle], at_once[middle], rtol=0, atol=1e-3)
    both = Augmentation(rotation=30, crop=32, crop_probability=1.0, crop_position="centre")
    matrices = random_matrices(50, 64, 64, both, generator(), CPU)
    alone = random_matrices(50, 64, 64, Augmentation(rotation=30), generator(), CPU)
    torch.testing.assert_close(matrices, alone * factor)


def naive(image: list[list[float]], x: float, y: float) -> float:
    """Bilinear interpolation at a position in pixels from the first one's centre; 0 outside."""
    left, top = math.floor(x), math.floor(y)
    total = 0.0
    for row in (top, top + 1):
        for column in (left, left + 1):
            if 0 <= row < len(image) and 0 <= column < len(image[0]):
                total += image[row][column] * (1 - abs(x - column)) * (1 - abs(y - row))
    return total


coefficients = st.floats(-3, 3)


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 7), st.integers(1, 7), st.lists(coefficients, min_size=6, max_size=6))
def test_resampling_reads_where_the_matrix_says(height: int, width: int, values: list[float]) -> None:
    image = noise(1, height, width)
    (a, b, c), (d, e, f) = values[:3], values[3:]
    result = resample(image, torch.tensor([[[a, b, c], [d, e, f]]]))
    pixels = image[0, 0].tolist()
    expected = torch.zeros(1, 1, height, width)
    for row in range(height):
        for column in range(width):
            x, y = column - (width - 1) / 2, row - (height - 1) / 2  # from the image's centre
            source_x, source_y = a * x + b * y + c + (width - 1) / 2, d * x + e * y + f + (height - 1) / 2
            expected[0, 0, row, column] = naive(pixels, source_x, source_y)
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-4)  # coefficients are larger, and so are errors


@pytest.mark.parametrize("size", SIZES)
def test_displacements_are_torchvisions(functional: ModuleType, size: tuple[int, int]) -> None:
    images = noise(3, *size, channels=3)
    displacements = torch.randn(3, 2, *size, generator=generator(2)) * 2
    identity = affine_matrices(torch.zeros(3), torch.zeros(3), torch.zeros(3), torch.ones(3))
    result = resample(images, identity, displacements)
    of_half_a_side = torch.tensor([2 / size[1], 2 / size[0]])  # torchvision's unit
    for image, moved, changed in zip(images, displacements, result, strict=True):
        along = (moved.permute(1, 2, 0) * of_half_a_side).unsqueeze(0)
        torch.testing.assert_close(changed, functional.elastic(image, along), **TOLERANCE)


@pytest.mark.parametrize("sigma", [1.0, 2.5])
def test_smoothed_noise_is_torchvisions_blur_far_from_the_border(functional: ModuleType, sigma: float) -> None:
    """Times a number that Simard et al. call alpha, which the docstring of `Augmentation` says."""
    values = noise(2, 80, 70, channels=2) * 2 - 1
    n_taps = 2 * round(8 * sigma) + 1
    blurred = functional.gaussian_blur(values, [n_taps, n_taps], [sigma, sigma])
    alpha = math.sqrt(3) * 2 * math.sqrt(math.pi) * sigma
    assert alpha == pytest.approx(6.1 * sigma, rel=0.01)
    middle = (..., slice(25, -25), slice(25, -25))
    torch.testing.assert_close(smoothed(values, sigma)[middle], alpha * blurred[middle], rtol=1e-4, atol=1e-4)


def test_an_elastic_change_comes_after_the_affine_one_in_the_same_resampling() -> None:
    """On a smooth image, where interpolating twice is as good."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, 64), torch.linspace(-1, 1, 64), indexing="ij")
    images = (0.5 + 0.5 * (x + 2 * y + 0.3 * x * y)).expand(1, 1, 64, 64)
    turn = affine_matrices(torch.tensor([30.0]), torch.tensor([4.0]), torch.tensor([-6.0]), torch.full((1,), 1.1))
    identity = affine_matrices(*torch.zeros(3, 1), torch.ones(1))
    displacements = 2 * smoothed(noise(1, 64, 64, channels=2) * 2 - 1, 4.0)
    at_once = resample(images, turn, displacements)
    in_turn = resample(resample(images, turn), identity, displacements)
    middle = (..., slice(20, 44), slice(20, 44))
    torch.testing.assert_close(at_once[middle], in_turn[middle], rtol=0, atol=2e-3)
    assert (at_once - resample(images, turn))[middle].abs().max() > 0.05


@pytest.mark.parametrize("size", SIZES)
def test_mirrored_images_are_torchvisions(functional: ModuleType, size: tuple[int, int]) -> None:
    images = noise(5, *size, channels=3)
    assert torch.equal(mirror(images, Augmentation(flip=1.0), generator()), functional.horizontal_flip(images))


# What is drawn --------------------------------------------------------------------------------------------------------


def assert_uniform(values: Tensor, low: float, high: float) -> None:
    """Kolmogorov and Smirnov: the empirical distribution is nowhere further from uniform than chance in 1,000."""
    n = len(values)
    expected = ((values.sort().values - low) / (high - low)).clamp(0, 1)
    steps = torch.arange(1, n + 1) / n
    assert (expected - steps).abs().max() < 1.95 / math.sqrt(n)
    assert low <= values.min()
    assert values.max() <= high


def test_angles_are_uniform() -> None:
    matrices = drawn(Augmentation(rotation=15))
    angles = torch.atan2(matrices[:, 1, 0], matrices[:, 0, 0]).rad2deg()
    assert_uniform(angles, -15.0001, 15.0001)
    torch.testing.assert_close(matrices[:, 0].square().sum(1), torch.ones(20_000))


def test_scales_are_uniform() -> None:
    matrices = drawn(Augmentation(scale=0.25))
    assert_uniform(1 / matrices[:, 0, 0], 0.7499, 1.2501)
    assert torch.equal(matrices[:, 0, 0], matrices[:, 1, 1])
    assert not matrices[:, 0, 1].any()


@pytest.mark.parametrize(("height", "width"), [(28, 28), (20, 60)])
def test_shifts_are_whole_pixels_of_each_side_rounded_as_torchvision_does(height: int, width: int) -> None:
    matrices = drawn(Augmentation(translation=0.1), height=height, width=width)
    for axis, size in ((0, width), (1, height)):
        shifts = -matrices[:, axis, 2]
        assert torch.equal(shifts, shifts.round())
        most = 0.1 * size
        counts = torch.bincount((shifts + 10).long(), minlength=21)
        for pixels in range(-10, 11):  # what of [-most, most] rounds to it
            share = max(0.0, min(pixels + 0.5, most) - max(pixels - 0.5, -most)) / (2 * most)
            assert counts[pixels + 10].item() / 20_000 == pytest.approx(share, abs=0.015)
            assert counts[pixels + 10].item() == 0 or share > 0
    correlation = torch.corrcoef(matrices[:, :, 2].T)[0, 1].item()
    assert abs(correlation) < 0.03, "both axes are drawn independently"


def test_each_is_drawn_independently() -> None:
    matrices = drawn(Augmentation(rotation=15, scale=0.25))
    angles = torch.atan2(matrices[:, 1, 0], matrices[:, 0, 0])
    scales = matrices[:, 0].norm(dim=1)
    assert abs(torch.corrcoef(torch.stack([angles, scales]))[0, 1].item()) < 0.03
    assert matrices.unique(dim=0).shape[0] > 19_900, "and for each image"


@pytest.mark.parametrize("probability", [0.1, 0.7, 1.0])
def test_a_crop_has_its_probability(probability: float) -> None:
    matrices = drawn(Augmentation(crop=22, crop_probability=probability))
    share = (matrices[:, 0, 0] != 1).double().mean().item()
    assert share == pytest.approx(probability, abs=4 * math.sqrt(probability * (1 - probability) / 20_000))


def test_random_crops_are_everywhere_in_the_image() -> None:
    matrices = drawn(Augmentation(crop=22, crop_probability=1.0), height=24, width=28)
    for axis, room in ((0, 6), (1, 2)):
        corners = matrices[:, axis, 2] + room / 2
        counts = torch.bincount(corners.round().long(), minlength=room + 1)
        assert len(counts) == room + 1
        assert (counts / 20_000 - 1 / (room + 1)).abs().max() < 0.015
    assert torch.equal(matrices[0, :, :2], torch.tensor([[22 / 28, 0], [0, 22 / 24]]))


@pytest.mark.parametrize("sigma", [0.5, 4.0, 100.0])
def test_displacements_are_of_their_size_at_every_pixel(sigma: float) -> None:
    """Also at a corner. The mean of 4,000 squares is within five standard errors, of which one is at most 2.3 %."""
    values = torch.rand(4_000, 2, 12, 9, generator=generator(4)) * 2 - 1
    squares = smoothed(values, sigma).square().mean(0)
    torch.testing.assert_close(squares, torch.ones_like(squares), rtol=0, atol=0.12)


def test_elastic_is_in_pixels() -> None:
    """Images whose value is the place along x show how far each pixel was moved."""
    images = torch.arange(60.0).expand(300, 1, 60, 60)
    moved = augment(images, Augmentation(elastic=1.5, elastic_sigma=3.0), generator()) - images
    assert moved[..., 15:-15, 15:-15].square().mean().sqrt().item() == pytest.approx(1.5, rel=0.03)


@pytest.mark.parametrize("probability", [0.1, 0.5, 1.0])
def test_a_mirror_has_its_probability(probability: float) -> None:
    images = torch.tensor([0.0, 1.0]).expand(20_000, 1, 1, 2)
    share = augment(images, Augmentation(flip=probability), generator())[:, 0, 0, 0].mean().item()
    assert share == pytest.approx(probability, abs=4 * math.sqrt(probability * (1 - probability) / 20_000))


# As a whole -----------------------------------------------------------------------------------------------------------

NOTHING = [
    Augmentation(elastic_sigma=2.0),
    Augmentation(),
    Augmentation(crop=22),
    Augmentation(crop_probability=1.0, crop_position="centre"),
]
OF_OLD = Augmentation(rotation=15, translation=0.1, scale=0.1, crop=12, crop_probability=0.5)
EVERYTHING = replace(
    OF_OLD,
    **{"elastic": 1.0, "flip": 0.5, "brightness": 0.4, "contrast": 0.4, "erasing": 0.2, "cutout": 5},
)


@pytest.mark.parametrize("augmentation", NOTHING)
def test_what_changes_nothing_changes_no_digit(augmentation: Augmentation) -> None:
    images = noise(5, 20, 17)
    before, source = images.clone(), generator()
    assert torch.equal(augment(images, augmentation, source), before)
    assert torch.equal(source.get_state(), generator().get_state())


@pytest.mark.parametrize("size", SIZES)
def test_everything_at_once_depends_on_the_generator_alone(size: tuple[int, int]) -> None:
    images = noise(30, *size, channels=2)
    before, state = images.clone(), torch.get_rng_state()
    one = augment(images, EVERYTHING, generator(3))
    torch.rand(1)
    assert torch.equal(one, augment(images, EVERYTHING, generator(3)))
    assert not torch.equal(one, augment(images, EVERYTHING, generator(4)))
    assert torch.equal(images, before), "the images themselves stay as they are"
    torch.set_rng_state(state)
    augment(images, EVERYTHING, generator(5))
    assert torch.equal(torch.get_rng_state(), state)
    assert one.shape == images.shape
    assert one.min() >= 0
    assert one.max() <= 1 + 1e-6


def test_an_image_is_changed_by_its_own_draw_in_all_channels_alike() -> None:
    images = noise(1, 28, 28).expand(50, 3, 28, 28)
    result = augment(images, EVERYTHING, generator())
    torch.testing.assert_close(result[:, 0], result[:, 1])
    assert len({tuple(image.flatten().tolist()) for image in result}) == 50


def test_what_came_later_draws_nothing_unless_asked_and_later_then() -> None:
    """So that an old trial, trained again, gives the digits that it gave."""
    images, source, reference = noise(9, 20, 17), generator(3), generator(3)
    result = augment(images, OF_OLD, source)
    matrices = random_matrices(9, 20, 17, OF_OLD, reference, CPU)
    assert torch.equal(result, resample(images, matrices))
    assert torch.equal(source.get_state(), reference.get_state())
    assert torch.equal(matrices, random_matrices(9, 20, 17, EVERYTHING, generator(3), CPU))


def test_an_old_recipe_draws_what_it_drew() -> None:
    """Angle, shifts and scale of all images, one after the other, then whether and where each is cropped."""
    reference = generator(5)
    angle, shift_x, shift_y, scale = (torch.rand(9, generator=reference) * 2 - 1 for _ in range(4))
    cropped = torch.rand(9, generator=reference) < 0.5
    corners = torch.randint(0, 2**31, (9, 2), generator=reference) % torch.tensor([17 - 12 + 1, 20 - 12 + 1])
    expected = affine_matrices(angle * 15, (shift_x * 0.1 * 17).round(), (shift_y * 0.1 * 20).round(), 1 + scale * 0.1)
    of_crops = expected * torch.tensor([12 / 17, 12 / 20]).view(1, 2, 1)
    of_crops[:, :, 2] += corners - torch.tensor([5, 8]) / 2
    expected = torch.where(cropped.view(9, 1, 1), of_crops, expected)
    torch.testing.assert_close(random_matrices(9, 20, 17, OF_OLD, generator(5), CPU), expected)
