"""Who may work on a study: one process at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from nas.errors import StudyError

LOCK = "lock"
CONFIRMING = "confirming"
PEEK_SECONDS = 1.0  # how long a search waits for those who only ask whether there is one


@contextmanager
def sole_controller(folder: Path, study_name: str) -> Iterator[None]:
    """Holds the study for this process: a second one would take the first one's running trials for dead.

    Raises `StudyError` where another has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=PEEK_SECONDS)
    except filelock.Timeout:
        raise StudyError(
            f"a study can be searched by one process at a time, but another works on {study_name!r}: "
            "wait for it, or give another --study"
        ) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def sole_confirmer(folder: Path, study_name: str) -> Iterator[None]:
    """As `sole_controller`, told apart from a search."""
    with sole_controller(folder, study_name), filelock.FileLock(folder / CONFIRMING):
        yield


def is_searched(folder: Path) -> bool:
    """Whether a process searches the study now."""
    return _is_held(folder / LOCK) and not _is_held(folder / CONFIRMING)


def _is_held(file: Path) -> bool:
    """Whether a process has this lock. The file stays when its process has ended, and says nothing."""
    if not file.exists():
        return False
    lock = filelock.FileLock(file)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        return True
    lock.release()
    return False
