"""Training a study's trial again, from what is stored of it, and comparing the digits."""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import optuna
import torch

from nas import datasets
from nas.datasets.dataset import Dataset
from nas.datasets.splitting import Split
from nas.errors import InputError, StudyError, WorkerError
from nas.execution.job import Cancelled, Job
from nas.execution.opening import open_executor
from nas.execution.placement import Placement
from nas.export.c.learning import whole_numbers_for
from nas.study.confirmation import Confirmed, confirmation_of
from nas.study.record import Record, record_of
from nas.study.trial import trial_of
from nas.training.checkpoint import checkpoint_path, read_checkpoint
from nas.training.teacher import Teacher

ACCURACY = "accuracy"
# Of an epoch's result, in words. The losses tell networks apart that have learned all images: the first one of all
# steps of the epoch, the second one of the weights behind the last step.
FIGURES = {ACCURACY: "validation_accuracy", "training loss": "train_loss", "evaluation loss": "validation_loss"}


@dataclass(frozen=True)
class Compared:
    """An epoch's figures, by name, as they are stored and as they came out again; the accuracy is a fraction."""

    epoch: int
    stored: dict[str, float]
    again: dict[str, float]

    @property
    def differing(self) -> str | None:
        """The name of the first figure whose digits are others; a number that is none equals itself here."""
        return next((name for name in FIGURES if name in self.stored and self._differs(name)), None)

    def _differs(self, name: str) -> bool:
        return repr(self.stored[name]) != repr(self.again[name])


@dataclass(frozen=True)
class Retrained:
    """A trial trained again. `other_versions` says in words what is not as it was; digits may depend on it."""

    record: Record
    epochs: tuple[Compared, ...]
    other_versions: tuple[str, ...]

    @property
    def compared(self) -> tuple[str, ...]:
        """The figures that were stored of every epoch, in words."""
        return tuple(name for name in FIGURES if all(name in each.stored for each in self.epochs))

    @property
    def difference(self) -> str | None:
        """In one line, where the digits are others for the first time; None if all are equal."""
        for each in self.epochs:
            name = each.differing
            if name is not None:
                why = f"; {', '.join(self.other_versions)}" if self.other_versions else ""
                return (
                    f"trial {self.record.trial} must give the digits that the study holds, but after epoch "
                    f"{each.epoch} the {name} was {each.again[name]!r} and not {each.stored[name]!r}{why}"
                )
        return None


def retrain(
    study: optuna.Study,
    number: int,
    dataset: Dataset,
    split: Split,
    *,
    checkpoints: Path | None = None,
    confirmed: bool = False,
    teacher: Teacher | None = None,
    placement: Placement = Placement(),  # noqa: B008 - it is frozen
    on_epoch: Callable[[Compared], None] = lambda compared: None,
) -> Retrained:
    """Trains a trial again, for as many epochs as the study holds, with its seed, precision, device and threads.

    `dataset` and `split` are the study's own (`nas.study.data`), and so is `teacher` (`nas.study.teacher`).
    The study holds accuracies; `checkpoints` is the folder with its weights, beside which the losses are stored. With
    `confirmed`, what is trained again is the network that was exported from its confirmation, on all training images.
    Raises `StudyError` for a trial that was never trained or whose weights are damaged, and `InputError` where its
    device is missing.
    """
    trial = trial_of(study, number)
    record, stored = record_of(trial), trial.intermediate_values
    weights = None if checkpoints is None else checkpoint_path(checkpoints, number)
    if confirmed:
        confirmation = _confirmed(study, number)
        record = replace(record, seed=confirmation.seeds[0], made_with=confirmation.made_with)
        stored, split = dict(enumerate(confirmation.history, start=1)), datasets.everything(dataset)
        weights = None if checkpoints is None else checkpoints / confirmation.weights
    if record.candidate is None or record.seed is None or not stored:
        reason = f" ({record.reason})" if record.reason else ""
        raise StudyError(
            f"only a trial that was trained can be trained again, but trial {number} is {record.outcome}{reason}: "
            "choose another"
        )
    figures = _stored_figures(stored, weights)
    made_with = record.made_with
    job = Job(
        record.candidate,
        record.seed,
        _device(record, placement),
        made_with["precision"],
        repeats=made_with,
        teacher=teacher,
        quantiser=whole_numbers_for(record.candidate.recipe),
    )
    epochs = []
    # A worker that dies costs an epoch, as in a search; of the checkpoint nothing stays.
    with (
        TemporaryDirectory(prefix="nas-") as folder,
        closing(
            open_executor(split, workers=1, placement=replace(placement, threads=made_with["threads"]))
        ) as executor,
    ):
        try:
            with executor.run(replace(job, checkpoint=Path(folder) / "checkpoint.pt")) as run:
                for result in run:
                    epochs.append(Compared(result.epoch, figures[result.epoch], _figures(vars(result))))
                    on_epoch(epochs[-1])
                    if len(epochs) == len(figures):
                        break
        except Cancelled as cancelled:  # nobody else cancels: the worker is lost
            raise WorkerError(str(cancelled)) from None
    return Retrained(record, tuple(epochs), tuple(_other_versions(made_with, run.made_with)))


def _confirmed(study: optuna.Study, number: int) -> Confirmed:
    confirmed = confirmation_of(study, number)
    if confirmed is None:
        raise StudyError(f"a confirmed trial is asked for, but trial {number} was not confirmed: see nas confirm")
    return confirmed


def _stored_figures(accuracies: dict[int, float], weights: Path | None) -> dict[int, dict[str, float]]:
    """Those of each epoch: the study's accuracy, and the losses where the weights' file is still there."""
    figures = {epoch: {ACCURACY: accuracy} for epoch, accuracy in accuracies.items()}
    if weights is not None and weights.exists():
        remedy = "restore it from a copy, or delete it, and only accuracies are compared"
        for result in read_checkpoint(weights, remedy)["history"]:
            if result["epoch"] in figures:
                figures[result["epoch"]] = _figures(result) | figures[result["epoch"]]
    return figures


def _figures(result: Mapping[str, float]) -> dict[str, float]:
    return {name: result[field] for name, field in FIGURES.items()}


def _device(record: Record, placement: Placement) -> str:
    """The device as torch calls it; a study holds the name of a GPU."""
    name = record.made_with["device"]
    if name == "cpu":
        return "cpu"
    if placement.is_elsewhere:
        return placement.device("cuda")
    if not torch.cuda.is_available():
        raise InputError(
            f"a trial is trained again on the device it was trained on, but trial {record.trial} was on {name!r}, and "
            "no GPU is here: run it there"
        )
    return "cuda"


def _other_versions(made_with: dict[str, Any], here: dict[str, Any]) -> list[str]:
    """In words, what is not as it was; Optuna had no part in the training."""
    names = [name for name in made_with if name != "optuna" and made_with[name] != here.get(name)]
    return [f"{name} was {made_with[name]} and is {here.get(name)} here" for name in names]
