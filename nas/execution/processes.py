"""Worker processes on this machine, each with its own few threads; the data lies in shared memory, once."""

import os
import signal
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread

import torch

from nas.errors import StudyError, WorkerDied, WorkerError, first_cause
from nas.execution.job import Began, Cancelled, Job, Message, Run
from nas.training.run import TrainingData

# glibc otherwise gives large buffers back to the kernel after every operation, and page faults then cost a tenth to a
# quarter of each training step. Read when a process starts, so workers get it from their parent's environment.
ALLOCATOR = "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=4294967296"
POLL_SECONDS = 0.2
MOST_DEATHS, MOST_STARTS = 3, 10  # of workers in the same epoch of a training; before one of them came to train
_STARTING = Lock()  # the environment is that of the whole process, so that workers are started one at a time


class ProcessExecutor:
    """`n_workers` processes that live as long as the executor; a run takes one that is free, or waits for one.

    `data` must have its tensors in CPU memory; they are moved to shared memory. Workers end with the process that made
    them, however it ends. Where a worker ends in the middle of a training, another one goes on with it from its
    checkpoint, if it has one, and at most the epoch in progress is lost; nobody hears of it. Only a training in which
    `MOST_DEATHS` workers ended in the same epoch fails, or for which `MOST_STARTS` could not even begin.
    """

    def __init__(self, data: TrainingData, n_workers: int, n_threads: int) -> None:
        self._data, self._n_threads = data, n_threads
        self._cancelled = False  # a plain attribute: an Event takes a lock, which a signal handler must not
        self._lock = Lock()
        self._workers: list[_Worker] = []
        self._free: SimpleQueue[_Worker | None] = SimpleQueue()
        for _ in range(n_workers):
            self._free.put(None)  # started when first needed

    def run(self, job: Job) -> Run:
        """The epochs of a job, trained in a worker."""
        return Run(self._messages(job))

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
                            if began is None:
                                began = message
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
        worker, keep = self._free.get(), None
        try:
            if worker is None:
                worker = self._start()
            worker.send(job)
            while (message := self._receive(worker)) is not None:
                try:
                    yield message
                except GeneratorExit:
                    with suppress(WorkerDied):  # it has stopped, too
                        worker.send("stop")
                        keep = worker
                    raise
                worker.send("go on")
            keep = worker
        finally:
            if keep is None and worker is not None:
                self._discard(worker)
            self._free.put(keep)

    def cancel(self) -> None:
        """Ends all runs and workers at once; at most the epoch that each was in is lost."""
        self._cancelled = True

    def close(self) -> None:
        """Ends the workers."""
        self._cancelled = True
        for worker in list(self._workers):
            self._discard(worker)

    def _start(self) -> "_Worker":
        worker = _Worker(self._data, self._n_threads)
        with self._lock:
            self._workers.append(worker)
        return worker

    def _discard(self, worker: "_Worker") -> None:
        worker.end()
        with self._lock, suppress(ValueError):
            self._workers.remove(worker)

    def _receive(self, worker: "_Worker") -> Message | None:
        while True:
            if self._cancelled:  # also where a worker has news again and again
                raise Cancelled
            if worker.has_news(POLL_SECONDS):
                break
        try:
            message = worker.receive()
        except WorkerDied:
            if self._cancelled:  # it was ended
                raise Cancelled from None
            raise
        if isinstance(message, Exception):
            raise message
        return message


class _Worker:
    """The controlling side of one process."""

    def __init__(self, data: TrainingData, n_threads: int) -> None:
        context = get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(target=_work, args=(theirs, data, n_threads), daemon=True)
        self._out_of_memory_before = _times_out_of_memory()
        try:
            with _STARTING, _allocator_settings(), _ctrl_c_held_back():
                self._process.start()
        except BrokenPipeError:  # it was killed before it had read what it is to do
            raise WorkerDied("a worker process ended while it was starting") from None
        finally:
            theirs.close()

    def has_news(self, seconds: float) -> bool:
        return self._connection.poll(seconds)

    def send(self, message: object) -> None:
        try:
            self._connection.send(message)
        except OSError:
            raise self._died() from None

    def receive(self) -> Message | Exception | None:
        try:
            message: Message | Exception | None = self._connection.recv()
            return message
        except (EOFError, OSError):
            raise self._died() from None

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self._connection.close()

    def _died(self) -> WorkerDied:
        self._process.join(1)
        code = self._process.exitcode
        cause = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        if code == -signal.SIGKILL and _times_out_of_memory() > self._out_of_memory_before:
            cause += ", the system was out of memory"
        return WorkerDied(f"the worker process {self._process.pid} ended in the middle of a training ({cause})")


def _times_out_of_memory() -> int:
    """How often the kernel has ended a process for want of memory since it started; 0 where it does not tell."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


@contextmanager
def _allocator_settings() -> Iterator[None]:
    """The allocator's settings in the environment that a new process gets, unless the user has set their own."""
    if "GLIBC_TUNABLES" in os.environ:
        yield
        return
    os.environ["GLIBC_TUNABLES"] = ALLOCATOR
    try:
        yield
    finally:
        os.environ.pop("GLIBC_TUNABLES", None)


@contextmanager
def _ctrl_c_held_back() -> Iterator[None]:
    """Has a process that is made meanwhile not hear of Ctrl-C: until it can ignore it, it has torch to load."""
    if not hasattr(signal, "pthread_sigmask"):  # as on Windows
        yield
        return
    resource_tracker.ensure_running()  # else it is started meanwhile, and lets Ctrl-C through
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(connection: Connection, data: TrainingData, n_threads: int) -> None:
    """A worker's life: takes jobs, sends epochs, asks after each whether to go on."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the controller decides
    Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(n_threads)
    placed: dict[str, TrainingData] = {}  # the data on each device that a job has asked for
    with suppress(EOFError, OSError):  # the controller is gone
        while True:
            with closing(_news(connection.recv(), data, placed)) as news:
                for message in news:
                    connection.send(message)
                    if isinstance(message, Message) and connection.recv() == "stop":
                        break


def _news(
    job: Job, data: TrainingData, placed: dict[str, TrainingData]
) -> Generator[Message | WorkerError | StudyError | None, None, None]:
    """A job's epochs and then None, or what went wrong: a full disk must not be taken for a controller that is gone."""
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


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
