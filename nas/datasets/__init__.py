"""Data sets: finding, fetching and verifying them; the validation split; tensors in memory."""

from typing import TYPE_CHECKING

from nas.lazy import lazily

if TYPE_CHECKING:
    from nas.datasets.catalogue import names
    from nas.datasets.dataset import Dataset
    from nas.datasets.loading import fetch, is_here, load, where
    from nas.datasets.splitting import Split, everything, normalisation, shown, split

__all__ = [
    "Dataset",
    "Split",
    "everything",
    "fetch",
    "is_here",
    "load",
    "names",
    "normalisation",
    "shown",
    "split",
    "where",
]

__getattr__, __dir__ = lazily(
    "nas.datasets",
    {
        "names": "nas.datasets.catalogue",
        "Dataset": "nas.datasets.dataset",
        "fetch": "nas.datasets.loading",
        "is_here": "nas.datasets.loading",
        "load": "nas.datasets.loading",
        "where": "nas.datasets.loading",
        "Split": "nas.datasets.splitting",
        "everything": "nas.datasets.splitting",
        "normalisation": "nas.datasets.splitting",
        "shown": "nas.datasets.splitting",
        "split": "nas.datasets.splitting",
    },
)
