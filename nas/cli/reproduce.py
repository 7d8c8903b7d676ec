"""`nas reproduce`."""

from pathlib import Path
from typing import Any

import click

from nas import datasets, documented
from nas.cli.completion import complete_iterations
from nas.cli.tables import console, show
from nas.cli.trainings import (
    TrainingsDisplay,
    checked_out,
    means_of,
    seeds_of,
    training_options,
    write,
)
from nas.reproduction import planned, table
from nas.reproduction import reproduce as run_reproduction


@click.command()
@click.argument("iterations", nargs=-1, required=True, metavar="ID ...|all", shell_complete=complete_iterations)
@training_options(seeds=3)
def reproduce(
    iterations: tuple[str, ...], seeds: int, dataset: str, data_dir: Path | None, out: Path | None, **means: Any
) -> None:
    """Train documented iterations as their documents say, and show documented and measured figures side by side.

    ID is one of A1 to A10 and B1 to B5. The test set is read after each epoch, as the documents did, so its best epoch
    flatters. An interrupted run goes on when the same command is given again.

    \b
    Example:
        nas reproduce A10 B5 --seeds 3
    """
    chosen = [documented.load(name) for name in _expanded(iterations)]
    given, files = means_of(**means), checked_out(out)
    images = documented.check_images(datasets.load(dataset, data_dir))
    screen = console()
    with TrainingsDisplay(screen, planned(chosen, seeds_of(seeds))) as display:
        reproduced = run_reproduction(chosen, images, seeds_of(seeds), given, display.epoch)
    tables = [table(reproduced)]
    show(screen, tables)
    write(files, tables, [each.to_dict() for each in reproduced])


def _expanded(names: tuple[str, ...]) -> tuple[str, ...]:
    """`all` is all of them; a name given twice counts once."""
    every = documented.names()
    return tuple(dict.fromkeys(name for given in names for name in (every if given == "all" else [given.upper()])))
