"""Pickles that hold nothing but containers, numbers and numpy arrays; anything else in them is refused.

A pickle can name any function for the reader to call. CIFAR-10 and some copies of MNIST come as pickles, from
elsewhere: so only what builds a numpy array may be named.
"""

import pickle
from io import BufferedIOBase
from typing import Any

import numpy as np


def load(file: BufferedIOBase) -> Any:
    """The content of a pickle, also of one written by Python 2; UnpicklingError if it is more than data."""
    return _ArrayUnpickler(file, encoding="latin1").load()


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        admitted = ADMITTED.get((module.replace("numpy._core", "numpy.core"), name))
        if admitted is None:
            raise pickle.UnpicklingError(f"only arrays are read from a pickle, but it names {module}.{name}")
        return admitted


def _reconstruct(*_: object) -> Any:
    """An empty array that the pickle then fills: all that pickled arrays ask of numpy's function of this name."""
    return np.ndarray.__new__(np.ndarray, (0,), dtype=np.int8)


def _dtype(code: str, align: int = 0, copy: int = 0) -> Any:
    """As numpy.dtype, which warns about the numbers that Python 2 wrote where it wants booleans now."""
    return np.dtype(code, align=bool(align), copy=bool(copy))


ADMITTED = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): _dtype,
}
