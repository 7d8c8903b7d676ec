"""How a figure is made: versions, device, threads, precision; told by the process that trains."""

import platform
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

import nas
from nas.training.device import best_kernels


def environment(device: str, precision: str) -> dict[str, Any]:
    """That of a training in this process, as plain data for JSON."""
    n_threads = torch.get_num_threads()
    return {
        "nas": nas.__version__,
        "revision": revision(),
        "torch": torch.__version__,
        "optuna": version("optuna"),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else "cpu",
        "threads": n_threads,
        "precision": precision,
        "kernels": best_kernels(device, n_threads),
    }


@cache
def revision() -> str | None:
    """The git revision of the checkout that nas runs from; None where it is installed otherwise."""
    package = Path(nas.__file__).parent
    if not (package.parent / ".git").exists():
        return None
    command = ["git", "-C", str(package), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
