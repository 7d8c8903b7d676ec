"""The design axes of the documented experiments: two weeks of hand-tuning, as one search space.

Three stages of convolutions with a max pool behind the first and, if asked, behind the second; then a head. Every
documented iteration, A1 to A10 and B1 to B5, is a point of it.
"""

from math import sqrt

from nas.architecture import (
    Activation,
    Architecture,
    BatchNorm,
    Conv,
    Dropout,
    Dropout2d,
    LayerSpec,
    MaxPool,
    Shape,
    flatten_head,
    gap_head,
)
from nas.recipe import Augmentation, Recipe
from nas.space import BaseTrial, Candidate, Task

STAGE_SIZES = (3, 4, 3)  # the most convolutions in each stage


def suggest(trial: BaseTrial, task: Task) -> Candidate:
    axes = {**suggest_network(trial, task), **suggest_training(trial)}
    return Candidate(build_network(axes, task), build_recipe(axes, task))


def suggest_network(trial: BaseTrial, task: Task) -> dict:
    most = widest(task)
    axes = {
        "stage1_convs": trial.suggest_int("stage1_convs", 1, STAGE_SIZES[0]),
        "stage2_convs": trial.suggest_int("stage2_convs", 0, STAGE_SIZES[1]),
        "stage3_convs": trial.suggest_int("stage3_convs", 0, STAGE_SIZES[2]),
        "second_pool": trial.suggest_categorical("second_pool", [True, False]),
        "first_kernel": trial.suggest_categorical("first_kernel", [3, 5]),
        "padding": trial.suggest_categorical("padding", ["none", "first", "stages", "all"]),
        "transition": trial.suggest_categorical("transition", ["none", "stage2", "stage3"]),
        "norm": trial.suggest_categorical("norm", ["none", "before_pool", "after_pool"]),
        "norm_affine": trial.suggest_categorical("norm_affine", [True, False]),
        "dropout": trial.suggest_categorical("dropout", ["none", "constant", "progressive"]),
        "dropout_rate": trial.suggest_float("dropout_rate", 0.05, 0.3, step=0.05),
        "dropout_channels": trial.suggest_categorical("dropout_channels", [True, False]),
        "dropout_last": trial.suggest_categorical("dropout_last", ["before_pool", "after_pool"]),
        "head": trial.suggest_categorical("head", ["gap", "fc", "adaptive"]),
        "adaptive_size": trial.suggest_int("adaptive_size", 2, 7),
        "hidden": trial.suggest_categorical("hidden", [0, 16, 32, 50]),
    }
    for stage, size in enumerate(STAGE_SIZES, start=1):
        for conv in range(1, size + 1):
            name = f"channels{stage}_{conv}"
            axes[name] = trial.suggest_int(name, max(2, most // 8), most, log=True)
    return axes


def suggest_training(trial: BaseTrial) -> dict:
    return {
        "optimizer": trial.suggest_categorical("optimizer", ["sgd", "sgd_nesterov", "adam"]),
        "lr_sgd": trial.suggest_float("lr_sgd", 0.001, 0.2, log=True),
        "lr_adam": trial.suggest_float("lr_adam", 0.001, 0.03, log=True),
        "schedule": trial.suggest_categorical("schedule", ["constant", "step", "onecycle", "linear"]),
        "batch_size": trial.suggest_categorical("batch_size", [16, 32, 64, 128, 256, 512]),
        "rotation": trial.suggest_int("rotation", 0, 15),
        "translation": trial.suggest_float("translation", 0.0, 0.1, step=0.01),
        "crop": trial.suggest_categorical("crop", ["none", "centre", "random"]),
    }


def widest(task: Task) -> int:
    """The most channels worth trying: a 3×3 convolution between two such layers alone would exceed the budget."""
    if task.budget.params is None:
        return 256
    return min(256, max(16, round(0.4 * sqrt(task.budget.params))))


def build_network(axes: dict, task: Task) -> Architecture:
    layers: list[LayerSpec] = []
    shape: Shape = task.image_shape
    n_convs = [axes["stage1_convs"], axes["stage2_convs"], axes["stage3_convs"]]
    for stage in (1, 2, 3):
        for conv in range(1, n_convs[stage - 1] + 1):
            pools = 0
            if conv == n_convs[stage - 1]:
                pools = pools_behind(stage, axes)
            block = conv_block(axes, stage, conv, shape, pools)
            layers += block
            shape = shape_after(shape, block)
        if stage < 3 and pools_behind(stage, axes) and drops_behind(stage, axes):
            layers += dropout(axes, stage)
    return Architecture(task.image_shape, task.n_classes, (*layers, *head(axes, task, shape)))


def pools_behind(stage: int, axes: dict) -> int:
    """Max pools at the end of a stage; an empty second stage leaves its pool to the first."""
    empty_second = axes["stage2_convs"] == 0
    if stage == 1:
        return 1 + (axes["second_pool"] and empty_second)
    return int(stage == 2 and axes["second_pool"] and not empty_second)


def drops_behind(stage: int, axes: dict) -> bool:
    """Whether convolutions follow; otherwise the dropout of the head stands there."""
    return any(axes[f"stage{later}_convs"] for later in range(stage + 1, 4))


def conv_block(axes: dict, stage: int, conv: int, shape: Shape, n_pools: int) -> list[LayerSpec]:
    """Convolution, batch norm and ReLU, with the pools before or behind the batch norm."""
    kernel = 1 if conv == 1 and axes["transition"] == f"stage{stage}" else 3
    if stage == conv == 1:
        kernel = axes["first_kernel"]
    padded = {
        "none": False,
        "first": stage == conv == 1,
        "stages": conv == 1,
        "all": True,
    }[axes["padding"]]
    # A convolution that would not fit, or would leave nothing to pool, is padded whatever was asked.
    padded = padded or min(shape[1:]) - kernel < 4
    block: list[LayerSpec] = [Conv(axes[f"channels{stage}_{conv}"], kernel, padding=kernel // 2 if padded else 0)]
    size = min(shape[1:]) - (0 if padded else kernel - 1)
    pools: list[LayerSpec] = []
    for _ in range(n_pools):
        if size >= 2:
            pools.append(MaxPool())
            size //= 2
    norm: list[LayerSpec] = [] if axes["norm"] == "none" else [BatchNorm(axes["norm_affine"])]
    if axes["norm"] == "after_pool":
        return [*block, *pools, *norm, Activation()]
    return [*block, *norm, Activation(), *pools]


def shape_after(shape: Shape, layers: list[LayerSpec]) -> Shape:
    for layer in layers:
        shape = layer.output_shape(shape)
    return shape


def dropout(axes: dict, place: int) -> list[LayerSpec]:
    """The dropout of a place, counted from 1; progressive rates are once, twice and three times the given one."""
    if axes["dropout"] == "none":
        return []
    rate = axes["dropout_rate"] * (place if axes["dropout"] == "progressive" else 1)
    return [Dropout2d(round(rate, 2)) if axes["dropout_channels"] else Dropout(round(rate, 2))]


def head(axes: dict, task: Task, shape: Shape) -> list[LayerSpec]:
    hidden = (axes["hidden"],) if axes["hidden"] else ()
    last = 1 + axes["second_pool"] + bool(axes["stage3_convs"] and axes["second_pool"])
    drop = dropout(axes, last)
    if axes["head"] == "fc":
        return [*drop, *flatten_head(task.n_classes, hidden)]
    size = 1 if axes["head"] == "gap" else axes["adaptive_size"]
    pool, *rest = gap_head(task.n_classes, hidden, size)
    return [*drop, pool, *rest] if axes["dropout_last"] == "before_pool" else [pool, *drop, *rest]


def build_recipe(axes: dict, task: Task) -> Recipe:
    sgd = axes["optimizer"] != "adam"
    crops = axes["crop"] != "none"
    augmentation = Augmentation(
        rotation=axes["rotation"],
        translation=round(axes["translation"], 2),
        crop=round(min(task.image_shape[1:]) * 22 / 28) if crops else 0,
        crop_probability=0.1 if crops else 0.0,
        crop_position=axes["crop"] if crops else "random",
    )
    return Recipe(
        epochs=task.epochs,
        batch_size=axes["batch_size"],
        optimizer="sgd" if sgd else "adam",
        nesterov=axes["optimizer"] == "sgd_nesterov",
        lr=axes["lr_sgd"] if sgd else axes["lr_adam"],
        weight_decay=1e-4 if sgd else 0.0,
        schedule=axes["schedule"],
        # Averaged weights show after each epoch what the network would be worth if the rate were lowered now; without
        # them a high rate hides it until the end, and the pruner stops the wrong candidates.
        ema=min(1.0, task.epochs / 10),
        augmentation=augmentation,
    )
