"""What a search does while its database cannot be used: it waits, and says so."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TypeVar

import optuna
import sqlalchemy

from nas.errors import StudyError, first_line

LONGEST = 600.0  # seconds that a search waits for its database
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 10.0
LOOK_SECONDS = 0.2  # how long a wait may go on once nobody wants it any more
PASSING = ("locked", "busy", "full")  # what SQLite says of what may pass

T = TypeVar("T")


@dataclass
class Patience:
    """Tries again what a database refused, with growing pauses, for up to `seconds`.

    Where that cannot help, or did not, `StudyError` is raised: the file was deleted, replaced or may not be written, or
    the time is over. From then on everything is refused at once, lest each of many writes waits as long. `told` hears
    once of each wait, however many threads wait; `over` says that nobody wants to wait any more, and `ended` hears
    that everything is refused from now on. `command`: what goes on once the database can be used again.
    """

    url: str
    file: Path | None
    seconds: float = 0.0
    told: Callable[[str], None] = lambda text: None
    over: Callable[[], bool] = lambda: False
    ended: Callable[[], None] = lambda: None
    command: str | None = None
    _refused: str = field(default="", init=False)
    _has_told: bool = field(default=False, init=False)
    _telling: Lock = field(default_factory=Lock, init=False)
    _identity: tuple[int, int] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._identity = self._identity_now()

    def try_to(self, do: Callable[[], T]) -> T:
        """What `do` returns; raises `StudyError` where the database cannot be used."""
        began, pause, has_waited = time.monotonic(), FIRST_PAUSE, False
        while True:
            self._check()
            try:
                done = do()
                self._has_told = self._has_told and not has_waited
                return done
            except (optuna.exceptions.StorageInternalError, sqlalchemy.exc.DBAPIError) as error:
                cause = _cause(error)
                left = self.seconds - (time.monotonic() - began)
                if not _may_pass(error) or left <= 0 or self.over():
                    self._refuse(f"cannot be used ({cause})", error)
                if not has_waited:
                    self._tell_once(
                        f"The database cannot be used ({cause}); trainings go on, and it is tried for {left:.0f} s."
                    )
                    has_waited = True
                self._sleep(min(pause, left))
                pause = min(2 * pause, LONGEST_PAUSE)

    def end(self, why: str) -> None:
        """From now on everything is refused, with these words; the first ones count. Nothing is raised here."""
        if not self._refused:
            self._refused = why
            self.ended()

    def _tell_once(self, text: str) -> None:
        with self._telling:
            if self._has_told:
                return
            self._has_told = True
        self.told(text)

    def _check(self) -> None:
        if self._refused:
            raise StudyError(self._refused)
        now = self._identity_now()
        if self._identity is not None and now != self._identity:
            self._refuse("was deleted while it was used" if now is None else "was replaced by another file")

    def _refuse(self, what: str, error: Exception | None = None) -> None:
        again = "the same command again to go on" + ("" if self.command is None else f": {self.command}")
        self.end(
            f"the database of a study must stay usable, but {self.file or self.url} {what}: put that right, and run "
            f"{again}"
        )
        raise StudyError(self._refused) from error

    def _identity_now(self) -> tuple[int, int] | None:
        """Which file it is; None for one that is not there, and for a server."""
        try:
            stat = None if self.file is None else self.file.stat()
        except OSError:
            return None
        return None if stat is None else (stat.st_dev, stat.st_ino)

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self.over():
            time.sleep(min(left, LOOK_SECONDS))


def _may_pass(error: Exception) -> bool:
    """Whether waiting may help: for a lock, for room on the disk, for a server that is away."""
    driver = _of_database(error)
    if driver is None:
        return False
    if type(driver.orig).__module__.startswith("sqlite3"):
        return any(word in str(driver.orig).lower() for word in PASSING)
    lost = driver.connection_invalidated
    return lost or isinstance(driver, sqlalchemy.exc.OperationalError | sqlalchemy.exc.InterfaceError)


def _cause(error: Exception) -> str:
    driver = _of_database(error)
    return first_line(error if driver is None else driver)


def _of_database(error: BaseException | None) -> sqlalchemy.exc.DBAPIError | None:
    """The database driver's error behind one of Optuna's."""
    while error is not None and not isinstance(error, sqlalchemy.exc.DBAPIError):
        error = error.__cause__ or error.__context__
    return error
