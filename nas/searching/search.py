"""The search: runs the objective until the target is met, or the trials or the time are used up."""

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Unpack

import optuna
import sqlalchemy

from nas import datasets
from nas.datasets import Dataset, Split
from nas.deployment.handing_over import hand_over
from nas.errors import SpaceError, StudyError
from nas.execution.opening import open_executor
from nas.export.trials import check_weights
from nas.files import check_writable
from nas.network.cost import Budget
from nas.searching.aim import aimed_at, timed_once
from nas.searching.events import Doing, Event, Taught, Teaching, Told, TrialEvent
from nas.searching.formats import check_space
from nas.searching.leftovers import begin_anew, remove_leftovers
from nas.searching.loop import Loop
from nas.searching.objective import Objective
from nas.searching.options import SearchOptions, Settings, options_of, takes_settings
from nas.searching.referee import Referee, WhyEnded
from nas.searching.starting import experience_for
from nas.searching.teaching import Asked, asked_for, described, teachers_epochs, teachers_options, with_cost
from nas.space import finding as spaces
from nas.space.candidate import Task
from nas.space.finding import Space
from nas.space.probing import axes_of, check_budget
from nas.study.busy import busy_seconds, busy_spans
from nas.study.locks import sole_controller
from nas.study.mirror import catch_up, mirrored
from nas.study.names import has_study
from nas.study.opening import continue_interrupted, open_study
from nas.study.patience import Patience
from nas.study.pausing import PausingPruner
from nas.study.record import Record, best_table, counts, n_trained, ranked
from nas.study.status import command_for
from nas.study.storage import Storage, checkpoint_folder, is_on_server, open_storage, runs_folder
from nas.study.teacher import StudyTeacher, store_teacher, teacher_of
from nas.study.terms import Terms, default_name, former_name, note_search, note_timing
from nas.training.checkpoint import checkpoint_path
from nas.training.device import best_kernels
from nas.training.teacher import Teacher, read

SPLIT_SEED = 0  # one split for all seeds of a search, so that their figures can be compared


@dataclass(frozen=True)
class SearchResult:
    """How a search ended. `model` is the frozen model's file, if there is a winner whose weights are here; `notes`: on
    it in other formats, or why there is none.
    """

    options: SearchOptions
    study: optuna.Study
    why_ended: WhyEnded
    target_reached: bool
    best: list[Record]
    counts: dict[str, int]
    model: Path | None
    notes: tuple[str, ...] = ()
    teacher: StudyTeacher | None = None

    @property
    def winner(self) -> Record | None:
        """The best feasible candidate by validation accuracy, or the smallest that has the target."""
        return self.best[0] if self.best else None

    def _repr_html_(self) -> str:
        return best_table(self.best[:5], self.options.goal).html()


@dataclass(frozen=True)
class Prepared:
    """What is known before the first trial, for those who show it."""

    options: SearchOptions
    study: optuna.Study
    split: Split
    notes: tuple[str, ...]
    n_continued: int
    teacher: str | None = None  # "auto", or the name of a file, which is heard of before the first trial
    compiles: bool = False  # whether a worker compiles what it computes with, where that was not kept of an earlier one


@takes_settings
def search(
    options: SearchOptions | None = None,
    *,
    on_ready: Callable[[Prepared], None] | None = None,
    on_event: Callable[[Event], None] | None = None,
    **settings: Unpack[Settings],
) -> SearchResult:
    """Searches, exports the winner, and returns what was found.

    Takes `SearchOptions`, or its fields as keywords: `nas.search(budget=20_000, target=0.994)`. A study that exists is
    continued, trainings that were cut short first. Ctrl-C ends it cleanly, with what was found so far.

    Raises `InputError`, `DataError`, `SpaceError`, `BudgetError` or `StudyError` before anything is trained, and
    `WorkerError` where one training after the other failed.
    """
    options = options_of(options, settings)
    on_event = on_event or _ignore
    device = options.placement.device(options.device)
    options.placement.precision(options.precision, device)
    n_workers = options.n_workers  # a cluster that is not there is told of before anything else is done
    space = spaces.load(options.space)
    dataset = datasets.load(options.dataset, options.data_dir)
    split = datasets.split(dataset, options.validation, SPLIT_SEED)
    taught = options.teacher is not None
    task = Task(split.image_shape, split.n_classes, options.epochs, options.limits, taught)
    check_budget(space, task)
    check_space(space, task, options.all_formats)
    aim = aimed_at(space, task, options.deployment, options.all_formats, options.seed)
    check_writable(options.out)
    asked = asked_for(options, dataset, split, SPLIT_SEED)
    taught_by = None if asked is None else asked.name
    name = options.study or default_name(
        options.dataset,
        options.limits,
        space.name,
        options.epochs,
        options.seed,
        options.goal,
        taught_by,
        None if options.deployment is None else str(options.deployment),
        quantised=options.quantised,
        weight_bits=options.weight_bits,
    )
    if options.study is None and not has_study(options.storage, name) and has_study(options.storage, former_name(name)):
        name = former_name(name)
    timed = None
    if not has_study(options.storage, name):
        timed = timed_once(space, replace(task, budget=aim), options.deployment, options.all_formats, options.seed)
    storage = open_storage(options.storage, on_wait=lambda text: on_event(Told(text)))
    folder = checkpoint_folder(storage, name)
    terms = _terms(options, space, dataset, split, asked)
    with ExitStack() as stack:
        stack.enter_context(sole_controller(storage, name))
        axes = axes_of(space, replace(task, budget=aim), options.seed)
        experience = experience_for(options.start_from, storage, axes)
        stored = open_study(
            storage, name, terms, options.sampler, options.pruner, options.seed, axes, experience, options.until_target
        )
        study = stack.enter_context(mirrored(stored))
        note_search(study, options.not_by_default, dataset.notes)
        if timed is not None:
            note_timing(study, timed)
        n_continued = continue_interrupted(study)
        storage.patience.command = command_for(study, options.storage)
        notes_on_files = _check_files(study, storage, folder)
        remove_leftovers(study, folder, options.out)
        compiles = best_kernels(device, options.placement.threads_of(n_workers)) == "numba"
        remarks = (*dataset.notes, *notes_on_files)
        (on_ready or _ignore)(Prepared(options, study, split, remarks, n_continued, taught_by, compiles))
        began = time.monotonic()
        teacher = None if asked is None else _teacher(asked, options, study, dataset, split, storage, on_event)
        if isinstance(teacher, str):
            why_ended: WhyEnded = teacher
        else:
            left = _with_less_time(options, time.monotonic() - began)
            try:
                why_ended = _run(left, study, space, dataset, split, folder, on_event, teacher, storage.patience, aim)
            except SpaceError as error:
                n = n_trained(study)
                before = f"what was trained before it, {n} candidate{'s' * (n != 1)}, is kept in study {name!r}"
                raise SpaceError(f"{error}; {before}") from error
        best = ranked(study)
        model: Path | None = None
        notes: tuple[str, ...] = ()
        if best and (elsewhere := _weights_elsewhere(best[0], storage, folder)) is not None:
            notes = (elsewhere,)
        elif best:
            on_event(Doing(f"Writing trial {best[0].trial} and checking the files"))
            model, notes = hand_over(study, best[0], dataset, split, folder, options.out, options.storage)
        tally = dict(counts(study))
    with suppress(sqlalchemy.exc.DBAPIError):  # what cannot be folded in stays beside it, and is read from there
        storage.fold_log()  # whoever takes the file along has all of it
    reached = options.target is not None and bool(best) and best[0].expected_accuracy >= options.target
    return SearchResult(options, stored, why_ended, reached, best, tally, model, notes, teacher_of(stored))


def _ignore(what: object) -> None:
    """Nobody watches."""


def _check_files(study: optuna.Study, storage: Storage, folder: Path) -> tuple[str, ...]:
    """What is to be known of checkpoints and weights that are not here, where a search goes on on another machine.

    Raises `ExportError` or `StudyError` where the best trial's weights are missing beside their database, or damaged.
    """
    notes, anew = [], begin_anew(study, folder)
    if anew:
        n = len(anew)
        notes.append(
            f"{n} trial{'s begin' if n > 1 else ' begins'} again from epoch 1, with the same number"
            f"{'s' * (n > 1)}: {'their checkpoints are' if n > 1 else 'its checkpoint is'} not in {folder}."
        )
    for best in ranked(study)[:1]:
        elsewhere = _weights_elsewhere(best, storage, folder)
        if elsewhere is not None:
            notes.append(elsewhere)
        else:
            check_weights([best], folder)
    return tuple(notes)


def _weights_elsewhere(record: Record, storage: Storage, folder: Path) -> str | None:
    """What is said of weights that are not here; a server's database is searched from several machines."""
    if not is_on_server(storage) or checkpoint_path(folder, record.trial).exists():
        return None
    return (
        f"The weights of trial {record.trial}, the best so far, are not in {folder}, but where it was trained: only "
        "there, or with a copy of that folder, its model can be exported."
    )


def _with_less_time(options: SearchOptions, seconds: float) -> SearchOptions:
    """The teacher's time is the search's, too."""
    return options if options.timeout is None else replace(options, timeout=max(0.001, options.timeout - seconds))


def _teacher(
    asked: Asked,
    options: SearchOptions,
    study: optuna.Study,
    dataset: Dataset,
    split: Split,
    storage: Storage,
    on_event: Callable[[Event], None],
) -> Teacher | WhyEnded:
    """The study's teacher, read or trained; or why there is none, where its training was ended.

    Raises `StudyError` if the study had another one before.
    """
    runs = runs_folder(storage)
    before = teacher_of(study)
    file, content = asked.file, asked.content
    if file is None and before is not None and (runs / before.file).is_file():
        file, content = runs / before.file, read(runs / before.file)
    trained: SearchResult | None = None
    if file is None or content is None:
        assert asked.auto is not None
        epochs = teachers_epochs(options)
        trained = search(
            teachers_options(options, asked.auto, options.timeout, runs),
            on_event=lambda event: on_event(Teaching(event, epochs)) if isinstance(event, TrialEvent) else None,
        )
        if trained.why_ended in ("interrupted", "timeout"):
            return trained.why_ended
        if trained.model is None and trained.winner is not None:
            raise StudyError(f"a teacher must be at hand, but that of this study is not: {trained.notes[0]}")
        if trained.model is None:
            raise StudyError(
                f"a teacher must be trained to its end, but that of study {asked.auto!r} was not: see nas trials "
                f"--study {asked.auto}"
            )
        file, content = trained.model, read(trained.model)
    teacher, stored = described(file, content, dataset, split, SPLIT_SEED, runs)
    if trained is not None and trained.winner is not None:
        spans = busy_spans(trained.study.get_trials(deepcopy=False))
        stored = with_cost(stored, trained.study.study_name, trained.winner, busy_seconds(spans))
    store_teacher(study, stored)
    on_event(Taught(teacher_of(study) or stored))
    return teacher


def _run(
    options: SearchOptions,
    study: optuna.Study,
    space: Space,
    dataset: Dataset,
    split: Split,
    folder: Path,
    on_event: Callable[[Event], None],
    teacher: Teacher | None,
    patience: Patience,
    aim: Budget,
) -> WhyEnded:
    most = sys.maxsize if options.trials is None else max(1, options.trials - n_trained(study))
    # As many threads as if all workers were needed: with others the digits would be others.
    placement = replace(options.placement, threads=options.placement.threads_of(options.n_workers))
    workers = None if options.follows_room else min(options.n_workers, most)
    executor = open_executor(split, workers=workers, placement=placement, on_wait=lambda text: on_event(Told(text)))
    device = placement.device(options.device)
    objective = Objective(
        space,
        dataset,
        options.limits,
        epochs=options.epochs,
        seed=options.seed,
        executor=executor,
        device=device,
        precision=placement.precision(options.precision, device),
        folder=folder,
        observer=on_event,
        split=split,
        goal=options.goal,
        formats=options.all_formats,
        deployment=options.deployment,
        aim=aim,
        teacher=teacher,
        pausing=isinstance(study.pruner, PausingPruner),
        stop_at=options.target if options.until_target else None,
        quantised=options.quantised,
        weight_bits=options.weight_bits,
    )
    referee = Referee(options, study, executor)
    patience.over = lambda: referee.why_ended == "interrupted"
    patience.ended = lambda: referee.end("interrupted")
    try:
        with patience.watching(), referee.watching_signals_and_time():
            if referee.why_ended is None:
                Loop(study, objective, referee, lambda: min(executor.n_places, most)).run()
            catch_up(study)
            patience.check()
    except StudyError as error:
        if patience.was_left and referee.had_signal:  # Ctrl-C came while the database was waited for
            raise KeyboardInterrupt(str(error)) from None
        raise
    finally:
        executor.close()
    assert referee.why_ended is not None
    return referee.why_ended


def _terms(options: SearchOptions, space: Space, dataset: Dataset, split: Split, teacher: Asked | None) -> Terms:
    return Terms(
        space=space.name,
        space_digest=space.digest,
        dataset=options.dataset,
        dataset_fingerprint=dataset.fingerprint,
        n_train=len(split.train_images),
        n_validation=len(split.validation_images),
        split_seed=SPLIT_SEED,
        epochs=options.epochs,
        budget=options.limits.limits,
        minimize=options.goal.minimize,
        target=options.goal.target,
        teacher=None if teacher is None else teacher.name,
        teacher_digest=None if teacher is None else teacher.digest,
        deployment=None if options.deployment is None else str(options.deployment),
        compiler=None if options.deployment is None else options.deployment.compiler,
        quantised=options.quantised,
        weight_bits=options.weight_bits,
        earlier_space_digests=space.earlier_digests,
    )
