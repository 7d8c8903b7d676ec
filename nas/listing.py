"""A study's trials as rows of plain values: what `nas trials` prints."""

from collections.abc import Sequence
from typing import Any

import optuna

from nas.records import Record, records

COLUMNS = ("trial", "outcome", "accuracy", "epochs", "params", "macs", "network", "training", "seconds")
OUTCOMES = ("finished", "pruned", "rejected", "repeated", "failed", "interrupted", "running")
SORTED_BY = ("trial", "accuracy", "params")


def listed(study: optuna.Study, outcomes: Sequence[str] = (), sort: str = "trial") -> list[dict[str, Any]]:
    """One row a trial that began, with `COLUMNS`; accuracy is a fraction, and what is not known is None.

    `outcomes` leaves out all others. By accuracy the best comes first, by params the smallest, what has none last.
    """
    chosen = [record for record in records(study) if not outcomes or record.outcome in outcomes]
    return [_row(record) for record in sorted(chosen, key=lambda record: _key(record, sort))]


def shown_rows(rows: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    """The rows as they are shown to people."""
    return [{column: _shown(column, row[column]) for column in COLUMNS} for row in rows]


def _row(record: Record) -> dict[str, Any]:
    cost = record.cost
    return {
        "trial": record.trial,
        "outcome": record.outcome,
        "accuracy": record.accuracy,
        "epochs": record.epochs,
        "params": cost.params if cost is not None else None,
        "macs": cost.macs if cost is not None else None,
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
        return f"{100 * value:.2f} %"
    if column == "seconds":
        return f"{value:.1f}"
    return f"{value:,}" if column in ("params", "macs") else str(value)
