"""What earlier studies taught: which of a space's candidates became good."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    distribution_to_json,
    json_to_distribution,
)
from optuna.trial import FrozenTrial

from nas.errors import StudyError
from nas.study.axes import Axes, Numbers, Params
from nas.study.curves import finals
from nas.study.gaussian import Process, Recent, likeliest
from nas.study.halving import is_copy
from nas.study.trial import TrialAttributes

NOISE = 0.15**2  # of a logit: between seeds, and in what is concluded from unfinished trainings
WORST = 1.5  # logits below the middle one; a training that went wrong altogether says little of where good ones are
COUNTED = 0.05**2  # a process is smooth, and widths are whole numbers
FEWEST_ROWS = 10
FEWEST_SHARED = 0.5  # of a lesson's axes
DIGITS = 4


@dataclass(frozen=True)
class Lesson:
    """One study: parameters of candidates, logits of the accuracies that they came or would come to, and logarithms of
    the multiply-accumulates that they take.

    `origin` says in words where it is from.
    """

    origin: str
    distributions: Mapping[str, BaseDistribution]
    params: Sequence[Params]
    values: Sequence[float]
    macs: Sequence[float]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON: a row for each candidate, in the order of the axes, its value and cost last."""
        rows = [
            [*(_short(params[name]) for name in self.distributions), _short(value), _short(macs)]
            for params, value, macs in self._rows
        ]
        axes = {name: json.loads(distribution_to_json(each)) for name, each in self.distributions.items()}
        return {"origin": self.origin, "axes": axes, "rows": rows}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Lesson":
        """What `to_dict` wrote."""
        axes = {name: json_to_distribution(json.dumps(each)) for name, each in data["axes"].items()}
        params = [dict(zip(axes, row[:-2], strict=True)) for row in data["rows"]]
        return cls(data["origin"], axes, params, [row[-2] for row in data["rows"]], [row[-1] for row in data["rows"]])

    @property
    def _rows(self) -> list[tuple[Params, float, float]]:
        return list(zip(self.params, self.values, self.macs, strict=True))

    def seen_by(self, distributions: Mapping[str, BaseDistribution]) -> "Lesson | None":
        """The same on the axes that a space has too; None if these are too few, or too few candidates lie within."""
        shared = {name: each for name, each in distributions.items() if _alike(each, self.distributions.get(name))}
        if len(shared) < FEWEST_SHARED * len(self.distributions):
            return None
        axes = Axes(shared)
        rows = [(axes.of(params), value, macs) for params, value, macs in self._rows if axes.covers(params)]
        if len(rows) < FEWEST_ROWS:
            return None
        return Lesson(self.origin, shared, *(list(column) for column in zip(*rows, strict=True)))

    def expected(self, params: Sequence[Params]) -> Numbers:
        """Logits `(n,)` that candidates would come to, relative to a random one's."""
        return self._accuracies.expected(self._points_of(params))[0]

    def expected_macs(self, params: Sequence[Params]) -> Numbers:
        """Logarithms `(n,)` of what candidates cost, relative to the mean."""
        return self._costs.expected(self._points_of(params))[0]

    def _points_of(self, params: Sequence[Params]) -> Numbers:
        """Mostly both is asked of the same candidates."""
        return self._asked.of(self._axes.encoded, params)

    @cached_property
    def _asked(self) -> Recent[Numbers]:
        return Recent(1)

    @cached_property
    def _axes(self) -> Axes:
        return Axes(self.distributions)

    @cached_property
    def _points(self) -> Numbers:
        return self._axes.encoded(self.params)

    @cached_property
    def _accuracies(self) -> Process:
        values = np.array(self.values)
        values = np.maximum(values - np.median(values), -WORST)
        return likeliest(self._points, values - values.mean(), np.full(len(values), NOISE))

    @cached_property
    def _costs(self) -> Process:
        return process_of_costs(self._points, np.array(self.macs) - np.mean(self.macs))


@dataclass(frozen=True)
class Experience:
    """Of one or several lessons: each says how a candidate compares with others of its study."""

    lessons: Sequence[Lesson]

    def expected(self, params: Sequence[Params]) -> Numbers:
        """Logits `(n,)` that candidates would come to, relative to a random one's."""
        result: Numbers = np.mean([lesson.expected(params) for lesson in self.lessons], axis=0)
        return result

    def expected_macs(self, params: Sequence[Params]) -> Numbers:
        """Logarithms `(n,)` of what candidates cost, relative to the mean."""
        result: Numbers = np.mean([lesson.expected_macs(params) for lesson in self.lessons], axis=0)
        return result


def process_of_costs(points: Numbers, costs: Numbers) -> Process:
    """Of logarithms of costs `(n,)` at points `(n, dimensions)`, which are counted and so have no noise."""
    return likeliest(points, costs, np.full(len(costs), COUNTED))


def lesson_of(study: optuna.Study, n_epochs: int) -> Lesson:
    """What a study teaches, whose candidates were trained for so many epochs; `StudyError` if it is too little."""
    trials = [
        each
        for each in study.get_trials(deepcopy=False)
        if each.intermediate_values and not is_copy(each) and log_macs(each) is not None
    ]
    if len(trials) < FEWEST_ROWS:
        raise StudyError(
            f"a study to start from must have at least {FEWEST_ROWS} trained candidates, but {study.study_name!r} has "
            f"{len(trials)}"
        )
    distributions = {
        name: each
        for name, each in trials[-1].distributions.items()
        if all(trial.distributions.get(name) == each for trial in trials)
    }
    values, _ = finals([trial.intermediate_values for trial in trials], n_epochs)
    macs = [each for trial in trials if (each := log_macs(trial)) is not None]
    return Lesson(f"study {study.study_name}", distributions, [trial.params for trial in trials], values.tolist(), macs)


def log_macs(trial: FrozenTrial) -> float | None:
    """The logarithm of a candidate's multiply-accumulates; None if they were not counted."""
    cost = TrialAttributes(trial).cost
    macs = None if cost is None else cost.get("macs")
    return None if macs is None else math.log(max(1, macs))


def read_lessons(file: Path) -> list[Lesson]:
    """The lessons in a file."""
    return [Lesson.from_dict(each) for each in json.loads(file.read_text("utf-8"))]


def experience_of(lessons: Sequence[Lesson], distributions: Mapping[str, BaseDistribution]) -> Experience | None:
    """What lessons have to say on a space with these axes; None if that is nothing."""
    seen = [lesson for each in lessons if (lesson := each.seen_by(distributions)) is not None]
    return Experience(seen) if seen else None


def _alike(one: BaseDistribution, other: BaseDistribution | None) -> bool:
    """Whether values of one can be compared with those of the other."""
    if type(one) is not type(other):
        return False
    if isinstance(one, CategoricalDistribution) and isinstance(other, CategoricalDistribution):
        return set(one.choices) == set(other.choices)
    return getattr(one, "log", False) == getattr(other, "log", False)


def _short(value: Any) -> Any:
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
