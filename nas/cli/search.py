"""`nas search`."""

import json
from pathlib import Path
from typing import Any

import click

from nas import datasets
from nas import space as spaces
from nas.cli.completion import (
    complete_cost,
    complete_dataset,
    complete_pruner,
    complete_sampler,
    complete_space,
    complete_study,
)
from nas.cli.confirm import Stages
from nas.cli.confirm import as_plain_data as confirmed_as_plain_data
from nas.cli.display import SearchDisplay, show_result
from nas.cli.options import (
    Count,
    Duration,
    data_dir_option,
    device_option,
    precision_option,
    read_config,
    workers_option,
)
from nas.cli.tables import console, show
from nas.confirm import check_test_part, confirm
from nas.goal import COSTS
from nas.search import SearchOptions, SearchResult
from nas.search import search as run_search
from nas.study import PRUNERS, SAMPLERS

TARGET_MISSED = 3


@click.command()
@click.option(
    "--config",
    is_eager=True,
    expose_value=False,
    callback=read_config,
    metavar="FILE",
    help="A study file (TOML) with values for these options.",
)
@click.option(
    "--budget",
    type=Count(),
    default=SearchOptions.budget,
    show_default=True,
    help="Most parameters a network may have; 20k means 20000.",
)
@click.option("--target", type=float, help="Stop at this validation accuracy, a fraction such as 0.994.")
@click.option(
    "--minimize",
    shell_complete=complete_cost,
    metavar="|".join(COSTS),
    help="Look for the network that has --target with the fewest of these, until --trials or --timeout.",
)
@click.option(
    "--epochs", type=Count(), default=SearchOptions.epochs, show_default=True, help="Epochs a candidate is trained."
)
@click.option("--trials", type=Count(), help="Stop after so many trained candidates, of the whole study.")
@click.option("--timeout", type=Duration(), help="Stop after this time, such as 45m or 2h.")
@click.option(
    "--space",
    shell_complete=complete_space,
    default=SearchOptions.space,
    show_default=True,
    metavar="NAME|FILE.py",
    help="Search space: " + ", ".join(spaces.names()) + ", or a file of your own.",
)
@click.option(
    "--dataset",
    shell_complete=complete_dataset,
    default=SearchOptions.dataset,
    show_default=True,
    metavar="NAME",
    help="Data set: " + ", ".join(datasets.names()) + ", folder:PATH or npz:PATH.",
)
@data_dir_option
@click.option("--validation", type=Count(), help="Images to hold out of the training set; a sixth unless told.")
@click.option(
    "--sampler",
    shell_complete=complete_sampler,
    default=SearchOptions.sampler,
    show_default=True,
    metavar="|".join(SAMPLERS),
    help="Who suggests candidates.",
)
@click.option(
    "--pruner",
    shell_complete=complete_pruner,
    default=SearchOptions.pruner,
    show_default=True,
    metavar="|".join(PRUNERS),
    help="Who stops hopeless ones early.",
)
@click.option("--seed", type=Count(), default=SearchOptions.seed, show_default=True, help="Seed of the whole study.")
@workers_option
@device_option
@precision_option
@click.option(
    "--storage",
    default=SearchOptions.storage,
    show_default=True,
    metavar="URL",
    help="Database: an SQLAlchemy URL or the path of an SQLite file.",
)
@click.option(
    "--study", shell_complete=complete_study, help="Name of the study; made from the other options unless told."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=SearchOptions.out,
    show_default=True,
    help="Folder for the winner's frozen model.",
)
@click.option("--max-macs", type=Count(), help="Most multiply-accumulates for one image.")
@click.option("--max-memory", type=Count(), help="Most bytes of float32 activations at once for one image.")
@click.option("--max-bytes", type=Count(), help="Most bytes of float32 weights.")
@click.option("--confirm", "confirming", is_flag=True, help="Then confirm the winner: see nas confirm.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON; progress goes to standard error.")
@click.pass_context
def search(ctx: click.Context, /, confirming: bool, as_json: bool, **settings: Any) -> None:
    """Search for the best network under a budget and hand over the winner.

    Running the same command again continues the study. Ends with exit code 0 if the target was reached, with 3 if not.

    \b
    Example:
        nas search --budget 20k --target 0.994 --epochs 20
    """
    options = SearchOptions(**{name: value for name, value in settings.items() if value is not None})
    if confirming:
        check_test_part(datasets.load(options.dataset, options.data_dir))
    screen = console(stderr=as_json, width=120)
    with SearchDisplay(screen, options) as display:
        result = run_search(options, on_ready=display.ready, on_event=display.event)
    show_result(screen, options, result)
    data = as_plain_data(result)
    try:
        if confirming and result.best and result.why_ended != "interrupted":
            with Stages(screen) as stages:
                found = confirm(result, on_stage=stages.stage, on_epoch=stages.epoch)
            show(screen, found.tables(options.target))
            screen.print(f"Confirmed model: {found.model}", soft_wrap=True)
            data["confirmed"] = confirmed_as_plain_data(found, options.target)
    finally:  # what the search found is told, however its confirmation ends
        if as_json:
            click.echo(json.dumps(data, indent=2))
    ctx.exit(0 if result.target_reached or options.target is None else TARGET_MISSED)


def as_plain_data(result: SearchResult) -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "study": result.study.study_name,
        "ended": result.why_ended,
        "target_reached": result.target_reached,
        "counts": result.counts,
        "best": [record.to_dict() for record in result.best[:5]],
        "model": str(result.model) if result.model is not None else None,
    }
