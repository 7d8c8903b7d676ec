"""CIFAR-10's batches: pickles of 10,000 images each, written by Python 2."""

import hashlib
import pickle
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nas.datasets import pickles
from nas.errors import DataError

IMAGE_SHAPE = (3, 32, 32)
N_BYTES = 3 * 32 * 32


def read(path: Path) -> tuple[Tensor, Tensor, str]:
    """Images (uint8, (n, 3, 32, 32)), labels (int64) and MD5 of one batch; DataError if that is not what it holds."""
    try:
        content = path.read_bytes()
        batch = pickles.load(BytesIO(content))
        images, labels = batch["data"], np.asarray(batch["labels"])
    except (OSError, MemoryError) as error:
        raise DataError(f"{path} cannot be read ({error}): replace the file or delete it") from error
    except Exception as error:  # a damaged pickle raises nearly anything
        raise _damaged(path, error) from error
    _check(path, images, labels)
    return (
        torch.from_numpy(images.reshape(-1, *IMAGE_SHAPE)),
        torch.from_numpy(labels.astype(np.int64)),
        hashlib.md5(content, usedforsecurity=False).hexdigest(),
    )


def _check(path: Path, images: Any, labels: Any) -> None:
    if not (
        isinstance(images, np.ndarray) and images.dtype == np.uint8 and images.ndim == 2 and images.shape[1] == N_BYTES
    ):
        raise _damaged(path, f"its data are not rows of {N_BYTES} bytes")
    if labels.dtype.kind not in "iu" or labels.shape != (len(images),) or not len(labels):
        raise _damaged(path, f"it has {len(images):,} images and labels of shape {labels.shape}")


def _damaged(path: Path, reason: object) -> DataError:
    kind = "is no pickle of arrays alone" if isinstance(reason, pickle.UnpicklingError) else "is no batch of CIFAR-10"
    return DataError(f"{path} {kind} ({reason}): replace the file or delete it")
