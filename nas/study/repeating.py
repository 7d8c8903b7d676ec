"""Suggestions that do not depend on how often a search was interrupted."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState


class RepeatingSampler(BaseSampler):
    """Another sampler, made anew for each trial, and for each parameter that it suggests by itself, with a seed that
    derives from `seed`, the trial's number and the parameter's name.

    A sampler has its random numbers from one stream, of which nobody knows how far it was when a search was killed.
    """

    def __init__(self, make: Callable[[int], BaseSampler], seed: int) -> None:
        self._make, self._seed = make, seed

    def reseed_rng(self) -> None:
        """Optuna calls this where a sampler is copied, whose seeds derive from trials here as there."""

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """As the other sampler's."""
        return self._of(trial).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """As the other sampler's."""
        return self._of(trial).sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """As the other sampler's, of a seed of the parameter's own."""
        return self._of(trial, param_name).sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """As the other sampler's."""
        self._of(trial).before_trial(study, trial)

    def after_trial(
        self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """As the other sampler's."""
        self._of(trial).after_trial(study, trial, state, values)

    def _of(self, trial: FrozenTrial, param_name: str = "") -> BaseSampler:
        text = f"{self._seed} {trial.number} {param_name}"
        return self._make(int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big"))
