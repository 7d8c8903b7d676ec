"""The winner's figures, and in which arithmetic they are: float32, or the whole numbers of 8 bits of the exported C."""

from collections.abc import Iterable

from nas.network.cost import COSTS
from nas.study.confirmation import Confirmed
from nas.study.record import Record
from nas.table import Table, per_cent

IN_FLOAT32, IN_WHOLE_NUMBERS = "in float32", "in whole numbers of 8 bits, as the exported C computes"


def is_quantised(record: Record) -> bool:
    """Whether its accuracy is that of whole numbers."""
    return record.candidate is not None and record.candidate.recipe.quantised


def arithmetic_of(record: Record) -> str:
    """Of its accuracy."""
    return IN_WHOLE_NUMBERS if is_quantised(record) else IN_FLOAT32


def beside_float(record: Record) -> tuple[str, ...]:
    """What must be known beside an accuracy of whole numbers; nothing of one in float32."""
    if not is_quantised(record):
        return ()
    in_float = "" if record.float_accuracy is None else f"; {per_cent(record.float_accuracy)} {IN_FLOAT32}"
    return (f"in whole numbers of 8 bits{in_float}",)


def confirmed_beside_float(confirmed: Confirmed) -> tuple[str, ...]:
    """The same of what was confirmed."""
    if confirmed.float_accuracy is None:
        return ()
    return (f"in whole numbers of 8 bits; the same networks {confirmed.float_accuracy.per_cent()} % {IN_FLOAT32}",)


def in_brackets(parts: Iterable[str]) -> str:
    """Behind a figure in a sentence."""
    text = "; ".join(parts)
    return f" ({text})" if text else ""


def winner_table(record: Record) -> Table:
    """The winner's figures."""
    assert record.cost is not None
    assert record.accuracy is not None
    in_float = [("validation accuracy in float32", per_cent(record.float_accuracy))] if record.float_accuracy else []
    accuracy = f"validation accuracy{', in whole numbers of 8 bits' * is_quantised(record)}"
    return Table(
        f"Trial {record.trial}",
        ("figure", "value"),
        (
            (accuracy, per_cent(record.accuracy)),
            *in_float,
            *((COSTS[name].label, _amount(name, record.cost[name], record)) for name in record.cost),
            ("layers", record.network),
            ("training", record.training),
        ),
    )


def _amount(name: str, number: float, record: Record) -> str:
    text = f"{COSTS[name].shown(number)} {COSTS[name].unit}".rstrip()
    if name != "latency" or record.timing is None:
        return text
    low, high, n = (record.timing[each] for each in ("low", "high", "n"))
    return f"{text}, median of {n} rounds from {low:.3g} to {high:.3g} ms, before it was trained"
