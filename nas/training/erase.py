"""Random erasing and cutout: rectangles of an image that become 0."""

import math

import torch
from torch import Generator, Tensor

from nas.training.draws import below, between
from nas.training.recipe import Augmentation

AREAS, RATIOS, N_ATTEMPTS = (0.02, 0.33), (0.3, 3.3), 10  # torchvision's


def erase(images: Tensor, augmentation: Augmentation, generator: Generator) -> Tensor:
    """Images in which random rectangles are 0; see `Augmentation`."""
    n, _, height, width = images.shape
    if augmentation.erasing:
        corners, sides = random_rectangles(n, height, width, augmentation.erasing, generator)
        images = images.masked_fill(inside(corners, sides, height, width), 0)
    if augmentation.cutout:
        size = torch.tensor([height, width], device=images.device)
        centres = below(size.expand(n, 2), generator)
        square = torch.full_like(centres, augmentation.cutout)
        images = images.masked_fill(inside(centres - augmentation.cutout // 2, square, height, width), 0)
    return images


def random_rectangles(
    n: int, height: int, width: int, probability: float, generator: Generator
) -> tuple[Tensor, Tensor]:
    """Top left corners and sides of rectangles, both `(n, 2)` in pixels along y and x; sides of 0 where none is erased.

    Of ten rectangles the first counts that is smaller than the image; where all are as large, nothing is erased.
    """
    chosen = torch.rand(n, generator=generator, device=generator.device) < probability
    areas = height * width * between(*AREAS, (n, N_ATTEMPTS), generator)
    ratios = between(math.log(RATIOS[0]), math.log(RATIOS[1]), (n, N_ATTEMPTS), generator).exp()
    sides = torch.stack([(areas * ratios).sqrt(), (areas / ratios).sqrt()], dim=-1).round().long()
    size = torch.tensor([height, width], device=generator.device)
    fits = (sides < size).all(-1)
    first = fits.int().argmax(1)  # 0 where none fits
    some = torch.arange(n, device=generator.device)
    sides = sides[some, first] * (chosen & fits[some, first]).unsqueeze(1)
    return below(size - sides + 1, generator), sides


def inside(corners: Tensor, sides: Tensor, height: int, width: int) -> Tensor:
    """Which pixels lie in each image's rectangle, `(n, 1, height, width)`; a part of it may lie outside the image."""
    rows, columns = (
        (pixels >= corner.unsqueeze(1)) & (pixels < (corner + side).unsqueeze(1))
        for pixels, corner, side in zip(
            (torch.arange(size, device=corners.device) for size in (height, width)),
            corners.unbind(1),
            sides.unbind(1),
            strict=True,
        )
    )
    return (rows.unsqueeze(2) & columns.unsqueeze(1)).unsqueeze(1)
