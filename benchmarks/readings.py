"""Which reading of a document gives its figure: an iteration trained by each learning rate, momentum and batch size.

    python benchmarks/readings.py [A1 A2] [--rates 0.01 0.001] [--momenta 0 0.9] [--batches 512 128] [--seeds 3]

Trained on 50,000 images and validated on 10,000 others, last epoch; no test image is read. Interrupted, it goes on
where it was.
"""

import argparse
import platform
from dataclasses import replace
from itertools import product
from pathlib import Path

import torch

from nas import datasets
from nas.execution.placement import n_cores
from nas.replication.ablation import ablate
from nas.replication.batch import Means
from nas.replication.variants import Variant
from nas.space import documented
from nas.space.candidate import Candidate
from nas.table import per_cent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("iterations", nargs="*", default=["A1", "A2"])
    parser.add_argument("--rates", type=float, nargs="+", default=[0.01, 0.001])
    parser.add_argument("--momenta", type=float, nargs="+", default=[0.0, 0.9])
    parser.add_argument("--batches", type=int, nargs="+", default=[512, 128])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=n_cores())
    parser.add_argument("--trainings", type=Path, default=Path("runs/trainings"))
    parser.add_argument("--data-dir", type=Path)
    arguments = parser.parse_args()
    dataset = datasets.load("mnist", arguments.data_dir)
    means = Means(workers=arguments.workers, folder=arguments.trainings)
    seeds = range(arguments.seeds)
    print(f"{n_cores()} cores, {platform.machine()}, torch {torch.__version__}; {len(seeds)} seeds")
    columns = ("iteration", "learning rate", "momentum", "batch", "accuracy", "each seed")
    print(f"\n| {' | '.join(columns)} |\n{'|---' * len(columns)}|", flush=True)
    for name in arguments.iterations:
        iteration = documented.load(name)
        for rate, momentum, batch in product(arguments.rates, arguments.momenta, arguments.batches):
            (done,) = ablate([Variant("", reading(iteration.candidate, rate, momentum, batch))], dataset, seeds, means)
            each = ", ".join(per_cent(accuracy) for accuracy in done.accuracy.values)
            cells = (iteration.name, f"{rate:g}", f"{momentum:g}", str(batch), f"{done.accuracy.per_cent()} %", each)
            print(f"| {' | '.join(cells)} |", flush=True)


def reading(candidate: Candidate, rate: float, momentum: float, batch: int) -> Candidate:
    """The candidate trained by SGD, so and so."""
    changed = replace(candidate.recipe, optimizer="sgd", lr=rate, momentum=momentum, nesterov=False, batch_size=batch)
    return replace(candidate, recipe=changed)


if __name__ == "__main__":
    main()
