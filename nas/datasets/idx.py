"""IDX files, the format of MNIST and its relatives: read with every claim of the header checked, and written.

The format: two zero bytes, a type code (8: unsigned byte), the number of dimensions, each dimension as a big-endian
32-bit number, then the bytes themselves. A file may be gzipped; what counts is its unpacked content.
"""

import gzip
import hashlib
import math
import struct
import zlib
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nas.errors import DataError

UNSIGNED_BYTE = 8
CHUNK = 1 << 20


@dataclass(frozen=True)
class IdxFile:
    """The content of one verified file."""

    values: Tensor  # uint8, of the dimensions in the header
    md5: str  # of the unpacked file, as published for the official data sets


def read(path: Path, n_dimensions: int) -> IdxFile:
    """Read `path` (plain, or gzipped if it ends in .gz); DataError if it is not an IDX file of just the size it claims."""
    try:
        with _open(path) as file:
            header, shape = _read_header(path, file, n_dimensions)
            content = _read_content(path, file, math.prod(shape))
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}): replace the file or delete it") from error
    md5 = hashlib.md5(header, usedforsecurity=False)
    md5.update(content)
    return IdxFile(torch.frombuffer(content, dtype=torch.uint8).reshape(shape), md5.hexdigest())


def write(path: Path, values: npt.NDArray[np.uint8]) -> None:
    """Write `values` as a plain IDX file."""
    header = struct.pack(f">HBB{values.ndim}I", 0, UNSIGNED_BYTE, values.ndim, *values.shape)
    path.write_bytes(header + values.tobytes())


def _open(path: Path) -> AbstractContextManager[IO[bytes]]:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")


def _read_header(path: Path, file: IO[bytes], n_dimensions: int) -> tuple[bytes, tuple[int, ...]]:
    expected = bytes((0, 0, UNSIGNED_BYTE, n_dimensions))
    header = file.read(4 + 4 * n_dimensions)
    if header[:4] != expected:
        raise DataError(
            f"an IDX file of bytes in {n_dimensions} dimension(s) begins with {expected.hex()}, "
            f"but {path} begins with {header[:4].hex() or 'nothing'}: replace the file or delete it"
        )
    if len(header) < 4 + 4 * n_dimensions:
        raise DataError(f"{path} ends inside its header: replace the file or delete it")
    shape = struct.unpack(f">{n_dimensions}I", header[4:])
    if 0 in shape:
        raise DataError(f"{path} holds nothing, its header says {shape}: replace the file or delete it")
    return header, shape


def _read_content(path: Path, file: IO[bytes], size: int) -> bytearray:
    """Exactly `size` bytes, in chunks: a header that claims terabytes must not allocate them."""
    content = bytearray()
    while len(content) <= size and (chunk := file.read(min(CHUNK, size + 1 - len(content)))):
        content += chunk
    if len(content) != size:
        found = "more" if len(content) > size else f"only {len(content):,}"
        raise DataError(
            f"the header of {path} promises {size:,} bytes after it, but there are {found}: replace the file or delete it"
        )
    return content
