"""What a figure shows, as plain data: a page draws it as SVG, the dashboard with plotly.

Each trace says what it means, and each meaning has one colour and one sign wherever it is drawn: `winner`, `finished`,
`stopped` (early, or not over yet), `documented`, and `other` for what finished in a second study.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from math import ceil, floor, log10
from typing import NamedTuple

from nas.report.scale import Scale

SPACE = 0.06  # of an axis at both ends
LOGARITHMIC_FROM = 20  # largest size to smallest
MOST_TICKS = 6
STEPS = (1, 2, 2.5, 5, 10)  # of a decade


class Mark(NamedTuple):
    """A sign in a figure: what it stands for, in lines, the first of which is a heading; `label` stands beside it."""

    x: float
    y: float
    text: str
    label: str = ""


class Line(NamedTuple):
    """Points joined in their order; `stepped`: first sideways, then up or down."""

    points: tuple[tuple[float, float], ...]
    text: str = ""
    stepped: bool = False


@dataclass(frozen=True)
class Trace:
    """What the legend has one entry for."""

    name: str
    means: str
    marks: tuple[Mark, ...] = ()
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True)
class Axis:
    """From `low` at the left or the bottom to `high`, which may be the smaller number. Ticks have values and labels."""

    title: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """Where a value lies: 0 at `low`, 1 at `high`."""
        low, high, value = (log10(n) if self.logarithmic else n for n in (self.low, self.high, value))
        return (value - low) / (high - low)


@dataclass(frozen=True)
class Chart:
    """Traces, of which the last lies on top; `limit`: a line across the figure at this place of the horizontal axis."""

    x: Axis
    y: Axis
    traces: tuple[Trace, ...]
    limit: float | None = None


def accuracy_axis(scale: Scale, title: str) -> Axis:
    """Of errors, told as accuracies."""
    return Axis(title, scale.largest, scale.smallest, tuple(zip(scale.ticks, scale.labels, strict=True)), True)


def size_axis(title: str, sizes: Iterable[float]) -> Axis:
    """That shows all of these sizes; logarithmic where they lie far apart."""
    low, high = min(sizes := list(sizes)), max(sizes)
    if low <= 0 or high < LOGARITHMIC_FROM * low:
        space = SPACE * ((high - low) or high or 1)
        return _linear(title, low - space, high + space)
    space = (high / low) ** SPACE
    low, high = low / space, high * space
    decades = range(floor(log10(low)), ceil(log10(high)))
    ticks = [a * 10.0**power for power, a in product(decades, (1, 2, 5)) if low <= a * 10.0**power <= high]
    return Axis(title, low, high, tuple((tick, _short(tick)) for tick in ticks[:: -(-len(ticks) // MOST_TICKS)]), True)


def epoch_axis(longest: int) -> Axis:
    """Whole epochs, from the first."""
    step = max(1, ceil(longest / 10))
    return Axis("epoch", 0.8, longest + 0.2, tuple((epoch, str(epoch)) for epoch in range(1, longest + 1, step)))


def time_axis(unit: str, longest: float) -> Axis:
    """From 0."""
    return _linear(unit, 0, (longest or 1) * (1 + SPACE))


def _linear(title: str, low: float, high: float) -> Axis:
    rough = (high - low) / MOST_TICKS
    decade = 10.0 ** floor(log10(rough))
    step = next(each * decade for each in STEPS if each * decade >= rough * (1 - 1e-9))
    ticks = (n * step for n in range(ceil(low / step), floor(high / step) + 1))
    return Axis(title, low, high, tuple((tick, _short(tick)) for tick in ticks if tick >= 0))


def _short(value: float) -> str:
    """A round number for the side of a figure."""
    units = ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k"))
    size, sign = next(((size, sign) for least, size, sign in units if value >= least), (1, ""))
    return f"{value / size:,.12g}{sign}"
