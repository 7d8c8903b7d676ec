"""Stages of blocks, as the published small networks have them: residual ones, inverted bottlenecks, separable ones.

Depth, kind of block, and how widths grow from stage to stage are suggested, in ranges that are the same for every
budget, image and number of classes; the widths follow from what there is to spend, as in `budget_fill`. A block may be
applied several times with the same weights, which costs no parameters. Nothing is rejected where a network of one
convolution meets the budget.
"""

from typing import Any

from nas import (
    Activation,
    Architecture,
    Augmentation,
    BaseTrial,
    BatchNorm,
    BlurPool,
    Candidate,
    Conv,
    DepthwiseConv,
    LayerSpec,
    MaxPool,
    Recipe,
    Repeat,
    Residual,
    Shape,
    SqueezeExcite,
    Task,
    cost_of,
    gap_head,
    inverted_bottleneck,
    widest,
)

Axes = dict[str, Any]
STAGES = (1, 2, 3)
EXPANSION = 3  # of an inverted bottleneck
SMALLEST_IMAGE = 6  # that is halved once more
LARGEST_IMAGE = 48  # that the first convolution does not halve


def suggest(trial: BaseTrial, task: Task) -> Candidate:
    axes = {**suggest_shape(trial), **suggest_training(trial)}
    return Candidate(fill(axes, task), build_recipe(axes, task))


def suggest_shape(trial: BaseTrial) -> Axes:
    return {
        "block": trial.suggest_categorical("block", ["plain", "residual", "bottleneck", "separable"]),
        "stage1": trial.suggest_int("stage1", 0, 2),  # blocks behind the first convolution
        "stage2": trial.suggest_int("stage2", 1, 3),
        "stage3": trial.suggest_int("stage3", 0, 3),
        "repeats": trial.suggest_int("repeats", 1, 3),  # uses of each block that keeps its shape
        "growth": trial.suggest_float("growth", 1.0, 2.2),  # of channels, from one stage to the next
        "first": trial.suggest_categorical("first", ["3", "5", "5 strided"]),
        "between": trial.suggest_categorical("between", ["strided", "max", "blur"]),
        "squeeze": trial.suggest_categorical("squeeze", [False, True]),
    }


def suggest_training(trial: BaseTrial) -> Axes:
    return {
        "lr": trial.suggest_float("lr", 0.02, 0.3, log=True),
        "batch_size": trial.suggest_int("batch_size", 32, 256, log=True),
        "distortion": trial.suggest_float("distortion", 0.0, 1.0),  # of rotation up to 15° and translation up to 0.1
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
    return [*shapes, {**shapes[-1], "first": "5 strided"}, {**shapes[-1], "first": "3 strided", "fewest": 1}]


def build_architecture(axes: Axes, task: Task, factor: float) -> Architecture:
    layers = first_layers(axes, task.image_shape, channels(axes, 1, factor))
    shape = behind(layers, task.image_shape)
    for stage in STAGES:
        for i in range(axes[f"stage{stage}"]):
            halves = i == 0 and stage > 1 and min(shape[1:]) >= SMALLEST_IMAGE
            block = stage_block(axes, shape, channels(axes, stage, factor), halves)
            layers += block
            shape = behind(block, shape)
    return Architecture(task.image_shape, task.n_classes, (*layers, *gap_head(task.n_classes)))


def channels(axes: Axes, stage: int, factor: float) -> int:
    return max(axes.get("fewest", 2), round(8 * factor * axes["growth"] ** (stage - 1)))


def first_layers(axes: Axes, shape: Shape, n_channels: int) -> list[LayerSpec]:
    kernel = int(axes["first"][0])
    stride = 2 if "strided" in axes["first"] or min(shape[1:]) > LARGEST_IMAGE else 1
    return [Conv(n_channels, kernel, stride, kernel // 2, bias=False), BatchNorm(), Activation()]


def stage_block(axes: Axes, shape: Shape, n_channels: int, halves: bool) -> list[LayerSpec]:
    """One block; the first of a stage halves the image and has the stage's channels, the others keep the shape."""
    strided = halves and axes["between"] == "strided"
    pools = [MaxPool() if axes["between"] == "max" else BlurPool()] if halves and not strided else []
    body = block_body(axes, shape[0], n_channels, 2 if strided else 1)
    if axes["block"] in ("residual", "bottleneck"):
        layers: list[LayerSpec] = [Residual(body, "conv" if n_channels < shape[0] else "pool"), Activation()]
    else:
        layers = list(body)
    if axes["repeats"] > 1 and not halves and n_channels == shape[0]:
        return [Repeat(tuple(layers), axes["repeats"])]
    return [*pools, *layers]


def block_body(axes: Axes, n_in: int, n_out: int, stride: int) -> tuple[LayerSpec, ...]:
    squeeze = (SqueezeExcite(4),) if axes["squeeze"] else ()
    match axes["block"]:
        case "residual":
            convs = (Conv(n_out, 3, stride, 1, bias=False), BatchNorm(), Activation())
            return (*convs, Conv(n_out, 3, 1, 1, bias=False), BatchNorm(), *squeeze)
        case "bottleneck":
            return inverted_bottleneck(n_out, EXPANSION * n_in, 3, stride, squeeze=4 * axes["squeeze"])
        case "separable":
            depthwise = (DepthwiseConv(3, stride, 1, bias=False), BatchNorm(), Activation(), *squeeze)
            return (*depthwise, Conv(n_out, 1, bias=False), BatchNorm(), Activation())
    return (Conv(n_out, 3, stride, 1, bias=False), BatchNorm(), Activation(), *squeeze)


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
        weight_decay=1e-4,
        schedule="linear",
        # Averaged weights show after each epoch what the network would be worth if the rate were lowered now.
        ema=min(1.0, task.epochs / 10),
        augmentation=Augmentation(
            rotation=round(15 * axes["distortion"], 1), translation=round(axes["distortion"] / 10, 3)
        ),
    )
