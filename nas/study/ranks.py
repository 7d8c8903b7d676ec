"""Where trials stand at the rungs of a race, without comparing all of them again after each epoch."""

from bisect import bisect_left, insort
from collections.abc import Callable, Collection, Sequence
from itertools import compress
from math import isnan
from operator import is_not

from optuna.trial import FrozenTrial

from nas.study.halving import is_copy

Entry = tuple[float, int]  # the best first, of two alike the earlier


class Changes:
    """Which trials are others than when it was asked last.

    Trials are never changed, they are replaced: by Optuna's memory where something is set, by its cache where a trial
    that is not over is read again. Looking whether each is the same object takes a millisecond for a hundred thousand.
    """

    def __init__(self) -> None:
        self._trials: list[FrozenTrial] = []

    def of(self, trials: Sequence[FrozenTrial]) -> list[int]:
        """Numbers of trials that were added, replaced, or are gone; `trials` are those of a study in their order."""
        before, self._trials = self._trials, list(trials)
        replaced = compress(range(len(before)), map(is_not, trials, before))
        ends = sorted((len(before), len(trials)))
        return [*replaced, *range(*ends)]


class Rung:
    """Trials that have come to a rung, in the order of what they had there."""

    def __init__(self) -> None:
        self._all: list[Entry] = []
        self._here: list[Entry] = []  # of these the ones that have not passed another one, and are not over
        self._place: dict[int, Entry] = {}
        self._place_here: dict[int, Entry] = {}

    def __len__(self) -> int:
        return len(self._all)

    def put(self, number: int, value: float | None, is_here: bool) -> None:
        """What a trial had at this rung, None if it has not been there; the last word counts."""
        entry = None if value is None or isnan(value) else (-value, number)
        _replace(self._all, self._place, number, entry)
        _replace(self._here, self._place_here, number, entry if is_here else None)

    def place_of(self, number: int) -> int | None:
        """How many are before this one; None if it has not been there."""
        entry = self._place.get(number)
        return None if entry is None else bisect_left(self._all, entry)

    def number_at(self, place: int) -> int:
        """Which trial has so many before it."""
        return self._all[place][1]

    def first_here(self, among: Collection[int]) -> int | None:
        """Of those that have not come further the best one that is among these."""
        return next((number for _, number in self._here if number in among), None)


class Ranks:
    """All rungs of a race; `rung_of` says which one a trial has passed last. `models`: trials that others must be like,
    by their numbers.
    """

    def __init__(
        self, rungs: Sequence[int], rung_of: Callable[[FrozenTrial], int], is_model: Callable[[FrozenTrial], bool]
    ) -> None:
        self._changes, self._rung_of, self._is_model = Changes(), rung_of, is_model
        self.rungs, self.models = {rung: Rung() for rung in rungs}, dict[int, FrozenTrial]()

    def follow(self, trials: Sequence[FrozenTrial]) -> None:
        """Takes in what is new."""
        for number in self._changes.of(trials):
            trial = trials[number] if number < len(trials) else None
            values = {} if trial is None or is_copy(trial) else trial.intermediate_values
            is_over = trial is None or trial.state.is_finished()
            last = self._rung_of(trial) if trial is not None and values and not is_over else None
            for rung, ranks in self.rungs.items():
                ranks.put(number, values.get(rung), is_here=rung == last)
            if trial is not None and self._is_model(trial):
                self.models[number] = trial
            else:
                self.models.pop(number, None)


def _replace(entries: list[Entry], places: dict[int, Entry], number: int, entry: Entry | None) -> None:
    before = places.get(number)
    if before == entry:
        return
    if before is not None:
        del entries[bisect_left(entries, before)], places[number]
    if entry is not None:
        insort(entries, entry)
        places[number] = entry
