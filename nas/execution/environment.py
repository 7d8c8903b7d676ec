"""How a figure is made: versions, device, threads, precision; told by the process that trains."""

import platform
import subprocess
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from typing import Any

import torch

from nas.shipped import PACKAGE
from nas.training.device import Kernels
from nas.version import __version__


def environment(device: str, precision: str, kernels: Kernels, convolutions: Sequence[str] = ()) -> dict[str, Any]:
    """That of a training in this process, as plain data for JSON; `convolutions`: those that numba computes."""
    chosen = {"convolutions": list(convolutions)} if convolutions else {}
    return {
        "nas": __version__,
        "revision": revision(),
        "torch": torch.__version__,
        "optuna": version("optuna"),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else "cpu",
        "threads": torch.get_num_threads(),
        "precision": precision,
        "kernels": kernels,
        **chosen,
    }


@cache
def revision() -> str | None:
    """The git revision of the checkout that nas runs from; None where it is installed otherwise."""
    if not (PACKAGE.parent / ".git").exists():
        return None
    command = ["git", "-C", str(PACKAGE), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
