"""Who says what is trained next, and how far: samplers and pruners in a study, and plain strategies."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from random import Random
from typing import Any, NamedTuple, Protocol

import optuna
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, Trial, TrialState

from nas.study.axes import Numbers, Params
from nas.study.pausing import PausingPruner
from nas.study.pruners import make_pruner
from nas.study.samplers import Basis, make_sampler
from simulated.world import Shelf, World


@dataclass(frozen=True)
class Terms:
    """What a search may know beforehand. `n_in_all`: the epochs that it has, all trainings together."""

    world: World
    n_in_all: int
    seed: int


class New(NamedTuple):
    """A candidate whose training is to begin; `handle`: by which its policy knows it."""

    params: Params
    handle: Any = None


@dataclass(eq=False)
class Training:
    """One under way: what will be seen of it, and how far it is."""

    handle: Any
    seen: Numbers  # accuracies
    true: float
    seconds: float  # an epoch
    epoch: int = 0

    @property
    def accuracy(self) -> float:
        """After the epoch that it has just ended."""
        return float(self.seen[self.epoch - 1])


class Policy(Protocol):
    """Says what to train; asked whenever a worker is free, and after each epoch."""

    def next(self) -> New | Training | None:
        """A new training, or one that was stopped and goes on; None if there is nothing to do until another ends."""
        ...

    def goes_on(self, training: Training) -> bool:
        """Whether it goes on behind the epoch that it has just ended; also told of the last one."""
        ...


class WithOptuna:
    """A sampler and a pruner in a study of Optuna; what a pruner of nas pauses goes on as in `nas.searching.loop`."""

    def __init__(self, sampler: BaseSampler, pruner: BasePruner, terms: Terms) -> None:
        self._world, self._shelf = terms.world, terms.world.shelf()
        offered = Offered(sampler, self._shelf, self._world.distributions) if self._world.is_limited else sampler
        # Hyperband's brackets depend on the study's name
        self._study = optuna.create_study(
            study_name=f"seed {terms.seed}", direction="maximize", sampler=offered, pruner=pruner
        )
        self._paused: dict[int, Training] = {}

    def next(self) -> New | Training | None:
        pruner = self._study.pruner
        if isinstance(pruner, PausingPruner) and self._paused:
            number = pruner.goes_on(self._study, tuple(self._paused))
            if number is not None:
                return self._paused.pop(number)
        if self._shelf.is_empty:
            return None
        trial = self._study.ask(dict(self._world.distributions))
        for name, value in self._world.cost(trial.params).items():
            trial.set_user_attr(name, value)
        return New(trial.params, trial)

    def goes_on(self, training: Training) -> bool:
        trial: Trial = training.handle
        trial.report(training.accuracy, training.epoch)
        if training.epoch == self._world.n_epochs:
            self._study.tell(trial, training.accuracy)
        elif trial.should_prune():
            if isinstance(self._study.pruner, PausingPruner):
                self._paused[trial.number] = training
            else:
                self._study.tell(trial, state=TrialState.PRUNED)
        else:
            return True
        return False


class Offered(BaseSampler):
    """Another sampler's suggestions, each replaced by what there is instead.

    So a trial has the parameters that are really trained, from the start, and no others that its sampler could learn
    from.
    """

    def __init__(self, sampler: BaseSampler, shelf: Shelf, distributions: Mapping[str, BaseDistribution]) -> None:
        self._sampler, self._shelf, self._distributions = sampler, shelf, dict(distributions)

    def reseed_rng(self) -> None:
        self._sampler.reseed_rng()

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """All axes."""
        return self._distributions

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """What is nearest to a whole suggestion."""
        space = self._sampler.infer_relative_search_space(study, trial)
        suggested = self._sampler.sample_relative(study, trial, space)
        for name, distribution in self._distributions.items():
            if name not in suggested:
                suggested[name] = self._sampler.sample_independent(study, trial, name, distribution)
        params = self._shelf.take(suggested)
        assert params is not None  # whoever asks sees to that
        return dict(params)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Not needed: there are no axes beside those of the space."""
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        self._sampler.before_trial(study, trial)

    def after_trial(self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Any) -> None:
        self._sampler.after_trial(study, trial, state, values)


class OneEpochThenBest:
    """One epoch for each of so many random candidates, then the best go on to their end, one after the other.

    A baseline that many multi-fidelity methods do not beat (Bohdal et al. 2023, arXiv 2307.15422). Half of the epochs
    of a search are for the first ones.
    """

    def __init__(self, terms: Terms) -> None:
        self._random, self._world, self._shelf = Random(terms.seed), terms.world, terms.world.shelf()
        self._n_first, self._n_begun, self._stopped = terms.n_in_all // 2, 0, list[Training]()

    def next(self) -> New | Training | None:
        if self._n_begun < self._n_first or not self._stopped:
            self._n_begun += 1
            params = self._shelf.take(self._world.axes.drawn(self._random))
            if params is not None:
                return New(params)
        if not self._stopped:
            return None
        best = max(self._stopped, key=lambda training: training.accuracy)
        self._stopped.remove(best)
        return best

    def goes_on(self, training: Training) -> bool:
        if training.epoch == 1:
            self._stopped.append(training)
            return False
        return True


class Oracle:
    """Trains the best candidate that there is, first and alone: what no search can do better."""

    def __init__(self, terms: Terms) -> None:
        self._todo = [terms.world.best_params]

    def next(self) -> New | None:
        return New(self._todo.pop()) if self._todo else None

    def goes_on(self, training: Training) -> bool:
        return True


# By name --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """A policy in the list of all. `modules`: that it needs, of other packages. `slow`: only where it is named."""

    make: Callable[[Terms], Policy]
    modules: tuple[str, ...] = ()
    slow: bool = False

    @property
    def missing(self) -> list[str]:
        """The modules that are not installed."""
        return [module for module in self.modules if find_spec(module) is None]


def _optuna(sampler: str, pruner: str, slow: bool = False) -> Entry:
    def make(terms: Terms) -> Policy:
        world = terms.world
        basis = Basis(world.n_epochs, world.distributions, world.experience)
        return WithOptuna(make_sampler(sampler, terms.seed, basis), make_pruner(pruner, world.n_epochs), terms)

    return Entry(make, slow=slow)


def _syne_tune(terms: Terms) -> Policy:
    from simulated.others import WithSyneTune

    return WithSyneTune(terms)


def _neps(terms: Terms) -> Policy:
    from simulated.others import WithNeps

    return WithNeps(terms)


def _smac(terms: Terms) -> Policy:
    from simulated.others import WithSmac

    return WithSmac(terms)


ORACLE = "oracle"
POLICIES: Mapping[str, Entry] = {
    ORACLE: Entry(Oracle),
    "learned, pausing": _optuna("learned", "pausing"),
    "learned, halving": _optuna("learned", "halving"),
    "random, pausing": _optuna("random", "pausing"),
    "random": _optuna("random", "none"),
    "random, halving": _optuna("random", "halving"),
    "tpe, none": _optuna("tpe", "none"),
    "tpe, halving": _optuna("tpe", "halving"),
    "tpe, hyperband": _optuna("tpe", "hyperband"),
    "gp, halving": _optuna("gp", "halving", slow=True),
    "one epoch, then the best": Entry(OneEpochThenBest),
    "syne-tune CQR": Entry(_syne_tune, ("syne_tune", "huggingface_hub"), slow=True),
    "neps PriorBand": Entry(_neps, ("neps",)),
    "smac": Entry(_smac, ("smac",), slow=True),
}
