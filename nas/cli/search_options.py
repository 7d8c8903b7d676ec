"""Options of the commands that look at a space under a budget: limits, space, data set."""

from collections.abc import Callable
from typing import Any

import click

from nas import datasets
from nas.cli.completion import complete_dataset, complete_space
from nas.cli.options import Bytes, Count, Milliseconds
from nas.datasets.schemes import FORMS_IN_WORDS
from nas.export.formats import ON_DEVICES
from nas.network.cost import COSTS, Budget
from nas.searching.options import SearchOptions
from nas.space import finding as spaces

Command = Callable[..., Any]
TYPES: dict[str, Callable[[], click.ParamType[Any]]] = {"count": Count, "bytes": Bytes, "milliseconds": Milliseconds}


class SpaceOption(click.Option):
    """An option whose help names the spaces there are, looked up when it is shown, since that may fail."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """As click's, with the names in the place of `NAMES`."""
        text, self.help = self.help, (self.help or "").replace("NAMES", ", ".join(spaces.names()))
        try:
            return super().get_help_record(ctx)
        finally:
            self.help = text


def limit_options(command: Command) -> Command:
    """An option for a limit on every cost there is but parameters; `budget_of` puts them together with --budget."""
    for kind in reversed(COSTS.values()):
        if kind.name != "params":
            command = click.option(f"--{kind.option}", type=TYPES[kind.quantity](), help=kind.help)(command)
    return command


def deployment_options(command: Command) -> Command:
    """Where a network will run: what limits on flash, RAM and latency are of."""
    for option in (
        click.option(
            "--on",
            metavar=f"{'|'.join(ON_DEVICES)}|COMMAND",
            help="Time each candidate before it is trained: here, or by a command that gets the file and prints ms.",
        ),
        click.option(
            "--for",
            "runs_as",
            type=click.Choice(list(ON_DEVICES)),
            help="What it will run as: --format, and what --max-flash and --max-ram are of. C is that of CC, else cc.",
        ),
    ):
        command = option(command)
    return command


def budget_of(settings: dict[str, Any]) -> Budget:
    """The limits among a command's options, which are taken out of these; raises `InputError`."""
    return Budget(**{kind.name: settings.pop(kind.option.replace("-", "_")) for kind in COSTS.values()})


budget_option = click.option(
    f"--{COSTS['params'].option}",
    type=Count(),
    default=SearchOptions.budget,
    show_default=True,
    help=COSTS["params"].help,
)
space_option = click.option(
    "--space",
    cls=SpaceOption,
    shell_complete=complete_space,
    default=SearchOptions.space,
    show_default=True,
    metavar="NAME|FILE.py",
    help="Search space: NAMES, or a file of your own.",
)
dataset_option = click.option(
    "--dataset",
    shell_complete=complete_dataset,
    default=SearchOptions.dataset,
    show_default=True,
    metavar="NAME",
    help=f"Data set: {', '.join(datasets.names())}, {FORMS_IN_WORDS}.",
)
