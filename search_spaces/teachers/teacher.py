"""The network that `nas search --teacher auto` trains first: one for each size of image and number of classes.

Good, and quickly asked: every step of every candidate's training waits for its scores. So the first convolution
halves the image, and most of the 150,000 parameters and the work stand in residual blocks on small maps. Images of more
than 40×40 pixels are halved once more; those of fewer than 16×16 not by the first convolution.
"""

from nas import (
    Activation,
    Architecture,
    Augmentation,
    BaseTrial,
    BatchNorm,
    Candidate,
    Conv,
    LayerSpec,
    MaxPool,
    Recipe,
    Residual,
    Task,
    gap_head,
)

FIRST, MIDDLE, LAST = 24, 40, 80  # channels
SMALL, LARGE, LEAST = 16 * 16, 20 * 20, 4 * 4  # pixels: see below


def suggest(trial: BaseTrial, task: Task) -> Candidate:
    return Candidate(build_architecture(task), build_recipe(task))


def build_architecture(task: Task) -> Architecture:
    _, height, width = task.image_shape
    stride = 2 if height * width >= SMALL else 1
    layers = block(FIRST, kernel=5, stride=stride)
    height, width = -(-height // stride), -(-width // stride)
    while height * width > LARGE and min(height, width) >= 2:
        layers.append(MaxPool())
        height, width = height // 2, width // 2
    layers += block(MIDDLE)
    if height * width >= LEAST and min(height, width) >= 2:
        layers.append(MaxPool())
    layers += [*block(LAST), Residual(tuple(block(LAST))), Residual(tuple(block(LAST)))]
    return Architecture(task.image_shape, task.n_classes, (*layers, *gap_head(task.n_classes)))


def block(channels: int, kernel: int = 3, stride: int = 1) -> list[LayerSpec]:
    return [Conv(channels, kernel, stride, padding=kernel // 2, bias=False), BatchNorm(), Activation()]


def build_recipe(task: Task) -> Recipe:
    return Recipe(
        epochs=task.epochs,
        batch_size=128,
        lr=0.1,
        nesterov=True,
        weight_decay=5e-4,
        schedule="linear",
        ema=min(1.0, task.epochs / 10),
        augmentation=Augmentation(rotation=10, translation=0.1, scale=0.1),
    )
