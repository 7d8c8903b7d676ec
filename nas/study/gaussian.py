"""A Gaussian process: what is believed of candidates that were not trained, from those that were."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular

from nas.study.axes import Numbers


@dataclass(frozen=True)
class Kernel:
    """How alike two points are: a level, a curve along each axis by itself (Duvenaud et al. 2011, "Additive Gaussian
    Processes"), and a surface over all of them; Matérn 5/2 (Rasmussen and Williams 2006, chapter 4).

    With some tens of points in twenty dimensions most of what can be learned is what each axis does by itself.
    `curves` and `surface`: standard deviations, of each curve and of the surface. `length`: of the curves, in which
    they change, as a share of the axis.
    """

    curves: float = 0.2
    surface: float = 0.2
    length: float = 1.0
    level: float = 2.0

    def between(self, one: Numbers, other: Numbers) -> Numbers:
        """Covariances `(n, m)` of points `(n, dimensions)` and `(m, dimensions)`."""
        offsets = np.abs(one[:, None] - other[None])
        distances = np.sqrt((offsets**2).sum(-1) / _square_of_random(one))
        alone = _matern(offsets / self.length).sum(-1)
        result: Numbers = self.curves**2 * alone + self.surface**2 * _matern(distances) + self.level**2
        return result

    def at(self, points: Numbers) -> Numbers:
        """Variances `(n,)`."""
        return np.full(len(points), self.curves**2 * points.shape[1] + self.surface**2 + self.level**2)


def _square_of_random(points: Numbers) -> float:
    """The mean squared distance of two random points."""
    n_axes: int = points.shape[1]
    return max(1, n_axes) / 6


def _matern(distances: Numbers) -> Numbers:
    scaled = np.sqrt(5) * distances
    result: Numbers = (1 + scaled + scaled**2 / 3) * np.exp(-scaled)
    return result


# Few, and none that fits everything: with more to choose from, what is likeliest of some tens of points misleads.
KERNELS = tuple(
    Kernel(curves, surface, length) for curves in (0.2, 0.4) for surface in (0.2, 0.5) for length in (0.5, 1.0)
)


@dataclass(frozen=True)
class Process:
    """Values `(n,)` seen at points `(n, dimensions)`, each with a variance of its own that is noise."""

    kernel: Kernel
    points: Numbers
    values: Numbers
    noise: Numbers

    def expected(self, points: Numbers) -> tuple[Numbers, Numbers]:
        """Means and standard deviations `(m,)` of what is below the noise."""
        between = self.kernel.between(points, self.points)
        reached = solve_triangular(self._factor, between.T, lower=True)
        variances = self.kernel.at(points) - (reached**2).sum(0)
        return between @ self._weights, np.sqrt(np.maximum(variances, 1e-12))

    @property
    def log_likelihood(self) -> float:
        """Of the values, but for a constant."""
        return float(-0.5 * self.values @ self._weights - np.log(np.diag(self._factor)).sum())

    @cached_property
    def _factor(self) -> Numbers:
        covariance = self.kernel.between(self.points, self.points) + np.diag(self.noise + 1e-6)
        result: Numbers = cholesky(covariance, lower=True)
        return result

    @cached_property
    def _weights(self) -> Numbers:
        result: Numbers = cho_solve((self._factor, True), self.values)
        return result


def likeliest(points: Numbers, values: Numbers, noise: Numbers, kernels: Sequence[Kernel] = KERNELS) -> Process:
    """The process with the kernel that makes the values likeliest."""
    return max((Process(each, points, values, noise) for each in kernels), key=lambda process: process.log_likelihood)
