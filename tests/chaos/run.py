"""Kills searches, their workers, exports and confirmations, for real and at moments that have nothing to do with what
they do, takes disk, database and clock from under them, and counts what is lost.

    python tests/chaos/run.py --kills 1000 [--seed 0] [--round 100] [--sample 5] [--cold 0.1] [--folder DIR]

Searches a few real images or, without them, made-up ones; after each round in a new study. After each kill it is looked
whether all that had been reported is still in the study and in the checkpoints; after each round whether every trial
came to its end or can go on, and whether a sample of them, trained again undisturbed, gives the same digits. What each
kind does and expects is in kinds.py. All of a search is forked from warm processes, but for the share `--cold`.

Printed is a table; Ctrl-C ends it with the table so far, and with `--folder` the same command goes on, round by round.
Ends with exit code 1 if anything was lost. Needs /proc; mounts a small disk for the search, where it may.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

sys.path.append(str(Path(__file__).parent))

import numpy as np
from attacked import EPOCHS, Lost, Search, check_output, reported
from commands import keep_warm
from kinds import KINDS, Kind, prepare
from optuna.trial import FrozenTrial, TrialState

from nas import datasets
from nas.datasets.splitting import split as split_of
from nas.errors import DataError
from nas.execution.job import Executor, Job
from nas.execution.opening import open_executor
from nas.execution.placement import Placement
from nas.execution.workers import MOST_DEATHS
from nas.study.trial import TrialAttributes

N_IMAGES = 900
THRICE = f", and so did {MOST_DEATHS - 1} before it in epoch"  # in the reason of a training that failed for that
DISK = "512m"  # a round has thousands of trials, most of them paused, each with a checkpoint


@dataclass
class Tally:
    """What came of it, by kind; `faults` in words."""

    tried: Counter[str] = field(default_factory=Counter)
    not_tried: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    repeated: Counter[str] = field(default_factory=Counter)
    took: Counter[str] = field(default_factory=Counter)  # seconds
    faults: list[str] = field(default_factory=list)
    rounds: int = 0
    trials: int = 0
    epochs: int = 0
    compared: int = 0
    killed_thrice: int = 0  # trainings that failed, as they must: by chance three workers died in one epoch
    seconds: float = 0.0

    @property
    def n_kills(self) -> int:
        return self.tried.total()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--round", type=int, default=100, help="kills of one study")
    parser.add_argument(
        "--sample", type=int, default=5, help="trials of each round that are trained again and compared"
    )
    parser.add_argument("--cold", type=float, default=0.1, help="share of searches that start as a user's does")
    parser.add_argument("--each", action="store_true", help="each kind in turn, instead of by their shares")
    parser.add_argument(
        "--no-disk", action="store_true", help="mount none, as where that is not allowed: limits how long files may be"
    )
    parser.add_argument("--folder", type=Path, help="where it works and keeps what it counted; a temporary one else")
    arguments = parser.parse_args()
    if not Path("/proc/self/task").exists():
        sys.exit("chaos needs /proc, to see who is whose worker")
    keep_warm()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (arguments.folder or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        tally = tally_in(folder)
        with suppress(KeyboardInterrupt):
            if not (folder / "confirmed.json").exists():
                np.savez(folder / "few.npz", **images())
                prepare(folder)
            while tally.n_kills < arguments.kills:
                one_round(folder, arguments, tally)
        tell(tally)
        sys.exit(1 if tally.faults or tally.lost.total() or tally.repeated.total() else 0)


def tally_in(folder: Path) -> Tally:
    """What earlier runs counted."""
    file = folder / "tally.json"
    if not file.exists():
        return Tally()
    stored = json.loads(file.read_text())
    return Tally(**{name: Counter(value) if isinstance(value, dict) else value for name, value in stored.items()})


def one_round(folder: Path, arguments: argparse.Namespace, tally: Tally) -> None:
    """A study of its own, killed again and again, and looked at in the end."""
    place = Path(tempfile.mkdtemp(prefix=f"round-{tally.rounds}-", dir=folder))
    shutil.copy(folder / "few.npz", place)
    random, began = Random(f"{arguments.seed} {tally.rounds}"), time.monotonic()
    n_faults, n = len(tally.faults), min(arguments.round, arguments.kills - tally.n_kills)
    search = Search(place, random, arguments.cold)
    with disk(place / "runs", mounted=not arguments.no_disk):
        search.start()
        search.wait_for_a_training()
        try:
            for i in range(n):
                kind = KINDS[i % len(KINDS)] if arguments.each else random.choices(KINDS, [k.share for k in KINDS])[0]
                strike(kind, search, random, tally)
                if tally.n_kills % 10 == 0:
                    seconds = tally.seconds + time.monotonic() - began
                    print(
                        f"{tally.n_kills} of {arguments.kills}, {seconds:.0f} s, {len(tally.faults)} faults", flush=True
                    )
            search.wait_for_a_training()
            search.stop(signal.SIGINT)
            check_output(search.written_since(0))
            compare(search, tally, random, arguments.sample)
        except Lost as lost:
            fault(tally, f"round {tally.rounds}: {lost}")
        finally:
            with suppress(Lost):
                search.stop(signal.SIGKILL)
            tally.rounds, tally.seconds = tally.rounds + 1, tally.seconds + time.monotonic() - began
            (folder / "tally.json").write_text(json.dumps(vars(tally)))
            if len(tally.faults) > n_faults:
                shutil.copytree(place / "runs", place / "runs-at-the-fault")
    if len(tally.faults) == n_faults:
        shutil.rmtree(place)


def strike(kind: Kind, search: Search, random: Random, tally: Tally) -> None:
    """Does it, at a random moment, and looks at once at what is left."""
    time.sleep(random.uniform(0, kind.pause))
    assert search.command is not None
    has_ended, search.has_ended = search.has_ended, None
    if search.command.poll() is not None:
        if has_ended is None:
            raise Lost(f"it ended by itself with {search.command.returncode}: {search.written_since(0)[-2000:]}")
        has_ended()
    before, began = reported(search.trials()), time.monotonic()
    try:
        (tally.tried if kind.do(search, random) else tally.not_tried)[kind.name] += 1
        lost, repeated = search.look(before)
    except Lost as error:
        tally.tried[kind.name] += 1
        raise Lost(f"{kind.name}: {error}") from error
    except Exception as error:  # of the runner itself
        raise Lost(f"{kind.name}: {''.join(traceback.format_exception(error))}") from error
    tally.took[kind.name] += round(time.monotonic() - began, 2)  # type: ignore[assignment]
    tally.lost[kind.name] += lost
    tally.repeated[kind.name] += repeated


def fault(tally: Tally, text: str) -> None:
    tally.faults.append(text)
    print(f"FAULT {text}", flush=True)


def compare(search: Search, tally: Tally, random: Random, n_sample: int) -> None:
    """Whether every trial ended or can go on, and a sample gives the same digits again."""
    trials = search.trials()
    for trial in trials:
        attributes = TrialAttributes(trial)
        if trial.state == TrialState.FAIL and THRICE in (attributes.reason or ""):
            tally.killed_thrice += 1
        elif trial.state == TrialState.FAIL:
            fault(tally, f"trial {trial.number} is lost: {attributes.reason}")
        elif trial.state == TrialState.RUNNING and attributes.outcome != "paused":
            fault(tally, f"trial {trial.number} never went on")
        elif attributes.outcome == "finished" and len(trial.intermediate_values) != EPOCHS:
            fault(tally, f"trial {trial.number} has {len(trial.intermediate_values)} of {EPOCHS} epochs")
    trained = [each for each in trials if each.intermediate_values and TrialAttributes(each).repeats is None]
    sample = random.sample(trained, min(n_sample, len(trained)))
    for number in different(search.folder, sample):
        fault(tally, f"trial {number} gives other digits when it is trained again")
    tally.trials, tally.compared = tally.trials + len(trained), tally.compared + len(sample)
    tally.epochs += sum(len(each.intermediate_values) for each in trained)


def different(folder: Path, sample: Sequence[FrozenTrial]) -> list[int]:
    """The numbers of those that give other digits when they are trained again without being disturbed."""
    threads = {(TrialAttributes(trial).made_with or {})["threads"] for trial in sample}
    split = split_of(datasets.load(f"npz:{folder / 'few.npz'}"))
    executors = {n: open_executor(split, workers=1, placement=Placement(threads=n)) for n in threads}
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


def tell(tally: Tally) -> None:
    """Prints the table."""
    print("\n| what was done | tried | reported epochs lost | epochs trained twice |\n|---|---|---|---|")
    for kind in KINDS:
        print(f"| {kind.name} | {tally.tried[kind.name]} | {tally.lost[kind.name]} | {tally.repeated[kind.name]} |")
    print(f"| all | {tally.tried.total()} | {tally.lost.total()} | {tally.repeated.total()} |")
    print(
        f"\n{tally.trials} trials trained in {tally.rounds} studies, {tally.epochs} epochs, {tally.seconds / 60:.0f} "
        f"minutes; {tally.compared} trained again; {len(tally.faults)} faults; {tally.not_tried.total()} times there "
        f"was nothing to kill; {tally.killed_thrice} trainings failed, since three of their workers were killed in one "
        "epoch"
    )
    for text in tally.faults:
        print(f"FAULT {text[:300]}")


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


class disk:  # noqa: N801 - used as a function
    """A small disk at `folder`, where this process may mount one."""

    def __init__(self, folder: Path, mounted: bool) -> None:
        self._folder, self._mounted = folder, mounted

    def __enter__(self) -> None:
        self._folder.mkdir()
        if not self._mounted:
            return
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(self._folder)]
        with suppress(FileNotFoundError):
            subprocess.run(mount, capture_output=True)

    def __exit__(self, *error: object) -> None:
        if os.path.ismount(self._folder):
            subprocess.run(["umount", "-l", str(self._folder)], check=True)


if __name__ == "__main__":
    main()
