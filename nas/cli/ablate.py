"""`nas ablate`."""

from pathlib import Path
from typing import Any

import click

from nas import datasets, documented
from nas.ablation import AXES, as_plain_data, planned, select, table, variants, with_epochs
from nas.ablation import ablate as run_ablation
from nas.cli.completion import complete_axis, complete_iteration
from nas.cli.options import Count
from nas.cli.tables import console, show
from nas.cli.trainings import (
    TrainingsDisplay,
    checked_out,
    means_of,
    seeds_of,
    training_options,
    write,
)
from nas.errors import InputError


@click.command()
@click.argument("iteration", metavar="ID", shell_complete=complete_iteration)
@click.option(
    "--axis",
    shell_complete=complete_axis,
    required=True,
    metavar="|".join(AXES),
    help="What is changed; all else is kept.",
)
@click.option("--value", "values", multiple=True, help="Compare with this value only; can be given several times.")
@click.option("--epochs", type=Count(), help="Train for so many epochs instead of the documented ones.")
@training_options(seeds=5)
def ablate(
    iteration: str,
    axis: str,
    values: tuple[str, ...],
    epochs: int | None,
    seeds: int,
    dataset: str,
    data_dir: Path | None,
    out: Path | None,
    **means: Any,
) -> None:
    """Change one design axis of a documented iteration, train every value with the same seeds, and compare.

    Trains on 50,000 images and validates on 10,000 held out of the training set; the test set is not read. An
    interrupted run goes on when the same command is given again.

    \b
    Example:
        nas ablate A10 --axis batch-norm-order
    """
    original = documented.load(iteration)
    candidate = original.candidate if epochs is None else with_epochs(original.candidate, _checked(epochs))
    compared = select(variants(candidate, axis), values)
    given, files = means_of(**means), checked_out(out)
    images = documented.check_images(datasets.load(dataset, data_dir))
    screen = console()
    with TrainingsDisplay(screen, planned(compared, seeds_of(seeds))) as display:
        ablated = run_ablation(compared, images, seeds_of(seeds), given, display.epoch)
    tables = [table(original.name, axis, ablated)]
    show(screen, tables)
    write(files, tables, as_plain_data(original.name, axis, ablated))


def _checked(epochs: int) -> int:
    if epochs < 1:
        raise InputError(f"epochs must be a whole number above 0, but got {epochs}")
    return epochs
