"""Where trainings run, and what each of them gets there."""

import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nas.errors import InputError

if TYPE_CHECKING:  # so that options of a command do not load torch
    from nas.training.device import Precision

PROCESSES, INLINE, RAY = "processes", "inline", "ray"
LOCAL = "local"  # to Ray: a cluster that is started here


def n_cores() -> int:
    """Cores that this process may use, which can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True)
class Placement:
    """An executor by its name, and what a candidate gets there.

    `threads`: of each worker; unless told, all cores are shared between the workers of this machine, and a worker of
    Ray has one. `ray_address`: of a cluster that runs, as HOST:PORT, or "auto" for the one on this machine; without it,
    and without the environment's RAY_ADDRESS, one is started here. `gpus_per_candidate`: the share of a GPU that Ray
    keeps for each; without one it trains on a CPU.

    Raises `InputError` where these do not go together.
    """

    executor: str = PROCESSES
    threads: int | None = None
    ray_address: str | None = None
    gpus_per_candidate: float = 0.0

    def __post_init__(self) -> None:
        if self.threads is not None and (type(self.threads) is not int or self.threads < 1):
            raise InputError(f"threads must be a whole number above 0, but got {self.threads!r}")
        share = self.gpus_per_candidate
        if not math.isfinite(share) or share < 0 or (share > 1 and share != int(share)):
            raise InputError(
                f"gpus-per-candidate must be a share of a GPU such as 0.1, or a whole number, but got {share!r}"
            )
        for name in ("ray_address", "gpus_per_candidate"):
            if getattr(self, name) and self.executor != RAY:
                option = name.replace("_", "-")
                raise InputError(
                    f"{option} is for executor {RAY}, but got {getattr(self, name)!r} with {self.executor}: "
                    f"add --executor {RAY}, or leave out --{option}"
                )

    @property
    def is_elsewhere(self) -> bool:
        """Whether what this machine has says nothing of what workers have."""
        return self.executor == RAY

    def device(self, device: str) -> str:
        """The device as torch calls it there: `auto` is a GPU where there is one, or where a share of one is kept.

        Raises `InputError` for one that is unknown, missing, or not kept for a candidate.
        """
        from nas.training.device import resolve_device

        if not self.is_elsewhere:
            return resolve_device(device)
        if device not in ("auto", "cpu", "cuda"):
            raise InputError(f"the device of a worker of {RAY} must be auto, cpu or cuda, but got {device!r}")
        if device == "cuda" and not self.gpus_per_candidate:
            raise InputError(
                "a candidate that is trained on a GPU of a Ray cluster needs a share of one, but got none: "
                "add --gpus-per-candidate, such as 0.5"
            )
        return "cuda" if self.gpus_per_candidate and device != "cpu" else "cpu"

    def precision(self, precision: str, device: str) -> "Precision":
        """`auto` is what suits this machine, and bfloat16 on GPUs of others; raises `InputError`."""
        from nas.training.device import resolve_precision

        elsewhere = self.is_elsewhere and device == "cuda" and precision == "auto"
        return "bfloat16" if elsewhere else resolve_precision(precision, device)

    @property
    def in_words(self) -> str:
        """What a candidate gets."""
        n = self.threads or 1
        gpus = f", {self.gpus_per_candidate:g} GPU" if self.gpus_per_candidate else ""
        return f"{n} CPU{'s' * (n != 1)}{gpus}"

    def threads_of(self, n_workers: int) -> int:
        """Threads of each of so many workers."""
        return self.threads or (1 if self.is_elsewhere else max(1, n_cores() // n_workers))
