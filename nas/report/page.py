"""A study as one HTML page that needs no network, and a page for a front alone."""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path

import optuna

from nas.errors import InputError
from nas.files import make_parent, write_whole
from nas.report import comparison, markup, trying
from nas.report.comparison import Comparison
from nas.report.front import Front
from nas.report.markup import Html, tag
from nas.report.sections import TRY, Section, front_section, report_of
from nas.version import __version__

HERE = Path(__file__).parent


def report_page(
    study: optuna.Study, checkpoints: Path, data_dir: Path | None = None, target: float | None = None
) -> str:
    """The report on a study as the text of a page; its parts are those of `nas.report.sections`.

    `checkpoints` is the folder with the study's weights, `data_dir` that of data sets, unless they are where they are
    looked for anyway. `target` is a fraction of the test set, whose chance is told where there is a confirmation.
    Nothing is written, and of the test set only its files' checksums are read. Raises `StudyError` for a study that nas
    did not make.
    """
    report = report_of(study, checkpoints, data_dir, target)
    name = tag("p", f"Study {study.study_name}", class_="note")
    return _page(report.title, [name, *report.lead], report.sections)


def front_page(front: Front) -> str:
    """The front alone. Raises `StudyError` if nothing is finished."""
    return _page("Pareto front", [], [front_section(front)])


def comparison_page(compared: Comparison) -> str:
    """Two studies side by side, and both fronts in one figure."""
    title = " and ".join(side.status.study for side in compared.sides)
    return _page(
        title, [], [Section("Side by side", [markup.table(comparison.table(compared))]), *_fronts(compared.front)]
    )


def _fronts(front: Front) -> list[Section]:
    return [front_section(front)] if front.points else []


def write(page: str, out: Path) -> None:
    """Writes a page, at once or not at all; raises `InputError` where that is not possible."""
    try:
        if out.exists() and not out.is_file():  # /dev/stdout, which has no place for a file beside it
            out.write_text(page, "utf-8", newline="\n")
        else:
            make_parent(out)
            write_whole(out.resolve(), page)
    except OSError as error:
        raise InputError(
            f"a page must be written to a file in a folder that exists, but {out} cannot be ({error.strerror}): "
            "name another"
        ) from error


def _page(title: str, lead: Sequence[Html], parts: Sequence[Section]) -> str:
    script = _script([HERE / "page.js", *(trying.scripts() if any(part.title == TRY for part in parts) else [])])
    body = tag(
        "body",
        tag("header", tag("h1", title.replace(" %", "\u00a0%")), *lead, _contents(parts)),
        tag("main", *map(_section, parts)),
        tag("footer", tag("p", f"Made by nas {__version__}.", class_="note")),
        tag("script", Html(script)),
    )
    return f"<!doctype html>\n{tag('html', _head(title, script), body, lang='en')}\n"


def _script(files: Iterable[Path]) -> str:
    """Their text without comments and indentation, which are not the reader's."""
    lines = (line.strip() for file in files for line in file.read_text("utf-8").splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def _head(title: str, script: str) -> Html:
    digest = b64encode(sha256(script.encode()).digest()).decode()
    # Nothing is fetched, and no script runs but this: text of a study that slipped through would be harmless.
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; "
        "form-action 'none'; base-uri 'none'"
    )
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("title", title),
        tag("style", Html((HERE / "style.css").read_text("utf-8"))),
    )


def _contents(parts: Sequence[Section]) -> Html:
    if len(parts) == 1:
        return Html()
    links = (tag("li", tag("a", part.title, href=f"#{_name(part)}")) for part in parts)
    return tag("nav", tag("ul", *links), aria_label="Contents")


def _section(part: Section) -> Html:
    heading = f"{_name(part)}-title"
    wide = {"class_": "wide"} if part.wide else {}
    title = tag("h2", part.title, id=heading)
    return tag("section", title, *part.parts, id=_name(part), aria_labelledby=heading, **wide)


def _name(part: Section) -> str:
    return part.title.lower().replace(" ", "-")
