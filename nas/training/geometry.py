"""Where pixels come from: crop-and-resize, rotation, translation, scale and elastic change as one resampling; mirrors.

Angles in degrees, counter-clockwise; shifts as fractions of the image's size; all parameters are tensors with one value
an image.
"""

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from nas.training.draws import below
from nas.training.recipe import Augmentation


def move(images: Tensor, augmentation: Augmentation, generator: Generator) -> Tensor:
    """Images cropped, then turned, shifted and scaled, then distorted, all in one; pixels from outside are 0."""
    if not augmentation.resamples:
        return images
    n, _, height, width = images.shape
    matrices = random_matrices(n, height, width, augmentation, generator, images.device)
    if not augmentation.elastic:
        return resample(images, matrices)
    noise = torch.rand(n, 2, height, width, generator=generator, device=images.device) * 2 - 1
    return resample(images, matrices, augmentation.elastic * smoothed(noise, augmentation.elastic_sigma))


def mirror(images: Tensor, augmentation: Augmentation, generator: Generator) -> Tensor:
    """Images of which some are mirrored from left to right."""
    if not augmentation.flip:
        return images
    mirrored = torch.rand(len(images), generator=generator, device=images.device) < augmentation.flip
    return torch.where(mirrored.view(-1, 1, 1, 1), images.flip(-1), images)


def random_matrices(
    n: int, height: int, width: int, augmentation: Augmentation, generator: Generator, device: torch.device
) -> Tensor:
    """`(n, 2, 3)` matrices from output to input positions, in pixels from the image's centre."""

    def uniform(limit: float) -> Tensor:
        return (torch.rand(n, generator=generator, device=device) * 2 - 1) * limit

    angle = uniform(augmentation.rotation)
    # Whole pixels, as torchvision's RandomAffine draws them.
    shift_x = (uniform(augmentation.translation) * width).round()
    shift_y = (uniform(augmentation.translation) * height).round()
    matrices = affine_matrices(angle, shift_x, shift_y, 1 + uniform(augmentation.scale))
    if augmentation.crops:
        matrices = _after_crop(matrices, height, width, augmentation, generator)
    return matrices


def affine_matrices(angle: Tensor, shift_x: Tensor, shift_y: Tensor, scale: Tensor) -> Tensor:
    """Matrices that rotate about the centre, enlarge, then shift by pixels; inverted, as resampling wants them."""
    radians = angle * (math.pi / 180)
    cos, sin = radians.cos() / scale, radians.sin() / scale
    return torch.stack(
        [
            torch.stack([cos, -sin, -cos * shift_x + sin * shift_y], dim=-1),
            torch.stack([sin, cos, -sin * shift_x - cos * shift_y], dim=-1),
        ],
        dim=-2,
    )


def smoothed(noise: Tensor, sigma: float) -> Tensor:
    """Displacements `(n, 2, height, width)` in pixels along x and y, of such noise that is uniform between -1 and 1.

    The noise convolved with a Gaussian of standard deviation `sigma`, scaled so that the root mean square is 1 at every
    pixel, at an image's border too, where a part of the Gaussian lies outside.
    """
    rows, columns = (_gaussians(size, sigma, noise.device) for size in noise.shape[-2:])
    return math.sqrt(3) * (rows @ noise @ columns.T)  # the variance of the noise is 1/3


def _gaussians(size: int, sigma: float, device: torch.device) -> Tensor:
    """A row for each position of a line, with the Gaussian around it; the squares of a row add up to 1."""
    positions = torch.arange(size, device=device)
    return F.normalize((-0.5 * ((positions - positions.unsqueeze(1)) / sigma).square()).exp())


def resample(images: Tensor, matrices: Tensor, displacements: Tensor | None = None) -> Tensor:
    """Images read at the positions that `matrices` give for each output pixel: bilinear, 0 outside.

    `displacements`, `(n, 2, height, width)` in pixels, move output pixels along x and y before: as if what the matrices
    make were distorted.
    """
    height, width = images.shape[-2:]
    # Pixels' centres, from the image's; grid_sample counts positions from -1 to 1 over the whole image.
    x = torch.arange(width, device=images.device) - (width - 1) / 2
    y = torch.arange(height, device=images.device) - (height - 1) / 2
    to_grid = torch.tensor([2 / width, 2 / height], device=images.device).view(2, 1)
    along_x, along_y, shift = (matrices * to_grid).unbind(-1)  # (n, 2) each
    rows = torch.addcmul(shift.view(-1, 1, 2), along_y.view(-1, 1, 2), y.view(1, -1, 1))
    columns = along_x.view(-1, 1, 2) * x.view(1, -1, 1)
    # x and y as one complex number, so that the sums are formed over rows of pixels and not over two numbers at a time.
    grid = torch.view_as_complex(rows).unsqueeze(2) + torch.view_as_complex(columns).unsqueeze(1)
    positions = torch.view_as_real(grid)
    if displacements is not None:
        moved = torch.bmm(matrices[:, :, :2] * to_grid, displacements.flatten(2))
        positions += moved.view_as(displacements).permute(0, 2, 3, 1)
    return F.grid_sample(images, positions, mode="bilinear", padding_mode="zeros", align_corners=False)


def _after_crop(matrices: Tensor, height: int, width: int, augmentation: Augmentation, generator: Generator) -> Tensor:
    """As if a square had been cropped and resized to the whole image before the affine change, with a probability."""
    n, device = len(matrices), matrices.device
    crop_height, crop_width = min(augmentation.crop, height), min(augmentation.crop, width)
    cropped = torch.rand(n, generator=generator, device=device) < augmentation.crop_probability
    factor = torch.tensor([crop_width / width, crop_height / height], device=device)
    room = torch.tensor([width - crop_width, height - crop_height], device=device)
    corner = below(room.expand(n, 2) + 1, generator)
    centre = corner - room / 2 if augmentation.crop_position == "random" else torch.zeros(n, 2, device=device)
    changed = matrices * factor.view(1, 2, 1)
    changed[:, :, 2] += centre
    return torch.where(cropped.view(n, 1, 1), changed, matrices)
