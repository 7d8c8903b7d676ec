"""Worker processes on this machine, each with its own few threads; the data lies in shared memory, once."""

import os
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread

import torch

from nas.errors import WorkerDied
from nas.execution.job import Message
from nas.execution.workers import ALLOCATOR, ALLOCATOR_VARIABLE, WorkersExecutor, news_of
from nas.training.run import TrainingData

VMSTAT = Path("/proc/vmstat")  # where Linux counts what it has done for want of memory
_STARTING = Lock()  # the environment is that of the whole process, so that workers are started one at a time


class ProcessExecutor(WorkersExecutor["_Process"]):
    """`n_workers` processes that live as long as the executor; a run takes one that is free, or waits for one.

    `data` must have its tensors in CPU memory; they are moved to shared memory. Workers end with the process that made
    them, however it ends.
    """

    def __init__(self, data: TrainingData, n_workers: int, n_threads: int) -> None:
        super().__init__()
        self._n_workers, self._data, self._n_threads = n_workers, data, n_threads
        self._lock = Lock()
        self._workers: list[_Process] = []
        self._free: SimpleQueue[_Process | None] = SimpleQueue()
        for _ in range(n_workers):
            self._free.put(None)  # started when first needed

    @property
    def n_places(self) -> int:
        """As many as were asked for."""
        return self._n_workers

    def _take(self) -> "_Process":
        return self._free.get() or self._start()

    def _give_back(self, worker: "_Process") -> None:
        self._free.put(worker)

    def close(self) -> None:
        """Ends the workers."""
        self._cancelled = True
        for worker in list(self._workers):
            self._end(worker)

    def _start(self) -> "_Process":
        try:
            worker = _Process(self._data, self._n_threads)
        except BaseException:
            self._free.put(None)
            raise
        with self._lock:
            self._workers.append(worker)
        return worker

    def _discard(self, worker: "_Process") -> None:
        self._end(worker)
        self._free.put(None)

    def _end(self, worker: "_Process") -> None:
        worker.end()
        with self._lock, suppress(ValueError):
            self._workers.remove(worker)


class _Process:
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
        lines = VMSTAT.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


@contextmanager
def _allocator_settings() -> Iterator[None]:
    """The allocator's settings in the environment that a new process gets, unless the user has set their own."""
    if ALLOCATOR_VARIABLE in os.environ:
        yield
        return
    os.environ[ALLOCATOR_VARIABLE] = ALLOCATOR
    try:
        yield
    finally:
        os.environ.pop(ALLOCATOR_VARIABLE, None)


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
            with closing(news_of(connection.recv(), data, placed)) as news:
                for message in news:
                    connection.send(message)
                    if isinstance(message, Message) and connection.recv() == "stop":
                        break


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
