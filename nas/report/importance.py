"""Which axes of the search space decide, as far as a study tells."""

import warnings
from typing import NamedTuple

import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState, create_trial

from nas.study.trial import outcome_of

N_NEEDED = 20  # trained candidates
N_BEST = 5  # as Optuna's documentation of PED-ANOVA advises, at least
BEST_SHARE = 0.1


class Importance(NamedTuple):
    """An axis of the space, and its share of what sets the best candidates apart; all shares add up to 1."""

    axis: str
    share: float


def importances(study: optuna.Study) -> list[Importance]:
    """All axes, the most important first; none if fewer than `N_NEEDED` candidates were trained.

    PED-ANOVA (Watanabe et al. 2023, "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary
    Subspaces") compares where the best tenth lies, five at least, with where all trained candidates lie. Only their
    order matters to it. So pruned ones count too, in the order that TPE has for them: who was trained longer is before
    who was stopped earlier, and then accuracy decides. Nothing in it is random.
    """
    trained = [trial for trial in study.get_trials(deepcopy=False) if _was_trained(trial)]
    if len(trained) < N_NEEDED:
        return []
    evaluator = PedAnovaImportanceEvaluator(target_quantile=max(BEST_SHARE, N_BEST / len(trained)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about values of a conditional axis that hardly occur
        shares = get_param_importances(_ranked_study(trained), evaluator=evaluator)
    return sorted((Importance(*item) for item in shares.items()), key=lambda each: (-each.share, each.axis))


def n_trained(study: optuna.Study) -> int:
    """How many candidates the importance is computed from."""
    return sum(_was_trained(trial) for trial in study.get_trials(deepcopy=False))


def _ranked_study(trials: list[FrozenTrial]) -> optuna.Study:
    """A study in memory with the same suggestions, whose values are ranks: 0 is the best."""
    ordered = sorted(trials, key=_merit, reverse=True)
    study = optuna.create_study(direction="minimize")
    study.add_trials(
        create_trial(params=trial.params, distributions=trial.distributions, value=rank)
        for rank, trial in enumerate(ordered)
    )
    return study


def _merit(trial: FrozenTrial) -> tuple[int, float, int]:
    epochs = max(trial.intermediate_values)
    return epochs, trial.intermediate_values[epochs], -trial.number


def _was_trained(trial: FrozenTrial) -> bool:
    ended = trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
    return ended and bool(trial.intermediate_values) and outcome_of(trial) in ("finished", "pruned")
