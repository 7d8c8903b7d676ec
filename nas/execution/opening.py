"""The one door to executors: who trains is chosen here, by name, by all that train.

A new executor is a file of its own and a line in `EXECUTORS`.
"""

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING

from nas.errors import InputError, nearest
from nas.execution.placement import INLINE, PROCESSES, RAY, Placement, n_cores

if TYPE_CHECKING:  # so that options of a command do not load torch
    from nas.execution.job import Executor
    from nas.training.run import TrainingData

OnWait = Callable[[str], None]  # hears, in words, what is waited for


def _processes(data: "TrainingData", workers: int | None, placement: Placement, on_wait: OnWait) -> "Executor":
    from nas.execution.processes import ProcessExecutor

    n = workers or n_cores()
    return ProcessExecutor(data, n, placement.threads_of(n))


def _inline(data: "TrainingData", workers: int | None, placement: Placement, on_wait: OnWait) -> "Executor":
    from nas.execution.inline import InlineExecutor

    return InlineExecutor(data, workers or n_cores())


def _ray(data: "TrainingData", workers: int | None, placement: Placement, on_wait: OnWait) -> "Executor":
    _ray_cluster()
    from nas.execution.ray_actors import RayExecutor

    return RayExecutor(data, workers, placement, on_wait)


def _ray_cluster() -> ModuleType:
    try:
        from nas.execution import ray_cluster
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise InputError(
            f"executor {RAY} needs the package ray, but it is not installed: pip install 'budget-nas[ray]', "
            "or '.[ray]' in a checkout"
        ) from error
    return ray_cluster


Open = Callable[["TrainingData", int | None, Placement, OnWait], "Executor"]
EXECUTORS: Mapping[str, Open] = {PROCESSES: _processes, INLINE: _inline, RAY: _ray}


def open_executor(
    data: "TrainingData",
    *,
    workers: int | None,
    placement: Placement = Placement(),  # noqa: B008 - it is frozen
    on_wait: OnWait = lambda text: None,
) -> "Executor":
    """An executor for so many trainings at a time; None for as many as there is room for, more and fewer where nodes of
    a cluster come and go. `data` must have its tensors in CPU memory; executors place them
    where they train.

    `on_wait` hears of it where there is no room for a training yet. Raises `InputError`.
    """
    check_executor(placement.executor)
    return EXECUTORS[placement.executor](data, workers, placement, on_wait)


def check_executor(name: str) -> None:
    """Raises `InputError` for one that is not there, with the nearest name."""
    if name not in EXECUTORS:
        raise InputError(
            f"an executor must be one of {', '.join(EXECUTORS)}, but got {name!r}{nearest(name, EXECUTORS)}"
        )


def n_workers(placement: Placement, asked: int | None) -> int:
    """Trainings at a time: as many as were asked for, else as many as there is room for.

    Connects to a Ray cluster where that has to be asked. Raises `InputError` where there is none.
    """
    if asked is not None:
        return asked
    if placement.executor != RAY:
        return n_cores()
    n: int = _ray_cluster().n_places(placement)
    return n
