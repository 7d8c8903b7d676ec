"""The Optuna objective: the only place where space, cost, execution and trial meet."""

import math
import platform
import subprocess
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, Literal

import optuna
import torch
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

import nas
from nas import datasets
from nas import space as spaces
from nas.cost import Budget, Cost, cost_of
from nas.datasets import Dataset, Split
from nas.errors import InputError
from nas.execution import Cancelled, Executor, InlineExecutor, Job
from nas.goal import Goal
from nas.records import record_of
from nas.space import Candidate, Space, SpaceFunction, Task
from nas.training import EpochResult, best_kernels, resolve_device, resolve_precision

Outcome = Literal["finished", "pruned", "rejected", "repeated", "failed", "interrupted"]


@dataclass(frozen=True)
class Started:
    """A candidate's training begins."""

    trial: int
    candidate: Candidate
    cost: Cost


@dataclass(frozen=True)
class EpochDone:
    """One epoch of a candidate is done."""

    trial: int
    result: EpochResult


@dataclass(frozen=True)
class Ended:
    """A trial is over; `reason` says why in words, `accuracy` is the last epoch's where there was one."""

    trial: int
    outcome: Outcome
    reason: str = ""
    accuracy: float | None = None


Event = Started | EpochDone | Ended


class Objective:
    """Suggests a candidate, counts it, and trains it an epoch at a time if it meets the budget.

    Returns the validation accuracy of the last epoch, a fraction, or what `goal` makes of it. Over-budget candidates
    are pruned before anything is built, with their violations as constraints; candidates that were already trained give
    the figures they gave then.

        study = optuna.create_study(direction="maximize")
        study.optimize(nas.Objective("documented", "mnist", 20_000, epochs=5), n_trials=50)

    `space` is a name, a path or a function; `dataset` a name or a loaded one; `budget` a number of parameters or a
    `Budget`. With a `folder`, checkpoints and the trained weights are kept in it.
    """

    def __init__(
        self,
        space: str | Path | Space | SpaceFunction = spaces.DEFAULT,
        dataset: str | Dataset = "mnist",
        budget: int | Budget = 20_000,
        *,
        epochs: int = 20,
        seed: int = 0,
        n_validation: int | None = None,
        data_dir: str | Path | None = None,
        executor: Executor | None = None,
        device: str = "auto",
        precision: str = "auto",
        folder: Path | None = None,
        observer: Callable[[Event], None] = lambda event: None,
        split: Split | None = None,
        goal: Goal = Goal(),  # noqa: B008 - it is frozen
    ) -> None:
        self.space = spaces.load(space)
        self.goal = goal
        self.budget = budget if isinstance(budget, Budget) else Budget(budget)
        self._budget_left = self.budget  # smaller than the budget once a network is there that is to be undercut
        self.seed, self.folder, self.observer = seed, folder, observer
        self.device = resolve_device(device)
        self.precision = resolve_precision(precision, self.device)
        if split is None:
            loaded = dataset if isinstance(dataset, Dataset) else datasets.load(dataset, data_dir)
            split = datasets.split(loaded, n_validation)
        self.task = Task(split.image_shape, split.n_classes, epochs, self.budget)
        self.executor = executor or InlineExecutor(split.to(self.device))
        self._trained: dict[str, int] = {}  # digest of a candidate -> number of the trial that trains or trained it
        self._knows_earlier_trials = False
        self._lock = Lock()

    def __call__(self, trial: Trial) -> float:
        """One trial, from its suggestions to its accuracy."""
        if trial.study.direction != StudyDirection.MAXIMIZE:
            raise InputError(
                "a study must maximize accuracy, but this one does not: create_study(direction='maximize')"
            )
        self._learn_of_earlier(trial.study)
        candidate = self.space.suggest(trial, replace(self.task, budget=self._budget_of(trial)))
        cost = cost_of(candidate.architecture)
        self._check_budget(trial, cost)
        first = self._claim(trial, candidate)
        if first is not None:
            return self._repeat(trial, first)
        return self._train(trial, candidate, cost)

    def checkpoint(self, trial_number: int) -> Path | None:
        """Where a trial's training state and weights lie."""
        return None if self.folder is None else checkpoint_path(self.folder, trial_number)

    def _budget_of(self, trial: Trial) -> Budget:
        """What the space is told to keep to: what is left now, or what was left when the trial that goes on began."""
        if self.goal.minimize is None:
            return self.budget
        if "limits" not in trial.user_attrs:
            trial.set_user_attr("limits", self._budget_left.limits)
        return Budget(**trial.user_attrs["limits"])

    def _check_budget(self, trial: Trial, cost: Cost) -> None:
        """Nothing has been built yet: counting is arithmetic."""
        budget = self._budget_left
        for name, violation in budget.violations(cost).items():
            trial.set_constraint(name, violation)
        for name, count in asdict(cost).items():
            trial.set_user_attr(name, count)
        if not budget.admits(cost):
            self._end(trial, "rejected", f"over the budget of {budget}")
            raise optuna.TrialPruned("over the budget")

    def _claim(self, trial: Trial, candidate: Candidate) -> int | None:
        """Notes that this trial trains the candidate; returns the number of the one that did before, if any."""
        digest = candidate.digest
        trial.set_user_attr("digest", digest)
        with self._lock:
            first = self._trained.setdefault(digest, trial.number)
        return None if first in (trial.number, trial.user_attrs.get("continues")) else first

    def _learn_of_earlier(self, study: optuna.Study) -> None:
        """What earlier runs of this study trained, and what they reached; what failed may be tried again."""
        with self._lock:
            if self._knows_earlier_trials:
                return
            for earlier in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED)):
                if "digest" in earlier.user_attrs and "repeats" not in earlier.user_attrs:
                    self._trained.setdefault(earlier.user_attrs["digest"], earlier.number)
                record = record_of(earlier)
                if record.finished and record.cost is not None:
                    self._budget_left = self.goal.tightened(self._budget_left, record.accuracy or 0.0, record.cost)
            self._knows_earlier_trials = True

    def _repeat(self, trial: Trial, first: int) -> float:
        """The outcome of the trial that trained the same candidate."""
        trial.set_user_attr("repeats", first)
        original: FrozenTrial = trial.study.get_trials(deepcopy=False)[first]
        for epoch, accuracy in sorted(original.intermediate_values.items()):
            trial.report(accuracy, epoch)
        self._end(trial, "repeated", f"the same candidate as trial {first}", record_of(original).accuracy)
        if original.state != TrialState.COMPLETE or original.value is None:
            raise optuna.TrialPruned(f"the same candidate as trial {first}")
        return original.value

    def _train(self, trial: Trial, candidate: Candidate, cost: Cost) -> float:
        job = self._job(trial, candidate)
        self._record(trial, candidate, job)
        self.observer(Started(trial.number, candidate, cost))
        try:
            with closing(self.executor.run(job)) as results:  # type: ignore[type-var]
                accuracy = self._follow(trial, results)
        except optuna.TrialPruned:
            if job.checkpoint is not None:
                job.checkpoint.unlink(missing_ok=True)
            raise
        except (Cancelled, KeyboardInterrupt):
            self._end(trial, "interrupted", "the search was stopped")
            raise
        except Exception as error:
            self._forget(candidate)
            self._end(trial, "failed", str(error))
            raise
        with self._lock:
            self._budget_left = self.goal.tightened(self._budget_left, accuracy, cost)
        self._end(trial, "finished", accuracy=accuracy)
        return self.goal.value(accuracy, cost, self.budget)

    def _follow(self, trial: Trial, results: Any) -> float:
        """Reports each epoch; ends the trial where the pruner, or a number that is none, says so."""
        accuracy = 0.0
        for result in results:
            accuracy = result.validation_accuracy
            if not math.isfinite(result.train_loss + result.validation_loss + accuracy):
                self._end(trial, "pruned", f"loss was not finite in epoch {result.epoch}", accuracy)
                raise optuna.TrialPruned("loss was not finite")
            trial.report(accuracy, result.epoch)
            self.observer(EpochDone(trial.number, result))
            if result.epoch < self.task.epochs and trial.should_prune():
                self._end(trial, "pruned", f"stopped by the pruner after epoch {result.epoch}", accuracy)
                raise optuna.TrialPruned
        return accuracy

    def _job(self, trial: Trial, candidate: Candidate) -> Job:
        """Seeds derive from the study's seed and the trial's number; a continued trial keeps those it began with."""
        seed = trial.user_attrs.get("seed", self.seed * 1_000_003 + trial.number)
        job = Job(candidate, seed, self.device, self.precision, self.checkpoint(trial.number))
        if job.checkpoint is not None:
            job.checkpoint.parent.mkdir(parents=True, exist_ok=True)
            job.checkpoint.unlink(missing_ok=True)  # left by another study of this name, whose database was removed
            self._take_over(trial, job, job.checkpoint)
        return job

    def _take_over(self, trial: Trial, job: Job, checkpoint: Path) -> None:
        """Has a continued trial go on from the checkpoint of the one that was cut short.

        But not where that was trained otherwise, on another device or with other threads: nobody could train a network
        again whose epochs were made in two ways. It then begins anew.
        """
        if "continues" not in trial.user_attrs:
            return
        earlier = checkpoint_path(checkpoint.parent, trial.user_attrs["continues"])
        if trial.user_attrs.get("made_with") != environment(job, self.executor.n_threads):
            earlier.unlink(missing_ok=True)
        elif earlier.exists():
            earlier.replace(checkpoint)

    def _record(self, trial: Trial, candidate: Candidate, job: Job) -> None:
        """Everything that is needed to train this candidate again, exactly."""
        trial.set_user_attr("architecture", candidate.architecture.to_dict())
        trial.set_user_attr("recipe", candidate.recipe.to_dict())
        trial.set_user_attr("network", str(candidate.architecture))
        trial.set_user_attr("training", str(candidate.recipe))
        trial.set_user_attr("seed", job.seed)
        trial.set_user_attr("made_with", environment(job, self.executor.n_threads))

    def _forget(self, candidate: Candidate) -> None:
        with self._lock:
            self._trained.pop(candidate.digest, None)

    def _end(self, trial: Trial, outcome: Outcome, reason: str = "", accuracy: float | None = None) -> None:
        trial.set_user_attr("outcome", outcome)
        if reason:
            trial.set_user_attr("reason", reason)
        self.observer(Ended(trial.number, outcome, reason, accuracy))


def checkpoint_path(folder: Path, trial_number: int) -> Path:
    """The file of one trial's training state and weights."""
    return folder / f"trial-{trial_number:05d}.pt"


def environment(job: Job, n_threads: int) -> dict[str, Any]:
    """How a figure is made: versions, device, threads, precision."""
    return {
        "nas": nas.__version__,
        "revision": revision(),
        "torch": torch.__version__,
        "optuna": optuna.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "device": torch.cuda.get_device_name(job.device) if job.device.startswith("cuda") else "cpu",
        "threads": n_threads,
        "precision": job.precision,
        "kernels": best_kernels(job.device, n_threads),
    }


@cache
def revision() -> str | None:
    """The git revision of the checkout that nas runs from; None where it is installed otherwise."""
    package = Path(nas.__file__).parent
    if not (package.parent / ".git").exists():
        return None
    command = ["git", "-C", str(package), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
