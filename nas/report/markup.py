"""HTML from plain data: whatever is not HTML already is escaped, so no text of a study can become part of a page."""

import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape
from io import BytesIO

from PIL import Image
from torch import Tensor

from nas.report.importance import Importance
from nas.report.mistakes import Hard, Matrix
from nas.report.summary import Fact
from nas.table import Table, per_cent

SHORT, LONG = 24, 40  # characters of a cell in one line, and of one in several
VOID = ("img", "meta", "input")
NUMBER = re.compile(r"[−+-]?[\d,.]+( %)?|–")


class Html(str):
    """Text that is HTML already."""


def tag(name: str, /, *children: str, **attributes: str) -> Html:
    """An element; `class_` and `aria_label` become `class` and `aria-label`."""
    rendered = "".join(f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"' for key, value in attributes.items())
    if name in VOID:
        return Html(f"<{name}{rendered}>")
    return Html(f"<{name}{rendered}>{joined(children)}</{name}>")


def joined(children: Iterable[str]) -> Html:
    """All of them, one after the other."""
    return Html("".join(child if isinstance(child, Html) else escape(child) for child in children))


def scrolling(what: str, content: Html) -> Html:
    """What may be wider than the page scrolls by itself, by keyboard too."""
    return tag("div", content, class_="scroll", tabindex="0", role="region", aria_label=what)


def table(data: Table, *, sortable: bool = False) -> Html:
    """A table with its title and notes; the first cell of a row is its heading."""
    classes = [_kind([row[i] for row in data.rows]) for i in range(len(data.columns))]
    heads = (tag("th", name, scope="col", class_=kind) for name, kind in zip(data.columns, classes, strict=True))
    rows = (
        tag(
            "tr",
            tag("th", row[0], scope="row", class_=classes[0]),
            *(tag("td", cell, class_=kind) for cell, kind in zip(row[1:], classes[1:], strict=True)),
        )
        for row in data.rows
    )
    whole = tag(
        "table",
        tag("caption", data.title),
        tag("thead", tag("tr", *heads)),
        tag("tbody", *rows),
        class_="sortable" if sortable else "pair" if len(data.columns) == 2 else "plain",
    )
    return joined([scrolling(data.title, whole), *(tag("p", note, class_="note") for note in data.notes)])


def facts(terms: Iterable[Fact]) -> Html:
    """A list of terms."""
    return tag("dl", *(tag("div", tag("dt", fact.term), tag("dd", fact.text)) for fact in terms))


def bars(title: str, shares: Iterable[Importance]) -> Html:
    """Shares as a table, each with a bar of its length."""
    rows = (
        tag(
            "tr",
            tag("th", each.axis, scope="row"),
            tag("td", tag("span", class_="bar", style=f"--share: {each.share:.3f}"), per_cent(each.share, 0)),
        )
        for each in shares
    )
    return tag("table", tag("caption", title), tag("tbody", *rows), class_="bars")


def matrix(classes: tuple[str, ...], confusion: Matrix, title: str) -> Html:
    """A confusion matrix; what was confused most often is shaded most."""
    most = max((n for i, row in enumerate(confusion) for j, n in enumerate(row) if i != j), default=0)
    rows = (
        tag("tr", tag("th", classes[i], scope="row"), *(_cell(n, i == j, most) for j, n in enumerate(row)))
        for i, row in enumerate(confusion)
    )
    heads = (tag("th", name, scope="col") for name in classes)
    corner = tag("th", "true\u00a0↓ predicted\u00a0→", scope="col")
    whole = tag(
        "table",
        tag("caption", title),
        tag("thead", tag("tr", corner, *heads)),
        tag("tbody", *rows),
        class_="matrix",
    )
    return scrolling(title, whole)


def gallery(images: Iterable[Hard]) -> Html:
    """Images with what they are, what they were taken for, and how certainly."""
    return tag("ul", *(tag("li", _pictured(each)) for each in images), class_="gallery")


def png(image: Tensor) -> str:
    """A uint8 image `(channels, height, width)` as a data URL; other than one or three channels: the first alone."""
    shown = image if len(image) == 3 else image[:1]
    array = shown.permute(1, 2, 0).squeeze(2).numpy() if len(shown) == 1 else shown.permute(1, 2, 0).numpy()
    file = BytesIO()
    Image.fromarray(array).save(file, "png", optimize=True)
    return "data:image/png;base64," + b64encode(file.getvalue()).decode()


def _kind(cells: Sequence[str]) -> str:
    """How a column is set."""
    if all(map(NUMBER.fullmatch, cells)):
        return "number"
    longest = max(map(len, cells))
    return "word" if longest <= SHORT else "text" if longest <= LONG else "long"


def _cell(n: int, right: bool, most: int) -> Html:
    kind = "right" if right else "wrong" if n else "none"
    strength = {} if right or not n else {"style": f"--strength: {n / most:.2f}"}
    return tag("td", f"{n:,}", class_=kind, **strength)


def _pictured(hard: Hard) -> Html:
    certainty = per_cent(hard.certainty, 0)
    verdict = f"taken for {hard.predicted}, {certainty}" if hard.wrong else f"right, only {certainty}"
    text = tag("figcaption", tag("strong", hard.true), " ", verdict)
    return tag("figure", tag("img", src=png(hard.image), alt=f"Image of class {hard.true}: {verdict}"), text)
