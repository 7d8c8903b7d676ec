"""The command line: one module a command, each thin: read options, call the library, print.

A command's module is loaded when it is the one that runs, and what it calls when it runs: `--help` and a TAB answer at
once. So a module here imports at its top what its options need, and the library within its function.
"""

import gc
import logging
import os
import sys
from collections.abc import Sequence
from importlib import import_module

import click
from click.shell_completion import CompletionItem

from nas.cli.encoding import write_what_can_be_written
from nas.errors import NasError
from nas.files import NO_ROOM
from nas.interruption import end_interrupted
from nas.version import __version__

BAD_INPUT = 2
INTERRUPTED = 130
# By what one does, each with the beginning of its help, which `nas --help` shows without loading it.
GROUPS = {
    "Search": {
        "check": (
            "Tell what a budget leaves of a search space and how long a search would take, without training anything."
        ),
        "init": "Write a search space of your own to begin with, annotated, to FILE.",
        "data": "List and fetch data sets.",
        "search": "Search for the best network under a budget and hand over the winner.",
        "confirm": "Train a study's best candidates again with fresh seeds, and test the winner of that race.",
        "studies": "List, compare, delete, rename and copy studies, and take them along in a file.",
    },
    "Look": {
        "status": "Tell where studies stand, also while they are being searched from elsewhere.",
        "trials": "List the trials of a study: outcome, accuracy, cost, network and recipe.",
        "show": "Show one TRIAL: its layers, its cost against the budget, its learning curve, and how it was made.",
        "pareto": "Print the Pareto front of accuracy against size: the candidates that no smaller one beats.",
        "report": "Write a study as one HTML page that needs no network: what was found, figures, every trial.",
        "dashboard": "Show studies in the browser with optuna-dashboard, until Ctrl-C.",
    },
    "Take along": {
        "export": "Write trained candidates as frozen models, in one or more formats.",
        "predict": "Tell which class each IMAGE is of, by an exported MODEL: its .py, .onnx or .c file.",
    },
    "Understand": {
        "retrain": (
            "Train a study's trial again and compare the digits, or go on from an exported model on other pictures."
        ),
        "reproduce": (
            "Train documented iterations as their documents say, and show documented and measured figures side by side."
        ),
        "ablate": (
            "Change one design axis of a documented iteration, train every value with the same seeds, and compare."
        ),
    },
    "Set up": {
        "completion": "Print the script that completes commands, options and their values in a SHELL.",
    },
}
COMMANDS = {name: text for group in GROUPS.values() for name, text in group.items()}


class _Commands(click.Group):
    """Loads a command when it is asked for: `nas.cli.NAME` has a function of that name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"nas.cli.{cmd_name}"), cmd_name)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands, and what helps to tell them apart, without loading them; options as click completes them."""
        commands = [CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)]
        return [*sorted(commands, key=lambda item: item.value), *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        longest = max(map(len, COMMANDS))
        for title, group in GROUPS.items():
            with formatter.section(title):
                unloaded = [click.Command(name, help=text) for name, text in group.items()]
                width = formatter.width - 6 - longest
                rows = [(str(each.name).ljust(longest), each.get_short_help_str(width)) for each in unloaded]
                formatter.write_dl(rows)


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="nas")
def cli() -> None:
    """Find the best small image classifier under a hard parameter budget.

    \b
    Example:
        nas search --budget 20k --target 0.994 --epochs 20
    """
    import optuna

    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)  # tells of connections that Ctrl-C has closed
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def main(args: Sequence[str] | None = None) -> None:
    """Runs a command and ends the process; whatever is wrong with the input is one line and exit code 2."""
    # Loading makes many objects and frees none: looking for garbage all the while takes a tenth of a short command.
    gc.set_threshold(50_000, 20, 20)
    write_what_can_be_written()
    try:
        code = cli.main(args, prog_name="nas", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as help_text:
        click.echo(help_text.format_message())
        sys.exit(BAD_INPUT)
    except click.ClickException as error:
        _complain(error.format_message())
    except NasError as error:
        _complain(str(error))
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what cannot be written would be tried again
        _complain(
            f"there must be room for what is written, but {error.filename or 'where the output goes'} has none "
            f"({error.strerror}): make some, and run the same command again to go on"
        )
    except (click.Abort, KeyboardInterrupt) as error:
        end_interrupted(error)
    else:
        sys.exit(code if isinstance(code, int) else 0)


def _complain(message: str) -> None:
    click.echo("nas: " + " ".join(message.split()), err=True)
    sys.exit(BAD_INPUT)
