"""The command line: one module a command, each thin: read options, call the library, print."""

import sys
from collections.abc import Sequence

import click
import optuna

from nas import __version__
from nas.cli.ablate import ablate
from nas.cli.check import check
from nas.cli.completion import completion
from nas.cli.confirm import confirm
from nas.cli.dashboard import dashboard
from nas.cli.data import data
from nas.cli.export import export
from nas.cli.pareto import pareto
from nas.cli.report import report
from nas.cli.reproduce import reproduce
from nas.cli.retrain import retrain
from nas.cli.search import search
from nas.cli.show import show
from nas.cli.status import status
from nas.cli.trials import trials
from nas.errors import NasError

BAD_INPUT = 2
INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="nas")
def cli() -> None:
    """Find the best small image classifier under a hard parameter budget.

    \b
    Example:
        nas search --budget 20k --target 0.994 --epochs 20
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)


cli.add_command(search)
cli.add_command(confirm)
cli.add_command(status)
cli.add_command(trials)
cli.add_command(show)
cli.add_command(dashboard)
cli.add_command(export)
cli.add_command(report)
cli.add_command(pareto)
cli.add_command(check)
cli.add_command(data)
cli.add_command(reproduce)
cli.add_command(retrain)
cli.add_command(ablate)
cli.add_command(completion)


def main(args: Sequence[str] | None = None) -> None:
    """Runs a command and ends the process; whatever is wrong with the input is one line and exit code 2."""
    try:
        code = cli.main(args, prog_name="nas", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as help_text:
        click.echo(help_text.format_message())
        sys.exit(BAD_INPUT)
    except click.ClickException as error:
        _complain(error.format_message())
    except NasError as error:
        _complain(str(error))
    except (click.Abort, KeyboardInterrupt):
        sys.exit(INTERRUPTED)
    else:
        sys.exit(code if isinstance(code, int) else 0)


def _complain(message: str) -> None:
    click.echo("nas: " + " ".join(message.split()), err=True)
    sys.exit(BAD_INPUT)
