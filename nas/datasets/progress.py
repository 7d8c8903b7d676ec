"""What the user sees while data are fetched or read: on standard error, moving on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    FileSizeColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

T = TypeVar("T")
PATIENCE = 2.0  # seconds; what takes less needs no line of its own


def say(line: str) -> None:
    """One line to the user."""
    print(line, file=sys.stderr, flush=True)


@contextmanager
def receiving(what: str) -> Iterator[Callable[[int], None]]:
    """Shows `what`, and how many bytes of it are there: call what this yields with their number."""
    console = Console(stderr=True)
    if not console.is_terminal:
        say(what)
        yield lambda n_bytes: None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), FileSizeColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda n_bytes: progress.update(task, completed=n_bytes)


def track(items: Sequence[T], what: str) -> Iterator[T]:
    """Yields the items; where that takes more than two seconds, shows how far it is."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    start = time.monotonic()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=len(items), visible=False)
        said = False
        for n, item in enumerate(items):
            if not said and time.monotonic() - start > PATIENCE:
                said = True
                progress.update(task, visible=True)
                if not console.is_terminal:
                    say(f"{what}: {n:,} of {len(items):,} done, the rest follows")
            progress.update(task, completed=n)
            yield item
