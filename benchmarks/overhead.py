"""What the controlling process costs.

    python benchmarks/overhead.py [--trials 1000 5000] [--seconds 180] [--data-dir DIR]

Rejected candidates per second, sampler and database included, in studies of so many trials; the time between two epochs
of a training; the share of wall time in which workers idle during a real search; the speed-up of two workers over one.
"""

import argparse
import platform
import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import optuna

import nas
from nas import datasets
from nas.datasets.splitting import Split
from nas.execution.job import Job
from nas.execution.placement import n_cores
from nas.execution.processes import ProcessExecutor
from nas.network.cost import Budget
from nas.searching.events import EpochDone, Event
from nas.searching.objective import Objective
from nas.space import documented
from nas.space import finding as spaces
from nas.study.samplers import Basis, make_sampler
from nas.study.storage import open_storage
from nas.training.device import resolve_precision

REJECTING = Budget(1)  # with more, now and then a candidate meets it, and is trained for minutes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, nargs="+", default=[1_000, 5_000])
    parser.add_argument("--seconds", type=int, default=180, help="length of the real search")
    parser.add_argument("--data-dir", type=Path)
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    print(f"{n_cores()} cores, {platform.machine()}, optuna {optuna.__version__}", flush=True)
    dataset = datasets.load("mnist", arguments.data_dir)
    split = datasets.split(dataset)
    for n_trials, rate in rejections(split, sorted(arguments.trials)):
        print(f"rejected candidates per second at {n_trials:,} trials: {rate:.1f}", flush=True)
    split = replace(split, train_images=split.train_images[:20_000], train_labels=split.train_labels[:20_000])
    print(f"from the end of an epoch to the start of the next: {1000 * gap(split):.1f} ms", flush=True)
    print(f"two workers do {speed_up(split):.2f} times the epochs of one", flush=True)
    print(f"workers idle {idle_share(arguments.seconds, arguments.data_dir):.1%} of a real search", flush=True)


def rejections(split: Split, numbers: list[int]) -> Iterator[tuple[int, float]]:
    """The rate over the 50 trials before each number of trials; those before are random, which is sooner done."""
    with tempfile.TemporaryDirectory() as folder:
        storage = open_storage(f"sqlite:///{folder}/nas.db")
        study = optuna.create_study(storage=storage, direction="maximize")
        objective = Objective(spaces.load("documented"), split=split, budget=REJECTING)
        for number in numbers:
            study.sampler = make_sampler("random", number, Basis(epochs=20))
            study.optimize(objective, n_trials=number - 50 - len(study.get_trials(deepcopy=False)))
            study.sampler = make_sampler("tpe", 0, Basis(epochs=20))
            start = time.perf_counter()
            study.optimize(objective, n_trials=50)
            yield number, 50 / (time.perf_counter() - start)


def jobs(n: int) -> list[Job]:
    candidate = documented.load("B1").candidate
    return [Job(candidate, seed, precision=resolve_precision("auto", "cpu")) for seed in range(n)]


def gap(split: Split) -> float:
    """Seconds between epochs that are not training: arrival to arrival, less what the worker says the epoch took."""
    executor = ProcessExecutor(split, 1, 1)
    arrivals = [(time.perf_counter(), result.seconds) for result in executor.run(jobs(1)[0])]
    executor.close()
    return statistics.median(later - earlier - seconds for (earlier, _), (later, seconds) in pairwise(arrivals))


def speed_up(split: Split) -> float:
    """Epochs per second of two workers of one thread beside each other, over those of one by itself."""

    def rate(n_workers: int) -> float:
        executor = ProcessExecutor(split, n_workers, 1)
        with ThreadPoolExecutor(n_workers) as pool:
            results = list(pool.map(lambda job: list(executor.run(job))[1:], jobs(n_workers)))
        executor.close()
        return sum(len(each) / sum(result.seconds for result in each) for each in results)

    return rate(2) / rate(1)


def idle_share(seconds: int, data_dir: Path | None) -> float:
    """What of the workers' time is in no epoch: of each from its first epoch's beginning to its last one's end."""
    epochs: list[tuple[float, float]] = []

    def watch(event: Event) -> None:
        if isinstance(event, EpochDone):
            now = time.monotonic()
            epochs.append((now - event.result.seconds, now))

    with tempfile.TemporaryDirectory() as folder:
        nas.search(
            budget=20_000,
            timeout=seconds,
            data_dir=data_dir,
            storage=f"sqlite:///{folder}/nas.db",
            out=Path(folder),
            on_event=watch,
        )
    workers: list[list[tuple[float, float]]] = []
    for epoch in sorted(epochs):
        free = [worker for worker in workers if worker[-1][1] <= epoch[0]]
        if free:
            max(free, key=lambda worker: worker[-1][1]).append(epoch)
        else:
            workers.append([epoch])
    busy = sum(end - begin for begin, end in epochs)
    return 1 - busy / sum(worker[-1][1] - worker[0][0] for worker in workers)


if __name__ == "__main__":
    main()
