"""The teacher that a search was asked for: whether a file may be one, and how the automatic one is trained."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from nas import shipped
from nas.datasets import Dataset, Split
from nas.datasets.splitting import held_out
from nas.errors import InputError
from nas.network.architecture import digest_of
from nas.network.cost import Budget
from nas.searching.options import AUTO, SearchOptions
from nas.space import finding as spaces
from nas.study.record import Record
from nas.study.teacher import StudyTeacher, as_stored
from nas.study.terms import short_name
from nas.table import plural
from nas.training.run import evaluate
from nas.training.teacher import REMEDY, Content, Teacher, read

LEAST_EPOCHS = 5  # of the automatic teacher, however short the search's own trainings are
FOLDER = "teachers"  # beside the database
UNSTATED = "What the teacher was trained on its file does not say: it may have seen images that figures are about."


@dataclass(frozen=True)
class Asked:
    """What a search was told of a teacher. `name` and `digest` are terms of its study.

    `content` is that of a file; the automatic one has none until it is trained, in the study `auto`.
    """

    name: str
    digest: str
    file: Path | None = None
    content: Content | None = None
    auto: str | None = None


def asked_for(options: SearchOptions, dataset: Dataset, split: Split, split_seed: int) -> Asked | None:
    """The teacher that the options name; None for none.

    Raises `InputError` for a file that cannot be a teacher for these images, or has seen those of the validation part.
    """
    if options.teacher is None:
        return None
    if options.teacher != AUTO:
        file = Path(options.teacher).expanduser()
        content = read(file)
        check(file, content, dataset)
        trained_on(file, content, dataset, split, split_seed)
        return Asked(file.stem, content.digest, file, content)
    digest = digest_of(
        {
            "space": spaces.load(shipped.teacher()).digest,
            "dataset": dataset.fingerprint,
            "n_validation": len(split.validation_labels),
            "split_seed": split_seed,
            "epochs": teachers_epochs(options),
        }
    )
    return Asked(AUTO, digest, auto=f"teacher-{short_name(options.dataset)}-{digest[:8]}")


def teachers_epochs(options: SearchOptions) -> int:
    """As many as a candidate has, but not so few that it could not teach."""
    return max(options.epochs, LEAST_EPOCHS)


def teachers_options(options: SearchOptions, study: str, timeout: float | None, runs: Path) -> SearchOptions:
    """The search that trains the automatic teacher: one candidate, no limit, and a study of its own."""
    return SearchOptions(
        Budget(),
        epochs=teachers_epochs(options),
        trials=1,
        timeout=timeout,
        space=str(shipped.teacher()),
        dataset=options.dataset,
        data_dir=options.data_dir,
        validation=options.validation,
        sampler="random",
        pruner="none",
        workers=options.workers,  # one of them works, with as many threads as for a candidate
        threads=options.threads,
        ray_address=options.ray_address,
        gpus_per_candidate=options.gpus_per_candidate,
        device=options.device,
        precision=options.precision,
        storage=options.storage,
        study=study,
        out=runs / FOLDER,
        executor=options.executor,
    )


def check(file: Path, content: Content, dataset: Dataset) -> None:
    """Raises `InputError` unless its classes are those of the data set, and it gives a score for each of them."""
    classes = tuple(map(str, content.constants["CLASSES"]))
    if classes != dataset.classes:
        raise InputError(
            f"a teacher must know the classes of {dataset.name}, {_few(dataset.classes)}, in this order, but {file} "
            f"knows {_few(classes)}: {REMEDY}"
        )
    stated = content.constants.get("TRAINED_ON") or {}
    shape = tuple(stated.get("image_shape", dataset.image_shape))
    n_channels = len(content.constants.get("MEAN", [None] * dataset.image_shape[0]))
    if shape != dataset.image_shape or n_channels != dataset.image_shape[0]:
        takes = "×".join(map(str, shape)) if stated else f"images of {plural(n_channels, 'channel')}"
        raise InputError(
            f"a teacher must take the images of {dataset.name}, {_shape(dataset)}, but {file} takes {takes}: {REMEDY}"
        )
    images, wanted = dataset.images[:2], (min(2, len(dataset.images)), dataset.n_classes)
    try:
        with torch.no_grad():
            scores = content.network(images)
            of_floats = content.network(images / 255)  # what it gets in a training, whose images are augmented
    except Exception as error:  # what torch raises has no common base
        reason = " ".join(str(error).split())
        raise InputError(
            f"a teacher must take the images of {dataset.name}, {_shape(dataset)}, but {file} raised "
            f"{type(error).__name__}: {reason}: {REMEDY}"
        ) from error
    if not isinstance(scores, torch.Tensor) or tuple(scores.shape) != wanted or not scores.isfinite().all():
        given = tuple(scores.shape) if isinstance(scores, torch.Tensor) else type(scores).__name__
        raise InputError(
            f"a teacher must give a finite score a class, {wanted}, for images of {_shape(dataset)}, but {file} gave "
            f"{given}: {REMEDY}"
        )
    if not torch.allclose(scores, of_floats, rtol=1e-3, atol=1e-3):
        raise InputError(
            f"a teacher must take images of 0 to 255 and of 0 to 1 alike, as models of nas do, but {file} gives other "
            f"scores for the one than for the other: {REMEDY}"
        )


def trained_on(file: Path, content: Content, dataset: Dataset, split: Split, split_seed: int) -> tuple[str, bool]:
    """What a file states of the images it was trained on, in a sentence, and whether that is certain and harmless.

    Raises `InputError` where images of the validation part are known to be among them.
    """
    stated: Mapping[str, Any] = content.constants.get("TRAINED_ON") or {}
    confirmed = (content.constants.get("PROVENANCE") or {}).get("confirmed")
    n_validation = len(split.validation_labels)
    rule = "a teacher must not have seen the images of the validation part, which candidates are compared on"
    if not stated and confirmed:
        raise InputError(
            f"{rule}, but {file} was trained on all training images, and of which data set it does not say: "
            "export it again with nas export, or give --teacher auto"
        )
    if not stated.keys() >= {"fingerprint", "n_train", "n_held_out", "split_seed"}:
        return UNSTATED, False
    if stated.get("fingerprint") != dataset.fingerprint:
        return (
            f"The teacher was trained on another data set, {stated.get('dataset')!r}; whether images that figures are "
            "about are among those its file does not say."
        ), False
    n_seen = n_seen_of(stated, dataset, n_validation, split_seed)
    if n_seen:
        raise InputError(
            f"{rule}, but {file} was trained on {n_seen:,} of these {n_validation:,}, since it held out "
            f"{stated['n_held_out']:,}: give a model of a search with --validation {n_validation}, or --teacher auto"
        )
    if not stated.get("certain", True):
        return (
            "The teacher was distilled or fine-tuned itself, from one whose training images are not known: these may "
            "be images that figures are about."
        ), False
    return (
        f"The teacher was trained on the training part of the search alone ({stated['n_train']:,} images), never on "
        "images of the validation part or the test set."
    ), True


def n_seen_of(stated: Mapping[str, Any], dataset: Dataset, n_validation: int, split_seed: int) -> int:
    """How many images of a validation part a model was trained on that states it was trained on this data set."""
    seen = held_out(dataset, n_validation, split_seed)
    if stated["n_held_out"]:
        seen &= ~held_out(dataset, stated["n_held_out"], stated["split_seed"])
    return int(seen.sum())


def described(
    file: Path, content: Content, dataset: Dataset, split: Split, split_seed: int, runs: Path
) -> tuple[Teacher, StudyTeacher]:
    """A teacher to train with, and what is to be stored of it; `runs` is the folder of the study's database."""
    sentence, certain = trained_on(file, content, dataset, split, split_seed)
    _, accuracy = evaluate(content.network, split.validation_images, split.validation_labels)
    stored = StudyTeacher(
        name=file.stem,
        file=as_stored(file, runs),
        digest=content.digest,
        params=content.params,
        accuracy=accuracy,
        trained_on=sentence,
        certain=certain,
    )
    return Teacher(file.resolve(), content.digest), stored


def with_cost(teacher: StudyTeacher, study: str, record: Record, seconds: float) -> StudyTeacher:
    """What is stored of the automatic teacher, with what its training took."""
    return replace(teacher, study=study, epochs=record.epochs, seconds=seconds)


def _few(classes: tuple[str, ...]) -> str:
    shown = ", ".join(classes[:10])
    return f"{shown}, … ({len(classes)} in all)" if len(classes) > 10 else shown


def _shape(dataset: Dataset) -> str:
    return "×".join(map(str, dataset.image_shape))
