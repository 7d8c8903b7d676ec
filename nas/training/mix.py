"""Mixup and CutMix: images of which a part is another image, with the labels of both."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from nas.training.draws import below
from nas.training.erase import inside
from nas.training.recipe import Augmentation


@dataclass(frozen=True)
class Targets:
    """What a batch should be recognised as: `labels`; of mixed images also those of what was mixed in.

    `shares`: how much of each image is still its own, from 0 to 1; None, as `others`, where nothing is mixed.
    """

    labels: Tensor
    others: Tensor | None = None
    shares: Tensor | None = None

    @property
    def main(self) -> Tensor:
        """The label of each image's larger part."""
        if self.others is None or self.shares is None:
            return self.labels
        return torch.where(self.shares < 0.5, self.others, self.labels)

    def cross_entropy(self, scores: Tensor, label_smoothing: float) -> Tensor:
        """The mean over the batch; of a mixed image both labels' cross entropies, each by its share."""
        if self.others is None or self.shares is None:
            return F.cross_entropy(scores, self.labels, label_smoothing=label_smoothing)
        own, other = (
            F.cross_entropy(scores, labels, label_smoothing=label_smoothing, reduction="none")
            for labels in (self.labels, self.others)
        )
        return (self.shares * own + (1 - self.shares) * other).mean()


def mix(images: Tensor, labels: Tensor, augmentation: Augmentation, generator: Generator) -> tuple[Tensor, Targets]:
    """Each image mixed with the one before it in the batch, as the recipe says; see `Augmentation`.

    A batch is in random order, so the one before is any other image.
    """
    if not augmentation.mixup and not augmentation.cutmix:
        return images, Targets(labels)
    n, _, height, width = images.shape
    own = torch.ones(n, 1, 1, 1, device=images.device)  # of each pixel, how much stays
    if augmentation.mixup:
        own = beta(augmentation.mixup, n, generator).view(n, 1, 1, 1)
    if augmentation.cutmix:
        pasted = random_patches(beta(augmentation.cutmix, n, generator), height, width, generator)
        if augmentation.mixup:
            by_cutmix = torch.rand(n, 1, 1, 1, generator=generator, device=images.device) < 0.5
            own = torch.where(by_cutmix, (~pasted).float(), own)
        else:
            own = (~pasted).float()
    shares = own.mean((1, 2, 3))
    return images.roll(1, 0).lerp(images, own), Targets(labels, labels.roll(1, 0), shares)


def beta(alpha: float, n: int, generator: Generator) -> Tensor:
    """`n` numbers of Beta(alpha, alpha), drawn as `torch.distributions.Beta` does, which takes no generator."""
    parameters = torch.full((n, 2), alpha, device=generator.device)
    return torch._sample_dirichlet(parameters, generator=generator)[:, 0]


def random_patches(shares: Tensor, height: int, width: int, generator: Generator) -> Tensor:
    """Pixels `(n, 1, height, width)` of rectangles with the image's ratio of sides and `1 - shares` of its area.

    The centre is any pixel, so that a part may lie outside. Half the sides are rounded down, as torchvision's `CutMix`.
    """
    size = torch.tensor([height, width], device=shares.device)
    halves = (0.5 * (1 - shares).sqrt().unsqueeze(1) * size).long()
    centres = below(size.expand(len(shares), 2), generator)
    return inside(centres - halves, 2 * halves, height, width)
