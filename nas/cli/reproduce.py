"""`nas reproduce`."""

from pathlib import Path
from typing import Any

import click

from nas.cli.completion import complete_iterations
from nas.cli.trainings import checked_out, means_of, seeds_of, training_options, write
from nas.progress import working
from nas.space import documented


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
    with working("Loading torch"):
        from nas import datasets
        from nas.replication.reproduction import check_images, planned, table
        from nas.replication.reproduction import reproduce as run_reproduction
        from nas.terminal.console import console, show
        from nas.terminal.trainings_display import TrainingsDisplay

    chosen = [documented.load(name) for name in _expanded(iterations)]
    trained_by, files = means_of(**means), checked_out(out)
    with working(f"Reading {dataset}"):
        images = check_images(datasets.load(dataset, data_dir))
    screen = console()
    with TrainingsDisplay(screen, planned(chosen, seeds_of(seeds))) as display:
        reproduced = run_reproduction(chosen, images, seeds_of(seeds), trained_by, display.epoch)
    tables = [table(reproduced)]
    show(screen, tables)
    write(files, tables, [each.to_dict() for each in reproduced])


def _expanded(names: tuple[str, ...]) -> tuple[str, ...]:
    """`all` is all of them; a name given twice counts once."""
    every = documented.names()
    return tuple(dict.fromkeys(name for each in names for name in (every if each == "all" else [each.upper()])))
