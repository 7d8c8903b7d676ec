"""Which exported file is the model of which trial."""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from nas.confirmed import Confirmed
from nas.export.words import visible
from nas.records import Record

LARGEST = 2_000_000  # bytes of a .py file that is looked into
BESIDE = (".safetensors", ".onnx", ".pt2", ".c", ".h", ".md", ".sh")  # what else an export may have written
# What nas.export.words and nas.confirmed say in the docstring of an exported model.
MADE = re.compile(r"Made by trial (?P<trial>\d+) of the study '(?P<study>.*)', with seed (?P<seed>\d+) and ")
SIZE = re.compile(r"with (?P<params>[\d,]+) parameters\. ")
ACCURACY = re.compile(r"Accuracy: (?P<percent>[\d.]+) % \(")
CONFIRMED = re.compile(r"Confirmed: .* network of the first seed, with (?P<percent>[\d.]+) % of [\d,]+ test images")


@dataclass(frozen=True)
class Export:
    """An exported model, and where its own docstring says that it comes from. `study` is as `visible` writes it.

    `percent`: its accuracy, on the validation part, or on the test set if it is `confirmed`.
    """

    file: Path
    trial: int
    study: str
    seed: int
    params: int
    percent: str
    confirmed: bool

    @property
    def files(self) -> tuple[Path, ...]:
        """The source, and what still lies beside it: weights, other formats, the card, the script."""
        beside = (self.file.with_suffix(suffix) for suffix in BESIDE)
        return (self.file, *(file for file in beside if file.is_file()))

    def is_of(self, study: str, record: Record, found: Confirmed | None = None) -> bool:
        """Whether it is the model of this trial, or that of its confirmation.

        A name tells too little: several studies have a trial 3, and `nas export --name` gives any other. Trial, study,
        seed, size and accuracy must all be the same.
        """
        seed, accuracy = record.seed, record.accuracy
        if self.confirmed:
            if found is None or found.trial != record.trial:
                return False
            seed, accuracy = found.seeds[0], found.readings[0].accuracy
        return (
            record.finished
            and record.cost is not None
            and accuracy is not None
            and (self.trial, self.study, self.seed) == (record.trial, visible(study), seed)
            and (self.params, self.percent) == (record.cost.params, f"{100 * accuracy:.2f}")
        )


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
        text = " ".join((ast.get_docstring(ast.parse(file.read_text("utf-8"))) or "").split())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    made, told_size, confirmed = MADE.search(text), SIZE.search(text), CONFIRMED.search(text)
    accuracy = confirmed or ACCURACY.search(text)
    if made is None or told_size is None or accuracy is None:
        return None
    return Export(
        file,
        trial=int(made["trial"]),
        study=made["study"],
        seed=int(made["seed"]),
        params=int(told_size["params"].replace(",", "")),
        percent=accuracy["percent"],
        confirmed=confirmed is not None,
    )
