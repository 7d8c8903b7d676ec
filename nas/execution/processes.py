"""Worker processes on this machine, each with its own few threads; the data lies in shared memory, once."""

import os
import signal
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from queue import SimpleQueue
from threading import Lock, Thread

import torch

from nas.errors import WorkerError
from nas.execution.job import Cancelled, Job, Message, Run
from nas.training.run import TrainingData

# glibc otherwise gives large buffers back to the kernel after every operation, and page faults then cost a tenth to a
# quarter of each training step. Read when a process starts, so workers get it from their parent's environment.
ALLOCATOR = "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=4294967296"
POLL_SECONDS = 0.2
_STARTING = Lock()  # the environment is that of the whole process, so that workers are started one at a time


class ProcessExecutor:
    """`n_workers` processes that live as long as the executor; a run takes one that is free, or waits for one.

    `data` must have its tensors in CPU memory; they are moved to shared memory. Workers end with the process that made
    them, however it ends.
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
        worker = self._free.get() or self._start()
        keep: _Worker | None = None
        try:
            worker.send(job)
            while (message := self._receive(worker)) is not None:
                try:
                    yield message
                except GeneratorExit:
                    worker.send("stop")
                    keep = worker
                    raise
                worker.send("go on")
            keep = worker
        finally:
            if keep is None:
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
        message = worker.receive()
        if isinstance(message, Exception):
            raise message
        return message


class _Worker:
    """The controlling side of one process."""

    def __init__(self, data: TrainingData, n_threads: int) -> None:
        context = get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(target=_work, args=(theirs, data, n_threads), daemon=True)
        with _STARTING, _allocator_settings():
            self._process.start()
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

    def _died(self) -> WorkerError:
        self._process.join(1)
        code = self._process.exitcode
        cause = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        return WorkerError(f"the worker process {self._process.pid} ended in the middle of a training ({cause})")


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
) -> Generator[Message | WorkerError | None, None, None]:
    """A job's epochs and then None, or what went wrong: a full disk must not be taken for a controller that is gone."""
    try:
        if job.device not in placed:
            placed[job.device] = data.to(job.device)
        yield from job.messages(placed[job.device])
    except Exception as error:
        yield WorkerError(f"{type(error).__name__}: {error}")
    else:
        yield None


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
