"""A study that is kept in memory: what the database behind it holds, and when."""

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from random import Random
from threading import Event, Timer
from typing import Any

import optuna
import pytest
import sqlalchemy
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, Trial, TrialState

from nas.dashboard.view import View
from nas.errors import StudyError
from nas.searching.search import search
from nas.study.mirror import Mirror, catch_up, mirrored, write_down
from nas.study.storage import Storage, open_storage

AXES = {
    "depth": IntDistribution(1, 5),
    "rate": FloatDistribution(0.01, 1.0, log=True),
    "order": CategoricalDistribution(["before", "after", None]),
}


def study_in(folder: Path, **settings: Any) -> optuna.Study:
    return optuna.create_study(
        storage=open_storage(str(folder / "nas.db"), **settings), study_name="it", direction="maximize",
        load_if_exists=True, sampler=optuna.samplers.RandomSampler(seed=0),
    )  # fmt: skip


def read_in(folder: Path) -> list[FrozenTrial]:
    """The trials in the database, which may be locked for whoever wants to write."""
    return optuna.load_study(study_name="it", storage=open_storage(str(folder / "nas.db"), kind=View)).trials


def as_stored(trial: FrozenTrial) -> str:
    """All of a trial but its times, which are looked at by themselves; as text, in which a NaN is like another."""
    parts = (trial.params, trial.distributions, trial.user_attrs, trial.system_attrs, trial.intermediate_values)
    in_order = [sorted(part.items()) for part in parts]  # that of attributes means nothing
    return repr((trial.number, trial._trial_id, trial.state, trial.values, in_order))


def something(trials: list[Trial], study: optuna.Study, random: Random) -> None:
    """One of the things that a search does to a study."""
    running = [each for each in trials if study._storage.get_trial(each._trial_id).state == TrialState.RUNNING]
    if not running or random.random() < 0.2:
        trials.append(study.ask(AXES) if random.random() < 0.8 else study.ask())
        return
    trial, attribute = random.choice(running), {"a": [1, (2, 3)], "ü": None, "x": random.random()}
    reported = study._storage.get_trial(trial._trial_id).intermediate_values
    match random.randrange(7):
        case 0:
            trial.set_user_attr(random.choice(["one", "other"]), attribute)
        case 1:
            study._storage.set_trial_system_attr(trial._trial_id, random.choice(["one", "other"]), attribute)
        case 2 | 3:
            trial.report(random.choice([random.random(), float("inf"), float("nan")]), len(reported) + 1)
        case 4:
            study.tell(trial, random.random())
        case 5:
            study.tell(trial, state=random.choice([TrialState.PRUNED, TrialState.FAIL]))
        case 6:
            study._storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)


@pytest.mark.parametrize("seed", range(2))
def test_memory_the_database_and_optuna_alone_agree_whatever_is_done(tmp_path: Path, seed: int) -> None:
    """Optuna reads the database; one mirror begins in the middle of it all, another one reads it from the start."""
    (tmp_path / "plain").mkdir()
    plain, stored = study_in(tmp_path / "plain"), study_in(tmp_path)
    for study in (plain, stored):
        random, trials = Random(seed), list[Trial]()
        for _ in range(20):
            something(trials, study, random)
        if study is plain:
            for _ in range(40):
                something(trials, study, random)
            continue
        with mirrored(study) as memory:
            trials = [Trial(memory, each._trial_id) for each in trials]
            for _ in range(40):
                something(trials, memory, random)
            kept = memory.get_trials(deepcopy=False)
        assert isinstance(memory._storage, Mirror)
    in_database = study_in(tmp_path).trials
    with mirrored(study_in(tmp_path)) as read:
        again = read.trials
    expected, *others = ([as_stored(each) for each in trials] for trials in (plain.trials, kept, in_database, again))
    assert len(expected) > 5
    assert others == [expected] * 3
    for trials in (kept, again):
        for one, other in zip(trials, in_database, strict=True):
            assert (one.datetime_start, one.datetime_complete) == (other.datetime_start, other.datetime_complete)


def test_what_was_reported_is_in_the_database_and_with_it_all_that_was_noted_before(tmp_path: Path) -> None:
    with mirrored(study_in(tmp_path)) as study:
        trial = study.ask(AXES)
        trial.set_user_attr("seed", 5)
        (before,) = study_in(tmp_path).trials
        assert (before.params, before.user_attrs) == ({}, {}), "few transactions: these wait"
        trial.report(0.5, 1)
        (reported,) = study_in(tmp_path).trials
        assert (reported.params, reported.user_attrs) == (trial.params, {"seed": 5})
        trial.set_user_attr("outcome", "paused")
        write_down(study)
        assert study_in(tmp_path).trials[0].user_attrs["outcome"] == "paused"


def test_trials_that_others_add_meanwhile_are_seen(tmp_path: Path) -> None:
    with mirrored(study_in(tmp_path)) as study:
        study.tell(study.ask(AXES), 0.5)
        other = study_in(tmp_path, kind=View)  # as the dashboard has it open
        other.enqueue_trial({"depth": 3})
        own = study.ask(AXES)
        assert own.number == 2, "the number of the other one is taken"
        waiting = study.ask(AXES)
        assert (waiting.number, waiting.params["depth"]) == (1, 3)
        other.set_user_attr("note", "looks good")
        assert study.user_attrs["note"] == "looks good"
    assert [trial.number for trial in study_in(tmp_path).trials] == [0, 1, 2]


def test_threads_write_together_and_nothing_twice(tmp_path: Path) -> None:
    def train(_: int) -> None:
        trial = study.ask(AXES)
        for epoch in range(1, 6):
            trial.set_user_attr("epoch", epoch)
            trial.report(epoch / 10, epoch)
        study.tell(trial, trial.number)

    with mirrored(study_in(tmp_path)) as study, ThreadPoolExecutor(16) as threads:
        list(threads.map(train, range(40)))
    trials = study_in(tmp_path).trials
    assert [trial.value for trial in trials] == [float(number) for number in range(40)]
    assert all(len(trial.intermediate_values) == 5 and trial.user_attrs == {"epoch": 5} for trial in trials)


def hurried(study: optuna.Study) -> Storage:
    """The storage behind a study, whose connections do not wait by themselves from now on."""
    storage = study._storage._backend  # type: ignore[attr-defined]
    assert isinstance(storage, Storage)

    @sqlalchemy.event.listens_for(storage.engine, "connect")
    def hurry(connection: sqlite3.Connection, record: object) -> None:
        connection.execute("pragma busy_timeout = 0")

    storage.engine.dispose()
    return storage


def test_what_a_locked_database_refused_is_in_it_once_afterwards(tmp_path: Path) -> None:
    stored, told = study_in(tmp_path), list[str]()
    patience = hurried(stored).patience
    patience.seconds, patience.told = 60, told.append
    with mirrored(stored) as study, closing(sqlite3.connect(tmp_path / "nas.db", check_same_thread=False)) as other:
        trial = study.ask(AXES)
        other.execute("begin exclusive")
        Timer(0.5, other.rollback).start()
        trial.set_user_attr("seed", 5)
        trial.report(0.5, 1)
        study.tell(trial, 0.5)
    assert len(told) == 1
    (after,) = study_in(tmp_path).trials
    assert (after.value, after.intermediate_values, after.user_attrs) == (0.5, {1: 0.5}, {"seed": 5})


def test_reports_do_not_wait_for_a_locked_database_and_nothing_that_follows_overtakes_them(tmp_path: Path) -> None:
    stored = study_in(tmp_path)
    hurried(stored).patience.seconds = 60
    with mirrored(stored) as study, closing(sqlite3.connect(tmp_path / "nas.db", check_same_thread=False)) as other:
        one, another = study.ask(AXES), study.ask(AXES)
        write_down(study)
        other.execute("begin exclusive")
        for epoch in (1, 2, 3):
            one.report(epoch / 10, epoch)
            another.report(epoch / 20, epoch)
        another.set_user_attr("outcome", "paused")
        write_down(study, waits=False)
        assert [len(trial.intermediate_values) for trial in study.get_trials()] == [3, 3], "pruners see them"
        assert [len(trial.intermediate_values) for trial in read_in(tmp_path)] == [0, 0], "it is locked"
        Timer(0.5, other.rollback).start()
        study.ask(AXES)
        reported = [trial.intermediate_values for trial in study_in(tmp_path).trials]
        assert reported == [{1: 0.1, 2: 0.2, 3: 0.3}, {1: 0.05, 2: 0.1, 3: 0.15}, {}]
        assert study_in(tmp_path).trials[1].user_attrs == {"outcome": "paused"}


def test_what_was_reported_to_a_locked_database_is_written_though_nothing_more_is_reported(tmp_path: Path) -> None:
    stored = study_in(tmp_path)
    hurried(stored).patience.seconds = 60
    with mirrored(stored) as study, closing(sqlite3.connect(tmp_path / "nas.db")) as other:
        trial = study.ask(AXES)
        other.execute("begin exclusive")
        trial.report(0.5, 1)
        other.rollback()
        catch_up(study)
        (after,) = study_in(tmp_path).trials
        assert after.intermediate_values == {1: 0.5}
        other.execute("begin exclusive")
        trial.report(0.6, 2)
        other.rollback()
        while len(study_in(tmp_path).trials[0].intermediate_values) < 2:  # by itself, in a while
            time.sleep(0.05)


def test_reports_to_a_database_that_stays_locked_are_refused_once_the_time_is_over(tmp_path: Path) -> None:
    stored, ended = study_in(tmp_path), Event()
    patience = hurried(stored).patience
    patience.seconds, patience.ended = 0.3, ended.set
    with closing(sqlite3.connect(tmp_path / "nas.db")) as other, ExitStack() as stack:
        study = stack.enter_context(mirrored(stored))
        trial = study.ask(AXES)
        other.execute("begin exclusive")
        trial.report(0.5, 1)
        assert ended.wait(60), "though nobody asks"
        with pytest.raises(StudyError, match="locked"):
            trial.report(0.6, 2)
        with pytest.raises(StudyError, match="locked"):
            stack.close()


def test_a_trial_of_a_search_takes_few_transactions(tmp_path: Path, few_images: str) -> None:
    """One when it is made, one when its training begins, one an epoch, one when it ends; fifty were usual."""
    commits: list[object] = []

    def note(connection: object) -> None:
        commits.append(connection)

    def run(n_trials: int) -> int:
        commits.clear()
        search(
            space="tiny", budget=3_000, epochs=2, trials=n_trials, workers=1, executor="inline", pruner="none",
            dataset=few_images, storage=str(tmp_path / f"{n_trials}.db"), out=tmp_path, sampler="random",
        )  # fmt: skip
        return len(commits)

    sqlalchemy.event.listen(sqlalchemy.Engine, "commit", note)
    try:
        few, more = run(1), run(3)
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "commit", note)
    n_begun = len(optuna.load_study(study_name=None, storage=f"sqlite:///{tmp_path / '3.db'}").trials)
    assert more - few <= (n_begun - 1) * (3 + 2)
