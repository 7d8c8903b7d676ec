"""Which exported file is the model of which trial."""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nas.export.words import visible
from nas.records import Record

LARGEST = 2_000_000  # bytes of a .py file that is looked into
# What nas.export.words says in the docstring of an exported model.
MADE = re.compile(r"Made by trial (?P<trial>\d+) of the study '(?P<study>.*)', with seed (?P<seed>\d+) and ")
SIZE = re.compile(r"with (?P<params>[\d,]+) parameters\. ")
ACCURACY = re.compile(r"Accuracy: (?P<percent>[\d.]+) % \(")


@dataclass(frozen=True)
class Export:
    """An exported model, and where its own docstring says that it comes from. `study` is as `visible` writes it."""

    file: Path
    trial: int
    study: str
    seed: int
    params: int
    percent: str

    @property
    def files(self) -> tuple[Path, ...]:
        """The source, and the weights where they still lie beside it."""
        weights = self.file.with_suffix(".safetensors")
        return (self.file, weights) if weights.is_file() else (self.file,)

    def is_of(self, study: str, record: Record) -> bool:
        """Whether it is the model of this trial.

        A name tells too little: several studies have a trial 3, and `nas export --name` gives any other. Trial, study,
        seed, size and accuracy must all be the same.
        """
        return (
            record.finished
            and record.cost is not None
            and record.accuracy is not None
            and (self.trial, self.study, self.seed) == (record.trial, visible(study), record.seed)
            and (self.params, self.percent) == (record.cost.params, f"{100 * record.accuracy:.2f}")
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
        if file.stat().st_size > LARGEST:
            return None
        text = " ".join((ast.get_docstring(ast.parse(file.read_text("utf-8"))) or "").split())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    made, size, accuracy = MADE.search(text), SIZE.search(text), ACCURACY.search(text)
    if made is None or size is None or accuracy is None:
        return None
    params = int(size["params"].replace(",", ""))
    return Export(file, int(made["trial"]), made["study"], int(made["seed"]), params, accuracy["percent"])
