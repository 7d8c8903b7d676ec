"""The axes of a teacher, which are the same for all spaces."""

from dataclasses import replace
from typing import TYPE_CHECKING

from nas.space.candidate import Candidate

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

WEIGHT = "teacher_weight"
TEMPERATURE = "temperature"


def taught(trial: "BaseTrial", candidate: Candidate) -> Candidate:
    """The candidate with a weight and a temperature of soft labels that are suggested here, behind all else.

    A space that suggests a parameter `teacher_weight` itself, or gives its recipe one, has said what it wants.
    """
    if candidate.recipe.teacher_weight > 0 or WEIGHT in trial.params:
        return candidate
    # At a temperature of 1 soft labels taught nothing, from 4 on with any of these weights: benchmarks/distillation.py
    weight = round(trial.suggest_float(WEIGHT, 0.3, 0.9, step=0.1), 1)
    temperature = trial.suggest_int(TEMPERATURE, 2, 8, log=True)
    return replace(candidate, recipe=replace(candidate.recipe, teacher_weight=weight, temperature=float(temperature)))
