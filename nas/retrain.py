"""Training a study's trial again, from what is stored of it, and comparing the digits."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import optuna
import torch

from nas import datasets
from nas.confirmed import Confirmed, confirmations
from nas.datasets import Dataset, Split
from nas.errors import InputError, StudyError
from nas.execution import Job, ProcessExecutor
from nas.objective import environment
from nas.records import Record, record_of
from nas.training import EpochResult


@dataclass(frozen=True)
class Compared:
    """An epoch's validation accuracy as the study holds it, and as it came out again; fractions."""

    epoch: int
    stored: float
    again: float

    @property
    def equal(self) -> bool:
        return self.stored == self.again


@dataclass(frozen=True)
class Retrained:
    """A trial trained again. `other_versions` says in words what is not as it was; digits may depend on it."""

    record: Record
    epochs: tuple[Compared, ...]
    other_versions: tuple[str, ...]

    @property
    def difference(self) -> str | None:
        """In one line, where the digits are others for the first time; None if all are equal."""
        for each in self.epochs:
            if not each.equal:
                why = f"; {', '.join(self.other_versions)}" if self.other_versions else ""
                return (
                    f"trial {self.record.trial} must give the digits that the study holds, but after epoch "
                    f"{each.epoch} the accuracy was {each.again!r} and not {each.stored!r}{why}"
                )
        return None


def retrain(
    study: optuna.Study,
    number: int,
    dataset: Dataset,
    split: Split,
    *,
    confirmed: bool = False,
    on_epoch: Callable[[Compared], None] = lambda compared: None,
) -> Retrained:
    """Trains a trial again, for as many epochs as the study holds, with its seed, precision, device and threads.

    `dataset` and `split` are the study's own: see `nas.study.data_of`. With `confirmed`, what is trained again is the
    network that was exported from its confirmation, on all training images. Raises `StudyError` for a trial that was
    never trained, and `InputError` where its device is missing.
    """
    trial = _trial(study, number)
    record, stored = record_of(trial), trial.intermediate_values
    if confirmed:
        found = _confirmed(study, number)
        record = replace(record, seed=found.seeds[0], made_with=found.made_with)
        stored, split = dict(enumerate(found.history, start=1)), datasets.everything(dataset)
    if record.candidate is None or record.seed is None or not stored:
        reason = f" ({record.reason})" if record.reason else ""
        raise StudyError(
            f"only a trial that was trained can be trained again, but trial {number} is {record.outcome}{reason}: "
            "choose another"
        )
    job = Job(record.candidate, record.seed, _device(record), record.made_with["precision"])
    executor = ProcessExecutor(split, 1, record.made_with["threads"])
    epochs = []
    try:
        with closing(executor.run(job)) as results:  # type: ignore[type-var]
            for result in results:
                epochs.append(_compared(result, stored))
                on_epoch(epochs[-1])
                if len(epochs) == len(stored):
                    break
    finally:
        executor.close()
    here = environment(job, executor.n_threads)
    return Retrained(record, tuple(epochs), tuple(_other_versions(record.made_with, here)))


def _confirmed(study: optuna.Study, number: int) -> Confirmed:
    for found in confirmations(study):
        if found.trial == number:
            return found
    raise StudyError(f"a confirmed trial is asked for, but trial {number} was not confirmed: see nas confirm")


def _compared(result: EpochResult, stored: dict[int, float]) -> Compared:
    return Compared(result.epoch, stored[result.epoch], result.validation_accuracy)


def _trial(study: optuna.Study, number: int) -> optuna.trial.FrozenTrial:
    trials = study.get_trials(deepcopy=False)
    if not 0 <= number < len(trials):
        raise StudyError(f"a trial must be one of 0 to {len(trials) - 1}, but got {number}")
    return trials[number]


def _device(record: Record) -> str:
    """The device as torch calls it; a study holds the name of a GPU."""
    name = record.made_with["device"]
    if name == "cpu":
        return "cpu"
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
