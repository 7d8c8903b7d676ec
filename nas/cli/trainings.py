"""What the commands share that train candidates over several seeds: options, progress, tables, files."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nas.cli.completion import complete_dataset
from nas.cli.options import (
    Count,
    data_dir_option,
    device_option,
    executor_options,
    placement_of,
    precision_option,
    workers_option,
)
from nas.datasets.schemes import FORMS_IN_WORDS
from nas.errors import InputError
from nas.files import make_parent, write_whole
from nas.study.folders import TRAININGS
from nas.table import Table

if TYPE_CHECKING:
    from nas.replication.batch import Means

Command = Callable[..., Any]


def training_options(seeds: int) -> Callable[[Command], Command]:
    """The options of a command that trains over so many seeds unless told."""
    options: list[Callable[[Command], Command]] = [
        click.option(
            "--seeds", type=Count(), default=seeds, show_default=True, help="Trainings of each: seeds 0, 1, …"
        ),
        workers_option,
        executor_options,
        device_option,
        precision_option,
        click.option(
            "--dataset",
            shell_complete=complete_dataset,
            default="mnist",
            show_default=True,
            metavar="NAME",
            help=f"Data set of 1×28×28 images in ten classes: mnist, fashion-mnist, {FORMS_IN_WORDS}.",
        ),
        data_dir_option,
        click.option(
            "--trainings",
            type=click.Path(path_type=Path),
            default=TRAININGS,
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


def means_of(workers: int | None, device: str, precision: str, trainings: Path, **where: Any) -> "Means":
    """The options as the library takes them."""
    from nas.replication.batch import Means

    return Means(workers, device, precision, trainings, placement_of(where))


def seeds_of(n: int) -> range:
    """The seeds 0 .. n - 1."""
    if n < 1:
        raise InputError(f"seeds must be a whole number above 0, but got {n}")
    return range(n)


def checked_out(out: Path | None) -> Path | None:
    """Refuses at once, not after an hour, a place where the table cannot be written."""
    if out is not None:
        try:
            make_parent(out)
        except InputError as error:
            raise InputError(f"{error} with --out") from error
    return out


def write(out: Path | None, tables: Sequence[Table], data: Any) -> None:
    """FILE.md and FILE.json, if asked for; each is whole at any time. Raises `InputError` if one cannot be written."""
    if out is None:
        return
    texts = {".md": "\n".join(table.markdown() for table in tables), ".json": json.dumps(data, indent=1) + "\n"}
    for suffix, text in texts.items():
        path = Path(f"{out}{suffix}")
        try:
            write_whole(path, text)
        except OSError as error:
            raise InputError(
                f"--out must name files that can be written, but {path} cannot be ({error.strerror}): name others; "
                "what was trained is kept, and is not trained again"
            ) from error
