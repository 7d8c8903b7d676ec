"""What killed processes leave behind, and what a search needs at its end."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import torch
from filelock import FileLock, Timeout
from test_cli import check_refused
from test_reproduction import TINY as SMALLEST
from test_search import TINY, table

from nas import datasets
from nas.export.staging import LOCK, staging
from nas.replication.batch import Means, Training, train_all
from nas.space.candidate import Candidate
from nas.training.recipe import Recipe

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


def test_the_next_export_removes_what_killed_ones_left(tmp_path: Path) -> None:
    """Whatever the models are named, and at once, but not what another one is at."""
    killed, alive, own = (tmp_path / name for name in (".mine-abcd_123", ".other-abcd_123", ".my-folder"))
    for folder in (killed, alive, own):
        folder.mkdir()
        (folder / "model.py").touch()
    (killed / LOCK).touch()
    with FileLock(alive / LOCK), staging(tmp_path, "new") as made:
        assert made.parent == tmp_path
        assert {each for each in tmp_path.iterdir() if each != made} == {alive, own}
        with pytest.raises(Timeout):
            FileLock(made / LOCK, timeout=0).acquire()
    assert not made.exists()


def test_what_killed_trainings_left_goes_with_the_next_ones(few_images: str, tmp_path: Path) -> None:
    (training,) = [Training(Candidate(SMALLEST, Recipe(epochs=1)), seed=0)]
    data, means = datasets.split(datasets.load(few_images)), Means(workers=1, precision="float32", folder=tmp_path)
    (first,) = train_all([training], data, "few", means)
    (file,) = tmp_path.iterdir()
    save_to(file.with_suffix(".pt"))  # as where it was killed once its figures were kept
    old, fresh = (tmp_path / f"x.pt.{n}.tmp" for n in (1, 2))
    for each in (old, fresh):
        each.touch()
    os.utime(old, (time.time() - 7200,) * 2)
    assert train_all([training], data, "few", means) == [first]
    assert set(tmp_path.iterdir()) == {file, fresh}, "which another process may be writing"


def save_to(checkpoint: Path) -> None:
    torch.save({"evaluated": {}, "history": []}, checkpoint)


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
