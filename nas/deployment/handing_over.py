"""What a search and a confirmation end with: their network as files, which are run on the device if there is one."""

from itertools import count
from pathlib import Path
from typing import NamedTuple

import optuna

from nas.datasets.dataset import Dataset
from nas.datasets.splitting import Split
from nas.deployment.deployment import Deployment
from nas.deployment.timing import Run, main_file
from nas.errors import ExportError, FileInTheWay
from nas.export.figures import figure
from nas.export.formats import ON_DEVICES
from nas.export.trials import export_trial
from nas.export.words import visible
from nas.export.writing import Written, add_to_card
from nas.network.cost import COSTS
from nas.study.record import Record
from nas.study.terms import options_of, terms_of

MOST_SAID = 600  # characters of what a command says that are shown


class HandedOver(NamedTuple):
    """The frozen `model`, and what is to be known of it in other formats, a line each."""

    model: Path
    notes: tuple[str, ...]


def hand_over(
    study: optuna.Study,
    winner: Record,
    dataset: Dataset,
    split: Split,
    checkpoints: Path,
    out: Path,
    storage: str,
) -> HandedOver:
    """Writes a winner's frozen model, with its card and the script that trains it again beside it; then in the formats
    that the study's search was told. Where it is timed, it is these files that are timed, as they are.

    Where another model of that name is in the way, as of a study that was removed, it gets a number: hours of work do
    not fail for that, and nothing is lost. Nor do they fail where it cannot be timed: that is said.
    """
    model = _frozen(study, winner, dataset, split, checkpoints, out, storage).files[0]
    deployment = deployment_of(study)
    formats = _formats(study, deployment)
    if not formats:
        return HandedOver(model, ())
    written = export_trial(
        study, winner, dataset, split, checkpoints, out, storage=storage, formats=formats, name=model.stem
    )
    if deployment is None or "latency" not in deployment.tells:
        return HandedOver(model, written.notes)
    return HandedOver(model, (*written.notes, _timed(study, written, deployment, storage)))


def deployment_of(study: optuna.Study) -> Deployment | None:
    """The device that a study's last search was for, whether or not it can be reached from here."""
    options = options_of(study) or {}
    on = options.get("on")
    runs_as = on if on in ON_DEVICES else options.get("for")
    return None if runs_as is None else Deployment(runs_as, on, terms_of(study).weight_bits)


def _formats(study: optuna.Study, deployment: Deployment | None) -> tuple[str, ...]:
    """What it is written as besides py: what it runs as, and what else the last search was told."""
    runs_as = () if deployment is None or deployment.runs_as is None else (deployment.runs_as,)
    return tuple(dict.fromkeys((*runs_as, *(options_of(study) or {}).get("format", ()))))


def _frozen(
    study: optuna.Study, winner: Record, dataset: Dataset, split: Split, checkpoints: Path, out: Path, storage: str
) -> Written:
    for number in count(1):
        try:
            suffix = "" if number == 1 else f"_{number}"
            return export_trial(study, winner, dataset, split, checkpoints, out, storage=storage, suffix=suffix)
        except FileInTheWay:
            continue
    raise AssertionError("numbers do not end")


def _timed(study: optuna.Study, written: Written, deployment: Deployment, storage: str) -> str:
    """Times what was written and says so, here and in the card."""
    assert deployment.runs_as is not None
    file, where = main_file(written.files[0], deployment.runs_as), _where(deployment)
    try:
        run = deployment.run(file, written.model.architecture)
    except ExportError as error:
        return f"{file.name} could NOT be run {where}: {error}."
    timing = run.timing
    how = f"this {file.name}, run {where}: median of {timing.n} rounds from {timing.low:.3g} to {timing.high:.3g} ms"
    add_to_card(written, storage, [figure(COSTS["latency"], timing.median, how)])
    return f"{file.name} was run {where}, and an image takes {timing}{_over(study, run)}.{_said(run)}"


def _where(deployment: Deployment) -> str:
    if deployment.on not in ON_DEVICES:
        return f"by {visible(deployment.on or '')}"
    made = "" if deployment.compiler is None else f", made by {visible(deployment.compiler)}"
    return f"on this machine{made}"


def _over(study: optuna.Study, run: Run) -> str:
    limit = terms_of(study).limits.get("latency")
    return "" if limit is None or run.timing.median <= limit else f", which is over the limit of {limit:g} ms"


def _said(run: Run) -> str:
    return f" It said: {visible(run.said, MOST_SAID)}" if run.said else ""
