"""What is printed, whatever it is printed to: other encodings, narrow terminals, files."""

import ast
import io
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from conftest import UNKIND
from rich.console import Console
from small_study import SmallStudy

import nas as library
from nas.cli import main
from nas.study.confirmation import last_confirmed
from nas.study.opening import find_study
from nas.study.record import ranked
from nas.study.storage import open_storage
from nas.table import Table
from nas.terminal.console import console, show
from nas.terminal.search_display import tally

Run = Callable[..., CompletedProcess[str]]

NETWORK = "conv 3×3 8 p1, max pool 2×2, conv 3×3 8 p1, global average pool, FC 10"
TABLE = Table("Best candidates", ("trial", "parameters", "accuracy", "network"), (("1", "18,791", "99.44 %", NETWORK),))


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "cp437"])
@pytest.mark.parametrize("command", ["trials", "show 7", "status", "pareto", "search --help", "retrain --trial 99"])
def test_output_that_is_not_utf_8_is_plainer_and_no_error(
    small_search: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, command: str
) -> None:
    monkeypatch.chdir(small_search)
    written = io.BytesIO()
    for stream, errors in (("stdout", "surrogateescape"), ("stderr", "backslashreplace")):  # as Python sets them up
        monkeypatch.setattr(sys, stream, io.TextIOWrapper(written, encoding, errors, write_through=True))
    with pytest.raises(SystemExit) as ended:
        main(command.split())
    assert ended.value.code == (2 if command.startswith("retrain") else 0)
    shown = written.getvalue().decode(encoding)
    assert "\\u" not in shown
    assert ("3×3" if encoding == "cp1252" else "3x3") in shown or command not in ("trials", "show 7")


@pytest.mark.parametrize("width", [30, 60, 70, 120])
def test_no_column_of_text_is_too_narrow_to_be_read(width: int) -> None:
    screen = Console(width=width, record=True, file=open(os.devnull, "w"), highlight=False)  # noqa: SIM115
    with screen.file:
        show(screen, [TABLE])
    lines = screen.export_text().splitlines()
    assert max(map(len, lines)) <= width
    text = " ".join(" ".join(lines).split())
    if width >= 60:
        assert "99.44 %" in text
        assert "conv 3×3 8 p1, max" in text, "so many characters in a row"
    assert any(line.split()[:2] == ["trial", "1"] for line in lines) == (width < 60), "a record, else a heading"


def test_a_file_gets_no_blanks_at_the_ends_of_lines_and_the_width_it_asks_for(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    widths = {}
    for columns in ("", "50", "80", "200"):
        monkeypatch.setenv("COLUMNS", columns)
        show(console(), [TABLE])
        lines = capfd.readouterr().out.splitlines()
        assert lines == [line.rstrip() for line in lines]
        widths[columns] = max(map(len, lines))
    assert widths["50"] <= 50 < widths["80"] <= 80
    assert widths[""] == widths["200"] > 80


def test_in_a_narrow_terminal_each_column_of_trials_is_whole_or_not_there(
    nas: Callable[..., CompletedProcess[str]], small_search: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "119")
    command = ("trials", "--storage", str(small_search / "runs" / "nas.db"))
    whole = nas(*command).stdout.splitlines()[1].split()
    for width in range(24, 119):
        monkeypatch.setenv("COLUMNS", str(width))
        lines = nas(*command).stdout.splitlines()
        assert max(map(len, lines)) <= width
        assert "…" not in "".join(lines), width
        n = len(lines[1].split())
        assert lines[1].split() == whole[:n]
        assert n >= min(7, (width - 10) // 10)


@pytest.mark.parametrize(
    "command",
    [
        "search --budget 2500 --space tiny --storage no/nas.db",
        "search --budget 2500 --space tiny --out no/such/folder",
        "export --storage OWN --out no/such/folder",
        "confirm --storage OWN --out no/such/folder",
        "report --storage OWN -o no/report.html",
        "reproduce B1 --trainings no/such/folder",
        "reproduce B1 --out no/table",
    ],
)
def test_a_slip_in_a_path_makes_no_folders(
    nas: Callable[..., CompletedProcess[str]], small_search: Path, tmp_path: Path, command: str
) -> None:
    done = nas(*command.replace("OWN", str(small_search / "runs" / "nas.db")).split())
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert "there is no" in done.stderr
    assert not (tmp_path / "no").exists()


def test_below_runs_folders_are_made(nas: Callable[..., CompletedProcess[str]], small_search: Path) -> None:
    done = nas("export", "--storage", str(small_search / "runs" / "nas.db"), "--out", "runs/some/models")
    assert done.returncode == 0, done.stderr
    assert Path("runs/some/models").is_dir()


def glued_per_cents(file: Path) -> Iterator[str]:
    """Where a source writes a number and `%` without the space between them that `nas.table.per_cent` puts there."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if (
            isinstance(node, ast.FormattedValue)
            and node.format_spec is not None
            and "%" in ast.unparse(node.format_spec)
        ):
            yield f"{file.name}:{node.lineno}"
        if isinstance(node, ast.JoinedStr):
            for value, after in pairwise(node.values):
                text = after.value if isinstance(after, ast.Constant) else ""
                if isinstance(value, ast.FormattedValue) and str(text).startswith("%"):
                    yield f"{file.name}:{node.lineno}"


def test_no_source_writes_per_cent_in_a_way_of_its_own() -> None:
    sources = [file for file in Path(library.__file__).parent.rglob("*.py") if file.name != "svg.py"]  # of lengths
    assert [place for file in sources for place in glued_per_cents(file)] == []


def test_what_commands_print_has_its_units(nas: Run, small_search: Path, confirmed: SmallStudy, tmp_path: Path) -> None:
    shutil.copytree(small_search / "runs", tmp_path / "runs")
    known = find_study(open_storage("runs/nas.db"))
    best = ranked(known)[0].trial
    shown = [
        nas(*command.split(), alone=True).stdout
        for command in (
            *("status", "studies list", "trials", f"show {best}", "pareto", f"retrain --trial {best}"),
            *("export --format c --name model", "studies export small small.nas", "ablate --help"),
        )
    ]
    shown += [nas("search", "--study", "small", alone=True).stdout]
    known_of_winner = last_confirmed(confirmed.study)
    assert known_of_winner is not None
    shown += [table.markdown() for table in known_of_winner.tables(0.9)]
    whole = "\n".join(shown)
    assert whole.count(" %") > 20
    assert re.findall(r"\d%", whole) == []
    assert re.search(r"small\.nas: [\d.,]+ [KM]iB", whole)


def test_only_what_finished_counts_as_trained_to_its_end() -> None:
    line = tally({"finished": 1, "paused": 4, "rejected": 1200}, "candidate")
    assert line == "1 candidate finished, 4 paused, 1,200 rejected"
    assert tally({"finished": 3, "pruned": 2, "paused": 1}) == "3 finished, 1 paused, 2 pruned, 0 rejected"
    assert tally({}) == "0 finished, 0 pruned, 0 rejected"


def test_a_search_suggests_a_confirmation_until_there_is_one(
    nas: Run, searched: SmallStudy, confirmed: SmallStudy, tmp_path: Path
) -> None:
    for original, is_confirmed in ((searched, False), (confirmed, True)):
        study = SmallStudy(shutil.copytree(original.folder, tmp_path / original.folder.parent.name))
        out = str(study.folder)
        done = nas("search", "--study", UNKIND, "--storage", study.storage, "--out", out, alone=True)
        assert ("nas confirm" in done.stdout) != is_confirmed, done.stdout + done.stderr
        assert (
            bool(re.search(r"Confirmed: \d+\.\d\d ± \d+\.\d\d % of the test set, 2 trainings", done.stdout))
            == is_confirmed
        )
