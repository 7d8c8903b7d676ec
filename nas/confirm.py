"""How good a winner really is: trained again with fresh seeds, and tested once each, at the very end.

First a race: the best candidates are trained again on the training part, with the same fresh seeds, and compared on the
validation part, seed by seed; who clearly loses gets no more seeds. The one with the best mean is then trained from
scratch on all training images, once a seed. Only those networks see the test set, each once, after its last epoch, in
float32. So the test set chooses nothing: neither candidate, nor epoch, nor seed. Every reading of it is recorded in the
study.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from math import sqrt
from pathlib import Path
from typing import Any

import optuna
import torch
from scipy.stats import PermutationMethod, wilcoxon
from scipy.stats import t as student
from torch import Tensor

from nas import datasets
from nas.datasets import Dataset, Split
from nas.errors import DataError, InputError, StudyError
from nas.module import Network
from nas.records import Record, ranked
from nas.space import Candidate
from nas.spread import Spread
from nas.study import terms_of
from nas.training import EVALUATION_BATCH
from nas.trainings import Means, OnEpoch, Trained, Training, train_all

FIRST_SEED = 1_000_000_000  # far from the seeds of trials, which are those of no network that was chosen
CLEARLY = 0.1  # a candidate whose losses to the leader are as unlikely by chance as this is out of the race
READING = "test_reading_"  # study attributes, numbered
RACE = "race"  # study attribute
N_TRAINED_ON = 1000  # images that a network on all training images is evaluated on, to see that it learns


@dataclass(frozen=True)
class Reading:
    """One reading of the test set, by one network. Recorded before it happens: `accuracy` is None if it was cut off."""

    time: str  # ISO 8601, UTC
    reason: str
    trial: int
    seed: int
    network: str  # which one: other precisions and devices make other networks of a trial and a seed
    n_images: int | None = None
    accuracy: float | None = None
    confusion: tuple[tuple[int, ...], ...] | None = None  # [true class][predicted class] -> images


@dataclass(frozen=True)
class Raced:
    """A candidate in the race. `accuracies`: validation part, last epoch, one a seed; fewer than others' if it lost."""

    trial: int
    accuracies: tuple[float, ...]
    lost: bool


@dataclass(frozen=True)
class Confirmed:
    """A candidate that was trained again on all training images and tested, once a seed."""

    trial: int
    classes: tuple[str, ...]
    readings: tuple[Reading, ...]
    n_train: int
    epochs: int
    made_with: dict[str, Any]

    @property
    def weights(self) -> str:
        """File name, in the study's folder of checkpoints, of the network to hand over: the first seed's."""
        return f"{self.readings[0].network}.pt"

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(reading.seed for reading in self.readings)

    @property
    def accuracy(self) -> Spread:
        """Fractions of the test set, one a seed."""
        return Spread(tuple(reading.accuracy or 0.0 for reading in self.readings))

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % confidence interval of the mean over trainings (Student's t); None for a single one."""
        values = self.accuracy
        if values.std is None:
            return None
        half = float(student.ppf(0.975, len(values.values) - 1)) * values.std / sqrt(len(values.values))
        return values.mean - half, values.mean + half

    def probability(self, target: float) -> float | None:
        """That one more training has at least this accuracy on this test set; None for a single training.

        The predictive distribution of a normal sample: Student's t around its mean, n - 1 degrees of freedom, wider by
        sqrt(1 + 1 / n) than the sample (Geisser 1993, "Predictive Inference", section 2.2).
        """
        values = self.accuracy
        if values.std is None:
            return None
        if values.std == 0:
            return float(values.mean >= target)
        n = len(values.values)
        return float(student.sf((target - values.mean) / (values.std * sqrt(1 + 1 / n)), n - 1))

    @property
    def confusion(self) -> tuple[tuple[int, ...], ...]:
        """[true class][predicted class] -> images, over all seeds together."""
        matrices = [torch.tensor(reading.confusion) for reading in self.readings if reading.confusion is not None]
        return _plain(torch.stack(matrices).sum(0))

    @property
    def class_accuracies(self) -> dict[str, float]:
        """Of each class that has images the fraction that was recognised, over all seeds together."""
        return {
            name: row[i] / sum(row)
            for i, (name, row) in enumerate(zip(self.classes, self.confusion, strict=True))
            if sum(row)
        }

    @property
    def sampling_error(self) -> float:
        """One binomial standard error: what another test set of this size would change."""
        n, p = self.readings[0].n_images or 1, self.accuracy.mean
        return sqrt(p * (1 - p) / n)


OnStage = Callable[[str, Sequence[Training]], None]


def confirm(
    study: optuna.Study,
    dataset: Dataset,
    folder: Path,
    means: Means,
    *,
    top: int = 3,
    n_seeds: int = 5,
    on_stage: OnStage = lambda stage, trainings: None,
    on_epoch: OnEpoch = lambda training, result: None,
) -> Confirmed:
    """Races the study's best `top` candidates, trains the winner on all training images, and tests it.

    `folder` is the study's folder of checkpoints; the confirmed networks are kept there. What was trained is not
    trained again, nor tested again. `on_stage` gets what is about to be trained. Raises `StudyError` without a finished
    trial, `DataError` for other data than the study's.
    """
    for name, value in (("top", top), ("seeds", n_seeds)):
        if value < 1:
            raise InputError(f"{name} must be a whole number above 0, but got {value}")
    terms = terms_of(study)
    if dataset.fingerprint != terms.dataset_fingerprint:
        raise DataError(
            f"a winner is confirmed on the data it was found with, but {terms.dataset} has changed since study "
            f"{study.study_name!r}: give the --data-dir of that time"
        )
    if dataset.reader is None:
        dataset.read_test()  # says what is missing, before hours of training
    finalists = ranked(study)[:top]
    if not finalists:
        raise StudyError(
            f"there must be a finished trial to confirm, but study {study.study_name!r} has none: search on"
        )
    seeds = range(FIRST_SEED, FIRST_SEED + n_seeds)
    winner = finalists[0]
    if len(finalists) > 1:
        winner = race(study, finalists, dataset, seeds, means, on_stage, on_epoch)
    trained = _train_on_everything(winner, dataset, seeds, replace(means, folder=folder), on_stage, on_epoch)
    for each in trained:
        _test(study, winner, each, dataset)
    found = _confirmed(study, winner, dataset, trained)
    study.set_user_attr(f"confirmed_{winner.trial}", _stored(found))
    return found


def confirmations(study: optuna.Study) -> list[Confirmed]:
    """What was confirmed in a study, in the order of trials."""
    attrs = study.user_attrs
    found = sorted((int(name.removeprefix("confirmed_")), name) for name in attrs if name.startswith("confirmed_"))
    return [_restored(attrs[name], readings(study)) for _, name in found]


def readings(study: optuna.Study) -> list[Reading]:
    """Every reading of the test set that this study's candidates took, in order."""
    attrs = study.user_attrs
    return [_reading(attrs[name]) for name in sorted(name for name in attrs if name.startswith(READING))]


def last_race(study: optuna.Study) -> list[Raced]:
    """The last race's candidates, the best mean first; none if there was no race."""
    rows = study.user_attrs.get(RACE, [])
    return [Raced(row["trial"], tuple(row["accuracies"]), row["lost"]) for row in rows]


# The race -------------------------------------------------------------------------------------------------------------


def race(
    study: optuna.Study,
    finalists: Sequence[Record],
    dataset: Dataset,
    seeds: Sequence[int],
    means: Means,
    on_stage: OnStage,
    on_epoch: OnEpoch,
) -> Record:
    """The candidate with the best mean on the validation part, trained on the training part, once a seed."""
    terms = terms_of(study)
    split = datasets.split(dataset, terms.n_validation, terms.split_seed)
    data_name = f"{dataset.fingerprint} split, validated on {terms.n_validation}"
    found: dict[int, list[float]] = {record.trial: [] for record in finalists}
    running = list(finalists)
    for seed in seeds:
        trainings = [_training(record, seed) for record in running]
        on_stage(f"Race, seed {seed - seeds[0] + 1} of {len(seeds)}", trainings)
        for record, trained in zip(running, train_all(trainings, split, data_name, means, on_epoch), strict=True):
            found[record.trial].append(trained.history[-1].validation_accuracy)
        leader = max(running, key=lambda record: sum(found[record.trial]))
        running = [record for record in running if not clearly_loses(found[record.trial], found[leader.trial])]
        if len(running) == 1:
            break
    kept = {record.trial for record in running}
    rows = [Raced(trial, tuple(accuracies), trial not in kept) for trial, accuracies in found.items()]
    rows.sort(key=lambda row: (row.lost, -sum(row.accuracies) / len(row.accuracies)))
    study.set_user_attr(RACE, [asdict(row) for row in rows])
    return next(record for record in finalists if record.trial == rows[0].trial)


def clearly_loses(accuracies: Sequence[float], leaders: Sequence[float]) -> bool:
    """Whether losses as these, seed by seed, are unlikely between equals: one-sided Wilcoxon signed-rank test, exact.

    With three seeds no outcome is that unlikely; four losses of four are.
    """
    losses = [leader - own for own, leader in zip(accuracies, leaders, strict=True)]
    if 0.5 ** len(losses) > CLEARLY or not any(losses):
        return False
    every_sign = PermutationMethod(n_resamples=2 ** min(len(losses), 13))
    result = wilcoxon(losses, alternative="greater", zero_method="zsplit", method=every_sign)
    return bool(result.pvalue <= CLEARLY)


def _training(record: Record, seed: int) -> Training:
    return Training(_candidate(record), seed, f"trial {record.trial}, seed {seed - FIRST_SEED + 1}")


def _candidate(record: Record) -> Candidate:
    assert record.candidate is not None
    return record.candidate


# On everything, and the test ------------------------------------------------------------------------------------------


def _train_on_everything(
    winner: Record, dataset: Dataset, seeds: Sequence[int], means: Means, on_stage: OnStage, on_epoch: OnEpoch
) -> list[Trained]:
    trainings = [_training(winner, seed) for seed in seeds]
    on_stage("All training images", trainings)
    data_name = f"{dataset.fingerprint} all, not validated"
    return train_all(trainings, everything(dataset), data_name, means, on_epoch, keep_weights=True)


def everything(dataset: Dataset) -> Split:
    """All training images to train on; what is evaluated after each epoch are some of them, to see that they learn."""
    mean, std = datasets.normalisation(dataset.images)
    return Split(
        train_images=dataset.images,
        train_labels=dataset.labels,
        validation_images=dataset.images[:N_TRAINED_ON].clone(),
        validation_labels=dataset.labels[:N_TRAINED_ON].clone(),
        mean=mean,
        std=std,
        n_classes=dataset.n_classes,
        image_shape=dataset.image_shape,
    )


def _test(study: optuna.Study, winner: Record, trained: Trained, dataset: Dataset) -> None:
    """Reads the test set for one network, unless that was done before."""
    assert trained.weights is not None
    network = trained.weights.stem
    if any(r.accuracy is not None and r.network == network for r in readings(study)):
        return
    time = datetime.now(UTC).isoformat(timespec="seconds")
    reading = Reading(time, "confirm", winner.trial, trained.training.seed, network)
    name = f"{READING}{len(readings(study)):05d}"
    study.set_user_attr(name, asdict(reading))  # before it happens: a reading that is cut off was one, too
    images, labels = dataset.read_test()
    confusion = confusion_of(_network(trained, dataset), images, labels, dataset.n_classes)
    n = len(labels)
    accuracy = int(confusion.diagonal().sum()) / n
    study.set_user_attr(name, asdict(replace(reading, n_images=n, accuracy=accuracy, confusion=_plain(confusion))))


def _network(trained: Trained, dataset: Dataset) -> Network:
    assert trained.weights is not None
    candidate = trained.training.candidate
    network = Network(candidate.architecture, *datasets.normalisation(dataset.images))
    network.load_state_dict(torch.load(trained.weights, map_location="cpu", weights_only=True)["evaluated"])
    return network.eval()


@torch.no_grad()
def confusion_of(network: Network, images: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    """How often each class, a row, was taken for each, a column: `(n_classes, n_classes)`, in float32."""
    predicted = torch.cat([network(batch).argmax(1) for batch in images.split(EVALUATION_BATCH)])
    return torch.bincount(labels * n_classes + predicted, minlength=n_classes**2).view(n_classes, n_classes)


def _confirmed(study: optuna.Study, winner: Record, dataset: Dataset, trained: Sequence[Trained]) -> Confirmed:
    networks = [each.weights.stem for each in trained if each.weights is not None]
    return Confirmed(
        trial=winner.trial,
        classes=dataset.classes,
        readings=_of_networks(readings(study), networks),
        n_train=len(dataset.labels),
        epochs=trained[0].training.candidate.recipe.epochs,
        made_with=trained[0].made_with,
    )


def _of_networks(all_readings: Sequence[Reading], networks: Sequence[str]) -> tuple[Reading, ...]:
    finished = {reading.network: reading for reading in all_readings if reading.accuracy is not None}
    return tuple(finished[network] for network in networks)


def _stored(found: Confirmed) -> dict[str, Any]:
    """Readings have study attributes of their own."""
    plain = {name: value for name, value in vars(found).items() if name != "readings"}
    return {**plain, "networks": [reading.network for reading in found.readings]}


def _restored(stored: dict[str, Any], all_readings: Sequence[Reading]) -> Confirmed:
    given = {**stored, "classes": tuple(stored["classes"])}
    return Confirmed(readings=_of_networks(all_readings, given.pop("networks")), **given)


def _reading(stored: dict[str, Any]) -> Reading:
    confusion = stored["confusion"]
    return Reading(**{**stored, "confusion": None if confusion is None else tuple(map(tuple, confusion))})


def _plain(matrix: Tensor) -> tuple[tuple[int, ...], ...]:
    return tuple(map(tuple, matrix.tolist()))
