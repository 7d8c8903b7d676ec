"""What happens to a trial, told to those who watch a search."""

from dataclasses import dataclass

from nas.network.cost import Cost
from nas.space.candidate import Candidate
from nas.study.teacher import StudyTeacher
from nas.study.trial import Outcome
from nas.training.run import EpochResult


@dataclass(frozen=True)
class Started:
    """A candidate's training begins."""

    trial: int
    candidate: Candidate
    cost: Cost


@dataclass(frozen=True)
class EpochDone:
    """One epoch of a candidate is done."""

    trial: int
    result: EpochResult


@dataclass(frozen=True)
class Ended:
    """A trial is over; `reason` says why in words, `accuracy` is the last epoch's where there was one."""

    trial: int
    outcome: Outcome
    reason: str = ""
    accuracy: float | None = None


TrialEvent = Started | EpochDone | Ended


@dataclass(frozen=True)
class Teaching:
    """Something happened to the training of the teacher, which comes before all trials; it has `epochs`."""

    event: TrialEvent
    epochs: int


@dataclass(frozen=True)
class Taught:
    """The teacher is there."""

    teacher: StudyTeacher


@dataclass(frozen=True)
class Told:
    """Something that whoever watches should know, in a sentence."""

    text: str


@dataclass(frozen=True)
class Doing:
    """What the search does from now on, besides training or after it; `text` has no full stop."""

    text: str


Event = TrialEvent | Teaching | Taught | Told | Doing
