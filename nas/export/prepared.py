"""What a format makes of a trained network, before it is checked and handed over."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from nas.export.figures import Figure


@dataclass(frozen=True, eq=False)
class Images:
    """The images an export may use, uint8, `(n, channels, height, width)`; never those of a test set.

    `validation` with its `labels` (int64, `(n,)`): what the model's accuracy was measured on, and files are checked
    with. `training`: others, from which a format that needs to know the activations' ranges takes them.
    """

    validation: Tensor
    labels: Tensor
    training: Tensor | None = None


@dataclass(frozen=True)
class Prepared:
    """The files of one format by name. `check` is given the folder they lie in, and raises `ExportError`.

    `notes` are what the user must know of them, a line each; `figures` are rows of the model card.
    """

    contents: Mapping[str, bytes]
    check: Callable[[Path], None]
    notes: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
