"""Workers that live longer than a training and may die before it is over: what all executors of that sort share."""

from abc import ABC, abstractmethod
from collections.abc import Generator
from contextlib import closing, suppress
from dataclasses import replace
from typing import Generic, Protocol, TypeVar

from nas.errors import StudyError, WorkerDied, WorkerError, first_cause
from nas.execution.job import Began, Cancelled, Job, Message, Run
from nas.training.run import TrainingData

# glibc otherwise gives large buffers back to the kernel after every operation, and page faults then cost a tenth to a
# quarter of each training step. Read when a process starts, so workers must get it with their environment.
ALLOCATOR_VARIABLE = "GLIBC_TUNABLES"
ALLOCATOR = "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=4294967296"
POLL_SECONDS = 0.2
MOST_DEATHS, MOST_STARTS = 3, 10  # of workers in the same epoch of a training; before one of them came to train


class Worker(Protocol):
    """The controlling side of one worker. What it is asked of one that has died raises `WorkerDied`."""

    def send(self, message: object) -> None:
        """A job to begin with, or after an epoch "go on" or "stop"."""
        ...

    def has_news(self, seconds: float) -> bool:
        """Whether it has sent something, within so many seconds."""
        ...

    def receive(self) -> Message | Exception | None:
        """What it has sent: None behind the last epoch of a job."""
        ...


W = TypeVar("W", bound=Worker)


class WorkersExecutor(ABC, Generic[W]):
    """A run takes a worker that is free, or waits for one.

    Where a worker ends in the middle of a training, another one goes on with it from its checkpoint, if it has one, and
    at most the epoch in progress is lost; nobody hears of it, unless that one's machine would give other digits, where
    the training begins anew and so does its run. Only a training in which `MOST_DEATHS` workers ended in
    the same epoch fails, or for which `MOST_STARTS` could not even begin.
    """

    def __init__(self) -> None:
        self._cancelled = False  # a plain attribute: an Event takes a lock, which a signal handler must not
        self._lost = ""  # why all workers are gone for good, where they are

    @property
    @abstractmethod
    def n_places(self) -> int:
        """Workers that there may be at a time."""

    @abstractmethod
    def _take(self) -> W:
        """A worker that is free; waits for one. Raises `WorkerDied` if it ended before it could begin."""

    @abstractmethod
    def _give_back(self, worker: W) -> None:
        """For the next job."""

    @abstractmethod
    def _discard(self, worker: W) -> None:
        """Ends a worker: it has failed, or what it does is not wanted any more."""

    def run(self, job: Job) -> Run:
        """The epochs of a job, trained in a worker."""
        return Run(self._messages(job))

    def cancel(self) -> None:
        """Ends all runs and workers at once; at most the epoch that each was in is lost."""
        self._cancelled = True

    @property
    def _cancelling(self) -> Cancelled:
        return Cancelled(self._lost) if self._lost else Cancelled()

    def _messages(self, job: Job) -> Generator[Message, None, None]:
        """What is heard of a job, once, from as many workers as it takes."""
        began: Began | None = None
        n_epochs = n_deaths = n_starts = 0  # how far it has come, and how many died behind that, or before they began
        while True:
            has_begun = False
            try:
                with closing(self._messages_of_one_worker(job)) as messages:
                    for message in messages:
                        if isinstance(message, Began):
                            has_begun, n_starts = True, 0
                            if began is None or message.made_with != began.made_with:
                                began, n_epochs = message, 0  # on another sort of machine all begins anew
                                yield message
                        elif message.epoch > n_epochs:
                            n_epochs, n_deaths = message.epoch, 0
                            yield message
                return
            except WorkerDied as death:
                n_deaths, n_starts = n_deaths + has_begun, n_starts + (not has_begun)
                if n_deaths == MOST_DEATHS or n_starts == MOST_STARTS:
                    n = max(n_deaths, n_starts) - 1
                    raise WorkerError(f"{death}, and so did {n} before it in epoch {n_epochs + 1}") from None
                if began is not None:  # the next one must compute as this one did
                    job = replace(job, checkpoint_made_with=began.made_with)

    def _messages_of_one_worker(self, job: Job) -> Generator[Message, None, None]:
        worker, keep = self._take(), False
        try:
            worker.send(job)
            while (message := self._receive(worker)) is not None:
                try:
                    yield message
                except GeneratorExit:
                    with suppress(WorkerDied):  # it has stopped, too
                        worker.send("stop")
                        keep = True
                    raise
                worker.send("go on")
            keep = True
        finally:
            if keep:
                self._give_back(worker)
            else:
                self._discard(worker)

    def _receive(self, worker: W) -> Message | None:
        while True:
            if self._cancelled:  # also where a worker has news again and again
                raise self._cancelling
            if worker.has_news(POLL_SECONDS):
                break
        try:
            message = worker.receive()
        except WorkerDied:
            if self._cancelled:  # it was ended
                raise self._cancelling from None
            raise
        if isinstance(message, Exception):
            raise message
        return message


def news_of(
    job: Job, data: TrainingData, placed: dict[str, TrainingData]
) -> Generator[Message | WorkerError | StudyError | None, None, None]:
    """In a worker: a job's messages and then None, or what went wrong: a full disk is no controller that is gone.

    `placed` holds the data on each device that a job has asked for.
    """
    try:
        if job.device not in placed:
            placed[job.device] = data.to(job.device)
        yield from job.messages(placed[job.device])
    except StudyError as error:
        yield error
    except Exception as error:
        yield WorkerError(first_cause(error))
    else:
        yield None
