"""What all tests share: MNIST, read once."""

import os
from pathlib import Path

import pytest

from nas import datasets
from nas.datasets import Dataset

BESIDE = Path(__file__).parent.parent.parent / "shared" / "data"


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Where the tests find MNIST: NAS_DATA_DIR, else a folder beside the repository, else fetched into the cache."""
    if named := os.environ.get("NAS_DATA_DIR"):
        return Path(named)
    return BESIDE if BESIDE.is_dir() else datasets.fetch("mnist")


@pytest.fixture(scope="session")
def mnist(data_dir: Path) -> Dataset:
    return datasets.load("mnist", data_dir)
