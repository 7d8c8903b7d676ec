"""Loading a data set by name: a built-in one, or one of the user's own."""

from pathlib import Path

from nas.datasets import fetching, on_disk, schemes
from nas.datasets.catalogue import builtin_named
from nas.datasets.dataset import Dataset
from nas.errors import DataError
from nas.progress import say


def load(name: str, data_dir: Path | str | None = None) -> Dataset:
    """The data set `name` with its training part in memory: a built-in one, or one of the user's own
    (`nas.datasets.schemes`).

    A built-in one is looked for in `data_dir` (else the folder in NAS_DATA_DIR) and in the user's cache folder, then
    fetched. Raises DataError if it is unknown, can neither be found nor fetched, or is damaged.
    """
    try:
        return _load(name, data_dir)
    except OSError as error:
        raise DataError(f"{name} cannot be read ({error}): see to that file, or name another") from error


def _load(name: str, data_dir: Path | str | None) -> Dataset:
    path = schemes.path_in(name)
    if path is not None:
        return schemes.read(name, path)
    builtin, named = builtin_named(name), on_disk.named_folder(data_dir)
    root = on_disk.locate(builtin, named)
    if named and root != named:
        say(f"{name} is not in {named}" + (f"; using the one in {root}" if root else ""))
    return on_disk.read(builtin, root or fetching.fetch(builtin, named))


def fetch(name: str, data_dir: Path | str | None = None) -> Path:
    """Make sure that all of the built-in data set `name` lies below `data_dir`, and return the folder where it does.

    Without `data_dir` that is the folder in NAS_DATA_DIR, else the user's cache folder. Raises DataError.
    """
    builtin = builtin_named(name)
    return fetching.fetch(builtin, on_disk.named_folder(data_dir))


def where(name: str, data_dir: Path | str | None = None) -> Path | None:
    """The folder that holds the files of the built-in data set `name`, looked for as `load` does; None: not here."""
    builtin = builtin_named(name)
    root = on_disk.locate(builtin, on_disk.named_folder(data_dir))
    paths = on_disk.find(builtin, root, "train") if root else None
    return paths[0].parent if paths else None


def is_here(name: str, data_dir: Path | str | None = None) -> bool:
    """Whether `load` would find the data set without fetching anything; one of the user's own is never fetched."""
    return schemes.path_in(name) is not None or where(name, data_dir) is not None
