"""What a teacher is worth: one network of the default space trained with and without soft labels, with the same seeds.

    python benchmarks/distillation.py [--budget 2000] [--images 10000] [--epochs 5] [--seeds 5] [--data-dir DIR]

The teacher is that of `nas search --teacher auto`, trained on the same images. Last epoch, 10,000 validation images;
differences are paired by seed. Interrupted, it goes on where it was.
"""

import argparse
import platform
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import torch
from optuna.trial import FixedTrial

from nas import datasets
from nas.execution.placement import n_cores
from nas.network.cost import Budget, cost_of
from nas.replication.batch import Means, Trained, Training, train_all
from nas.searching.options import SearchOptions
from nas.searching.search import search
from nas.searching.teaching import asked_for, described, teachers_options
from nas.space import finding as spaces
from nas.space.candidate import Candidate, Task
from nas.statistics import Spread, paired_difference
from nas.training.run import EpochResult
from nas.training.teacher import read

N_VALIDATION = 10_000
AXES = {
    **{"use": 1.0, "stage1_convs": 1, "stage2_convs": 2, "stage3_convs": 1, "first_width": 1.0, "stage1_width": 1.0},
    **{"stage3_width": 1.0, "first_kernel": 3, "padding": "all", "norm": "before_pool", "pooled_size": 1},
    **{"dropout": 0.0, "optimizer": "sgd", "lr": 2.0, "schedule": "linear", "batch_size": 64},
    **{"rotation": 5, "translation": 0.05},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budget", type=int, default=2_000)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--weights", type=float, nargs="+", default=[0.3, 0.6, 0.9])
    parser.add_argument("--temperatures", type=float, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--workers", type=int, default=n_cores())
    parser.add_argument("--out", type=Path, default=Path("runs/distillation"))
    parser.add_argument("--data-dir", type=Path)
    arguments = parser.parse_args()
    options = SearchOptions(
        arguments.budget,
        epochs=arguments.epochs,
        dataset=f"npz:{some_of_mnist(arguments.images, arguments.out, arguments.data_dir)}",
        validation=N_VALIDATION,
        workers=arguments.workers,
        storage=str(arguments.out / "nas.db"),
        out=arguments.out,
        teacher="auto",
    )
    dataset = datasets.load(options.dataset)
    split = datasets.split(dataset, N_VALIDATION)
    asked = asked_for(options, dataset, split, 0)
    assert asked is not None
    assert asked.auto is not None
    file = search(teachers_options(options, asked.auto, None, arguments.out)).model
    assert file is not None
    teacher, about = described(file, read(file), dataset, split, 0, arguments.out)
    means = Means(workers=arguments.workers, folder=arguments.out / "trainings", teacher=teacher)
    task = Task(split.image_shape, split.n_classes, options.epochs, Budget(arguments.budget))
    candidate = spaces.load("budget_fill").suggest(FixedTrial(AXES), task)
    print(
        f"{n_cores()} cores, {platform.machine()}, torch {torch.__version__}; {arguments.images:,} images, "
        f"{options.epochs} epochs, {arguments.seeds} seeds; {cost_of(candidate.architecture).params:,} parameters "
        f"({candidate.architecture}); teacher: {about.figures}\n\n"
        "| weight | temperature | accuracy (%) | with less without | seconds an epoch |\n|---|---|---|---|---|",
        flush=True,
    )
    seeds, name = range(arguments.seeds), f"{dataset.fingerprint} split, validated on {N_VALIDATION}"
    plain: Spread | None = None
    for weight, temperature in [(0.0, 4.0), *product(arguments.weights, arguments.temperatures)]:
        recipe = replace(candidate.recipe, teacher_weight=weight, temperature=temperature)
        trainings = [Training(Candidate(candidate.architecture, recipe), seed) for seed in seeds]
        trained = train_all(trainings, split, name, means)
        accuracies = Spread(tuple(each.history[-1].validation_accuracy for each in trained))
        plain = plain or accuracies
        difference = paired_difference(accuracies.values, plain.values).points() if weight else ""
        row = (f"{weight:g}", f"{temperature:g}" if weight else "", accuracies.per_cent(), difference)
        print(f"| {' | '.join(row)} | {seconds(trained):.1f} |", flush=True)


def some_of_mnist(n_images: int, folder: Path, data_dir: Path | None) -> Path:
    """A file with so many images to train on, and those to validate."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"mnist-{n_images}.npz"
    if not file.exists():
        mnist, n = datasets.load("mnist", data_dir), n_images + N_VALIDATION
        np.savez(file, x_train=mnist.images[:n, 0].numpy(), y_train=mnist.labels[:n].numpy())
    return file


def seconds(trained: list[Trained]) -> float:
    """Of an epoch, the median: other work on the machine falls into some of them."""
    results: list[EpochResult] = [result for each in trained for result in each.history]
    return float(np.median([result.seconds for result in results]))


if __name__ == "__main__":
    main()
