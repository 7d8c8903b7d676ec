"""The Pareto front: which candidates have more accuracy than every smaller one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import optuna

from nas.errors import InputError, StudyError, nearest
from nas.network.cost import COSTS, cost_of
from nas.space import documented
from nas.study.record import ranked
from nas.study.terms import Terms, terms_of
from nas.table import Table

DRAWN_OVER = "mnist"  # the data set of the documented iterations
ON_TEST = "documented, best epoch on the test set"


class Point(NamedTuple):
    """A network by its size and its accuracy, a fraction; `label` says which one: `trial 7` or `B5`."""

    label: str
    study: str
    size: float
    accuracy: float
    network: str


@dataclass(frozen=True)
class Front:
    """All finished candidates, those on the front by size, and the documented iterations for comparison.

    Accuracies are those of the validation part after the last epoch; `documented` has best epochs on the test set, and
    is empty for other data. `limit`: the budget, where all studies have the same one.
    """

    by: str  # the name of a cost
    points: tuple[Point, ...]
    members: tuple[Point, ...]
    documented: tuple[Point, ...]
    limit: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON: the front, how many candidates it is of, and the documented iterations."""
        return {
            "by": self.by,
            "limit": self.limit,
            "n_candidates": len(self.points),
            "front": [point._asdict() for point in self.members],
            "documented": [point._asdict() for point in pareto(self.documented)],
        }


def pareto(points: Iterable[Point]) -> tuple[Point, ...]:
    """The points that no other dominates, by size: none is at most as large and at least as accurate, and not equal.

    Points of the same size and accuracy do not dominate each other: they are on the front together or not at all.
    """
    members: list[Point] = []
    for point in sorted(points, key=lambda p: (p.size, -p.accuracy)):
        best = members[-1] if members else None
        if best is None or point.accuracy > best.accuracy or (point.size, point.accuracy) == (best.size, best.accuracy):
            members.append(point)
    return tuple(members)


def front_of(studies: Sequence[optuna.Study], by: str = "params") -> Front:
    """The front over the finished trials of one or several studies; empty if there are none.

    Raises `StudyError` if accuracies of the studies cannot be compared, `InputError` for another size.
    """
    if by not in COSTS:
        raise InputError(f"a front is by one of {', '.join(COSTS)}, but got {by!r}{nearest(by, COSTS)}")
    terms = [terms_of(study) for study in studies]
    _check_comparable(studies, terms)
    points = tuple(point for study in studies for point in _finished(study, by))
    limits = {each.budget.get(by) for each in terms}
    on_mnist = all(each.dataset == DRAWN_OVER for each in terms)
    return Front(
        by,
        points,
        pareto(points),
        _documented(by) if on_mnist else (),
        limits.pop() if len(limits) == 1 else None,
    )


def table(front: Front) -> Table:
    """The front as a table. Raises `StudyError` if nothing is finished."""
    if not front.points:
        raise StudyError("a front needs a finished trial, but the study has none: search on, or name another study")
    several = len({point.study for point in front.points}) > 1
    columns = ("study",) * several + ("network", COSTS[front.by].noun, "accuracy (%)", "layers")
    rows = [
        (point.study,) * several
        + (point.label, COSTS[front.by].shown(point.size), f"{100 * point.accuracy:.2f}", point.network)
        for point in front.members
    ]
    return Table(
        f"Pareto front of accuracy against {COSTS[front.by].noun}",
        columns,
        tuple(rows),
        (
            f"Validation part, last epoch; {len(front.members)} of {len(front.points)} finished candidates. Each was "
            "also chosen by this figure, which is therefore optimistic.",
        ),
    )


def documented_table(front: Front) -> Table:
    """The documented iterations, the best for their size first."""
    return Table(
        "Documented iterations",
        ("iteration", COSTS[front.by].noun, "accuracy (%)", "layers"),
        tuple(
            (p.label, COSTS[front.by].shown(p.size), f"{100 * p.accuracy:.2f}", p.network)
            for p in pareto(front.documented)
        ),
        (
            f"Those of the {len(front.documented)} that no other of them dominates. These are best epochs on the test "
            "set, as documented: not the same figure as above, and a more flattering one.",
        ),
    )


def _row(point: Point, front: Front) -> tuple[str, ...]:
    return point.label, COSTS[front.by].shown(point.size), f"{100 * point.accuracy:.2f}", point.network


def _finished(study: optuna.Study, by: str) -> list[Point]:
    return [
        Point(f"trial {record.trial}", study.study_name, record.cost[by], record.accuracy, record.network)
        for record in ranked(study)
        if record.cost is not None and by in record.cost and record.accuracy is not None
    ]


def _documented(by: str) -> tuple[Point, ...]:
    """None by a cost that is not counted: it depends on the device."""
    if not COSTS[by].counted:
        return ()
    iterations = map(documented.load, documented.names())
    return tuple(
        Point(
            each.name,
            ON_TEST,
            cost_of(each.candidate.architecture)[by],
            each.accuracy,
            str(each.candidate.architecture),
        )
        for each in iterations
    )


def _check_comparable(studies: Sequence[optuna.Study], terms: Sequence[Terms]) -> None:
    for study, each in zip(studies[1:], terms[1:], strict=True):
        if _measured_on(each) != _measured_on(terms[0]):
            raise StudyError(
                f"studies of one front must have the same data and validation part, but {studies[0].study_name!r} and "
                f"{study.study_name!r} do not: name studies that can be compared"
            )


def _measured_on(terms: Terms) -> tuple[str, int, int]:
    return terms.dataset_fingerprint, terms.n_validation, terms.split_seed
