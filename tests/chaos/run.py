"""Kills searches and their workers, for real and at moments that have nothing to do with what they do, and counts what
is lost.

    python tests/chaos/run.py --kills 1000 [--seed 0] [--workers 2] [--sample 50] [--folder DIR]

A search in a folder of its own, on a few real images or, without them, on made-up ones, is killed again and again: one
of its workers, or the controlling process with all of them, which is then started anew with the same command. Printed
is a table, for each kind of kill: how many there were, trials that are lost (failed, or that never went on), epochs
that had been reported and are not in the study any more, and reported epochs that the checkpoint did not have, so that
they were trained again. At the end a sample of the trials is trained again undisturbed, and compared digit by digit.
Ends with exit code 1 if anything was lost or differs.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from nas import datasets
from nas.datasets.splitting import split as split_of
from nas.errors import DataError
from nas.execution.job import Executor, Job
from nas.execution.opening import open_executor
from nas.study.trial import TrialAttributes
from nas.training.checkpoint import checkpoint_path, state_in

sys.path.append(str(Path(__file__).parents[1]))  # where pytest finds it, too
from processes import workers_of

N_IMAGES = 1_500
STUDY, EPOCHS = "chaos", 12
PAUSES = {"worker": (0.3, 4.0), "controller": (4.0, 9.0)}  # seconds before a kill: it must have come to train
SHARE_OF_CONTROLLERS = 0.2


@dataclass
class Tally:
    """What came of the kills, by their kind."""

    tried: Counter[str] = field(default_factory=Counter)
    lost_epochs: Counter[str] = field(default_factory=Counter)
    repeated_epochs: Counter[str] = field(default_factory=Counter)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--sample", type=int, default=50, help="trials that are trained again and compared")
    parser.add_argument("--folder", type=Path, help="where the search works; a temporary one, if not given")
    arguments = parser.parse_args()
    if not Path("/proc/self/task").exists():
        sys.exit("chaos needs /proc, to see who is whose worker")
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(folder / "few.npz", **images())
        sys.exit(0 if chaos(folder, arguments) else 1)


def images() -> dict[str, np.ndarray]:
    """A few of MNIST, or of noise where it is not there: what is lost does not depend on it."""
    try:
        mnist = datasets.load("mnist")
        pixels, labels = mnist.images[:N_IMAGES, 0].numpy(), mnist.labels[:N_IMAGES].numpy()
    except DataError:
        random = np.random.default_rng(0)
        pixels = random.integers(0, 256, (N_IMAGES, 28, 28), dtype=np.uint8)
        labels = random.integers(0, 10, N_IMAGES)
    n = N_IMAGES * 4 // 5
    return {"x_train": pixels[:n], "y_train": labels[:n], "x_test": pixels[n:], "y_test": labels[n:]}


def chaos(folder: Path, arguments: argparse.Namespace) -> bool:
    """Whether nothing was lost."""
    random, tally, began = Random(arguments.seed), Tally(), time.monotonic()
    process = started(folder, arguments.workers)
    try:
        for number in range(1, arguments.kills + 1):
            kind = "controller" if random.random() < SHARE_OF_CONTROLLERS else "worker"
            time.sleep(random.uniform(*PAUSES[kind]))
            if process.poll() is not None:
                print(f"the search ended by itself with exit code {process.returncode}; see {folder / 'search.log'}")
                return False
            process = killed(kind, process, folder, arguments.workers, random, tally)
            if number % 10 == 0 or number == arguments.kills:
                print(f"{number} of {arguments.kills} kills, {time.monotonic() - began:.0f} s", flush=True)
        time.sleep(PAUSES["controller"][1])
    finally:
        ended(process)
    return told(folder, tally, Random(arguments.seed), arguments.sample)


def started(folder: Path, workers: int) -> "subprocess.Popen[bytes]":
    options = ["--space", "tiny", "--budget", "3k", "--epochs", str(EPOCHS), "--workers", str(workers)]
    named = ["--dataset", "npz:few.npz", "--study", STUDY, "--sampler", "random", "--start-from", "nothing"]
    with (folder / "search.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-u", "-m", "nas", "search", *options, *named],
            cwd=folder, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip


def ended(process: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def killed(
    kind: str, process: "subprocess.Popen[bytes]", folder: Path, workers: int, random: Random, tally: Tally
) -> "subprocess.Popen[bytes]":
    """Kills, and looks at once what is left; returns the search that goes on."""
    before = reported(folder)
    if kind == "worker":
        victims = workers_of(process)
        if not victims:
            return process
        with suppress(ProcessLookupError):
            os.kill(random.choice(victims), signal.SIGKILL)
    else:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    tally.tried[kind] += 1
    after = reported(folder)
    for number, curve in before.items():
        tally.lost_epochs[kind] += len(curve.items() - after.get(number, {}).items())
    for trial in trials(folder):
        if not trial.state.is_finished() and trial.intermediate_values:
            kept = state_in(checkpoint_path(folder / "runs" / "checkpoints" / STUDY, trial.number), "cpu")
            n_kept = len(kept["history"]) if kept is not None else 0
            tally.repeated_epochs[kind] += max(0, len(trial.intermediate_values) - n_kept)
    return process if kind == "worker" else started(folder, workers)


def trials(folder: Path) -> list[FrozenTrial]:
    """Of the study; none before there is one."""
    database = folder / "runs" / "nas.db"
    if not database.exists():
        return []
    try:
        storage = optuna.storages.RDBStorage(f"sqlite:///{database}", engine_kwargs={"connect_args": {"timeout": 60}})
        study = optuna.load_study(study_name=STUDY, storage=storage)
    except (KeyError, optuna.exceptions.StorageInternalError):
        return []
    result = study.get_trials(deepcopy=False)
    storage.engine.dispose()
    return result


def reported(folder: Path) -> dict[int, dict[int, float]]:
    """What is in the study of each trial's training."""
    return {trial.number: dict(trial.intermediate_values) for trial in trials(folder)}


def told(folder: Path, tally: Tally, random: Random, n_sample: int) -> bool:
    """Prints the table; whether nothing was lost."""
    all_trials = trials(folder)
    lost = [trial for trial in all_trials if trial.state == TrialState.FAIL]
    stuck = [t for t in all_trials if t.state == TrialState.RUNNING and TrialAttributes(t).outcome != "paused"]
    trained = [trial for trial in all_trials if trial.intermediate_values and TrialAttributes(trial).repeats is None]
    sample = random.sample(trained, min(n_sample, len(trained)))
    differing = different(folder, sample)
    n_epochs = sum(len(trial.intermediate_values) for trial in trained)
    print("\n| killed | times | reported epochs lost | epochs trained twice |\n|---|---|---|---|")
    for kind in PAUSES:
        print(f"| {kind} | {tally.tried[kind]} | {tally.lost_epochs[kind]} | {tally.repeated_epochs[kind]} |")
    print(
        f"\n{len(trained)} trials trained, {n_epochs} epochs; {len(lost)} trials lost, {len(stuck)} never went on; of "
        f"{len(sample)} that were trained again {len(differing)} differ"
    )
    for trial in lost:
        print(f"trial {trial.number} is lost: {TrialAttributes(trial).reason}")
    n_lost = len(lost) + len(stuck) + len(differing) + tally.lost_epochs.total() + tally.repeated_epochs.total()
    return n_lost == 0


def different(folder: Path, sample: Sequence[FrozenTrial]) -> list[int]:
    """The numbers of those that give other digits when they are trained again without being disturbed."""
    threads = {(TrialAttributes(trial).made_with or {})["threads"] for trial in sample}
    split = split_of(datasets.load(f"npz:{folder / 'few.npz'}"))
    executors = {n: open_executor(split, workers=1, threads=n) for n in threads}
    try:
        return [trial.number for trial in sample if curve_again(executors, trial) != trial.intermediate_values]
    finally:
        for executor in executors.values():
            executor.close()


def curve_again(executors: Mapping[int, Executor], trial: FrozenTrial) -> dict[int, float]:
    """The accuracies of as many epochs."""
    attributes = TrialAttributes(trial)
    made_with, curve = attributes.made_with or {}, dict[int, float]()
    assert attributes.candidate is not None
    assert attributes.seed is not None
    job = Job(attributes.candidate, attributes.seed, "cpu", made_with["precision"], repeats=made_with)
    with executors[made_with["threads"]].run(job) as run:
        for result in run:
            curve[result.epoch] = result.validation_accuracy
            if result.epoch == max(trial.intermediate_values):
                break
    return curve


if __name__ == "__main__":
    main()
