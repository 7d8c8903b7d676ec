"""Networks that use a chosen share of the budget: shapes are suggested, and widths solved from what there is to spend.

Under a tight budget most suggestions of channels are over it. Here the depth, the relative widths of the stages and the
share of the budget to use are suggested, in ranges that are the same for every budget; the width of every layer
follows. Nothing is rejected, and every trial has the same parameters, so the sampler can model them together.

3×3 convolutions without bias, each with batch norm and ReLU, in three stages with a max pool between them; then
average pooling and one fully connected layer.
"""

from typing import Any

from nas import (
    Activation,
    Architecture,
    Augmentation,
    BaseTrial,
    BatchNorm,
    Budget,
    Candidate,
    Conv,
    Dropout,
    LayerSpec,
    MaxPool,
    Recipe,
    Shape,
    Task,
    cost_of,
    gap_head,
    widest,
)

Axes = dict[str, Any]
STAGES = (1, 2, 3)
FEWEST_CHANNELS = 2
USUAL_LR = {"sgd": 0.05, "adam": 0.004}


def suggest(trial: BaseTrial, task: Task) -> Candidate:
    axes = {**suggest_shape(trial), **suggest_training(trial)}
    return Candidate(fill(axes, task), build_recipe(axes, task))


def suggest_shape(trial: BaseTrial) -> Axes:
    return {
        "use": trial.suggest_float("use", 0.7, 1.0),  # share of the budget
        "stage1_convs": trial.suggest_int("stage1_convs", 1, 3),
        "stage2_convs": trial.suggest_int("stage2_convs", 1, 4),
        "stage3_convs": trial.suggest_int("stage3_convs", 0, 3),
        # Channels relative to those of the second stage; the very first convolution's relative to its stage's.
        "first_width": trial.suggest_float("first_width", 0.4, 1.6, log=True),
        "stage1_width": trial.suggest_float("stage1_width", 0.4, 1.6, log=True),
        "stage3_width": trial.suggest_float("stage3_width", 0.6, 2.5, log=True),
        "first_kernel": trial.suggest_categorical("first_kernel", [3, 5]),
        "padding": trial.suggest_categorical("padding", ["none", "stages", "all"]),
        "norm": trial.suggest_categorical("norm", ["before_pool", "after_pool"]),
        "pooled_size": trial.suggest_int("pooled_size", 1, 3),
        "dropout": trial.suggest_float("dropout", 0.0, 0.2),
    }


def suggest_training(trial: BaseTrial) -> Axes:
    return {
        "optimizer": trial.suggest_categorical("optimizer", ["sgd", "adam"]),
        # Relative to what is usual for the optimizer: with one axis for each, one of them would always be idle.
        "lr": trial.suggest_float("lr", 0.2, 6.0, log=True),
        "schedule": trial.suggest_categorical("schedule", ["onecycle", "linear", "cosine"]),
        "batch_size": trial.suggest_int("batch_size", 32, 256, log=True),
        "rotation": trial.suggest_int("rotation", 0, 15),
        "translation": trial.suggest_float("translation", 0.0, 0.1, step=0.01),
    }


def fill(axes: Axes, task: Task) -> Architecture:
    """The widest network of this shape within its share of the budget, or of a shallower one where that is too much."""
    budget = share_of(task.budget, axes["use"], cost_of(build_architecture(axes, task, factor=0)).memory)
    for shape in shallower_and_shallower(axes):
        architecture = widest(lambda factor, shape=shape: build_architecture(shape, task, factor), budget)
        if budget.admits(cost_of(architecture)):
            return architecture
    # Only where not even the smallest network meets the share it was given.
    return widest(lambda factor: build_architecture(shape, task, factor), task.budget)


def share_of(budget: Budget, use: float, least_memory: int) -> Budget:
    """So much of every limit. Of the memory what the shape needs at least: a shallower one would need hardly less."""
    shares = {name: max(1, int(limit * use)) for name, limit in budget.limits.items()}
    if budget.memory is not None:
        shares["memory"] = min(budget.memory, max(shares["memory"], least_memory))
    return Budget(**shares)


def shallower_and_shallower(axes: Axes) -> list[Axes]:
    """The shape asked for, then with global average pooling, then with one convolution fewer at a time."""
    shapes = [axes, {**axes, "pooled_size": 1}]
    while sum(shapes[-1][f"stage{stage}_convs"] for stage in STAGES) > 1:
        last = shapes[-1]
        deepest = max(STAGES, key=lambda stage: last[f"stage{stage}_convs"])
        shapes.append({**last, f"stage{deepest}_convs": last[f"stage{deepest}_convs"] - 1})
    return shapes


def build_architecture(axes: Axes, task: Task, factor: float) -> Architecture:
    layers: list[LayerSpec] = []
    shape: Shape = task.image_shape
    stages = [stage for stage in STAGES if axes[f"stage{stage}_convs"]]
    for stage in stages:
        for i in range(axes[f"stage{stage}_convs"]):
            pooled = i == axes[f"stage{stage}_convs"] - 1 and stage != stages[-1]
            first = not layers
            block = conv_block(axes, shape, channels(axes, stage, factor, first), first, i == 0, pooled)
            for layer in block:
                shape = layer.output_shape(shape)
            layers += block
    head = gap_head(task.n_classes, size=min(axes["pooled_size"], *shape[1:]), dropout=round(axes["dropout"], 3))
    return Architecture(task.image_shape, task.n_classes, (*layers, *head))


def channels(axes: Axes, stage: int, factor: float, first: bool) -> int:
    relative = {1: axes["stage1_width"], 2: 1.0, 3: axes["stage3_width"]}[stage]
    if first:
        relative *= axes["first_width"]
    return max(FEWEST_CHANNELS, round(16 * factor * relative))


def conv_block(
    axes: Axes, shape: Shape, n_channels: int, first: bool, begins_stage: bool, pooled: bool
) -> list[LayerSpec]:
    """Convolution, batch norm, ReLU; the max pool and dropout behind a stage."""
    kernel = axes["first_kernel"] if first else 3
    asked = axes["padding"] == "all" or (axes["padding"] == "stages" and begins_stage)
    # What would not fit, or would leave nothing to pool, is padded whatever was asked.
    padded = asked or min(shape[1:]) < kernel + 2
    conv = Conv(n_channels, kernel, padding=kernel // 2 if padded else 0, bias=False)
    can_pool = pooled and min(conv.output_shape(shape)[1:]) >= 2
    pools: list[LayerSpec] = [MaxPool()] if can_pool else []
    drops: list[LayerSpec] = [Dropout(round(axes["dropout"], 3))] if can_pool and axes["dropout"] >= 0.01 else []
    if axes["norm"] == "after_pool":
        return [conv, *pools, BatchNorm(), Activation(), *drops]
    return [conv, BatchNorm(), Activation(), *pools, *drops]


def build_recipe(axes: Axes, task: Task) -> Recipe:
    optimizer = axes["optimizer"]
    return Recipe(
        epochs=task.epochs,
        batch_size=axes["batch_size"],
        optimizer=optimizer,
        nesterov=optimizer == "sgd",
        lr=USUAL_LR[optimizer] * axes["lr"],
        weight_decay=1e-4 if optimizer == "sgd" else 0.0,
        schedule=axes["schedule"],
        # Averaged weights show after each epoch what the network would be worth if the rate were lowered now.
        ema=min(1.0, task.epochs / 10),
        augmentation=Augmentation(rotation=axes["rotation"], translation=round(axes["translation"], 2)),
    )
