"""The storage as the dashboard sees it: as it is, with what explains it laid over it."""

import copy
import json
import mimetypes
from collections.abc import Container, Iterable
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import optuna
from optuna.artifacts import FileSystemArtifactStore
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial, TrialState
from optuna_dashboard._custom_plot_data import SYSTEM_ATTR_PLOT_DATA, split_plot_data
from optuna_dashboard._note import note_ver_key, split_body

from nas.dashboard.models import exports
from nas.dashboard.notes import study_note, trial_note
from nas.dashboard.plots import Figure, front_figure, importance_figure
from nas.files import RUNS
from nas.study.confirmation import confirmations, last_confirmed, readings
from nas.study.details import describe
from nas.study.record import record_of
from nas.study.status import status
from nas.study.storage import Storage, runs_folder
from nas.study.teacher import teacher_of
from nas.study.terms import Terms, is_of_nas, options_of, readable, terms_of
from nas.study.trial import TrialAttributes

Attrs = dict[str, Any]
OLD_CONSTRAINTS = "constraints"  # all that optuna-dashboard 0.21 knows of
NEW_CONSTRAINTS = "constraints:"


class View(Storage):
    """A database of studies for optuna-dashboard. Nothing is written, but for the notes that its users edit.

    `prepare` makes a study's notes, plots and artifacts, from then on its attributes hold them. Trials have their
    constraints in the form that the dashboard reads.
    """

    def __init__(self, url: str, **settings: Any) -> None:
        super().__init__(url, **settings)
        self.models: tuple[Path, ...] = ()  # further folders of exported models
        self._lock = Lock()
        self._studies: dict[str, optuna.Study] = {}  # kept, since they read from the database only what is new
        self._notes: dict[int, dict[int | None, Attrs]] = {}  # of a study: its own under None, each trial's
        self._plots: dict[int, tuple[int, Attrs]] = {}  # of a study: how many trials they show, and they
        self._artifacts: dict[int, Attrs] = {}  # of a trial
        self._ended: set[int] = set()  # trials whose notes will not change any more

    @property
    def artifacts(self) -> FileSystemArtifactStore:
        """Copies of the exported models, beside the database."""
        return FileSystemArtifactStore(self._artifact_folder)

    def prepare(self, study_id: int) -> None:
        """Makes what is new since the last time; only reads from the database, in short transactions."""
        name = self.get_study_name_from_id(study_id)
        with self._lock:
            if name not in self._studies:
                self._studies[name] = optuna.load_study(study_name=name, storage=self)
            study = self._studies[name]
            if not is_of_nas(study):
                return
            trials = study.get_trials(deepcopy=False)
            self._take_notes(study, trials)
            self._draw(study, trials)
            self._collect_models(study, trials)

    def get_study_system_attrs(self, study_id: int) -> Attrs:
        """The study's own attributes, and what was prepared; notes that somebody edited are kept."""
        return self._with_prepared(study_id, super().get_study_system_attrs(study_id))

    def get_all_studies(self) -> list[FrozenStudy]:
        """As they are, with what was prepared, and their terms one by one."""
        studies = super().get_all_studies()
        for study in studies:
            study.system_attrs = self._with_prepared(study._study_id, study.system_attrs)
            study.user_attrs = readable(study.user_attrs)
        return studies

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """A trial as the dashboard understands it."""
        return self._adapted(super().get_trial(trial_id))

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """Trials as the dashboard understands them."""
        return [self._adapted(trial) for trial in super().get_all_trials(study_id, deepcopy, states)]

    def get_trial_system_attrs(self, trial_id: int) -> Attrs:
        """A trial's attributes, its artifacts among them."""
        return {**super().get_trial_system_attrs(trial_id), **self._artifacts.get(trial_id, {})}

    @property
    def _artifact_folder(self) -> Path:
        return runs_folder(self) / "artifacts"

    def _adapted(self, trial: FrozenTrial) -> FrozenTrial:
        adapted = copy.copy(trial)
        plain = {name: value for name, value in trial.system_attrs.items() if not name.startswith(NEW_CONSTRAINTS)}
        constraints = {OLD_CONSTRAINTS: list(trial.constraints.values())} if trial.constraints else {}
        adapted.system_attrs = {**plain, **constraints, **self._artifacts.get(trial._trial_id, {})}
        # Long attributes are in the note; here they would make the page of a trial too wide.
        adapted.user_attrs = TrialAttributes(trial).shown
        return adapted

    def _with_prepared(self, study_id: int, stored: Attrs) -> Attrs:
        notes = self._notes.get(study_id, {})
        made = {
            name: value
            for trial_id, note in notes.items()
            if note_ver_key(trial_id) not in stored
            for name, value in note.items()
        }
        return {**made, **self._plots.get(study_id, (0, {}))[1], **stored}

    def _take_notes(self, study: optuna.Study, trials: list[FrozenTrial]) -> None:
        terms = terms_of(study)
        notes = dict(self._notes.get(study._study_id, {}))
        url = self.engine.url.render_as_string(hide_password=True)
        about = study_note(status(study, self, url), url, last_confirmed(study), len(readings(study)))
        notes[None] = _note(about, None)
        for trial in trials:
            if trial.state != TrialState.WAITING and trial._trial_id not in self._ended:
                notes[trial._trial_id] = _trial_note(study, terms, trials, trial)
                if trial.state.is_finished():
                    self._ended.add(trial._trial_id)
        self._notes[study._study_id] = notes

    def _draw(self, study: optuna.Study, trials: list[FrozenTrial]) -> None:
        n_shown = sum(trial.state.is_finished() for trial in trials)
        if self._plots.get(study._study_id, (-1, {}))[0] != n_shown:
            drawn: Attrs = {}
            if (front := front_figure(study)) is not None:
                drawn |= _plot("accuracy-and-parameters", _titled(front, "Accuracy and parameters"))
            if (importance := importance_figure(study)) is not None:
                drawn |= _plot("importance-of-axes", _titled(importance, "Importance of the axes"))
            self._plots[study._study_id] = (n_shown, drawn)

    def _collect_models(self, study: optuna.Study, trials: list[FrozenTrial]) -> None:
        folders = (runs_folder(self), Path((options_of(study) or {}).get("out", RUNS)), *self.models)
        exported = list(exports(folders))
        confirmed = {each.trial: each for each in confirmations(study)}
        for trial in trials:
            files = [
                file
                for export in exported
                if export.trial == trial.number
                and export.is_of(study.study_name, record_of(trial), confirmed.get(trial.number))
                for file in export.files
            ]
            if files:
                self._artifacts[trial._trial_id] = self._attach(files)

    def _attach(self, files: Iterable[Path]) -> Attrs:
        """Copies files into the artifact store, each content once; where that cannot be, they are left out."""
        attached = {}
        for file in files:
            try:
                state = file.stat()
                artifact = _artifact_of(file, state.st_mtime_ns, state.st_size)
                copied = self._artifact_folder / artifact
                if not copied.is_file() or copied.stat().st_size != state.st_size:
                    self._artifact_folder.mkdir(exist_ok=True)
                    with file.open("rb") as content:
                        self.artifacts.write(artifact, content)
            except OSError:
                continue
            attached[f"artifacts:{artifact}"] = json.dumps(
                {
                    "artifact_id": artifact,
                    "filename": file.name,
                    "mimetype": mimetypes.guess_type(file.name)[0] or "application/octet-stream",
                    "encoding": None,
                }
            )
        return attached


@lru_cache(maxsize=10_000)
def _artifact_of(file: Path, changed: int, size: int) -> str:
    """The name of a file's content; it is read once until the file changes."""
    return str(uuid5(NAMESPACE_OID, sha256(file.read_bytes()).hexdigest()))


def _trial_note(study: optuna.Study, terms: Terms, trials: list[FrozenTrial], trial: FrozenTrial) -> Attrs:
    return _note(trial_note(describe(study.study_name, terms, trials, trial, teacher_of(study))), trial._trial_id)


def _note(body: str, trial_id: int | None) -> Attrs:
    """As `optuna_dashboard.save_note` stores it; version 1, so that an edited note, which is version 2, is taken."""
    return {note_ver_key(trial_id): 1, **split_body(body, trial_id)}


def _titled(figure: Figure, title: str) -> str:
    """As JSON, with what is a heading of its own on other pages."""
    # Above the legend, which stands on the plot, and left of the buttons.
    figure.update_layout(title={"text": title, "x": 0.02, "y": 1, "yref": "container", "yanchor": "top", "pad_t": 8})
    figure.update_layout(margin_t=90)
    return str(figure.to_json())


def _plot(name: str, figure: str) -> Attrs:
    """As `optuna_dashboard.save_plotly_graph_object` stores it."""
    return dict(split_plot_data(figure, f"{SYSTEM_ATTR_PLOT_DATA}{name}:"))
