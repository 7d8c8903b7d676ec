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

    A built-in one is looked for in `data_dir` alone; without it in the folder in NAS_DATA_DIR, then in the user's cache
    folder, into which it is fetched where neither has it. A folder that is named is only read. Raises DataError if it
    is unknown, can neither be found nor fetched, or is damaged.
    """
    try:
        return _load(name, data_dir)
    except OSError as error:
        raise DataError(f"{name} cannot be read ({error}): see to that file, or name another") from error


def _load(name: str, data_dir: Path | str | None) -> Dataset:
    path = schemes.path_in(name)
    if path is not None:
        return schemes.read(name, path)
    builtin, root = builtin_named(name), _root(name, data_dir)
    named = on_disk.named_folder(data_dir)
    if data_dir and root is None:
        raise DataError(
            f"--data-dir must name a folder that has the data set, but {named} has no {name}: name another, leave it "
            f"out, or bring it there with nas data fetch {name} --data-dir {data_dir}"
        )
    if named and root != named:
        say(f"{name} is not in {named}, the folder in NAS_DATA_DIR" + (f"; using the one in {root}" if root else ""))
    return on_disk.read(builtin, root or fetching.fetch(builtin))


def _root(name: str, data_dir: Path | str | None) -> Path | None:
    """The folder below which the training images lie: where the user named one by option, it or none."""
    named = on_disk.named_folder(data_dir)
    return on_disk.locate(builtin_named(name), named, or_cache=not data_dir)


def fetch(name: str, data_dir: Path | str | None = None) -> Path:
    """Make sure that all of the built-in data set `name` lies below `data_dir`, and return the folder where it does.

    Without `data_dir` that is the folder in NAS_DATA_DIR, or where that cannot be written to, as without it, the user's
    cache folder. Raises DataError.
    """
    builtin = builtin_named(name)
    return fetching.fetch(builtin, on_disk.named_folder(data_dir), or_cache=not data_dir)


def where(name: str, data_dir: Path | str | None = None) -> Path | None:
    """The folder that holds the files of the built-in data set `name`, looked for as `load` does; None: not here."""
    builtin, root = builtin_named(name), _root(name, data_dir)
    paths = on_disk.find(builtin, root, "train") if root else None
    return paths[0].parent if paths else None


def is_here(name: str, data_dir: Path | str | None = None) -> bool:
    """Whether `load` would find the data set without fetching anything; one of the user's own is never fetched."""
    return schemes.path_in(name) is not None or where(name, data_dir) is not None
