"""What training a candidate would show, from a table of `benchmarks/table.py`."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, NamedTuple, Protocol

import numpy as np
from optuna.distributions import BaseDistribution, json_to_distribution

from nas.study.axes import Axes, Numbers, Params
from nas.study.curves import logit
from nas.study.experience import Experience

N_RANDOM = 20_000  # candidates, the best of which is the best that there is
N_ALIKE = 15
COSTS = ("params", "macs")


@dataclass(frozen=True)
class Table:
    """What was measured, candidate by candidate."""

    settings: Mapping[str, Any]
    params: Sequence[Params]
    accuracies: Numbers  # (candidates, epochs): on validation images, of the first seed
    seconds: Numbers  # (candidates,): of an epoch, on a quiet machine where that was clocked
    costs: Numbers  # (candidates, costs): in the order of COSTS
    of_seeds: Sequence[Numbers]  # of each candidate (seeds, epochs): accuracies of all its trainings

    @classmethod
    def read(cls, file: Path) -> "Table":
        settings, *lines = map(json.loads, file.read_text().splitlines())
        long = [line for line in lines if line["epochs"] == settings["epochs"]]
        first = [line for line in long if line["seed"] == 0]
        clocked = {line["candidate"]: line["seconds_of_epoch"] for line in lines if "seconds_of_epoch" in line}
        curves: dict[int, list[list[float]]] = {}
        for line in long:
            curves.setdefault(line["candidate"], []).append(line["validation_accuracy"])
        return cls(
            settings,
            [line["params"] for line in first],
            np.array([line["validation_accuracy"] for line in first]),
            np.array([clocked.get(line["candidate"]) or median(line["seconds"]) for line in first]),
            np.array([[line["cost"][name] for name in COSTS] for line in first], dtype=float),
            [np.array(curves[line["candidate"]]) for line in first],
        )

    @property
    def n_epochs(self) -> int:
        """Of a whole training."""
        n: int = self.accuracies.shape[1]
        return n

    @cached_property
    def distributions(self) -> dict[str, BaseDistribution]:
        """What the space drew from when the table was made."""
        return {name: json_to_distribution(json.dumps(each)) for name, each in self.settings["distributions"].items()}

    @cached_property
    def repeats(self) -> list[Numbers]:
        """Of the candidates with several seeds (seeds, epochs)."""
        return [curves for curves in self.of_seeds if len(curves) > 1]

    @cached_property
    def noise(self) -> Numbers:
        """Deviations of single trainings from the mean of their candidate, (trainings, epochs), in logits."""
        parts = []
        for curves in self.repeats:
            logits = logit(curves)
            parts.append((logits - logits.mean(0)) * np.sqrt(len(curves) / (len(curves) - 1)))
        return np.concatenate(parts) if parts else np.zeros((0, self.n_epochs))


class Course(NamedTuple):
    """Of one training: accuracies (epochs,) that are seen, the true one at its end, and the seconds of an epoch."""

    seen: Numbers
    true: float
    seconds: float


class Shelf(Protocol):
    """What one search can still train."""

    def take(self, params: Params) -> Params | None:
        """What is trained where these parameters are suggested; None if there is nothing any more."""
        ...

    @property
    def is_empty(self) -> bool: ...


class World(ABC):
    """Answers what training a candidate would show. `best`: the best true accuracy, of the candidate `best_params`.

    `is_limited`: whether there is not everything that one can suggest.
    """

    is_limited = False

    def __init__(self, table: Table, experience: Experience | None = None) -> None:
        self.table, self.distributions, self.experience = table, table.distributions, experience
        self.axes, self.n_epochs = Axes(table.distributions), table.n_epochs

    @abstractmethod
    def shelf(self) -> Shelf:
        """What a new search can train."""

    @abstractmethod
    def trained(self, params: Params, random: np.random.Generator) -> Course:
        """One training; `random` draws the noise of its seed, where there is any."""

    @abstractmethod
    def cost(self, params: Params) -> dict[str, int]:
        """What a candidate costs, always the same."""

    @abstractmethod
    def true_accuracies(self, random: Random, n: int) -> Numbers:
        """Of `n` random candidates."""

    @property
    @abstractmethod
    def best_params(self) -> Params: ...

    @property
    @abstractmethod
    def best(self) -> float: ...

    @abstractmethod
    def __str__(self) -> str:
        """In a line, how far its answers can be relied on."""


# The surrogate --------------------------------------------------------------------------------------------------------


class Endless:
    """A shelf with whatever is asked for."""

    is_empty = False

    def take(self, params: Params) -> Params:
        return params


class SurrogateWorld(World):
    """Answers for any candidate of the space (Zela et al. 2022, "Surrogate NAS Benchmarks").

    Random forests tell the curve of a candidate, to which come the deviation of one of the table's candidates of which
    they tell nearly the same, and the noise between two seeds, both as they were measured. The logarithms of its costs
    are linear in the axes: a forest would be off by twice as much. The best is that of many random candidates.
    """

    def __init__(self, table: Table, experience: Experience | None = None) -> None:
        from sklearn.ensemble import RandomForestRegressor
        from sklearn.linear_model import RidgeCV

        super().__init__(table, experience)
        features = self.axes.encoded(table.params)
        targets = np.column_stack([logit(table.accuracies), np.log(table.seconds)])
        forest = RandomForestRegressor(300, min_samples_leaf=2, oob_score=True, random_state=0, n_jobs=1)
        forest.fit(features, targets)
        self._trees = [tree.tree_ for tree in forest.estimators_]
        # What the forest says of a candidate without the trees that have seen it
        self._of_others = forest.oob_prediction_
        self._deviations = logit(table.accuracies) - self._of_others[:, :-1]
        share = table.noise[:, -1].var() / self._deviations[:, -1].var() if len(table.noise) else 0.0
        self.share_of_noise = float(min(1.0, share))
        self._costs = RidgeCV(np.logspace(-3, 3, 13), alpha_per_target=True, store_cv_results=True)
        self._costs.fit(features, np.log(table.costs))

    def shelf(self) -> Shelf:
        return Endless()

    def trained(self, params: Params, random: np.random.Generator) -> Course:
        curves, seconds = self.true_curves([params])
        seen = accuracy_of(curves[0] + self._noise(random))
        return Course(seen, float(accuracy_of(curves[0, -1:])[0]), float(seconds[0]))

    def cost(self, params: Params) -> dict[str, int]:
        logarithms = self._costs.coef_ @ self.axes.encoded([params])[0] + self._costs.intercept_
        costs = np.minimum(np.exp(logarithms), self.table.costs.max(0))  # none is over the budget
        return {name: round(float(each)) for name, each in zip(COSTS, costs, strict=True)}

    def true_accuracies(self, random: Random, n: int) -> Numbers:
        curves, _ = self.true_curves([self.axes.drawn(random) for _ in range(n)])
        return accuracy_of(curves[:, -1])

    def true_curves(self, params: Sequence[Params]) -> tuple[Numbers, Numbers]:
        """Logits `(n, epochs)` without the noise of a seed, and seconds an epoch `(n,)`."""
        features = self.axes.encoded(params)
        answers = self._answers(features)
        deviations = np.array(
            [self._deviation(each, answer) for each, answer in zip(features, answers[:, -2], strict=True)]
        )
        return answers[:, :-1] + deviations, np.exp(answers[:, -1])

    def _answers(self, features: Numbers) -> Numbers:
        """As the forest's `predict`, whose checks take ten times as long as the answer for a single candidate."""
        inputs = features.astype(np.float32)
        result: Numbers = np.mean([tree.predict(inputs)[..., 0] for tree in self._trees], axis=0)
        return result

    def _deviation(self, features: Numbers, answer: float) -> Numbers:
        """How a candidate deviates from the forest: as one of the table's whose accuracy it tells nearly alike.

        Always the same one; but for the part that is noise.
        """
        alike = np.argsort(np.abs(self._of_others[:, -2] - answer))[:N_ALIKE]
        chosen = alike[int.from_bytes(hashlib.sha256(features.tobytes()).digest()[:4], "big") % len(alike)]
        result: Numbers = self._deviations[chosen] * np.sqrt(1 - self.share_of_noise)
        return result

    def _noise(self, random: np.random.Generator) -> Numbers:
        """Of one training, in logits."""
        noise = self.table.noise
        if not len(noise):
            return np.zeros(self.n_epochs)
        result: Numbers = noise[random.integers(len(noise))] * random.choice([-1.0, 1.0])
        return result

    @property
    def best_params(self) -> Params:
        return self._best[0]

    @property
    def best(self) -> float:
        return self._best[1]

    @cached_property
    def _best(self) -> tuple[Params, float]:
        random = Random(0)
        params = [self.axes.drawn(random) for _ in range(N_RANDOM)]
        accuracies = accuracy_of(self.true_curves(params)[0][:, -1])
        return params[int(accuracies.argmax())], float(accuracies.max())

    def __str__(self) -> str:
        """How well it tells candidates that it was not made of."""
        predicted, true = self._of_others[:, -2], logit(self.table.accuracies)[:, -1]
        off = 100 * np.abs(accuracy_of(predicted) - accuracy_of(true))
        rank = np.corrcoef(predicted.argsort().argsort(), true.argsort().argsort())[0, 1]
        spreads = [100 * curves[:, -1].std(ddof=1) for curves in self.table.repeats] or [0.0]
        squares = self._costs.cv_results_[:, COSTS.index("macs")]  # of each candidate, told from all others
        off_macs = np.sqrt(squares[:, squares.mean(0).argmin()])
        return (
            f"surrogate, out of bag: median error {np.median(off):.2f} points, rank correlation {rank:.2f}, "
            f"of multiply-accumulates {np.expm1(np.median(off_macs)):.0%}; "
            f"standard deviation between seeds {np.mean(spreads):.2f} points (± {np.std(spreads):.2f} of candidates), "
            f"{self.share_of_noise:.0%} of what the forest does not tell"
        )


# The look-up ----------------------------------------------------------------------------------------------------------


class Stock:
    """A shelf with the table's candidates. Each can be had once in a search: the nearest one that is still there."""

    def __init__(self, axes: Axes, params: Sequence[Params], points: Numbers) -> None:
        self._axes, self._params, self._points = axes, params, points
        self._left = list(range(len(params)))

    @property
    def is_empty(self) -> bool:
        return not self._left

    def take(self, params: Params) -> Params | None:
        if self.is_empty:
            return None
        distances = ((self._points[self._left] - self._axes.encoded([params])) ** 2).sum(1)
        return self._params[self._left.pop(int(distances.argmin()))]


class LookUpWorld(World):
    """The table's candidates alone, with what was measured of them.

    What is seen of a candidate is its curve of the first seed, always the same one. Its true accuracy is not that, lest
    a lucky seed counts as merit: it is the mean over its seeds, in logits, drawn towards the middle candidate by as
    much as one expects of the best of many noisy ones (Efron and Morris 1975, "Data Analysis Using Stein's Estimator"):
    with several seeds by less than with one, and above the middle, where candidates lie closer, by more than below it.
    """

    is_limited = True

    def __init__(self, table: Table, experience: Experience | None = None) -> None:
        super().__init__(table, experience)
        self._points = self.axes.encoded(table.params)
        self._places = {self._key(params): i for i, params in enumerate(table.params)}
        self._true = accuracy_of(shrunk(table))

    def shelf(self) -> Shelf:
        return Stock(self.axes, self.table.params, self._points)

    def trained(self, params: Params, random: np.random.Generator) -> Course:
        place = self._place(params)
        return Course(self.table.accuracies[place], float(self._true[place]), float(self.table.seconds[place]))

    def cost(self, params: Params) -> dict[str, int]:
        return {name: int(each) for name, each in zip(COSTS, self.table.costs[self._place(params)], strict=True)}

    def true_accuracies(self, random: Random, n: int) -> Numbers:
        return self._true[random.sample(range(len(self._true)), min(n, len(self._true)))]

    def _place(self, params: Params) -> int:
        return self._places[self._key(params)]

    def _key(self, params: Params) -> tuple[Any, ...]:
        return tuple(self.axes.of(params).values())

    @property
    def best_params(self) -> Params:
        return self.table.params[int(self._true.argmax())]

    @property
    def best(self) -> float:
        return float(self._true.max())

    def __str__(self) -> str:
        """By how much the measured accuracies were corrected."""
        measured = self.table.accuracies[:, -1]
        top = np.argsort(-measured)[: max(1, len(measured) // 10)]
        return (
            f"look-up of {len(measured)} candidates, {len(self.table.repeats)} of them with several seeds; the best "
            f"tenth, as measured with the first seed, is {100 * np.mean(measured[top] - self._true[top]):.2f} points "
            "above its true accuracies"
        )


def shrunk(table: Table) -> Numbers:
    """Logits `(candidates,)` of the last accuracies as one expects them of further seeds."""
    n_seeds = np.array([len(curves) for curves in table.of_seeds])
    means = np.array([logit(curves)[:, -1].mean() for curves in table.of_seeds])
    offsets = means - np.median(means)
    noise = (table.noise[:, -1] ** 2).mean() / n_seeds if len(table.noise) else np.zeros(len(means))
    true = np.array([_spread_of(offsets[(offsets > 0) == is_above], noise.max()) for is_above in offsets > 0])
    result: Numbers = np.median(means) + offsets * true / np.maximum(true + noise, 1e-12)
    return result


def _spread_of(offsets: Numbers, noise: float) -> float:
    """The mean square of them, without noise."""
    return max(0.0, float((offsets**2).mean()) - noise)


def accuracy_of(logits: Numbers) -> Numbers:
    result: Numbers = 1 / (1 + np.exp(-logits))
    return result


WORLDS: Mapping[str, type[World]] = {"surrogate": SurrogateWorld, "look-up": LookUpWorld}
