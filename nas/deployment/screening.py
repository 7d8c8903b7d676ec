"""A latency told from those that were measured before, so that what is hopeless need not be exported and timed.

Ridge regression on what the layers of each kind do: multiply-accumulates, numbers that they put out, and how many there
are. Errors are relative, since a network of ten milliseconds may be off by more than one of a tenth. What the
prediction says of itself is the error it has where one measured network after the other is left out (exact for ridge
regression, without fitting again: Allen 1974, "The Relationship Between Variable Selection and Data Augmentation").
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from nas.network.architecture import Architecture

FEWEST = 8  # measured networks from which on it says anything
PENALTIES = tuple(10.0**exponent for exponent in range(-6, 3))
SURE = 3.0  # errors by which a prediction must be over a limit, so that nothing is measured

Features = Mapping[str, float]


@dataclass(frozen=True)
class Prediction:
    """Milliseconds an image; `error`: the relative error of such predictions, as far as is known from `n` networks."""

    milliseconds: float
    error: float
    n: int

    def is_over(self, limit: float) -> bool:
        """Whether it is over a limit even if it is far too high."""
        return self.milliseconds * (1 - SURE * self.error) > limit

    def __str__(self) -> str:
        return (
            f"{self.milliseconds:.3g} ms ± {100 * self.error:.0f} % (one standard error), predicted from {self.n} "
            "networks that were measured"
        )


def features(architecture: Architecture) -> dict[str, float]:
    """What its layers do, by kind: `conv macs`, `conv numbers`, `conv layers`, and so on."""
    sums: dict[str, float] = {}
    for _, layer, n_uses in architecture.plain_layers:
        if layer.spec.idle_in_use:
            continue
        done = {"macs": layer.macs, "numbers": prod(layer.output_shape), "layers": 1}
        for what, number in done.items():
            name = f"{layer.spec.kind} {what}"
            sums[name] = sums.get(name, 0.0) + n_uses * number
    return {name: number for name, number in sums.items() if number}


def predicted(of: Features, measured: Sequence[tuple[Features, float]]) -> Prediction | None:
    """The latency of a network with these features; None as long as too few were measured."""
    if len(measured) < FEWEST:
        return None
    names = sorted({name for each, _ in measured for name in each} | set(of))
    rows = np.array([[1.0, *(each.get(name, 0.0) for name in names)] for each, _ in measured])
    times = np.array([milliseconds for _, milliseconds in measured])
    scale = np.maximum(np.abs(rows).max(0), 1e-12)
    design = rows / scale / times[:, None]  # each row by its own time: errors are relative, and what is hit is 1
    errors, penalty = min((_left_out(design, penalty), penalty) for penalty in PENALTIES)
    weights = np.linalg.solve(_normal(design, penalty), design.sum(0))
    own = np.array([1.0, *(of.get(name, 0.0) for name in names)]) / scale
    return Prediction(max(0.0, float(own @ weights)), errors, len(measured))


def _left_out(design: np.ndarray, penalty: float) -> float:
    """The root of the mean square of the relative errors, each of a network that was left out."""
    inverse = np.linalg.inv(_normal(design, penalty))
    leverage = np.einsum("ij,jk,ik->i", design, inverse, design)
    residuals = 1 - design @ inverse @ design.sum(0)
    return float(np.sqrt(np.mean((residuals / np.maximum(1 - leverage, 1e-9)) ** 2)))


def _normal(design: np.ndarray, penalty: float) -> np.ndarray:
    """Of the normal equations; the penalty is on each column as it is scaled here."""
    return np.asarray(design.T @ design + penalty * len(design) * np.diag(np.maximum((design**2).mean(0), 1e-12)))
