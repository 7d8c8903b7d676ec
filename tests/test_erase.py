"""Erased rectangles are those of their definitions, and what is erased is 0."""

import math
from types import ModuleType

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Generator, Tensor

from nas.training.augment import augment
from nas.training.erase import erase, inside, random_rectangles
from nas.training.recipe import Augmentation

N = 20_000


def generator(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def erased(augmentation: Augmentation, height: int, width: int, n: int = N) -> Tensor:
    """Which pixels of images are erased, `(n, height, width)`."""
    return erase(torch.ones(n, 2, height, width), augmentation, generator())[:, 1] == 0


@given(st.integers(1, 9), st.integers(1, 9), st.lists(st.integers(-9, 12), min_size=4, max_size=4))
def test_inside_is_a_loop_over_the_pixels(height: int, width: int, numbers: list[int]) -> None:
    top, left, rows, columns = numbers
    result = inside(torch.tensor([[top, left]]), torch.tensor([[rows, columns]]), height, width)
    expected = [[top <= y < top + rows and left <= x < left + columns for x in range(width)] for y in range(height)]
    assert result[0, 0].tolist() == expected


def test_random_erasing_is_torchvisions(functional: ModuleType) -> None:
    images = torch.rand(50, 3, 28, 20, generator=generator(1))
    corners, sides = random_rectangles(50, 28, 20, 0.7, generator(2))
    result = erase(images, Augmentation(erasing=0.7), generator(2))
    for image, (top, left), (height, width), changed in zip(
        images, corners.tolist(), sides.tolist(), result, strict=True
    ):
        value = torch.zeros(1, 1, 1)
        assert torch.equal(changed, functional.erase(image, top, left, height, width, value))


def naive_sides(height: int, width: int, n: int) -> list[tuple[int, int]]:
    """torchvision's RandomErasing, drawn one image after the other by other random numbers."""
    import random

    numbers, sides = random.Random(0), []
    for _ in range(n):
        chosen = (0, 0)
        for _ in range(10):
            area = height * width * numbers.uniform(0.02, 0.33)
            ratio = math.exp(numbers.uniform(math.log(0.3), math.log(3.3)))
            h, w = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if h < height and w < width:
                chosen = (h, w)
                break
        sides.append(chosen)
    return sides


@pytest.mark.parametrize(("height", "width"), [(28, 28), (12, 40)])
def test_sizes_are_distributed_as_torchvisions(height: int, width: int) -> None:
    """Two samples of 20,000: by Kolmogorov and Smirnov no further apart than chance in 1,000, rounded sides less so."""
    _, sides = random_rectangles(N, height, width, 1.0, generator())
    expected = torch.tensor(naive_sides(height, width, N))
    for axis, size in ((0, height), (1, width)):
        one, other = (torch.bincount(s[:, axis], minlength=size).cumsum(0) / N for s in (sides, expected))
        assert (one - other).abs().max() < 1.95 * math.sqrt(2 / N)


def test_rectangles_are_anywhere_in_the_image_and_never_beyond() -> None:
    corners, sides = random_rectangles(N, 28, 20, 1.0, generator())
    room = torch.tensor([28, 20]) - sides
    assert (corners >= 0).all()
    assert (corners <= room).all()
    for axis in (0, 1):
        some = room[:, axis] == room[:, axis].mode().values
        n_places = int(room[some, axis][0]) + 1
        shares = torch.bincount(corners[some, axis], minlength=n_places) / some.sum()
        assert (shares - 1 / n_places).abs().max() < 5 * math.sqrt(1 / n_places / int(some.sum()))


@pytest.mark.parametrize("probability", [0.1, 0.6, 1.0])
def test_erasing_has_its_probability(probability: float) -> None:
    share = erased(Augmentation(erasing=probability), 28, 28).any((1, 2)).double().mean().item()
    assert share == pytest.approx(probability, abs=4 * math.sqrt(probability * (1 - probability) / N))


def test_an_image_that_is_too_small_for_a_rectangle_stays_whole() -> None:
    assert not erased(Augmentation(erasing=1.0), 1, 5).any()


@pytest.mark.parametrize("side", [1, 4, 5, 30])
def test_cutout_is_a_square_around_any_pixel(side: int) -> None:
    """Cut at the border, where its centre is near: counted for every centre there is."""
    holes = erased(Augmentation(cutout=side), 9, 7)
    squares = {
        tuple(
            abs(2 * (y - cy) + (side % 2 == 0)) < side and abs(2 * (x - cx) + (side % 2 == 0)) < side
            for y in range(9)
            for x in range(7)
        )
        for cy in range(9)
        for cx in range(7)
    }
    assert {tuple(hole.flatten().tolist()) for hole in holes} == squares
    centre = (abs(torch.arange(9) - 4) < side / 2).sum() * (abs(torch.arange(7) - 3) < side / 2).sum()
    if side % 2:
        assert holes.sum((1, 2)).max() == centre
    if side == 1:
        shares = holes.double().mean(0)
        assert (shares - 1 / 63).abs().max() < 5 * math.sqrt(1 / 63 / N)


def test_the_images_themselves_stay_as_they_are() -> None:
    images = torch.ones(8, 1, 9, 9)
    both = Augmentation(erasing=1.0, cutout=3)
    result = augment(images, both, generator())
    assert images.all()
    assert torch.equal(result, augment(images, both, generator()))
    assert not torch.equal(result, augment(images, both, generator(1)))
