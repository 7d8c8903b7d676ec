"""Two studies side by side: what each was asked and found, what it took, and both fronts in one figure."""

from collections.abc import Iterator, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any

import optuna
from optuna.storages import RDBStorage

from nas.network.cost import COSTS
from nas.report.front import Front, front_of
from nas.searching.options import SearchOptions
from nas.study.confirmation import Confirmed, last_confirmed
from nas.study.opening import find_study
from nas.study.status import Status, status
from nas.table import Table, clock, per_cent

UNKNOWN = "–"
DEFAULTS = {each.name: each.default for each in fields(SearchOptions) if each.default is not MISSING}
# Of what a study is made with: contents that a name stands for, and what follows from others.
NOT_SHOWN = ("space_digest", "dataset_fingerprint", "teacher_digest", "n_validation")


@dataclass(frozen=True)
class Side:
    """One of the studies, and how many of its candidates are on the front of both."""

    status: Status
    confirmed: Confirmed | None
    n_finished: int
    n_on_front: int

    @property
    def settings(self) -> dict[str, Any]:
        """What it was made with and what its last search was told, by name."""
        terms = {} if self.status.terms is None else self.status.terms.to_dict()
        limits = {f"most {name}": f"{limit:,}" for name, limit in terms.pop("budget", {}).items() if limit is not None}
        told = {name.replace("_", "-"): value for name, value in (self.status.options or {}).items()}
        own = {name.replace("n_", "images to "): value for name, value in terms.items() if name not in NOT_SHOWN}
        options = {"study", "storage", *(kind.option for kind in COSTS.values())}
        others = {name: value for name, value in told.items() if own.get(name) is None and name not in options}
        return {**own, **limits, **others}


@dataclass(frozen=True)
class Comparison:
    """`front` is that of both together."""

    sides: tuple[Side, Side]
    front: Front

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "studies": [
                {
                    **side.status.to_dict(),
                    "test_accuracy": None if side.confirmed is None else side.confirmed.accuracy.mean,
                    "on_front": side.n_on_front,
                }
                for side in self.sides
            ],
            "differing": {name: list(values) for name, values in _differing(self.sides)},
            "front": self.front.to_dict(),
        }


def compare(storage: RDBStorage, names: Sequence[str], by: str = "params") -> Comparison:
    """Two studies of one database; only reads.

    Raises `StudyError` for one that is not there, or where accuracies of the two cannot be compared, `InputError` for a
    size that there is not.
    """
    studies = [find_study(storage, name) for name in names]
    front = front_of(studies, by)
    first, second = (_side(study, storage, front) for study in studies)
    return Comparison((first, second), front)


def _side(study: optuna.Study, storage: RDBStorage, front: Front) -> Side:
    finished, members = (
        sum(point.study == study.study_name for point in points) for points in (front.points, front.members)
    )
    return Side(status(study, storage), last_confirmed(study), finished, members)


def table(compared: Comparison) -> Table:
    """A row for each figure, and for each setting that is not the same."""
    first, second = compared.sides
    figures = zip(_names(), *map(_figures, compared.sides), strict=True)
    rows = [row for row in figures if row[1:] != (UNKNOWN, UNKNOWN)]
    differing = [(f"setting: {name}", *map(_shown, values)) for name, values in _differing(compared.sides)]
    note = (
        "Accuracies of the search are of one training on the validation part, the last epoch; each was also chosen by "
        "it. Time is that in which at least one candidate was trained."
    )
    same = "" if differing else " All settings are the same."
    return Table(
        "Two studies", ("figure", first.status.study, second.status.study), (*rows, *differing), (note + same,)
    )


def _names() -> Iterator[str]:
    yield from ("best validation accuracy", "test accuracy, confirmed")
    yield from (COSTS[name].noun for name in COSTS)
    yield from ("trials", "epochs trained", "time", "on the front of both")


def _figures(side: Side) -> Iterator[str]:
    best, confirmed, counts = side.status.best, side.confirmed, side.status.counts
    yield UNKNOWN if best is None or best.accuracy is None else f"{per_cent(best.accuracy)} (trial {best.trial})"
    yield UNKNOWN if confirmed is None else f"{confirmed.accuracy.per_cent()} % (trial {confirmed.trial})"
    cost = None if best is None else best.cost
    yield from (UNKNOWN if cost is None or name not in cost else cost.shown(name) for name in COSTS)
    yield ", ".join(f"{n:,} {outcome}" for outcome, n in counts.items() if n) or UNKNOWN
    yield f"{side.status.epochs:,}"
    yield clock(side.status.seconds)
    yield f"{side.n_on_front:,} of {side.n_finished:,} finished"


def _differing(sides: tuple[Side, Side]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    first, second = (side.settings for side in sides)
    for name in {**first, **second}:
        values = first.get(name), second.get(name)
        if values[0] != values[1]:
            default = DEFAULTS.get(name.replace("-", "_"))
            yield name, tuple(default if value is None else value for value in values)


def _shown(value: Any) -> str:
    return UNKNOWN if value is None else f"{value:,}" if isinstance(value, int) else str(value)
