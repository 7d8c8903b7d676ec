"""The search: runs the objective until the target is met, or the trials or the time are used up."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import optuna
from optuna.trial import FrozenTrial, Trial

from nas import datasets
from nas import space as spaces
from nas.cost import Budget
from nas.datasets import Dataset, Split
from nas.errors import InputError, WorkerError
from nas.execution import Cancelled, Executor, ProcessExecutor, n_cores
from nas.export.trials import hand_over
from nas.goal import Goal
from nas.objective import Event, Objective
from nas.probe import check_budget
from nas.records import Record, best_table, counts, n_trained, ranked
from nas.space import Space
from nas.study import (
    DEFAULT_STORAGE,
    OPTIONS,
    PRUNERS,
    RUNS,
    SAMPLERS,
    Pruner,
    Sampler,
    Terms,
    checkpoint_folder,
    continue_interrupted,
    default_name,
    nearest,
    open_storage,
    open_study,
    sole_controller,
)
from nas.training import resolve_device, resolve_precision

SPLIT_SEED = 0  # one split for all seeds of a search, so that their figures can be compared
HIGHEST_SEED = 2**32 - 1  # of NumPy's generators, which Optuna's samplers use
MOST_FAILURES_IN_A_ROW = 5
MOST_UNTRAINED_IN_A_ROW = 5000

WhyEnded = Literal["target", "trials", "timeout", "interrupted", "exhausted"]


@dataclass(frozen=True)
class SearchOptions:
    """Everything a search can be told; the command line's options have the same names.

    `budget` is in parameters; `max_macs`, `max_memory` (bytes of activations) and `max_bytes` (of weights) limit the
    rest. `target` is a fraction of the validation part. `timeout` is in seconds. With `minimize`, such as "params", the
    smallest network is looked for that has the target.
    """

    budget: int = 20_000
    target: float | None = None
    minimize: str | None = None
    epochs: int = 20
    trials: int | None = None
    timeout: float | None = None
    space: str = spaces.DEFAULT
    dataset: str = "mnist"
    data_dir: Path | None = None
    validation: int | None = None
    sampler: Sampler = "tpe"
    pruner: Pruner = "halving"
    seed: int = 0
    workers: int = field(default_factory=n_cores)
    device: str = "auto"
    precision: str = "auto"
    storage: str = DEFAULT_STORAGE
    study: str | None = None
    out: Path = RUNS
    max_macs: int | None = None
    max_memory: int | None = None
    max_bytes: int | None = None

    def __post_init__(self) -> None:
        for name in ("budget", "epochs", "trials", "validation", "workers", "max_macs", "max_memory", "max_bytes"):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value <= 0):
                raise InputError(f"{name.replace('_', '-')} must be a whole number above 0, but got {value!r}")
        if self.timeout is not None and not 0 < self.timeout < threading.TIMEOUT_MAX:
            raise InputError(f"timeout must be above 0 seconds, but got {self.timeout!r}")
        if type(self.seed) is not int or not 0 <= self.seed <= HIGHEST_SEED:
            raise InputError(f"seed must be a whole number from 0 to {HIGHEST_SEED:,}, but got {self.seed!r}")
        check_target(self.target)
        Goal(self.minimize, self.target)
        for name, value, choices in (("sampler", self.sampler, SAMPLERS), ("pruner", self.pruner, PRUNERS)):
            if value not in choices:
                raise InputError(
                    f"{name} must be one of {', '.join(choices)}, but got {value!r}{nearest(value, choices)}"
                )

    @property
    def goal(self) -> Goal:
        """What is looked for; a target alone is only when to stop."""
        return Goal() if self.minimize is None else Goal(self.minimize, self.target)

    @property
    def limits(self) -> Budget:
        """All limits as one budget."""
        return Budget(self.budget, self.max_macs, self.max_memory, self.max_bytes)

    @property
    def given(self) -> dict[str, Any]:
        """What is not as it is unless told, as plain data."""
        unless_told = SearchOptions()
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        changed = {name: value for name, value in values.items() if value != getattr(unless_told, name)}
        return {name: str(value) if isinstance(value, Path) else value for name, value in changed.items()}


@dataclass(frozen=True)
class SearchResult:
    """How a search ended. `model` is the frozen model's file, if there is a winner."""

    options: SearchOptions
    study: optuna.Study
    why_ended: WhyEnded
    target_reached: bool
    best: list[Record]
    counts: dict[str, int]
    model: Path | None

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


def search(
    options: SearchOptions | None = None,
    *,
    on_ready: Callable[[Prepared], None] = lambda prepared: None,
    on_event: Callable[[Event], None] = lambda event: None,
    **settings: Any,
) -> SearchResult:
    """Searches, exports the winner, and returns what was found.

    Takes `SearchOptions`, or its fields as keywords: `nas.search(budget=20_000, target=0.994)`. A study that exists is
    continued, trainings that were cut short first. Ctrl-C ends it cleanly, with what was found so far.

    Raises `InputError`, `DataError`, `SpaceError`, `BudgetError` or `StudyError` before anything is trained, and
    `WorkerError` where one training after the other failed.
    """
    options = options_of(options, settings)
    device = resolve_device(options.device)
    resolve_precision(options.precision, device)
    space = spaces.load(options.space)
    dataset = datasets.load(options.dataset, options.data_dir)
    split = datasets.split(dataset, options.validation, SPLIT_SEED)
    check_budget(space, spaces.Task(split.image_shape, split.n_classes, options.epochs, options.limits))
    check_writable(options.out)
    storage = open_storage(options.storage)
    name = options.study or default_name(
        options.dataset, options.limits, space.name, options.epochs, options.seed, options.goal
    )
    folder = checkpoint_folder(storage, name)
    terms = _terms(options, space, dataset, split)
    with sole_controller(folder, name):
        study = open_study(storage, name, terms, options.sampler, options.pruner, options.seed)
        study.set_user_attr("notes", list(dataset.notes))
        study.set_user_attr(OPTIONS, options.given)
        n_continued = continue_interrupted(study)
        on_ready(Prepared(options, study, split, dataset.notes, n_continued))
        why_ended = _run(options, study, space, dataset, split, folder, on_event)
        best = ranked(study)
        model = hand_over(study, best[0], dataset, split, folder, options.out, options.storage) if best else None
    reached = options.target is not None and bool(best) and (best[0].accuracy or 0) >= options.target
    return SearchResult(options, study, why_ended, reached, best, dict(counts(study)), model)


def _run(
    options: SearchOptions,
    study: optuna.Study,
    space: Space,
    dataset: Dataset,
    split: Split,
    folder: Path,
    on_event: Callable[[Event], None],
) -> WhyEnded:
    n_jobs = options.workers
    if options.trials is not None:
        n_jobs = max(1, min(n_jobs, options.trials - n_trained(study)))
    executor = ProcessExecutor(split, n_jobs, max(1, n_cores() // options.workers))
    objective = Objective(
        space,
        dataset,
        options.limits,
        epochs=options.epochs,
        seed=options.seed,
        executor=executor,
        device=options.device,
        precision=options.precision,
        folder=folder,
        observer=on_event,
        split=split,
        goal=options.goal,
    )
    referee = _Referee(options, study, executor, n_jobs)
    try:
        with referee.watching_signals_and_time():
            if referee.why_ended is None:
                study.optimize(
                    referee.guarding(objective),
                    n_jobs=n_jobs,
                    catch=(Cancelled, WorkerError),
                    callbacks=[referee.after_trial],
                )
    finally:
        executor.close()
    assert referee.why_ended is not None
    return referee.why_ended


class _Referee:
    """Decides when a search is over, and lets no more trials begin than were asked for."""

    def __init__(self, options: SearchOptions, study: optuna.Study, executor: Executor, n_jobs: int) -> None:
        self._options, self._executor, self._n_jobs = options, executor, n_jobs
        self._changed = threading.Condition()
        self._n_waiting = 0
        self._failures_in_a_row = 0
        self._untrained_in_a_row = 0
        self._n_trained = n_trained(study)
        self._best = max((record.accuracy or 0.0 for record in ranked(study)), default=0.0)
        self.why_ended: WhyEnded | None = None
        self._check_limits()

    def guarding(self, objective: Objective) -> Callable[[Trial], float]:
        """The objective, ending all runs at once if something unforeseen breaks in one of them."""

        def guarded(trial: Trial) -> float:
            if self.why_ended is not None:
                raise Cancelled
            try:
                return objective(trial)
            except (optuna.TrialPruned, Cancelled, WorkerError):
                raise
            except BaseException:
                self.end("interrupted")
                raise

        return guarded

    def after_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Optuna calls this when a trial has been told, in the thread that ran it."""
        outcome = trial.user_attrs.get("outcome")
        with self._changed:
            trained = outcome in ("finished", "pruned")
            self._n_trained += trained
            self._untrained_in_a_row = 0 if trained else self._untrained_in_a_row + 1
            self._failures_in_a_row = self._failures_in_a_row + 1 if outcome == "failed" else 0
            if outcome == "finished":
                self._best = max(self._best, trial.value or 0.0)
            self._check_limits()
            self._wait_for_a_place()
        if self._failures_in_a_row >= MOST_FAILURES_IN_A_ROW:
            self.end("interrupted")
            raise WorkerError(
                f"{MOST_FAILURES_IN_A_ROW} trainings in a row failed, the last with: {trial.user_attrs.get('reason')}"
            )
        if self.why_ended is not None:
            study.stop()

    def end(self, why: WhyEnded) -> None:
        """Ends the search and all runs; the first reason counts. Safe in a signal handler: takes no lock."""
        if self.why_ended is None:
            self.why_ended = why
        self._executor.cancel()

    def _check_limits(self) -> None:
        options = self._options
        if options.target is not None and options.minimize is None and self._best >= options.target:
            self.end("target")
        elif options.trials is not None and self._n_trained >= options.trials:
            self.end("trials")
        elif self._untrained_in_a_row >= MOST_UNTRAINED_IN_A_ROW:
            self.end("exhausted")

    def _wait_for_a_place(self) -> None:
        """Holds this thread while the trials still asked for are as many as may already be running."""
        self._n_waiting += 1
        self._changed.notify_all()
        while self.why_ended is None and not self._place_is_free():
            self._changed.wait(0.2)  # a time limit, since `end` cannot notify
        self._n_waiting -= 1

    def _place_is_free(self) -> bool:
        if self._options.trials is None:
            return True
        n_others = self._n_jobs - self._n_waiting
        return self._n_trained + n_others < self._options.trials

    @contextmanager
    def watching_signals_and_time(self) -> Iterator[None]:
        """Inside, Ctrl-C, a termination signal and the time limit end the search; a second Ctrl-C ends the process."""
        timer = threading.Timer(self._options.timeout or 0, self.end, ["timeout"])
        timer.daemon = True
        if self._options.timeout is not None:
            timer.start()
        in_main_thread = threading.current_thread() is threading.main_thread()
        watched = (signal.SIGINT, signal.SIGTERM) if in_main_thread else ()
        before = {number: signal.signal(number, self._on_signal) for number in watched}
        try:
            yield
        finally:
            timer.cancel()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.why_ended == "interrupted":
            os._exit(128 + number)
        self.end("interrupted")


def options_of(options: SearchOptions | None, settings: dict[str, Any]) -> SearchOptions:
    """Options given as a whole or as keywords; `InputError` for both, since one of them would be ignored."""
    if options is not None and settings:
        raise InputError(
            f"a search takes options or keywords, but got both, with {', '.join(settings)}: use dataclasses.replace"
        )
    return options or SearchOptions(**settings)


def _terms(options: SearchOptions, space: Space, dataset: Dataset, split: Split) -> Terms:
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
    )


def check_target(target: float | None) -> None:
    """Raises `InputError` unless a target is a fraction."""
    if target is None or 0 < target <= 1:
        return
    hint = f": did you mean {target / 100:g}?" if 1 < target <= 100 else ""
    raise InputError(f"target must be a fraction above 0 and at most 1, but got {target:g}{hint}")


def check_writable(folder: Path) -> None:
    """Makes the folder; raises `InputError` if that cannot be done, or nothing can be written to it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"the output folder must be writable, but {folder} is not ({error.strerror}): give another --out"
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"the output folder must be writable, but {folder} is not: give another --out")
