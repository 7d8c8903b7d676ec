"""What killed processes leave behind, and what a search needs at its end."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

from test_cli import check_refused
from test_search import TINY, table

Run = Callable[..., CompletedProcess[str]]


def test_the_next_search_removes_what_killed_ones_left(nas: Run, tmp_path: Path) -> None:
    assert nas("search", *TINY, "--trials", "4", "--workers", "1").returncode == 0
    (checkpoints,) = (tmp_path / "runs" / "checkpoints").iterdir()
    pruned = next(record.trial for record in table(tmp_path) if record.outcome == "pruned")
    finished = next(record.trial for record in table(tmp_path) if record.finished)
    half = checkpoints / f"trial-{finished:05d}.pt.4711.tmp"
    useless = checkpoints / f"trial-{pruned:05d}.pt"
    old, fresh = (tmp_path / "runs" / f".x_1_trial_{n}-abcd_123" for n in (1, 2))
    own = tmp_path / "runs" / ".mine"
    for file in (half, useless):
        file.write_bytes(b"half")
    for folder in (old, fresh, own):
        folder.mkdir()
        (folder / "model.py").touch()
    long_ago = time.time() - 7200
    os.utime(old, (long_ago, long_ago))
    os.utime(own, (long_ago, long_ago))
    assert nas("search", *TINY, "--trials", "4", "--workers", "1").returncode == 0
    assert not [each for each in (half, useless, old) if each.exists()]
    assert all(each.exists() for each in (fresh, own, checkpoints / f"trial-{finished:05d}.pt"))


def test_a_search_that_could_not_hand_over_its_best_says_so_before_it_trains(nas: Run, tmp_path: Path) -> None:
    assert nas("search", *TINY, "--trials", "3", "--workers", "1").returncode == 0
    before = table(tmp_path)
    best = max((record for record in before if record.finished), key=lambda record: record.accuracy or 0.0)
    (weights,) = (tmp_path / "runs" / "checkpoints").glob(f"*/trial-{best.trial:05d}.pt")
    whole = weights.read_bytes()
    for content in (None, whole[:1000]):
        if content is None:
            weights.unlink()
        else:
            weights.write_bytes(content)
        check_refused(nas("search", *TINY, "--trials", "6", "--workers", "1"), "weights", weights.name)
        assert table(tmp_path) == before
    weights.write_bytes(whole)
    assert nas("search", *TINY, "--trials", "4", "--workers", "1").returncode == 0
