"""What an executor is given, what it gives back, and what it is."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import torch

from nas.execution.environment import environment
from nas.space.candidate import Candidate
from nas.training.checkpoint import save_checkpoint, state_in
from nas.training.device import Precision, best_kernels
from nas.training.run import EpochResult, TrainingData, TrainingRun
from nas.training.teacher import Teacher


class Cancelled(Exception):  # noqa: N818 - not an error, as in asyncio and concurrent.futures
    """The executor was told to stop all runs; what they had reached is in their checkpoints."""


@dataclass(frozen=True)
class Began:
    """The first that is heard of a run: the environment of the process that trains (`nas.execution.environment`)."""

    made_with: dict[str, Any]


Message = Began | EpochResult


@dataclass(frozen=True)
class Job:
    """One training to do. `checkpoint` is written after each epoch, and gone on from where it exists.

    `checkpoint_made_with`: the environment in which that was written, if it is known. Where the training would go on in
    another one it begins anew: nobody could train a network again whose epochs were made in two ways.

    `teacher` gives the soft labels that the recipe may ask for; its digest is then a part of the environment.
    """

    candidate: Candidate
    seed: int
    device: str = "cpu"
    precision: Precision = "float32"
    checkpoint: Path | None = None
    checkpoint_made_with: dict[str, Any] | None = None
    teacher: Teacher | None = None

    def messages(self, data: TrainingData) -> Iterator[Message]:
        """Trains here and now; epochs that the checkpoint holds come first, without being trained again."""
        teacher = self.teacher if self.candidate.recipe.teacher_weight > 0 else None
        here = environment(self.device, self.precision) | ({"teacher": teacher.digest} if teacher is not None else {})
        yield Began(here)
        run = TrainingRun(
            self.candidate.architecture,
            self.candidate.recipe,
            data,
            seed=self.seed,
            device=self.device,
            precision=self.precision,
            kernels=best_kernels(self.device, torch.get_num_threads()),
            teacher=None if teacher is None else teacher.network(self.device),
        )
        state = self._state_to_go_on_from(here)
        if state is not None:
            run.load_state_dict(state)
            yield from list(run.history)
        for result in run:
            if self.checkpoint is not None:
                save_checkpoint(run, self.checkpoint)
            yield result

    def _state_to_go_on_from(self, here: dict[str, Any]) -> dict[str, Any] | None:
        if self.checkpoint is None or self.checkpoint_made_with not in (None, here):
            return None
        return state_in(self.checkpoint, self.device)


class Run:
    """A training under way: an iterator of its epochs. Leaving its `with` block, or closing it, ends it.

    `made_with` is the environment of the process that trains. Made of an executor's messages; raises what these raise.
    """

    def __init__(self, messages: Generator[Message, None, None]) -> None:
        self._messages = messages
        first = next(messages)
        assert isinstance(first, Began)
        self.made_with = first.made_with

    def __iter__(self) -> Iterator[EpochResult]:
        return self

    def __next__(self) -> EpochResult:
        message = next(self._messages)
        assert isinstance(message, EpochResult)
        return message

    def close(self) -> None:
        """Ends the training, if it has not ended by itself."""
        self._messages.close()

    def __enter__(self) -> "Run":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Executor(Protocol):
    """Starts a run somewhere and gets its epochs back, one at a time."""

    def run(self, job: Job) -> Run:
        """Begins a job, or waits until it can; closing the run ends it.

        Here and from its epochs `WorkerError` is raised if whatever trains it ended, and `Cancelled` after `cancel`.
        """
        ...

    def cancel(self) -> None:
        """Ends all runs at once; may be called from a signal handler or another thread, and so takes no lock."""
        ...

    def close(self) -> None:
        """Releases everything."""
        ...
