"""Workers on the nodes of a Ray cluster, or on one that is started here: actors, which need no file system in common.

Of Ray only its core is used: actors, the object store, and placement by resources. The data go once to each node. With
each epoch an actor sends its checkpoint back, so that whoever trains on, wherever that is, gets it with the job.
"""

import os
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import ray
import torch
from ray.exceptions import OutOfMemoryError, RayError, RayTaskError

from nas.errors import StudyError, WorkerDied, WorkerError, first_cause
from nas.execution.job import Job, Message
from nas.execution.placement import Placement
from nas.execution.ray_cluster import Room, Watch, connect
from nas.execution.workers import ALLOCATOR, ALLOCATOR_VARIABLE, POLL_SECONDS, WorkersExecutor, news_of
from nas.training.checkpoint import write_checkpoint
from nas.training.run import EpochResult, TrainingData
from nas.version import __version__

LONG_SECONDS = 15.0  # of waiting for room in the cluster, after which that is said
OUT_OF_MEMORY = ("running low on memory", "memory pressure (oom)")  # what Ray writes of it
STOP_SECONDS = 2.0  # an actor that has not taken note of it by then is ended
Answer = tuple[Message | WorkerError | StudyError | None, bytes | None]  # and the checkpoint, where there is a new one


class RayExecutor(WorkersExecutor["_Actor"]):
    """Actors, which are placed as the cluster has room for them, and anew where a node was lost.

    `placement` says what each of them takes: threads, which are CPUs to Ray, and a share of a GPU. There are at most
    `n_workers` at a time; those that wait for room ask the cluster's autoscaler for it. Without `n_workers` there are
    as many as the cluster has room for, more and fewer as its nodes come and go. `on_wait` hears, in words, that there
    is no room at all. Actors end with the process that made them, however it ends.

    Raises `InputError` where there is no such cluster.
    """

    def __init__(
        self,
        data: TrainingData,
        n_workers: int | None,
        placement: Placement,
        on_wait: Callable[[str], None] = lambda text: None,
    ) -> None:
        super().__init__()
        connect(placement.ray_address)
        self._placement, self._on_wait = placement, on_wait
        self._n_workers, self._room = n_workers or 0, Room(placement) if n_workers is None else None
        with _tensors_as_arrays():
            self._data = ray.put(data)
        self._changed = threading.Condition()
        self._starting: list[_Actor] = []
        self._idle: list[_Actor] = []
        self._busy: list[_Actor] = []
        self._waiting: deque[object] = deque()  # those who want a worker, in the order in which they came
        self._has_told = False
        self._watch = Watch(self._lose)

    @property
    def n_places(self) -> int:
        """How many there may be at a time."""
        return self._n_workers if self._room is None else self._room.n_places

    def _lose(self, reason: str) -> None:
        self._lost = f"{reason}, and run the same command again to go on"
        self.cancel()

    def _take(self) -> "_Actor":
        ticket, began = object(), time.monotonic()
        with self._changed:
            self._waiting.append(ticket)
            try:
                while not self._cancelled:
                    self._place()
                    if self._idle and self._waiting[0] is ticket:
                        self._busy.append(self._idle.pop())
                        return self._busy[-1]
                    self._say_that_there_is_no_room(time.monotonic() - began)
                    self._changed.wait(POLL_SECONDS)
                raise self._cancelling
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()

    def _place(self) -> None:
        """Has as many actors started as are wanted, and puts those that are there to the others.

        Raises `WorkerDied` where one could not start.
        """
        n_missing = min(self.n_places - len(self._busy), len(self._waiting)) - len(self._idle) - len(self._starting)
        self._starting += [_Actor(self._data, self._placement) for _ in range(n_missing)]
        for actor in [each for each in self._starting if each.has_news(0)]:
            self._starting.remove(actor)
            actor.check_started()
            self._idle.append(actor)

    def _say_that_there_is_no_room(self, seconds: float) -> None:
        if seconds > LONG_SECONDS and not self._has_told and not self._busy:
            self._has_told = True
            self._on_wait(f"The Ray cluster has no room for a candidate ({self._placement.in_words}): waiting for it.")

    def _give_back(self, worker: "_Actor") -> None:
        with self._changed:
            self._busy.remove(worker)
            self._idle.append(worker)
            self._changed.notify_all()

    def _discard(self, worker: "_Actor") -> None:
        worker.end()
        with self._changed:
            self._busy.remove(worker)
            self._changed.notify_all()

    def close(self) -> None:
        """Ends the actors; the cluster stays."""
        self._cancelled = True
        self._watch.stop()
        if self._room is not None:
            self._room.stop()
        with self._changed:
            for actor in (*self._starting, *self._idle, *self._busy):
                actor.end()
            self._starting.clear()
            self._idle.clear()
        del self._data


class _Actor:
    """The controlling side of one actor."""

    def __init__(self, data: "ray.ObjectRef[TrainingData]", placement: Placement) -> None:
        self._checkpoint: Path | None = None
        self._actor = _placed(data, placement)
        self._answer: Any = self._actor.started.remote()

    def check_started(self) -> None:
        """Raises `WorkerError` where it runs another version of nas, and `WorkerDied` where it does not run."""
        node, its_version = self._get()
        if its_version != __version__:
            self.end()
            raise WorkerError(
                f"all nodes of a cluster must have the nas of the search, {__version__}, but {node} has {its_version}: "
                "install it there"
            )

    def send(self, message: object) -> None:
        if isinstance(message, Job):
            self._checkpoint = message.checkpoint
            self._answer = self._actor.begin.remote(message, _bytes_of(message.checkpoint))
        elif message == "go on":
            self._answer = self._actor.go_on.remote()
        else:
            self._answer = self._actor.stop.remote()
            if not self.has_news(STOP_SECONDS):
                raise WorkerDied("an actor does not answer")
            self._get()

    def has_news(self, seconds: float) -> bool:
        ready, _ = ray.wait([self._answer], timeout=seconds)
        return bool(ready)

    def receive(self) -> Message | WorkerError | StudyError | None:
        message, state = self._get()
        if state is not None and self._checkpoint is not None:
            write_checkpoint(state, self._checkpoint)
        result: Message | WorkerError | StudyError | None = message
        return result

    def end(self) -> None:
        with suppress(RayError):
            ray.kill(self._actor)

    def _get(self) -> Any:
        try:
            return ray.get(self._answer)
        except RayTaskError as error:  # nas there and here do not fit together
            raise WorkerError(first_cause(error.cause)) from None
        except RayError as error:
            raise WorkerDied(f"an actor of Ray ended in the middle of a training ({_reason(error)})") from None


def _placed(data: "ray.ObjectRef[TrainingData]", placement: Placement) -> Any:
    """A handle of an actor that starts as soon as there is room for it."""
    own_allocator = ALLOCATOR_VARIABLE in os.environ
    settings = {} if own_allocator else {"runtime_env": {"env_vars": {ALLOCATOR_VARIABLE: ALLOCATOR}}}
    n_threads = placement.threads_of(1)
    needs = {"num_cpus": n_threads, "num_gpus": placement.gpus_per_candidate, "max_restarts": 0}
    return ray.remote(_Trainer).options(**needs, **settings).remote(data, n_threads)


class _Trainer:
    """The actor: trains one job at a time, an epoch whenever it is asked for one."""

    def __init__(self, data: TrainingData, n_threads: int) -> None:
        torch.set_num_threads(n_threads)
        self._data = data
        self._placed: dict[str, TrainingData] = {}
        self._folder = TemporaryDirectory(prefix="nas-")
        self._state = Path(self._folder.name) / "checkpoint.pt"
        self._news: Generator[Message | WorkerError | StudyError | None, None, None] | None = None

    def started(self) -> tuple[str, str]:
        """Where it runs, and the version of nas there."""
        return str(ray.util.get_node_ip_address()), __version__  # type: ignore[no-untyped-call]

    def begin(self, job: Job, state: bytes | None) -> Answer:
        """The first message of a job, which goes on from `state`."""
        self.stop()
        if state is not None:
            self._state.write_bytes(state)
        here = None if job.checkpoint is None else self._state
        self._news = news_of(replace(job, checkpoint=here), self._data, self._placed)
        return self.go_on()

    def go_on(self) -> Answer:
        """The next message, and what the training has come to."""
        assert self._news is not None
        message = next(self._news)
        return message, self._taken_state() if isinstance(message, EpochResult) else None

    def stop(self) -> None:
        """Leaves the job, if there is one."""
        if self._news is not None:
            self._news.close()
        self._state.unlink(missing_ok=True)

    def _taken_state(self) -> bytes | None:
        state = _bytes_of(self._state)
        self._state.unlink(missing_ok=True)
        return state


@contextmanager
def _tensors_as_arrays() -> Iterator[None]:
    """Ray gives arrays to all actors of a node without a copy of their own, but not tensors."""
    ray.util.register_serializer(torch.Tensor, serializer=_array_of, deserializer=_tensor_of)
    try:
        yield
    finally:
        ray.util.deregister_serializer(torch.Tensor)


def _array_of(tensor: torch.Tensor) -> "np.ndarray[Any, Any]":
    return tensor.numpy()


def _tensor_of(array: "np.ndarray[Any, Any]") -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that nobody may write to it, which nobody does
        return torch.from_numpy(array)


def _bytes_of(path: Path | None) -> bytes | None:
    try:
        return None if path is None else path.read_bytes()
    except FileNotFoundError:
        return None


def _reason(error: RayError) -> str:
    """In words: Ray has an error of its own for want of memory, or tells it of an actor that has died."""
    text = " ".join(str(error).split())
    if isinstance(error, OutOfMemoryError) or any(sign in text.lower() for sign in OUT_OF_MEMORY):
        return f"its node was out of memory: {text[:2000]}"
    return "its node was lost" if "node" in text and ("died" in text or "dead" in text) else text[:2000]
