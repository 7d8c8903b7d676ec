"""The trials of a study as tables."""

from collections.abc import Sequence

from nas.records import Record
from nas.report.table import Table


def trained_table(records: Sequence[Record]) -> Table:
    """Candidates whose training began."""
    return Table(
        "Trained candidates",
        ("trial", "accuracy (%)", "epochs", "outcome", "parameters", "MACs", "layers", "training", "seed"),
        tuple(
            (
                str(r.trial),
                f"{100 * r.accuracy:.2f}" if r.accuracy is not None else "–",
                str(r.epochs),
                f"failed: {r.reason}" if r.outcome == "failed" else r.outcome,
                f"{r.cost.params:,}" if r.cost else "–",
                f"{r.cost.macs:,}" if r.cost else "–",
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
        ("trial", "outcome", "parameters", "MACs", "reason"),
        tuple(
            (
                str(r.trial),
                r.outcome,
                f"{r.cost.params:,}" if r.cost else "–",
                f"{r.cost.macs:,}" if r.cost else "–",
                r.reason or "–",
            )
            for r in records
            if not r.began
        ),
    )
