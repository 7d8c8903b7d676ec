"""Writing files whole or not at all, and knowing beforehand whether that can be done."""

import errno
import math
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from keyword import iskeyword
from pathlib import Path

from nas.errors import InputError

RUNS = Path("runs")  # where commands leave what they make, unless told otherwise

# In a folder with a file of such a name, `import torch` or torch itself would import that file.
SHADOWING = sys.stdlib_module_names | {"torch", "numpy", "nas", "__init__", "__main__"}

# What the system says where a disk is full, or no more of it may be used.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def cache_folder() -> Path:
    """The user's cache folder, by the custom of the platform."""
    if cache := os.environ.get("XDG_CACHE_HOME"):
        return Path(cache) / "nas"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "nas" / "cache"
    return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "nas"


def slug(text: str) -> str:
    """A harmless file name for any text; different texts have different ones."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")[-80:]
    return plain if plain == text else f"{plain}-{sha256(text.encode()).hexdigest()[:6]}"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """The path of a new file, which takes the place of `path` at the end of the block, at once.

    Whoever reads meanwhile gets the old file or the new one, and never a part. Nothing is left where the block fails.
    """
    partial = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def remove_partial(folder: Path, untouched_for: float | None = None) -> list[Path]:
    """Removes new files of `replacing` whose processes were killed, and returns them.

    Where other processes may write to the folder: those that were `untouched_for` so many seconds.
    """
    before = math.inf if untouched_for is None else time.time() - untouched_for
    abandoned = [each for each in folder.glob("*.tmp") if _last_written(each) < before]
    for each in abandoned:
        each.unlink(missing_ok=True)
    return abandoned


def _last_written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # it has taken its place
        return math.inf


def write_whole(path: Path, text: str) -> None:
    """Writes a text in UTF-8 and with plain line ends, at once or not at all; raises `OSError`."""
    with replacing(path) as partial:
        partial.write_text(text, "utf-8", newline="\n")


def make_parent(path: Path) -> None:
    """Sees that a file or folder can be made: below `runs` folders that are missing are made, elsewhere none.

    A path with a slip in it makes no tree of folders. Raises `InputError` or `OSError`.
    """
    parent, runs = path.resolve().parent, RUNS.resolve()
    if path.resolve() != runs and runs not in (parent, *parent.parents) and not parent.is_dir():
        raise InputError(
            f"what is made goes into a folder that exists, but there is no {parent}: make it, or name another"
        )
    parent.mkdir(parents=True, exist_ok=True)


def make_folder(folder: Path) -> None:
    """Makes a folder for output; as `make_parent`."""
    make_parent(folder)
    folder.mkdir(exist_ok=True)


def check_writable(folder: Path) -> None:
    """Makes the folder; raises `InputError` if that cannot be done, or nothing can be written to it."""
    try:
        make_folder(folder)
    except InputError as error:
        raise InputError(f"{error} with --out") from error
    except OSError as error:
        raise InputError(
            f"the output folder must be writable, but {folder} is not ({error.strerror}): give another --out"
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"the output folder must be writable, but {folder} is not: give another --out")


def check_module_name(name: str, what: str) -> None:
    """Raises `InputError` unless NAME.py can be imported, and takes nothing else's place; `what`: a model, a space."""
    if not name.isascii() or not name.isidentifier() or iskeyword(name):
        raise InputError(
            f"a {what} is named as a Python module, with letters, digits and underscores, but got {name!r}: "
            f"name it like my_{what}"
        )
    if name in SHADOWING:
        raise InputError(f"a file {name}.py would be imported in place of the real {name}: name it like {name}_{what}")
