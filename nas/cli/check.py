"""`nas check`."""

import json
from typing import TYPE_CHECKING, Any

import click

from nas.cli.options import (
    Count,
    data_dir_option,
    device_option,
    precision_option,
    workers_option,
)
from nas.cli.search_options import budget_of, budget_option, dataset_option, limit_options, space_option
from nas.network.cost import cost_of
from nas.progress import working
from nas.searching.options import SearchOptions
from nas.table import per_cent, plural

if TYPE_CHECKING:
    from nas.datasets import Split
    from nas.searching.forecast import Check

TIMING = "Training a typical candidate for three epochs of a few images"


@click.command()
@budget_option
@space_option
@dataset_option
@data_dir_option
@click.option("--epochs", type=Count(), default=SearchOptions.epochs, show_default=True, help="Epochs of a training.")
@click.option("--trials", type=Count(), default=100, show_default=True, help="Trained candidates of the search.")
@workers_option
@device_option
@precision_option
@limit_options
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def check(as_json: bool, **settings: Any) -> None:
    """Tell what a budget leaves of a search space and how long a search would take, without training anything.

    \b
    Example:
        nas check --budget 2k --space documented
    """
    budget = budget_of(settings)
    options = SearchOptions(budget, **{name: value for name, value in settings.items() if value is not None})
    with working(f"Counting random candidates of {options.space}"):
        from nas import datasets
        from nas.searching.forecast import check as run_check
        from nas.searching.forecast import seconds_per_epoch, table
        from nas.space import finding as spaces
        from nas.space.candidate import Task
        from nas.terminal.console import console, show, tell
        from nas.training.device import resolve_device, resolve_precision

        device = resolve_device(options.device)
        precision = resolve_precision(options.precision, device)
        space = spaces.load(options.space)
        split = datasets.split(datasets.load(options.dataset, options.data_dir))
        task = Task(split.image_shape, split.n_classes, options.epochs, options.limits)
        checked = run_check(space, task)
    if as_json:
        seconds = None
        if checked.feasible:
            with working(TIMING):
                seconds = seconds_per_epoch(checked.typical, split, options.n_workers, device, precision)
        click.echo(json.dumps(as_plain_data(checked, options, seconds), indent=2))
        return
    screen = console()
    for line in _feasibility(checked, options):
        tell(screen, line)
    if not checked.feasible:
        return
    show(screen, [table(checked)])
    with working(TIMING):
        seconds = seconds_per_epoch(checked.typical, split, options.n_workers, device, precision)
    for line in _duration(checked, options, split, seconds):
        tell(screen, line)


def as_plain_data(checked: "Check", options: SearchOptions, seconds: float | None) -> dict[str, Any]:
    """What `--json` prints; shares are fractions, times are in seconds."""
    from nas.searching.forecast import halved_epochs

    total = None if seconds is None else (options.trials or 0) * seconds / options.n_workers
    return {
        "space": options.space,
        "limits": options.limits.limits,
        "feasible_share": checked.feasible_share,
        "smallest": checked.smallest.params,
        "largest": checked.largest,
        "shares": checked.shares(),
        "seconds_an_epoch": seconds,
        "seconds_with_pruner": None if total is None else total * halved_epochs(options.epochs),
        "seconds_without_pruner": None if total is None else total * options.epochs,
    }


def _feasibility(checked: "Check", options: SearchOptions) -> list[str]:
    from nas.searching.forecast import N_RANDOM
    from nas.searching.referee import MOST_UNTRAINED_IN_A_ROW

    rest = "" if checked.feasible_share == 1 else " The others would be rejected, which costs next to nothing."
    if not checked.feasible:
        rest = (
            " There is one that is, but a search would have to find it; it ends after "
            f"{MOST_UNTRAINED_IN_A_ROW:,} trials in a row without a training."
        )
    lines = [
        f"Space {options.space!r} under {options.limits}: {per_cent(checked.feasible_share, 1)} of random candidates "
        f"are feasible.{rest}",
        f"Smallest candidate: {checked.smallest.params:,} parameters. Largest of {N_RANDOM:,} random ones: "
        f"{checked.largest:,}.",
    ]
    if checked.feasible:
        kind, how_often, share = checked.dearest()
        lines.append(
            f"What eats the budget: the dearest layer is most often of the kind '{kind}', in "
            f"{per_cent(how_often, 0)} of the feasible candidates, and has {per_cent(share, 0)} of their parameters."
        )
    return lines


def _duration(checked: "Check", options: SearchOptions, split: "Split", seconds: float) -> list[str]:
    from nas.searching.forecast import halved_epochs

    cost, recipe = cost_of(checked.typical.architecture), checked.typical.recipe
    total = (options.trials or 0) * seconds / options.n_workers
    return [
        f"An epoch of a typical candidate ({cost.macs:,} multiply-accumulates an image, batches of "
        f"{recipe.batch_size}) on {len(split.train_images):,} images takes about {seconds:.1f} s here, "
        f"{options.n_workers} at a time.",
        f"A search of {plural(options.trials or 0, 'candidate')} and {plural(options.epochs, 'epoch')}: about "
        f"{_words(total * halved_epochs(options.epochs))} with the default pruner, "
        f"{_words(total * options.epochs)} without pruning; less if it reaches a target earlier.",
    ]


def _words(seconds: float) -> str:
    for unit, size in (("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
