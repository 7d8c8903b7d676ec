"""`nas confirm`."""

import json
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import click
from rich.console import Console

from nas.cli.options import (
    Count,
    data_dir_option,
    device_option,
    precision_option,
    storage_option,
    study_option,
    workers_option,
)
from nas.cli.tables import console, show
from nas.cli.trainings import TrainingsDisplay
from nas.confirm import confirm as run_confirm
from nas.confirmed import Confirmed
from nas.search import check_target
from nas.study import RUNS
from nas.training import EpochResult
from nas.trainings import Training


@click.command()
@study_option
@storage_option
@click.option("--top", type=Count(), default=3, show_default=True, help="How many of the best race for it.")
@click.option("--seeds", type=Count(), default=5, show_default=True, help="Fresh trainings of each.")
@click.option("--target", type=float, help="Tell the chance of this test accuracy; that of the search unless told.")
@workers_option
@device_option
@precision_option
@data_dir_option
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
    seed, and each of these networks reads the test set once. An interrupted run goes on when the same command is given
    again; nothing is trained or tested twice.

    \b
    Example:
        nas confirm --top 3 --seeds 5
    """
    check_target(target)
    screen = console(stderr=as_json)
    with Stages(screen) as stages:
        found = run_confirm(
            study_name, storage=storage, top=top, seeds=seeds, on_stage=stages.stage, on_epoch=stages.epoch, **means
        )
    show(screen, found.tables(target))
    screen.print(f"Model: {found.model}", soft_wrap=True)
    if as_json:
        click.echo(json.dumps(as_plain_data(found, target), indent=2))


class Stages:
    """Follows the trainings of one stage after the other."""

    def __init__(self, screen: Console) -> None:
        self._screen = screen
        self._display: TrainingsDisplay | None = None

    def __enter__(self) -> "Stages":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._display is not None:
            self._display.__exit__(kind, error, trace)

    def stage(self, name: str, trainings: Sequence[Training]) -> None:
        """These are about to be trained."""
        self.__exit__(None, None, None)
        self._screen.print(f"{name}: {len(trainings)} training{'s' * (len(trainings) > 1)}.")
        self._display = TrainingsDisplay(self._screen, trainings).__enter__()

    def epoch(self, training: Training, result: EpochResult) -> None:
        """An epoch is done, now or in an earlier run."""
        assert self._display is not None
        self._display.epoch(training, result)


def as_plain_data(found: Confirmed, target: float | None) -> dict[str, Any]:
    """What `--json` prints."""
    target = target or found.target
    return {
        "model": str(found.model),
        "trial": found.trial,
        "test_accuracy": found.accuracy.values,
        "mean": found.accuracy.mean,
        "standard_deviation": found.accuracy.std,
        "interval_95": found.interval,
        "chance_of_target": None if target is None else found.probability(target),
        "class_accuracies": found.class_accuracies,
        "confusion": found.confusion,
        "race": [vars(row) for row in found.race],
        "n_test_readings": found.n_readings,
    }
