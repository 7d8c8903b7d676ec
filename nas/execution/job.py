"""What an executor is given, what it gives back, and what it is."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import torch

from nas.execution.choosing import choose
from nas.execution.environment import environment
from nas.space.candidate import Candidate
from nas.training.checkpoint import save_checkpoint, state_in
from nas.training.device import Kernels, Precision, best_kernels, multiplies_bfloat16
from nas.training.quantised import Quantiser
from nas.training.run import EpochResult, TrainingData, TrainingRun
from nas.training.start import Start
from nas.training.teacher import Teacher


class Cancelled(Exception):  # noqa: N818 - not an error, as in asyncio and concurrent.futures
    """The executor was told to stop all runs, or, with a reason, has lost all its workers for good.

    What the runs had reached is in their checkpoints.
    """


@dataclass(frozen=True)
class Began:
    """The first that is heard of a run: the environment of the process that trains (`nas.execution.environment`), and
    how many epochs its checkpoint holds, which come without being trained again.
    """

    made_with: dict[str, Any]
    n_done: int = 0


Message = Began | EpochResult


@dataclass(frozen=True)
class Job:
    """One training to do. `checkpoint` is written after each epoch, and gone on from where it exists.

    `checkpoint_made_with`: the environment in which that was written, if it is known. Where the training would go on in
    another one it begins anew: nobody could train a network again whose epochs were made in two ways.
    `repeats`: the environment of the training that this one is to repeat.

    Kernels, and the convolutions that numba computes, are those of the training that is repeated or gone on from, else
    the fastest. What this machine cannot compute so it computes otherwise, and the environment tells it.
    `teacher` gives the soft labels that the recipe may ask for; its digest is then a part of the environment.
    `quantiser` computes the whole numbers that the recipe may be for; `start` has the weights to begin with, else they
    are random.
    """

    candidate: Candidate
    seed: int
    device: str = "cpu"
    precision: Precision = "float32"
    checkpoint: Path | None = None
    checkpoint_made_with: dict[str, Any] | None = None
    repeats: dict[str, Any] | None = None
    teacher: Teacher | None = None
    quantiser: Quantiser | None = None
    start: Start | None = None

    def messages(self, data: TrainingData) -> Iterator[Message]:
        """Trains here and now; epochs that the checkpoint holds come first, without being trained again."""
        teacher = self.teacher if self.candidate.recipe.teacher_weight > 0 else None
        kernels, convolutions = self._computed_by()
        here = self._environment(kernels, convolutions)
        state = self._state_to_go_on_from(here)
        yield Began(here, 0 if state is None else len(state["history"]))
        run = TrainingRun(
            self.candidate.architecture,
            self.candidate.recipe,
            data,
            seed=self.seed,
            device=self.device,
            precision=self.precision,
            kernels=kernels,
            convolutions=convolutions,
            teacher=None if teacher is None else teacher.network(self.device),
            quantiser=self.quantiser,
            start=None if self.start is None else self.start.weights(),
        )
        if state is not None:
            run.load_state_dict(state)
            yield from list(run.history)
        for result in run:
            if self.checkpoint is not None:
                save_checkpoint(run, self.checkpoint)
            yield result

    def _environment(self, kernels: Kernels, convolutions: tuple[str, ...]) -> dict[str, Any]:
        """What this process would train with; the teacher too, if the recipe asks for one."""
        is_taught = self.teacher is not None and self.candidate.recipe.teacher_weight > 0
        taught_by = {"teacher": self.teacher.digest} if self.teacher is not None and is_taught else {}
        return environment(self.device, self.precision, kernels, convolutions) | taught_by

    def _computed_by(self) -> tuple[Kernels, tuple[str, ...]]:
        """Kernels, and the paths of the convolutions that numba computes."""
        if self.repeats is not None:
            return self._as_in(self.repeats)
        if self.checkpoint_made_with:
            stored = self._as_in(self.checkpoint_made_with)
            if self._environment(*stored) == self.checkpoint_made_with:
                return stored
        kernels = best_kernels(self.device, torch.get_num_threads())
        if kernels == "torch" or self.precision != "bfloat16" or not multiplies_bfloat16():
            return kernels, ()
        return kernels, choose(self.candidate.architecture, self.candidate.recipe.batch_size)

    def _as_in(self, made_with: dict[str, Any]) -> tuple[Kernels, tuple[str, ...]]:
        able = self.device == "cpu" and self.precision == "bfloat16" and multiplies_bfloat16()
        return made_with.get("kernels", "torch"), tuple(made_with.get("convolutions", ())) if able else ()

    def _state_to_go_on_from(self, here: dict[str, Any]) -> dict[str, Any] | None:
        if self.checkpoint is None or self.checkpoint_made_with not in (None, here):
            return None
        return state_in(self.checkpoint, self.device)


class Run:
    """A training under way: an iterator of its epochs. Leaving its `with` block, or closing it, ends it.

    `made_with` is the environment of the process that trains, `n_done` counts the epochs that are not trained again.
    Where a training is lost and can only begin anew, in another environment, both change, and epoch 1 comes once more.
    Made of an executor's messages; raises what these raise.
    """

    def __init__(self, messages: Generator[Message, None, None]) -> None:
        self._messages = messages
        first = next(messages)
        assert isinstance(first, Began)
        self.made_with, self.n_done = first.made_with, first.n_done

    def __iter__(self) -> Iterator[EpochResult]:
        return self

    def __next__(self) -> EpochResult:
        while isinstance(message := next(self._messages), Began):
            self.made_with, self.n_done = message.made_with, message.n_done
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

    @property
    def n_places(self) -> int:
        """How many runs at a time there is room for; can change from moment to moment, but is never below 1."""
        ...

    def run(self, job: Job) -> Run:
        """Begins a job, or waits until it can; closing the run ends it.

        Here and from its epochs `WorkerError` is raised if it failed, and `Cancelled` after `cancel`.
        """
        ...

    def cancel(self) -> None:
        """Ends all runs at once; may be called from a signal handler or another thread, and so takes no lock."""
        ...

    def close(self) -> None:
        """Releases everything."""
        ...
