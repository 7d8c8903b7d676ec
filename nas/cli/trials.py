"""`nas trials`."""

import csv
import io
import json
from typing import Any

import click

from nas.cli.options import storage_option, study_option
from nas.study.listing import SORTED_BY, columns_of
from nas.study.trial import OUTCOMES

LONG = ("network", "training")
WIDE = 120  # characters
GAP, EDGE = 3, 1  # characters besides texts: of each column two blanks and what is between two; of the whole


@click.command()
@study_option
@click.option("--outcome", "outcomes", type=click.Choice(OUTCOMES), multiple=True, help="Only trials that ended so.")
@click.option("--sort", type=click.Choice(SORTED_BY), default="trial", show_default=True, help="The first comes first.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV for a spreadsheet or pandas.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of records.")
@storage_option
def trials(
    study_name: str | None, outcomes: tuple[str, ...], sort: str, as_csv: bool, as_json: bool, storage: str
) -> None:
    """List the trials of a study: outcome, accuracy, cost, network and recipe.

    Accuracies are fractions in CSV and JSON. Sorted by accuracy, the best comes first; by params, the smallest.

    \b
    Example:
        nas trials --outcome finished --sort accuracy
        nas trials --csv
    """
    if as_csv and as_json:
        raise click.UsageError("give either --csv or --json, but got both")
    from nas.study.listing import listed
    from nas.study.locks import is_searched
    from nas.study.opening import find_study
    from nas.study.storage import open_storage

    database = open_storage(storage, must_exist=True)
    study = find_study(database, study_name)
    rows = listed(study, outcomes, sort, is_searched(database, study.study_name))
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    elif as_csv:
        click.echo(_csv(rows), nl=False)
    else:
        _show(rows)


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns_of(rows), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _show(rows: list[dict[str, Any]]) -> None:
    """One line a trial: what does not fit of the network and the recipe is cut off, in a narrow terminal all of it.

    A terminal that is too narrow for the figures gets the first of them: each stands whole or not at all.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from nas.study.listing import shown_rows
    from nas.terminal.console import console, show_lines

    screen, lines = console(), shown_rows(rows)
    shown = [column for column in columns_of(rows) if column not in LONG or screen.width >= WIDE]
    while len(shown) > 1 and LONG[0] not in shown and _least(shown, lines) > screen.width:
        shown.pop()
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), expand=LONG[0] in shown)
    for column in shown:
        if column in LONG:
            table.add_column(column, no_wrap=True, overflow="ellipsis", ratio=1)
        else:
            table.add_column(column, width=_width(column, lines), justify="left" if column == "outcome" else "right")
    for line in lines:
        table.add_row(*(line[column] for column in shown))
    show_lines(screen, table)


def _least(columns: list[str], lines: list[dict[str, str]]) -> int:
    """How wide the terminal must be."""
    return sum(_width(column, lines) + GAP for column in columns) + EDGE


def _width(column: str, lines: list[dict[str, str]]) -> int:
    return max(len(text) for text in (column, *(line[column] for line in lines)))
