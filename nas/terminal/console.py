"""Tables in the terminal."""

import sys
from collections.abc import Iterable

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as RichTable

from nas.table import Table


def console(*, stderr: bool = False, width: int = 180) -> Console:
    """Where tables and progress go; as wide as the terminal, or `width` characters where there is none.

    Texts are shown as they are: brackets in a path or a study's name are no markup.
    """
    stream = sys.stderr if stderr else sys.stdout  # with --json the one is often a terminal, the other a file
    return Console(stderr=stderr, highlight=False, markup=False, width=None if stream.isatty() else width)


def show(console: Console, tables: Iterable[Table]) -> None:
    """Tables in the terminal."""
    for table in tables:
        shown = RichTable(title=table.title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1))
        for column, cells, numeric in zip(table.columns, zip(*table.rows, strict=True), table.numeric, strict=True):
            no_wrap = numeric or not any(" " in cell for cell in (*cells, column))
            shown.add_column(column, no_wrap=no_wrap, justify="right" if numeric else "left")
        for row in table.rows:
            shown.add_row(*row)
        console.print(shown)
        for note in table.notes:
            console.print(note.removeprefix("\\"), soft_wrap=True)
