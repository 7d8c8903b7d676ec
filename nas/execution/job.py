"""What an executor is given, and what it is."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Protocol

import torch

from nas.space import Candidate
from nas.training import EpochResult, Precision, TrainingData, TrainingRun, best_kernels


class Cancelled(Exception):  # noqa: N818 - not an error, as in asyncio and concurrent.futures
    """The executor was told to stop all runs; what they had reached is in their checkpoints."""


@dataclass(frozen=True)
class Job:
    """One training to do. `checkpoint` is written after each epoch, and gone on from where it exists."""

    candidate: Candidate
    seed: int
    device: str = "cpu"
    precision: Precision = "float32"
    checkpoint: Path | None = None

    def epochs(self, data: TrainingData) -> Iterator[EpochResult]:
        """Trains here and now; epochs that the checkpoint holds come first, without being trained again."""
        run = TrainingRun(
            self.candidate.architecture,
            self.candidate.recipe,
            data,
            seed=self.seed,
            device=self.device,
            precision=self.precision,
            kernels=best_kernels(self.device, torch.get_num_threads()),
        )
        state = None if self.checkpoint is None else _state_in(self.checkpoint, self.device)
        if state is not None:
            run.load_state_dict(state)
            yield from list(run.history)
        for result in run:
            if self.checkpoint is not None:
                save_checkpoint(run, self.checkpoint)
            yield result


class Executor(Protocol):
    """Starts a run somewhere and gets its epochs back, one at a time."""

    n_threads: int  # torch threads of one run

    def run(self, job: Job) -> Iterator[EpochResult]:
        """The epochs of a job; closing the iterator ends the run.

        Raises `WorkerError` if whatever trains it ended, and `Cancelled` after `cancel`.
        """
        ...

    def cancel(self) -> None:
        """Ends all runs at once; may be called from a signal handler or another thread."""
        ...

    def close(self) -> None:
        """Releases everything."""
        ...


def _state_in(path: Path, device: str) -> dict[str, Any] | None:
    """A run's state; None if there is no such file, or half of one, as after a power failure: training begins anew."""
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except (FileNotFoundError, EOFError, RuntimeError, UnpicklingError):
        return None
    return state


def save_checkpoint(run: TrainingRun, path: Path) -> None:
    """Writes a run's state and, for those who want the network alone, the weights that its figures are about."""
    partial = path.with_suffix(f".{os.getpid()}.tmp")
    torch.save({**run.state_dict(), "evaluated": run.evaluated_network.state_dict()}, partial)
    os.replace(partial, path)
