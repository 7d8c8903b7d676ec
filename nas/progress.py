"""What the user sees while something takes long: on standard error, moving on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Timer
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
SOON, PATIENCE = 0.5, 2.0  # seconds; what takes less needs no line of its own
_under_way: list[Progress] = []  # what moves in the terminal now: one at a time, the innermost


def say(line: str) -> None:
    """One line to the user."""
    if _under_way:
        _under_way[-1].console.print(line, highlight=False, markup=False, soft_wrap=True)
    else:
        print(line, file=sys.stderr, flush=True)


@contextmanager
def working(what: str, said_after: float = SOON) -> Iterator[None]:
    """Shows what goes on inside the block, and for how long: at once in a terminal; elsewhere in one line, if it takes
    so many seconds.
    """
    console = Console(stderr=True)
    if not console.is_interactive:
        with _saying(what, said_after):
            yield
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    shares_terminal = sys.stdout.isatty()  # else what is printed inside would be redirected, too
    moving = Progress(*columns, console=console, transient=True, redirect_stdout=shares_terminal)
    with _alone(moving) as progress:
        progress.add_task(what, total=None)
        yield


@contextmanager
def receiving(what: str) -> Iterator[Callable[[int], None]]:
    """Shows `what`, and how many bytes of it are there: call what this yields with their number."""
    console = Console(stderr=True)
    if not console.is_interactive:
        say(what)
        yield lambda n_bytes: None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), FileSizeColumn(), TransferSpeedColumn())
    with _alone(Progress(*columns, TimeElapsedColumn(), console=console, transient=True)) as progress:
        task = progress.add_task(what, total=None)
        yield lambda n_bytes: progress.update(task, completed=n_bytes)


def track(items: Sequence[T], what: str) -> Iterator[T]:
    """Yields the items; where that takes more than two seconds, shows how far it is."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    start = time.monotonic()
    with _alone(Progress(*columns, console=console, transient=True, disable=not console.is_interactive)) as progress:
        task = progress.add_task(what, total=len(items))
        said = False
        for n, item in enumerate(items):
            if not said and not console.is_interactive and time.monotonic() - start > PATIENCE:
                said = True
                say(f"{what}: {n:,} of {len(items):,} done, the rest follows")
            progress.update(task, completed=n)
            yield item


@contextmanager
def _saying(what: str, seconds: float) -> Iterator[None]:
    """One line, if the block takes so long."""
    timer = Timer(seconds, say, [f"{what} …"])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def _alone(progress: Progress) -> Iterator[Progress]:
    """Shows it, and whatever it is within only when it is over: two would write over each other."""
    if _under_way:
        _under_way[-1].stop()
    _under_way.append(progress)
    try:
        with progress:
            yield progress
    finally:
        _under_way.pop()
        if _under_way:
            _under_way[-1].start()
