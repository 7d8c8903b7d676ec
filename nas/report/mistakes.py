"""What a network takes for what: confusions, and the images that it finds hardest."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import optuna
import torch
from torch import Tensor

from nas.datasets.splitting import Split
from nas.export.c.learning import whole_numbers_for
from nas.export.frozen import FrozenModel
from nas.export.trials import frozen_model
from nas.study.data import data_of
from nas.study.record import Record
from nas.training.run import EVALUATION_BATCH

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
    """What a network does on images that it was not trained on, in the arithmetic that counts in its study."""

    classes: tuple[str, ...]
    confusion: Matrix
    hardest: tuple[Hard, ...]


def on_validation_part(
    study: optuna.Study, record: Record, checkpoints: Path, data_dir: Path | None = None, n_hardest: int = 16
) -> Mistakes:
    """The trial's stored network on the validation part. Nothing is fetched.

    Raises `DataError`, `StudyError` or `ExportError` with what is missing: the data set as it was, or the weights.
    """
    dataset, split = data_of(study, data_dir, fetch=False)
    model = frozen_model(study, record, None, dataset, split, checkpoints)
    return mistakes(scores(model, split), split.validation_images, split.validation_labels, dataset.classes, n_hardest)


@torch.no_grad()
def scores(model: FrozenModel, split: Split) -> Tensor:
    """Of the validation part, `(n, n_classes)`: in whole numbers of 8 bits where the model was chosen by these."""
    network, quantiser, images = model.network(), whole_numbers_for(model.recipe), split.validation_images
    if quantiser is not None:
        return quantiser.scores(model.architecture, network, split, images)
    return torch.cat([network(batch) for batch in images.split(EVALUATION_BATCH)])


def mistakes(scores: Tensor, images: Tensor, labels: Tensor, classes: tuple[str, ...], n_hardest: int) -> Mistakes:
    """What these `scores` say of these images, and the `n_hardest` with the least probability for their true class.

    `scores` `(n, n_classes)`, `images` uint8, `(n, channels, height, width)`, and `labels` int64, `(n,)`, indices of
    `classes`; all in CPU memory.
    """
    chances = scores.softmax(1)
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
    confusions = [
        Confusion(classes[i], classes[j], images)
        for i, row in enumerate(confusion)
        for j, images in enumerate(row)
        if i != j and images
    ]
    return sorted(confusions, key=lambda each: -each.images)[:n]
