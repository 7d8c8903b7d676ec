"""What the commands share that train candidates over several seeds: options, progress, tables, files."""

import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from nas.cli.completion import complete_dataset
from nas.cli.options import Count, data_dir_option, device_option, precision_option, workers_option
from nas.cost import cost_of
from nas.errors import InputError
from nas.report import Table
from nas.training import EpochResult
from nas.trainings import KEPT, Means, Training

Command = Callable[..., Any]


def training_options(seeds: int) -> Callable[[Command], Command]:
    """The options of a command that trains over so many seeds unless told."""
    options = [
        click.option(
            "--seeds", type=Count(), default=seeds, show_default=True, help="Trainings of each: seeds 0, 1, …"
        ),
        workers_option,
        device_option,
        precision_option,
        click.option(
            "--dataset",
            shell_complete=complete_dataset,
            default="mnist",
            show_default=True,
            metavar="NAME",
            help="Data set of 1×28×28 images in ten classes: mnist, fashion-mnist, folder:PATH or npz:PATH.",
        ),
        data_dir_option,
        click.option(
            "--trainings",
            type=click.Path(path_type=Path),
            default=KEPT,
            show_default=True,
            help="Folder that keeps what was trained; it is not trained again.",
        ),
        click.option(
            "--out",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Write FILE.md and FILE.json as well.",
        ),
    ]

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def means_of(workers: int | None, device: str, precision: str, trainings: Path) -> Means:
    """The options as the library takes them."""
    given = {} if workers is None else {"workers": workers}
    return Means(device=device, precision=precision, folder=trainings, **given)


def seeds_of(n: int) -> range:
    """The seeds 0 .. n - 1."""
    if n < 1:
        raise InputError(f"seeds must be a whole number above 0, but got {n}")
    return range(n)


def checked_out(out: Path | None) -> Path | None:
    """Refuses at once, not after an hour, a place where the table cannot be written."""
    if out is not None and not out.resolve().parent.is_dir():
        raise InputError(f"--out must name files in a folder that exists, but there is no {out.resolve().parent}")
    return out


class TrainingsDisplay:
    """Follows trainings by the work that is done: in a terminal as a bar, elsewhere a line an epoch."""

    def __init__(self, console: Console, trainings: Sequence[Training]) -> None:
        self._console, self._lock = console, Lock()
        self._n_done, self._n = 0, len(trainings)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[n_done]}" + f" of {self._n} trainings"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        work = sum(_work(each) * each.candidate.recipe.epochs for each in trainings)
        self._task = self._progress.add_task("training", total=work, n_done=0)

    def __enter__(self) -> "TrainingsDisplay":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            self._console.print(
                f"Interrupted: {self._n_done} of {self._n} trainings are done and kept. The same command goes on."
            )

    def epoch(self, training: Training, result: EpochResult) -> None:
        """An epoch is done, now or in an earlier run."""
        epochs = training.candidate.recipe.epochs
        with self._lock:
            self._n_done += result.epoch == epochs
            line = f"{training.label}  epoch {result.epoch}/{epochs}  {result.validation_accuracy:.2%}"
            self._progress.update(self._task, advance=_work(training), n_done=self._n_done, description=line)
            if not self._console.is_terminal:
                self._console.print(f"{line}  ({self._n_done} of {self._n} trainings done)", soft_wrap=True)


def write(out: Path | None, tables: Sequence[Table], data: Any) -> None:
    """FILE.md and FILE.json, if asked for; each is whole at any time. Raises `InputError` if one cannot be written."""
    if out is None:
        return
    _write_whole(Path(f"{out}.md"), "\n".join(table.markdown() for table in tables))
    _write_whole(Path(f"{out}.json"), json.dumps(data, indent=1) + "\n")


def _write_whole(path: Path, text: str) -> None:
    """At once or not at all."""
    partial = Path(f"{path}.{os.getpid()}.tmp")
    try:
        partial.write_text(text, "utf-8")
        os.replace(partial, path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise InputError(
            f"--out must name files that can be written, but {path} cannot be ({error.strerror}): name others; what "
            "was trained is kept, and is not trained again"
        ) from error


def _work(training: Training) -> float:
    """How long an epoch takes, roughly: products, and what a step costs however small the network is."""
    return cost_of(training.candidate.architecture).macs + 2e8 / training.candidate.recipe.batch_size
