"""The database of studies, and the folders beside it."""

import sqlite3
from collections.abc import Sequence
from functools import wraps
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar, overload

import optuna
import sqlalchemy
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from nas.errors import StudyError
from nas.study.folders import RUNS, slug
from nas.study.patience import Patience

# What is asked of a database while a search goes on; also what Optuna's cache asks of it.
PATIENT = (
    "_create_new_trial",
    "_get_best_trial_id",
    "_get_trials",
    "_set_trial_param",
    "get_all_studies",
    "get_study_directions",
    "get_study_id_from_name",
    "get_study_name_from_id",
    "get_study_system_attrs",
    "get_study_user_attrs",
    "get_trial",
    "get_trial_id_from_study_id_trial_number",
    "set_study_system_attr",
    "set_study_user_attr",
    "set_trial_intermediate_value",
    "set_trial_system_attr",
    "set_trial_user_attr",
)


class Storage(RDBStorage):
    """Optuna's database, in which two threads never start the same waiting trial, and which is tried again where it
    cannot be used for a while: see `Patience`.

    Optuna reads a trial's state and then changes it, under a lock of the row. SQLite has no such locks.
    """

    def __init__(self, url: str, **settings: Any) -> None:
        super().__init__(url, **settings)
        self._changing_state = Lock()
        self.patience = Patience(
            self.engine.url.render_as_string(hide_password=True), sqlite_file(str(self.engine.url))
        )

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """As Optuna's, one thread at a time."""

        def change() -> bool:
            with self._changing_state:
                return super(Storage, self).set_trial_state_values(trial_id, state, values)

        return self.patience.try_to(change)


def _patient(name: str) -> Any:
    """One of Optuna's methods, tried again where the database cannot be used."""
    method = getattr(RDBStorage, name)

    @wraps(method)
    def patient(self: Storage, *args: Any, **settings: Any) -> Any:
        return self.patience.try_to(lambda: method(self, *args, **settings))

    return patient


for _name in PATIENT:
    setattr(Storage, _name, _patient(_name))


S = TypeVar("S", bound=Storage)


@overload
def open_storage(url: str, *, must_exist: bool = False) -> Storage: ...
@overload
def open_storage(url: str, *, must_exist: bool = False, kind: type[S]) -> S: ...
def open_storage(url: str, *, must_exist: bool = False, kind: type[Storage] = Storage) -> Storage:
    """The database behind an SQLAlchemy URL, or behind the path of an SQLite file, as a `kind` of storage.

    Makes what is missing of it, unless it must exist. Raises `StudyError` where it cannot be used.
    """
    url = url if "://" in url else f"sqlite:///{url}"
    file = sqlite_file(url)
    made_by = None if file is None else _checked_file(file, must_exist)
    # What this very version of Optuna has made has its tables, which it takes long to look at one by one.
    complete = made_by == optuna.__version__
    try:
        # Optuna puts its schema version into the URL with str.format, so braces must be doubled.
        plain = url.replace("{", "{{").replace("}", "}}")
        storage = kind(plain, skip_table_creation=complete, skip_compatibility_check=complete)
    except (sqlalchemy.exc.SQLAlchemyError, RuntimeError, ImportError, optuna.exceptions.OptunaError) as error:
        raise StudyError(
            f"the storage must be a database that Optuna can use, but {url!r} cannot be opened "
            f"({_first_line(error)}): name another with --storage"
        ) from error
    if file is not None:
        _log_ahead(storage.engine)
    return storage


def _log_ahead(engine: sqlalchemy.engine.Engine) -> None:
    """Has SQLite append to a log and not wait for the disk at each of a trial's transactions.

    That is as safe when a process is killed; when the power fails the last trials may be lost, and no more.
    """

    @sqlalchemy.event.listens_for(engine, "connect")
    def prepare(connection: Any, record: Any) -> None:
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = normal")

    engine.dispose()  # connections that were opened before


def sqlite_file(url: str) -> Path | None:
    """The file of an SQLite URL; None for other databases and for one in memory."""
    try:
        parsed = sqlalchemy.engine.make_url(url)
    except sqlalchemy.exc.ArgumentError as error:
        raise StudyError(f"the storage must be a path or an SQLAlchemy URL, but got {url!r}") from error
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        return None
    return Path(parsed.database)


def runs_folder(storage: RDBStorage) -> Path:
    """The folder for what a storage's studies leave behind: where its SQLite file lies, else `runs`."""
    return runs_folder_of(str(storage.engine.url))


def runs_folder_of(url: str) -> Path:
    """As `runs_folder`, by the database's URL or path."""
    file = sqlite_file(url if "://" in url else f"sqlite:///{url}")
    return file.parent if file is not None else RUNS


def checkpoint_folder(storage: RDBStorage, study_name: str) -> Path:
    """The folder of a study's checkpoints and weights."""
    return runs_folder(storage) / "checkpoints" / slug(study_name)


def _checked_file(file: Path, must_exist: bool) -> str | None:
    """The version of Optuna that made an SQLite file; None for a file that is new. Raises `StudyError`."""
    if not file.exists():
        if must_exist:
            raise StudyError(
                f"the database must exist, but there is no {file}: run nas search first, or name its --storage"
            )
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with sqlite3.connect(file) as connection:
                connection.execute("pragma user_version")
        except (OSError, sqlite3.Error) as error:
            raise StudyError(
                f"the folder of the database must be writable, but {file.parent} is not ({_first_line(error)}): "
                "name another with --storage"
            ) from error
        return None
    tables: set[str] = set()
    made_by: str | None = None
    try:
        with sqlite3.connect(file) as connection:
            (state,) = connection.execute("pragma quick_check(1)").fetchone()
            tables = {name for (name,) in connection.execute("select name from sqlite_master")}
            if "version_info" in tables and "alembic_version" in tables:
                (made_by,) = connection.execute("select library_version from version_info").fetchone() or (None,)
    except sqlite3.OperationalError as error:
        raise StudyError(
            f"the database must be a file that can be opened, but {file} cannot ({error}): name another with --storage"
        ) from error
    except sqlite3.Error as error:
        state = str(error)
    if state != "ok":
        raise StudyError(
            f"the database must be an SQLite file that is whole, but {file} is damaged ({state}): "
            "restore it from a copy, or name another with --storage"
        )
    if must_exist and "studies" not in tables:  # another program's, which Optuna would add its own tables to
        raise StudyError(f"the database must hold studies, but {file} holds none: name another with --storage")
    return made_by


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
