"""How good a winner really is: trained again with fresh seeds, and tested once each, at the very end.

First a race: the best candidates are trained again on the training part, with the same fresh seeds, and compared on the
validation part, seed by seed; who clearly loses gets no more seeds. The winner, the one with the best mean or the
smallest one whose mean has the target, is then trained from scratch on all training images, once a seed. Only those
networks see the test set, each once, after its last epoch, in the arithmetic that counts: float32, or the whole numbers
of 8 bits of the exported C where these were searched for. So the test set chooses nothing: neither
candidate, nor epoch, nor seed. Every reading of it is recorded in the study.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from statistics import fmean

import optuna
import scipy  # its parts are imported when they are used: scipy.stats takes half a second
import torch
from torch import Tensor

from nas import datasets
from nas.datasets.dataset import Dataset, fingerprint
from nas.datasets.splitting import Split
from nas.deployment.handing_over import hand_over
from nas.errors import InputError, StudyError
from nas.execution.placement import Placement
from nas.export.c.learning import whole_numbers_for
from nas.files import check_writable, remove_partial
from nas.network.build import Network
from nas.replication.batch import Batch, Means, OnEpoch, Trained, Training, train_all
from nas.searching.options import SearchOptions
from nas.searching.search import SearchResult
from nas.space.candidate import Candidate
from nas.study.confirmation import (
    CLEARLY,
    Confirmed,
    Raced,
    Reading,
    of_networks,
    readings,
    store_confirmed,
    store_race,
    store_reading,
)
from nas.study.data import data_of
from nas.study.folders import TRAININGS
from nas.study.locks import sole_confirmer
from nas.study.opening import find_study
from nas.study.record import Record, ranked
from nas.study.storage import OnWait, checkpoint_folder, open_storage, runs_folder
from nas.study.teacher import find_teacher, taught_by
from nas.study.terms import target_of, terms_of
from nas.training.run import EVALUATION_BATCH

FIRST_SEED = 1_000_000_000  # far from the seeds of trials, which are those of no network that was chosen
OnStage = Callable[[str, Sequence[Training]], None]


def confirm(
    search: SearchResult | str | None = None,
    *,
    storage: str | None = None,
    top: int = 3,
    seeds: int = 5,
    workers: int | None = None,
    placement: Placement | None = None,
    device: str | None = None,
    precision: str | None = None,
    data_dir: Path | None = None,
    out: Path | None = None,
    teacher: Path | None = None,
    on_stage: OnStage | None = None,
    on_epoch: OnEpoch | None = None,
    on_wait: OnWait | None = None,
) -> Confirmed:
    """Races a search's best `top` candidates, trains the winner `seeds` times on all training images, and tests it.

    `search` is a result of `nas.search`, whose options for storage, data and device then hold unless told otherwise, or
    the name of a study in `storage`; the one begun last unless told. What was trained is not trained again, nor tested
    again. A study with a teacher uses the same one, from its file, or from `teacher` where that was moved; it has been
    trained already, and not on more images than the search had.

    `on_stage` gets what is about to be trained; nothing where these are tested. `on_wait` hears in words that the
    database is locked or away, which is waited for. The network of the first seed is exported to `out`, in the formats
    that the search was told, and timed where its candidates were. Raises `StudyError` without a finished trial or the
    study's teacher, `DataError` for other data than the study's or data without a test part, and `InputError` for a
    folder that cannot be written to, before anything is trained; `WorkerError` if a training fails.
    """
    for option, value in (("top", top), ("seeds", seeds)):
        if value < 1:
            raise InputError(f"{option} must be a whole number above 0, but got {value}")
    on_stage, on_epoch = on_stage or _ignore, on_epoch or _ignore
    options = search.options if isinstance(search, SearchResult) else SearchOptions()
    name = search.study.study_name if isinstance(search, SearchResult) else search
    url, data_dir, out = storage or options.storage, data_dir or options.data_dir, out or options.out
    database = open_storage(url, must_exist=True, on_wait=on_wait or _ignore)
    study = find_study(database, name)
    folder = checkpoint_folder(database, study.study_name)
    means = Means(
        workers=options.workers if workers is None else workers,
        device=device or options.device,
        precision=precision or options.precision,
        placement=placement or options.placement,
        folder=runs_folder(database) / TRAININGS.name,
        teacher=find_teacher(study, runs_folder(database), teacher),
    )
    dataset, split = data_of(study, data_dir)
    check_test_part(dataset)
    check_writable(out)
    finalists = ranked(study)[:top]
    if not finalists:
        raise StudyError(
            f"there must be a finished trial to confirm, but study {study.study_name!r} has none: search on"
        )
    fresh = range(FIRST_SEED, FIRST_SEED + seeds)
    with sole_confirmer(database, study.study_name):
        remove_partial(folder)
        raced: Sequence[Raced] = ()
        if len(finalists) > 1:
            data_name = f"{dataset.fingerprint} split, validated on {len(split.validation_labels)}"
            raced = race(study, finalists, split, data_name, fresh, means, on_stage, on_epoch)
            finalists = [record for record in finalists if record.trial == raced[0].trial]
        trained = _train_on_everything(finalists[0], dataset, fresh, replace(means, folder=folder), on_stage, on_epoch)
        on_stage("Reading the test set, and writing the network", ())
        _test(study, finalists[0], trained, dataset)
        confirmed = _confirmed(study, finalists[0], dataset, trained, raced)
        store_confirmed(study, confirmed)
        model, notes = hand_over(study, finalists[0], dataset, split, folder, out, url)
    return replace(confirmed, model=model, notes=notes)


def _ignore(*what: object) -> None:
    """Nobody watches."""


def check_test_part(dataset: Dataset) -> None:
    """Raises `DataError` for data without a test part: better now than after hours of training."""
    if dataset.reader is None:
        dataset.read_test()


# The race -------------------------------------------------------------------------------------------------------------


def race(
    study: optuna.Study,
    finalists: Sequence[Record],
    split: Split,
    data_name: str,
    seeds: Sequence[int],
    means: Means,
    on_stage: OnStage,
    on_epoch: OnEpoch,
) -> list[Raced]:
    """Who has the best mean on the validation part, trained on the training part once a seed; the winner first.

    Where the study looks for the smallest network, the winner is the smallest one whose mean has the target, and who
    clearly misses that is out.
    """
    accuracies: dict[int, list[float]] = {record.trial: [] for record in finalists}
    running, goal, budget = list(finalists), terms_of(study).goal, terms_of(study).limits
    n_images = len(split.validation_labels)

    def worth(record: Record) -> float:
        assert record.cost is not None
        return goal.value(fmean(accuracies[record.trial]), record.cost, budget)

    with Batch(split, data_name, means, most=len(finalists)) as batch:
        for seed in seeds:
            trainings = [_training(record, seed) for record in running]
            on_stage(f"Race, seed {seed - seeds[0] + 1} of {len(seeds)}", trainings)
            for record, trained in zip(running, batch.train(trainings, on_epoch), strict=True):
                accuracies[record.trial].append(trained.history[-1].validation_accuracy)
            leader = max(running, key=worth)
            bar = accuracies[leader.trial] if goal.target is None else [goal.target] * len(accuracies[leader.trial])
            running = [
                each for each in running if each is leader or not clearly_loses(accuracies[each.trial], bar, n_images)
            ]
            if len(running) == 1:
                break
    ranking = sorted(finalists, key=lambda record: (record not in running, -worth(record)))
    rows = [Raced(each.trial, tuple(accuracies[each.trial]), each not in running) for each in ranking]
    store_race(study, rows)
    return rows


def clearly_loses(accuracies: Sequence[float], leaders: Sequence[float], n_images: int) -> bool:
    """Whether losses as these, seed by seed, are unlikely between equals: one-sided Wilcoxon signed-rank test, exact.

    What is ranked are whole images of the `n_images` that accuracies are fractions of: differences of fractions that
    are equal differ in their last digit, and would not be ties. A leader may be a target, which is had by the first
    number of images that is not below it. With three seeds no outcome is that unlikely; four losses of four are.
    """
    counts = [
        (round(own * n_images), ceil(leader * n_images - 1e-6)) for own, leader in zip(accuracies, leaders, strict=True)
    ]
    losses = [leader - own for own, leader in counts]
    if 0.5 ** len(losses) > CLEARLY or not any(losses):
        return False
    every_sign = scipy.stats.PermutationMethod(n_resamples=2 ** min(len(losses), 13))
    result = scipy.stats.wilcoxon(losses, alternative="greater", zero_method="zsplit", method=every_sign)
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
    return train_all(trainings, datasets.everything(dataset), data_name, means, on_epoch, keep_weights=True)


def _test(study: optuna.Study, winner: Record, trained: Sequence[Trained], dataset: Dataset) -> None:
    """Has each network read the test set, unless it did before; a set with other images or labels is another one.

    Where all have read these very files, none is opened but for its checksum.
    """
    checksum = dataset.test_checksum()
    done = {r.network for r in readings(study) if r.accuracy is not None and r.checksum == checksum}
    if all(each.weights is not None and each.weights.stem in done for each in trained):
        return
    images, labels = dataset.read_test()
    test_set = fingerprint(images, labels)
    read = {r.network for r in readings(study) if r.accuracy is not None and r.test_set == test_set}
    for each in trained:
        assert each.weights is not None
        if each.weights.stem in read:
            continue
        network, recipe = _network(each, dataset), each.training.candidate.recipe
        time = datetime.now(UTC).isoformat(timespec="seconds")
        reading = Reading(
            time, "confirm", winner.trial, each.training.seed, each.weights.stem, test_set, checksum=checksum
        )
        number = store_reading(study, reading)  # before it happens: a reading that is cut off was one, too
        predicted = predictions_of(network, images)
        in_float = int((predicted == labels).sum()) / len(labels) if recipe.quantised else None
        if recipe.quantised:
            predicted = _in_whole_numbers(each, network, dataset, images)
        confusion = confusion_of(predicted, labels, dataset.n_classes)
        complete = replace(
            reading,
            n_images=len(labels),
            accuracy=int(confusion.diagonal().sum()) / len(labels),
            float_accuracy=in_float,
            confusion=_plain(confusion),
        )
        store_reading(study, complete, number)


def _network(trained: Trained, dataset: Dataset) -> Network:
    assert trained.weights is not None
    candidate = trained.training.candidate
    network = Network(candidate.architecture, *datasets.normalisation(dataset.images))
    network.load_state_dict(torch.load(trained.weights, map_location="cpu", weights_only=True)["evaluated"])
    return network.eval()


@torch.no_grad()
def predictions_of(network: Network, images: Tensor) -> Tensor:
    """The class that a network gives each image, in float32."""
    return torch.cat([network(batch).argmax(1) for batch in images.split(EVALUATION_BATCH)])


def _in_whole_numbers(trained: Trained, network: Network, dataset: Dataset, images: Tensor) -> Tensor:
    """The class that the exported C gives each image."""
    candidate = trained.training.candidate
    quantiser, data = whole_numbers_for(candidate.recipe), datasets.everything(dataset)
    assert quantiser is not None
    return quantiser.scores(candidate.architecture, network, data, images).argmax(1)


def confusion_of(predicted: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    """How often each class, a row, was taken for each, a column: `(n_classes, n_classes)`."""
    return torch.bincount(labels * n_classes + predicted, minlength=n_classes**2).view(n_classes, n_classes)


def _confirmed(
    study: optuna.Study, winner: Record, dataset: Dataset, trained: Sequence[Trained], raced: Sequence[Raced]
) -> Confirmed:
    networks = [each.weights.stem for each in trained if each.weights is not None]
    teacher = taught_by(study, winner.candidate)
    return Confirmed(
        trial=winner.trial,
        classes=dataset.classes,
        readings=of_networks(readings(study), networks),
        n_train=len(dataset.labels),
        epochs=trained[0].training.candidate.recipe.epochs,
        weight_bits=trained[0].training.candidate.recipe.effective().weight_bits,
        made_with=trained[0].made_with,
        history=tuple(result.validation_accuracy for result in trained[0].history),
        race=tuple(raced),
        n_readings=len(readings(study)),
        target=target_of(study),
        teacher="" if teacher is None else teacher.sentences,
    )


def _plain(matrix: Tensor) -> tuple[tuple[int, ...], ...]:
    return tuple(map(tuple, matrix.tolist()))
