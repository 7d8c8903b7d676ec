"""Tables in the terminal."""

import os
import sys
from collections.abc import Iterable
from textwrap import fill

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from nas.table import Table

READABLE = 24  # characters; a text in a narrower column is a tower of syllables
GAP = 2  # characters between two columns


def console(*, stderr: bool = False, width: int = 180) -> Console:
    """Where tables and progress go; as wide as the terminal, or `width` characters where there is none.

    Texts are shown as they are: brackets in a path or a study's name are no markup.
    """
    stream = sys.stderr if stderr else sys.stdout  # with --json the one is often a terminal, the other a file
    is_told = stream.isatty() or os.environ.get("COLUMNS", "").isdecimal()  # which Rich obeys
    return Console(stderr=stderr, highlight=False, markup=False, width=None if is_told else width)


def show(console: Console, tables: Iterable[Table]) -> None:
    """Tables in the terminal: as columns, or where these would be too narrow to be read a record after the other."""
    for table in tables:
        show_lines(console, _records(table) if _is_too_wide(table, console.width) else _columns(table))
        for note in table.notes:
            tell(console, note.removeprefix("\\"))


def tell(console: Console, text: str, label: str = "") -> None:
    """A sentence or a fact: in a terminal broken between words, and indented as far as its label; in a file one line.

    Not for commands: what is broken cannot be copied.
    """
    line = f"{label}{text}"
    if console.is_terminal:
        line = fill(
            line, console.width, subsequent_indent=" " * len(label), break_long_words=False, break_on_hyphens=False
        )
    console.print(line, soft_wrap=True)


def show_lines(console: Console, shown: RenderableType) -> None:
    """Prints something that fills whole lines; in a file these end with their last sign, not with blanks."""
    if console.is_terminal:
        console.print(shown)
        return
    with console.capture() as captured:
        console.print(shown)
    lines = captured.get().splitlines()
    console.print("\n".join(map(str.rstrip, lines)), soft_wrap=True)


def _is_too_wide(table: Table, width: int) -> bool:
    """Whether a column whose texts may be broken would get fewer than `READABLE` characters, and fewer than it has."""
    widths = [max(map(len, cells)) for cells in zip(table.columns, *table.rows, strict=True)]
    least = [
        width if no_wrap else min(width, READABLE) for width, no_wrap in zip(widths, _unbroken(table), strict=True)
    ]
    return sum(least) + GAP * len(least) > width


def _unbroken(table: Table) -> list[bool]:
    """Which columns have cells that are never broken: numbers and single words."""
    cells_of = list(zip(*table.rows, strict=True)) or [()] * len(table.columns)
    return [
        numeric or not any(" " in cell for cell in (*cells, column))
        for column, cells, numeric in zip(table.columns, cells_of, table.numeric, strict=True)
    ]


def _columns(table: Table) -> RichTable:
    shown = RichTable(title=table.title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1))
    for column, numeric, unbroken in zip(table.columns, table.numeric, _unbroken(table), strict=True):
        shown.add_column(column, no_wrap=unbroken, justify="right" if numeric else "left")
    for row in table.rows:
        shown.add_row(*row)
    return shown


def _records(table: Table) -> Group:
    """Each row as lines of a name and a value."""
    blocks: list[RenderableType] = [Text(), Text(table.title, style="italic"), Text()]
    for row in table.rows:
        block = RichTable.grid(padding=(0, GAP, 0, 0))
        block.add_column(no_wrap=True, style="dim")
        block.add_column(overflow="fold")
        for column, cell in zip(table.columns, row, strict=True):
            block.add_row(column, cell)
        blocks += [block, Text()]
    return Group(*blocks)
