"""The validation part: held out of the training images, stratified, by a fixed seed."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from nas.datasets.dataset import Dataset
from nas.errors import InputError

SMALLEST_STD = 1 / 255  # one step of a byte: a channel without any contrast must not divide by zero
N_SHOWN = 1000  # images that a network which trains on all of them is evaluated on, at most
SEED_SHOWN = 0  # which ones
N_CALIBRATION = 2000  # images that show the ranges of activations, at most
DEFAULT_SHARE = 6  # a sixth: 10,000 of MNIST's 60,000


@dataclass(frozen=True, eq=False)
class Split:
    """What a search trains and ranks on: two parts of the training images, and how to normalise them.

    Images are uint8, (n, channels, height, width); labels int64, (n,). A network sees (images / 255 - mean) / std.
    """

    train_images: Tensor
    train_labels: Tensor
    validation_images: Tensor
    validation_labels: Tensor
    mean: tuple[float, ...]  # per channel, of train_images / 255: the training part only
    std: tuple[float, ...]  # likewise; never below 1 / 255
    n_classes: int
    image_shape: tuple[int, int, int]  # (channels, height, width)
    calibration: Tensor | None = None  # of the images to train on those that show ranges, where not all may

    @property
    def calibration_images(self) -> Tensor:
        """Those that show the ranges of activations to who computes in whole numbers."""
        return calibration_images(self.train_images if self.calibration is None else self.calibration)

    def to(self, device: torch.device | str) -> "Split":
        """The same split with its tensors on `device`."""
        return replace(
            self,
            train_images=self.train_images.to(device),
            train_labels=self.train_labels.to(device),
            validation_images=self.validation_images.to(device),
            validation_labels=self.validation_labels.to(device),
        )


def split(dataset: Dataset, n_validation: int | None = None, seed: int = 0) -> Split:
    """Hold `n_validation` images (default: a sixth) out of `dataset`, in proportion to the classes.

    The same data set, number and seed give the same split. A class of two images or more has at least one in each
    part; a class of a single image is trained on. Raises InputError if `n_validation` does not allow that.
    """
    mask = held_out(dataset, n_validation, seed)
    train_images = dataset.images[~mask]
    mean, std = normalisation(train_images)
    return Split(
        train_images=train_images,
        train_labels=dataset.labels[~mask],
        validation_images=dataset.images[mask],
        validation_labels=dataset.labels[mask],
        mean=mean,
        std=std,
        n_classes=dataset.n_classes,
        image_shape=dataset.image_shape,
    )


def held_out(dataset: Dataset, n_validation: int | None = None, seed: int = 0) -> Tensor:
    """A mask, bool, (n,), of the images that `split` holds out."""
    counts = torch.bincount(dataset.labels, minlength=dataset.n_classes).tolist()
    shares = _shares(counts, _checked(n_validation, counts))
    return _draw(dataset.labels, shares, seed)


def everything(dataset: Dataset) -> Split:
    """All training images to train on.

    Those that are `shown` stand in for a validation part, to see that they are learned and to recognise a network.
    """
    mean, std = normalisation(dataset.images)
    chosen = shown(dataset)
    return Split(
        train_images=dataset.images,
        train_labels=dataset.labels,
        validation_images=dataset.images[chosen],
        validation_labels=dataset.labels[chosen],
        mean=mean,
        std=std,
        n_classes=dataset.n_classes,
        image_shape=dataset.image_shape,
        calibration=calibration_images(dataset.images[~chosen]),
    )


def calibration_images(images: Tensor) -> Tensor:
    """Up to `N_CALIBRATION` of these, drawn with a fixed seed: they may lie in an order."""
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    return images[order[:N_CALIBRATION].to(images.device)]


def shown(dataset: Dataset) -> Tensor:
    """A mask, bool, (n,), of the images that a network which trains on all of them is evaluated on.

    The same for a data set each time. They are drawn, since images may lie in the order of their classes; and they are
    at most half of all, so that there are others to calibrate on.
    """
    n = len(dataset.labels)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(SEED_SHOWN))
    mask = torch.zeros(n, dtype=torch.bool)
    mask[order[: min(N_SHOWN, max(1, n // 2))]] = True
    return mask


def normalisation(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of images / 255 for each channel: exact, from counts of the 256 values.

    `images` is uint8, (n, channels, height, width). The standard deviation is never below 1 / 255.
    """
    means, stds = zip(*(_channel_moments(images[:, channel]) for channel in range(images.shape[1])), strict=True)
    return tuple(means), tuple(stds)


def _channel_moments(values: Tensor) -> tuple[float, float]:
    histogram: list[int] = torch.bincount(values.reshape(-1), minlength=256).tolist()
    n = sum(histogram)
    total = sum(value * count for value, count in enumerate(histogram))
    squares = sum(value * value * count for value, count in enumerate(histogram))
    variance = (n * squares - total * total) / (n * n)  # integers up to the division: no cancellation
    return total / n / 255, max(variance**0.5 / 255, SMALLEST_STD)


def _checked(n_validation: int | None, counts: list[int]) -> int:
    least = sum(count >= 2 for count in counts)
    most = sum(count - 1 for count in counts if count >= 2)
    if most == 0:
        raise InputError(
            "a validation part needs a class of at least two images, but every class has only one: add images"
        )
    if n_validation is None:
        return min(max(sum(counts) // DEFAULT_SHARE, least), most)
    if not least <= n_validation <= most:
        raise InputError(
            f"a validation part takes {least} to {most} of these {sum(counts)} images, so that every class is both "
            f"trained and validated on, but got {n_validation=}: choose a number between"
        )
    return n_validation


def _shares(counts: list[int], n_validation: int) -> list[int]:
    """How many of each class to hold out: largest remainder, within one .. count - 1 for a class of two or more."""
    total = sum(counts)
    least = [min(1, count - 1) if count else 0 for count in counts]
    most = [max(count - 1, 0) for count in counts]
    shares = [
        min(max(count * n_validation // total, low), high) for count, low, high in zip(counts, least, most, strict=True)
    ]

    def shortfall(k: int) -> int:  # in units of 1 / total, so that it is exact
        return counts[k] * n_validation - shares[k] * total

    while sum(shares) < n_validation:
        shares[max((k for k in range(len(counts)) if shares[k] < most[k]), key=shortfall)] += 1
    while sum(shares) > n_validation:
        shares[min((k for k in range(len(counts)) if shares[k] > least[k]), key=shortfall)] -= 1
    return shares


def _draw(labels: Tensor, shares: list[int], seed: int) -> Tensor:
    """A mask of the images to hold out, bool, (n,)."""
    generator = torch.Generator().manual_seed(seed)
    held_out = torch.zeros(len(labels), dtype=torch.bool)
    for label, share in enumerate(shares):
        members = torch.nonzero(labels == label).flatten()
        held_out[members[torch.randperm(len(members), generator=generator)[:share]]] = True
    return held_out
