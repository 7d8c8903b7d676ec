"""Workers that die in the middle of a training: what that costs, counted in epochs that are trained again: none."""

import os
import signal
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import Trial
from small_study import SmallStudy

from nas import Budget, datasets
from nas.datasets.splitting import Split
from nas.errors import WorkerError
from nas.execution import opening, processes
from nas.execution.job import Began, Cancelled, Executor, Job, Message
from nas.execution.processes import ProcessExecutor
from nas.replication.retraining import retrain
from nas.searching.events import EpochDone, Event
from nas.searching.objective import SECOND_SEED, Objective
from nas.space.candidate import Candidate, Task
from nas.space.finding import load
from nas.space.probing import random_candidates
from nas.study.data import data_of
from nas.study.goal import Goal
from nas.study.trial import TrialAttributes, let_wait

EPOCHS = 4
KIND = Budget(3000)


class Deadly(ProcessExecutor):
    """One worker; counts who began, and the epochs that were really trained, by the seed of their training.

    `deaths`: how many workers die in an epoch, as soon as they are to train it. `kill_worker`: the one that trains.
    """

    def __init__(
        self, data: Split, deaths: dict[int, int] | None = None, on_death: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(data, 1, 1)
        self.deaths, self.on_death = dict(deaths or {}), on_death
        self.n_begun, self.trained = 0, list[tuple[int, int]]()

    def _messages_of_one_worker(self, job: Job) -> Generator[Message, None, None]:
        n_done = 0
        with closing(super()._messages_of_one_worker(job)) as messages:
            for message in messages:
                if isinstance(message, Began):
                    self.n_begun, n_done, epoch = self.n_begun + 1, message.n_done, 0
                else:
                    epoch = message.epoch
                    if epoch > n_done:
                        self.trained.append((job.seed, epoch))
                if epoch >= n_done and self.deaths.get(epoch + 1):
                    self.deaths[epoch + 1] -= 1
                    self.kill_worker()
                yield message

    def kill_worker(self) -> None:
        (worker,) = self._workers
        assert worker._process.pid is not None
        os.kill(worker._process.pid, signal.SIGKILL)
        worker._process.join()
        self.on_death()


@pytest.fixture(scope="module")
def few(few_images: str) -> Split:
    return datasets.split(datasets.load(few_images))


@pytest.fixture(scope="module")
def candidate(few: Split) -> Candidate:
    task = Task(few.image_shape, few.n_classes, EPOCHS, KIND)
    return next(candidate for candidate, _ in random_candidates(load("tiny"), task, 0))


def every_epoch(seed: int) -> list[tuple[int, int]]:
    return [(seed, epoch) for epoch in range(1, EPOCHS + 1)]


def test_two_deaths_in_an_epoch_and_two_in_the_next_cost_nothing(
    few: Split, candidate: Candidate, tmp_path: Path
) -> None:
    job = Job(candidate, 7, checkpoint=tmp_path / "kept.pt")
    with closing(Deadly(few, {2: 2, 3: 2})) as executor, executor.run(job) as run:
        assert [result.epoch for result in run] == [1, 2, 3, 4]
    assert executor.n_begun == 5
    assert executor.trained == every_epoch(7), "each once: all workers had been told to go on, and were killed then"


def test_the_third_death_in_an_epoch_fails_the_training(few: Split, candidate: Candidate, tmp_path: Path) -> None:
    job = Job(candidate, 7, checkpoint=tmp_path / "kept.pt")
    failure = r"signal 9.*and so did 2 before it in epoch 3"
    with (
        closing(Deadly(few, {2: 1, 3: 9})) as executor,
        executor.run(job) as run,
        pytest.raises(WorkerError, match=failure),
    ):
        list(run)
    assert executor.n_begun == 1 + 1 + 2, "the first, who follows it, and two more for epoch 3"


@pytest.mark.parametrize("counted", [True, False])
def test_that_the_system_was_out_of_memory_is_named(
    few: Split, candidate: Candidate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counted: bool
) -> None:
    """Where Linux counts one more process that it has ended for that; else a signal is only a signal."""
    counts, n_ended = tmp_path / "vmstat", 3

    def count() -> None:
        nonlocal n_ended
        n_ended += counted
        counts.write_text(f"pgfault 12\noom_kill {n_ended}\nnuma_hit 5\n")

    count()
    monkeypatch.setattr(processes, "VMSTAT", counts)
    with (
        closing(Deadly(few, {1: 9}, count)) as executor,
        executor.run(Job(candidate, 7)) as run,
        pytest.raises(WorkerError, match="signal 9") as raised,
    ):
        list(run)
    assert ("the system was out of memory" in str(raised.value)) == counted


# All that trains ------------------------------------------------------------------------------------------------------


class TwoTrainings:
    """A trial that has its target at once, and so is trained twice; `cut_at`: the epoch of the second training, after
    which something is done to the executor.
    """

    def __init__(self, few: Split, folder: Path) -> None:
        self.few, self.folder = few, folder
        folder.mkdir()
        self.study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))

    def train(self, executor: Deadly, cut_at: int = 0, cut: Callable[[], None] = lambda: None) -> Trial:
        n_heard = 0

        def watch(event: Event) -> None:
            nonlocal n_heard
            n_heard += isinstance(event, EpochDone)
            if isinstance(event, EpochDone) and cut_at and n_heard == EPOCHS + cut_at:
                cut()

        objective = Objective(
            "tiny", budget=KIND, epochs=EPOCHS, split=self.few, executor=executor, folder=self.folder, observer=watch,
            goal=Goal("params", 0.01),
        )  # fmt: skip
        while True:  # until one is within the budget
            trial = self.study.ask()
            try:
                self.study.tell(trial, objective(trial))
                return trial
            except optuna.TrialPruned:
                self.study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            except Cancelled:
                let_wait(self.study, trial._trial_id)
                return trial


def test_a_second_training_goes_on_from_its_own_checkpoint(few: Split, tmp_path: Path) -> None:
    undisturbed, cut_short = TwoTrainings(few, tmp_path / "whole"), TwoTrainings(few, tmp_path / "cut")
    with closing(Deadly(few)) as executor:
        number = undisturbed.train(executor).number
    seed = executor.trained[0][0]
    twice = [*every_epoch(seed), *every_epoch(seed + SECOND_SEED)]
    assert executor.trained == twice
    with closing(Deadly(few)) as executor:
        cut_short.train(executor, 2, executor.kill_worker)
    assert executor.n_begun == 3
    assert executor.trained == twice
    one, other = (each.study.trials[number] for each in (undisturbed, cut_short))
    assert TrialAttributes(one).second_accuracy == TrialAttributes(other).second_accuracy
    assert one.value == other.value
    assert len(list((tmp_path / "cut").iterdir())) == 1, "of a trial that is over the first training's is kept"


def test_a_search_that_is_stopped_in_a_second_training_goes_on_in_it(few: Split, tmp_path: Path) -> None:
    undisturbed, cut_short = TwoTrainings(few, tmp_path / "whole"), TwoTrainings(few, tmp_path / "cut")
    with closing(Deadly(few)) as executor:
        number, twice = undisturbed.train(executor).number, executor.trained
    with closing(Deadly(few)) as executor:
        cut_short.train(executor, 2, executor.cancel)
    with closing(Deadly(few)) as another:
        cut_short.train(another)
    assert executor.trained + another.trained == twice
    assert cut_short.study.trials[number].value == undisturbed.study.trials[number].value


def test_a_second_training_of_another_time_than_the_first_is_not_gone_on_with(few: Split, tmp_path: Path) -> None:
    """As where the first began anew, since it goes on in another environment."""
    cut_short = TwoTrainings(few, tmp_path / "cut")
    with closing(Deadly(few)) as executor:
        cut_short.train(executor, 2, executor.cancel)
        seed = executor.trained[0][0]
    (first,) = (each for each in (tmp_path / "cut").iterdir() if "second" not in each.name)
    first.unlink()
    with closing(Deadly(few)) as another:
        cut_short.train(another)
    assert another.trained == [*every_epoch(seed), *every_epoch(seed + SECOND_SEED)]


def test_a_trial_that_is_trained_again_is_not_begun_again(
    searched: SmallStudy, few: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    executors: list[Deadly] = []

    def opened(data: Split, *others: Any) -> Executor:
        executors.append(Deadly(data, {2: 1}))
        return executors[-1]

    monkeypatch.setitem(opening.EXECUTORS, "processes", opened)
    study = searched.study
    number = next(trial.number for trial in study.trials if len(trial.intermediate_values) == 2)
    again = retrain(study, number, *data_of(study, None), checkpoints=searched.checkpoints)
    assert again.difference is None
    (executor,) = executors
    assert executor.n_begun == 2
    assert [epoch for _, epoch in executor.trained] == [1, 2]
