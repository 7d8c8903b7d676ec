"""Everything that is known of one trial, as plain data: for `nas show` and the dashboard's notes."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

import optuna
from optuna.trial import FixedTrial, FrozenTrial

from nas.errors import NasError, StudyError
from nas.network.cost import COSTS, Budget
from nas.network.layer_table import LayerRow, layer_rows
from nas.space import finding as spaces
from nas.space.candidate import Candidate, Task
from nas.space.finding import Space
from nas.study.record import Record, record_of, seen_from_outside
from nas.study.teacher import StudyTeacher, teacher_of
from nas.study.terms import Terms, terms_of
from nas.study.trial import TrialAttributes, limits_of, outcome_of, trial_of
from nas.table import Table, per_cent

BAR = 24  # characters of the longest bar of a learning curve


@dataclass(frozen=True)
class Details:
    """One trial. `curve` has the validation accuracy of each epoch, a fraction; `layers` is empty if not known.

    `parameters` is what the sampler suggested.
    """

    study: str
    record: Record
    budget: Budget
    recipe: str
    layers: tuple[LayerRow, ...]
    curve: tuple[tuple[int, float], ...]
    parameters: dict[str, Any]
    teacher: StudyTeacher | None = None  # if its scores had a part in the loss

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "study": self.study,
            **self.record.to_dict(),
            "seconds": self.record.seconds,
            "budget": self.budget.limits,
            "training": self.recipe,
            "layers": [asdict(layer) for layer in self.layers],
            "curve": [{"epoch": epoch, "validation_accuracy": accuracy} for epoch, accuracy in self.curve],
            "parameters": self.parameters,
            **({} if self.teacher is None else {"teacher": self.teacher.to_dict()}),
        }


def details_of(study: optuna.Study, number: int, searching: bool = True) -> Details:
    """The details of a trial by its number; `StudyError` if there is none, or none that has begun.

    `searching`: whether a search of the study is under way.
    """
    trial = trial_of(study, number)
    if outcome_of(trial) == "waiting":
        raise StudyError(f"a trial must have begun, but trial {number} waits for a search to go on with it")
    trials, teacher = study.get_trials(deepcopy=False), teacher_of(study)
    details = describe(study.study_name, terms_of(study), trials, trial, teacher)
    return replace(details, record=seen_from_outside(details.record, searching))


def describe(
    study: str,
    terms: Terms,
    trials: Sequence[FrozenTrial],
    trial: FrozenTrial,
    teacher: StudyTeacher | None = None,
) -> Details:
    """The details of one of a study's trials; `teacher` is the study's."""
    record = record_of(trial)
    candidate = _candidate(terms, trials, trial)
    return Details(
        study=study,
        record=record,
        budget=terms.limits,
        recipe=str(candidate.recipe) if candidate is not None else record.training,
        layers=layer_rows(candidate.architecture) if candidate is not None else (),
        curve=tuple(sorted(trial.intermediate_values.items())),
        parameters=dict(trial.params),
        teacher=teacher if candidate is not None and candidate.recipe.teacher_weight > 0 else None,
    )


def cost_table(details: Details) -> Table:
    """What the network costs, against the budget."""
    limits = details.budget.limits
    rows = tuple(
        (
            COSTS[name].noun,
            COSTS[name].shown(count),
            COSTS[name].shown(limits[name]) if name in limits else "-",
            per_cent(count / limits[name], 1) if name in limits else "-",
        )
        for name, count in (details.record.cost or {}).items()
    )
    return Table("Against the budget", ("cost", "of this network", "limit", "share"), rows)


def curve_table(details: Details) -> Table:
    """Accuracy after each epoch; bars begin at the lowest, so that the last tenths can be told apart."""
    accuracies = [accuracy for _, accuracy in details.curve]
    low, high = min(accuracies, default=0.0), max(accuracies, default=1.0)
    rows = tuple(
        (str(epoch), per_cent(accuracy), _bar((accuracy - low) / (high - low) if high > low else 1.0))
        for epoch, accuracy in details.curve
    )
    return Table("Learning curve", ("epoch", "validation accuracy", "from the lowest to the highest"), rows)


def facts(details: Details) -> tuple[tuple[str, str], ...]:
    """How the trial ended and how it was made, as labels and texts; what is not known is left out."""
    record = details.record
    made = record.made_with
    versions = ", ".join(f"{name} {made[name]}" for name in ("nas", "torch", "optuna", "python") if name in made)
    revision = f", revision {made['revision']}" if made.get("revision") else ""
    accuracy = f"{per_cent(record.accuracy)} after epoch {record.epochs}" if record.accuracy is not None else ""
    where = f"{made['device']} (threads: {made['threads']}) in {made['precision']}" if "device" in made else ""
    labelled = (
        ("outcome", record.outcome + (f": {record.reason}" if record.reason else "")),
        ("accuracy", accuracy),
        ("recipe", details.recipe),
        ("teacher", "" if details.teacher is None else f"{details.teacher.figures}. {details.teacher.trained_on}"),
        ("seed", str(record.seed) if record.seed is not None else ""),
        ("made with", versions + revision),
        ("trained on", where),
    )
    return tuple((label, text) for label, text in labelled if text)


def _candidate(terms: Terms, trials: Sequence[FrozenTrial], trial: FrozenTrial) -> Candidate | None:
    """What was trained: by this trial, by the one that it repeats, or what would have been had it met the budget."""
    repeats = TrialAttributes(trial).repeats
    original = trial if repeats is None else trials[repeats]
    return record_of(original).candidate or _suggested_again(terms, trials, trial)


def _suggested_again(terms: Terms, trials: Sequence[FrozenTrial], trial: FrozenTrial) -> Candidate | None:
    """A rejected trial's candidate, which is not stored: what its space makes of its parameters.

    Only of a space that comes with nas and is as it was: a file that a database names is not run.
    """
    architectures = (TrialAttributes(trial).architecture for trial in trials)
    trained = next((architecture for architecture in architectures if architecture is not None), None)
    space = _shipped_space(terms.space, terms.space_digest)
    if trained is None or space is None:
        return None
    limits = limits_of(trial, terms.limits)
    shape, taught = tuple(trained["input_shape"]), terms.teacher is not None
    task = Task(shape, trained["n_classes"], terms.epochs, limits, taught)
    try:
        return space.suggest(FixedTrial(trial.params, trial.number), task)
    except NasError:  # cut off in the middle of its suggestions
        return None


@cache
def _shipped_space(name: str, digest: str) -> Space | None:
    """A space that comes with nas, if its source is as it was; loaded once, for there may be thousands of trials."""
    if name not in spaces.names():
        return None
    try:
        space = spaces.load(name)
    except NasError:
        return None
    return space if digest in (space.digest, *space.earlier_digests) else None


def _bar(share: float) -> str:
    eighths = max(1, round(share * BAR * 8))
    return "█" * (eighths // 8) + "▏▎▍▌▋▊▉"[eighths % 8 - 1] * (eighths % 8 > 0)
