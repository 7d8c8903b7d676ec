"""Commands that nas prints can be typed as they are."""

import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas import shell
from nas.study.status import search_words
from nas.terminal.search_display import _loading


@given(st.lists(st.text(st.characters(exclude_characters="\0", codec="utf-8")), min_size=1))
def test_a_posix_shell_reads_the_same_words(words: list[str]) -> None:
    assert shlex.split(shell.command_line(words)) == words


@pytest.mark.parametrize(
    ("path", "shown"),
    [(r"C:\Users\Ada\my runs", r'"C:\Users\Ada\my runs"'), (r"runs\nas.db", r"runs\nas.db"), ('a "b"', r'"a \"b\""')],
)
def test_windows_has_its_own_form(monkeypatch: pytest.MonkeyPatch, path: str, shown: str) -> None:
    monkeypatch.setattr(shell, "WINDOWS", True)
    assert shell.quoted(path) == shown
    words = search_words({"budget": 20_000, "data_dir": Path(path), "quantised": True})
    assert shell.command_line(words) == f"nas search --budget 20000 --data-dir {shown} --quantised"


@pytest.mark.parametrize("windows", [False, True])
def test_the_command_that_loads_a_model_does_so_from_where_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, windows: bool
) -> None:
    """The form of Windows is read alike by POSIX shells, which can be had everywhere."""
    monkeypatch.setattr(shell, "WINDOWS", windows)
    model = tmp_path / "my runs" / "digits.py"
    model.parent.mkdir()
    model.write_text("def load(): return 'the network'")
    done = subprocess.run(["sh", "-c", _loading(model)], cwd=tmp_path, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("the network\n", "")
