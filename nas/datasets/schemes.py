"""Data sets of the user's own, given as SCHEME:PATH. A new scheme is a reader, and its line in `SCHEMES`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nas.errors import DataError

if TYPE_CHECKING:  # readers load torch, the names of schemes do not
    from nas.datasets.dataset import Dataset


def _folder(name: str, path: str) -> "Dataset":
    from nas.datasets import folder

    return folder.read(name, path)


def _npz(name: str, path: str) -> "Dataset":
    from nas.datasets import npz

    return npz.read(name, path)


@dataclass(frozen=True)
class Scheme:
    """`content`: what must be at the path, in a few words. `read` takes the whole name and the path."""

    content: str
    read: Callable[[str, str], "Dataset"]


SCHEMES: Mapping[str, Scheme] = {
    "folder": Scheme("PATH/train/CLASS/*.png", _folder),
    "npz": Scheme("x_train, y_train, x_test, y_test", _npz),
}
FORMS = tuple(f"{scheme}:PATH" for scheme in SCHEMES)  # how they are given
FORMS_IN_WORDS = f"{', '.join(FORMS[:-1])} or {FORMS[-1]}"


def path_in(name: str) -> str | None:
    """The path in the name of a data set of the user's own; None for a built-in one. `DataError` if it is empty."""
    scheme, separator, path = name.partition(":")
    if not separator or scheme not in SCHEMES:
        return None
    if not path:
        raise DataError(f"a data set of one's own is given as {scheme}:PATH, but got {name!r}: add the path")
    return path


def read(name: str, path: str) -> "Dataset":
    """The data set of the user's own, with the path that is in its name; raises `DataError`."""
    return SCHEMES[name.partition(":")[0]].read(name, path)
