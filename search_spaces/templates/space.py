"""A search space of your own: a function that says which networks a search may try, and how each is trained.

nas calls `suggest` once for every candidate. It asks the `trial` for values; who answers is the search's sampler, which
learns from the accuracies of earlier candidates. Everything else is ordinary Python: `if`, `for`, functions.
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
    cost_of,
    gap_head,
    widest,
)


def suggest(trial: BaseTrial, task: Task) -> Candidate:
    # Ask for everything first, and decide afterwards: the sampler can then compare all candidates in all values.
    # Names are yours; `nas trials` shows them. A range may depend on `task`, but must not change during a search.
    n_blocks = trial.suggest_int("blocks", 1, 4)
    growth = trial.suggest_float("growth", 1.0, 2.5)  # channels behind the pool, to those before it
    kernel = trial.suggest_categorical("kernel", [3, 5])  # of the first convolution
    lr = trial.suggest_float("lr", 0.02, 0.3, log=True)
    batch_size = trial.suggest_int("batch_size", 32, 256, log=True)
    rotation = trial.suggest_int("rotation", 0, 15)  # degrees; 0 for pictures that never come turned

    # `task` tells what the search is for: image_shape (channels, height, width), n_classes, epochs, and the budget.
    # How wide the layers are follows from the budget: `widest` finds the largest factor that still meets it. Where not
    # even narrow layers do, there are fewer blocks. So no candidate is rejected, and none wastes what it may use.
    for n in range(n_blocks, -1, -1):
        architecture = widest(lambda factor, n=n: build(task, n, growth, kernel, factor), task.budget)
        if task.budget.admits(cost_of(architecture)):
            break

    recipe = Recipe(
        epochs=task.epochs,
        batch_size=batch_size,
        lr=lr,  # the peak: it rises over the first fifth of the training, and falls to 0
        nesterov=True,
        schedule="linear",
        weight_decay=1e-4,
        ema=min(1.0, task.epochs / 10),  # epochs over which weights are averaged; the averaged ones are kept
        augmentation=Augmentation(rotation=rotation, translation=0.05),
    )
    return Candidate(architecture, recipe)


def build(task: Task, n_blocks: int, growth: float, kernel: int, factor: float) -> Architecture:
    """A first convolution, a pool, residual blocks, and one score a class; wider with the factor."""
    narrow, wide = max(1, round(8 * factor)), max(1, round(8 * factor * growth))
    large = min(task.image_shape[1:]) > 48  # such images are halved at once
    layers: list[LayerSpec] = [
        Conv(narrow, kernel, 2 if large else 1, kernel // 2, bias=False),
        BatchNorm(),
        Activation(),
        MaxPool(),
    ]
    for i in range(n_blocks):
        # What the body makes of its input is added to that input. Both must have one shape: so it is padded, and where
        # it makes more channels of it, as in the first block, the input gets channels of zeros ("pool") to be added to.
        body = (
            Conv(wide, 3, padding=1, bias=False),
            BatchNorm(),
            Activation(),
            Conv(wide, 3, padding=1, bias=False),
            BatchNorm(),
        )
        layers += [Residual(body, "pool"), Activation()]
        if i == 0 and min(task.image_shape[1:]) >= 16:
            layers.append(MaxPool())
    # The count of parameters is that of the layers as they stand here, of the module, and of the exported file.
    return Architecture(task.image_shape, task.n_classes, (*layers, *gap_head(task.n_classes)))
