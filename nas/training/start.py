"""Where a training starts from, if not from random weights: those of an exported model."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
from torch import Tensor

from nas.errors import InputError


@dataclass(frozen=True)
class Start:
    """A file of weights, for whoever trains: small, so that it travels with every job.

    `digest` is that of the file's content; layers named in `anew` begin with random weights all the same.
    """

    file: Path
    digest: str
    anew: tuple[str, ...] = ()

    def weights(self) -> Mapping[str, Tensor]:
        """Those to start from, by name, float32. Raises `InputError` where the file is not what it was."""
        data = content_of(self.file)
        if digest_of_weights(data) != self.digest:
            raise InputError(
                f"weights to go on from must stay as they were when the training began, but {self.file} has another "
                "content: restore it from a copy"
            )
        weights = safetensors.torch.load(data)
        return {name: values for name, values in weights.items() if name.split(".")[0] not in self.anew}


def content_of(file: Path) -> bytes:
    """The bytes of a file of weights; raises `InputError` where it cannot be read."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(
            f"a model to go on from needs its weights, but {file} cannot be read ({error.strerror}): put it back "
            "beside the model"
        ) from error


def digest_of_weights(data: bytes) -> str:
    """Sixteen hexadecimal digits of a file's content."""
    return hashlib.sha256(data).hexdigest()[:16]
