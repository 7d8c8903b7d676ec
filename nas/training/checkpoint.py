"""What is stored of a training: its state, its epochs, and the weights that their figures are about."""

import io
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from nas.errors import StudyError
from nas.files import NO_ROOM, replacing
from nas.training.run import TrainingRun


def state_in(path: Path, device: str) -> dict[str, Any] | None:
    """A run's state; None if there is no such file, or half of one, as after a power failure: training begins anew."""
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except (FileNotFoundError, EOFError, RuntimeError, UnpicklingError):
        return None
    return state


def save_checkpoint(run: TrainingRun, path: Path) -> None:
    """Writes a run's state and, for those who want the network alone, the weights that its figures are about.

    Raises `StudyError` where there is no room for it, which is no fault of the training.
    """
    content = io.BytesIO()  # torch says nothing of the cause where it cannot write to a file
    torch.save({**run.state_dict(), "evaluated": run.evaluated_network.state_dict()}, content)
    write_checkpoint(content.getbuffer(), path)


def write_checkpoint(content: bytes | memoryview, path: Path) -> None:
    """Writes what `save_checkpoint` wrote elsewhere, and raises what that raises."""
    try:
        with replacing(path) as partial:
            partial.write_bytes(content)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise StudyError(
            f"there must be room for what a training has reached, but {path.parent} has none ({error.strerror}): make "
            "some, and run the same command again to go on"
        ) from error


def read_checkpoint(path: Path, remedy: str) -> dict[str, Any]:
    """What `save_checkpoint` wrote, on the CPU.

    Raises `StudyError` where the file is damaged or cannot be read; `remedy` is what the user can do then.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StudyError(f"the weights in {path} must be readable, but are not ({error.strerror}): {remedy}") from error
    try:
        content: dict[str, Any] = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        content["evaluated"], content["history"]  # anything else is no checkpoint
    except Exception as error:  # what torch raises has no common base
        raise StudyError(
            f"the weights in {path} must be as a training left them, but they are damaged ({type(error).__name__}): "
            f"{remedy}"
        ) from error
    return content


def checkpoint_path(folder: Path, trial_number: int) -> Path:
    """The file of one trial's training state and weights."""
    return folder / f"trial-{trial_number:05d}.pt"


def second_checkpoint_path(first: Path) -> Path:
    """Of a trial that is trained a second time the file of that training, by that of the first."""
    return first.with_name(f"{first.stem}-second{first.suffix}")
