"""`nas search`."""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nas import interruption
from nas.cli.completion import complete_cost, complete_pruner, complete_sampler, complete_study
from nas.cli.going_on import GoesOn
from nas.cli.notifying import notify as run_notified
from nas.cli.notifying import notify_option
from nas.cli.options import (
    Count,
    Duration,
    data_dir_option,
    device_option,
    executor_options,
    precision_option,
    read_config,
    threads_option,
    workers_option,
)
from nas.cli.search_options import (
    budget_of,
    budget_option,
    dataset_option,
    deployment_options,
    limit_options,
    space_option,
)
from nas.export.formats import FORMATS
from nas.network.cost import COSTS
from nas.progress import working
from nas.searching.options import SearchOptions
from nas.study.pruners import PRUNERS
from nas.study.samplers import SAMPLERS

if TYPE_CHECKING:
    from nas.searching.search import SearchResult

TARGET_MISSED = 3


@click.command(cls=GoesOn)
@click.option(
    "--config",
    is_eager=True,
    expose_value=False,
    callback=read_config,
    metavar="FILE",
    help="A study file (TOML) with values for these options.",
)
@budget_option
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
@space_option
@dataset_option
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
@threads_option
@executor_options
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
@click.option(
    "--format",
    "formats",
    type=click.Choice(list(FORMATS)),
    multiple=True,
    help="What else to write the winner as, once or several times; candidates that cannot be are not trained.",
)
@deployment_options
@click.option(
    "--quantised",
    is_flag=True,
    help="Rank candidates in whole numbers of 8 bits, as the exported C computes, and train them for these.",
)
@click.option(
    "--weight-bits",
    type=Count(),
    default=SearchOptions.weight_bits,
    show_default=True,
    metavar="8|4",
    help="Bits of a weight in these whole numbers, with --quantised; of 4 bits two take a byte.",
)
@click.option(
    "--teacher",
    metavar="auto|FILE.py",
    help="Distil: train a larger network first, or take an exported one; its scores are one more term of the loss.",
)
@click.option(
    "--start-from",
    default=SearchOptions.start_from,
    show_default=True,
    metavar="STUDY,...",
    help="What the sampler learns from before the first trial: studies, files of lessons, shipped or nothing.",
)
@limit_options
@click.option("--confirm", "confirming", is_flag=True, help="Then confirm the winner: see nas confirm.")
@notify_option
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON; progress goes to standard error.")
@click.pass_context
def search(ctx: click.Context, /, confirming: bool, notify: str | None, as_json: bool, **settings: Any) -> None:
    """Search for the best network under a budget and hand over the winner.

    Running the same command again continues the study, and so does --study alone. Ends with exit code 0 if the target
    was reached, with 3 if not, with 130 if it was interrupted before.

    \b
    Example:
        nas search --budget 20k --target 0.994 --epochs 20
    """
    budget = budget_of(settings)
    options = SearchOptions(budget, **{name: value for name, value in settings.items() if value is not None})
    # Options that cannot be are refused before anything is loaded that takes long.
    with ExitStack() as getting_ready:
        getting_ready.enter_context(working(f"Loading torch and {options.dataset}"))
        from nas import datasets
        from nas.cli.confirm import as_plain_data as confirmed_as_plain_data
        from nas.replication.confirming import check_test_part, confirm
        from nas.searching.search import search as run_search
        from nas.terminal.console import console, show
        from nas.terminal.search_display import SearchDisplay, show_result
        from nas.terminal.trainings_display import Stages

        if confirming:
            check_test_part(datasets.load(options.dataset, options.data_dir))
        screen = console(stderr=as_json, width=120)
        with SearchDisplay(screen, options, is_ready=getting_ready.close) as display:
            result = run_search(options, on_ready=display.ready, on_event=display.event)
    show_result(screen, options, result, confirming=confirming and result.why_ended != "interrupted")
    data = as_plain_data(result)
    try:
        if confirming and result.best and result.why_ended != "interrupted":
            with Stages(screen) as stages:
                confirmed = confirm(result, on_stage=stages.stage, on_epoch=stages.epoch, on_wait=stages.tell)
            show(screen, confirmed.tables(options.target))
            for line in (f"Confirmed model: {confirmed.model}", *confirmed.notes):
                screen.print(line, soft_wrap=True)
            data["confirmed"] = confirmed_as_plain_data(confirmed, options.target)
    finally:  # what the search reached is told, however its confirmation ends
        if as_json:
            click.echo(json.dumps(data, indent=2))
        run_notified(notify, data)
    ctx.exit(_exit_code(result))


def _exit_code(result: "SearchResult") -> int:
    if result.why_ended == "interrupted" and not result.target_reached:
        return interruption.EXIT_CODE
    return 0 if result.target_reached or result.options.target is None else TARGET_MISSED


def as_plain_data(result: "SearchResult") -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "study": result.study.study_name,
        "ended": result.why_ended,
        "target_reached": result.target_reached,
        "counts": result.counts,
        "best": [record.to_dict() for record in result.best[:5]],
        "model": str(result.model) if result.model is not None else None,
        **({"notes": list(result.notes)} if result.notes else {}),
        **({} if result.teacher is None else {"teacher": result.teacher.to_dict()}),
    }
