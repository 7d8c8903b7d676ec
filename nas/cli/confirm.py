"""`nas confirm`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import optuna
from rich.console import Console

from nas import datasets
from nas.cli.options import Count
from nas.cli.trainings import TrainingsDisplay, console, means_of, show
from nas.confirm import Confirmed, last_race, readings
from nas.confirm import confirm as run_confirm
from nas.report.confirmed import confirmed_table, race_table
from nas.study import (
    DEFAULT_STORAGE,
    checkpoint_folder,
    find_study,
    open_storage,
    runs_folder,
    sole_controller,
    terms_of,
)
from nas.training import EpochResult
from nas.trainings import Means, Training


@click.command()
@click.option("--study", "study_name", help="Name of the study; the one begun last unless told.")
@click.option("--storage", default=DEFAULT_STORAGE, show_default=True, metavar="URL", help="Database of the study.")
@click.option("--top", type=Count(), default=3, show_default=True, help="How many of the best race for it.")
@click.option("--seeds", type=Count(), default=5, show_default=True, help="Fresh trainings of each.")
@click.option("--target", type=float, help="Tell the chance that a fresh training has this test accuracy.")
@click.option("--workers", type=Count(), help="Worker processes; as many as cores unless told.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@click.option("--precision", default="auto", show_default=True, help="auto, float32 or bfloat16.")
@click.option(
    "--data-dir", type=click.Path(path_type=Path), help="Where data sets lie; else NAS_DATA_DIR, else the cache."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON; progress goes to standard error.")
def confirm(
    study_name: str | None,
    storage: str,
    top: int,
    seeds: int,
    target: float | None,
    data_dir: Path | None,
    as_json: bool,
    **means: Any,
) -> None:
    """Train a study's best candidates again with fresh seeds, and test the winner of that race.

    The race is decided on the validation part. Its winner is then trained from scratch on all training images, once a
    seed, and each of these networks reads the test set once. An interrupted run goes on when the same command is given
    again; nothing is trained or tested twice.

    \b
    Example:
        nas confirm --top 3 --seeds 5
    """
    database = open_storage(storage, must_exist=True)
    study = find_study(database, study_name)
    given = means_of(trainings=runs_folder(database) / "trainings", **means)
    screen = console(stderr=as_json)
    folder = checkpoint_folder(database, study.study_name)
    with sole_controller(folder, study.study_name):
        found = confirm_with_progress(study, folder, given, screen, top=top, seeds=seeds, data_dir=data_dir)
    show_confirmed(screen, study, found, target)
    if as_json:
        click.echo(json.dumps(as_plain_data(study, found, target), indent=2))


def confirm_with_progress(
    study: optuna.Study, folder: Path, means: Means, screen: Console, *, top: int, seeds: int, data_dir: Path | None
) -> Confirmed:
    """As `nas.confirm.confirm`, with a line or a bar for what is going on."""
    display: TrainingsDisplay | None = None

    def on_stage(stage: str, trainings: Sequence[Training]) -> None:
        nonlocal display
        if display is not None:
            display.__exit__(None, None, None)
        screen.print(f"{stage}: {len(trainings)} training{'s' * (len(trainings) > 1)}.")
        display = TrainingsDisplay(screen, trainings).__enter__()

    def on_epoch(training: Training, result: EpochResult) -> None:
        assert display is not None
        display.epoch(training, result)

    dataset = datasets.load(terms_of(study).dataset, data_dir)
    try:
        return run_confirm(study, dataset, folder, means, top=top, n_seeds=seeds, on_stage=on_stage, on_epoch=on_epoch)
    except KeyboardInterrupt:
        screen.print("Interrupted: what was trained is kept. The same command goes on.")
        raise
    finally:
        if display is not None:
            display.__exit__(None, None, None)


def show_confirmed(screen: Console, study: optuna.Study, found: Confirmed, target: float | None) -> None:
    """The race, if there was one, and what is now known of its winner."""
    tables = [confirmed_table(found, target, len(readings(study)))]
    show(screen, [race_table(study), *tables] if last_race(study) else tables)


def as_plain_data(study: optuna.Study, found: Confirmed, target: float | None) -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "study": study.study_name,
        "trial": found.trial,
        "test_accuracy": found.accuracy.values,
        "mean": found.accuracy.mean,
        "standard_deviation": found.accuracy.std,
        "interval_95": found.interval,
        "chance_of_target": None if target is None else found.probability(target),
        "class_accuracies": found.class_accuracies,
        "confusion": found.confusion,
        "race": [vars(row) for row in last_race(study)],
        "test_readings": [{"time": r.time, "reason": r.reason, "trial": r.trial} for r in readings(study)],
    }
