"""Finding a built-in data set on disk, and reading it."""

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from nas.datasets import idx
from nas.datasets.catalogue import BUILTINS, Builtin, Part
from nas.datasets.dataset import Dataset, fingerprint
from nas.errors import DataError


def named_folder(data_dir: Path | str | None) -> Path | None:
    """The folder that the user named, by option or environment; None if neither."""
    named = data_dir or os.environ.get("NAS_DATA_DIR")
    return Path(named).expanduser().absolute() if named else None


def find(builtin: Builtin, root: Path, part: Part = "train") -> tuple[Path, ...] | None:
    """The files of a part below `root`, in torchvision's layout or bare, plain or gzipped; None unless all are there."""
    for folder in (root / builtin.folder, root):
        paths = [_find_file(folder, name) for name in builtin.files[part]]
        if all(paths):
            return tuple(path for path in paths if path)
    return None


def _find_file(folder: Path, name: str) -> Path | None:
    spellings = (name, name.replace("-idx", ".idx"))  # the second one is what some copies call it
    paths = (folder / f"{spelling}{suffix}" for suffix in ("", ".gz") for spelling in spellings)
    return next((path for path in paths if path.is_file()), None)


def read(builtin: Builtin, root: Path) -> Dataset:
    """The training part found below `root` as a Dataset; DataError naming the file that is damaged."""
    images, labels, notes = read_part(builtin, root, "train")
    return Dataset(
        name=builtin.name,
        images=images,
        labels=labels,
        classes=builtin.classes,
        fingerprint=fingerprint(images, labels),
        notes=notes,
        reader=partial(read_test, builtin, root),
    )


def read_test(builtin: Builtin, root: Path) -> tuple[Tensor, Tensor]:
    return read_part(builtin, root, "test")[:2]


def read_part(builtin: Builtin, root: Path, part: Part) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    paths = find(builtin, root, part)
    if paths is None:
        raise DataError(f"{part} of {builtin.name} not in {root}")
    files = [idx.read(path, n_dimensions) for path, n_dimensions in zip(paths, (3, 1), strict=True)]
    images = files[0].values.unsqueeze(1)
    return images, files[1].values.to(torch.int64), ()
