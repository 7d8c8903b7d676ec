"""What is printed, whatever it is printed to: other encodings, narrow terminals, files."""

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from rich.console import Console

from nas.cli import main
from nas.table import Table
from nas.terminal.console import console, show

NETWORK = "conv 3×3 8 p1, max pool 2×2, conv 3×3 8 p1, global average pool, FC 10"
TABLE = Table("Best candidates", ("trial", "parameters", "accuracy", "network"), (("1", "18,791", "99.44 %", NETWORK),))


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "cp437"])
@pytest.mark.parametrize("command", ["trials", "show 7", "status", "pareto", "search --help", "retrain --trial 99"])
def test_output_that_is_not_utf_8_is_plainer_and_no_error(
    small_search: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, command: str
) -> None:
    monkeypatch.chdir(small_search)
    written = io.BytesIO()
    for stream in ("stdout", "stderr"):
        monkeypatch.setattr(sys, stream, io.TextIOWrapper(written, encoding, write_through=True))
    with pytest.raises(SystemExit) as ended:
        main(command.split())
    assert ended.value.code == (2 if command.startswith("retrain") else 0)
    shown = written.getvalue().decode(encoding)
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
