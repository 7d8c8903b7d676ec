"""Databases that cannot be used for a while, or any more: real ones, locked, full, read-only, deleted and replaced."""

import errno
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from io import StringIO
from pathlib import Path
from subprocess import Popen
from threading import Timer
from typing import Any

import optuna
import pytest
import sqlalchemy
from processes import needs_proc, read_until, workers_of
from rich.console import Console
from small_study import SmallStudy
from test_search import SLOW_TO_TRAIN

from nas.errors import StudyError
from nas.replication.batch import Training
from nas.replication.confirming import confirm
from nas.searching.events import Ended, EpochDone, Event, Told
from nas.searching.options import SearchOptions
from nas.searching.search import search
from nas.study.confirmation import confirmations
from nas.study.record import records
from nas.study.storage import Storage, open_storage
from nas.terminal.search_display import SearchDisplay
from nas.training.checkpoint import read_checkpoint
from nas.training.run import EpochResult

Start = Callable[..., Popen[str]]


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    """One whose connections do not wait by themselves, so that all waiting is its own."""
    opened = open_storage(str(tmp_path / "nas.db"))

    @sqlalchemy.event.listens_for(opened.engine, "connect")
    def hurry(connection: sqlite3.Connection, record: object) -> None:
        connection.execute("pragma busy_timeout = 0")

    opened.engine.dispose()
    yield opened
    opened.engine.dispose()


def study_in(storage: Storage) -> optuna.Study:
    return optuna.create_study(storage=storage, study_name="it", direction="maximize", load_if_exists=True)


def restricted(storage: Storage, pragma: str) -> None:
    """From now on all connections are."""

    @sqlalchemy.event.listens_for(storage.engine, "connect")
    def restrict(connection: sqlite3.Connection, record: object) -> None:
        connection.execute(pragma)

    storage.engine.dispose()


def test_a_lock_is_waited_for_and_told_once(storage: Storage, tmp_path: Path) -> None:
    study, told = study_in(storage), list[str]()
    storage.patience.seconds, storage.patience.told = 60, told.append
    with closing(sqlite3.connect(tmp_path / "nas.db", check_same_thread=False)) as other:
        other.execute("begin exclusive")
        Timer(1.5, other.rollback).start()
        study.set_user_attr("here", True)
        trial = study.ask()
        trial.suggest_float("x", 0, 1)
        trial.report(0.5, 1)
        study.tell(trial, 0.5)
    assert len(told) == 1
    assert "database is locked" in told[0]
    assert [each.value for each in study_in(storage).trials] == [0.5], "once, however often it was tried"


def test_nobody_waits_longer_than_the_patience_or_after_an_interruption(storage: Storage, tmp_path: Path) -> None:
    study = study_in(storage)
    with closing(sqlite3.connect(tmp_path / "nas.db")) as other:
        other.execute("begin exclusive")
        storage.patience.seconds = 0.5
        with pytest.raises(StudyError, match=r"locked.*the same command again"):
            study.set_user_attr("here", True)
        other.rollback()
    with pytest.raises(StudyError, match="locked"):
        study.set_user_attr("there", True)  # others do not begin to wait anew
    again = open_storage(str(tmp_path / "nas.db"))
    again.patience.seconds, again.patience.over = 600, lambda: True
    restricted(again, "pragma busy_timeout = 0")
    with closing(sqlite3.connect(tmp_path / "nas.db")) as other:
        other.execute("begin exclusive")
        with pytest.raises(StudyError, match="locked"):
            again.set_study_user_attr(study._study_id, "x", 1)


def test_what_waiting_cannot_mend_is_said_at_once(storage: Storage) -> None:
    study = study_in(storage)
    storage.patience.seconds = 600
    restricted(storage, "pragma query_only = on")
    with pytest.raises(StudyError, match="readonly"):
        study.set_user_attr("here", True)


def test_a_full_disk_is_waited_for(storage: Storage) -> None:
    study, told = study_in(storage), list[str]()
    storage.patience.seconds, storage.patience.told = 1, told.append
    restricted(storage, "pragma max_page_count = 1")

    def fill() -> None:
        for number in range(1000):
            study.set_user_attr(f"long {number}", "x" * 1_000)

    with pytest.raises(StudyError, match="full"):
        fill()
    assert len(told) == 1


def test_a_file_that_was_replaced_is_not_written(storage: Storage, tmp_path: Path) -> None:
    study = study_in(storage)
    (tmp_path / "nas.db").replace(tmp_path / "moved.db")
    study_in(open_storage(str(tmp_path / "nas.db")))
    with pytest.raises(StudyError, match="replaced by another file"):
        study.ask()


def test_a_search_whose_database_is_deleted_ends_with_one_line(start: Start, tmp_path: Path) -> None:
    process = start("search", *SLOW_TO_TRAIN, "--trials", "1", "--workers", "2")  # one thread each
    read_until(process, "epoch  2/40")
    (tmp_path / "runs" / "nas.db").unlink()
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2, output
    assert "Traceback" not in output
    assert "was deleted while it was used" in output.splitlines()[-1]


@pytest.mark.usefixtures("_hurried_connections")
def test_a_confirmation_waits_for_a_locked_database_too(searched: SmallStudy, tmp_path: Path) -> None:
    told: list[str] = []
    own = SmallStudy(shutil.copytree(searched.folder, tmp_path / "copy"))
    with closing(sqlite3.connect(own.storage, check_same_thread=False)) as other:

        def lock(training: Training, result: EpochResult) -> None:
            if result.epoch == training.candidate.recipe.epochs:
                other.execute("begin exclusive")

        def wait(text: str) -> None:
            told.append(text)
            Timer(0.5, other.rollback).start()

        done = confirm(storage=own.storage, top=1, seeds=1, workers=1, out=own.folder, on_epoch=lock, on_wait=wait)
    assert len(told) == 1
    assert "database is locked" in told[0]
    assert [each.trial for each in confirmations(own.study)] == [done.trial]


@pytest.mark.slow
@needs_proc
def test_that_its_database_is_deleted_is_noticed_by_a_search_that_asks_nothing_of_it(
    start: Start, tmp_path: Path
) -> None:
    """As in the middle of an epoch of minutes: here no worker comes to its end."""
    process = start("search", *SLOW_TO_TRAIN, "--trials", "1", "--workers", "2")
    read_until(process, "epoch  2/40")
    for pid in workers_of(process):
        os.kill(pid, signal.SIGSTOP)
    time.sleep(1)  # what they had sent has been written
    (tmp_path / "runs" / "nas.db").unlink()
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 2, output
    assert "was deleted while it was used" in output.splitlines()[-1]


@pytest.mark.parametrize(
    "what",
    [
        "deleted",
        "replaced",
        pytest.param(
            "may not be written",
            marks=pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all"),
        ),
    ],
)
def test_a_file_is_watched_while_nothing_is_asked_of_it(storage: Storage, tmp_path: Path, what: str) -> None:
    file, ended = tmp_path / "nas.db", threading.Event()
    storage.patience.ended = ended.set
    with storage.patience.watching():
        if what == "may not be written":
            file.chmod(0o400)
        else:
            file.rename(tmp_path / "moved.db")
            if what == "replaced":
                file.touch()
        assert ended.wait(30)
    with pytest.raises(StudyError, match=what):
        storage.patience.check()


@pytest.mark.slow
def test_a_search_goes_on_behind_a_lock(start: Start, tmp_path: Path) -> None:
    process = start("search", *SLOW_TO_TRAIN, "--trials", "1", "--workers", "2", "--epochs", "8")
    read_until(process, "epoch   2/8")
    with closing(sqlite3.connect(tmp_path / "runs" / "nas.db", timeout=60)) as other:
        other.execute("begin exclusive")
        read_until(process, "database is locked")
        other.rollback()
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert "Model: " in output


ALONE: dict[str, Any] = {
    "space": "tiny", "budget": 3000, "epochs": 6, "trials": 2, "workers": 1, "seed": 5, "sampler": "random",
    "pruner": "none", "start_from": "nothing", "study": "it",
}  # fmt: skip


@pytest.fixture
def _hurried_connections() -> Iterator[None]:
    """No connection of this process waits for a lock by itself."""

    def hurry(connection: Any, record: object) -> None:
        connection.execute("pragma busy_timeout = 0")

    sqlalchemy.event.listen(sqlalchemy.Engine, "connect", hurry)
    yield
    sqlalchemy.event.remove(sqlalchemy.Engine, "connect", hurry)


def table_of(few_images: str, database: Path, on_event: Callable[[Event], None] = lambda event: None) -> list[Any]:
    """The table of a search."""
    found = search(**ALONE, dataset=few_images, storage=str(database), out=database.parent, on_event=on_event)
    return [record.to_dict() for record in records(found.study)]


def n_reported(database: Path) -> int:
    """Epochs in a database, also while it is locked for those who write."""
    with closing(sqlite3.connect(database)) as reader:
        (n,) = reader.execute("select count(*) from trial_intermediate_values").fetchone()
        return int(n)


@pytest.mark.usefixtures("_hurried_connections")
def test_trainings_go_on_to_their_end_while_the_database_is_locked(few_images: str, tmp_path: Path) -> None:
    """Epoch after epoch, and the table is the same as without."""
    database, told, n_written = tmp_path / "nas.db", list[str](), list[int]()
    with closing(sqlite3.connect(database, check_same_thread=False)) as other:
        too_late = Timer(30, other.rollback)

        def follow(event: Event) -> None:
            if isinstance(event, Told):
                told.append(event.text)
            if isinstance(event, EpochDone) and event.result.epoch == 2 and not n_written:
                other.execute("begin exclusive")
                too_late.start()
            if isinstance(event, EpochDone) and other.in_transaction:
                n_written.append(n_reported(database))
            if isinstance(event, Ended) and event.outcome == "finished" and other.in_transaction:
                Timer(0.5, other.rollback).start()

        table = table_of(few_images, database, follow)
        too_late.cancel()
    assert n_written == [2, 2, 2, 2, 2], "of the epochs 2 to 6, those before the lock"
    assert len(told) == 1
    assert "it is tried for 600 s" in told[0]
    assert table == table_of(few_images, tmp_path / "whole.db")


@pytest.mark.slow
@needs_proc
@pytest.mark.usefixtures("one_core")
def test_a_search_that_is_killed_while_its_database_is_locked_has_lost_nothing_that_was_trained(
    start: Start, few_images: str, tmp_path: Path
) -> None:
    """Also not what it could tell nobody: the checkpoint has it."""
    options = [f"--{name.replace('_', '-')}={value}" for name, value in (ALONE | {"epochs": 12}).items()]
    command, database = ["search", *options, "--threads", "1"], tmp_path / "runs" / "nas.db"
    process = start(*command)
    read_until(process, "epoch  2/12")
    with closing(sqlite3.connect(database, timeout=60)) as other:
        other.execute("begin exclusive")
        read_until(process, "epoch  8/12")
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
        n_written = n_reported(database)
        other.rollback()
    (checkpoint,) = (tmp_path / "runs" / "checkpoints" / "it").glob("*.pt")
    before = read_checkpoint(checkpoint, "")["history"]
    assert n_written < 8 <= len(before), "it was locked, and training went on"
    assert process_of(start, command).returncode == 0
    after = read_checkpoint(checkpoint, "")["history"]
    assert after[: len(before)] == before, "which also tells how long each epoch took: none was trained again"
    undisturbed = process_of(start, [*command, "--storage", "whole.db"])
    assert undisturbed.returncode == 0
    tables = [
        records(optuna.load_study(study_name="it", storage=f"sqlite:///{file}"))
        for file in (database, tmp_path / "whole.db")
    ]
    assert [each.to_dict() for each in tables[0]] == [each.to_dict() for each in tables[1]]


def process_of(start: Start, command: list[str]) -> Popen[str]:
    """A command that has ended."""
    process = start(*command)
    process.communicate(timeout=120)
    return process


@pytest.mark.slow
def test_ctrl_c_while_the_database_is_locked_is_an_interruption(start: Start, tmp_path: Path) -> None:
    process = start("search", *SLOW_TO_TRAIN, "--trials", "1", "--workers", "2", "--target", "0.999")
    read_until(process, "epoch  2/40")
    with closing(sqlite3.connect(tmp_path / "runs" / "nas.db", timeout=60)) as other:
        other.execute("begin exclusive")
        read_until(process, "database is locked")
        os.killpg(process.pid, signal.SIGINT)
        output, _ = process.communicate(timeout=60)
        other.rollback()
    assert process.returncode == 130, output
    assert "Traceback" not in output
    assert "interrupted" in output.splitlines()[-1]
    assert "run the same command again to go on: nas search" in output.splitlines()[-1]


@pytest.mark.usefixtures("_hurried_connections")
def test_an_error_in_one_worker_while_another_one_waits_for_the_database_is_no_interruption(
    few_images: str, tmp_path: Path
) -> None:
    """As on a full disk, where neither the database nor a checkpoint can be written."""
    database, waits, first = tmp_path / "nas.db", threading.Event(), list[int]()
    with closing(sqlite3.connect(database, check_same_thread=False)) as other:

        def follow(event: Event) -> None:
            if isinstance(event, Told):
                waits.set()
            elif isinstance(event, EpochDone):
                first.append(event.trial)
                if event.trial == first[0] and event.result.epoch == 6:
                    other.execute("begin exclusive")
                elif event.trial != first[0]:
                    assert waits.wait(60)
                    raise StudyError("there must be room for what a training has reached")

        options = ALONE | {"workers": 2, "trials": 3}
        with pytest.raises(StudyError, match="must be room"):
            search(**options, dataset=few_images, storage=str(database), out=tmp_path, on_event=follow)
        other.rollback()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a file that is always full")
def test_output_to_a_full_disk_ends_with_one_line(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "nas", "data", "list"], cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert "No space left on device" in done.stderr


def test_a_log_that_cannot_be_written_for_a_while_fails_no_training() -> None:
    class Log(StringIO):
        is_full = True

        def write(self, text: str) -> int:
            if self.is_full:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(text)

    log = Log()
    display = SearchDisplay(Console(file=log), SearchOptions())
    display.event(Told("first"))
    log.is_full = False
    display.event(Told("second"))
    assert log.getvalue().split() == ["first", "second"], "nor is anything lost"


@pytest.mark.parametrize("has_tables", [True, False])
def test_a_database_that_is_moved_while_it_is_opened_is_not_replaced_by_an_empty_one(
    tmp_path: Path, has_tables: bool
) -> None:
    file, elsewhere = tmp_path / "nas.db", tmp_path / "moved.db"
    if has_tables:
        open_storage(str(file))

    class MovedMeanwhile(Storage):
        def __init__(self, url: str, **settings: Any) -> None:
            file.rename(elsewhere)
            super().__init__(url, **settings)

    with pytest.raises(StudyError, match=r"nas\.db"):
        open_storage(str(file), kind=MovedMeanwhile).get_all_studies()
    assert elsewhere.exists()
    assert not file.exists()


def test_a_database_that_is_moved_while_it_is_used_is_not_replaced_by_an_empty_one(tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path / "nas.db"))
    (tmp_path / "nas.db").rename(tmp_path / "moved.db")
    storage.engine.dispose()  # a new connection, as another thread opens one
    with pytest.raises(sqlalchemy.exc.OperationalError, match="unable to open"), storage.engine.connect():
        pass
    assert not (tmp_path / "nas.db").exists()
