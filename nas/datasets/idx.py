"""IDX files, the format of MNIST and its relatives: read with every claim of the header checked, and written.

The format: two zero bytes, a type code (8: unsigned byte), the number of dimensions, each dimension as a big-endian
32-bit number, then the bytes themselves. A file may be gzipped; what counts is its unpacked content.
"""

import gzip
import hashlib
import math
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path

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
    """Read `path`, plain or `.gz`; DataError if it is not an IDX file of just the size it claims."""
    content = bytearray()
    shape, md5 = _scan(path, n_dimensions, content.extend)
    return IdxFile(torch.frombuffer(content, dtype=torch.uint8).reshape(shape), md5)


def verify(path: Path, n_dimensions: int) -> tuple[tuple[int, ...], str]:
    """Check `path` as `read` does, keeping nothing of its content: the dimensions in its header, and its MD5."""
    return _scan(path, n_dimensions, lambda chunk: None)


def write(path: Path, values: npt.NDArray[np.uint8]) -> None:
    """Write `values` as a plain IDX file."""
    header = struct.pack(f">HBB{values.ndim}I", 0, UNSIGNED_BYTE, values.ndim, *values.shape)
    path.write_bytes(header + values.tobytes())


def _scan(path: Path, n_dimensions: int, receive: Callable[[bytes], None]) -> tuple[tuple[int, ...], str]:
    try:
        with _open(path) as file:
            header, shape = _read_header(path, file, n_dimensions)
            md5 = hashlib.md5(header, usedforsecurity=False)
            for chunk in _chunks(path, file, math.prod(shape)):
                md5.update(chunk)
                receive(chunk)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}): replace the file or delete it") from error
    return shape, md5.hexdigest()


def _open(path: Path) -> BufferedIOBase:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")


def _read_header(path: Path, file: BufferedIOBase, n_dimensions: int) -> tuple[bytes, tuple[int, ...]]:
    expected = bytes((0, 0, UNSIGNED_BYTE, n_dimensions))
    header = file.read(4 + 4 * n_dimensions)
    if header[:4] != expected:
        raise DataError(
            f"an IDX file of bytes in {n_dimensions} dimension(s) begins with {expected.hex()}, "
            f"but {path} begins with {header[:4].hex() or 'nothing'}: replace the file or delete it"
        )
    if len(header) < 4 + 4 * n_dimensions:
        raise DataError(f"{path} is truncated, it ends inside its header: replace the file or delete it")
    shape = struct.unpack(f">{n_dimensions}I", header[4:])
    if 0 in shape:
        raise DataError(f"{path} holds nothing, its header says {shape}: replace the file or delete it")
    return header, shape


def _chunks(path: Path, file: BufferedIOBase, size: int) -> Iterator[bytes]:
    """Exactly `size` bytes, piece by piece: a header that claims terabytes must not allocate them."""
    remaining = size
    while remaining:
        chunk = file.read(min(CHUNK, remaining))
        if not chunk:
            raise DataError(
                f"{path} is truncated, its header promises {size:,} bytes after it but there are "
                f"{size - remaining:,}: replace the file or delete it"
            )
        yield chunk
        remaining -= len(chunk)
    if file.read(1):
        raise DataError(
            f"{path} holds more than the {size:,} bytes that its header promises: replace the file or delete it"
        )
