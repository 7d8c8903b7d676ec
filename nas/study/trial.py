"""What is stored of a trial: the one file that spells its attributes, for those who write them and who read them.

Trials of earlier versions are read too: what they do not have is None.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Generic, Literal, Protocol, TypeVar, get_args, overload

import optuna
from optuna.trial import BaseTrial, FrozenTrial, Trial, TrialState

from nas.errors import StudyError
from nas.network.architecture import Architecture
from nas.network.cost import COSTS, Budget, Cost
from nas.space.candidate import Candidate
from nas.training.recipe import Recipe

Outcome = Literal["finished", "pruned", "rejected", "repeated", "failed", "interrupted", "paused", "running"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
# Long ones, which a text about the trial shows better than a list of its attributes.
LONG = ("architecture", "recipe", "digest", "network", "training", "made_with", "timing")

T = TypeVar("T")


class HasAttributes(Protocol):
    """A trial of Optuna, running or not."""

    @property
    def user_attrs(self) -> dict[str, Any]: ...


class _Attribute(Generic[T]):
    """One attribute, by the name under which it is stored; None where it is not."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, attributes: None, owner: type) -> "_Attribute[T]": ...
    @overload
    def __get__(self, attributes: "TrialAttributes", owner: type) -> T | None: ...
    def __get__(self, attributes: "TrialAttributes | None", owner: type) -> "_Attribute[T] | T | None":
        if attributes is None:
            return self
        value: T | None = attributes.stored.get(self._name)
        return value

    def __set__(self, attributes: "TrialAttributes", value: T) -> None:
        attributes.write(self._name, value)


class TrialAttributes:
    """A trial's attributes: reading one is a look-up, assigning one of a running trial stores it."""

    outcome = _Attribute[Outcome]()  # how it ended, or that it is paused; none while it runs, or if its process died
    reason = _Attribute[str]()  # of that outcome, in words
    digest = _Attribute[str]()  # of the candidate
    architecture = _Attribute[dict[str, Any]]()  # from here on: of a candidate whose training began
    recipe = _Attribute[dict[str, Any]]()
    network = _Attribute[str]()  # the architecture in words
    training = _Attribute[str]()  # the recipe in words
    seed = _Attribute[int]()  # of the training
    second_accuracy = _Attribute[float]()  # of a second training, where the first would set the bar for all others
    float_accuracy = _Attribute[float]()  # of the last epoch, where the accuracy is that of whole numbers
    made_with = _Attribute[dict[str, Any]]()  # the environment of the process that trains
    timing = _Attribute[dict[str, Any]]()  # how its latency was measured, by the digest of its shape
    limits = _Attribute[dict[str, Any]]()  # what the space was told to keep to, where the budget tightens
    repeats = _Attribute[int]()  # the trial that trained the same candidate before
    continues = _Attribute[int]()  # in studies of layout 1: the trial whose training went on in this one
    resumed = _Attribute[str]()  # when its training went on last, if it ever did; ISO, local time
    stretches = _Attribute[list[list[str]]]()  # the times in which it was trained before that, from and to

    def __init__(self, trial: HasAttributes) -> None:
        self._trial = trial

    @cached_property
    def stored(self) -> dict[str, Any]:
        """All of them, read once, when one is asked for. A running trial's are those that it keeps itself: its property
        copies each of them in depth.
        """
        trial = self._trial._cached_frozen_trial if isinstance(self._trial, Trial) else self._trial
        return dict(trial.user_attrs)

    @property
    def has_candidate(self) -> bool:
        """Whether it is stored what was trained."""
        return self.architecture is not None and self.recipe is not None

    def write(self, name: str, value: Any) -> None:
        """Stores an attribute of a running trial."""
        assert isinstance(self._trial, BaseTrial)
        self._trial.set_user_attr(name, value)
        if "stored" in vars(self):
            self.stored[name] = value

    @property
    def cost(self) -> Cost | None:
        """What the candidate costs, as far as it was counted then."""
        counts = {name: self.stored[name] for name in COSTS if name in self.stored}
        return Cost(**counts) if counts else None

    @cost.setter
    def cost(self, cost: Cost) -> None:
        for name, value in cost.items():
            self.write(name, value)

    @property
    def candidate(self) -> Candidate | None:
        """What was trained, if its training began; every value is checked again."""
        if self.architecture is None or self.recipe is None:
            return None
        return Candidate(Architecture.from_dict(self.architecture), Recipe.from_dict(self.recipe))

    @candidate.setter
    def candidate(self, candidate: Candidate) -> None:
        self.architecture, self.recipe = candidate.architecture.to_dict(), candidate.recipe.to_dict()
        self.network, self.training = str(candidate.architecture), str(candidate.recipe)

    @property
    def shown(self) -> dict[str, Any]:
        """Those that suit a list of attributes."""
        return {name: value for name, value in self.stored.items() if name not in LONG}


def trial_of(study: optuna.Study, number: int) -> FrozenTrial:
    """A study's trial by its number; `StudyError` if there is none."""
    trials = study.get_trials(deepcopy=False)
    if not 0 <= number < len(trials):
        there = f"one of 0 to {len(trials) - 1}" if trials else "one that there is, and there is none yet"
        raise StudyError(f"a trial must be {there}, but got {number}: see nas trials")
    return trials[number]


def outcome_of(trial: FrozenTrial) -> str:
    """How a trial ended, or that it runs, is paused, or was interrupted and waits; the state's name for a trial that
    nas did not make.
    """
    outcome = TrialAttributes(trial).outcome
    if trial.state == TrialState.RUNNING:
        return "paused" if outcome == "paused" else "running"
    if trial.state == TrialState.WAITING:
        return "interrupted" if was_begun(trial) else "waiting"
    if trial.state == TrialState.FAIL and outcome in (None, "running"):
        return "interrupted"  # its process ended, or the search did before it began
    return outcome or trial.state.name.lower()


def was_begun(trial: FrozenTrial) -> bool:
    """Whether a search has had it: one that waits may have been queued by the user."""
    return trial.datetime_start is not None


def died(trial: FrozenTrial) -> bool:
    """Whether its process ended in the middle of its training, without a word: in studies of layout 1."""
    return trial.state == TrialState.FAIL and TrialAttributes(trial).outcome in (None, "running")


def paused_trials(study: optuna.Study) -> list[FrozenTrial]:
    """Those whose training waits until it looks more promising than others."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return [trial for trial in running if outcome_of(trial) == "paused"]


def reported(trial: Trial) -> Mapping[int, float]:
    """What a running trial has reported so far, by epoch."""
    return trial.storage.get_trial(trial._trial_id).intermediate_values


def correct_report(trial: Trial, epoch: int, accuracy: float) -> None:
    """Reports an epoch that was reported before, of a training that has begun anew: Optuna's `report` ignores it."""
    trial.study._storage.set_trial_intermediate_value(trial._trial_id, epoch, accuracy)
    trial._cached_frozen_trial.intermediate_values[epoch] = accuracy


def limits_of(trial: HasAttributes, budget: Budget) -> Budget:
    """What the space was told to keep to: the study's budget, or what was left of it when the trial began."""
    limits = TrialAttributes(trial).limits
    return budget if limits is None else Budget(**limits)


def let_wait(study: optuna.Study, trial_id: int) -> None:
    """A trial that was interrupted waits, and is the next that is asked for."""
    study._storage.set_trial_state_values(trial_id, TrialState.WAITING)
