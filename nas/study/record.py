"""What a study holds, as plain data: one record a trial, and the winner."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from nas.network.cost import COSTS, Cost, CostKind
from nas.network.layer_table import layer_rows, layer_table
from nas.space.candidate import Candidate
from nas.study.goal import Goal
from nas.study.trial import TrialAttributes, outcome_of
from nas.table import Table, per_cent
from nas.training.recipe import whole_numbers

LISTED = tuple(kind for kind in COSTS.values() if kind.listed)


@dataclass(frozen=True)
class Record:
    """One trial. `accuracy` is that of the last epoch trained, a fraction of the validation part; `epochs` how many.

    `timing`: how its latency was measured, if it was. `second_accuracy` is that of a second training, with another
    seed, of a network that may be the smallest one wanted. `float_accuracy` is that in float32, where the others are
    those of whole numbers of 8 bits. `seconds` from its beginning to its end, waiting for a worker included; None while
    it has none.
    """

    trial: int
    outcome: str
    reason: str
    cost: Cost | None
    accuracy: float | None
    epochs: int
    network: str
    training: str
    seed: int | None
    made_with: dict[str, Any]
    candidate: Candidate | None
    seconds: float | None = field(default=None, compare=False)
    second_accuracy: float | None = None
    timing: dict[str, Any] | None = None
    float_accuracy: float | None = None

    @property
    def finished(self) -> bool:
        """Whether it was trained to the end, by itself: that of its schedule, or of the search that had its target."""
        return self.outcome == "finished"

    @property
    def expected_accuracy(self) -> float:
        """The mean of both trainings, where there were two; 0 where there was none."""
        accuracy = self.accuracy or 0.0
        return accuracy if self.second_accuracy is None else (accuracy + self.second_accuracy) / 2

    @property
    def began(self) -> bool:
        """Whether it was trained itself, if only for a part of an epoch: a repeated one has another's figures."""
        return self.candidate is not None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "trial": self.trial,
            "outcome": self.outcome,
            "reason": self.reason,
            **(self.cost or {}),
            "validation_accuracy": self.accuracy,
            **({} if self.second_accuracy is None else {"second_accuracy": self.second_accuracy}),
            **({} if self.float_accuracy is None else {"float_accuracy": self.float_accuracy}),
            "epochs": self.epochs,
            "network": self.network,
            "training": self.training,
            "seed": self.seed,
            "made_with": self.made_with,
        }

    def _repr_html_(self) -> str:
        reason = f": {self.reason}" if self.reason else ""
        tables = [_table(f"Trial {self.trial}, {self.outcome}{reason}", [self])]
        if self.candidate is not None:
            tables.append(layer_table(layer_rows(self.candidate.architecture)))
        return "".join(table.html() for table in tables)


def record_of(trial: FrozenTrial) -> Record:
    """The record of one trial."""
    attributes, values = TrialAttributes(trial), trial.intermediate_values
    return Record(
        trial=trial.number,
        outcome=outcome_of(trial),
        reason=attributes.reason or "",
        cost=attributes.cost,
        accuracy=values[max(values)] if values else None,
        epochs=len(values),
        network=attributes.network or "",
        training=attributes.training or "",
        seed=attributes.seed,
        made_with=attributes.made_with or {},
        candidate=attributes.candidate,
        second_accuracy=attributes.second_accuracy,
        timing=attributes.timing,
        float_accuracy=attributes.float_accuracy,
        # Not below zero, as where the clock was set back in between.
        seconds=max(0.0, trial.duration.total_seconds()) if trial.duration is not None else None,
    )


def records(study: optuna.Study) -> list[Record]:
    """All trials of a study that began, in order."""
    return [record_of(trial) for trial in study.get_trials(deepcopy=False) if outcome_of(trial) != "waiting"]


def seen_from_outside(record: Record, searching: bool) -> Record:
    """The record of a trial that runs in the database alone, where no search is under way: it was interrupted."""
    return replace(record, outcome="interrupted") if record.outcome == "running" and not searching else record


def ranked(study: optuna.Study) -> list[Record]:
    """Finished candidates, the best first; of two with the same accuracy the smaller one.

    In a study that looks for the smallest network with a certain accuracy, those that have it come first.
    """
    return ranking(study.get_trials(deepcopy=False))


def ranking(trials: Sequence[FrozenTrial]) -> list[Record]:
    """As `ranked`, of a study's trials that were read already."""
    trials = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    finished = {trial.number: record for trial in trials if (record := record_of(trial)).finished}
    values = {trial.number: trial.value or 0.0 for trial in trials}  # above the target: the smaller, the higher
    return sorted(finished.values(), key=lambda r: (-values[r.trial], r.cost.params if r.cost else 0, r.trial))


def best_table(best: Sequence[Record], goal: Goal) -> Table:
    """Finished candidates, one a row."""
    title = f"Best candidate{'s' * (len(best) > 1)} by validation accuracy of the last epoch"
    if goal.minimize is not None:
        title = f"Fewest {goal.noun} with {per_cent(goal.target or 0.0)} validation accuracy in the last epoch"
        if not all(goal.reached(record.expected_accuracy) for record in best):
            title += ", then the most accurate without it"
    recipes = [record.candidate.recipe for record in best if record.candidate is not None]
    numbers = dict.fromkeys(whole_numbers(recipe.weight_bits) for recipe in recipes if recipe.quantised)
    if numbers:
        title += f", in {' or '.join(numbers)}"
    return _table(title, best)


def listed_kinds(records: Sequence[Record]) -> tuple[CostKind, ...]:
    """The costs that have a column in a list of these trials: some always, those of a device where they are known."""
    known = {name for record in records for name in record.cost or ()}
    return tuple(kind for name, kind in COSTS.items() if kind.listed or (name in known and not kind.counted))


def _table(title: str, shown: Sequence[Record]) -> Table:
    kinds = listed_kinds(shown)
    columns = ("trial", *(kind.column for kind in kinds), "accuracy", "epoch", "network")
    return Table(title, columns, tuple(_row(record, kinds) for record in shown))


def _row(record: Record, kinds: Sequence[CostKind]) -> tuple[str, ...]:
    return (
        str(record.trial),
        *(record.cost.shown(kind.name) if record.cost is not None else "-" for kind in kinds),
        per_cent(record.accuracy) if record.accuracy is not None else "-",
        str(record.epochs),
        record.network,
    )


def counts(study: optuna.Study) -> Counter[str]:
    """How many trials ended in which way."""
    return outcomes(study.get_trials(deepcopy=False))


def outcomes(trials: Sequence[FrozenTrial]) -> Counter[str]:
    """As `counts`, of a study's trials that were read already."""
    return Counter(outcome for trial in trials if (outcome := outcome_of(trial)) != "waiting")


def n_trained(study: optuna.Study) -> int:
    """Trials that count against `--trials`: finished ones and ones that the pruner stopped or paused."""
    return n_ended(study) + counts(study)["paused"]


def n_ended(study: optuna.Study) -> int:
    """Those of them that are over."""
    tally = counts(study)
    return tally["finished"] + tally["pruned"]
