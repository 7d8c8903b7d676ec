"""What a study holds, as plain data: one record a trial, and the winner."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from nas.architecture import Architecture
from nas.cost import Cost
from nas.recipe import Recipe
from nas.space import Candidate


@dataclass(frozen=True)
class Record:
    """One trial. `accuracy` is that of the last epoch trained, a fraction of the validation part; `epochs` how many.

    `seconds` from its beginning to its end, waiting for a worker included; None while it has none.
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

    @property
    def finished(self) -> bool:
        """Whether all its epochs were trained, by itself."""
        return self.outcome == "finished"

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        counts = vars(self.cost) if self.cost is not None else {}
        return {
            "trial": self.trial,
            "outcome": self.outcome,
            "reason": self.reason,
            **counts,
            "validation_accuracy": self.accuracy,
            "epochs": self.epochs,
            "network": self.network,
            "training": self.training,
            "seed": self.seed,
            "made_with": self.made_with,
        }


def record_of(trial: FrozenTrial) -> Record:
    """The record of one trial."""
    attrs, values = trial.user_attrs, trial.intermediate_values
    cost = Cost(**{name: attrs[name] for name in ("params", "macs", "memory", "bytes")}) if "bytes" in attrs else None
    candidate = None
    if "recipe" in attrs:
        candidate = Candidate(Architecture.from_dict(attrs["architecture"]), Recipe.from_dict(attrs["recipe"]))
    return Record(
        trial=trial.number,
        outcome=_outcome(trial),
        reason=attrs.get("reason", ""),
        cost=cost,
        accuracy=values[max(values)] if values else None,
        epochs=len(values),
        network=attrs.get("network", ""),
        training=attrs.get("training", ""),
        seed=attrs.get("seed"),
        made_with=attrs.get("made_with", {}),
        candidate=candidate,
        seconds=trial.duration.total_seconds() if trial.duration is not None else None,
    )


def records(study: optuna.Study) -> list[Record]:
    """All trials of a study that began, in order."""
    return [record_of(trial) for trial in study.get_trials(deepcopy=False) if trial.state != TrialState.WAITING]


def ranked(study: optuna.Study) -> list[Record]:
    """Finished candidates, the best first; of two with the same accuracy the smaller one."""
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    finished = [record for trial in trials if (record := record_of(trial)).finished]
    return sorted(finished, key=lambda r: (-(r.accuracy or 0), r.cost.params if r.cost else 0, r.trial))


def counts(study: optuna.Study) -> Counter[str]:
    """How many trials ended in which way."""
    trials = study.get_trials(deepcopy=False)
    return Counter(_outcome(trial) for trial in trials if trial.state != TrialState.WAITING)


def n_trained(study: optuna.Study) -> int:
    """Trials that count against `--trials`: finished ones and ones that the pruner stopped."""
    tally = counts(study)
    return tally["finished"] + tally["pruned"]


def _outcome(trial: FrozenTrial) -> str:
    if trial.state == TrialState.RUNNING:
        return "running"
    if trial.state == TrialState.FAIL and "outcome" not in trial.user_attrs:
        return "interrupted"  # its process ended, or the search did before it began
    outcome: str = trial.user_attrs.get("outcome", trial.state.name.lower())
    return outcome
