"""The trials of a study as tables."""

from collections.abc import Sequence

from nas.study.record import LISTED, Record
from nas.table import Table

COLUMNS = tuple(kind.column for kind in LISTED)


def trained_table(records: Sequence[Record]) -> Table:
    """Candidates whose training began."""
    return Table(
        "Trained candidates",
        ("trial", "accuracy (%)", "epochs", "outcome", *COLUMNS, "layers", "training", "seed"),
        tuple(
            (
                str(r.trial),
                f"{100 * r.accuracy:.2f}" if r.accuracy is not None else "–",
                str(r.epochs),
                f"failed: {r.reason}" if r.outcome == "failed" else r.outcome,
                *_costs(r),
                r.network,
                r.training,
                str(r.seed) if r.seed is not None else "–",
            )
            for r in records
            if r.began
        ),
    )


def untrained_table(records: Sequence[Record]) -> Table:
    """All other trials: rejected, repeated, or ended before their training began."""
    return Table(
        "Not trained",
        ("trial", "outcome", *COLUMNS, "reason"),
        tuple(
            (
                str(r.trial),
                r.outcome,
                *_costs(r),
                r.reason or "–",
            )
            for r in records
            if not r.began
        ),
    )


def _costs(record: Record) -> tuple[str, ...]:
    return tuple("–" if record.cost is None else record.cost.shown(kind.name) for kind in LISTED)
