"""Who works on a study in a server's database: a row there that its holder keeps fresh, and that others watch.

Nobody compares clocks: a newcomer watches the row for as long as its holder has said, and takes it over only if nothing
has changed in it meanwhile. So after the server was away, too, the holder has all that time to say that it lives. What
a holder writes it writes in a transaction that has locked the row and seen its own name in it: one that was suspended,
and lost the row meanwhile, can write nothing any more.
"""

import os
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import sqlalchemy
from sqlalchemy import BigInteger, Column, DateTime, Float, Integer, MetaData, Row, String, Table

from nas.errors import StudyError
from nas.study.storage import Storage

SECONDS = 30.0  # after which a holder that nothing was heard of is taken for dead
BEATS = 10  # in that time

CONTROLLERS = Table(
    "nas_controllers",
    MetaData(),
    Column("study", String(512), primary_key=True),  # as long as Optuna allows
    Column("holder", String(32), nullable=False),
    Column("host", String(255), nullable=False),
    Column("process", Integer, nullable=False),
    Column("machine", String(255), nullable=False),
    Column("searching", Integer, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("beat", BigInteger, nullable=False),
    Column("beaten_at", DateTime(timezone=True), nullable=False),  # for those who only look
)
NOW = sqlalchemy.func.now()
_HERE: set[str] = set()  # holders in this process


class Lease:
    """This process's hold of a study, while the block lasts.

    Raises `StudyError` where another process has it. Where another one took it over, since nothing was heard of this
    one for `seconds`, the storage refuses everything from then on, and says so.
    """

    def __init__(self, storage: Storage, study: str, searching: bool = True, seconds: float | None = None) -> None:
        self._storage, self._engine = storage, storage.engine
        self._study, self._searching, self._seconds = study, searching, SECONDS if seconds is None else seconds
        self._holder = uuid4().hex
        self._ended = threading.Event()
        self._beating = threading.Thread(target=self._beat, name="lease", daemon=True)

    def __enter__(self) -> "Lease":
        self._storage.patience.try_to(self._acquire)
        _HERE.add(self._holder)
        self._storage.guard = self._check
        self._beating.start()
        return self

    def __exit__(self, *error: object) -> None:
        _HERE.discard(self._holder)
        self._ended.set()
        self._beating.join()
        self._storage.guard = lambda connection: None
        with suppress(sqlalchemy.exc.SQLAlchemyError):
            self._change(CONTROLLERS.delete().where(self._is_mine()))

    def _acquire(self) -> None:
        CONTROLLERS.create(self._engine, checkfirst=True)
        while not self._insert():
            seen = self._row()
            if seen is None:
                continue
            if seen.holder == self._holder:  # the server went away before it could say so
                return
            if self._is_left(seen) and self._take_over(seen):
                return

    def _is_left(self, seen: "Row[Any]") -> bool:
        """Whether its holder is dead, watched for as long as that takes: False where it ended meanwhile; raises
        `StudyError` where it lives.
        """
        if _has_ended(seen):
            return True
        for n_watched in range(BEATS + 1):
            if n_watched == 3:  # one that lives would have shown it by now, most likely
                self._storage.patience.told(
                    f"Study {self._study!r} was left to process {seen.process} on {seen.host}; it is taken over if "
                    f"nothing is heard of that one for {seen.seconds:.0f} s."
                )
            time.sleep(seen.seconds / BEATS)
            now = self._row()
            if now is None:
                return False
            if (now.holder, now.beat) != (seen.holder, seen.beat):
                raise StudyError(refusal(self._study, _who(now)))
        return True

    def _insert(self) -> bool:
        """Takes what nobody has."""
        try:
            self._change(CONTROLLERS.insert().values(study=self._study, beat=0, **self._own()))
        except sqlalchemy.exc.IntegrityError:
            return False
        return True

    def _take_over(self, seen: "Row[Any]") -> bool:
        """Takes what its holder has left as it was seen."""
        unchanged = (CONTROLLERS.c.holder == seen.holder) & (CONTROLLERS.c.beat == seen.beat)
        mine = CONTROLLERS.update().where(self._is_of_study(), unchanged).values(beat=seen.beat + 1, **self._own())
        return self._change(mine) == 1

    def _own(self) -> dict[str, Any]:
        return {
            "holder": self._holder,
            "host": socket.gethostname()[:255],
            "process": os.getpid(),
            "machine": _machine(),
            "searching": int(self._searching),
            "seconds": self._seconds,
            "beaten_at": NOW,
        }

    def _beat(self) -> None:
        beat = CONTROLLERS.update().where(self._is_mine()).values(beat=CONTROLLERS.c.beat + 1, beaten_at=NOW)
        while not self._ended.wait(self._seconds / BEATS):
            # Where the server is away, whoever writes waits for it and says so.
            with suppress(sqlalchemy.exc.SQLAlchemyError):
                if self._change(beat) == 0:
                    self._lose()
                    return

    def _check(self, connection: sqlalchemy.Connection) -> None:
        """Keeps the row as it is until the transaction ends; raises `StudyError` where it is another's."""
        mine = sqlalchemy.select(CONTROLLERS.c.process).where(self._is_mine()).with_for_update(read=True)
        if connection.execute(mine).first() is None:
            raise StudyError(self._lose())

    def _lose(self) -> str:
        who = "another process"
        with suppress(sqlalchemy.exc.SQLAlchemyError):
            row = self._row()
            who = who if row is None else _who(row)
        lost = (
            f"a study can be searched by one process at a time, but {who} has taken {self._study!r} over, since "
            f"nothing was heard of this one for {self._seconds:.0f} s: it is left to that one"
        )
        self._storage.patience.end(lost)
        return lost

    def _row(self) -> "Row[Any] | None":
        return holder_of(self._engine, self._study)

    def _change(self, statement: Any) -> int:
        with self._engine.begin() as connection:
            return connection.execute(statement).rowcount

    def _is_of_study(self) -> Any:
        return CONTROLLERS.c.study == self._study

    def _is_mine(self) -> Any:
        return self._is_of_study() & (CONTROLLERS.c.holder == self._holder)


def holder_of(engine: sqlalchemy.Engine, study: str) -> "Row[Any] | None":
    """The row of whoever holds a study, or held it when it died."""
    with engine.connect() as connection:
        row = sqlalchemy.select(CONTROLLERS, NOW.label("now")).where(CONTROLLERS.c.study == study)
        return connection.execute(row).first()


def is_leased_for_search(engine: sqlalchemy.Engine, study: str) -> bool:
    """Whether a process searches the study now, as far as can be said without watching."""
    if not sqlalchemy.inspect(engine).has_table(CONTROLLERS.name):
        return False
    row = holder_of(engine, study)
    if row is None or not row.searching or _has_ended(row):
        return False
    return bool((row.now - row.beaten_at).total_seconds() < row.seconds)


def refusal(study: str, who: str) -> str:
    """What a second process is told."""
    return (
        f"a study can be searched by one process at a time, but {who} works on {study!r}: wait for it, or give another "
        "--study"
    )


def _machine() -> str:
    """What tells this machine since its start, and its processes, from all others; empty where nothing does."""
    try:
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _has_ended(row: "Row[Any]") -> bool:
    """Whether a holder is certainly dead, as can be seen on its own machine."""
    if not row.machine or row.machine != _machine():
        return False
    if row.process == os.getpid():
        return row.holder not in _HERE
    try:
        os.kill(row.process, 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # another user's
        return False
    return False


def _who(row: "Row[Any]") -> str:
    return f"process {row.process} on {row.host}"
