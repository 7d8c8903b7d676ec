"""`npz:PATH`: numpy's archive of `x_train, y_train` and, optionally, `x_test, y_test`.

Images are uint8: (n, height, width), (n, height, width, channels) or (n, channels, height, width). In four dimensions
the channels are the axis that is smaller than both others; where neither the last nor the first of the three is, the
shape is ambiguous and refused. Labels are integers 0 .. k - 1, each of which occurs in y_train.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nas.datasets.dataset import Dataset, fingerprint
from nas.errors import DataError

Array = npt.NDArray[Any]


def read(name: str, path: str) -> Dataset:
    """The data set `name`, which lies in the file `path`; DataError saying which array does not fit, and why."""
    file = Path(path).expanduser().absolute()
    has_test = _check_keys(file)
    images, labels = _read_part(file, "train")
    n_classes = _count_classes(file, labels)
    if has_test:
        _verify_test(file)
    return Dataset(
        name=name,
        images=images,
        labels=labels,
        classes=tuple(str(label) for label in range(n_classes)),
        fingerprint=fingerprint(images, labels),
        reader=partial(read_test, file, n_classes) if has_test else None,
        test_files=(file,) if has_test else (),
    )


def read_test(file: Path, n_classes: int) -> tuple[Tensor, Tensor]:
    """The test images and labels, which must have the shape and the classes of the training part."""
    _verify_test(file)
    images, labels = _read_part(file, "test")
    if int(labels.min()) < 0 or int(labels.max()) >= n_classes:
        raise DataError(
            f"labels in y_test must be 0 to {n_classes - 1}, as in y_train, but {file} has {int(labels.min())} to "
            f"{int(labels.max())}: correct them"
        )
    return images, labels


def _check_keys(file: Path) -> bool:
    """Whether there is a test set; DataError if an array is missing."""
    with _archive(file) as archive:
        keys = set(archive.files)
    for part in ("train", "test"):
        present = keys & {f"x_{part}", f"y_{part}"}
        if len(present) == 1 or (part == "train" and not present):
            raise DataError(
                f"an npz data set holds x_{part} and y_{part}, but {file} has {', '.join(sorted(keys)) or 'nothing'}: "
                "add what is missing"
            )
    return "x_test" in keys


def _verify_test(file: Path) -> None:
    """Compare the shapes that the test arrays declare with the training images', without reading the arrays."""
    train, test, labels = (_declared_shape(file, key) for key in ("x_train", "x_test", "y_test"))
    if test[1:] != train[1:] or test[:1] != labels[:1]:
        raise DataError(
            f"x_test must be as x_train, {train} but for the number of images, with a label in y_test for each, "
            f"but {file} has x_test {test} and y_test {labels}: correct them"
        )


def _read_part(file: Path, part: str) -> tuple[Tensor, Tensor]:
    with _archive(file) as archive:
        images, labels = archive[f"x_{part}"], archive[f"y_{part}"]
    tensor = _channels_first(file, f"x_{part}", images)
    return tensor, _labels(file, f"y_{part}", labels, len(images))


def _declared_shape(file: Path, key: str) -> tuple[int, ...]:
    with _archive(file) as archive, archive.zip.open(f"{key}.npy") as member:
        version = np.lib.format.read_magic(member)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape: tuple[int, ...] = header(member)[0]
    return shape


@contextmanager
def _archive(file: Path) -> Iterator[Any]:
    """The open archive; numpy raises nearly anything on damaged files, and refuses arrays of Python objects."""
    if not file.exists():
        raise DataError(f"an npz data set is a file that exists, but there is no {file}: check the path")
    try:
        with file.open("rb") as opened:
            archive = np.load(opened, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ValueError("it is a single array, not an archive of several")
            with archive:
                yield archive
    except Exception as error:
        raise DataError(
            f"{file} cannot be read as an npz file ({error}): write it by numpy.savez, without Python objects"
        ) from error


def _channels_first(file: Path, key: str, images: Array) -> Tensor:
    if images.dtype != np.uint8:
        raise DataError(
            f"images must be of type uint8, 0 to 255, but {key} in {file} is {images.dtype}: convert it, "
            "for instance by (255 * x).round().astype('uint8')"
        )
    if images.ndim not in (3, 4) or 0 in images.shape:
        raise DataError(
            f"images must be (n, height, width) or have an axis of channels besides, but {key} in {file} has the shape "
            f"{images.shape}: reshape it"
        )
    tensor = torch.from_numpy(np.ascontiguousarray(images))
    if images.ndim == 3:
        return tensor.unsqueeze(1)
    first, middle, last = images.shape[1:]
    if first < min(middle, last):
        return tensor
    if last < min(first, middle):
        return tensor.permute(0, 3, 1, 2).contiguous()
    raise DataError(
        f"the channels are the axis smaller than height and width, but {key} in {file} has the shape {images.shape}, "
        "where neither the second nor the last axis is: leave the axis out for grey images, or enlarge the images"
    )


def _labels(file: Path, key: str, labels: Array, n_images: int) -> Tensor:
    if labels.ndim == 2 and labels.shape[1] == 1:  # as Keras saves them
        labels = labels[:, 0]
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        raise DataError(
            f"labels must be integers in one dimension, but {key} in {file} is {labels.dtype} of shape {labels.shape}: "
            "convert it, from one-hot by y.argmax(1)"
        )
    if len(labels) != n_images:
        raise DataError(
            f"there must be a label for each image, but {file} has {n_images:,} images and {len(labels):,} labels in "
            f"{key}: add or remove some"
        )
    return torch.from_numpy(labels.astype(np.int64))


def _count_classes(file: Path, labels: Tensor) -> int:
    distinct = sorted(set(labels.tolist()))
    if distinct != list(range(len(distinct))):
        wrong = next(label for n, label in enumerate(distinct) if n != label)
        raise DataError(
            f"labels must be 0, 1, 2 and so on without a gap, but y_train in {file} has {wrong} where "
            f"{distinct.index(wrong)} should be: renumber them"
        )
    if len(distinct) < 2:
        raise DataError(
            f"a data set needs at least two classes, but y_train in {file} has only one: add images of another"
        )
    return len(distinct)
