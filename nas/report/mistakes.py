"""What a network takes for what: confusions, and the images that it finds hardest."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import optuna
import torch
from torch import Tensor

from nas import datasets
from nas.confirmed import Confirmed, confirmations
from nas.datasets import Dataset
from nas.errors import DataError
from nas.export.trials import frozen_model
from nas.module import Network
from nas.records import Record
from nas.study import terms_of
from nas.training import EVALUATION_BATCH

Matrix = tuple[tuple[int, ...], ...]  # [true class][predicted class] -> images


class Hard(NamedTuple):
    """An image that was taken for the wrong class, or nearly so. `certainty`: the softmax of the predicted class."""

    image: Tensor  # uint8, (channels, height, width)
    true: str
    predicted: str
    certainty: float

    @property
    def wrong(self) -> bool:
        return self.true != self.predicted


class Confusion(NamedTuple):
    """A confusion of classes; the most frequent ones are what one wants to know of many classes."""

    true: str
    predicted: str
    images: int


@dataclass(frozen=True)
class Mistakes:
    """What a network does on images that it was not trained on."""

    classes: tuple[str, ...]
    confusion: Matrix
    hardest: tuple[Hard, ...]


def on_validation_part(
    study: optuna.Study, record: Record, checkpoints: Path, data_dir: Path | None = None, n_hardest: int = 16
) -> Mistakes:
    """The trial's stored network on the validation part. Nothing is fetched.

    Raises `DataError`, `StudyError` or `ExportError` with what is missing: the data set as it was, or the weights.
    """
    terms = terms_of(study)
    dataset = _present(terms.dataset, data_dir)
    if dataset.fingerprint != terms.dataset_fingerprint:
        raise DataError(f"{terms.dataset} has changed since the study was made")
    split = datasets.split(dataset, terms.n_validation, terms.split_seed)
    network = frozen_model(study, record, None, dataset, split, checkpoints).network()
    return mistakes(network, split.validation_images, split.validation_labels, dataset.classes, n_hardest)


@torch.no_grad()
def mistakes(network: Network, images: Tensor, labels: Tensor, classes: tuple[str, ...], n_hardest: int) -> Mistakes:
    """What the network does on these images, and the `n_hardest` with the least probability for their true class.

    `images` uint8, `(n, channels, height, width)`, and `labels` int64, `(n,)`, indices of `classes`; all of it, the
    network too, in CPU memory.
    """
    chances = torch.cat([network(batch).softmax(1) for batch in images.split(EVALUATION_BATCH)])
    predicted = chances.argmax(1)
    n = len(classes)
    matrix = torch.bincount(labels * n + predicted, minlength=n * n).view(n, n)
    order = chances[torch.arange(len(labels)), labels].argsort(stable=True)[:n_hardest].tolist()
    hardest = [
        Hard(images[i], classes[labels[i]], classes[predicted[i]], chances[i, predicted[i]].item()) for i in order
    ]
    return Mistakes(classes, tuple(tuple(row) for row in matrix.tolist()), tuple(hardest))


def most_frequent(classes: Sequence[str], confusion: Matrix, n: int) -> list[Confusion]:
    """The most frequent confusions of one class with another, the most frequent first."""
    found = [
        Confusion(classes[i], classes[j], images)
        for i, row in enumerate(confusion)
        for j, images in enumerate(row)
        if i != j and images
    ]
    return sorted(found, key=lambda each: -each.images)[:n]


def last_confirmed(study: optuna.Study) -> Confirmed | None:
    """What was confirmed last, by the time of its readings of the test set."""
    return max(confirmations(study), key=lambda found: max(r.time for r in found.readings), default=None)


def _present(name: str, data_dir: Path | None) -> Dataset:
    """A data set that is here; one that would have to be fetched is missing."""
    if not name.startswith(("folder:", "npz:")) and datasets.where(name, data_dir) is None:
        raise DataError(f"the data set {name} is not here: fetch it, or give its --data-dir")
    return datasets.load(name, data_dir)
