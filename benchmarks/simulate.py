"""Searches played on a table of `benchmarks/table.py`: which sampler and pruner finds better networks in less training.

    python benchmarks/simulate.py TABLE.jsonl [--world surrogate|look-up] [--seeds 100] [--workers 1 2 8]
        [--epochs-in-all N] [--policies NAME ...] [--against NAME] [--over seconds|epochs] [--lessons FILE ...]
        [--processes N] [--out FIGURE.html]

A sampler may ask for what is not in the table, so in the world `surrogate`, which needs scikit-learn
(`pip install '.[benchmark]'`), forests made of the table answer (`SurrogateWorld`). In the world `look-up` there are
the table's candidates and nothing else: whoever suggests one gets the nearest that the search has not had yet
(`LookUpWorld`). Both say first how far they can be relied on. Each search takes the seconds that its candidates took.

What a search is worth is the *true* accuracy (without the noise of a seed) of the candidate it would hand over: that
with the best last epoch it has seen. Regret is how far that is from the best there is: of 20,000 random candidates, or
of the table. Printed are, for each number of workers, the median regret and quartiles after a quarter, half and all of
the seconds (or epochs), in points; mean ranks; how often the accuracy that `--against` has at its end (median) was
reached in half the seconds or less; and the p-value of Wilcoxon's signed-rank test of the regrets at the end, with
Holm's correction. `oracle` trains the best candidate and nothing else.

A search has 120 epochs in all, but at least 60 for each worker, lest one training take most of the time; its seconds
are what so many epochs of the table's candidates take its workers, on average.

Policies of other packages (`simulated/others.py`) take part where these are installed: SMAC by `.[benchmark]`, NePS
by `pip install neural-pipeline-search`, Syne Tune by `pip install syne-tune huggingface_hub`. `smac`, `syne-tune CQR`
and `gp, halving` need minutes to hours for a hundred searches, and are played only where they are named.
"""

import argparse
import os
from pathlib import Path
from random import Random
from typing import get_args

import numpy as np
from simulated.playing import Axis, Extent, play_all
from simulated.policies import POLICIES
from simulated.results import Histories, draw, rows
from simulated.world import WORLDS, Table, World

from nas.study.experience import experience_of, read_lessons

FEWEST_EPOCHS, FEWEST_EPOCHS_OF_WORKER = 120, 60


def main() -> None:
    arguments = parsed()
    # For the processes that play: threads would be in each other's way, and SMAC goes through sets of strings
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
    table = Table.read(arguments.table)
    lessons = [lesson for file in arguments.lessons for lesson in read_lessons(file)]
    world = WORLDS[arguments.world](table, experience_of(lessons, table.distributions))
    print(f"{len(table.params):,} candidates of {table.settings['space']}, {table.n_epochs} epochs")
    print(world)
    print(what_there_is(world))
    names = list(dict.fromkeys([*arguments.policies, arguments.against]))
    for name in names:
        if modules := POLICIES[name].missing:
            print(f"left out: {name} needs {' and '.join(modules)}, not installed here")
    names = [name for name in names if not POLICIES[name].missing]
    played: list[tuple[Extent, Histories]] = []
    for n_workers in arguments.workers:
        extent = extent_of(n_workers, table, arguments.epochs_in_all)
        histories = play_all(names, world, extent, arguments.seeds, arguments.processes)
        played.append((extent, histories))
        print("\n" + "\n".join(rows(histories, arguments.against, world, extent, arguments.over)), flush=True)
    if arguments.out is not None:
        draw(played, world, arguments.out)


def parsed() -> argparse.Namespace:
    own = [name for name, policy in POLICIES.items() if not policy.modules]
    usual = [name for name, policy in POLICIES.items() if not policy.slow]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--world", default="surrogate", choices=list(WORLDS))
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 8])
    parser.add_argument("--epochs-in-all", type=int, help="120, but at least 60 for each worker, if not given")
    parser.add_argument("--policies", nargs="+", default=usual, choices=list(POLICIES), metavar="NAME")
    parser.add_argument("--against", default="random, halving", choices=own, metavar="NAME")
    parser.add_argument("--over", default="seconds", choices=get_args(Axis), help="what regret is printed over")
    parser.add_argument(
        "--lessons", type=Path, nargs="*", default=[], help="what `learned` starts from: see lessons.py"
    )
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="that play searches beside each other")
    parser.add_argument("--out", type=Path, help="a page with the median regret over the seconds and the epochs")
    return parser.parse_args()


def what_there_is(world: World) -> str:
    """Where a sampler can win, and by how much: the best there is against the median best of n random ones."""
    random, true = np.random.default_rng(1), 100 * world.true_accuracies(Random(1), 4_000)
    parts = []
    for n in (10, 25, 100):
        bests = [random.choice(true, min(n, len(true)), replace=False).max() for _ in range(500)]
        parts.append(f"{np.median(bests):.2f} % of {n}")
    return f"best true accuracy {100 * world.best:.2f} %; median best of random candidates: {', '.join(parts)}"


def extent_of(n_workers: int, table: Table, n_epochs: int | None = None) -> Extent:
    """What a search has: see above."""
    in_all = max(FEWEST_EPOCHS, FEWEST_EPOCHS_OF_WORKER * n_workers) if n_epochs is None else n_epochs
    return Extent(n_workers, in_all * float(np.mean(table.seconds)) / n_workers, in_all)


if __name__ == "__main__":
    main()
