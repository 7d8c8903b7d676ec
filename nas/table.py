"""A table as plain data, and words for numbers."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from math import inf

UNITS = (("h", 3600), ("min", 60), ("s", 1))  # each from two of it on
SIZES = (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10))
NUMBER = re.compile(r"-|[+−-]?[\d,.]+( ?%)?")


@dataclass(frozen=True)
class Table:
    """Cells as they are shown; `notes` stand below it."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Which columns hold nothing but numbers, and are aligned to the right."""
        if not self.rows:
            return (False,) * len(self.columns)
        return tuple(all(map(NUMBER.fullmatch, cells)) for cells in zip(*self.rows, strict=True))

    def markdown(self) -> str:
        """The table as GitHub shows it, with its title as a heading."""
        lines = [
            _line(self.columns),
            _line("---:" if numeric else "---" for numeric in self.numeric),
            *map(_line, self.rows),
        ]
        return "\n\n".join([f"## {self.title}", "\n".join(lines), *self.notes]) + "\n"

    def html(self) -> str:
        """The table as a notebook shows it."""
        rows = "".join(f"<tr>{_cells('td', row)}</tr>" for row in self.rows)
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        return (
            f"<table><caption>{escape(self.title)}</caption><thead><tr>{_cells('th', self.columns)}</tr></thead>"
            f"<tbody>{rows}</tbody></table>{notes}"
        )


def _cells(tag: str, cells: Iterable[str]) -> str:
    return "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def plural(n: int, noun: str) -> str:
    """Such as `1 epoch` and `2 epochs`."""
    return f"{n:,} {noun}{'s' * (n != 1)}"


def per_cent(fraction: float, digits: int = 2) -> str:
    """Such as `99.40 %`."""
    return f"{100 * fraction:.{digits}f} %"


def per_cent_range(ends: tuple[float, float]) -> str:
    """Such as `99.40 to 99.52 %`."""
    return " to ".join(f"{100 * end:.2f}" for end in ends) + " %"


def points(fraction: float) -> str:
    """A difference of per cents, such as `0.06 points`."""
    return f"{100 * fraction:.2f} points"


def file_size(n_bytes: float) -> str:
    """Such as `47.2 KiB`; below one of these in bytes."""
    unit, size = next(((unit, size) for unit, size in SIZES if n_bytes >= size), ("", 1))
    return f"{n_bytes / size:,.1f} {unit}" if unit else plural(round(n_bytes), "byte")


def clock(seconds: float) -> str:
    """Minutes and seconds, hours before them where there are any."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"


def about(low: float, high: float) -> str:
    """A time that is not known exactly, from its ends in seconds: such as `about 6 to 12 min`, and `over 6 min` where
    `high` is infinite."""
    if high == inf:
        return about(low, low).replace("about", "over")
    unit, size = next(((unit, size) for unit, size in UNITS if high >= 2 * size), UNITS[-1])
    ends = dict.fromkeys(f"{max(1, round(seconds / size))}" for seconds in (low, high))
    return f"about {' to '.join(ends)} {unit}"
