"""The winner's figures, and in which arithmetic they are: float32, or the whole numbers of the exported C."""

from collections.abc import Iterable

from nas.network.cost import COSTS
from nas.study.confirmation import Confirmed
from nas.study.record import Record
from nas.study.terms import Terms
from nas.table import Table, per_cent
from nas.training.recipe import Recipe, whole_numbers

IN_FLOAT32 = "in float32"


def in_whole_numbers(of: Terms | Recipe) -> str | None:
    """In which whole numbers accuracies are; None where they are in float32."""
    return f"in {whole_numbers(of.weight_bits)}" if of.quantised else None


def arithmetic(of: Terms | Recipe | None) -> str:
    """In which accuracies are."""
    numbers = None if of is None else in_whole_numbers(of)
    return IN_FLOAT32 if numbers is None else f"{numbers}, as the exported C computes"


def arithmetic_of(record: Record) -> str:
    """Of its accuracy."""
    return arithmetic(record.candidate.recipe if record.candidate is not None else None)


def beside_float(record: Record) -> tuple[str, ...]:
    """What must be known beside an accuracy of whole numbers; nothing of one in float32."""
    numbers = _numbers_of(record)
    if numbers is None:
        return ()
    in_float = "" if record.float_accuracy is None else f"; {per_cent(record.float_accuracy)} {IN_FLOAT32}"
    return (f"{numbers}{in_float}",)


def confirmed_beside_float(confirmed: Confirmed) -> tuple[str, ...]:
    """The same of what was confirmed."""
    if confirmed.float_accuracy is None:
        return ()
    numbers = f"in {whole_numbers(confirmed.weight_bits)}"
    return (f"{numbers}; the same networks {confirmed.float_accuracy.per_cent()} % {IN_FLOAT32}",)


def _numbers_of(record: Record) -> str | None:
    return None if record.candidate is None else in_whole_numbers(record.candidate.recipe)


def in_brackets(parts: Iterable[str]) -> str:
    """Behind a figure in a sentence."""
    text = "; ".join(parts)
    return f" ({text})" if text else ""


def winner_table(record: Record) -> Table:
    """The winner's figures."""
    assert record.cost is not None
    assert record.accuracy is not None
    in_float = [("validation accuracy in float32", per_cent(record.float_accuracy))] if record.float_accuracy else []
    accuracy = ", ".join(filter(None, ("validation accuracy", _numbers_of(record))))
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
