"""The one door to executors: who trains is chosen here, by name, by all that train.

A new executor is a file of its own and a line in `EXECUTORS`.
"""

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from nas.errors import InputError, nearest

if TYPE_CHECKING:  # so that options of a command, which need the number of cores, do not load torch
    from nas.execution.job import Executor
    from nas.training.run import TrainingData

Open = Callable[["TrainingData", int, int], "Executor"]  # the data in CPU memory, workers, threads of each


def _processes(data: "TrainingData", n_workers: int, n_threads: int) -> "Executor":
    from nas.execution.processes import ProcessExecutor

    return ProcessExecutor(data, n_workers, n_threads)


def _inline(data: "TrainingData", n_workers: int, n_threads: int) -> "Executor":
    from nas.execution.inline import InlineExecutor

    return InlineExecutor(data)


EXECUTORS: Mapping[str, Open] = {"processes": _processes, "inline": _inline}
DEFAULT = "processes"


def n_cores() -> int:
    """Cores that this process may use, which can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def open_executor(
    data: "TrainingData", *, workers: int, threads: int | None = None, executor: str = DEFAULT
) -> "Executor":
    """An executor by its name. `data` must have its tensors in CPU memory; executors place them where they train.

    `threads` of each worker; unless told, all cores are shared between the workers. Raises `InputError`.
    """
    if executor not in EXECUTORS:
        raise InputError(
            f"an executor must be one of {', '.join(EXECUTORS)}, but got {executor!r}{nearest(executor, EXECUTORS)}"
        )
    return EXECUTORS[executor](data, workers, threads or max(1, n_cores() // workers))
