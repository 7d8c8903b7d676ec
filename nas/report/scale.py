"""The axis of accuracies in figures: logarithmic in the error, so that 99.0, 99.5 and 99.75 % are equally far apart."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from math import floor, log10

MARGIN = 1.12  # free space at both ends, as a factor of the error
FEWEST_TICKS, MOST_TICKS = 4, 12
NO_ERROR = 1e-9  # what rounding leaves of none
STEPS = ((1, 2, 5), range(1, 10), [n / 10 for n in range(10, 100)])  # of a decade, coarse to fine


@dataclass(frozen=True)
class Scale:
    """From the largest error at the bottom to the smallest at the top; `ticks` are errors, the largest first."""

    largest: float
    smallest: float
    ticks: tuple[float, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The ticks as accuracies, such as `99.5 %`."""
        return tuple(f"{100 - 100 * error:.4f}".rstrip("0").rstrip(".") + " %" for error in self.ticks)

    def error(self, accuracy: float) -> float:
        """Where an accuracy lies; one without any errors lies at the upper end."""
        return 1 - accuracy if 1 - accuracy > NO_ERROR else self.smallest


def scale_of(accuracies: Iterable[float]) -> Scale:
    """The scale that shows all of them."""
    errors = sorted({1 - accuracy for accuracy in accuracies})
    some = [error for error in errors if error > NO_ERROR] or [0.01]
    smallest = some[0] / (2 if errors and errors[0] <= NO_ERROR else 1)  # half an error stands for none
    low, high = smallest / MARGIN, some[-1] * MARGIN
    return Scale(high, low, tuple(_ticks(low, high)))


def _ticks(low: float, high: float) -> Sequence[float]:
    """Coarse ones first, and finer ones where there is room: no label lies on another."""
    decades = [10.0**power for power in range(floor(log10(low)), floor(log10(high)) + 1)]
    apart = log10(high / low) / (MOST_TICKS - 1)
    ticks: list[float] = []
    for steps in STEPS:
        for tick in (a * b for a, b in product(decades, steps) if low <= a * b <= min(high, 1)):
            if all(abs(log10(tick / other)) >= apart for other in ticks):
                ticks.append(tick)
        if len(ticks) >= FEWEST_TICKS:
            break
    return sorted(ticks, reverse=True)
