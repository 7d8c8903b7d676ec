"""Training in the calling process: for libraries, notebooks and tests."""

from collections.abc import Generator

from nas.execution.job import Cancelled, Job, Message, Run
from nas.training.run import TrainingData


class InlineExecutor:
    """Trains in the calling thread, with all of torch's threads; in several, if it is called from several."""

    def __init__(self, data: TrainingData, n_places: int = 1) -> None:
        self.n_places = n_places
        self._data = data
        self._placed: dict[str, TrainingData] = {}  # the data on each device that a job has asked for
        self._cancelled = False

    def run(self, job: Job) -> Run:
        """The epochs of a job; `cancel` takes effect after the epoch that is running."""
        return Run(self._messages(job))

    def _messages(self, job: Job) -> Generator[Message, None, None]:
        if job.device not in self._placed:
            self._placed[job.device] = self._data.to(job.device)
        for message in job.messages(self._placed[job.device]):
            if self._cancelled:
                raise Cancelled
            yield message

    def cancel(self) -> None:
        """Ends all runs after their epoch."""
        self._cancelled = True

    def close(self) -> None:
        """Nothing is held."""
