"""How many workers one controlling process keeps busy.

    python benchmarks/scale.py [--workers 10 100 1000] [--earlier 0 1000 5000 50000] [--seconds 30] [--warm-up 3]
        [--measured 60] [--searches "learned, pausing" ...] [--table TABLE.jsonl]

The search is the real one: its loop, objective, database (an SQLite file), sampler and pruner. Only the workers do not
train: each waits as long as an epoch of a recorded training took, and tells that training's accuracies. Which one a
candidate gets is chance, by its digest. Durations keep their proportions and are scaled so that a candidate takes
`--seconds` of a worker on average: as many epochs as its pruner lets it train, as far as that is known beforehand.
A study begins with `--earlier` trials, as a search that was interrupted leaves them: at each rung the best third went
on, the others are paused. "optuna ..." is Optuna alone: `study.optimize(n_jobs=workers)` on its
own database, with the same trials, replayed just so. "ray tune, halving" is Ray Tune's Optuna searcher (`ray_tune.py`;
no earlier trials), which is named only where it is asked for.

Printed are, over `--measured` seconds behind a warm-up of so many trainings (the first ones all begin at once):
candidates whose training began and epochs that were reported, a second; what share of the workers' time was in an
epoch; seconds of a core that the controlling process took for a candidate (the figure that depends least on what else
the machine does), and how much of one it had; its memory at the most; and the seconds until the first training began.
"""

import argparse
import json
import multiprocessing
import os
import platform
import resource
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any

import optuna
import sqlalchemy
import torch
from optuna.distributions import distribution_to_json
from optuna.storages import RDBStorage
from optuna.storages._rdb import models
from optuna.trial import TrialState
from simulated.world import Table

from nas import shipped
from nas.datasets.splitting import Split
from nas.execution.job import Began, Cancelled, Job, Message, Run
from nas.network.cost import Budget, cost_of
from nas.searching.events import Event, Started
from nas.searching.loop import Loop
from nas.searching.objective import Objective
from nas.searching.options import SearchOptions
from nas.searching.referee import Referee
from nas.searching.starting import experience_for
from nas.space import finding as spaces
from nas.space.candidate import Task
from nas.space.probing import axes_of, random_candidates
from nas.study.mirror import mirrored
from nas.study.opening import continue_interrupted, open_study
from nas.study.pausing import PausingPruner
from nas.study.storage import open_storage
from nas.study.terms import Terms
from nas.training.run import EpochResult

STUDY, SPACE, BUDGET, SHAPE, N_CLASSES = "scale", "budget_fill", 20_000, (1, 28, 28), 10
N_DRAWN = 2_000  # candidates that the earlier trials are made of; further ones have the same networks
MADE_WITH = {"nas": "replayed", "python": platform.python_version(), "device": "cpu", "precision": "float32"}


@dataclass(frozen=True)
class Plan:
    """One measurement."""

    n_workers: int
    n_earlier: int
    seconds: float  # that a candidate takes a worker, on average
    warm_up: float  # trainings
    measured: float  # seconds
    search: str  # "SAMPLER, PRUNER", behind "optuna " where that is alone
    table: Path

    @property
    def sampler(self) -> str:
        return self.search.removeprefix("optuna ").split(", ")[0]

    @property
    def pruner(self) -> str:
        return self.search.split(", ")[1]


@dataclass
class Figures:
    """What came of it; see above."""

    candidates: float
    epochs: float
    busy: float
    seconds_of_core: float
    cores: float
    mebibytes: float
    start: float

    @property
    def row(self) -> str:
        return (
            f"{self.candidates:6.1f} candidates/s  {self.epochs:6.1f} epochs/s  busy {self.busy:6.1%}  "
            f"{1000 * self.seconds_of_core:7.1f} ms of a core a candidate  {self.cores:4.0%} of a core  "
            f"{self.mebibytes:6,.0f} MiB  began after {self.start:5.1f} s"
        )


# Workers that replay --------------------------------------------------------------------------------------------------


class Recorded:
    """Recorded trainings: accuracies `(epochs,)`, and the seconds of an epoch, scaled."""

    def __init__(self, table: Table, plan: Plan) -> None:
        self.n_epochs, self._accuracies = table.n_epochs, table.accuracies
        self._seconds = table.seconds / table.seconds.mean() * plan.seconds / mean_epochs(plan.pruner, table.n_epochs)

    def of(self, digest: str) -> tuple[Sequence[float], float]:
        """The training that a candidate gets, by its digest."""
        place = int(digest, 16) % len(self._seconds)
        return self._accuracies[place].tolist(), float(self._seconds[place])

    def bars(self, rungs: Sequence[int]) -> dict[int, float]:
        """The accuracy at each rung of the last one of the best third of those that come to it."""
        there, bars = list(range(len(self._seconds))), dict[int, float]()
        for rung in rungs:
            there = sorted(there, key=lambda place: -self._accuracies[place, rung - 1])[: max(1, len(there) // 3)]
            bars[rung] = float(self._accuracies[there[-1], rung - 1])
        return bars


def mean_epochs(pruner: str, n_epochs: int) -> float:
    """How many a candidate is trained for: at each rung of successive halving a third goes on."""
    if pruner == "none":
        return n_epochs
    ends = [*PausingPruner(n_epochs).rungs, n_epochs]
    return sum((end - begin) / 3**i for i, (begin, end) in enumerate(zip([0, *ends], ends, strict=False)))


@dataclass
class Watch:
    """Notes when which candidate began, and when epochs were under way."""

    began: list[tuple[float, int]] = field(default_factory=list)
    epochs: list[tuple[float, float]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def hear(self, event: Event) -> None:
        if isinstance(event, Started):
            self.began.append((time.monotonic(), event.trial))

    def train(self, seconds: float) -> None:
        """Waits for as long as an epoch takes; raises `Cancelled` once all is over."""
        begin = time.monotonic()
        is_over = self.over.wait(seconds)
        self.epochs.append((begin, time.monotonic()))
        if is_over:
            raise Cancelled


class ReplayingExecutor:
    """As many workers as ask for one. `reached`: by a training's seed, the epochs that its checkpoint has."""

    n_places = 1_000_000

    def __init__(self, recorded: Recorded, watch: Watch, reached: dict[int, int]) -> None:
        self._recorded, self._watch, self._reached = recorded, watch, reached

    def run(self, job: Job) -> Run:
        return Run(self._messages(job))

    def cancel(self) -> None:
        self._watch.over.set()

    def close(self) -> None:
        self.cancel()

    def _messages(self, job: Job) -> Generator[Message, None, None]:
        accuracies, seconds = self._recorded.of(job.candidate.digest)
        yield Began(MADE_WITH)
        for epoch, accuracy in enumerate(accuracies, 1):
            if epoch > self._reached.get(job.seed, 0):
                self._watch.train(seconds)
                self._reached[job.seed] = epoch
            yield EpochResult(epoch, 0.1, accuracy, 0.1, accuracy, seconds)


# A study with earlier trials ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Earlier:
    """What a database was filled with: by a training's seed, which is its trial's number, the epochs that it has."""

    file: Path
    reached: dict[int, int]


def fill(file: Path, plan: Plan, recorded: Recorded, paused: TrialState) -> Earlier:
    """A study whose trials came as far as successive halving lets them; `paused` is the state of those that wait."""
    task, space = Task(SHAPE, N_CLASSES, recorded.n_epochs, Budget(BUDGET)), spaces.load(SPACE)
    storage = open_storage(f"sqlite:///{file}")
    study = open_study(storage, STUDY, terms_of(recorded.n_epochs), "random", "none", 0)
    drawn = list(islice(random_candidates(space, task), min(N_DRAWN, plan.n_earlier)))
    distributions = {name: distribution_to_json(each) for name, each in axes_of(space, task).items()}
    random, reached, rows, now = Random(0), dict[int, int](), Rows(study._study_id), datetime.now(UTC)
    rungs = [*(PausingPruner(recorded.n_epochs).rungs if plan.pruner != "none" else []), recorded.n_epochs]
    bars = recorded.bars(rungs[:-1])
    for number in range(plan.n_earlier):
        candidate, params = drawn[number % len(drawn)]
        digest = f"{random.getrandbits(64):016x}"
        accuracies, _ = recorded.of(candidate.digest)
        n_epochs = next((rung for rung in rungs[:-1] if accuracies[rung - 1] < bars[rung]), rungs[-1])
        reached[number], accuracies = n_epochs, accuracies[:n_epochs]
        finished = n_epochs == recorded.n_epochs
        begun = now - timedelta(seconds=plan.n_earlier - number)
        attributes = {
            **cost_of(candidate.architecture),
            "digest": digest,
            "architecture": candidate.architecture.to_dict(),
            "recipe": candidate.recipe.to_dict(),
            "network": str(candidate.architecture),
            "training": str(candidate.recipe),
            "seed": number,
            "made_with": MADE_WITH,
            "outcome": "finished" if finished else "paused" if paused == TrialState.RUNNING else "pruned",
        }
        moved = {name: each * (1 - 1e-9 * number) if name == "dropout" else each for name, each in params.items()}
        rows.add(number, TrialState.COMPLETE if finished else paused, begun, moved, distributions, attributes)
        rows.report(accuracies, finished)
    rows.insert(storage)
    storage.engine.dispose()
    return Earlier(file, reached)


class Rows:
    """Of Optuna's tables, inserted all at once: by its methods fifty thousand trials would take an hour."""

    def __init__(self, study_id: int) -> None:
        self._study_id, self._n = study_id, 0
        self._of: dict[Any, list[dict[str, Any]]] = {
            model: []
            for model in (
                models.TrialModel,
                models.TrialParamModel,
                models.TrialUserAttributeModel,
                models.TrialSystemAttributeModel,
                models.TrialIntermediateValueModel,
                models.TrialValueModel,
            )
        }

    def add(
        self,
        number: int,
        state: TrialState,
        begun: datetime,
        params: dict[str, Any],
        distributions: dict[str, str],
        attributes: dict[str, Any],
    ) -> None:
        self._n = number + 1
        complete = None if state == TrialState.RUNNING else begun + timedelta(seconds=30)
        times = {"datetime_start": begun.replace(tzinfo=None), "datetime_complete": complete}
        self._of[models.TrialModel].append(
            {"trial_id": self._n, "number": number, "study_id": self._study_id, "state": state, **times}
        )
        for name, value in params.items():
            distribution = optuna.distributions.json_to_distribution(distributions[name])
            internal = distribution.to_internal_repr(value)
            row = {"param_name": name, "param_value": internal, "distribution_json": distributions[name]}
            self._of[models.TrialParamModel].append({"trial_id": self._n, **row})
        for key, value in attributes.items():
            row = {"trial_id": self._n, "key": key, "value_json": json.dumps(value)}
            self._of[models.TrialUserAttributeModel].append(row)
        constraint = {"trial_id": self._n, "key": "constraints:params", "value_json": "-0.1"}
        self._of[models.TrialSystemAttributeModel].append(constraint)

    def report(self, accuracies: Sequence[float], finished: bool) -> None:
        for step, value in enumerate(accuracies, 1):
            row = {"trial_id": self._n, "step": step, "intermediate_value": value, "intermediate_value_type": "FINITE"}
            self._of[models.TrialIntermediateValueModel].append(row)
        if finished:
            row = {"trial_id": self._n, "objective": 0, "value": accuracies[-1], "value_type": "FINITE"}
            self._of[models.TrialValueModel].append(row)

    def insert(self, storage: RDBStorage) -> None:
        with storage.engine.begin() as connection:
            for model, rows in self._of.items():
                if rows:
                    connection.execute(sqlalchemy.insert(model.__table__), rows)


def terms_of(n_epochs: int) -> Terms:
    space = spaces.load(SPACE)
    return Terms(SPACE, space.digest, "replayed", "", 60, 20, 0, n_epochs, Budget(BUDGET).limits)


# Measurements, each in a process of its own ---------------------------------------------------------------------------


def measured(plan: Plan, earlier: Earlier | None) -> Figures:
    """What one search in a new process comes to, on a copy of the study."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    with tempfile.TemporaryDirectory() as folder:
        copy = None if earlier is None else Earlier(Path(folder) / "nas.db", earlier.reached)
        if earlier is not None and copy is not None:
            shutil.copy(earlier.file, copy.file)
        process = context.Process(target=_measure, args=(theirs, plan, copy or Earlier(Path(folder) / "nas.db", {})))
        process.start()
        theirs.close()
        try:
            figures: Figures = ours.recv()
        finally:
            process.join()
    return figures


def _measure(connection: Connection, plan: Plan, earlier: Earlier) -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    threading.stack_size(512 * 1024)
    watch, recorded = Watch(), Recorded(Table.read(plan.table), plan)
    begin, figures = time.monotonic(), list[Figures]()
    taking = threading.Thread(target=lambda: figures.append(_taken(plan, watch, begin)))
    taking.start()
    play = OTHERS.get(plan.search.split()[0], _play_nas)
    with ExitStack() as stack:
        play(stack, plan, earlier, recorded, watch)
    taking.join()
    connection.send(figures[0])
    connection.close()
    os._exit(0)  # threads of Optuna that wait for the database have nothing to say any more


def _taken(plan: Plan, watch: Watch, begin: float) -> Figures:
    """Waits for the warm-up, measures, and ends the search."""
    while not watch.epochs and not watch.began:
        time.sleep(0.05)
    start = time.monotonic() - begin
    time.sleep(plan.warm_up * plan.seconds)
    since, core_since = time.monotonic(), time.process_time()
    time.sleep(plan.measured)
    until, core = time.monotonic(), time.process_time() - core_since
    watch.over.set()
    time.sleep(1)  # what was under way has been noted then
    took = until - since
    n = len({trial for moment, trial in watch.began if since <= moment < until})
    ended = [(begin, end) for begin, end in list(watch.epochs) if end > since]
    busy = sum(max(0.0, min(end, until) - max(begin, since)) for begin, end in ended)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Figures(
        candidates=n / took,
        epochs=sum(end < until for _, end in ended) / took,
        busy=busy / took / plan.n_workers,
        seconds_of_core=core / max(1, n),
        cores=core / took,
        mebibytes=peak,
        start=start,
    )


def _play_nas(stack: ExitStack, plan: Plan, earlier: Earlier, recorded: Recorded, watch: Watch) -> None:
    """As `nas.search` does it, with workers that replay."""
    options = SearchOptions(
        BUDGET, epochs=recorded.n_epochs, sampler=plan.sampler, pruner=plan.pruner, workers=plan.n_workers
    )
    space, task = spaces.load(SPACE), Task(SHAPE, N_CLASSES, recorded.n_epochs, options.limits)
    storage, axes = open_storage(f"sqlite:///{earlier.file}"), axes_of(space, task)
    experience = experience_for(options.start_from, storage, axes)
    terms = terms_of(recorded.n_epochs)
    stored = open_study(storage, STUDY, terms, plan.sampler, plan.pruner, 0, axes, experience)
    study = stack.enter_context(mirrored(stored))
    continue_interrupted(study)
    executor = ReplayingExecutor(recorded, watch, dict(earlier.reached))
    objective = Objective(
        space,
        budget=options.limits,
        epochs=recorded.n_epochs,
        executor=executor,
        device="cpu",
        precision="float32",
        observer=watch.hear,
        split=_split(),
        pausing=isinstance(study.pruner, PausingPruner),
    )
    referee = Referee(options, study, executor)
    threading.Thread(target=lambda: (watch.over.wait(), referee.end("timeout")), daemon=True).start()
    Loop(study, objective, referee, lambda: plan.n_workers).run()


def _split() -> Split:
    """Of nothing: nobody trains."""
    images, labels = torch.zeros(1, *SHAPE, dtype=torch.uint8), torch.zeros(1, dtype=torch.int64)
    return Split(images, labels, images, labels, (0.1,), (0.3,), N_CLASSES, SHAPE)


OPTUNAS_SAMPLERS: dict[str, Callable[[], optuna.samplers.BaseSampler]] = {
    "tpe": lambda: optuna.samplers.TPESampler(seed=0),
    "random": lambda: optuna.samplers.RandomSampler(seed=0),
}
OPTUNAS_PRUNERS: dict[str, Callable[[], optuna.pruners.BasePruner]] = {
    "halving": lambda: optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=3),
    "median": optuna.pruners.MedianPruner,
    "none": optuna.pruners.NopPruner,
}


def _play_optuna(stack: ExitStack, plan: Plan, earlier: Earlier, recorded: Recorded, watch: Watch) -> None:
    """As people use Optuna: an objective that trains and reports, and a thread a worker."""
    distributions = axes_of(spaces.load(SPACE), Task(SHAPE, N_CLASSES, recorded.n_epochs, Budget(BUDGET)))
    # As many connections as threads: with the usual fifteen the others fail after half a minute.
    engine = {"pool_size": plan.n_workers, "pool_timeout": 600, "connect_args": {"timeout": 600}}
    study = optuna.create_study(
        storage=RDBStorage(f"sqlite:///{earlier.file}", engine_kwargs=engine),
        study_name=STUDY,
        direction="maximize",
        load_if_exists=True,
        sampler=OPTUNAS_SAMPLERS[plan.sampler](),
        pruner=OPTUNAS_PRUNERS[plan.pruner](),
    )

    def objective(trial: optuna.Trial) -> float:
        values = [trial._suggest(name, each) for name, each in distributions.items()]
        accuracies, seconds = recorded.of(f"{abs(hash(tuple(map(str, values)))):x}")
        watch.began.append((time.monotonic(), trial.number))
        for epoch, accuracy in enumerate(accuracies, 1):
            watch.train(seconds)
            trial.report(accuracy, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return accuracies[-1]

    def run() -> None:
        study.optimize(objective, n_jobs=plan.n_workers, catch=(Exception,))

    threading.Thread(target=run, daemon=True).start()
    watch.over.wait()


def _play_ray_tune(stack: ExitStack, plan: Plan, earlier: Earlier, recorded: Recorded, watch: Watch) -> None:
    """Ray Tune holds its trials in memory, in the controlling process, and trains each in an actor."""
    import ray_tune

    trials: dict[str, int] = {}
    replay = ray_tune.Replay(
        distributions=axes_of(spaces.load(SPACE), Task(SHAPE, N_CLASSES, recorded.n_epochs, Budget(BUDGET))),
        training=recorded.of,
        n_epochs=recorded.n_epochs,
        began=lambda trial: watch.began.append((time.monotonic(), trials.setdefault(trial, len(trials)))),
        trained=lambda begin, end: watch.epochs.append((begin, end)),
        is_over=watch.over.is_set,
    )
    ray_tune.play(replay, plan.n_workers, earlier.file.parent)


OTHERS = {"optuna": _play_optuna, "ray": _play_ray_tune}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--earlier", type=int, nargs="+", default=[0, 1_000, 5_000, 50_000], help="trials")
    parser.add_argument("--seconds", type=float, default=30.0, help="of a worker, for a candidate, on average")
    parser.add_argument("--warm-up", type=float, default=3.0, help="trainings before what is measured")
    parser.add_argument("--measured", type=float, default=60.0, help="seconds")
    parser.add_argument("--searches", nargs="+", default=["learned, pausing", "random, pausing", "optuna tpe, halving"])
    parser.add_argument("--table", type=Path, default=shipped.studies() / "tables" / "mnist-20000.jsonl")
    parser.add_argument("--json", type=Path, help="a file to which each measurement is added as a line")
    arguments = parser.parse_args()
    if any(search.startswith("ray ") for search in arguments.searches) and any(arguments.earlier):
        parser.error("a study of Ray Tune has no earlier trials here: give --earlier 0")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    print(f"{os.cpu_count()} cores, {platform.machine()}, optuna {optuna.__version__}", flush=True)
    table = Table.read(arguments.table)
    for n_earlier in arguments.earlier:
        for search in arguments.searches:
            for n_workers in arguments.workers:
                plan = Plan(
                    n_workers,
                    n_earlier,
                    arguments.seconds,
                    arguments.warm_up,
                    arguments.measured,
                    search,
                    arguments.table,
                )
                with tempfile.TemporaryDirectory() as folder:
                    paused = TrialState.PRUNED if search.startswith("optuna ") else TrialState.RUNNING
                    earlier = fill(Path(folder) / "nas.db", plan, Recorded(table, plan), paused) if n_earlier else None
                    figures = measured(plan, earlier)
                print(f"{search:20} {n_workers:5,} workers, {n_earlier:6,} trials: {figures.row}", flush=True)
                if arguments.json is not None:
                    line = {**asdict(plan), "table": arguments.table.name, **asdict(figures)}
                    with arguments.json.open("a") as file:
                        file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
