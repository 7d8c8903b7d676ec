"""The axes of a search space as numbers: what models of candidates see."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from nas.space.probing import draw

Params = Mapping[str, Any]
Numbers = NDArray[np.float64]


class Axes:
    """Distributions by their names, all of them suggested by every trial.

    A number becomes one from 0 to 1, on a logarithmic scale where the space draws it so; a choice becomes as many
    numbers as there are choices, with a distance of 1 between any two.
    """

    def __init__(self, distributions: Mapping[str, BaseDistribution]) -> None:
        self.distributions = dict(sorted(distributions.items()))

    def __bool__(self) -> bool:
        return bool(self.distributions)

    def encoded(self, params: Sequence[Params]) -> Numbers:
        """Points `(n, dimensions)`."""
        columns = [
            column
            for name, distribution in self.distributions.items()
            for column in _columns(distribution, [each[name] for each in params])
        ]
        return np.array(columns, dtype=float).reshape(len(columns), len(params)).T

    def covers(self, params: Params) -> bool:
        """Whether all axes have a value in their range; there may be others."""
        return self.distributions.keys() <= params.keys() and all(
            _contains(distribution, params[name]) for name, distribution in self.distributions.items()
        )

    def of(self, params: Params) -> dict[str, Any]:
        """The parameters on these axes alone."""
        return {name: params[name] for name in self.distributions}

    def drawn(self, random: Random) -> dict[str, Any]:
        """Random parameters."""
        return {name: draw(distribution, random) for name, distribution in self.distributions.items()}

    def changed(self, params: Params, n: int, random: Random) -> dict[str, Any]:
        """The same with `n` axes drawn anew."""
        names = random.sample(list(self.distributions), min(n, len(self.distributions)))
        return {**params, **{name: draw(self.distributions[name], random) for name in names}}


def _contains(distribution: BaseDistribution, value: Any) -> bool:
    if isinstance(distribution, CategoricalDistribution):
        return value in distribution.choices
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    return bool(distribution.low <= value <= distribution.high)


def _columns(distribution: BaseDistribution, values: Sequence[Any]) -> list[Any]:
    if isinstance(distribution, CategoricalDistribution):
        return [[np.sqrt(0.5) * (value == choice) for value in values] for choice in distribution.choices]
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    scale = np.log if distribution.log else np.asarray
    low, high = scale(float(distribution.low)), scale(float(distribution.high))
    return [(scale(np.array(values, dtype=float)) - low) / (high - low if high > low else 1.0)]
