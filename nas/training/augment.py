"""Augmentation of whole batches, on the device that they are on.

Every random number comes from the generator that is handed in, so that a training can be repeated. What is not asked
for draws nothing, and what came later draws later: an old recipe changes its images as it always did.
"""

from torch import Generator, Tensor

from nas.training.colour import recolour
from nas.training.erase import erase
from nas.training.geometry import mirror, move
from nas.training.recipe import Augmentation


def augment(images: Tensor, augmentation: Augmentation, generator: Generator) -> Tensor:
    """Randomly changed copies of float images `(n, channels, height, width)` from 0 to 1; what is outside them is 0.

    All but mixing, which changes labels too: see `nas.training.mix`.
    """
    for change in (move, mirror, recolour, erase):
        images = change(images, augmentation, generator)
    return images
