"""Many trainings with given seeds, several at a time; each is made once, and kept.

What a search cannot do: train the same candidate again and again, so that means can be compared instead of single runs.
"""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from nas.errors import InputError, StudyError, WorkerError
from nas.execution.job import Cancelled, Executor, Job
from nas.execution.opening import n_workers, open_executor
from nas.execution.placement import Placement
from nas.export.c.learning import whole_numbers_for
from nas.files import make_folder, remove_partial, write_whole
from nas.network.architecture import digest_of
from nas.space.candidate import Candidate
from nas.study.folders import TRAININGS
from nas.training.checkpoint import read_checkpoint
from nas.training.device import Precision, best_kernels
from nas.training.run import EpochResult, TrainingData
from nas.training.start import Start
from nas.training.teacher import Teacher

ABANDONED_AFTER = 600.0  # seconds: a file that is written to is whole long before


@dataclass(frozen=True)
class Training:
    """One candidate to be trained with one seed, from scratch or from a `start`; `label` is for those who watch."""

    candidate: Candidate
    seed: int
    label: str = field(default="", compare=False)
    start: Start | None = None


@dataclass(frozen=True)
class Trained:
    """What a training gave, epoch by epoch, and with which versions, device and precision it was made.

    `weights`: the file with the network of the last epoch, as its `evaluated`; None unless weights are kept.
    """

    training: Training
    history: tuple[EpochResult, ...]
    made_with: dict[str, Any]
    weights: Path | None = None


@dataclass(frozen=True)
class Means:
    """Where and how trainings are made, and the folder in which they are kept, which is made if it is not there.

    Raises `InputError` for no workers, for a device or a precision that is unknown or missing here, and for a folder
    that cannot be made.
    """

    workers: int | None = None  # at a time; as many as there is room for, unless told
    device: str = "auto"
    precision: str = "auto"
    folder: Path = TRAININGS
    placement: Placement = Placement()  # noqa: RUF009 - it is frozen
    teacher: Teacher | None = None  # for recipes with its soft labels

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise InputError(f"workers must be a whole number above 0, but got {self.workers!r}")
        object.__setattr__(self, "device", self.placement.device(self.device))
        object.__setattr__(self, "precision", self.placement.precision(self.precision, self.device))
        try:
            make_folder(self.folder)
        except OSError as error:
            raise InputError(
                f"the folder of trainings must be writable, but {self.folder} is not ({error.strerror}): name another"
            ) from error


OnEpoch = Callable[[Training, EpochResult], None]


class Batch:
    """Trainings on the same data, several at a time; its workers live until it is closed, or its `with` block is left.

    `data` must have its tensors in CPU memory, whatever the device: they are moved to memory that the workers share.
    `data_name` must differ for different images or parts of them: with it, the candidate, the seed and the precision a
    training is recognised, and not made again. There are never more than `most` trainings at a time.
    """

    def __init__(self, data: TrainingData, data_name: str, means: Means, most: int | None = None) -> None:
        self._data_name, self._means = data_name, means
        remove_partial(means.folder, untouched_for=ABANDONED_AFTER)
        n_places = n_workers(means.placement, means.workers)
        self._n_workers = n_places if most is None else max(1, min(n_places, most))
        # One thread each, however many workers there are: with other threads the digits would be others.
        placement = replace(means.placement, threads=1)
        self._executor = open_executor(data, workers=self._n_workers, placement=placement)

    def __enter__(self) -> "Batch":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._executor.close()

    def train(
        self,
        trainings: Sequence[Training],
        on_epoch: OnEpoch = lambda training, result: None,
        *,
        keep_weights: bool = False,
    ) -> list[Trained]:
        """What each training gave, in the order given; what was trained before is not trained again.

        `on_epoch` is called from several threads, also for what was trained before. Ctrl-C loses at most the epochs
        that were running. Raises `WorkerError` if a worker process ended or a training in it failed, and `StudyError`
        if stored weights are damaged. The other trainings are then cancelled (their `nas.execution.job.Cancelled` is
        not raised here), the batch can be used no more, and another one goes on from their last epoch.
        """
        pool = ThreadPoolExecutor(self._n_workers)
        futures = [
            pool.submit(_train, each, self._data_name, self._means, self._executor, on_epoch, keep_weights)
            for each in trainings
        ]
        try:
            _wait_for(futures)
        except Cancelled as cancelled:  # nobody else cancels: the workers are lost
            raise WorkerError(str(cancelled)) from None
        except BaseException:
            self._executor.cancel()
            raise
        finally:
            pool.shutdown(cancel_futures=True)
        return [future.result() for future in futures]


def train_all(
    trainings: Sequence[Training],
    data: TrainingData,
    data_name: str,
    means: Means,
    on_epoch: OnEpoch = lambda training, result: None,
    *,
    keep_weights: bool = False,
) -> list[Trained]:
    """What each training gave, in the order given: one `Batch` for all of them."""
    with Batch(data, data_name, means, most=len(trainings)) as batch:
        return batch.train(trainings, on_epoch, keep_weights=keep_weights)


def _wait_for(futures: Sequence[Future[Trained]]) -> None:
    """Until all are done, or one failed, whose exception it raises."""
    for future in wait(futures, return_when=FIRST_EXCEPTION).done:
        future.result()


def _train(
    training: Training,
    data_name: str,
    means: Means,
    executor: Executor,
    on_epoch: OnEpoch,
    keep_weights: bool,
) -> Trained:
    file = means.folder / f"{_key(training, data_name, means)}.json"
    checkpoint = file.with_suffix(".pt")
    weights = checkpoint if keep_weights else None
    if checkpoint.exists():
        read_checkpoint(checkpoint, "delete it, and the same command trains it again")
    kept = _kept(file, training)
    if kept is not None and (weights is None or weights.exists()):
        for result in kept.history:
            on_epoch(training, result)
        if weights is None:
            checkpoint.unlink(missing_ok=True)  # left by a process that was killed once the figures were kept
        return replace(kept, weights=weights)
    precision: Precision = means.precision  # type: ignore[assignment]  # Means resolved it
    job = Job(
        training.candidate,
        training.seed,
        means.device,
        precision,
        checkpoint,
        teacher=means.teacher,
        quantiser=whole_numbers_for(training.candidate.recipe),
        start=training.start,
    )
    history: list[EpochResult] = []
    with executor.run(job) as run:
        for result in run:
            history[result.epoch - 1 :] = [result]  # where its worker was lost it may have begun anew
            on_epoch(training, result)
    trained = Trained(training, tuple(history), run.made_with, weights)
    _write(file, trained)
    if weights is None:
        checkpoint.unlink(missing_ok=True)
    return trained


def _key(training: Training, data_name: str, means: Means) -> str:
    return digest_of(
        {
            "candidate": training.candidate.digest,
            "seed": training.seed,
            "data": data_name,
            "precision": means.precision,
            "device": means.device,
            "kernels": best_kernels(means.device, 1),
            **_taught(training.candidate, means.teacher),
            **({} if training.start is None else {"start": training.start.digest}),
        }
    )


def _taught(candidate: Candidate, teacher: Teacher | None) -> dict[str, str]:
    return {"teacher": teacher.digest} if teacher is not None and candidate.recipe.teacher_weight > 0 else {}


def _kept(file: Path, training: Training) -> Trained | None:
    """What was kept of a training; None where there is nothing, or the file is damaged, and it must be made again."""
    try:
        data = json.loads(file.read_bytes())
        history = tuple(EpochResult(**result) for result in data["history"])
        return Trained(training, history, data["made_with"]) if history else None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StudyError(
            f"a kept training must be readable, but {file} is not ({error.strerror}): see to it"
        ) from error
    except (ValueError, KeyError, TypeError):
        return None


def _write(file: Path, trained: Trained) -> None:
    """At once or not at all; the candidate is there for people, who could not tell it from the file's name."""
    candidate = trained.training.candidate
    content = {
        "network": str(candidate.architecture),
        "training": str(candidate.recipe),
        "seed": trained.training.seed,
        "made_with": trained.made_with,
        "history": [asdict(result) for result in trained.history],
    }
    write_whole(file, json.dumps(content, indent=1))
