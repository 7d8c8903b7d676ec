"""`nas check`."""

from typing import Any

import click

from nas import datasets
from nas import space as spaces
from nas.check import N_RANDOM, Check, halved_epochs, seconds_per_epoch, table
from nas.check import check as run_check
from nas.cli.completion import complete_dataset, complete_space
from nas.cli.options import Count, data_dir_option, device_option, precision_option, workers_option
from nas.cli.tables import console, show
from nas.cost import cost_of
from nas.datasets import Split
from nas.execution import n_cores
from nas.search import MOST_UNTRAINED_IN_A_ROW, SearchOptions
from nas.training import resolve_device, resolve_precision


@click.command()
@click.option(
    "--budget",
    type=Count(),
    default=SearchOptions.budget,
    show_default=True,
    help="Most parameters a network may have.",
)
@click.option(
    "--space",
    shell_complete=complete_space,
    default=SearchOptions.space,
    show_default=True,
    metavar="NAME|FILE.py",
    help="Search space.",
)
@click.option(
    "--dataset",
    shell_complete=complete_dataset,
    default=SearchOptions.dataset,
    show_default=True,
    metavar="NAME",
    help="Data set.",
)
@data_dir_option
@click.option("--epochs", type=Count(), default=SearchOptions.epochs, show_default=True, help="Epochs of a training.")
@click.option("--trials", type=Count(), default=100, show_default=True, help="Trained candidates of the search.")
@workers_option
@device_option
@precision_option
@click.option("--max-macs", type=Count(), help="Most multiply-accumulates for one image.")
@click.option("--max-memory", type=Count(), help="Most bytes of float32 activations at once for one image.")
@click.option("--max-bytes", type=Count(), help="Most bytes of float32 weights.")
def check(**settings: Any) -> None:
    """Tell what a budget leaves of a search space and how long a search would take, without training anything.

    \b
    Example:
        nas check --budget 2k --space documented
    """
    options = SearchOptions(**{name: value for name, value in settings.items() if value is not None})
    device = resolve_device(options.device)
    precision = resolve_precision(options.precision, device)
    space = spaces.load(options.space)
    split = datasets.split(datasets.load(options.dataset, options.data_dir))
    task = spaces.Task(split.image_shape, split.n_classes, options.epochs, options.limits)
    found = run_check(space, task)
    screen = console()
    for line in _feasibility(found, options):
        screen.print(line, soft_wrap=True)
    if not found.feasible:
        return
    show(screen, [table(found)])
    n_threads = max(1, n_cores() // options.workers)
    seconds = seconds_per_epoch(found.typical, split, options.workers, n_threads, device, precision)
    for line in _duration(found, options, split, seconds):
        screen.print(line, soft_wrap=True)


def _feasibility(found: Check, options: SearchOptions) -> list[str]:
    rest = "" if found.feasible_share == 1 else " The others would be rejected, which costs next to nothing."
    if not found.feasible:
        rest = (
            " There is one that is, but a search would have to find it; it ends after "
            f"{MOST_UNTRAINED_IN_A_ROW:,} trials in a row without a training."
        )
    lines = [
        f"Space {options.space!r} under {options.limits}: {found.feasible_share:.1%} of random candidates are feasible."
        f"{rest}",
        f"Smallest candidate: {found.smallest.params:,} parameters. Largest of {N_RANDOM:,} random ones: "
        f"{found.largest:,}.",
    ]
    if found.feasible:
        kind, how_often, share = found.dearest()
        lines.append(
            f"What eats the budget: the dearest layer is most often of the kind '{kind}', in {how_often:.0%} of the "
            f"feasible candidates, and has {share:.0%} of their parameters."
        )
    return lines


def _duration(found: Check, options: SearchOptions, split: Split, seconds: float) -> list[str]:
    cost, recipe = cost_of(found.typical.architecture), found.typical.recipe
    total = (options.trials or 0) * seconds / options.workers
    return [
        f"An epoch of a typical candidate ({cost.macs:,} multiply-accumulates an image, batches of "
        f"{recipe.batch_size}) on {len(split.train_images):,} images takes about {seconds:.1f} s here, "
        f"{options.workers} at a time.",
        f"A search of {options.trials} candidates and {options.epochs} epochs: about "
        f"{_words(total * halved_epochs(options.epochs))} with the default pruner, "
        f"{_words(total * options.epochs)} without pruning; less if it reaches a target earlier.",
    ]


def _words(seconds: float) -> str:
    for unit, size in (("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
