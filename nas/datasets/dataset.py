"""What a data set is once it is in memory."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from nas.errors import DataError

ReadTest = Callable[[], tuple[Tensor, Tensor]]


@dataclass(frozen=True, eq=False)
class Dataset:
    """The training images, in memory; the test images stay on disk until someone confirms.

    It can be pickled: `reader` is a function of a module with its arguments, not a closure.
    """

    name: str  # as given: "mnist", "folder:PATH"
    images: Tensor  # uint8, (n, channels, height, width)
    labels: Tensor  # int64, (n,), 0 .. n_classes - 1
    classes: tuple[str, ...]
    fingerprint: str  # of the training images and labels: stored with a study, compared when it goes on
    notes: tuple[str, ...] = ()  # what the user should know about these files: shown once, stored with the study
    reader: ReadTest | None = field(default=None, repr=False)  # None: there is no test set
    test_files: tuple[Path, ...] = field(default=(), repr=False)  # that the reader reads

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        _, channels, height, width = self.images.shape
        return channels, height, width

    @property
    def n_classes(self) -> int:
        return len(self.classes)

    def read_test(self) -> tuple[Tensor, Tensor]:
        """Break the seal: read the test images (uint8, (n, channels, height, width)) and labels (int64) from disk now.

        Only confirming a winner, and comparing with documented test figures, may call this. Raises DataError if there
        is no test set or its files are damaged.
        """
        if self.reader is None:
            raise DataError(
                f"a winner is confirmed on a test set, but {self.name} has none: add one beside its training part"
            )
        try:
            return self.reader()
        except OSError as error:
            raise DataError(f"the test images of {self.name} cannot be read ({error}): see to that file") from error

    def test_checksum(self) -> str:
        """Of the files of the test set, which are not decoded: equal ones hold the same images and labels."""
        digest = hashlib.sha256()
        for path in self.test_files:
            digest.update(f"{path.parent.name}/{path.name}\0".encode(errors="surrogateescape"))
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()[:16]


def fingerprint(images: Tensor, labels: Tensor) -> str:
    """The first 16 hexadecimal digits of a SHA-256 over shape, images and labels: equal content, equal fingerprint."""
    digest = hashlib.sha256(str(tuple(images.shape)).encode())
    digest.update(images.contiguous().numpy().data)
    digest.update(labels.contiguous().numpy().data)
    return digest.hexdigest()[:16]
