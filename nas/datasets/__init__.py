"""Data sets: finding, fetching and verifying them; the validation split; tensors in memory."""

from pathlib import Path

from nas.datasets import builtins
from nas.datasets.catalogue import builtin, names
from nas.datasets.dataset import Dataset
from nas.datasets.splitting import Split, split
from nas.errors import DataError

__all__ = ["Dataset", "Split", "load", "names", "split"]


def load(name: str, data_dir: Path | str | None = None) -> Dataset:
    """Find or fetch the data set `name` and read its training part into memory."""
    known = builtin(name)
    root = builtins.named_folder(data_dir)
    if root is None or builtins.find(known, root) is None:
        raise DataError(f"{name} is not in {root}")
    return builtins.read(known, root)
