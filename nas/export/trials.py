"""From a study's trial to its frozen model."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna

from nas import datasets
from nas.datasets.dataset import Dataset
from nas.datasets.framing import framing_of
from nas.datasets.splitting import Split
from nas.errors import ExportError
from nas.export.figures import IN_BITS, IN_FLOAT, Figure, of_costs, of_test
from nas.export.formats import DEFAULT
from nas.export.frozen import FrozenModel, Provenance
from nas.export.writing import Written, write
from nas.network.cost import COSTS, cost_of
from nas.study.confirmation import Confirmed, confirmation_of
from nas.study.record import Record
from nas.study.storage import runs_folder_of
from nas.study.teacher import taught_by
from nas.study.terms import terms_of
from nas.table import per_cent_range, plural
from nas.training.checkpoint import checkpoint_path, read_checkpoint


def export_trial(
    study: optuna.Study,
    record: Record,
    dataset: Dataset,
    split: Split,
    checkpoints: Path,
    out: Path,
    *,
    storage: str | None = None,
    formats: Sequence[str] = DEFAULT,
    name: str | None = None,
    suffix: str = "",
    force: bool = False,
) -> Written:
    """Writes a finished trial in the formats asked for, checked on the validation part.

    A confirmed one is written as it was confirmed: trained on all training images; some of these check it, and others
    calibrate it.

    `checkpoints` is the folder with the study's weights, `storage` the URL of its database; `suffix` ends the name.
    """
    confirmed = confirmation_of(study, record.trial)
    training_images = split.train_images
    if confirmed is not None:
        split = datasets.everything(dataset)
        training_images = dataset.images[~datasets.shown(dataset)]
    model = frozen_model(study, record, confirmed, dataset, split, checkpoints)
    teacher = taught_by(study, record.candidate)
    name = (name or model_name(dataset.name, record) + ("_confirmed" if confirmed else "")) + suffix
    return write(
        model,
        name,
        out,
        split.validation_images,
        split.validation_labels,
        training_images=training_images,
        storage=storage,
        teacher=None if teacher is None or storage is None else runs_folder_of(storage) / teacher.file,
        formats=formats,
        force=force,
    )


def check_weights(records: Sequence[Record], checkpoints: Path) -> None:
    """Raises `ExportError` or `StudyError` unless the weights of finished trials are there, and whole."""
    for record in records:
        _stored(checkpoint_path(checkpoints, record.trial), record, None)


def frozen_model(
    study: optuna.Study,
    record: Record,
    confirmed: Confirmed | None,
    dataset: Dataset,
    split: Split,
    checkpoints: Path,
) -> FrozenModel:
    """A finished trial with its weights, or those of its confirmation, and how its figure was made.

    `split` is the study's, or all training images for a confirmed one.
    """
    if not record.finished or record.candidate is None or record.accuracy is None or record.seed is None:
        raise ExportError(
            f"only a finished trial has a model, but trial {record.trial} is {record.outcome}: choose another"
        )
    weights = checkpoint_path(checkpoints, record.trial) if confirmed is None else checkpoints / confirmed.weights
    stored = _stored(weights, record, confirmed)
    ranked = record.accuracy if confirmed is None else confirmed.history[-1]
    in_float = stored["history"][-1].get("float_accuracy") if stored["history"] else None
    made_with = record.made_with if confirmed is None else confirmed.made_with
    teacher = taught_by(study, record.candidate)
    provenance = Provenance(
        dataset=dataset.name,
        study=study.study_name,
        trial=record.trial,
        seed=record.seed if confirmed is None else confirmed.seeds[0],
        validation_accuracy=ranked if in_float is None else in_float,
        quantised_accuracy=None if in_float is None else ranked,
        n_train=len(split.train_labels),
        n_validation=len(split.validation_labels),
        split_seed=terms_of(study).split_seed,
        epochs=record.epochs,
        versions=f"nas {made_with['nas']}, torch {made_with['torch']}, Python {made_with['python']}",
        precision=made_with["precision"],
        device=made_with["device"],
        threads=made_with["threads"],
        confirmed="" if confirmed is None else confirmed.sentences(),
        fingerprint=dataset.fingerprint,
        teacher="" if teacher is None else teacher.sentences,
        teacher_certain=teacher is None or teacher.certain,
    )
    return FrozenModel(
        architecture=record.candidate.architecture,
        recipe=record.candidate.recipe,
        mean=split.mean,
        std=split.std,
        classes=dataset.classes,
        state=stored["evaluated"],
        provenance=provenance,
        framing=framing_of(dataset.images),
        further=tuple((each.label, each.value, each.how) for each in [*_further(study, record), *_tested(confirmed)]),
    )


def _further(study: optuna.Study, record: Record) -> list[Figure]:
    """What the search found out before the training, of where the network was to run."""
    terms = terms_of(study)
    predicted = f"predicted in the search, for {terms.deployment} with {terms.compiler or 'no compiler'}"
    how = {name: predicted for name, kind in COSTS.items() if kind.had == "predicted"}
    if record.timing is not None:
        low, high = record.timing["low"], record.timing["high"]
        how["latency"] = (
            f"{terms.deployment}: median of {record.timing['n']} rounds from {low:.3g} to {high:.3g} ms, before it was "
            "trained"
        )
    return of_costs(record.cost or {}, how)


def _tested(confirmed: Confirmed | None) -> list[Figure]:
    """What the test set says of the network of the first seed, which is the one that is handed over, and of others."""
    if confirmed is None:
        return []
    first, in_float = confirmed.readings[0], confirmed.float_accuracy
    trainings = plural(len(confirmed.seeds), "training")
    spread = "" if confirmed.interval is None else f", 95 % interval of the mean {per_cent_range(confirmed.interval)}"
    mean = f"{trainings}: {confirmed.accuracy.per_cent()} %{spread}"
    counted = [(IN_FLOAT if in_float is None else IN_BITS[confirmed.weight_bits], first.accuracy, mean)]
    if in_float is not None:
        counted.append((IN_FLOAT, first.float_accuracy, f"{trainings}: {in_float.per_cent()} %"))
    n = first.n_images or 1
    return [of_test(label, round((accuracy or 0.0) * n), n, others) for label, accuracy, others in counted]


def model_name(dataset: str, record: Record) -> str:
    """A Python identifier that tells the data set, the size and the trial."""
    assert record.candidate is not None
    params = cost_of(record.candidate.architecture).params
    stem = re.sub(r"\W+", "_", Path(dataset.split(":", 1)[-1]).stem, flags=re.ASCII).strip("_").lower()
    return f"{stem if stem[:1].isalpha() else f'model_{stem}'}_{params}_trial_{record.trial}"


def _stored(path: Path, record: Record, confirmed: Confirmed | None) -> dict[str, Any]:
    """What was written of a training behind its last epoch."""
    remedy = "restore it from a copy, or choose another trial"
    if confirmed is not None:
        remedy = "delete it if it is there, and nas confirm trains the same network again"
    if not path.exists():
        raise ExportError(
            f"the weights of trial {record.trial} must lie in {path}, but there is no such file: {remedy}"
        )
    return read_checkpoint(path, remedy)
