"""`nas pareto`."""

import json
from pathlib import Path

import click

from nas.cli.completion import complete_study
from nas.cli.options import storage_option
from nas.network.cost import COSTS


@click.command()
@click.argument("studies", nargs=-1, metavar="[STUDY ...]", shell_complete=complete_study)
@storage_option
@click.option("--by", type=click.Choice(list(COSTS)), default="params", show_default=True, help="What the size is.")
@click.option(
    "--plot", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Draw it as well, as an HTML page."
)
@click.option("--json", "as_json", is_flag=True, help="Print the front as JSON.")
def pareto(studies: tuple[str, ...], storage: str, by: str, plot: Path | None, as_json: bool) -> None:
    """Print the Pareto front of accuracy against size: the candidates that no smaller one beats.

    Of the study begun last, or of the STUDIES named, together. Accuracies are those of the validation part. For MNIST
    the documented iterations are shown too, whose accuracies are best epochs on the test set.

    \b
    Example:
        nas pareto --by macs --plot front.html
    """
    from nas.report.front import documented_table, front_of, table
    from nas.study.opening import find_study
    from nas.study.storage import open_storage
    from nas.terminal.console import console, show

    database = open_storage(storage, must_exist=True)
    front = front_of([find_study(database, name) for name in dict.fromkeys(studies) or (None,)], by)
    tables = [table(front), *([documented_table(front)] if front.documented else [])]
    if plot is not None:
        from nas.report.page import front_page, write

        write(front_page(front), plot)
    if as_json:
        click.echo(json.dumps(front.to_dict(), indent=2))
        return
    show(console(), tables)
    if plot is not None:
        click.echo(f"Plot: {plot}")
