"""Figures over several seeds: mean, standard deviation, and the difference of two that used the same seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev

import scipy  # its parts are imported when they are used: scipy.stats takes half a second

CONFIDENCE = 0.95
LEAST = 3  # values for an interval


@dataclass(frozen=True)
class Spread:
    """Values of the same figure, one a seed."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        return fmean(self.values)

    @property
    def std(self) -> float | None:
        """The sample's standard deviation; one value has none."""
        return stdev(self.values) if len(self.values) > 1 else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % confidence interval of the mean (Student's t); None for fewer than three values, whose interval would be
        wider than anything that is to be told from it.
        """
        n = len(self.values)
        if self.std is None or n < LEAST:
            return None
        half_width = float(scipy.stats.t.ppf(0.5 + CONFIDENCE / 2, n - 1)) * self.std / sqrt(n)
        return self.mean - half_width, self.mean + half_width

    def per_cent(self) -> str:
        """Such as `99.41 ± 0.06`."""
        spread = "" if self.std is None else f" ± {100 * self.std:.2f}"
        return f"{100 * self.mean:.2f}{spread}"

    def reached(self, documented: float) -> bool | None:
        """Whether a documented figure lies within or below mean ± 2 standard deviations; unknown for one value."""
        return None if self.std is None else documented <= self.mean + 2 * self.std


@dataclass(frozen=True)
class Difference:
    """The mean of paired differences, with its 95 % confidence interval by Student's t; None for less than three."""

    mean: float
    std: float | None
    interval: tuple[float, float] | None

    @property
    def shown(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.interval is not None and not self.interval[0] <= 0 <= self.interval[1]

    def points(self) -> str:
        """Such as `−0.12 (−0.20 to −0.04)`, in percentage points."""
        interval = "" if self.interval is None else " ({} to {})".format(*map(_signed, self.interval))
        return _signed(self.mean) + interval


def paired_difference(values: Sequence[float], base: Sequence[float]) -> Difference:
    """`values` less `base`, seed by seed."""
    spread = Spread(tuple(value - other for value, other in zip(values, base, strict=True)))
    return Difference(spread.mean, spread.std, spread.interval)


def _signed(fraction: float) -> str:
    """Percentage points with a sign; what rounds to 0 has none."""
    text = f"{100 * fraction:+.2f}".replace("-", "−")
    return "0.00" if text[1:] == "0.00" else text
