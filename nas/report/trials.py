"""The trials of a study as tables."""

from collections.abc import Sequence

from nas.network.cost import CostKind
from nas.study.record import Record, listed_kinds
from nas.table import Table


def trained_table(records: Sequence[Record]) -> Table:
    """Candidates whose training began."""
    kinds = listed_kinds(records)
    return Table(
        "Trained candidates",
        ("trial", "accuracy (%)", "epochs", "outcome", *(kind.column for kind in kinds), "layers", "training", "seed"),
        tuple(
            (
                str(r.trial),
                f"{100 * r.accuracy:.2f}" if r.accuracy is not None else "–",
                str(r.epochs),
                f"failed: {r.reason}" if r.outcome == "failed" else r.outcome,
                *_costs(r, kinds),
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
    kinds = listed_kinds(records)
    return Table(
        "Not trained",
        ("trial", "outcome", *(kind.column for kind in kinds), "reason"),
        tuple(
            (
                str(r.trial),
                r.outcome,
                *_costs(r, kinds),
                r.reason or "–",
            )
            for r in records
            if not r.began
        ),
    )


def _costs(record: Record, kinds: Sequence[CostKind]) -> tuple[str, ...]:
    return tuple("–" if record.cost is None else record.cost.shown(kind.name) for kind in kinds)
