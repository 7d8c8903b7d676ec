"""The design axes of the documented experiments: two weeks of hand-tuning, as one search space.

Three stages of convolutions, with a max pool behind the first and, if asked, behind the second; then a head. Every
documented iteration, A1 to A10 and B1 to B5, has its structure here.
"""

from math import sqrt
from typing import Any

from nas import (
    Activation,
    Architecture,
    Augmentation,
    BaseTrial,
    BatchNorm,
    Candidate,
    Conv,
    Dropout,
    Dropout2d,
    LayerSpec,
    MaxPool,
    Recipe,
    Shape,
    Task,
    flatten_head,
    gap_head,
    widest,
)

Axes = dict[str, Any]
STAGE_SIZES = (3, 4, 3)  # the most convolutions in each stage
CHANNELS = [f"channels{stage}_{i}" for stage, size in enumerate(STAGE_SIZES, start=1) for i in range(1, size + 1)]


def suggest(trial: BaseTrial, task: Task) -> Candidate:
    axes = {**suggest_structure(trial), **suggest_channels(trial, task), **suggest_training(trial)}
    return Candidate(fitted_architecture(axes, task), build_recipe(axes, task))


def suggest_structure(trial: BaseTrial) -> Axes:
    return {
        "stage1_convs": trial.suggest_int("stage1_convs", 1, STAGE_SIZES[0]),
        "stage2_convs": trial.suggest_int("stage2_convs", 0, STAGE_SIZES[1]),
        "stage3_convs": trial.suggest_int("stage3_convs", 0, STAGE_SIZES[2]),
        "second_pool": trial.suggest_categorical("second_pool", [True, False]),
        "first_kernel": trial.suggest_categorical("first_kernel", [3, 5]),
        "padding": trial.suggest_categorical("padding", ["none", "first", "stages", "all"]),
        # The stage that begins with a 1×1 convolution.
        "transition": trial.suggest_categorical("transition", ["none", "stage2", "stage3"]),
        # Where batch norm stands relative to a pool, and whether it has a learned scale and shift.
        "norm": trial.suggest_categorical(
            "norm", ["before_pool", "before_pool_plain", "after_pool", "after_pool_plain", "none"]
        ),
        # Behind each pool and before the last layer; `progressive` rises to the rate in equal steps.
        "dropout": trial.suggest_categorical("dropout", ["none", "constant", "progressive", "channels"]),
        "dropout_rate": trial.suggest_float("dropout_rate", 0.02, 0.3, log=True),
        "dropout_last": trial.suggest_categorical("dropout_last", ["before_pool", "after_pool"]),
        "head": trial.suggest_categorical("head", ["gap", "fc", "adaptive"]),
        "adaptive_size": trial.suggest_int("adaptive_size", 2, 7),
        "hidden": trial.suggest_categorical("hidden", [0, 16, 32, 50]),
    }


def suggest_channels(trial: BaseTrial, task: Task) -> Axes:
    fewest, most = fewest_channels(task), most_channels(task)
    return {
        # Whether channels are taken as they are, or as proportions: then all are scaled so that the budget is used up.
        "channels_fitted": trial.suggest_categorical("channels_fitted", [True, False]),
        **{name: trial.suggest_int(name, fewest, most, log=True) for name in CHANNELS},
    }


def suggest_training(trial: BaseTrial) -> Axes:
    return {
        "optimizer": trial.suggest_categorical("optimizer", ["sgd", "adam"]),
        "lr_sgd": trial.suggest_float("lr_sgd", 0.001, 0.2, log=True),
        "lr_adam": trial.suggest_float("lr_adam", 0.001, 0.01, log=True),
        "schedule": trial.suggest_categorical("schedule", ["constant", "step", "onecycle", "linear"]),
        "batch_size": trial.suggest_int("batch_size", 16, 512, log=True),
        "rotation": trial.suggest_int("rotation", 0, 15),
        "translation": trial.suggest_float("translation", 0.0, 0.1, step=0.01),
        "crop": trial.suggest_categorical("crop", ["none", "centre", "random"]),
    }


def most_channels(task: Task) -> int:
    """The most channels worth trying: a 3×3 convolution between two such layers alone would exceed the budget."""
    if task.budget.params is None:
        return 256
    return min(256, max(16, round(0.4 * sqrt(task.budget.params))))


def fewest_channels(task: Task) -> int:
    return max(2, most_channels(task) // 8)


def fitted_architecture(axes: Axes, task: Task) -> Architecture:
    if not axes["channels_fitted"]:
        return build_architecture(axes, task)

    def scaled(factor: float) -> Architecture:
        channels = {name: max(fewest_channels(task), round(axes[name] * factor)) for name in CHANNELS}
        return build_architecture({**axes, **channels}, task)

    return widest(scaled, task.budget)


def build_architecture(axes: Axes, task: Task) -> Architecture:
    layers: list[LayerSpec] = []
    shape: Shape = task.image_shape
    for stage in stages(axes):
        n_convs = axes[f"stage{stage}_convs"]
        for i in range(1, n_convs + 1):
            block = conv_block(axes, stage, i, shape, n_pools=pools_behind(stage, axes) if i == n_convs else 0)
            layers += block
            shape = shape_after(shape, block)
        if stage != stages(axes)[-1]:
            layers += dropout(axes, stage)
    return Architecture(task.image_shape, task.n_classes, (*layers, *head(axes, task)))


def stages(axes: Axes) -> list[int]:
    """The stages that have a convolution."""
    return [stage for stage in (1, 2, 3) if axes[f"stage{stage}_convs"] > 0]


def pools_behind(stage: int, axes: Axes) -> int:
    """Max pools at the end of a stage; an empty second stage leaves its pool to the first."""
    second_stage = 2 if axes["stage2_convs"] > 0 else 1
    return int(stage == 1) + int(axes["second_pool"] and stage == second_stage)


def conv_block(axes: Axes, stage: int, i: int, shape: Shape, n_pools: int) -> list[LayerSpec]:
    """Convolution, batch norm and ReLU, with the pools behind them, or between convolution and batch norm."""
    kernel = axes["first_kernel"] if stage == i == 1 else 1 if i == 1 and axes["transition"] == f"stage{stage}" else 3
    padding = kernel // 2 if is_padded(axes, stage, i, shape, kernel) else 0
    conv = Conv(axes[f"channels{stage}_{i}"], kernel, padding=padding)
    pools: list[LayerSpec] = [MaxPool()] * min(n_pools, max_pools(conv.output_shape(shape)))
    where, _, plain = axes["norm"].partition("_pool")
    norm: list[LayerSpec] = [BatchNorm(affine=not plain)] if where != "none" else []
    if where == "after":
        return [conv, *pools, *norm, Activation()]
    return [conv, *norm, Activation(), *pools]


def is_padded(axes: Axes, stage: int, i: int, shape: Shape, kernel: int) -> bool:
    asked = {"none": False, "first": stage == i == 1, "stages": i == 1, "all": True}[axes["padding"]]
    # A convolution that would not fit is padded whatever was asked.
    return asked or min(shape[1:]) < kernel


def max_pools(shape: Shape) -> int:
    """How often a map can be halved."""
    return min(shape[1:]).bit_length() - 1


def shape_after(shape: Shape, layers: list[LayerSpec]) -> Shape:
    for layer in layers:
        shape = layer.output_shape(shape)
    return shape


def dropout(axes: Axes, stage: int) -> list[LayerSpec]:
    """The dropout behind a stage."""
    if axes["dropout"] == "none":
        return []
    place, n_places = stages(axes).index(stage) + 1, len(stages(axes))
    share = place / n_places if axes["dropout"] == "progressive" else 1.0
    kind = Dropout2d if axes["dropout"] == "channels" else Dropout
    return [kind(round(axes["dropout_rate"] * share, 3))]


def head(axes: Axes, task: Task) -> list[LayerSpec]:
    drop = dropout(axes, stages(axes)[-1])
    hidden = (axes["hidden"],) if axes["hidden"] else ()
    if axes["head"] == "fc":
        return [*drop, *flatten_head(task.n_classes, hidden)]
    pool, *rest = gap_head(task.n_classes, hidden, 1 if axes["head"] == "gap" else axes["adaptive_size"])
    return [*drop, pool, *rest] if axes["dropout_last"] == "before_pool" else [pool, *drop, *rest]


def build_recipe(axes: Axes, task: Task) -> Recipe:
    optimizer = axes["optimizer"]
    return Recipe(
        epochs=task.epochs,
        batch_size=axes["batch_size"],
        optimizer=optimizer,
        nesterov=optimizer == "sgd",
        lr=axes[f"lr_{optimizer}"],
        weight_decay=1e-4 if optimizer == "sgd" else 0.0,
        schedule=axes["schedule"],
        # Averaged weights show after each epoch what the network would be worth if the rate were lowered now; without
        # them a high rate hides it until the end, and the pruner stops the wrong candidates.
        ema=min(1.0, task.epochs / 10),
        augmentation=build_augmentation(axes, task),
    )


def build_augmentation(axes: Axes, task: Task) -> Augmentation:
    crops = axes["crop"] != "none"
    return Augmentation(
        rotation=axes["rotation"],
        translation=round(axes["translation"], 2),
        crop=round(min(task.image_shape[1:]) * 22 / 28) if crops else 0,
        crop_probability=0.1 if crops else 0.0,
        crop_position=axes["crop"] if crops else "random",
    )
