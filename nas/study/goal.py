"""What a search is after: the best accuracy within its budget, or the smallest network that has a certain accuracy."""

from dataclasses import dataclass

from nas.errors import InputError
from nas.network.cost import COSTS, Budget, Cost
from nas.table import per_cent

SCALE = 10_000  # of a cost that has no limit; any number would do


@dataclass(frozen=True)
class Goal:
    """`minimize`: what is to be as small as possible, the name of a cost; None for the best accuracy.

    `target`: the accuracy, a fraction, that the smallest network must have. Raises `InputError`.
    """

    minimize: str | None = None
    target: float | None = None

    def __post_init__(self) -> None:
        if self.minimize is not None and self.minimize not in COSTS:
            raise InputError(f"minimize must be one of {', '.join(COSTS)}, but got {self.minimize!r}")
        if self.minimize is not None and self.target is None:
            raise InputError(
                f"minimize needs an accuracy to hold, but got minimize {self.minimize} without a target: add one, "
                "such as --target 0.99"
            )

    @property
    def noun(self) -> str:
        """What is minimized, in words."""
        return COSTS[self.minimize or "params"].noun

    @property
    def wanted(self) -> str:
        """What is looked for, in words."""
        if self.minimize is None or self.target is None:
            return "the most accurate network"
        return f"the network with the fewest {self.noun} that has {per_cent(self.target)} validation accuracy"

    def reached(self, accuracy: float) -> bool:
        """Whether a network with this accuracy may be the smallest one."""
        return self.target is not None and accuracy >= self.target

    def value(self, accuracy: float, cost: Cost, budget: Budget) -> float:
        """What Optuna maximizes, at most 1: the accuracy; above the target, the higher the smaller the network is."""
        if self.minimize is None or self.target is None or not self.reached(accuracy):
            return accuracy
        scale, count = self._scale(budget), cost[self.minimize]
        return self.target + (1 - self.target) * scale / (scale + float(count))

    def formula(self, budget: Budget) -> str:
        """What `value` is from the target on, in words."""
        target, scale = self.target or 0.0, self._scale(budget)
        return f"{target:g} + {1 - target:g} × {scale:,} / ({scale:,} + {self.noun})"

    def tightened(self, budget: Budget, accuracy: float, cost: Cost) -> Budget:
        """What is left to find once a network with this accuracy is there: only smaller ones, if they are wanted."""
        if self.minimize is None or not self.reached(accuracy):
            return budget
        smaller, limit = self._next_smaller(cost), budget.limits.get(self.minimize)
        return budget.with_limit(self.minimize, smaller if limit is None else min(limit, smaller))

    def _next_smaller(self, cost: Cost) -> float:
        """What a smaller network may cost at most: one less, or a thousandth where it is no whole number."""
        assert self.minimize is not None
        count: float = cost[self.minimize]
        return max(1, count - 1) if COSTS[self.minimize].whole else 0.999 * count

    def _scale(self, budget: Budget) -> float:
        scale: float = budget.limits.get(self.minimize or "", SCALE)
        return scale
