"""`nas.predict`: which classes pictures are of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image

from nas.datasets.framing import Framing
from nas.errors import InputError
from nas.prediction.models import Model, open_model
from nas.prediction.pictures import picture
from nas.table import Table, per_cent

BATCH = 256


@dataclass(frozen=True)
class Prediction:
    """Of one picture. `probabilities` by class, the likeliest first; they are the network's own, not calibrated."""

    picture: str
    probabilities: Mapping[str, float]
    inverted: bool
    centred: str = ""  # how, in words, if it was cropped, scaled and moved as the training images were

    @property
    def label(self) -> str:
        """The likeliest class."""
        return next(iter(self.probabilities))

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "picture": self.picture,
            "class": self.label,
            "probability": self.probabilities[self.label],
            "probabilities": dict(self.probabilities),
            "inverted": self.inverted,
            "centred": bool(self.centred),
        }

    def _repr_html_(self) -> str:
        return table([self]).html()


def predict(
    model: str | Path,
    pictures: str | Path | Image | Sequence[str | Path | Image],
    *,
    invert: bool | None = None,
    centre: bool = True,
) -> list[Prediction]:
    """Which classes pictures are of, by an exported model: its .py, .onnx or .c file, which the system's C compiler,
    or the one that CC names, compiles.

    Pictures are files or Pillow's images, of any size, in colour or grey; `invert` makes light dark, which is done by
    itself where the training images say so. Where these all hold what they show in one way, as MNIST does, a picture
    of another size than theirs is cropped, scaled and centred by its mass as they were, unless not `centre` (see
    `nas.prediction.pictures`). Raises `InputError` for a file that is no model, or no picture.
    """
    several = [pictures] if isinstance(pictures, str | Path | Image) else list(pictures)
    if not several:
        raise InputError("there must be a picture to predict, but got none")
    opened = open_model(Path(model))
    framing = opened.framing if centre else None
    named = [
        (f"picture {n}", each) if isinstance(each, Image) else (str(each), Path(each)) for n, each in enumerate(several)
    ]
    found: list[Prediction] = []
    for start in range(0, len(named), BATCH):
        found += _predicted(opened, named[start : start + BATCH], invert, framing)
    return found


def _predicted(
    model: Model, named: Sequence[tuple[str, Path | Image]], invert: bool | None, framing: Framing | None
) -> list[Prediction]:
    taken = [picture(source, model.image_shape, model.mean, invert, framing) for _, source in named]
    shares = model.scores(torch.stack([each.pixels for each in taken])).double().softmax(1)
    return [
        Prediction(name, _ranked(model.classes, row), each.inverted, framing.words if framing and each.centred else "")
        for (name, _), each, row in zip(named, taken, shares.tolist(), strict=True)
    ]


def _ranked(classes: Sequence[str], shares: Sequence[float]) -> dict[str, float]:
    return dict(sorted(zip(classes, shares, strict=True), key=lambda each: -each[1]))


def table(predictions: Sequence[Prediction], top: int = 3) -> Table:
    """One picture: its likeliest classes, one a row; several: one picture a row."""
    notes = _notes(predictions)
    if len(predictions) == 1:
        (only,) = predictions
        rows = tuple((name, per_cent(share)) for name, share in list(only.probabilities.items())[:top])
        return Table(only.picture, ("class", "probability"), rows, notes)
    ahead = ("and then",) if top > 1 else ()
    lines = tuple((each.picture, *_cells(each, top)) for each in predictions)
    return Table("Predictions", ("picture", "class", "probability", *ahead), lines, notes)


def _cells(prediction: Prediction, top: int) -> tuple[str, ...]:
    (label, share), *others = list(prediction.probabilities.items())[:top]
    rest = ", ".join(f"{name} {per_cent(other)}" for name, other in others)
    return (label, per_cent(share), *((rest,) if top > 1 else ()))


def _notes(predictions: Sequence[Prediction]) -> tuple[str, ...]:
    notes = []
    if n := sum(each.inverted for each in predictions):
        which = _which(n, len(predictions))
        notes.append(f"{which} inverted, light to dark, to be as the training images are; --no-invert leaves that.")
    if centred := [each.centred for each in predictions if each.centred]:
        which = _which(len(centred), len(predictions))
        notes.append(
            f"{which} cropped and scaled to be as the training images are, {centred[0]}; --no-centre leaves that."
        )
    return tuple(notes)


def _which(n: int, n_pictures: int) -> str:
    return "It was" if n_pictures == 1 else f"{n} of {n_pictures} pictures {'was' if n == 1 else 'were'}"
