"""Pairs of recipes: those that train equally, digit by digit, and those that do not.

`test_recipe.py` compares their effective forms, `test_space.py` the digests of candidates, and `test_training.py`
trains them.
"""

from dataclasses import replace
from typing import Any

from nas.training.recipe import Augmentation, Recipe

CROP = Augmentation(crop=22, crop_probability=0.1)


def short(**values: Any) -> Recipe:
    return Recipe(epochs=2, **values)


EQUAL: dict[str, tuple[Recipe, Recipe]] = {
    "momentum of Adam": (short(optimizer="adam"), short(optimizer="adam", momentum=0.5)),
    "Nesterov of Adam": (short(optimizer="adam"), short(optimizer="adam", nesterov=True)),
    "Nesterov of AdamW": (
        short(optimizer="adamw", weight_decay=0.1),
        short(optimizer="adamw", weight_decay=0.1, nesterov=True),
    ),
    "Nesterov of RMSprop": (short(optimizer="rmsprop"), short(optimizer="rmsprop", nesterov=True)),
    "momentum of NAdam": (short(optimizer="nadam"), short(optimizer="nadam", momentum=0.5, nesterov=True)),
    "momentum of Muon in one cycle": (
        short(optimizer="muon", lr=0.01, schedule="onecycle"),
        short(optimizer="muon", lr=0.01, schedule="onecycle", momentum=0.5),
    ),
    "smoothness of no elastic change": (short(), short(augmentation=Augmentation(elastic_sigma=2))),
    "Adam and AdamW without decay": (short(optimizer="adam"), short(optimizer="adamw", decay_all=True)),
    "what no decay spares": (short(), short(decay_all=True)),
    "a step at the end": (short(), short(schedule="step", step_epochs=2)),
    "a step beyond the end": (short(), short(schedule="step", step_epochs=3, step_factor=0.5)),
    "steps of the same rate": (short(), short(schedule="step", step_epochs=1, step_factor=1.0)),
    "steps of a constant": (short(), short(step_epochs=1, step_factor=0.5)),
    "steps of a line": (short(schedule="linear"), short(schedule="linear", step_epochs=1)),
    "warm-up of a constant": (short(), short(warmup=0.5)),
    "warm-up of steps": (
        short(schedule="step", step_epochs=1),
        short(schedule="step", step_epochs=1, warmup=0.5),
    ),
    "momentum of one cycle": (short(schedule="onecycle"), short(schedule="onecycle", momentum=0.5)),
    "dropout that falls in one epoch": (Recipe(epochs=1), Recipe(epochs=1, dropout_schedule="falling")),
    "crop with probability 0": (short(), short(augmentation=Augmentation(crop=22, crop_position="centre"))),
    "crop to nothing": (short(), short(augmentation=Augmentation(crop_probability=0.5))),
    "where none is cropped": (
        short(augmentation=Augmentation(rotation=5)),
        short(augmentation=Augmentation(rotation=5, crop_position="centre")),
    ),
    "temperature of no teacher": (short(), short(temperature=2.0)),
    "smoothed labels that have no share": (short(teacher_weight=1), short(teacher_weight=1, label_smoothing=0.1)),
}
# A recipe in which every field matters but for those of steps, and one in which these do.
BUSY = Recipe(
    epochs=2,
    batch_size=64,
    optimizer="sgd",
    lr=0.05,
    momentum=0.8,
    nesterov=True,
    weight_decay=0.1,
    schedule="linear",
    warmup=0.4,
    label_smoothing=0.1,
    ema=1.0,
    dropout_schedule="rising",
    augmentation=replace(CROP, rotation=10.0, translation=0.1, scale=0.1),
)
STEPS = replace(BUSY, schedule="step", step_epochs=1, warmup=0.2)
DIFFERENT: dict[str, tuple[Recipe, Recipe]] = {
    **{
        name: (BUSY, replace(BUSY, **{name: value}))
        for name, value in {
            "epochs": 3,
            "batch_size": 32,
            "optimizer": "rmsprop",
            "lr": 0.01,
            "momentum": 0.9,
            "nesterov": False,
            "weight_decay": 0.0,
            "decay_all": True,
            "schedule": "cosine",
            "warmup": 0.2,
            "label_smoothing": 0.0,
            "ema": 0.0,
            "dropout_schedule": "falling",
            "augmentation": Augmentation(),
        }.items()
    },
    "elastic_sigma": (
        short(augmentation=Augmentation(elastic=1)),
        short(augmentation=Augmentation(elastic=1, elastic_sigma=2)),
    ),
    "teacher_weight": (short(), short(teacher_weight=0.5)),
    "temperature": (short(teacher_weight=0.5), short(teacher_weight=0.5, temperature=2.0)),
    "step_epochs": (STEPS, replace(STEPS, step_epochs=2)),
    "step_factor": (STEPS, replace(STEPS, step_factor=0.5)),
    "warm-up of a cosine": (short(schedule="cosine"), short(schedule="cosine", warmup=0.5)),
    "warm-up of one cycle": (short(schedule="onecycle"), short(schedule="onecycle", warmup=0.5)),
    "Adam and AdamW": (
        short(optimizer="adam", weight_decay=0.1),
        short(optimizer="adamw", weight_decay=0.1),
    ),
    "momentum of Muon": (short(optimizer="muon", lr=0.01), short(optimizer="muon", lr=0.01, momentum=0.5)),
    "Nesterov of Muon": (short(optimizer="muon", lr=0.01), short(optimizer="muon", lr=0.01, nesterov=True)),
    "Adam and NAdam": (short(optimizer="adam"), short(optimizer="nadam")),
    "momentum of RMSprop": (short(optimizer="rmsprop"), short(optimizer="rmsprop", momentum=0.5)),
    **{
        name: (BUSY, replace(BUSY, augmentation=replace(BUSY.augmentation, **{name: value})))
        for name, value in {
            "rotation": 5.0,
            "translation": 0.2,
            "scale": 0.0,
            "crop": 20,
            "crop_probability": 0.5,
            "crop_position": "centre",
            "elastic": 1.0,
            "flip": 0.5,
            "brightness": 0.5,
            "contrast": 0.5,
            "erasing": 0.5,
            "cutout": 8,
            "mixup": 0.2,
            "cutmix": 1.0,
        }.items()
    },
}
