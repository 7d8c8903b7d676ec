"""An architecture as a model to export before it is trained: for what it takes, and for timing it."""

from dataclasses import replace

import torch

from nas.export.frozen import Definition, FrozenModel, Provenance
from nas.export.prepared import Images
from nas.network.architecture import Architecture
from nas.training.recipe import Recipe

N_IMAGES = 8
RECIPE = Recipe(epochs=1)
PROVENANCE = Provenance(
    dataset="untrained",
    study="untrained",
    trial=0,
    seed=0,
    validation_accuracy=0.0,
    n_train=1,
    n_validation=N_IMAGES,
    split_seed=0,
    epochs=1,
    versions="",
    precision="",
    device="",
    threads=1,
)
MEAN, STD = 0.13066048920154572, 0.30810779333114624  # with as many digits as those of real images have


def untrained(architecture: Architecture, weight_bits: int = Recipe.weight_bits) -> FrozenModel:
    """With random weights, and means of images that differ, as those of photographs do. It was never trained.

    `weight_bits`: of its weights in whole numbers.
    """
    recipe = replace(RECIPE, quantised=True, weight_bits=weight_bits)
    n_channels = architecture.input_shape[0]
    mean, std = tuple(MEAN * (1 + channel / 7) for channel in range(n_channels)), (STD,) * n_channels
    classes = tuple(f"class {number}" for number in range(architecture.n_classes))
    definition = Definition(architecture, recipe, mean, std, classes)
    return FrozenModel(architecture, recipe, mean, std, classes, definition.new_network().state_dict(), PROVENANCE)


def random_images(architecture: Architecture) -> Images:
    """A few, the same for all networks of that input."""
    generator = torch.Generator().manual_seed(0)
    shape = (N_IMAGES, *architecture.input_shape)
    images = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
    return Images(images, torch.zeros(N_IMAGES, dtype=torch.int64), images)
