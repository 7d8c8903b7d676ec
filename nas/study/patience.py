"""What a search does while its database cannot be used: it waits, and says so."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock, Thread
from typing import TypeVar

import optuna
import sqlalchemy

from nas.errors import StudyError, first_line

LONGEST = 600.0  # seconds that whoever trains waits for a database
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 10.0
LOOK_SECONDS = 0.2  # how long a wait may go on once nobody wants it any more
WATCH_SECONDS = 2.0  # how often the file is looked at while nothing is asked of it
PASSING = ("locked", "busy", "full")  # what SQLite says of what may pass
OF_DATABASE = (optuna.exceptions.StorageInternalError, sqlalchemy.exc.DBAPIError)

T = TypeVar("T")


@dataclass
class Patience:
    """Tries again what a database refused, with growing pauses, for up to `seconds`.

    Where that cannot help, or did not, `StudyError` is raised: the file was deleted, replaced or may not be written, or
    the time is over. From then on everything is refused at once, lest each of many writes waits as long. `told` hears
    once of each wait, however many threads wait; `over` says that nobody wants to wait any more, which `was_left` then
    tells of, and `ended` hears that everything is refused from now on. `command`: what goes on once the database can be
    used again.
    """

    url: str
    file: Path | None
    seconds: float = 0.0
    told: Callable[[str], None] = lambda text: None
    over: Callable[[], bool] = lambda: False
    ended: Callable[[], None] = lambda: None
    command: str | None = None
    was_left: bool = field(default=False, init=False)
    _n_waiting: int = field(default=0, init=False)
    _refused: str = field(default="", init=False)
    _has_told: bool = field(default=False, init=False)
    _telling: Lock = field(default_factory=Lock, init=False)
    _identity: tuple[int, int] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._identity = self._identity_now()

    def try_to(self, do: Callable[[], T]) -> T:
        """What `do` returns; raises `StudyError` where the database cannot be used."""
        self.check()
        try:
            return do()
        except OF_DATABASE as error:
            self._raise_unless_passing(error, self.seconds)
            cause = _cause(error)
        with self._waiting():
            return self._try_again(do, cause)

    def try_once(self, do: Callable[[], object]) -> bool:
        """Whether it could be done; False where waiting may help. Raises `StudyError` where it cannot."""
        self.check()
        try:
            do()
        except OF_DATABASE as error:
            self._raise_unless_passing(error, self.seconds)
            return False
        return True

    @property
    def is_waiting(self) -> bool:
        """Whether somebody waits for the database."""
        return self._n_waiting > 0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """While the block lasts the file is looked at every few seconds, also where nothing is asked of it: `ended`
        hears soon of one that was deleted, replaced, or may not be written any more.
        """
        over = Event()
        watching = Thread(target=self._watch, args=[over], name="nas-database-watch", daemon=True)
        watching.start()
        try:
            yield
        finally:
            over.set()
            watching.join()

    def _watch(self, over: Event) -> None:
        with suppress(StudyError):  # whoever writes next hears of it
            while not over.wait(WATCH_SECONDS):
                self.check()
                if self.file is not None and not os.access(self.file, os.W_OK):
                    self.check()  # it may have been deleted just now
                    self._refuse("may not be written any more")

    def _try_again(self, do: Callable[[], T], cause: str) -> T:
        """As `try_to`, behind the first attempt."""
        until, pause = time.monotonic() + self.seconds, FIRST_PAUSE
        self._tell_once(
            f"The database cannot be used ({cause}); it is tried for {self.seconds:.0f} s, and trainings that are "
            "under way go on."
        )
        while True:
            self._sleep(min(pause, until - time.monotonic()))
            self.check()
            try:
                done = do()
            except OF_DATABASE as error:
                self._raise_unless_passing(error, until - time.monotonic())
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                self._has_told = False
                return done

    def _raise_unless_passing(self, error: Exception, seconds_left: float) -> None:
        """Raises `StudyError` where waiting cannot help, or nobody wants to."""
        may_pass, is_over = _may_pass(error), self.over()
        if may_pass and seconds_left > 0 and not is_over:
            return
        self.was_left = self.was_left or (may_pass and is_over and not self._refused)
        self._refuse(f"cannot be used ({_cause(error)})", error)

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        with self._telling:
            self._n_waiting += 1
        try:
            yield
        finally:
            with self._telling:
                self._n_waiting -= 1

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

    def check(self) -> None:
        """Raises `StudyError` where everything is refused, or the file is not what it was."""
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
