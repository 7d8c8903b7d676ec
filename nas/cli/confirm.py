"""`nas confirm`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nas.cli.options import (
    Count,
    data_dir_option,
    device_option,
    executor_options,
    placement_of,
    precision_option,
    storage_option,
    study_option,
    teacher_file_option,
    workers_option,
)
from nas.files import RUNS
from nas.progress import working
from nas.searching.options import check_target

if TYPE_CHECKING:
    from nas.study.confirmation import Confirmed


@click.command()
@study_option
@storage_option
@click.option("--top", type=Count(), default=3, show_default=True, help="How many of the best race for it.")
@click.option("--seeds", type=Count(), default=5, show_default=True, help="Fresh trainings of each.")
@click.option("--target", type=float, help="Tell the chance of this test accuracy; that of the search unless told.")
@workers_option
@executor_options
@device_option
@precision_option
@data_dir_option
@teacher_file_option
@click.option(
    "--out", type=click.Path(path_type=Path), default=RUNS, show_default=True, help="Folder for the confirmed model."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON; progress goes to standard error.")
def confirm(
    study_name: str | None,
    storage: str,
    top: int,
    seeds: int,
    target: float | None,
    as_json: bool,
    **means: Any,
) -> None:
    """Train a study's best candidates again with fresh seeds, and test the winner of that race.

    The race is decided on the validation part. Its winner is then trained from scratch on all training images, once a
    seed, and each of these networks reads the test set once. The first of them is written in the formats of the search,
    and timed where its candidates were. An interrupted run goes on when the same command is given again; nothing is
    trained or tested twice. Where all is done already, only the checksum of the test files is read.

    \b
    Example:
        nas confirm --top 3 --seeds 5
    """
    check_target(target)
    placement = placement_of(means)
    with working("Loading torch"):
        from nas.replication.confirming import confirm as run_confirm
        from nas.terminal.console import console, show
        from nas.terminal.trainings_display import Stages

    screen = console(stderr=as_json)
    with Stages(screen) as stages:
        confirmed = run_confirm(
            study_name,
            storage=storage,
            top=top,
            seeds=seeds,
            placement=placement,
            on_stage=stages.stage,
            on_epoch=stages.epoch,
            on_wait=stages.tell,
            **means,
        )
    show(screen, confirmed.tables(target))
    for line in (f"Model: {confirmed.model}", *confirmed.notes):
        screen.print(line, soft_wrap=True)
    if as_json:
        click.echo(json.dumps(as_plain_data(confirmed, target), indent=2))


def as_plain_data(confirmed: "Confirmed", target: float | None) -> dict[str, Any]:
    """What `--json` prints."""
    target = target or confirmed.target
    return {
        "model": str(confirmed.model),
        **({"notes": list(confirmed.notes)} if confirmed.notes else {}),
        "trial": confirmed.trial,
        "test_accuracy": confirmed.accuracy.values,
        "mean": confirmed.accuracy.mean,
        "standard_deviation": confirmed.accuracy.std,
        "interval_95": confirmed.interval,
        "chance_of_target": None if target is None else confirmed.probability(target),
        "class_accuracies": confirmed.class_accuracies,
        "confusion": confirmed.confusion,
        "race": [vars(row) for row in confirmed.race],
        **({} if confirmed.float_accuracy is None else {"float_test_accuracy": confirmed.float_accuracy.values}),
        "n_test_readings": confirmed.n_readings,
        **({"teacher": confirmed.teacher} if confirmed.teacher else {}),
    }
