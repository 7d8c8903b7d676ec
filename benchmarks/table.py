"""Trains random candidates of a space and keeps the whole curve of each: what samplers and pruners are compared on.

    python benchmarks/table.py --space budget_fill --budget 2000 --out studies/tables/mnist-2000.jsonl
        [--dataset mnist] [--images 10000] [--epochs 10] [--candidates 400] [--short 1 3] [--repeat 0.1]
        [--seeds 3] [--data-dir DIR] [--clock]

Each line of `--out` is one training: which candidate (its parameters in the space, and its costs), how many epochs were
planned, with which seed, and after each epoch the loss and accuracy of both parts of the data, and its seconds. Every
candidate is trained to the end with the first seed, and once for each of the `--short` schedules, which are complete
ones of so many epochs; a share of the candidates, `--repeat`, with all `--seeds` seeds, for the noise between two
trainings. What is in the file is not trained again, so it can be interrupted, and given more candidates later.

Seconds taken beside other work are worth little. `--clock` measures those of an epoch once more, of every candidate
that is in the file, on a quiet machine: a few minutes, on 2,000 of the images.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any

from optuna.distributions import distribution_to_json
from optuna.trial import FixedTrial

from nas import Budget, Candidate, Task, cost_of, datasets
from nas.datasets.splitting import Split
from nas.execution.job import Cancelled, Executor, Job
from nas.execution.placement import n_cores
from nas.execution.processes import ProcessExecutor
from nas.space import finding
from nas.space.finding import Space
from nas.space.probing import axes_of, random_candidates
from nas.training.run import EpochResult

DIGITS = 5  # of what is kept: a validation part of 10,000 images has four
SETTINGS = ("dataset", "space", "budget", "images", "epochs", "candidates_seed")
CLOCKED_IMAGES, CLOCKED_EPOCHS = 2_000, 3
COLUMNS = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "seconds")


@dataclass(frozen=True)
class Planned:
    """One training: a candidate by its number, the length of its schedule, and a seed; no epochs: its time is taken."""

    number: int
    epochs: int
    seed: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="mnist")
    parser.add_argument("--space", default="budget_fill")
    parser.add_argument("--budget", type=int, default=2_000)
    parser.add_argument("--images", type=int, default=10_000, help="to train on")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--candidates", type=int, default=400)
    parser.add_argument("--short", type=int, nargs="*", default=[1, 3])
    parser.add_argument("--repeat", type=float, default=0.1)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--candidates-seed",
        type=int,
        default=0,
        help="tables that are to teach each other need candidates of their own",
    )
    parser.add_argument("--clock", action="store_true", help="only take the time of what is there")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data-dir", type=Path)
    arguments = parser.parse_args()
    split = fewer(datasets.split(datasets.load(arguments.dataset, arguments.data_dir)), arguments.images)
    shape, n_classes = tuple(split.train_images.shape[1:]), split.n_classes
    space, task = finding.load(arguments.space), Task(shape, n_classes, arguments.epochs, Budget(arguments.budget))
    candidates = distinct(space, task, arguments.candidates, arguments.candidates_seed)
    settings = {name: getattr(arguments, name) for name in SETTINGS} | {
        "space_digest": space.digest,
        "distributions": {name: json.loads(distribution_to_json(d)) for name, d in axes_of(space, task).items()},
    }
    done = begun(arguments.out, settings)
    if arguments.clock:
        n_validation = round(len(split.validation_images) * CLOCKED_IMAGES / arguments.images)
        split = fewer(split, CLOCKED_IMAGES, n_validation)
        wanted = sorted({Planned(each.number, 0, 0) for each in done}, key=lambda each: each.number)
    else:
        wanted = list(planned(arguments))
    todo = [each for each in wanted if each not in done]
    print(f"{len(done):,} trainings are there, {len(todo):,} to do, on {n_cores()} cores", flush=True)
    executor = ProcessExecutor(split, n_cores(), 1)
    try:
        train_all(todo, candidates, space, task, executor, arguments.out, arguments.images)
    except KeyboardInterrupt:
        executor.cancel()
        sys.exit(130)
    finally:
        executor.close()


def fewer(split: Split, n_images: int, n_validation: int | None = None) -> Split:
    """The same with the first images of the training part alone, and as many to validate, or all."""
    return replace(
        split,
        train_images=split.train_images[:n_images].clone(),
        train_labels=split.train_labels[:n_images].clone(),
        validation_images=split.validation_images[:n_validation].clone(),
        validation_labels=split.validation_labels[:n_validation].clone(),
    )


def distinct(space: Space, task: Task, n: int, seed: int) -> list[tuple[Candidate, dict[str, Any]]]:
    """So many different random candidates within the budget; the first are the same for any number of them."""
    seen: dict[str, tuple[Candidate, dict[str, Any]]] = {}
    for candidate, params in islice(random_candidates(space, task, seed), 100 * n):
        if task.budget.admits(cost_of(candidate.architecture)):
            seen.setdefault(candidate.digest, (candidate, params))
        if len(seen) == n:
            break
    return list(seen.values())


def planned(arguments: argparse.Namespace) -> Iterator[Planned]:
    """Candidate by candidate, so that a table that is not complete has everything of those it has."""
    repeated = round(1 / arguments.repeat) if arguments.repeat else 0
    for number in range(arguments.candidates):
        yield from (Planned(number, epochs, 0) for epochs in (arguments.epochs, *arguments.short))
        if repeated and number % repeated == 0:
            yield from (Planned(number, arguments.epochs, seed) for seed in range(1, arguments.seeds))


def begun(file: Path, settings: dict[str, Any]) -> set[Planned]:
    """What is in the file; it is begun with the settings, and must have been made with these."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(settings) + "\n")
        return set()
    first, *lines = map(json.loads, whole_lines(file))
    if first != settings:
        sys.exit(f"{file} was made with {first}, not with {settings}: name another file")
    return {Planned(line["candidate"], line["epochs"], line["seed"]) for line in lines}


def whole_lines(file: Path) -> list[str]:
    """The lines of a table; one that was cut off while it was written is taken off the file."""
    text = file.read_text()
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        file.write_text(whole)
    return whole.splitlines()


def train_all(
    todo: list[Planned],
    candidates: list[tuple[Candidate, dict[str, Any]]],
    space: Space,
    task: Task,
    executor: Executor,
    file: Path,
    n_images: int,
) -> None:
    lock, start, n_done = Lock(), time.monotonic(), 0

    def train(each: Planned) -> None:
        candidate, params = candidates[each.number]
        if not each.epochs:
            note(each, {"seconds_of_epoch": round(seconds_of_epoch(executor, candidate, n_images), DIGITS)}, "timed")
            return
        scheduled = space.suggest(FixedTrial(params), replace(task, epochs=each.epochs))
        result = curve(executor, Job(Candidate(candidate.architecture, scheduled.recipe), seed_of(each)))
        is_long = each.epochs == task.epochs
        described = {"params": params, "cost": dict(cost_of(candidate.architecture))} if is_long else {}
        note(each, {**described, **result}, f"{result['validation_accuracy'][-1]:.2%}")

    def note(each: Planned, what: dict[str, Any], in_words: str) -> None:
        nonlocal n_done
        line = {"candidate": each.number, "epochs": each.epochs, "seed": each.seed, **what}
        with lock, file.open("a") as table:
            table.write(json.dumps(line, separators=(",", ":")) + "\n")
            n_done += 1
            left = (time.monotonic() - start) / n_done * (len(todo) - n_done)
            print(
                f"{n_done:,} of {len(todo):,}: candidate {each.number}, {each.epochs} epochs, seed {each.seed}: "
                f"{in_words}; {left / 60:.0f} min left",
                flush=True,
            )

    with ThreadPoolExecutor(n_cores()) as threads:
        try:
            for done in [threads.submit(train, each) for each in todo]:
                done.result()
        except (KeyboardInterrupt, Cancelled):
            threads.shutdown(wait=False, cancel_futures=True)
            executor.cancel()
            raise


def seconds_of_epoch(executor: Executor, candidate: Candidate, n_images: int) -> float:
    """Of so many images, on a worker beside which the others do as much; the first epoch pays for what is done once."""
    short = replace(candidate, recipe=replace(candidate.recipe, epochs=CLOCKED_EPOCHS))
    seconds = curve(executor, Job(short, 0))["seconds"]
    return min(seconds[1:]) * n_images / CLOCKED_IMAGES


def seed_of(each: Planned) -> int:
    """Of its own for each candidate, as in a search; the same for a short schedule and a long one."""
    return 1_000 * each.number + each.seed


def curve(executor: Executor, job: Job) -> dict[str, list[float]]:
    """After each epoch what is kept of it, by its name."""
    with executor.run(job) as run:
        results: list[EpochResult] = list(run)
    return {name: [round(getattr(each, name), DIGITS) for each in results] for name in COLUMNS}


if __name__ == "__main__":
    main()
