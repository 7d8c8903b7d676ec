"""The documented iterations: what replays each through `search_spaces/documented.py`, and what it counts.

Three documented counts are not those of the documented structures. A9 and A10 are given the count of A8, which they
have only if their batch norm has no learned scale and shift: they are replayed with and without. B4 is given B3's.
"""

from dataclasses import dataclass, field
from typing import Any

from nas.network.cost import Budget
from nas.space.candidate import Task
from nas.training.recipe import Augmentation, CropPosition

Params = dict[str, Any]


@dataclass(frozen=True)
class Iteration:
    """One replay: suggestions in, structure and parameters out."""

    name: str
    params: Params
    structure: str  # every layer in order; "·" is relu, "|" batch norm and relu, "|p" the same with no scale and shift
    counted: int
    documented: int
    recipe: Params  # the documented parts of the recipe
    epochs: int = 20
    budget: int | None = 30_000  # only so that the ranges of the channels, which derive from it, hold all of them
    task: Task = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "task", Task((1, 28, 28), 10, self.epochs, Budget(self.budget)))

    def __str__(self) -> str:
        return self.name


# Everything is suggested, also what a structure does not use.
UNUSED: Params = {
    "stage1_convs": 1,
    "stage2_convs": 0,
    "stage3_convs": 0,
    "second_pool": False,
    "first_kernel": 3,
    "padding": "none",
    "transition": "none",
    "norm": "none",
    "dropout": "none",
    "dropout_rate": 0.1,
    "dropout_last": "before_pool",
    "head": "fc",
    "adaptive_size": 2,
    "hidden": 0,
    "channels_fitted": False,
    "optimizer": "adam",
    "lr_sgd": 0.1,
    "lr_adam": 0.001,
    "schedule": "constant",
    "batch_size": 128,
    "rotation": 0,
    "translation": 0.0,
    "crop": "none",
}
LARGEST = (3, 4, 3)  # channels are suggested for as many convolutions in each stage


def network(*stages: tuple[int, ...], unused: int = 16, **params: Any) -> Params:
    """Suggestions for these channels in each stage."""
    channels: Params = {}
    for number, most in enumerate(LARGEST, start=1):
        widths = stages[number - 1] if number <= len(stages) else ()
        channels[f"stage{number}_convs"] = len(widths)
        padded = [*widths, *[unused] * most][:most]
        channels |= {f"channels{number}_{i}": width for i, width in enumerate(padded, start=1)}
    return UNUSED | channels | params


def crop(position: CropPosition, rotation: int = 15) -> Augmentation:
    return Augmentation(rotation=rotation, crop=22, crop_probability=0.1, crop_position=position)


# A: more than 95 % after one epoch, under 25,000 parameters -----------------------------------------------------------

A_TRAINING: Params = {"rotation": 15, "crop": "centre"}
A1 = network((32, 64), (128, 256), unused=32, second_pool=True, hidden=50)
A2 = network((16, 28, 32), (16, 28), transition="stage2", hidden=50)
A4 = A2 | {"hidden": 0}
A5 = network((16, 28, 28), (8, 16), transition="stage2")
A6 = network((16, 24, 24), (16, 24), transition="stage2", head="adaptive", adaptive_size=7)

A2_CONVOLUTIONS = "conv 3×3 16 · conv 3×3 28 · conv 3×3 32 · max pool 2×2, conv 1×1 16 · conv 3×3 28 · "
A6_STRUCTURE = (
    "conv 3×3 16 · conv 3×3 24 · conv 3×3 24 · max pool 2×2, conv 1×1 16 · conv 3×3 24 · "
    "adaptive average pool to 7×7, flatten, FC 10"
)
A9_STRUCTURE = (
    "conv 3×3 16 | conv 3×3 24 | conv 3×3 24 | max pool 2×2, conv 1×1 16 | conv 3×3 24 | "
    "adaptive average pool to 7×7, flatten, FC 10"
)
A10_STRUCTURE = (
    "conv 3×3 16 | conv 3×3 24 | conv 3×3 24, max pool 2×2 | conv 1×1 16 | conv 3×3 24 | "
    "adaptive average pool to 7×7, flatten, FC 10"
)


def a(
    name: str,
    params: Params,
    structure: str,
    counted: int,
    documented: int,
    *,
    optimizer: str = "adam",
    lr: float = 0.001,
    batch_size: int = 512,
    **changes: Any,
) -> Iteration:
    suggestions = {"optimizer": optimizer, f"lr_{optimizer}": lr, "batch_size": batch_size}
    recipe = {"optimizer": optimizer, "lr": lr, "batch_size": batch_size, "schedule": "constant"}
    return Iteration(
        name=name,
        params=params | A_TRAINING | suggestions,
        structure=structure,
        counted=counted,
        documented=documented,
        recipe=recipe | {"augmentation": crop("centre")},
        epochs=1,
        **changes,
    )


def a9(name: str, norm: str, structure: str, counted: int) -> Iteration:
    plain = norm.endswith("plain")
    structure = structure.replace("|", "|p" if plain else "|")
    return a(name, A6 | {"norm": norm}, structure, counted, 24_498, lr=0.002, batch_size=128)


A = (
    a(
        "A1",
        A1,
        "conv 3×3 32 · conv 3×3 64 · max pool 2×2, conv 3×3 128 · conv 3×3 256 · max pool 2×2, flatten, FC 50 · FC 10",
        593_200,
        593_200,
        optimizer="sgd",
        budget=None,
    ),
    a("A2", A2, A2_CONVOLUTIONS + "flatten, FC 50 · FC 10", 130_864, 130_864, optimizer="sgd"),
    a("A3", A2, A2_CONVOLUTIONS + "flatten, FC 50 · FC 10", 130_864, 130_864),
    a("A4", A4, A2_CONVOLUTIONS + "flatten, FC 10", 39_594, 39_594),
    a(
        "A5",
        A5,
        "conv 3×3 16 · conv 3×3 28 · conv 3×3 28 · max pool 2×2, conv 1×1 8 · conv 3×3 16 · flatten, FC 10",
        25_674,
        25_674,
    ),
    a("A6", A6, A6_STRUCTURE, 24_498, 24_498),
    a("A7", A6, A6_STRUCTURE, 24_498, 24_498, lr=0.002),
    a("A8", A6, A6_STRUCTURE, 24_498, 24_498, lr=0.002, batch_size=128),
    a9("A9", "before_pool", A9_STRUCTURE, 24_706),
    a9("A9-plain", "before_pool_plain", A9_STRUCTURE, 24_498),
    a9("A10", "after_pool", A10_STRUCTURE, 24_706),
    a9("A10-plain", "after_pool_plain", A10_STRUCTURE, 24_498),
)

# B: 99.4 % within 20 epochs, under 20,000 parameters ------------------------------------------------------------------

B_TRAINING: Params = {"optimizer": "adam", "lr_adam": 0.01, "schedule": "step", "batch_size": 128}
B_RECIPE: Params = {
    "optimizer": "adam",
    "lr": 0.01,
    "schedule": "step",
    "step_epochs": 15,
    "step_factor": 0.1,
    "batch_size": 128,
}
B1 = network((10, 20), second_pool=True, norm="before_pool", dropout="channels", dropout_rate=0.25)
B1 |= B_TRAINING | {"rotation": 15, "crop": "random"}
B1_RECIPE = B_RECIPE | {"augmentation": crop("random")}
B1_STRUCTURE = "conv 3×3 10 | conv 3×3 20 | max pool 2×2, max pool 2×2, dropout2d 0.25, flatten, FC 10"
GAP: Params = {"second_pool": True, "norm": "before_pool", "padding": "first", "head": "gap", "dropout": "progressive"}
B3 = network((16, 16), (32, 32), (32,), dropout_rate=0.3, **GAP) | B_TRAINING
B4 = network((16, 20), (32, 48), (64,), dropout_rate=0.15, transition="stage3", **GAP) | B_TRAINING
B5 = network((16, 20), (28, 36), (48,), dropout_rate=0.15, transition="stage3", **GAP) | {
    "dropout_last": "after_pool",
    "optimizer": "sgd",
    "lr_sgd": 0.1,
    "schedule": "onecycle",
    "rotation": 5,
    "translation": 0.05,
}
B5_RECIPE: Params = {
    "optimizer": "sgd",
    "lr": 0.1,
    "momentum": 0.9,
    "weight_decay": 1e-4,
    "schedule": "onecycle",
    "warmup": 0.2,
    "batch_size": 128,
    "augmentation": Augmentation(rotation=5, translation=0.05),
}

B = (
    Iteration("B1", B1, B1_STRUCTURE, 9_190, 9_190, B1_RECIPE, epochs=5),
    Iteration("B2", B1, B1_STRUCTURE, 9_190, 9_190, B1_RECIPE),
    Iteration(
        "B3",
        B3,
        "conv 3×3 16 p1 | conv 3×3 16 | max pool 2×2, dropout 0.1, conv 3×3 32 | conv 3×3 32 | max pool 2×2, "
        "dropout 0.2, conv 3×3 32 | dropout 0.3, global average pool, flatten, FC 10",
        26_202,
        26_202,
        B_RECIPE,
    ),
    Iteration(
        "B4",
        B4,
        "conv 3×3 16 p1 | conv 3×3 20 | max pool 2×2, dropout 0.05, conv 3×3 32 | conv 3×3 48 | max pool 2×2, "
        "dropout 0.1, conv 1×1 64 | dropout 0.15, global average pool, flatten, FC 10",
        26_870,
        26_202,
        B_RECIPE,
    ),
    Iteration(
        "B5",
        B5,
        "conv 3×3 16 p1 | conv 3×3 20 | max pool 2×2, dropout 0.05, conv 3×3 28 | conv 3×3 36 | max pool 2×2, "
        "dropout 0.1, conv 1×1 48 | global average pool, dropout 0.15, flatten, FC 10",
        19_798,
        19_798,
        B5_RECIPE,
    ),
)

ALL = (*A, *B)
