"""Searches of other packages, by their ways to ask and tell: none of them trains anything itself here.

Each trains with early stopping, at epochs 1, 3, 9 and so on as the pruners of nas do; what goes on after a rung is not
trained again from the start, though some of these packages would do so. They get the accuracies as they are, no
lessons, and as the rest their defaults.
"""

import logging
import random
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from nas.study.axes import Params
from simulated.policies import New, Terms, Training

FIDELITY = "epochs"
FACTOR = 3  # between two rungs


class Plain:
    """A space's parameters as all packages can have them: choices by their places, steps by their number.

    `numbers` are `(low, high, whether they are integers, whether logarithmic)`, `choices` how many there are.
    """

    def __init__(self, distributions: Mapping[str, BaseDistribution]) -> None:
        self.distributions = distributions
        self.numbers: dict[str, tuple[float, float, bool, bool]] = {}
        self.choices: dict[str, int] = {}
        for name, each in distributions.items():
            if isinstance(each, CategoricalDistribution):
                self.choices[name] = len(each.choices)
                continue
            assert isinstance(each, FloatDistribution | IntDistribution)
            if step := _step(each):
                self.numbers[name] = (0, round((each.high - each.low) / step), True, False)
            else:
                self.numbers[name] = (each.low, each.high, isinstance(each, IntDistribution), each.log)

    def decoded(self, plain: Mapping[str, Any]) -> dict[str, Any]:
        """The space's parameters."""
        return {name: self._decoded(each, plain[name]) for name, each in self.distributions.items()}

    def encoded(self, params: Params) -> dict[str, Any]:
        """The plain ones."""
        return {name: self._encoded(each, params[name]) for name, each in self.distributions.items()}

    def _decoded(self, distribution: BaseDistribution, value: Any) -> Any:
        if isinstance(distribution, CategoricalDistribution):
            return distribution.choices[int(value)]
        assert isinstance(distribution, FloatDistribution | IntDistribution)
        if step := _step(distribution):
            return min(distribution.high, distribution.low + int(value) * step)
        return int(value) if isinstance(distribution, IntDistribution) else float(value)

    def _encoded(self, distribution: BaseDistribution, value: Any) -> Any:
        if isinstance(distribution, CategoricalDistribution):
            return distribution.choices.index(value)
        assert isinstance(distribution, FloatDistribution | IntDistribution)
        if step := _step(distribution):
            return round((value - distribution.low) / step)
        return value


def _step(distribution: FloatDistribution | IntDistribution) -> float | None:
    """Of an axis that has one, and no more than can be expressed by a range of integers."""
    return None if distribution.step in (None, 1) or distribution.log else distribution.step


class WithSyneTune:
    """Asynchronous successive halving that draws from conformal quantile regression (Salinas et al. 2023, "Optimizing
    Hyperparameters with Conformal Quantile Regression"): `ASHACQR` of Syne Tune.
    """

    def __init__(self, terms: Terms) -> None:
        from syne_tune import config_space
        from syne_tune.optimizer.baselines import ASHACQR

        np.random.seed(terms.seed)  # which bracket a trial gets
        self._plain, self._shelf = Plain(terms.world.distributions), terms.world.shelf()
        space: dict[str, Any] = {name: config_space.choice(list(range(n))) for name, n in self._plain.choices.items()}
        for name, (low, high, is_integer, is_log) in self._plain.numbers.items():
            if is_integer:
                space[name] = (config_space.lograndint if is_log else config_space.randint)(low, high)
            else:
                space[name] = (config_space.loguniform if is_log else config_space.uniform)(low, high)
        with quiet():
            self._scheduler = ASHACQR(
                space,
                metric="accuracy",
                time_attr=FIDELITY,
                max_t=terms.world.n_epochs,
                do_minimize=False,
                random_seed=terms.seed,
                reduction_factor=FACTOR,
            )
        self._n_begun = 0

    def next(self) -> New | None:
        from syne_tune.backend.trial_status import Trial

        if self._shelf.is_empty:
            return None
        with quiet():
            suggestion = self._scheduler.suggest()
        params = self._shelf.take(self._plain.decoded(suggestion.config))
        assert params is not None
        trial = Trial(self._n_begun, self._plain.encoded(params), datetime.now())
        self._scheduler.on_trial_add(trial)
        self._n_begun += 1
        return New(params, trial)

    def goes_on(self, training: Training) -> bool:
        trial = training.handle
        decision = self._scheduler.on_trial_result(trial, {"accuracy": training.accuracy, FIDELITY: training.epoch})
        if decision == "CONTINUE":
            return True
        self._scheduler.on_trial_remove(trial)
        return False


class WithNeps:
    """Hyperband that draws near the best candidate so far, and, having no prior, at random (Mallik et al. 2023,
    "PriorBand", arXiv 2306.12370): `priorband` of NePS.
    """

    def __init__(self, terms: Terms) -> None:
        import neps
        import torch

        for seed in (random.seed, np.random.seed, torch.manual_seed):
            seed(terms.seed)  # it has no seed of its own
        self._plain, self._shelf = Plain(terms.world.distributions), terms.world.shelf()
        axes: dict[str, Any] = {name: neps.Categorical(list(range(n))) for name, n in self._plain.choices.items()}
        for name, (low, high, is_integer, is_log) in self._plain.numbers.items():
            axes[name] = (neps.Integer if is_integer else neps.Float)(low, high, log=is_log)
        axes[FIDELITY] = neps.IntegerFidelity(1, terms.world.n_epochs)
        with quiet():
            space = type("Space", (neps.PipelineSpace,), axes)()
            self._asked = neps.AskAndTell(neps.algorithms.priorband(space, eta=FACTOR))
        self._stopped: dict[str, Training] = {}

    def next(self) -> New | Training | None:
        with quiet():
            trial = self._asked.ask()
        stopped = self._stopped.pop(trial.metadata.previous_trial_id or "", None)
        if stopped is not None:
            stopped.handle = trial
            return stopped
        params = self._shelf.take(self._plain.decoded(trial.config))
        if params is None:
            return None
        trial.config = {**trial.config, **self._plain.encoded(params)}
        return New(params, trial)

    def goes_on(self, training: Training) -> bool:
        trial = training.handle
        if training.epoch < trial.config[FIDELITY]:
            return True
        self._asked.tell(trial, 1 - training.accuracy)
        self._stopped[trial.metadata.id] = training
        return False


class WithSmac:
    """Hyperband that draws from a random forest (Lindauer et al. 2022, "SMAC3", arXiv 2109.09831):
    `MultiFidelityFacade` of SMAC.

    It wants to know how many trials there will be, of which a quarter at most are drawn at random first; a rung of a
    candidate is a trial. Half as many as there are epochs is what Hyperband comes to.
    """

    def __init__(self, terms: Terms) -> None:
        from ConfigSpace import Categorical, ConfigurationSpace, Float, Integer
        from smac import MultiFidelityFacade, Scenario

        np.random.seed(terms.seed)
        self._plain, self._n_epochs = Plain(terms.world.distributions), terms.world.n_epochs
        space = ConfigurationSpace(seed=terms.seed)
        for name, n in self._plain.choices.items():
            space.add(Categorical(name, list(range(n))))
        for name, (low, high, is_integer, is_log) in self._plain.numbers.items():
            space.add((Integer if is_integer else Float)(name, (low, high), log=is_log))
        self._folder = tempfile.TemporaryDirectory()
        scenario = Scenario(
            space,
            deterministic=True,
            n_trials=terms.n_in_all // 2,
            min_budget=1,
            max_budget=self._n_epochs,
            seed=terms.seed,
            output_directory=self._folder.name,
        )
        self._selector = _selector(scenario, self._plain, terms)
        with quiet():
            self._facade = MultiFidelityFacade(
                scenario,
                lambda config, seed, budget: 0.0,  # not called: it is told
                intensifier=MultiFidelityFacade.get_intensifier(scenario, eta=FACTOR),
                config_selector=self._selector,
                logging_level=False,
            )
        self._stopped: dict[Any, Training] = {}

    def next(self) -> New | Training | None:
        try:
            with quiet():
                info = self._facade.ask()
        except StopIteration:  # nothing is left
            return None
        stopped = self._stopped.pop(info.config, None)
        if stopped is not None:
            stopped.handle = info
            return stopped
        return New(self._selector.params[info.config], info)

    def goes_on(self, training: Training) -> bool:
        from smac.runhistory import TrialValue

        info = training.handle
        if training.epoch < round(info.budget):
            return True
        with quiet():
            self._facade.tell(info, TrialValue(1 - training.accuracy), save=False)
        self._stopped[info.config] = training
        return False


def _selector(scenario: Any, plain: Plain, terms: Terms) -> Any:
    """Hands SMAC's suggestions on, each as what there is instead. `params`: what is trained, by its configuration."""
    from ConfigSpace import Configuration
    from smac.main.config_selector import ConfigSelector

    class Selector(ConfigSelector):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(scenario)
            self.params: dict[Any, Params] = {}
            self._shelf = terms.world.shelf()

        def __iter__(self) -> Iterator[Any]:
            for suggested in super().__iter__():
                params = self._shelf.take(plain.decoded(suggested))
                if params is None:
                    return
                config = Configuration(scenario.configspace, plain.encoded(params))
                self.params[config] = params
                yield config

    return Selector()


@contextmanager
def quiet() -> Iterator[None]:
    """Without what packages have to say besides."""
    with warnings.catch_warnings(action="ignore"):
        logging.disable(logging.ERROR)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)
