"""Finding a built-in data set on disk, verifying and reading it."""

import os
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from nas.datasets import cifar, idx
from nas.datasets.catalogue import BUILTINS, PARTS, Builtin, Part, builtin_named
from nas.datasets.dataset import Dataset, fingerprint
from nas.datasets.schemes import FORMS_IN_WORDS
from nas.errors import DataError
from nas.files import cache_folder

NO_TEST = "there are no test images of {} beside the training images: a winner cannot be confirmed"
Read = tuple[Tensor, Tensor, tuple[str, ...]]  # images, labels, notes


def named_folder(data_dir: Path | str | None) -> Path | None:
    """The folder that the user named, by option or by environment; None if neither."""
    named = data_dir or os.environ.get("NAS_DATA_DIR")
    if not named:
        return None
    folder = Path(named).expanduser().absolute()
    if folder.exists() and not folder.is_dir():
        raise DataError(f"data sets are looked for in a folder, but {folder} is a file: name the folder that holds it")
    return folder


def locate(builtin: Builtin, named: Path | None, or_cache: bool = True) -> Path | None:
    """The folder below which the training images lie: the named one, else the cache; None if neither has them."""
    folders = [named] * (named is not None) + [cache_folder()] * (or_cache or named is None)
    return next((folder for folder in folders if folder is not None and find(builtin, folder, "train")), None)


def find(builtin: Builtin, root: Path, part: Part) -> tuple[Path, ...] | None:
    """A part's files below `root`, in torchvision's layout or bare, plain or gzipped; None unless all are there."""
    for folder in (root / builtin.folder, root):
        paths = [path for name in builtin.files[part] if (path := _find_file(folder, name))]
        if len(paths) == len(builtin.files[part]):
            return tuple(paths)
    return None


def is_complete(builtin: Builtin, root: Path) -> bool:
    """Whether both parts lie below `root`."""
    return all(find(builtin, root, part) for part in PARTS)


def _find_file(folder: Path, name: str) -> Path | None:
    spellings = (name, name.replace("-idx", ".idx"))  # some copies of MNIST are spelt with a dot
    paths = (folder / f"{spelling}{suffix}" for suffix in ("", ".gz") for spelling in spellings)
    return next((path for path in paths if os.path.isfile(path)), None)  # unlike Path.is_file, never raises


def read(builtin: Builtin, root: Path) -> Dataset:
    """The data set below `root`, its training part in memory, its test part only verified.

    Raises DataError, naming the file, if one of either part is damaged or does not fit the others.
    """
    images, labels, notes = read_part(builtin, root, "train")
    has_test = find(builtin, root, "test") is not None
    return Dataset(
        name=builtin.name,
        images=images,
        labels=labels,
        classes=builtin.classes,
        fingerprint=fingerprint(images, labels),
        notes=notes + (verify_test(builtin, root) if has_test else (NO_TEST.format(builtin.title),)),
        reader=partial(read_test, builtin.name, root) if has_test else None,
        test_files=find(builtin, root, "test") or (),
    )


def read_test(name: str, root: Path) -> tuple[Tensor, Tensor]:
    """The test images and labels of a built-in data set below `root`."""
    images, labels, _ = read_part(builtin_named(name), root, "test")
    return images, labels


def read_part(builtin: Builtin, root: Path, part: Part) -> Read:
    """Images, labels and notes of one part; DataError naming the file that is missing, damaged or does not fit."""
    paths = find(builtin, root, part)
    if paths is None:
        missing = ", ".join(builtin.files[part])
        raise DataError(f"the {part} part of {builtin.name} is not in {root} any more: it needs {missing}")
    read_files = _read_idx if builtin.format == "idx" else _read_cifar
    images, labels, notes = read_files(builtin, part, paths)
    if int(labels.max()) >= len(builtin.classes) or int(labels.min()) < 0:
        raise DataError(
            f"labels of {builtin.name} are 0 to {len(builtin.classes) - 1}, but {paths[-1]} has {int(labels.min())} to "
            f"{int(labels.max())}: replace the file or delete it"
        )
    return images, labels, notes


def verify_test(builtin: Builtin, root: Path) -> tuple[str, ...]:
    """Check the sizes and checksums of the test files, so that a damaged one is known before a search, not after it.

    Nothing of their content is kept. Returns notes; raises DataError.
    """
    paths = find(builtin, root, "test") or ()
    if builtin.format == "cifar":
        return _notes(builtin, "test", paths, [cifar.read(path)[2] for path in paths])
    (image_shape, image_md5), (label_shape, label_md5) = (
        idx.verify(path, n) for path, n in zip(paths, (3, 1), strict=True)
    )
    _check_shapes(builtin, paths, image_shape, label_shape)
    return _notes(builtin, "test", paths, [image_md5, label_md5])


def _read_idx(builtin: Builtin, part: Part, paths: tuple[Path, ...]) -> Read:
    images, labels = (idx.read(path, n) for path, n in zip(paths, (3, 1), strict=True))
    _check_shapes(builtin, paths, tuple(images.values.shape), tuple(labels.values.shape))
    notes = _notes(builtin, part, paths, [images.md5, labels.md5])
    upright = images.values.transpose(1, 2).contiguous() if builtin.transposed else images.values
    return upright.unsqueeze(1), labels.values.to(torch.int64), notes


def _check_shapes(builtin: Builtin, paths: tuple[Path, ...], images: tuple[int, ...], labels: tuple[int, ...]) -> None:
    if images[1:] != builtin.image_shape[1:]:
        raise DataError(
            f"images of {builtin.name} are {builtin.image_shape[1]}×{builtin.image_shape[2]}, but those in {paths[0]} "
            f"are {images[1]}×{images[2]}: replace the file, or give your own images as {FORMS_IN_WORDS}"
        )
    if images[0] != labels[0]:
        raise DataError(
            f"there must be a label for each image, but {paths[0]} has {images[0]:,} images and {paths[1]} has "
            f"{labels[0]:,} labels: replace the file that does not belong"
        )


def _read_cifar(builtin: Builtin, part: Part, paths: tuple[Path, ...]) -> Read:
    batches = [cifar.read(path) for path in paths]
    notes = _notes(builtin, part, paths, [md5 for _, _, md5 in batches])
    return torch.cat([images for images, _, _ in batches]), torch.cat([labels for _, labels, _ in batches]), notes


def _notes(builtin: Builtin, part: Part, paths: tuple[Path, ...], md5s: list[str]) -> tuple[str, ...]:
    """What differs from the official files; DataError if they are another data set's of the same names."""
    notes = []
    for path, name, md5 in zip(paths, builtin.files[part], md5s, strict=True):
        for other in BUILTINS.values():
            if other is not builtin and md5 in other.md5.values():
                raise DataError(
                    f"{path} is {other.title}'s, not {builtin.title}'s: ask for {other.name}, or put the files of "
                    f"{builtin.name} into {builtin.folder} below the data folder"
                )
        official = builtin.md5.get(name, md5)
        if md5 != official:
            notes.append(f"{name} differs from the official {builtin.title} (md5 {md5} instead of {official})")
    return tuple(notes)
