"""Opening, making and continuing studies: storage, sampler, pruner, and what is stored with a study."""

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any, Literal, TypeVar, overload

import filelock
import optuna
import sqlalchemy
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from nas import datasets
from nas.cost import Budget
from nas.datasets import Dataset, Split
from nas.errors import DataError, InputError, StudyError
from nas.goal import Goal
from nas.pruner import HalvingPruner

Sampler = Literal["tpe", "random", "nsga2", "gp"]
Pruner = Literal["halving", "hyperband", "median", "none"]
SAMPLERS: tuple[Sampler, ...] = ("tpe", "random", "nsga2", "gp")
PRUNERS: tuple[Pruner, ...] = ("halving", "hyperband", "median", "none")

RUNS = Path("runs")
DEFAULT_STORAGE = f"sqlite:///{RUNS / 'nas.db'}"
TERMS = "nas"  # the study's user attribute that holds its terms
OPTIONS = "options"  # the one that holds what its last search was told
LOCK = "lock"
CONFIRMING = "confirming"
PEEK_SECONDS = 1.0  # how long a search waits for those who only ask whether there is one


@dataclass(frozen=True)
class Terms:
    """What makes figures of a study comparable: a study keeps these for its whole life."""

    space: str
    space_digest: str
    dataset: str
    dataset_fingerprint: str
    n_train: int
    n_validation: int
    split_seed: int
    epochs: int
    budget: dict[str, int]
    minimize: str | None = None  # with the target that is then a term as well
    target: float | None = None

    @property
    def goal(self) -> Goal:
        """What the study looks for."""
        return Goal(self.minimize, self.target)

    def differences(self, stored: dict[str, Any]) -> list[str]:
        """In words, what is not as it was when the study was made; contents decide, not names or paths."""
        differing = [name for name, value in asdict(self).items() if stored.get(name) != value]
        found = []
        for what, content in (("space", "space_digest"), ("dataset", "dataset_fingerprint")):
            if content in differing and what in differing:
                found.append(f"{what} {getattr(self, what)!r} (the study has {stored.get(what)!r})")
            elif content in differing:
                found.append(f"{what} {getattr(self, what)!r}, whose content has changed")
        numbers = ("n_train", "n_validation", "split_seed", "epochs", "budget", "minimize", "target")
        found += [
            f"{name.replace('n_', '')} {getattr(self, name)!r} (the study has {stored.get(name)!r})"
            for name in numbers
            if name in differing
        ]
        return found


class Storage(RDBStorage):
    """Optuna's database, in which two threads never start the same waiting trial.

    Optuna reads a trial's state and then changes it, under a lock of the row. SQLite has no such locks.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._changing_state = Lock()

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """As Optuna's, one thread at a time."""
        with self._changing_state:
            return super().set_trial_state_values(trial_id, state, values)


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
    if file is not None:
        _check_file(file, must_exist)
    try:
        # Optuna puts its schema version into the URL with str.format, so braces must be doubled.
        storage = kind(url.replace("{", "{{").replace("}", "}}"))
    except (sqlalchemy.exc.SQLAlchemyError, RuntimeError, ImportError, optuna.exceptions.OptunaError) as error:
        raise StudyError(
            f"the storage must be a database that Optuna can use, but {url!r} cannot be opened "
            f"({_first_line(error)}): name another with --storage"
        ) from error
    if file is not None:
        _log_ahead(storage.engine)
    return storage


def _log_ahead(engine: sqlalchemy.engine.Engine) -> None:
    """Has SQLite append to a log and not wait for the disk at each of a trial's fifty small transactions.

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


def open_study(
    storage: RDBStorage, name: str, terms: Terms, sampler: Sampler, pruner: Pruner, seed: int
) -> optuna.Study:
    """The study of that name, made if there is none; `StudyError` if it was made on other terms."""
    study = optuna.create_study(
        storage=storage,
        study_name=name,
        direction="maximize",
        load_if_exists=True,
        pruner=make_pruner(pruner, terms.epochs, terms.goal),
    )
    stored = study.user_attrs.get(TERMS)
    if stored is None:
        if study.get_trials(deepcopy=False):
            raise StudyError(
                f"a study to continue must be one of nas, but {name!r} was made otherwise: choose another --study"
            )
        study.set_user_attr(TERMS, asdict(terms))
    elif differences := terms.differences(stored):
        raise StudyError(
            f"study {name!r} was made on other terms: {'; '.join(differences)}. "
            "Give the options it was made with, or another name with --study"
        )
    # A continued study must not repeat the random numbers it began with.
    study.sampler = make_sampler(sampler, (seed * 1_000_003 + len(study.get_trials(deepcopy=False))) % 2**32)
    return study


def find_study(storage: RDBStorage, name: str | None = None) -> optuna.Study:
    """A study by name, or the one that was begun last; `StudyError` with the nearest name if there is none."""
    summaries = optuna.get_all_study_summaries(storage, include_best_trial=False)
    names = [summary.study_name for summary in summaries]
    if not names:
        raise StudyError(
            "there must be a study, but the database has none: run nas search first, or name its --storage"
        )
    if name is None:
        begun = [s for s in summaries if s.datetime_start is not None] or summaries
        name = max(begun, key=lambda summary: str(summary.datetime_start)).study_name
    if name not in names:
        close = get_close_matches(name, names, n=1, cutoff=0.4)
        hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(map(repr, names))}"
        raise StudyError(f"a study must be one that exists, but got {name!r}: {hint}")
    return optuna.load_study(study_name=name, storage=storage)


def terms_of(study: optuna.Study) -> Terms:
    """What a study of nas was made with."""
    stored = study.user_attrs.get(TERMS)
    if stored is None:
        raise StudyError(f"a study must be one of nas, but {study.study_name!r} was made otherwise")
    return Terms(**stored)


def target_of(study: optuna.Study) -> float | None:
    """The accuracy that the study's last search was told to reach, if any."""
    target: float | None = study.user_attrs.get(OPTIONS, {}).get("target")
    return target


def data_of(study: optuna.Study, data_dir: Path | None = None) -> tuple[Dataset, Split]:
    """The data set that a study searched on, and its two parts; `DataError` if its content has changed since."""
    terms = terms_of(study)
    dataset = datasets.load(terms.dataset, data_dir)
    if dataset.fingerprint != terms.dataset_fingerprint:
        raise DataError(
            f"a model needs the data it was found with, but {terms.dataset} has changed since study "
            f"{study.study_name!r}: give the --data-dir of that time"
        )
    return dataset, datasets.split(dataset, terms.n_validation, terms.split_seed)


def default_name(dataset: str, budget: Budget, space: str, epochs: int, seed: int, goal: Goal) -> str:
    """The name of a study that was given none: the same options give the same name."""
    limits = "-".join(f"{limit}-{name}" for name, limit in budget.limits.items())
    smallest = "" if goal.minimize is None else f"-fewest-{goal.minimize}-at-{goal.target:g}"
    return f"{slug(dataset)}-{limits}-{space}-{epochs}-epochs-seed-{seed}{smallest}"


def slug(text: str) -> str:
    """A harmless file name for any text; different texts have different ones."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")[-80:]
    return plain if plain == text else f"{plain}-{sha256(text.encode()).hexdigest()[:6]}"


def runs_folder(storage: RDBStorage) -> Path:
    """The folder for what a storage's studies leave behind: where its SQLite file lies, else `runs`."""
    file = sqlite_file(str(storage.engine.url))
    return file.parent if file is not None else RUNS


def checkpoint_folder(storage: RDBStorage, study_name: str) -> Path:
    """The folder of a study's checkpoints and weights."""
    return runs_folder(storage) / "checkpoints" / slug(study_name)


@contextmanager
def sole_controller(folder: Path, study_name: str) -> Iterator[None]:
    """Holds the study for this process: a second one would take the first one's running trials for dead.

    Raises `StudyError` where another has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=PEEK_SECONDS)
    except filelock.Timeout:
        raise StudyError(
            f"a study can be searched by one process at a time, but another works on {study_name!r}: "
            "wait for it, or give another --study"
        ) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def sole_confirmer(folder: Path, study_name: str) -> Iterator[None]:
    """As `sole_controller`, told apart from a search."""
    with sole_controller(folder, study_name), filelock.FileLock(folder / CONFIRMING):
        yield


def is_searched(folder: Path) -> bool:
    """Whether a process searches the study now."""
    return _is_held(folder / LOCK) and not _is_held(folder / CONFIRMING)


def _is_held(file: Path) -> bool:
    """Whether a process has this lock. The file stays when its process has ended, and says nothing."""
    if not file.exists():
        return False
    lock = filelock.FileLock(file)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        return True
    lock.release()
    return False


def continue_interrupted(study: optuna.Study) -> int:
    """Queues every trial whose training was cut short, to go on from its checkpoint; returns how many."""
    trials = study.get_trials(deepcopy=False)
    continued = {trial.user_attrs.get("continues") for trial in trials}
    for trial in trials:
        if trial.state == TrialState.RUNNING:  # its process is dead: only one controls a study
            study.tell(trial.number, state=TrialState.FAIL)
    cut_short = [trial for trial in trials if _was_cut_short(trial) and trial.number not in continued]
    for trial in cut_short:
        attrs = {"continues": trial.number}
        attrs |= {name: trial.user_attrs[name] for name in ("seed", "limits", "made_with") if name in trial.user_attrs}
        study.enqueue_trial(trial.params, user_attrs=attrs)
    return len(cut_short)


def _was_cut_short(trial: FrozenTrial) -> bool:
    ended = trial.state.is_finished() and trial.user_attrs.get("outcome") != "interrupted"
    return "seed" in trial.user_attrs and "architecture" in trial.user_attrs and not ended


def make_sampler(name: Sampler, seed: int) -> BaseSampler:
    """The sampler of a name; over-budget trials reach each of them as constraints."""
    match name:
        case "tpe":
            # Rejected trials count as startup trials too, hence more than Optuna's ten.
            return TPESampler(seed=seed, n_startup_trials=15)
        case "random":
            return RandomSampler(seed=seed)
        case "nsga2":
            return NSGAIISampler(seed=seed, population_size=20)
        case "gp":
            return GPSampler(seed=seed)
    raise InputError(f"a sampler must be one of {', '.join(SAMPLERS)}, but got {name!r}{nearest(name, SAMPLERS)}")


def make_pruner(name: Pruner, epochs: int, goal: Goal = Goal()) -> BasePruner:  # noqa: B008 - it is frozen
    """The pruner of a name, for trainings of so many epochs.

    `halving` is nas's own `HalvingPruner`: at epochs 1, 3, 9, ... the best third goes on. `hyperband` runs several such
    races beside each other, each with a later first rung.
    """
    match name:
        case "halving":
            return HalvingPruner(goal=goal)
        case "hyperband":
            return HyperbandPruner(min_resource=1, max_resource=epochs, reduction_factor=3)
        case "median":
            return MedianPruner(n_startup_trials=5, n_warmup_steps=1)
        case "none":
            return NopPruner()
    raise InputError(f"a pruner must be one of {', '.join(PRUNERS)}, but got {name!r}{nearest(name, PRUNERS)}")


def nearest(name: str, choices: tuple[str, ...]) -> str:
    """`: did you mean X?`, or nothing."""
    close = get_close_matches(name, choices, n=1)
    return f": did you mean {close[0]!r}?" if close else ""


def _check_file(file: Path, must_exist: bool) -> None:
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
        return
    tables: set[str] = set()
    try:
        with sqlite3.connect(file) as connection:
            (state,) = connection.execute("pragma quick_check(1)").fetchone()
            tables = {name for (name,) in connection.execute("select name from sqlite_master")}
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


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
