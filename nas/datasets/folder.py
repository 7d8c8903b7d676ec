"""`folder:PATH`: images in files, one folder for each class, as torchvision's ImageFolder: PATH/train/CLASS/*.png.

All images have the same size. They are read as grey (one channel) if every training image is, otherwise as RGB. A test
set in PATH/test, of the same classes, is optional.
"""

import math
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from nas.datasets.dataset import Dataset, fingerprint
from nas.errors import DataError
from nas.progress import track
from nas.table import file_size

EXTENSIONS = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
GREY = {"1", "L"}
COLOUR = {"RGB", "RGBA", "RGBX", "P", "PA", "LA", "La", "RGBa", "CMYK", "YCbCr", "LAB", "HSV"}
Files = Sequence[tuple[Path, int]]  # an image file and its label


def read(name: str, path: str) -> Dataset:
    """The data set `name`, which lies in the folder `path`; DataError naming the file or folder that does not fit."""
    root = Path(path).expanduser().absolute()
    if not (root / "train").is_dir():
        raise DataError(
            f"a folder data set has its images in PATH/train/CLASS/, but there is no folder {root / 'train'}: "
            "check the path, or make that folder"
        )
    classes = _classes(root / "train")
    files = _files(root / "train", classes)
    shape = _common_shape(files)
    has_test = (root / "test").is_dir()
    # Looked at now, because after the search it would be too late.
    test_files = tuple(path for path, _ in _test_files(root, classes, shape)) if has_test else ()
    images, labels = _decode(files, shape)
    return Dataset(
        name=name,
        images=images,
        labels=labels,
        classes=classes,
        fingerprint=fingerprint(images, labels),
        reader=partial(read_test, root, classes, shape) if has_test else None,
        test_files=test_files,
    )


def read_test(root: Path, classes: tuple[str, ...], shape: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
    """The images and labels below root/test, which must have the classes and the shape of the training images."""
    return _decode(_test_files(root, classes, shape), shape)


def _test_files(root: Path, classes: tuple[str, ...], shape: tuple[int, int, int]) -> Files:
    """The test images, their headers checked; DataError naming what does not fit the training images."""
    if odd := set(_classes(root / "test")) ^ set(classes):
        raise DataError(
            f"{root / 'test'} must have the same classes as {root / 'train'}, but only one has "
            f"{', '.join(sorted(odd))}: rename or add folders"
        )
    files = _files(root / "test", classes)
    for path, _ in track(files, "comparing sizes of test images"):
        image_shape = _shape(path)
        if image_shape[1:] != shape[1:] or image_shape[0] > shape[0]:
            raise DataError(
                f"test images must be as the training images, {_describe(shape)}, but {path} is "
                f"{_describe(image_shape)}: convert it"
            )
    return files


def _classes(folder: Path) -> tuple[str, ...]:
    classes = tuple(sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")))
    if len(classes) < 2:
        raise DataError(
            f"a folder data set needs at least two classes, each a folder of images, but {folder} has "
            f"{f'only {classes[0]}' if classes else 'none'}: add folders"
        )
    return classes


def _files(folder: Path, classes: tuple[str, ...]) -> Files:
    files = []
    for label, name in enumerate(classes):
        paths = sorted(path for path in (folder / name).rglob("*") if _is_image(path))
        if not paths:
            extensions = ", ".join(sorted(EXTENSIONS))
            raise DataError(
                f"each class needs at least one image ({extensions}), but {folder / name} has none: add some"
            )
        files += [(path, label) for path in paths]
    return files


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in EXTENSIONS and not path.name.startswith(".") and path.is_file()


def _common_shape(files: Files) -> tuple[int, int, int]:
    """(channels, height, width) of all images, from their headers: an odd one is known before any is decoded."""
    first = files[0][0]
    channels, height, width = _shape(first)
    for path, _ in track(files, "looking at images"):
        image_shape = _shape(path)
        if image_shape[1:] != (height, width):
            raise DataError(
                f"all images of a data set must have one size, but {path} is {image_shape[1]}×{image_shape[2]} and "
                f"{first} is {height}×{width} (height × width): resize them"
            )
        channels = max(channels, image_shape[0])
    return channels, height, width


def _shape(path: Path) -> tuple[int, int, int]:
    try:
        with Image.open(path) as image:
            mode, width, height = image.mode, image.width, image.height
    except Exception as error:  # PIL's readers raise nearly anything on damaged files
        raise _unreadable(path, error) from error
    if mode not in GREY | COLOUR:
        raise DataError(f"images must have 8 bits for each channel, but {path} is of mode {mode!r}: convert it")
    return (1 if mode in GREY else 3), height, width


def _decode(files: Files, shape: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
    n_bytes = len(files) * math.prod(shape)
    if n_bytes > _memory():
        raise DataError(
            f"a data set is held in memory, but {len(files):,} images of {_describe(shape)} take "
            f"{file_size(n_bytes)}, more than this machine has: make them smaller"
        )
    images = torch.empty((len(files), *shape), dtype=torch.uint8)
    for n, (path, _) in enumerate(track(files, "reading images")):
        images[n] = _pixels(path, shape[0])
    return images, torch.tensor([label for _, label in files], dtype=torch.int64)


def _memory() -> float:
    """Bytes of this machine, where the system says so: beyond them it would kill the process without a word."""
    if "SC_PHYS_PAGES" not in getattr(os, "sysconf_names", {}):
        return math.inf
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _pixels(path: Path, channels: int) -> Tensor:
    try:
        with Image.open(path) as image:
            # By way of RGBA, because PIL warns when it converts a palette with a transparent colour straight to RGB.
            through = image.convert("RGBA") if image.mode == "P" else image
            pixels = np.array(through.convert("L" if channels == 1 else "RGB"))
    except Exception as error:  # PIL's decoders raise nearly anything on damaged files
        raise _unreadable(path, error) from error
    return torch.from_numpy(pixels).reshape(*pixels.shape[:2], channels).permute(2, 0, 1)


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(f"{path} cannot be read as an image ({error}): replace or delete it")


def _describe(shape: tuple[int, int, int]) -> str:
    return f"{shape[1]}×{shape[2]} in {'grey' if shape[0] == 1 else 'colour'}"
