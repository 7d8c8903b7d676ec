"""Which exported file is the model of which trial."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from nas.export.frozen import identity
from nas.export.words import visible
from nas.study.confirmation import Confirmed
from nas.study.record import Record

LARGEST = 2_000_000  # bytes of a .py file that is looked into
BESIDE = (".safetensors", ".onnx", ".pt2", ".c", ".h", ".md", ".sh")  # what else an export may have written
# What models exported by nas 0.1.0 said of themselves, in their docstrings alone.
MADE = re.compile(r"Made by trial (?P<trial>\d+) of the study '(?P<study>.*)', with seed (?P<seed>\d+) and ")
ACCURACY = re.compile(r"Accuracy: (?P<percent>[\d.]+) % \(")
CONFIRMED = re.compile(r"Confirmed: .* network of the first seed, with (?P<percent>[\d.]+) % of [\d,]+ test images")


@dataclass(frozen=True)
class Export:
    """An exported model, and what it states of where it comes from: some of what `_stated_of` a trial."""

    file: Path
    params: int
    stated: Mapping[str, Any]

    @property
    def trial(self) -> int:
        """The number of the trial."""
        number: int = self.stated["trial"]
        return number

    @property
    def files(self) -> tuple[Path, ...]:
        """The source, and what still lies beside it: weights, other formats, the card, the script."""
        beside = (self.file.with_suffix(suffix) for suffix in BESIDE)
        return (self.file, *(file for file in beside if file.is_file()))

    def is_of(self, study: str, record: Record, confirmed: Confirmed | None = None) -> bool:
        """Whether it is the model of this trial, or that of its confirmation: all that it states must be so."""
        if not record.finished or record.cost is None or self.params != record.cost.params:
            return False
        expected = _stated_of(study, record, confirmed if self.stated["confirmed"] else None)
        return all(expected.get(key) == value for key, value in self.stated.items())


def exports(folders: Iterable[Path]) -> Iterator[Export]:
    """The exported models that lie in these folders. Their source is read, and not run."""
    for folder in dict.fromkeys(folder.resolve() for folder in folders):
        for file in sorted(folder.glob("*.py")):
            if (export := read(file)) is not None:
                yield export


def read(file: Path) -> Export | None:
    """What a file says of itself; None if it is no exported model of a trial."""
    try:
        state = file.stat()
    except OSError:
        return None
    return _read(file, state.st_mtime_ns, state.st_size) if state.st_size <= LARGEST else None


@lru_cache(maxsize=10_000)
def _read(file: Path, changed: int, size: int) -> Export | None:
    """Once until the file changes: a page in the browser asks every few seconds, and folders hold more than models."""
    try:
        tree = ast.parse(file.read_text("utf-8"))
        constants = dict(_constants(tree))
        stated = constants.get("PROVENANCE") or _stated_in_prose(ast.get_docstring(tree) or "")
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    params = constants.get("NUM_PARAMS")
    if not isinstance(stated, dict) or not {"trial", "confirmed"} <= stated.keys() or not isinstance(params, int):
        return None
    return Export(file, params, stated)


def _constants(tree: ast.Module) -> Iterator[tuple[str, Any]]:
    """Names that the module assigns plain data to."""
    for statement in tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=("NUM_PARAMS" | "PROVENANCE") as name)], value=value):
                yield name, ast.literal_eval(value)


def _stated_in_prose(docstring: str) -> dict[str, Any] | None:
    text = " ".join(docstring.split())
    made, confirmed = MADE.search(text), CONFIRMED.search(text)
    accuracy = confirmed or ACCURACY.search(text)
    if made is None or accuracy is None:
        return None
    return {
        "shown study": made["study"],
        "trial": int(made["trial"]),
        "seed": int(made["seed"]),
        "confirmed": confirmed is not None,
        "shown accuracy": accuracy["percent"],
    }


def _stated_of(study: str, record: Record, confirmed: Confirmed | None) -> dict[str, Any]:
    """What the model of a trial, or of its confirmation, may state of itself, in all versions."""
    seed, accuracy, shown = record.seed, record.accuracy, record.accuracy
    if confirmed is not None:
        seed, accuracy, shown = confirmed.seeds[0], confirmed.history[-1], confirmed.readings[0].accuracy
    return {
        **identity(study, record.trial, seed or 0, accuracy or 0.0, confirmed=confirmed is not None),
        "shown study": visible(study),
        "shown accuracy": f"{100 * (shown or 0.0):.2f}",
    }
