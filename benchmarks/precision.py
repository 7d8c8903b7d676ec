"""Whether bfloat16 costs accuracy: a documented iteration trained in both precisions with the same seeds.

    python benchmarks/precision.py [--iteration B5] [--seeds 5] [--data-dir DIR]

Last epoch, validation part; differences are paired by seed. Interrupted, it goes on where it was.
"""

import argparse
import platform
from pathlib import Path

import torch

from nas import datasets
from nas.execution.placement import n_cores
from nas.replication.batch import Means, Training, train_all
from nas.space import documented
from nas.statistics import Spread, paired_difference
from nas.study.folders import TRAININGS
from nas.training.run import EpochResult


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--iteration", default="B5")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trainings", type=Path, default=TRAININGS)
    parser.add_argument("--data-dir", type=Path)
    arguments = parser.parse_args()
    dataset = datasets.load("mnist", arguments.data_dir)
    split = datasets.split(dataset)
    name = f"{dataset.fingerprint} split, validated on {len(split.validation_images)}"
    candidate = documented.load(arguments.iteration).candidate
    spreads: dict[str, Spread] = {}
    for precision in ("float32", "bfloat16"):
        trainings = [
            Training(candidate, seed, f"{arguments.iteration}, {precision}, seed {seed}")
            for seed in range(arguments.seeds)
        ]
        means = Means(precision=precision, folder=arguments.trainings)
        trained = train_all(trainings, split, name, means, show)
        spreads[precision] = Spread(tuple(each.history[-1].validation_accuracy for each in trained))
    print(f"{n_cores()} cores, {platform.machine()}, torch {torch.__version__}")
    print(f"{arguments.iteration}, {candidate.recipe.epochs} epochs, {arguments.seeds} seeds, last epoch, validation")
    for precision, accuracies in spreads.items():
        print(f"{precision}: {accuracies.per_cent()} %")
    difference = paired_difference(spreads["bfloat16"].values, spreads["float32"].values)
    print(f"bfloat16 less float32: {difference.points()} points")


def show(training: Training, result: EpochResult) -> None:
    print(f"{training.label}: epoch {result.epoch}, {result.validation_accuracy:.2%}", flush=True)


if __name__ == "__main__":
    main()
