"""A study that one process searches, kept in its memory: read without asking the database, written in few transactions.

To Optuna's own storage a trial that is not over may be changed by others, so that whoever asks for trials has all those
read again, and each attribute is a transaction. A search has thousands of paused trials and looks at all of them after
each epoch. But only one process controls a study (`nas.study.locks`), and so it knows what its trials are.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache, partial
from threading import Lock, Thread, current_thread
from typing import Any

import optuna
import sqlalchemy
from optuna.distributions import BaseDistribution, distribution_to_json, json_to_distribution
from optuna.storages import InMemoryStorage
from optuna.storages._in_memory import _StudyInfo
from optuna.storages._rdb import models
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from nas.errors import StudyError
from nas.study.storage import Storage

TRIALS, PARAMS, VALUES, REPORTS, ATTRIBUTES, OF_OPTUNA = (
    model.__table__
    for model in (
        models.TrialModel,
        models.TrialParamModel,
        models.TrialValueModel,
        models.TrialIntermediateValueModel,
        models.TrialUserAttributeModel,
        models.TrialSystemAttributeModel,
    )
)
# What tells the rows of one trial apart. A row that is written takes the place of an earlier one.
KEYS = {PARAMS: "param_name", VALUES: "objective", REPORTS: "step", ATTRIBUTES: "key", OF_OPTUNA: "key"}
MOST_TEXTS = 4096  # that stand in many trials and are read once
LOOK_SECONDS = 1.0  # how long a report may be kept up by one who began to wait for the database meanwhile

Row = dict[str, Any]


class Mirror(InMemoryStorage):
    """Optuna's memory with the trials of one study, whose database follows.

    When a method returns that changes a state, that and all that was noted before it is in the database: what several
    threads want written is one transaction, which one of them makes for all. Parameters and attributes wait for the
    next of these, or for `flush`. So a process that is killed leaves what there was a moment before, never a part of
    it. Trials that others have added meanwhile are seen when one is made.

    An epoch that is reported is in the database, too, unless that is locked or away: then it is noted, its training
    goes on, and a thread writes it as soon as that can be. Who makes a trial or changes a state waits for that.

    All else of a study is read and written as before.
    """

    def __init__(self, storage: Storage, study_name: str) -> None:
        super().__init__()
        self._storage, self._study_id = storage, storage.get_study_id_from_name(study_name)
        directions = storage.get_study_directions(self._study_id)
        self._studies[self._study_id] = _StudyInfo(study_name, list(directions))
        self._study_name_to_id[study_name] = self._study_id
        self._prev_waiting_trial_number[self._study_id] = 0
        self._writing, self._pending = Lock(), _Pending()  # one at a time: SQLite lets no two write
        self._catching_up: Thread | None = None
        self._read_new()

    def flush(self) -> None:
        """Returns when all that was noted so far is in the database; raises `StudyError` where it cannot be used."""
        with self._writing:
            self._write_noted()

    def flush_or_catch_up(self) -> None:
        """As `flush`, but where the database is locked or away it returns, and what was noted is written later."""
        if not self._is_written_without_waiting():
            self._catch_up_later()

    def catch_up(self) -> None:
        """Returns when all epochs that were reported are in the database; raises as `flush`."""
        if self._catching_up is not None:
            self.flush()

    def _is_written_without_waiting(self) -> bool:
        while not self._storage.patience.is_waiting:
            if self._writing.acquire(timeout=LOOK_SECONDS):
                try:
                    return self._write_noted(waits=False)
                finally:
                    self._writing.release()
        return False

    def _write_noted(self, waits: bool = True) -> bool:
        """Whether all is in the database that was noted; for who is writing."""
        with self._lock:
            pending, self._pending = self._pending, _Pending()
        is_written = not pending
        try:
            if pending and waits:
                self._storage.patience.try_to(lambda: self._write(pending))
                is_written = True
            elif pending:
                is_written = self._storage.patience.try_once(lambda: self._write(pending))
        finally:
            if not is_written:
                with self._lock:  # for whoever tries next
                    self._pending = pending.followed_by(self._pending)
        return is_written

    def _catch_up_later(self) -> None:
        with self._lock:
            if self._catching_up is None:
                self._catching_up = Thread(target=self._catch_up, name="nas-catching-up", daemon=True)
                self._catching_up.start()

    def _catch_up(self) -> None:
        try:
            with suppress(StudyError):  # whoever writes next hears of it
                self.flush()  # also behind one who writes just now
                while not self._has_caught_up():
                    self.flush()
        finally:
            with self._lock:
                if self._catching_up is current_thread():
                    self._catching_up = None

    def _has_caught_up(self) -> bool:
        with self._lock:
            if not self._pending:
                self._catching_up = None  # whoever notes something from now on needs another one
        return self._catching_up is None

    # Trials -----------------------------------------------------------------------------------------------------------

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """A new trial, in the database too, behind all that came before it."""
        with self._writing:
            if self._catching_up is not None:
                self._write_noted()
            if template_trial is not None:
                trial_id = self._storage.create_new_trial(study_id, template_trial)
                self._read_new()
                return trial_id
            while True:
                trial = self._create_running_trial()
                made = self._storage.patience.try_to(partial(self._insert, trial))
                if made is not None:
                    trial._trial_id, trial.number = made
                    self._adopt(trial)
                    return trial._trial_id
                n_before = len(self._studies[self._study_id].trials)
                self._read_new()
                for other in self._studies[self._study_id].trials[n_before:]:
                    if other.datetime_start == trial.datetime_start:  # made by an attempt whose answer was lost
                        return other._trial_id

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        """Noted."""
        with self._lock:
            super().set_trial_param(trial_id, param_name, param_value_internal, distribution)
            row = {"param_value": param_value_internal, "distribution_json": distribution_to_json(distribution)}
            self._pending.note(PARAMS, trial_id, param_name, row)

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Noted."""
        text = json.dumps(value)
        with self._lock:
            super().set_trial_user_attr(trial_id, key, json.loads(text))
            self._pending.note(ATTRIBUTES, trial_id, key, {"value_json": text})

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Noted."""
        text = json.dumps(value)
        with self._lock:
            super().set_trial_system_attr(trial_id, key, json.loads(text))
            self._pending.note(OF_OPTUNA, trial_id, key, {"value_json": text})

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        """Written, now or when the database can be used again."""
        with self._lock:
            super().set_trial_intermediate_value(trial_id, step, intermediate_value)
            stored, kind = models.TrialIntermediateValueModel.intermediate_value_to_stored_repr(intermediate_value)
            row = {"intermediate_value": stored, "intermediate_value_type": kind}
            self._pending.note(REPORTS, trial_id, step, row)
        self.flush_or_catch_up()

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """Written."""
        with self._lock:
            if not super().set_trial_state_values(trial_id, state, values):
                return False
            trial = self._get_trial(trial_id)
            if state == TrialState.WAITING:  # Optuna's memory looks for them behind the first one it saw
                first = self._prev_waiting_trial_number
                first[self._study_id] = min(first[self._study_id], trial.number)
            for objective, value in enumerate(values or ()):
                stored = dict(
                    zip(("value", "value_type"), models.TrialValueModel.value_to_stored_repr(value), strict=True)
                )
                self._pending.note(VALUES, trial_id, objective, stored)
            times = {"start": _utc(trial.datetime_start), "complete": _utc(trial.datetime_complete)}
            self._pending.states[trial_id] = {"id": trial_id, "now": state, **times}
        self.flush()
        return True

    # The study --------------------------------------------------------------------------------------------------------

    def create_new_study(self, directions: Sequence[StudyDirection], study_name: str | None = None) -> int:
        """In the database; this one's trials alone are here."""
        return self._storage.create_new_study(directions, study_name)

    def delete_study(self, study_id: int) -> None:
        """Out of the database, and out of here if it is this one."""
        self._storage.delete_study(study_id)
        if study_id == self._study_id:
            super().delete_study(study_id)

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        """In the database alone, to which others write too."""
        self._storage.set_study_user_attr(study_id, key, value)

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        """In the database alone, to which others write too."""
        self._storage.set_study_system_attr(study_id, key, value)

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        """Of the database."""
        return self._storage.get_study_user_attrs(study_id)

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        """Of the database."""
        return self._storage.get_study_system_attrs(study_id)

    # The database -----------------------------------------------------------------------------------------------------

    @property
    def _last_id(self) -> int:
        trials = self._studies[self._study_id].trials
        return trials[-1]._trial_id if trials else -1

    def _insert(self, trial: FrozenTrial) -> tuple[int, int] | None:
        """The id and the number that a new trial gets; None, and nothing is written, if there are others' before it."""
        number, study = len(self._studies[self._study_id].trials), models.StudyModel.__table__
        row = {"study_id": self._study_id, "number": number, "state": trial.state}
        with self._storage.engine.connect() as connection:
            self._storage.guard(connection)
            # Where rows can be locked: others number theirs under this lock.
            connection.execute(
                sqlalchemy.select(study.c.study_id).where(study.c.study_id == self._study_id).with_for_update()
            )
            made = connection.execute(
                sqlalchemy.insert(TRIALS).values({**row, "datetime_start": _utc(trial.datetime_start)})
            )
            (trial_id,) = made.inserted_primary_key or (None,)
            assert trial_id is not None
            last = sqlalchemy.select(sqlalchemy.func.max(TRIALS.c.trial_id)).where(
                TRIALS.c.study_id == self._study_id, TRIALS.c.trial_id < trial_id
            )
            if (connection.execute(last).scalar() or -1) != self._last_id:
                return None
            connection.commit()
        return trial_id, number

    def _write(self, pending: "_Pending") -> None:
        with self._storage.engine.begin() as connection:
            self._storage.guard(connection)
            for table, rows in pending.rows.items():
                key = table.c[KEYS[table]]
                # Deleted first, not replaced: databases spell that in as many ways as there are.
                before = sqlalchemy.delete(table).where(
                    table.c.trial_id == sqlalchemy.bindparam("id"), key == sqlalchemy.bindparam("which")
                )
                connection.execute(before, [{"id": trial_id, "which": which} for trial_id, which in rows])
                connection.execute(
                    sqlalchemy.insert(table),
                    [{"trial_id": trial_id, key.name: which, **row} for (trial_id, which), row in rows.items()],
                )
            if pending.states:
                changed = {"state": "now", "datetime_start": "start", "datetime_complete": "complete"}
                connection.execute(
                    sqlalchemy.update(TRIALS)
                    .where(TRIALS.c.trial_id == sqlalchemy.bindparam("id"))
                    .values({column: sqlalchemy.bindparam(name) for column, name in changed.items()}),
                    list(pending.states.values()),
                )

    def _adopt(self, trial: FrozenTrial) -> None:
        """Takes a trial of the database into memory."""
        with self._lock:
            study = self._studies[self._study_id]
            assert trial.number == len(study.trials)
            study.trials.append(trial)
            self._trial_id_to_study_id_and_number[trial._trial_id] = (self._study_id, trial.number)
            for name, distribution in trial.distributions.items():
                study.param_distribution.setdefault(name, distribution)
            self._update_cache(trial._trial_id, self._study_id)

    def _read_new(self) -> None:
        """Takes all trials into memory that have been made since the last one here."""
        for trial in self._storage.patience.try_to(lambda: _read(self._storage, self._study_id, self._last_id)):
            self._adopt(trial)


@contextmanager
def mirrored(study: optuna.Study) -> Iterator[optuna.Study]:
    """The same study, in memory; only for who holds it (`nas.study.locks`). All of it is in the database behind it."""
    storage = _of_database(study)
    assert isinstance(storage, Storage)
    mirror = Mirror(storage, study.study_name)
    try:
        yield optuna.load_study(study_name=study.study_name, storage=mirror, sampler=study.sampler, pruner=study.pruner)
    except BaseException:
        with suppress(StudyError):  # what went wrong first counts
            mirror.flush()
        raise
    mirror.flush()


def write_down(study: optuna.Study, waits: bool = True) -> None:
    """Has what was noted of a study's trials written now, if it is one that is mirrored.

    Where its database is locked or away, waits for it or has it written later.
    """
    if isinstance(study._storage, Mirror):
        if waits:
            study._storage.flush()
        else:
            study._storage.flush_or_catch_up()


def catch_up(study: optuna.Study) -> None:
    """Returns when all epochs that a study's trials have reported are in its database, also if that was away."""
    if isinstance(study._storage, Mirror):
        study._storage.catch_up()


def _of_database(study: optuna.Study) -> object:
    """Behind Optuna's own cache."""
    return getattr(study._storage, "_backend", study._storage)


@dataclass
class _Pending:
    """What is to be written: of each table the rows by trial and key, and the states of trials. The last one counts."""

    rows: dict[sqlalchemy.Table, dict[tuple[int, Any], Row]] = field(default_factory=dict)
    states: dict[int, Row] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.rows or self.states)

    def note(self, table: sqlalchemy.Table, trial_id: int, key: Any, row: Row) -> None:
        self.rows.setdefault(table, {})[trial_id, key] = row

    def followed_by(self, later: "_Pending") -> "_Pending":
        for table, rows in later.rows.items():
            self.rows.setdefault(table, {}).update(rows)
        self.states.update(later.states)
        return self


# Reading --------------------------------------------------------------------------------------------------------------


def _read(storage: Storage, study_id: int, after: int) -> list[FrozenTrial]:
    """A study's trials with ids above that, row by row: Optuna makes objects of all rows, for which one waits long."""
    ours = sqlalchemy.select(TRIALS.c.trial_id).where(TRIALS.c.study_id == study_id, TRIALS.c.trial_id > after)
    with storage.engine.connect() as connection:
        rows = connection.execute(
            sqlalchemy.select(TRIALS).where(TRIALS.c.trial_id.in_(ours)).order_by(TRIALS.c.trial_id)
        )
        trials = {row.trial_id: _empty(row) for row in rows}

        def each(table: sqlalchemy.Table) -> Iterator[tuple[FrozenTrial, Any]]:
            of_ours = sqlalchemy.select(table).where(table.c.trial_id.in_(ours)).order_by(*table.primary_key.columns)
            for row in connection.execute(of_ours):
                if (trial := trials.get(row.trial_id)) is not None:
                    yield trial, row

        for trial, row in each(PARAMS):
            distribution = _distribution(row.distribution_json)
            trial.distributions[row.param_name] = distribution
            trial.params[row.param_name] = distribution.to_external_repr(row.param_value)
        for trial, row in each(ATTRIBUTES):
            trial.user_attrs[row.key] = _value(row.value_json)
        for trial, row in each(OF_OPTUNA):
            trial.system_attrs[row.key] = _value(row.value_json)
        for trial, row in each(REPORTS):
            report = models.TrialIntermediateValueModel.stored_repr_to_intermediate_value
            trial.intermediate_values[row.step] = report(row.intermediate_value, row.intermediate_value_type)
        values: dict[int, dict[int, float]] = {}
        for trial, row in each(VALUES):
            value = models.TrialValueModel.stored_repr_to_value(row.value, row.value_type)
            values.setdefault(trial._trial_id, {})[row.objective] = value
    for trial_id, by_objective in values.items():
        trials[trial_id].values = [by_objective[objective] for objective in sorted(by_objective)]
    return list(trials.values())


def _empty(row: Any) -> FrozenTrial:
    return FrozenTrial(
        number=row.number,
        state=row.state,
        value=None,
        datetime_start=_local(row.datetime_start),
        datetime_complete=_local(row.datetime_complete),
        params={},
        distributions={},
        user_attrs={},
        system_attrs={},
        intermediate_values={},
        trial_id=row.trial_id,
    )


@lru_cache(MOST_TEXTS)
def _distribution(text: str) -> BaseDistribution:
    return json_to_distribution(text)


@lru_cache(MOST_TEXTS)
def _value(text: str) -> Any:
    return json.loads(text)


def _utc(moment: datetime | None) -> datetime | None:
    """As Optuna stores it."""
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)


def _local(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC).astimezone().replace(tzinfo=None)
