"""The Optuna objective: the only place where space, cost, execution and trial meet."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

from nas import datasets
from nas.datasets import Dataset, Split
from nas.deployment.deployment import Deployment
from nas.errors import ExportError, InputError, StudyError
from nas.execution.inline import InlineExecutor
from nas.execution.job import Cancelled, Executor, Job, Run
from nas.export.c.learning import whole_numbers_for
from nas.export.formats import check_formats, refused_by
from nas.network.cost import COSTS, Budget, Cost, Had, cost_of, further_cost_of
from nas.searching.events import Ended, EpochDone, Event, Started, Told
from nas.searching.options import QUANTISED_FORMAT
from nas.space import finding as spaces
from nas.space.candidate import Candidate, Task
from nas.space.finding import Space, SpaceFunction
from nas.study.busy import begin_stretch, end_stretch
from nas.study.goal import Goal
from nas.study.mirror import catch_up, write_down
from nas.study.record import record_of
from nas.study.terms import timing_of
from nas.study.trial import Outcome, TrialAttributes, correct_report, limits_of, reported
from nas.table import per_cent
from nas.training.checkpoint import checkpoint_path, second_checkpoint_path
from nas.training.device import resolve_device, resolve_precision
from nas.training.recipe import Recipe
from nas.training.run import EpochResult
from nas.training.teacher import Teacher

SECOND_SEED = 500_000_003  # beside those of first trainings; torch looks at the lower 32 bits of a seed alone


class Paused(Exception):  # noqa: N818 - not an error
    """The training stopped after an epoch, and may go on later: give the trial to the objective again."""


class Objective:
    """Suggests a candidate, counts it, and trains it an epoch at a time if it meets the budget.

    Returns the validation accuracy of the last epoch, a fraction, or what `goal` makes of it. Over-budget candidates
    are pruned before they are trained, with their violations as constraints; candidates that were already trained give
    the figures they gave then. One that a format among `formats` cannot have is not trained either, nor one that is
    over a limit by what the `deployment` tells of it; `aim` is what the space is told to keep to, unless that is the
    budget.

        study = optuna.create_study(direction="maximize")
        study.optimize(nas.Objective("documented", "mnist", 20_000, epochs=5), n_trials=50)

    `space` is a name, a path or a function; `dataset` a name or a loaded one; `budget` a number of parameters or a
    `Budget`. With a `folder`, checkpoints and the trained weights are kept in it. With a `teacher` each candidate's
    recipe has its soft labels, with a weight and a temperature of the space's, else of the search's. With `pausing`,
    where the pruner would stop a trial `Paused` is raised, and its checkpoint, if there is a folder, kept. With
    `stop_at`, a fraction, a training ends with the first epoch whose accuracy is as high. With `quantised` each
    candidate's recipe is for whole numbers of 8 bits, with weights of `weight_bits`: accuracies are those of the
    exported C.
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
        observer: Callable[[Event], None] | None = None,
        split: Split | None = None,
        goal: Goal = Goal(),  # noqa: B008 - it is frozen
        formats: Sequence[str] = (),
        teacher: Teacher | None = None,
        pausing: bool = False,
        stop_at: float | None = None,
        deployment: Deployment | None = None,
        aim: Budget | None = None,
        quantised: bool = False,
        weight_bits: int = Recipe.weight_bits,
    ) -> None:
        self.quantised, self.weight_bits = quantised, weight_bits
        self.space, self.pausing, self.stop_at = spaces.load(space), pausing, stop_at
        check_formats(formats)
        self.goal, self.formats, self.teacher = goal, formats, teacher
        self.deployment, self.aim = deployment, aim
        self.budget = budget if isinstance(budget, Budget) else Budget(budget)
        self._budget_left = self.budget  # smaller than the budget once a network is there that is to be undercut
        self.seed, self.folder, self.observer = seed, folder, observer or _ignore
        # Whether an executor of others has the device is for it to say.
        self.device = resolve_device(device) if executor is None or device == "auto" else device
        self.precision = resolve_precision(precision, self.device)
        if split is None:
            loaded = dataset if isinstance(dataset, Dataset) else datasets.load(dataset, data_dir)
            split = datasets.split(loaded, n_validation)
        self.task = Task(split.image_shape, split.n_classes, epochs, self.budget, teacher is not None)
        self.executor = executor or InlineExecutor(split)
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
        if _training_has_begun(trial):
            return self._go_on(trial)
        candidate = self.space.suggest(trial, replace(self.task, budget=self._aim_of(trial)))
        if self.quantised:
            recipe = replace(candidate.recipe, quantised=True, weight_bits=self.weight_bits)
            candidate = replace(candidate, recipe=recipe)
        cost = self._checked_cost(trial, candidate)
        first = self._claim(trial, candidate)
        if first is not None:
            return self._repeat(trial, first)
        return self._train(trial, candidate, cost)

    def give_up(self, trial: Trial) -> None:
        """Notes that a paused trial will not go on, and removes its checkpoint."""
        checkpoint, n_epochs = self.checkpoint(trial.number), len(reported(trial))
        catch_up(trial.study)
        if checkpoint is not None:
            checkpoint.unlink(missing_ok=True)
        self._end(trial, "pruned", f"stopped by the pruner after epoch {n_epochs}")

    def checkpoint(self, trial_number: int) -> Path | None:
        """Where a trial's training state and weights lie."""
        return None if self.folder is None else checkpoint_path(self.folder, trial_number)

    def _budget_of(self, trial: Trial) -> Budget:
        """What the space is told to keep to: what is left now, or what was left when the trial that goes on began."""
        if self.goal.minimize is None:
            return self.budget
        attributes = TrialAttributes(trial)
        if attributes.limits is None:
            attributes.limits = self._budget_left.limits
        return limits_of(trial, self.budget)

    def _aim_of(self, trial: Trial) -> Budget:
        """What the space is told to keep to."""
        budget = self._budget_of(trial)
        if self.aim is None:
            return budget
        return Budget(**{name: min(limit, budget.get(name, limit)) for name, limit in {**budget, **self.aim}.items()})

    def _checked_cost(self, trial: Trial, candidate: Candidate) -> Cost:
        """What takes longer is had only where all limits on what is had sooner are met."""
        cost = cost_of(candidate.architecture)
        self._check_budget(trial, cost, cost)
        self._check_formats(trial, candidate)
        for had in ("predicted", "measured"):
            more = self._further(trial, candidate, had)
            cost = Cost(**cost, **more)
            self._check_budget(trial, more, cost)
        return cost

    def _further(self, trial: Trial, candidate: Candidate, had: Had) -> Cost:
        architecture, at_once = candidate.architecture, () if self.deployment is None else self.deployment.at_once
        asked = {*self.budget, *at_once, *([self.goal.minimize] if self.goal.minimize is not None else [])}
        try:
            if had == "measured" and self.deployment is not None:
                self._screen(trial, candidate, self.deployment)
            more = further_cost_of(architecture, asked, had, self.deployment)
        except ExportError as error:
            self._end(trial, "failed", str(error))
            raise
        if "latency" in more and self.deployment is not None and (timing := self.deployment.stored(architecture)):
            TrialAttributes(trial).timing = timing
        return more

    def _screen(self, trial: Trial, candidate: Candidate, deployment: Deployment) -> None:
        """What is far too slow by all that was timed before is not timed."""
        limit = self._budget_left.get("latency")
        if limit is None or "latency" not in deployment.tells:
            return
        told = deployment.screened(candidate.architecture, limit)
        if told is not None:
            trial.set_constraint("latency", told.milliseconds / limit - 1)
            self._end(trial, "rejected", f"{told}; the limit is {COSTS['latency'].shown(limit)} ms")
            raise optuna.TrialPruned("over the budget")

    def _check_budget(self, trial: Trial, new: Cost, cost: Cost) -> None:
        """Nothing has been trained yet; `new`: what was not looked at before. Of what is counted nothing has been built
        either; for flash and RAM of C its code has been compiled, with weights that mean nothing.
        """
        budget = self._budget_left
        for name, violation in budget.violations(new).items():
            trial.set_constraint(name, violation)
        if new:
            TrialAttributes(trial).cost = new
        if not budget.admits(cost):
            self._end(trial, "rejected", f"over the budget of {budget}")
            raise optuna.TrialPruned("over the budget")

    def _check_formats(self, trial: Trial, candidate: Candidate) -> None:
        """What could not be written is not trained; to the sampler it is as twice the budget."""
        formats = {*self.formats, *([QUANTISED_FORMAT] if candidate.recipe.quantised else [])}
        if not formats:
            return
        reason = refused_by(candidate.architecture, sorted(formats))
        trial.set_constraint("formats", 0.0 if reason is None else 1.0)
        if reason is not None:
            self._end(trial, "rejected", reason)
            raise optuna.TrialPruned(reason)

    def _claim(self, trial: Trial, candidate: Candidate) -> int | None:
        """Notes that this trial trains the candidate; returns the number of the one that did before, if any."""
        attributes, digest = TrialAttributes(trial), candidate.digest
        attributes.digest = digest
        with self._lock:
            first = self._trained.setdefault(digest, trial.number)
        return None if first == trial.number else first

    def _learn_of_earlier(self, study: optuna.Study) -> None:
        """What earlier runs of this study trained, and what they reached; what failed may be tried again."""
        with self._lock:
            if self._knows_earlier_trials:
                return
            if self.deployment is not None and (timing := timing_of(study)) is not None:
                self.deployment.learn(timing)
            for earlier in study.get_trials(deepcopy=False):
                if earlier.state == TrialState.FAIL:
                    continue
                attributes = TrialAttributes(earlier)
                if attributes.timing is not None and self.deployment is not None:
                    self.deployment.learn(attributes.timing)
                if attributes.digest is not None and attributes.repeats is None:
                    self._trained.setdefault(attributes.digest, earlier.number)
                if self.goal.minimize is None:
                    continue
                record = record_of(earlier)
                if record.finished and record.cost is not None:
                    self._budget_left = self.goal.tightened(self._budget_left, record.expected_accuracy, record.cost)
            self._knows_earlier_trials = True

    def _repeat(self, trial: Trial, first: int) -> float:
        """The outcome of the trial that trained the same candidate."""
        TrialAttributes(trial).repeats = first
        original: FrozenTrial = trial.study.get_trials(deepcopy=False)[first]
        for epoch, accuracy in sorted(original.intermediate_values.items()):
            trial.report(accuracy, epoch)
        self._end(trial, "repeated", f"the same candidate as trial {first}", record_of(original).accuracy)
        if original.state != TrialState.COMPLETE or original.value is None:
            raise optuna.TrialPruned(f"the same candidate as trial {first}")
        return original.value

    def _go_on(self, trial: Trial) -> float:
        """With a training that was paused or interrupted, from its checkpoint, or anew if that is gone."""
        attributes = TrialAttributes(trial)
        candidate, cost, was_paused = attributes.candidate, attributes.cost, attributes.outcome == "paused"
        assert candidate is not None
        assert cost is not None
        attributes.outcome = "running"
        begin_stretch(trial)
        job = self._job(trial, candidate, goes_on=True)
        return self._follow_to_end(trial, candidate, cost, job, was_interrupted=not was_paused)

    def _train(self, trial: Trial, candidate: Candidate, cost: Cost) -> float:
        job = self._job(trial, candidate)
        attributes = TrialAttributes(trial)
        attributes.candidate, attributes.seed = candidate, job.seed
        return self._follow_to_end(trial, candidate, cost, job)

    def _follow_to_end(
        self, trial: Trial, candidate: Candidate, cost: Cost, job: Job, was_interrupted: bool = False
    ) -> float:
        self.observer(Started(trial.number, candidate, cost))
        try:
            with self.executor.run(job) as run:
                self._tell_if_anew(trial, job, run)
                TrialAttributes(trial).made_with = run.made_with
                # What is trained now can be seen, and what began can go on, however it ends.
                write_down(trial.study, waits=job.checkpoint_made_with is None)
                accuracy = self._follow(trial, run, was_interrupted)
            had_ended = run.n_done == len(reported(trial))
            expected, reason = self._expected(trial, job, cost, accuracy, goes_on=had_ended)
        except optuna.TrialPruned:
            catch_up(trial.study)  # until then only the checkpoint has what was reported while the database was away
            if job.checkpoint is not None:
                job.checkpoint.unlink(missing_ok=True)
            raise
        except Paused:
            raise
        except (Cancelled, KeyboardInterrupt):
            end_stretch(trial)
            self._end(trial, "interrupted", "the search was stopped")
            raise
        except StudyError:  # the database cannot be used, and so cannot be told
            raise
        except Exception as error:
            self._forget(candidate)
            self._end(trial, "failed", str(error))
            raise
        with self._lock:
            self._budget_left = self.goal.tightened(self._budget_left, expected, cost)
        self._end(trial, "finished", reason, accuracy)
        return self.goal.value(expected, cost, self.budget)

    def _tell_if_anew(self, trial: Trial, job: Job, run: Run) -> None:
        """Where there is no checkpoint at all, the search has said so for all trials at once."""
        if run.n_done or job.checkpoint is None or not job.checkpoint.exists() or not reported(trial):
            return
        elsewhere = job.checkpoint_made_with not in (None, run.made_with)
        why = "was made in another environment" if elsewhere else "is damaged"
        self.observer(Told(f"Trial {trial.number} begins again: its checkpoint {why}."))

    def _expected(self, trial: Trial, job: Job, cost: Cost, accuracy: float, goes_on: bool) -> tuple[float, str]:
        """The accuracy that a candidate is worth, and what is to be said of it.

        Where the smallest network is wanted and this one has the target, it is trained once more, with another seed:
        one lucky training must not set the bar for all that follow. Then it is the mean of both. What there is of that
        training counts (`goes_on`) only if nothing of the first was trained now: else it is of another time, and
        perhaps of another environment.
        """
        if self.goal.minimize is None or not self.goal.reached(accuracy):
            return accuracy, self._why_stopped(trial)
        second = TrialAttributes(trial).second_accuracy if goes_on else None
        if second is None:
            second = self._second_accuracy(trial, job, cost, goes_on)
        mean = (accuracy + second) / 2
        return (
            mean,
            f"{per_cent(second)} with a second seed, {'' if self.goal.reached(mean) else 'not '}enough on average",
        )

    def _second_accuracy(self, trial: Trial, job: Job, cost: Cost, goes_on: bool) -> float:
        """Of the same candidate with another seed, from that training's own checkpoint."""
        attributes, checkpoint = TrialAttributes(trial), None
        if job.checkpoint is not None:
            checkpoint = second_checkpoint_path(job.checkpoint)
            if not goes_on:
                checkpoint.unlink(missing_ok=True)
        self.observer(Started(trial.number, job.candidate, cost))
        seed, second = job.seed + SECOND_SEED, 0.0
        again = replace(job, seed=seed, checkpoint=checkpoint, checkpoint_made_with=attributes.made_with)
        with self.executor.run(again) as run:
            for result in run:
                second = result.validation_accuracy
                self.observer(EpochDone(trial.number, result))
        attributes.second_accuracy = second
        write_down(trial.study)
        if checkpoint is not None:
            checkpoint.unlink(missing_ok=True)
        return second

    def _follow(self, trial: Trial, run: Run, was_interrupted: bool) -> float:
        """Reports each epoch, up to the one that is good enough; ends the trial where the pruner, or a number that is
        none, says so.

        What was reported before is not again, unless the training had to begin anew and came to something else; but
        where that was interrupted nobody knows whether the pruner had its say on the last of it.
        """
        accuracy, before, made_with = 0.0, dict(reported(trial)), run.made_with
        for result in run:
            accuracy = result.validation_accuracy
            if run.made_with is not made_with:  # its worker was lost, and it began anew
                before, made_with = dict(reported(trial)), run.made_with
                TrialAttributes(trial).made_with = made_with
            if not math.isfinite(result.train_loss + result.validation_loss + accuracy):
                self._end(trial, "pruned", f"loss was not finite in epoch {result.epoch}", accuracy)
                raise optuna.TrialPruned("loss was not finite")
            if result.epoch not in before:
                trial.report(accuracy, result.epoch)
            elif accuracy != before[result.epoch]:
                correct_report(trial, result.epoch, accuracy)
            if result.epoch > min(run.n_done, len(before)):
                self.observer(EpochDone(trial.number, result))
            if result.epoch < len(before) or (result.epoch == len(before) and not was_interrupted):
                continue
            if self._is_enough(trial, result):
                break
            if result.epoch < self.task.epochs and trial.should_prune():
                self._stop(trial, result.epoch, accuracy)
        return accuracy

    def _is_enough(self, trial: Trial, result: EpochResult) -> bool:
        """Whether the training may end here: where whole numbers count, with a figure of theirs."""
        attributes = TrialAttributes(trial)
        if result.float_accuracy is not None:
            attributes.float_accuracy = result.float_accuracy
        elif attributes.candidate is not None and attributes.candidate.recipe.quantised:
            return False
        return self.stop_at is not None and result.validation_accuracy >= self.stop_at

    def _why_stopped(self, trial: Trial) -> str:
        n_epochs = len(reported(trial))
        return f"the target after epoch {n_epochs} of {self.task.epochs}" if n_epochs < self.task.epochs else ""

    def _stop(self, trial: Trial, epoch: int, accuracy: float) -> None:
        """Raises `Paused` or `TrialPruned`."""
        if self.pausing:
            end_stretch(trial)
            self._end(trial, "paused", accuracy=accuracy)
            raise Paused
        self._end(trial, "pruned", f"stopped by the pruner after epoch {epoch}", accuracy)
        raise optuna.TrialPruned

    def _job(self, trial: Trial, candidate: Candidate, goes_on: bool = False) -> Job:
        """Seeds derive from the study's seed and the trial's number."""
        attributes, checkpoint = TrialAttributes(trial), self.checkpoint(trial.number)
        seed = self.seed * 1_000_003 + trial.number if attributes.seed is None else attributes.seed
        if checkpoint is not None:
            checkpoint.parent.mkdir(parents=True, exist_ok=True)
            if not goes_on:
                checkpoint.unlink(missing_ok=True)  # left by another study of this name, whose database was removed
        return Job(
            *(candidate, seed, self.device, self.precision, checkpoint, attributes.made_with),
            teacher=self.teacher,
            quantiser=whole_numbers_for(candidate.recipe),
        )

    def _forget(self, candidate: Candidate) -> None:
        with self._lock:
            self._trained.pop(candidate.digest, None)

    def _end(self, trial: Trial, outcome: Outcome, reason: str = "", accuracy: float | None = None) -> None:
        attributes = TrialAttributes(trial)
        attributes.outcome = outcome
        if reason or attributes.reason:  # of an earlier interruption
            attributes.reason = reason
        if outcome == "paused":  # no change of its state, with which it would be written
            write_down(trial.study, waits=False)
        self.observer(Ended(trial.number, outcome, reason, accuracy))


def _ignore(event: Event) -> None:
    """Nobody watches."""


def _training_has_begun(trial: Trial) -> bool:
    """Whether its training had begun, so that it can go on."""
    attributes = TrialAttributes(trial)
    return attributes.seed is not None and attributes.has_candidate and attributes.cost is not None
