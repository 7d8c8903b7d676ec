"""What a sampler remembers of a study from one suggestion to the next: with it none looks at all trials again."""

from collections import deque
from collections.abc import Hashable, Sequence
from threading import Lock

from optuna.trial import FrozenTrial, TrialState

from nas.study.axes import Axes, Params
from nas.study.halving import is_copy
from nas.study.ranks import Changes
from nas.study.trial import outcome_of

EACH = 16  # trainings that run beside each other for each suggestion that is made in advance


class Memory:
    """Trials of a study on some axes, and suggestions that are made but not asked for yet; for one thread at a time.

    A model answers for several suggestions only where so many trainings run beside each other that it makes no
    difference, `EACH` for each: then which of them ends first is chance, and no suggestion could be repeated anyway.
    With fewer each suggestion has a model of its own, which knows all that was reported before.
    """

    def __init__(self) -> None:
        self.lock = Lock()
        self.ahead: deque[Params] = deque()
        self._forget(None)

    @property
    def n_together(self) -> int:
        """How many suggestions are to be made of one model."""
        return max(1, len(self._running) // EACH)

    def follow(self, axes: Axes, trials: Sequence[FrozenTrial]) -> None:
        """Takes in what is new of a study."""
        if axes.distributions != self._distributions:
            self._forget(axes)
        for number in self._changes.of(trials):
            trial = trials[number] if number < len(trials) else None
            self._note(axes, number, trial)

    def trials(self) -> list[FrozenTrial]:
        """Those that have all axes, and figures of their own, in order."""
        return [self._covered[number] for number in sorted(self._covered)]

    def is_tried(self, axes: Axes, params: Params) -> bool:
        """Whether a trial has the same."""
        return _key(axes, params) in self._tried

    def hand_out(self, axes: Axes) -> Params | None:
        """The next suggestion that was made in advance."""
        while self.ahead:
            params = self.ahead.popleft()
            if not self.is_tried(axes, params):
                return params
        return None

    def _forget(self, axes: Axes | None) -> None:
        self._distributions = None if axes is None else axes.distributions
        self._changes, self._covered = Changes(), dict[int, FrozenTrial]()
        self._tried, self._running = set[Hashable](), set[int]()
        self.ahead.clear()

    def _note(self, axes: Axes, number: int, trial: FrozenTrial | None) -> None:
        runs = trial is not None and trial.state == TrialState.RUNNING and outcome_of(trial) != "paused"
        (self._running.add if runs else self._running.discard)(number)
        if trial is None or not axes.covers(trial.params) or is_copy(trial):
            self._covered.pop(number, None)
            return
        if number not in self._covered:
            self._tried.add(_key(axes, trial.params))
        self._covered[number] = trial


def _key(axes: Axes, params: Params) -> Hashable:
    return tuple(axes.of(params).values())
