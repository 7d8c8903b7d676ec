"""A space small enough for tests and a first try: networks of a few thousand parameters that train in seconds."""

from nas import (
    Activation,
    Architecture,
    Augmentation,
    BaseTrial,
    BatchNorm,
    Candidate,
    Conv,
    MaxPool,
    Recipe,
    Task,
    gap_head,
)


def suggest(trial: BaseTrial, task: Task) -> Candidate:
    widths = [trial.suggest_int(f"channels{i}", 4, 16, step=2) for i in (1, 2, 3)]
    lr = trial.suggest_float("lr", 0.01, 0.3, log=True)
    batch_size = trial.suggest_categorical("batch_size", [64, 128, 256])
    rotation = trial.suggest_int("rotation", 0, 10)
    layers = [
        layer
        for width in widths
        for layer in (Conv(width, 3, padding=1, bias=False), BatchNorm(), Activation(), MaxPool())
    ]
    architecture = Architecture(task.image_shape, task.n_classes, (*layers, *gap_head(task.n_classes)))
    recipe = Recipe(
        epochs=task.epochs,
        batch_size=batch_size,
        lr=lr,
        nesterov=True,
        schedule="linear",
        augmentation=Augmentation(rotation=rotation),
    )
    return Candidate(architecture, recipe)
