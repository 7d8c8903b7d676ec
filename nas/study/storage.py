"""The database of studies, and the folders beside it."""

import sqlite3
import threading
import weakref
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import wraps
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar, overload

import optuna
import sqlalchemy
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial, TrialState

from nas.errors import InputError, StudyError, first_line
from nas.files import RUNS, make_parent, slug
from nas.study.patience import LONGEST, Patience
from nas.study.urls import full_url, without_password

# What is asked of a database while a search goes on; also what Optuna's cache asks of it.
PATIENT = (
    "_get_best_trial_id",
    "_get_trials",
    "_set_trial_param",
    "create_new_study",
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


# A server's connections: one that is cut off without a word is noticed on both sides within half a minute, so that what
# its transaction has locked is free again; the server also ends one whose process is suspended in a transaction.
OF_CLIENT = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
OF_SERVER = {
    "idle_in_transaction_session_timeout": "20s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}


class Storage(RDBStorage):
    """Optuna's database, in which two threads never start the same waiting trial, and which is tried again where it
    cannot be used for a while: see `Patience`.

    Optuna reads a trial's state and then changes it, under a lock of the row. SQLite has no such locks.

    Where a connection breaks while a change is committed, nobody knows whether it was. Nearly all of Optuna's changes
    come to the same when they are made twice; those that do not are the beginning and the end of a trial, which are
    looked for before they are made again.
    """

    def __init__(self, url: str, **settings: Any) -> None:
        super().__init__(url, **settings)
        self._changing_state = Lock()
        self._making = threading.local()  # `trial`: number in the database and beginning of what an attempt has made
        self.patience = Patience(without_password(str(self.url)), sqlite_file(self.url))
        # At the beginning of each transaction: raises `StudyError` where this process may not write any more.
        self.guard: Callable[[sqlalchemy.Connection], None] = lambda connection: None
        this = weakref.ref(self)  # else what is open would stay so until the garbage is collected

        def begun(session: Any, transaction: Any, connection: sqlalchemy.Connection) -> None:
            storage = this()
            if storage is not None:
                storage.guard(connection)

        sqlalchemy.event.listen(self.scoped_session, "after_begin", begun)

    def fold_log(self) -> None:
        """Brings what SQLite has in its log into the one file, where nobody else uses it, and closes what is open.

        Raises what SQLAlchemy raises where that cannot be written: then the log stays beside the file.
        """
        if self.patience.file is None:
            return
        try:
            with self.engine.connect() as connection:
                connection.exec_driver_sql("pragma wal_checkpoint(truncate)")
        finally:
            self.engine.dispose()

    def _create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> FrozenTrial:
        """As Optuna's, which tries again by itself, too; once, however often it is tried."""
        self._making.trial = None
        return self.patience.try_to(lambda: super(Storage, self)._create_new_trial(study_id, template_trial))

    def _get_prepared_new_trial(self, study_id: int, template_trial: FrozenTrial | None, session: Any) -> Any:
        before = getattr(self._making, "trial", None)
        if before is not None:
            made = session.get(models.TrialModel, before[0])
            if made is not None and made.datetime_start == before[1]:
                return made
        trial = super()._get_prepared_new_trial(study_id, template_trial, session)
        self._making.trial = trial.trial_id, trial.datetime_start
        return trial

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """As Optuna's, one thread at a time, until it is done: else another's change might be taken for one's own."""
        began, n_tried = datetime.now(), 0

        def change() -> bool:
            nonlocal n_tried
            n_tried += 1
            try:
                changed = super(Storage, self).set_trial_state_values(trial_id, state, values)
            except UpdateFinishedTrialError:
                if n_tried > 1 and self._was_changed(trial_id, state, began):
                    return True
                raise
            return changed or (n_tried > 1 and self._was_changed(trial_id, state, began))

        with self._changing_state:
            return self.patience.try_to(change)

    def _was_changed(self, trial_id: int, state: TrialState, began: datetime) -> bool:
        """Whether an attempt that seemed to fail has given a trial this state since."""
        trial = RDBStorage.get_trial(self, trial_id)
        when = trial.datetime_complete if state.is_finished() else trial.datetime_start
        return trial.state == state and when is not None and when >= began


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
OnWait = Callable[[str], None]


@overload
def open_storage(url: str, *, must_exist: bool = False, on_wait: OnWait | None = None) -> Storage: ...
@overload
def open_storage(url: str, *, must_exist: bool = False, kind: type[S]) -> S: ...
def open_storage(
    url: str, *, must_exist: bool = False, on_wait: OnWait | None = None, kind: type[Storage] = Storage
) -> Storage:
    """The database behind an SQLAlchemy URL, or behind the path of an SQLite file, as a `kind` of storage.

    Makes what is missing of it, unless it must exist. Raises `StudyError` where it cannot be used. Who trains gives
    `on_wait`: from then on what a database that is locked or away refuses is tried for `LONGEST` seconds, and that
    hears of it in words.
    """
    shown, url = without_password(url), full_url(url)
    file = sqlite_file(url)
    made_by = None if file is None else _checked_file(file, must_exist)
    # What this very version of Optuna has made has its tables, which it takes long to look at one by one.
    complete = made_by == optuna.__version__
    try:
        settings = _of_server(url) if file is None else {"creator": _connector(url, file)}
        if file is None and settings and must_exist:
            _check_server(url, settings, shown)
        # Optuna puts its schema version into the URL with str.format, so braces must be doubled.
        plain = url.replace("{", "{{").replace("}", "}}")
        storage = kind(plain, engine_kwargs=settings, skip_table_creation=complete, skip_compatibility_check=complete)
    except ImportError as error:
        raise StudyError(_what_to_install(shown, error)) from error
    except (sqlalchemy.exc.SQLAlchemyError, RuntimeError, optuna.exceptions.OptunaError) as error:
        raise StudyError(
            f"the storage must be a database that Optuna can use, but {shown!r} cannot be opened "
            f"({first_line(error)}): name another with --storage"
        ) from error
    if on_wait is not None:
        storage.patience.seconds, storage.patience.told = LONGEST, on_wait
    if file is not None:
        _log_ahead(storage.engine)
    elif storage.engine.name == "postgresql":
        _watch_connections(storage.engine)
    return storage


def is_on_server(storage: RDBStorage) -> bool:
    """Whether the database is one that other machines can reach, or at least no SQLite."""
    return storage.engine.name != "sqlite"


def _of_server(url: str) -> dict[str, Any]:
    """What the engine of a server is made with: connections are tried before they are used, and never waited for."""
    parsed = sqlalchemy.engine.make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return {}
    if "@" in (parsed.host or ""):  # the driver would name that host, and so the end of the password
        raise StudyError("an @ in a password must be written as %40 in the URL of a database, but it stands there as @")
    is_libpq = parsed.get_driver_name() in ("psycopg", "psycopg2")
    connect = {name: value for name, value in OF_CLIENT.items() if name not in parsed.query} if is_libpq else {}
    return {"pool_pre_ping": True, "max_overflow": -1, "connect_args": connect}


def _check_server(url: str, settings: dict[str, Any], shown: str) -> None:
    """Raises `StudyError` where a server's database has no studies: Optuna would add its tables to it."""
    engine = sqlalchemy.create_engine(url, **settings)
    try:
        if not sqlalchemy.inspect(engine).has_table("studies"):
            raise StudyError(f"the database must hold studies, but {shown!r} holds none: name another with --storage")
    finally:
        engine.dispose()


def _what_to_install(shown: str, error: ImportError) -> str:
    cause = error.__cause__ if isinstance(error.__cause__, ImportError) else error
    scheme, missing = shown.partition("://")[0], cause.name or first_line(cause)
    package = "'budget-nas[postgres]', or '.[postgres]' in a checkout" if missing == "psycopg" else missing
    return f"a database of {scheme} needs {missing}, which cannot be imported: pip install {package}"


def _watch_connections(engine: sqlalchemy.engine.Engine) -> None:
    """Has PostgreSQL end connections whose other side is gone or asleep: what they have locked, others wait for."""

    @sqlalchemy.event.listens_for(engine, "connect")
    def prepare(connection: Any, record: Any) -> None:
        with connection.cursor() as cursor:
            for name, value in OF_SERVER.items():
                cursor.execute(f"set {name} = '{value}'")
        connection.commit()

    engine.dispose()  # connections that were opened before


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
    except (sqlalchemy.exc.ArgumentError, ValueError) as error:  # the latter of a port that is no number
        raise StudyError(
            f"the storage must be a path or an SQLAlchemy URL, but got {without_password(url)!r}"
        ) from error
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        return None
    return Path(parsed.database)


def runs_folder(storage: RDBStorage) -> Path:
    """The folder for what a storage's studies leave behind: where its SQLite file lies, else `runs`."""
    return runs_folder_of(storage.engine.url.render_as_string())


def runs_folder_of(url: str) -> Path:
    """As `runs_folder`, by the database's URL or path."""
    file = sqlite_file(full_url(url))
    return file.parent if file is not None else RUNS


def checkpoint_folder(storage: RDBStorage, study_name: str) -> Path:
    """The folder of a study's checkpoints and weights. Studies of one name on several servers share none."""
    url = storage.engine.url
    name = slug(study_name)
    if is_on_server(storage):
        place = (url.host or url.query.get("host"), url.port, url.database)
        name = f"{name}-{sha256(repr((place, study_name)).encode()).hexdigest()[:8]}"
    return runs_folder(storage) / "checkpoints" / name


def _connector(url: str, file: Path) -> Callable[[], sqlite3.Connection]:
    """Connects to an SQLite file as its URL says, but never makes the file: one that was moved away in between would
    be replaced by an empty one, and come back to a place that is taken."""
    parsed = sqlalchemy.engine.make_url(url)
    _, settings = parsed.get_dialect()().create_connect_args(parsed)
    return lambda: _connect(file, **settings)


def _connect(file: Path, **settings: Any) -> sqlite3.Connection:
    """A connection to an SQLite file that is there; raises `sqlite3.OperationalError` where it is not."""
    connection: sqlite3.Connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", **settings | {"uri": True})
    return connection


def _checked_file(file: Path, must_exist: bool) -> str | None:
    """The version of Optuna that made an SQLite file; None for a file that is new. Raises `StudyError`."""
    if not file.exists():
        if must_exist:
            raise StudyError(
                f"the database must exist, but there is no {file}: run nas search first, or name its --storage"
            )
        try:
            make_parent(file)
            with sqlite3.connect(file) as connection:
                connection.execute("pragma user_version")
        except InputError as error:
            raise StudyError(f"{error} with --storage") from error
        except (OSError, sqlite3.Error) as error:
            raise StudyError(
                f"the folder of the database must be writable, but {file.parent} is not ({first_line(error)}): "
                "name another with --storage"
            ) from error
        return None
    tables: set[str] = set()
    made_by: str | None = None
    try:
        with _connect(file) as connection:
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
