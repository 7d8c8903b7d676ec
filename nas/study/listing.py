"""A study's trials as rows of plain values: what `nas trials` prints."""

from collections.abc import Sequence
from typing import Any

import optuna

from nas.network.cost import COSTS
from nas.study.record import LISTED, Record, listed_kinds, records, seen_from_outside
from nas.table import per_cent

SORTED_BY = ("trial", "accuracy", "params")


def listed(
    study: optuna.Study, outcomes: Sequence[str] = (), sort: str = "trial", searching: bool = True
) -> list[dict[str, Any]]:
    """One row a trial that began, with `columns_of` these; accuracy is a fraction, and what is not known is None.

    `searching`: whether a search of the study is under way; else what runs in the database was interrupted.
    `outcomes` leaves out all others. By accuracy the best comes first, by params the smallest, what has none last.
    """
    seen = [seen_from_outside(record, searching) for record in records(study)]
    chosen = [record for record in seen if not outcomes or record.outcome in outcomes]
    costs = [kind.name for kind in listed_kinds(seen)]
    return [_row(record, costs) for record in sorted(chosen, key=lambda record: _key(record, sort))]


def columns_of(rows: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """The columns of such rows, in order: a study for a device has more of them."""
    always = (kind.name for kind in LISTED)
    return (
        tuple(rows[0])
        if rows
        else ("trial", "outcome", "accuracy", "epochs", *always, "network", "training", "seconds")
    )


def shown_rows(rows: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    """The rows as they are shown to people."""
    return [{column: _shown(column, value) for column, value in row.items()} for row in rows]


def _row(record: Record, costs: Sequence[str]) -> dict[str, Any]:
    return {
        "trial": record.trial,
        "outcome": record.outcome,
        "accuracy": record.accuracy,
        "epochs": record.epochs,
        **{name: None if record.cost is None else record.cost.get(name) for name in costs},
        "network": record.network,
        "training": record.training,
        "seconds": record.seconds,
    }


def _key(record: Record, sort: str) -> tuple[float, int]:
    if sort == "accuracy":
        return (-record.accuracy if record.accuracy is not None else 1.0), record.trial
    if sort == "params":
        return (record.cost.params if record.cost is not None else float("inf")), record.trial
    return record.trial, record.trial


def _shown(column: str, value: Any) -> str:
    if value is None:
        return "-"
    if column == "accuracy":
        return per_cent(value)
    if column == "seconds":
        return f"{value:.1f}"
    return COSTS[column].shown(value) if column in COSTS else str(value)
