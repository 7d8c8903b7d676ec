"""Brightness, contrast, saturation and hue, as torchvision's `ColorJitter` changes them, but always in this order.

Each function takes float images `(n, channels, height, width)` from 0 to 1 and one number an image.
"""

import torch
from torch import Generator, Tensor

from nas.training.draws import between
from nas.training.recipe import Augmentation

LUMA = (0.2989, 0.587, 0.114)  # of red, green and blue in grey, as in torchvision (ITU-R BT.601)


def recolour(images: Tensor, augmentation: Augmentation, generator: Generator) -> Tensor:
    """Images in other colours; see `Augmentation`. Saturation and hue need three channels."""
    augmentation.check_channels(images.shape[1])
    n = (len(images),)
    for change, limit in (
        (brightness, augmentation.brightness),
        (contrast, augmentation.contrast),
        (saturation, augmentation.saturation),
    ):
        if limit:
            images = change(images, between(1 - limit, 1 + limit, n, generator))
    if augmentation.hue:
        images = hue(images, between(-augmentation.hue, augmentation.hue, n, generator))
    return images


def brightness(images: Tensor, factors: Tensor) -> Tensor:
    """Every value times its image's factor."""
    return _blended(images, torch.zeros_like(images[:, :1, :1, :1]), factors)


def contrast(images: Tensor, factors: Tensor) -> Tensor:
    """Values' distance from the mean grey of their image, times its factor."""
    return _blended(images, _grey(images).mean((1, 2, 3), keepdim=True), factors)


def saturation(images: Tensor, factors: Tensor) -> Tensor:
    """Values' distance from the grey of their pixel, times its image's factor."""
    return _blended(images, _grey(images), factors)


def hue(images: Tensor, turns: Tensor) -> Tensor:
    """Hues turned by so much of the colour circle; a colour's largest and smallest channel value stay what they are."""
    least, most = images.amin(1), images.amax(1)
    chroma = most - least
    red, green, blue = images.unbind(1)
    # In sixths of the circle, from red; where a pixel is grey it does not matter.
    sixths = torch.where(most == green, 2 + (blue - red) / chroma, 4 + (red - green) / chroma)
    sixths = torch.where(most == red, (green - blue) / chroma, sixths).nan_to_num() + 6 * turns.view(-1, 1, 1)
    # How far each channel is below the largest value, by its place on the circle: 0 within a sixth, all beyond two.
    places = torch.tensor([5, 3, 1], device=images.device).view(1, 3, 1, 1)
    around = (places + sixths.unsqueeze(1)) % 6
    return most.unsqueeze(1) - chroma.unsqueeze(1) * torch.minimum(around, 4 - around).clamp(0, 1)


def _grey(images: Tensor) -> Tensor:
    """`(n, 1, height, width)`; the mean of the channels where these are not red, green and blue."""
    if images.shape[1] != len(LUMA):
        return images.mean(1, keepdim=True)
    weights = torch.tensor(LUMA, device=images.device).view(1, -1, 1, 1)
    return (images * weights).sum(1, keepdim=True)


def _blended(images: Tensor, others: Tensor, factors: Tensor) -> Tensor:
    shares = factors.view(-1, 1, 1, 1)
    return (images * shares + others * (1 - shares)).clamp(0, 1)
