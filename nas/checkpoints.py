"""Reading back what is stored of a training: its epochs, and the weights that their figures are about."""

import io
from pathlib import Path
from typing import Any

import torch

from nas.errors import StudyError


def read_checkpoint(path: Path, remedy: str) -> dict[str, Any]:
    """What `nas.execution.job.save_checkpoint` wrote, on the CPU.

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
