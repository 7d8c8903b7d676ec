"""An exported model trained on, on other pictures: its weights are where the training starts.

The split is that of a search: a validation part is held out of the training images, figures are of the last epoch, and
the test set is not read. Pictures are normalised as the model has learned to see them, with its own numbers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nas import datasets
from nas.datasets import Dataset, Split
from nas.errors import FileInTheWay, InputError
from nas.export.formats import DEFAULT, check_formats, refused_by
from nas.export.frozen import FrozenModel, Provenance
from nas.export.python import definition_in
from nas.export.writing import write
from nas.files import check_writable, slug
from nas.network.architecture import digest_of
from nas.network.heads import with_classes
from nas.replication.batch import Means, OnEpoch, Trained, Training, train_all
from nas.searching.teaching import n_seen_of
from nas.space.candidate import Candidate
from nas.study.terms import short_name
from nas.table import per_cent
from nas.training.checkpoint import read_checkpoint
from nas.training.recipe import Recipe
from nas.training.start import Start, content_of, digest_of_weights
from nas.training.teacher import read

LR_DIVISOR = 10  # of the rate that random weights were trained with: those that are learned are not to be lost
SPLIT_SEED = 0  # as in a search
FINE_TUNED = "fine-tuned from "  # what stands in the place of a study's name
REMEDY = "give the .py file of a model that nas exported"


@dataclass(frozen=True)
class Base:
    """The model to go on from. `stated`: what its file says of the images it was trained on."""

    file: Path
    candidate: Candidate
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    stated: dict[str, Any]
    provenance: dict[str, Any]
    weights: Path
    digest: str


@dataclass(frozen=True)
class FineTuned:
    """What came of it. Accuracies are fractions of the validation part after the last epoch; `float_accuracy` where the
    first one is that of whole numbers of 8 bits. `notes`: what else is to be known, a line each.
    """

    model: Path
    accuracy: float
    float_accuracy: float | None
    n_validation: int
    files: tuple[Path, ...]
    notes: tuple[str, ...]


def fine_tune(
    file: Path,
    dataset: str | Dataset,
    *,
    epochs: int | None = None,
    lr: float | None = None,
    seed: int = 0,
    validation: int | None = None,
    data_dir: Path | None = None,
    means: Means | None = None,
    out: Path = Path("runs"),
    name: str | None = None,
    formats: Sequence[str] = (),
    on_stage: Callable[[str, Sequence[Training]], None] = lambda name, trainings: None,
    on_epoch: OnEpoch = lambda training, result: None,
) -> FineTuned:
    """Trains the model of a file that nas exported on, on a data set of images of the same shape, and exports it.

    With as many classes its head is kept, whatever their names; with others it gets a new one. The recipe is the
    model's, with a tenth of its learning rate unless `lr` is given, and without a teacher's soft labels. An interrupted
    training goes on when it is asked for again; one that is done is not made again.

    Raises `InputError` for a file that is no such model, images of another shape, and validation images that the model
    was trained on; `DataError` for a data set that cannot be read, and `WorkerError` if the training fails.
    """
    check_formats(formats)
    base = base_of(file)
    loaded = dataset if isinstance(dataset, Dataset) else datasets.load(dataset, data_dir)
    split = datasets.split(loaded, validation, SPLIT_SEED)
    _check_images(base, loaded, split)
    headed = with_classes(base.candidate.architecture, loaded.n_classes)
    recipe = _recipe(base.candidate.recipe, epochs, lr)
    wanted = tuple(dict.fromkeys((*DEFAULT, *formats, *(["c"] if recipe.quantised else []))))
    reason = refused_by(headed.architecture, wanted)
    if reason is not None:
        raise InputError(reason)
    check_writable(out)
    split = replace(split, mean=base.mean, std=base.std)
    start = Start(base.weights.resolve(), base.digest, headed.anew)
    training = Training(Candidate(headed.architecture, recipe), seed, base.file.stem, start)
    on_stage(f"Going on from {base.file.name}", [training])
    data_name = (
        f"{loaded.fingerprint} split, validated on {len(split.validation_labels)}, normalised with "
        f"{digest_of({'mean': base.mean, 'std': base.std})}"
    )
    (trained,) = train_all([training], split, data_name, means or Means(), on_epoch, keep_weights=True)
    model = _frozen(base, trained, loaded, split)
    return _written(model, base, split, out, name, wanted, bool(headed.anew))


def base_of(file: Path) -> Base:
    """The model of a file; raises `InputError` where it is none that can be trained on."""
    if file.suffix != ".py":
        raise InputError(f"a model to go on from must be a .py file, but got {file}: {REMEDY}")
    constants = read(file, "a model to go on from", REMEDY).constants
    missing = [name for name in ("WEIGHTS", "MEAN", "STD") if name not in constants]
    if missing:
        raise InputError(f"a model to go on from must be one of nas, but {file} has no {missing[0]}: {REMEDY}")
    weights = file.parent / constants["WEIGHTS"]
    data = content_of(weights)
    definition = definition_in(data)
    if definition is None:
        raise InputError(
            f"a model to go on from must state its network and recipe, but {weights} was written by an earlier version "
            "of nas: export it again with nas export"
        )
    return Base(
        file=file,
        candidate=Candidate(*definition),
        classes=tuple(map(str, constants["CLASSES"])),
        mean=tuple(constants["MEAN"]),
        std=tuple(constants["STD"]),
        stated=dict(constants.get("TRAINED_ON") or {}),
        provenance=dict(constants.get("PROVENANCE") or {}),
        weights=weights,
        digest=digest_of_weights(data),
    )


def _check_images(base: Base, dataset: Dataset, split: Split) -> None:
    shape = base.candidate.architecture.input_shape
    if dataset.image_shape != shape:
        raise InputError(
            f"a model goes on with images of the shape that it takes, {_shape(shape)}, but those of {dataset.name} are "
            f"{_shape(dataset.image_shape)}: bring them to that size and number of channels, or search anew"
        )
    if _is_same_data(base, dataset):
        n_validation = len(split.validation_labels)
        n_seen = n_seen_of(base.stated, dataset, n_validation, SPLIT_SEED)
        if n_seen:
            raise InputError(
                f"images that a model is validated on must be new to it, but {base.file} was trained on {n_seen:,} of "
                f"these {n_validation:,}: give the model of a search, which nas confirm has not trained on all images, "
                "and its --validation"
            )


def _is_same_data(base: Base, dataset: Dataset) -> bool:
    needed = {"fingerprint", "n_held_out", "split_seed"}
    return base.stated.keys() >= needed and base.stated["fingerprint"] == dataset.fingerprint


def _recipe(recipe: Recipe, epochs: int | None, lr: float | None) -> Recipe:
    return replace(
        recipe,
        epochs=recipe.epochs if epochs is None else epochs,
        lr=recipe.lr / LR_DIVISOR if lr is None else lr,
        teacher_weight=0.0,
    )


def _frozen(base: Base, trained: Trained, dataset: Dataset, split: Split) -> FrozenModel:
    assert trained.weights is not None
    last, made_with, candidate = trained.history[-1], trained.made_with, trained.training.candidate
    in_float = last.validation_accuracy if last.float_accuracy is None else last.float_accuracy
    provenance = Provenance(
        dataset=dataset.name,
        study=f"{FINE_TUNED}{base.file.stem}",
        trial=0,
        seed=trained.training.seed,
        validation_accuracy=in_float,
        quantised_accuracy=None if last.float_accuracy is None else last.validation_accuracy,
        n_train=len(split.train_labels),
        n_validation=len(split.validation_labels),
        split_seed=SPLIT_SEED,
        epochs=last.epoch,
        versions=f"nas {made_with['nas']}, torch {made_with['torch']}, Python {made_with['python']}",
        precision=made_with["precision"],
        device=made_with["device"],
        threads=made_with["threads"],
        fingerprint=dataset.fingerprint,
        teacher_certain=_is_same_data(base, dataset) and bool(base.stated.get("certain", True)),
        fine_tuned=_sentences(base, trained, dataset),
    )
    state = read_checkpoint(trained.weights, "delete it, and the same command trains it again")["evaluated"]
    return FrozenModel(
        candidate.architecture, candidate.recipe, base.mean, base.std, dataset.classes, state, provenance
    )


def _sentences(base: Base, trained: Trained, dataset: Dataset) -> str:
    before, start = base.provenance, trained.training.start
    is_of_study = {"trial", "study"} <= before.keys() and not str(before["study"]).startswith(FINE_TUNED)
    made = f", made by trial {before['trial']} of the study {before['study']!r}" if is_of_study else ""
    head = "with a new head" if start is not None and start.anew else "with its head"
    seen = "On which images that was trained its file does not say"
    if "dataset" in base.stated:
        seen = f"That was trained on images of {base.stated['dataset']!r}"
    if not _is_same_data(base, dataset):
        seen += "; whether any of them are among those that figures are about is not known"
    return f"Fine-tuned from the weights of {base.file.stem} (digest {base.digest}){made}, {head}. {seen}."


def _written(
    model: FrozenModel, base: Base, split: Split, out: Path, name: str | None, formats: Sequence[str], new_head: bool
) -> FineTuned:
    made = model.provenance
    stem = name or _name(base, made.dataset)
    for number in range(1, 1000):
        try:
            written = write(
                model,
                stem if number == 1 else f"{stem}_{number}",
                out,
                split.validation_images,
                split.validation_labels,
                training_images=split.train_images,
                formats=formats,
            )
        except FileInTheWay:
            if name is not None:
                raise
            continue
        break
    head = f"a new head for {model.architecture.n_classes} classes" if new_head else "the head that it had"
    note = f"{per_cent(made.ranked_accuracy)} of {made.n_validation:,} validation images right, with {head}."
    in_float = None if made.quantised_accuracy is None else made.validation_accuracy
    notes = (note, *written.notes)
    return FineTuned(written.files[0], made.ranked_accuracy, in_float, made.n_validation, written.files, notes)


def _name(base: Base, dataset: str) -> str:
    """A Python identifier that tells what was trained on with what."""
    return f"{base.file.stem}_on_{slug(short_name(dataset))}".replace("-", "_").replace(".", "_")


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))
