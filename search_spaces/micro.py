"""Networks for budgets below some 3,000 parameters, where an ordinary first layer or head would eat most of it.

A small first convolution, often with a wide stride; then two stages of blocks that cost little: separable ones, with or
without a shortcut, or plain ones, each used several times with the same weights. The head may do without a fully
connected layer: the last 1×1 convolution makes the scores, which are then pooled. Widths follow from the budget, as in
`budget_fill`. Nothing is rejected where a network of one convolution meets the budget.
"""

from typing import Any

from nas import (
    Activation,
    AdaptiveAvgPool,
    Architecture,
    Augmentation,
    BaseTrial,
    BatchNorm,
    BlurPool,
    Candidate,
    Conv,
    DepthwiseConv,
    Flatten,
    LayerSpec,
    MaxAvgPool,
    MaxPool,
    Recipe,
    Repeat,
    Residual,
    Shape,
    Task,
    cost_of,
    gap_head,
    widest,
)

Axes = dict[str, Any]
STAGES = (2, 3)  # the first is the first convolution
SMALLEST_IMAGE = 6  # that is halved once more
LARGEST_IMAGE = 48  # that the first convolution does not halve


def suggest(trial: BaseTrial, task: Task) -> Candidate:
    axes = {**suggest_shape(trial), **suggest_training(trial)}
    return Candidate(fill(axes, task), build_recipe(axes, task))


def suggest_shape(trial: BaseTrial) -> Axes:
    return {
        "first": trial.suggest_categorical("first", ["3", "3 strided", "5 strided"]),
        "block": trial.suggest_categorical("block", ["plain", "separable", "residual"]),
        "stage2": trial.suggest_int("stage2", 1, 3),  # blocks
        "stage3": trial.suggest_int("stage3", 0, 3),
        "repeats": trial.suggest_int("repeats", 1, 4),  # uses of each block that keeps its shape
        "growth": trial.suggest_float("growth", 1.0, 2.2),  # of channels, from one stage to the next
        "between": trial.suggest_categorical("between", ["strided", "max", "blur"]),
        "head": trial.suggest_categorical("head", ["average", "max and average", "scores"]),
        "function": trial.suggest_categorical("function", ["relu", "hardswish"]),
    }


def suggest_training(trial: BaseTrial) -> Axes:
    return {
        "lr": trial.suggest_float("lr", 0.02, 0.3, log=True),
        "batch_size": trial.suggest_int("batch_size", 16, 128, log=True),
        "distortion": trial.suggest_float("distortion", 0.0, 1.0),  # of rotation up to 10° and translation up to 0.1
    }


def fill(axes: Axes, task: Task) -> Architecture:
    """The widest network of this shape within the budget, or of a simpler one where that is too much."""
    for shape in simpler_and_simpler(axes):
        architecture = widest(lambda factor, shape=shape: build_architecture(shape, task, factor), task.budget)
        if task.budget.admits(cost_of(architecture)):
            return architecture
    return architecture  # the smallest of the simplest, which is over the budget


def simpler_and_simpler(axes: Axes) -> list[Axes]:
    """The shape asked for, then one block fewer at a time, at last a strided convolution and nothing else."""
    shapes = [axes]
    while any(shapes[-1][f"stage{stage}"] for stage in STAGES):
        last = shapes[-1]
        deepest = max(STAGES, key=lambda stage: last[f"stage{stage}"])
        shapes.append({**last, f"stage{deepest}": last[f"stage{deepest}"] - 1})
    return [*shapes, {**shapes[-1], "first": "3 strided", "head": "average", "fewest": 1}]


def build_architecture(axes: Axes, task: Task, factor: float) -> Architecture:
    layers = first_layers(axes, task.image_shape, channels(axes, 1, factor))
    shape = behind(layers, task.image_shape)
    for stage in STAGES:
        for i in range(axes[f"stage{stage}"]):
            halves = i == 0 and min(shape[1:]) >= SMALLEST_IMAGE
            block = stage_block(axes, shape, channels(axes, stage, factor), halves)
            layers += block
            shape = behind(block, shape)
    return Architecture(task.image_shape, task.n_classes, (*layers, *head(axes, task.n_classes)))


def channels(axes: Axes, stage: int, factor: float) -> int:
    return max(axes.get("fewest", 2), round(8 * factor * axes["growth"] ** (stage - 1)))


def first_layers(axes: Axes, shape: Shape, n_channels: int) -> list[LayerSpec]:
    kernel = int(axes["first"][0])
    stride = 2 if "strided" in axes["first"] or min(shape[1:]) > LARGEST_IMAGE else 1
    return [Conv(n_channels, kernel, stride, kernel // 2, bias=False), BatchNorm(), Activation(axes["function"])]


def stage_block(axes: Axes, shape: Shape, n_channels: int, halves: bool) -> list[LayerSpec]:
    """One block; the first of a stage halves the image and has the stage's channels, the others keep the shape."""
    strided = halves and axes["between"] == "strided"
    pools = [MaxPool() if axes["between"] == "max" else BlurPool()] if halves and not strided else []
    layers = block(axes, n_channels, 2 if strided else 1)
    if axes["repeats"] > 1 and not halves and n_channels == shape[0]:
        return [Repeat(tuple(layers), axes["repeats"])]
    return [*pools, *layers]


def block(axes: Axes, n_channels: int, stride: int) -> list[LayerSpec]:
    act = Activation(axes["function"])
    if axes["block"] == "plain":
        return [Conv(n_channels, 3, stride, 1, bias=False), BatchNorm(), act]
    filtered = [DepthwiseConv(3, stride, 1, bias=False), BatchNorm(), act]
    mixed = [Conv(n_channels, 1, bias=False), BatchNorm()]
    if axes["block"] == "separable":
        return [*filtered, *mixed, act]
    return [Residual((*filtered, *mixed), "pool"), act]


def head(axes: Axes, n_classes: int) -> tuple[LayerSpec, ...]:
    if axes["head"] == "scores":
        filtered = (DepthwiseConv(3, 1, 1, bias=False), BatchNorm(), Activation(axes["function"]))
        return (*filtered, Conv(n_classes, 1), AdaptiveAvgPool(), Flatten())
    return gap_head(n_classes, pool=MaxAvgPool() if axes["head"] == "max and average" else None)


def behind(layers: list[LayerSpec], shape: Shape) -> Shape:
    for layer in layers:
        shape = layer.output_shape(shape)
    return shape


def build_recipe(axes: Axes, task: Task) -> Recipe:
    return Recipe(
        epochs=task.epochs,
        batch_size=axes["batch_size"],
        nesterov=True,
        lr=axes["lr"],
        weight_decay=1e-5,
        schedule="linear",
        # Averaged weights show after each epoch what the network would be worth if the rate were lowered now.
        ema=min(1.0, task.epochs / 10),
        augmentation=Augmentation(
            rotation=round(10 * axes["distortion"], 1), translation=round(axes["distortion"] / 10, 3)
        ),
    )
