"""`nas ablate`."""

from pathlib import Path
from typing import Any

import click

from nas.cli.completion import complete_axis, complete_iteration
from nas.cli.options import Count
from nas.cli.trainings import checked_out, means_of, seeds_of, training_options, write
from nas.errors import InputError
from nas.progress import working
from nas.replication.variants import AXES
from nas.space import documented


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

    Trains on 50,000 images and validates on 10,000 held out of the training set; of the test set, only its
    files' checksums are read. An interrupted run goes on when the same command is given again.

    \b
    Example:
        nas ablate A10 --axis batch-norm-order
    """
    with working("Loading torch"):
        from nas import datasets
        from nas.replication.ablation import ablate as run_ablation
        from nas.replication.ablation import as_plain_data, planned, table
        from nas.replication.reproduction import check_images
        from nas.replication.variants import select, variants, with_epochs
        from nas.terminal.console import console, show
        from nas.terminal.trainings_display import TrainingsDisplay

    original = documented.load(iteration)
    candidate = original.candidate if epochs is None else with_epochs(original.candidate, _checked(epochs))
    compared = select(variants(candidate, axis), values)
    trained_by, files = means_of(**means), checked_out(out)
    with working(f"Reading {dataset}"):
        images = check_images(datasets.load(dataset, data_dir))
    screen = console()
    with TrainingsDisplay(screen, planned(compared, seeds_of(seeds))) as display:
        ablated = run_ablation(compared, images, seeds_of(seeds), trained_by, display.epoch)
    tables = [table(original.name, axis, ablated)]
    show(screen, tables)
    write(files, tables, as_plain_data(original.name, axis, ablated))


def _checked(epochs: int) -> int:
    if epochs < 1:
        raise InputError(f"epochs must be a whole number above 0, but got {epochs}")
    return epochs
