"""Which space, sampler and pruner find better networks with the same number of trained epochs.

    python benchmarks/search_quality.py [--budgets 20000 2000] [--seeds 0 1 2] [--epochs-in-all 60] [--data-dir DIR]

Every search may train so many epochs in all, however it spends them; a candidate's own training has `--epochs`, each of
`--images` images. Shown is the validation accuracy of the best candidate that was trained to its end, for each seed,
and the mean. Searches that are done are kept in `--out` and not run again.
"""

import argparse
import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from threading import Lock

import optuna

from nas import datasets
from nas.datasets.splitting import Split
from nas.execution.job import Cancelled
from nas.execution.placement import n_cores
from nas.execution.processes import ProcessExecutor
from nas.network.cost import Budget
from nas.searching.events import EpochDone, Event
from nas.searching.objective import Objective
from nas.study.pruners import make_pruner
from nas.study.record import ranked
from nas.study.samplers import Basis, make_sampler
from nas.study.storage import open_storage


@dataclass(frozen=True)
class Setting:
    """What is compared."""

    space: str
    sampler: str = "tpe"
    pruner: str = "halving"

    def __str__(self) -> str:
        return f"{self.space}, {self.sampler}, {self.pruner}"


SETTINGS = (
    Setting("documented"),
    Setting("budget_fill"),
    Setting("budget_fill", sampler="random"),
    Setting("budget_fill", pruner="hyperband"),
    Setting("budget_fill", pruner="none"),
    Setting("blocks"),
    Setting("micro"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budgets", type=int, nargs="+", default=[20_000, 2_000])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs-in-all", type=int, default=60)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--images", type=int, default=20_000, help="to train on, so that many searches fit into a day")
    parser.add_argument("--settings", type=int, nargs="+", default=range(len(SETTINGS)), help="numbers, from 0")
    parser.add_argument("--out", type=Path, default=Path("runs/search-quality"))
    parser.add_argument("--data-dir", type=Path)
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    arguments.out.mkdir(parents=True, exist_ok=True)
    whole = datasets.split(datasets.load("mnist", arguments.data_dir))
    n = arguments.images
    split = replace(whole, train_images=whole.train_images[:n].clone(), train_labels=whole.train_labels[:n].clone())
    print(
        f"{n_cores()} cores, {platform.machine()}; {arguments.epochs_in_all} epochs of {n:,} images a search, "
        f"{arguments.epochs} a candidate; best validation accuracy",
        flush=True,
    )
    for budget in arguments.budgets:
        print(f"\n| budget {budget:,} | {' | '.join(f'seed {s}' for s in arguments.seeds)} | mean |", flush=True)
        print("|---" * (len(arguments.seeds) + 2) + "|", flush=True)
        for setting in (SETTINGS[number] for number in arguments.settings):
            accuracies = [kept(setting, budget, seed, split, arguments) for seed in arguments.seeds]
            print(
                f"| {setting} | {' | '.join(map(per_cent, accuracies))} | {per_cent(fmean(accuracies))} |", flush=True
            )


def per_cent(accuracy: float) -> str:
    return f"{100 * accuracy:.2f} %"


def kept(setting: Setting, budget: int, seed: int, split: Split, arguments: argparse.Namespace) -> float:
    """The best accuracy of a search, from its file if it has one."""
    name = f"{budget}-{setting}-{arguments.epochs}-{arguments.epochs_in_all}-{arguments.images}-{seed}".replace(
        ", ", "-"
    )
    file = arguments.out / f"{name}.json"
    if not file.exists():
        database = arguments.out / f"{name}.db"
        database.unlink(missing_ok=True)
        accuracy = search(setting, budget, seed, split, arguments.epochs, arguments.epochs_in_all, database)
        file.write_text(json.dumps({"accuracy": accuracy}))
    accuracy = json.loads(file.read_text())["accuracy"]
    assert isinstance(accuracy, float)
    return accuracy


def search(
    setting: Setting, budget: int, seed: int, split: Split, epochs: int, epochs_in_all: int, database: Path
) -> float:
    study = optuna.create_study(
        storage=open_storage(str(database)),
        direction="maximize",
        sampler=make_sampler(setting.sampler, seed, Basis(epochs)),
        pruner=make_pruner(setting.pruner, epochs),
    )
    executor = ProcessExecutor(split, n_cores(), 1)
    objective = Objective(
        setting.space,
        budget=Budget(budget),
        epochs=epochs,
        seed=seed,
        executor=executor,
        split=split,
        observer=stopping_after(epochs_in_all, [study.stop, executor.cancel]),
    )
    try:
        study.optimize(objective, n_jobs=n_cores(), catch=(Cancelled,))
    finally:
        executor.close()
    best = ranked(study)[:1]
    return best[0].accuracy or 0.0 if best else 0.0


def stopping_after(n_epochs: int, stop: Sequence[Callable[[], None]]) -> Callable[[Event], None]:
    n_done, lock = 0, Lock()

    def watch(event: Event) -> None:
        nonlocal n_done
        if isinstance(event, EpochDone):
            with lock:
                n_done += 1
            if n_done == n_epochs:
                for each in stop:
                    each()

    return watch


if __name__ == "__main__":
    main()
