"""Folders in which files are made and checked before they appear, and what becomes of those of killed processes."""

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from filelock import FileLock, Timeout

LOCK = ".nas-staging.lock"  # held by the process whose folder it is, as long as that lives
NAME = re.compile(r"\.\w+_trial_\d+\w*-\w{8}")  # of a folder that has no lock yet, or is of an earlier version
LIVES = 3600.0  # seconds for which such a folder may be another process's


@contextmanager
def staging(folder: Path, name: str) -> Iterator[Path]:
    """A folder in `folder` for the files of an export, which goes with all that is left in it; older ones go first."""
    remove_abandoned(folder)
    with (
        TemporaryDirectory(dir=folder, prefix=f".{name}-", ignore_cleanup_errors=True) as made,
        FileLock(Path(made) / LOCK),
    ):
        yield Path(made)


def remove_abandoned(folder: Path) -> list[Path]:
    """Removes the staging folders in `folder` whose processes are gone; returns them."""
    abandoned = [each for each in folder.glob(".*-*") if each.is_dir() and _is_abandoned(each)]
    for each in abandoned:
        shutil.rmtree(each, ignore_errors=True)
    return abandoned


def _is_abandoned(folder: Path) -> bool:
    if not (folder / LOCK).exists():
        return NAME.fullmatch(folder.name) is not None and folder.stat().st_mtime < time.time() - LIVES
    try:
        with FileLock(folder / LOCK, timeout=0):
            return True
    except Timeout:
        return False
