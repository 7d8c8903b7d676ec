"""Plays searches: the events of some workers on a clock of its own."""

import heapq
import multiprocessing
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import optuna

from nas.study.axes import Numbers
from simulated.policies import POLICIES, Policy, Terms, Training
from simulated.world import World

Axis = Literal["seconds", "epochs"]


@dataclass(frozen=True)
class Extent:
    """What a search has: workers, and seconds of the clock and epochs in all, whichever it is measured by."""

    n_workers: int
    seconds: float
    epochs: int

    def along(self, axis: Axis) -> float:
        return self.seconds if axis == "seconds" else self.epochs


@dataclass
class History:
    """How a search went: when the candidate that it would hand over changed, and the true accuracy of that.

    `when`: by each axis, the seconds of the clock and the epochs that had ended by then, of all trainings.
    """

    when: dict[Axis, list[float]] = field(default_factory=lambda: {"seconds": [], "epochs": []})
    true: list[float] = field(default_factory=list)

    def at(self, point: float, axis: Axis) -> float:
        """The true accuracy of what it would have handed over then; 0 before the first."""
        n = int(np.searchsorted(self.when[axis], point, side="right"))
        return self.true[n - 1] if n else 0.0

    def reached(self, accuracy: float, axis: Axis) -> float:
        """The first point at which it was as good as that for good; infinite if never."""
        behind = [i for i, each in enumerate(self.true) if each < accuracy]
        first = behind[-1] + 1 if behind else 0
        return self.when[axis][first] if first < len(self.true) else float("inf")


def play(policy: Policy, world: World, extent: Extent, seed: int) -> History:
    """One search, until both its seconds and its epochs are over."""
    random, history, best_seen = np.random.default_rng([seed, 1]), History(), 0.0
    under_way: list[tuple[float, int, Training]] = []  # when an epoch ends
    n_events, n_ended, n_idle = 0, 0, extent.n_workers

    def train(training: Training, now: float) -> None:
        nonlocal n_events
        n_events += 1
        heapq.heappush(under_way, (now + training.seconds, n_events, training))

    def begin(now: float) -> bool:
        asked = policy.next()
        if asked is None:
            return False
        train(
            asked if isinstance(asked, Training) else Training(asked.handle, *world.trained(asked.params, random)), now
        )
        return True

    while n_idle and begin(0.0):
        n_idle -= 1
    while under_way:
        now, _, training = heapq.heappop(under_way)
        if now > extent.seconds and n_ended >= extent.epochs:
            break
        n_ended += 1
        training.epoch += 1
        if training.epoch == world.n_epochs and training.accuracy > best_seen:
            best_seen = training.accuracy
            history.when["seconds"].append(now)
            history.when["epochs"].append(n_ended)
            history.true.append(training.true)
        if policy.goes_on(training) and training.epoch < world.n_epochs:
            train(training, now)
        else:
            n_idle += 1
        while n_idle and begin(now):
            n_idle -= 1
    return history


# Many of them ---------------------------------------------------------------------------------------------------------


def play_all(
    names: Sequence[str], world: World, extent: Extent, n_seeds: int, n_processes: int
) -> Mapping[str, list[History]]:
    """Searches of each policy with seeds from 0, in processes of their own; how many these are changes no result."""
    # New ones, not copies of this one, whose threads might be in the middle of something
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(n_processes, context, _receive, (world, extent)) as processes:
        playing = {name: [processes.submit(_play, name, seed) for seed in range(n_seeds)] for name in names}
        return {name: [each.result() for each in of_name] for name, of_name in playing.items()}


_received: tuple[World, Extent] | None = None  # once for each process: a world is large


def _receive(world: World, extent: Extent) -> None:
    global _received
    _received = world, extent
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def _play(name: str, seed: int) -> History:
    assert _received is not None
    world, extent = _received
    return play(POLICIES[name].make(Terms(world, extent.epochs, seed)), world, extent, seed)


def regrets(histories: Sequence[History], world: World, point: float, axis: Axis) -> Numbers:
    """In points, search by search: how far each would then have been from the best there is."""
    return np.array([100 * (world.best - each.at(point, axis)) for each in histories])
