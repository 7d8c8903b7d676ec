"""Who suggests candidates, by name. A new sampler is a function here, and its line in `SAMPLERS`.

Over-budget trials reach each of them as constraints.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nas.errors import InputError, nearest

if TYPE_CHECKING:  # the names alone are quickly there: whoever presses TAB waits for them
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler

    from nas.study.experience import Experience


@dataclass(frozen=True)
class Basis:
    """What a sampler starts from: how many epochs a training has, the space's axes, and earlier studies.

    `until_target`: the search ends with the first network that has its target, so that time is all that counts. `kept`:
    what samplers that are made from it, a new one for each trial, leave each other.
    """

    epochs: int
    distributions: "Mapping[str, BaseDistribution] | None" = None
    experience: "Experience | None" = None
    until_target: bool = False
    kept: dict[str, Any] = field(default_factory=dict, compare=False)


def _learned(seed: int, basis: Basis) -> "BaseSampler":
    """nas's own `LearnedSampler`."""
    from nas.study.learned import PRICE, PRICE_UNTIL_TARGET, LearnedSampler
    from nas.study.memory import Memory

    memory = basis.kept.setdefault("memory", Memory())
    price = PRICE_UNTIL_TARGET if basis.until_target else PRICE
    return LearnedSampler(basis.epochs, seed, basis.distributions, basis.experience, price=price, memory=memory)


def _tpe(seed: int, basis: Basis) -> "BaseSampler":
    from optuna.samplers import TPESampler

    # Rejected trials count as startup trials too, hence more than Optuna's ten.
    return TPESampler(seed=seed, n_startup_trials=15)


def _random(seed: int, basis: Basis) -> "BaseSampler":
    from optuna.samplers import RandomSampler

    return RandomSampler(seed=seed)


def _nsga2(seed: int, basis: Basis) -> "BaseSampler":
    from optuna.samplers import NSGAIISampler

    return NSGAIISampler(seed=seed, population_size=20)


def _gp(seed: int, basis: Basis) -> "BaseSampler":
    from optuna.samplers import GPSampler

    return GPSampler(seed=seed)


SAMPLERS: Mapping[str, Callable[[int, Basis], "BaseSampler"]] = {
    "learned": _learned,
    "tpe": _tpe,
    "random": _random,
    "nsga2": _nsga2,
    "gp": _gp,
}


def make_sampler(name: str, seed: int, basis: Basis) -> "BaseSampler":
    """The sampler of a name; raises `InputError`.

    What it suggests for a trial depends on the seed, the trial's number and those before it alone, so that a search
    which was killed in between suggests what it would have.
    """
    from nas.study.repeating import RepeatingSampler

    check_sampler(name)
    return RepeatingSampler(lambda seed: SAMPLERS[name](seed, basis), seed)


def check_sampler(name: str) -> None:
    """Raises `InputError` unless there is a sampler of that name."""
    if name not in SAMPLERS:
        raise InputError(f"sampler must be one of {', '.join(SAMPLERS)}, but got {name!r}{nearest(name, SAMPLERS)}")
