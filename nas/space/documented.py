"""The documented iterations as data: two weeks of hand-tuning, one TOML file each in `studies/documented/`."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from nas import shipped
from nas.errors import InputError, nearest
from nas.network.architecture import Architecture
from nas.space.candidate import Candidate
from nas.training.recipe import Recipe


@dataclass(frozen=True)
class Iteration:
    """One network that people tried, how they trained it, and what they wrote down.

    `structure`: whether the document lists the layers, or gives only a count and changes, from which they were
    reconstructed. Documented accuracies are fractions of the test set: `accuracy` the best epoch's, which was `epoch`.
    """

    name: str
    candidate: Candidate
    structure: Literal["documented", "reconstructed"]
    parameters: int  # as the document says
    accuracy: float
    epoch: int
    first_epoch: float | None
    changed: str
    lesson: str
    notes: tuple[str, ...]
    mean: tuple[float, ...]  # a channel, of images between 0 and 1
    std: tuple[float, ...]


def names() -> tuple[str, ...]:
    """All iterations, in the order in which they were made."""
    return tuple(sorted((path.stem for path in _folder().glob("*.toml")), key=_in_order))


def load(name: str) -> Iteration:
    """The iteration of that name. Raises `InputError` if there is none."""
    if name.upper() not in names():
        hint = nearest(name.upper(), names()) or f": there are {', '.join(names())}"
        raise InputError(f"a documented iteration must be one that exists, but got {name!r}{hint}")
    return iteration_of(name.upper(), tomllib.loads((_folder() / f"{name.upper()}.toml").read_text("utf-8")))


def iteration_of(name: str, data: Mapping[str, Any]) -> Iteration:
    """The iteration that the content of a file stands for; structure and recipe are checked as any others are."""
    figures = data["documented"]
    return Iteration(
        name=name,
        candidate=Candidate(Architecture.from_dict(data["architecture"]), Recipe.from_dict(data["recipe"])),
        structure=data["structure"],
        parameters=figures["parameters"],
        accuracy=figures["accuracy"],
        epoch=figures["epoch"],
        first_epoch=figures.get("first_epoch"),
        changed=data["changed"],
        lesson=data["lesson"],
        notes=tuple(data["notes"]),
        mean=tuple(data["normalisation"]["mean"]),
        std=tuple(data["normalisation"]["std"]),
    )


def _folder() -> Path:
    return shipped.studies() / "documented"


def _in_order(name: str) -> tuple[str, int]:
    """A10 comes after A9."""
    week, number = re.fullmatch(r"([A-Z]+)(\d+)", name).groups()  # type: ignore[union-attr]
    return week, int(number)
