"""Training in the calling process: for libraries, notebooks and tests."""

from collections.abc import Iterator
from threading import Event

import torch

from nas.execution.job import Cancelled, Job
from nas.training import EpochResult, TrainingData


class InlineExecutor:
    """Trains in the calling thread, with all of torch's threads."""

    def __init__(self, data: TrainingData) -> None:
        self._data = data
        self._cancelled = Event()
        self.n_threads = torch.get_num_threads()

    def run(self, job: Job) -> Iterator[EpochResult]:
        """The epochs of a job; `cancel` takes effect after the epoch that is running."""
        for result in job.epochs(self._data):
            if self._cancelled.is_set():
                raise Cancelled
            yield result

    def cancel(self) -> None:
        """Ends all runs after their epoch."""
        self._cancelled.set()

    def close(self) -> None:
        """Nothing is held."""
