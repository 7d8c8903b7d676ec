"""A Gaussian process: what is believed of candidates that were not trained, from those that were."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from threading import RLock
from typing import Generic, TypeVar

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from threadpoolctl import ThreadpoolController

from nas.study.axes import Numbers

BLOCK = 32  # points of which offsets are computed at once

T = TypeVar("T")


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
        offsets = _OFFSETS.of(Offsets, one, other)
        result: Numbers = self.curves**2 * offsets.alone(self.length)
        result += self.surface**2 * offsets.together
        result += self.level**2
        return result

    def at(self, points: Numbers) -> Numbers:
        """Variances `(n,)`."""
        return np.full(len(points), self.curves**2 * points.shape[1] + self.surface**2 + self.level**2)


class Offsets:
    """Points against other points: what kernels share, most of which differ in few respects."""

    def __init__(self, one: Numbers, other: Numbers) -> None:
        self._one, self._other = one, other
        self._square_of_random = max(1, one.shape[1]) / 6  # the mean squared distance of two random points
        self._alone: dict[float, Numbers] = {}

    def alone(self, length: float) -> Numbers:
        """Along each axis by itself, summed: `(n, m)`."""
        if length not in self._alone:
            self._alone[length] = self._by_blocks(lambda offsets: _matern(offsets / length).sum(-1))
        return self._alone[length]

    @cached_property
    def together(self) -> Numbers:
        """Along all axes: `(n, m)`."""
        distances = self._by_blocks(lambda offsets: (offsets**2).sum(-1))
        return _matern(np.sqrt(distances / self._square_of_random))

    def _by_blocks(self, of: Callable[[Numbers], Numbers]) -> Numbers:
        """Of offsets `(rows, m, dimensions)`, which are large: all at once they would not fit into any cache."""
        blocks = (self._one[i : i + BLOCK, None] for i in range(0, len(self._one), BLOCK))
        return np.concatenate([of(np.abs(block - self._other[None])) for block in blocks])


def _matern(distances: Numbers) -> Numbers:
    """Of distances that are needed no more."""
    scaled = distances
    scaled *= np.sqrt(5)
    result: Numbers = 1 + scaled
    result += scaled**2 / 3
    result *= np.exp(-scaled)
    return result


class Recent(Generic[T]):
    """The last few results for arguments that nobody changes, so that the same object is the same numbers."""

    def __init__(self, n: int) -> None:
        self._n = n
        self._results: tuple[tuple[tuple[object, ...], T], ...] = ()  # replaced as a whole: threads may ask

    def of(self, make: Callable[..., T], *arguments: object) -> T:
        for arrays, result in self._results:
            if all(one is other for one, other in zip(arrays, arguments, strict=True)):
                return result
        result = make(*arguments)
        self._results = ((arguments, result), *self._results[: self._n - 1])
        return result


_OFFSETS: Recent[Offsets] = Recent(4)
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
        with one_thread():
            reached = solve_triangular(self._factor, between.T, lower=True)
            means: Numbers = between @ self._weights
        variances = self.kernel.at(points) - (reached**2).sum(0)
        return means, np.sqrt(np.maximum(variances, 1e-12))

    @property
    def log_likelihood(self) -> float:
        """Of the values, but for a constant."""
        return float(-0.5 * self.values @ self._weights - np.log(np.diag(self._factor)).sum())

    @cached_property
    def _factor(self) -> Numbers:
        return _FACTORS.of(_factor, self.kernel, self.points, self.noise)

    @cached_property
    def _weights(self) -> Numbers:
        result: Numbers = cho_solve((self._factor, True), self.values)
        return result


def _factor(kernel: Kernel, points: Numbers, noise: Numbers) -> Numbers:
    covariance = kernel.between(points, points) + np.diag(noise + 1e-6)
    with one_thread():
        result: Numbers = cholesky(covariance, lower=True)
    return result


_FACTORS: Recent[Numbers] = Recent(2 * len(KERNELS))


@contextmanager
def one_thread() -> Iterator[None]:
    """Inside, matrices are computed in one thread: these are so small that several wait for each other, up to a hundred
    times as long where the machine does something else too. And digits are the same with any number of cores.
    """
    with _ONE_AT_A_TIME, _pools().limit(limits=1, user_api="blas"):
        yield


_ONE_AT_A_TIME = RLock()  # the number of threads is that of the whole process


@cache
def _pools() -> ThreadpoolController:
    return ThreadpoolController()


def likeliest(points: Numbers, values: Numbers, noise: Numbers, kernels: Sequence[Kernel] = KERNELS) -> Process:
    """The process with the kernel that makes the values likeliest."""
    return max((Process(each, points, values, noise) for each in kernels), key=lambda process: process.log_likelihood)
