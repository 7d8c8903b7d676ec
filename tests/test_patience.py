"""Databases that cannot be used for a while, or any more: real ones, locked, full, read-only, deleted and replaced."""

import errno
import sqlite3
import subprocess
import sys
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
from processes import read_until
from rich.console import Console
from test_search import SLOW_TO_TRAIN

from nas.errors import StudyError
from nas.searching.events import Told
from nas.searching.options import SearchOptions
from nas.study.storage import Storage, open_storage
from nas.terminal.search_display import SearchDisplay

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
