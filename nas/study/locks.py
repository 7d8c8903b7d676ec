"""Who may work on a study: one process at a time, wherever it runs.

In a server's database that is a lease (`nas.study.leases`); beside an SQLite file it is a lock of the file system.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock
from optuna.storages import RDBStorage

from nas.errors import StudyError
from nas.files import write_whole
from nas.study.leases import Lease, is_leased_for_search, refusal
from nas.study.storage import Storage, checkpoint_folder, is_on_server

LOCK = "lock"
CONFIRMING = "confirming"
HOLDER = "holder"  # beside the lock, which older filelocks empty when they only try it
PEEK_SECONDS = 1.0  # how long a search waits for those who only ask whether there is one


@contextmanager
def sole_controller(storage: Storage, study_name: str) -> Iterator[None]:
    """Holds the study for this process: a second one would take the first one's running trials for dead.

    Raises `StudyError` where another has it, naming its host and process.
    """
    if is_on_server(storage):
        with Lease(storage, study_name):
            yield
    else:
        with _file_lock(checkpoint_folder(storage, study_name), study_name):
            yield


@contextmanager
def sole_confirmer(storage: Storage, study_name: str) -> Iterator[None]:
    """As `sole_controller`, told apart from a search."""
    if is_on_server(storage):
        with Lease(storage, study_name, searching=False):
            yield
    else:
        folder = checkpoint_folder(storage, study_name)
        with _file_lock(folder, study_name), filelock.FileLock(folder / CONFIRMING):
            yield


def is_searched(storage: RDBStorage, study_name: str) -> bool:
    """Whether a process searches the study now."""
    if is_on_server(storage):
        return is_leased_for_search(storage.engine, study_name)
    folder = checkpoint_folder(storage, study_name)
    return _is_held(folder / LOCK) and not _is_held(folder / CONFIRMING)


@contextmanager
def _file_lock(folder: Path, study_name: str) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    lock, holder = filelock.FileLock(folder / LOCK), folder / HOLDER
    try:
        lock.acquire(timeout=PEEK_SECONDS)
    except filelock.Timeout:
        raise StudyError(refusal(study_name, _named_in(holder))) from None
    try:
        write_whole(holder, f"process {os.getpid()} on {socket.gethostname()}")
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _named_in(holder: Path) -> str:
    try:
        return holder.read_text("utf-8") or "another"
    except OSError:
        return "another"


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
