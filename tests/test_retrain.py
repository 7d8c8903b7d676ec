"""A trial can be trained again to the same digits, and the script beside its model does so."""

import json
import os
import shlex
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
import torch
from frozen_models import B5, PROVENANCE, TINY, frozen
from hypothesis import given
from hypothesis import strategies as st
from test_cli import check_refused

from nas.export.card import card
from nas.export.script import script

Run = Callable[..., CompletedProcess[str]]
SEARCH = ("search", "--space", "tiny", "--epochs", "2", "--budget", "3k", "--workers", "2")  # one thread each
NASTY = ["it's", "-rf", "--help", "$HOME `id` $(id)", 'a"b\\', "two  spaces\nand lines", "# no comment", "*", "ü", ""]


def shim(folder: Path, code: str) -> dict[str, str]:
    """An environment in which `nas` is this Python code."""
    program = folder / "bin" / "nas"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c {shlex.quote(code)} "$@"\n')
    program.chmod(0o755)
    return {**os.environ, "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}


def trained_trials(database: Path) -> list[int]:
    with sqlite3.connect(database) as connection:
        rows = connection.execute(
            "select number from trials where trial_id in (select trial_id from trial_intermediate_values) order by 1"
        )
        return [number for (number,) in rows]


def files(folder: Path) -> set[str]:
    """All but those that SQLite makes and removes as it likes."""
    return {path.name for path in folder.rglob("*") if not path.name.startswith("nas.db-")}


def test_digits_come_out_again_and_others_end_with_1_and_one_line(nas: Run, tmp_path: Path) -> None:
    database = tmp_path / "runs" / "nas.db"
    assert nas(*SEARCH, "--trials", "2", "--pruner", "none").returncode == 0
    before = files(tmp_path)
    first, second = map(str, trained_trials(database))
    done = nas("retrain", "--trial", first)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("as stored") == 2
    figures = "(accuracy, training loss, evaluation loss)"
    assert done.stdout.splitlines()[-1].endswith(f"gave the same digits again: 2 epochs {figures}.")

    # The accuracy alone says little of a network that has learned all images.
    (weights,) = (tmp_path / "runs" / "checkpoints").rglob(f"trial-{int(first):05d}.pt")
    stored = torch.load(weights, weights_only=True)
    stored["history"][1]["validation_loss"] *= 1 + 1e-15
    torch.save(stored, weights)
    done = nas("retrain", "--trial", first)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert [line.endswith("as stored") for line in done.stdout.splitlines()] == [True, False]
    assert "but after epoch 2 the evaluation loss was" in done.stderr
    weights.write_bytes(weights.read_bytes()[:1000])
    check_refused(nas("retrain", "--trial", first), weights.name, "damaged", "only accuracies")
    weights.unlink()
    before.remove(weights.name)
    done = nas("retrain", "--trial", first)
    assert done.stdout.splitlines()[-1].endswith("gave the same digits again: 2 epochs (accuracy).")

    with sqlite3.connect(database) as connection:
        connection.execute("update trial_intermediate_values set intermediate_value = 0.125 where step = 2")
        connection.execute(
            'update trial_user_attributes set value_json = replace(value_json, \'"python": "3\', \'"python": "2\')'
        )
    other = nas("retrain", "--trial", second)
    assert other.returncode == 1
    assert "as stored" in other.stdout.splitlines()[0]
    assert "stored: 12.50 %" in other.stdout.splitlines()[1]
    assert other.stderr.count("\n") == 1
    assert f"trial {second} must give the digits that the study holds, but after epoch 2" in other.stderr
    assert "not 0.125; python was 2." in other.stderr
    assert files(tmp_path) == before


def test_what_cannot_be_trained_again_is_refused_in_one_line(nas: Run, tmp_path: Path, few_images: str) -> None:
    mine = tmp_path / "mine.npz"
    mine.write_bytes(Path(few_images.partition(":")[2]).read_bytes())
    search = (*SEARCH, "--budget", "700", "--sampler", "random", "--trials", "1", "--dataset", f"npz:{mine}")
    assert nas(*search).returncode == 0
    trained = trained_trials(tmp_path / "runs" / "nas.db")[0]
    rejected = min(set(range(100)) - set(trained_trials(tmp_path / "runs" / "nas.db")))
    for arguments, words in (
        (
            ["--trial", str(rejected)],
            f"trial {rejected} is rejected (over the budget of 700 parameters): choose another",
        ),
        (["--trial", "999"], "a trial must be one of 0 to"),
        (["--trial", str(trained), "--study", "another"], "'another'"),
    ):
        refused = nas("retrain", *arguments)
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
        assert words in refused.stderr
    with np.load(mine) as arrays:
        np.savez(mine, x_train=arrays["x_train"][1:], y_train=arrays["y_train"][1:])
    changed = nas("retrain", "--trial", str(trained))
    assert (changed.returncode, changed.stderr.count("\n")) == (2, 1)
    assert "has changed since study" in changed.stderr


@pytest.mark.slow
def test_a_search_leaves_a_card_and_a_script_that_trains_the_winner_again(nas: Run, tmp_path: Path) -> None:
    done = nas(*SEARCH, "--pruner", "none", "--study", "it's $HOME", "--out", "my models", "--trials", "1")
    assert done.returncode == 0, done.stderr
    (again,) = (tmp_path / "my models").glob("*.sh")
    assert "Train it again:  nas retrain " in done.stdout
    assert again.with_suffix(".md").is_file()
    assert again.stat().st_mode & stat.S_IXUSR
    environment = shim(tmp_path, "import sys; from nas.cli import main; sys.argv[0] = 'nas'; main()")
    environment["PYTHONPATH"] = str(Path(__file__).parent.parent)
    run = subprocess.run([again], cwd="/", env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("as stored") == 2
    assert "the same digits again" in run.stdout


@pytest.mark.parametrize("text", NASTY)
def test_the_script_gives_any_text_to_nas_as_it_is(text: str, tmp_path: Path) -> None:
    model = frozen(TINY, provenance=replace(PROVENANCE, study=text, dataset=f"npz:{text}", versions=text, device=text))
    folder = tmp_path / "a 'b'"
    folder.mkdir()
    written = folder / "m.sh"
    written.write_text(script(model, "m", str(tmp_path / "the $data" / "nas.db"), folder))
    environment = shim(tmp_path, "import json, sys; print(json.dumps(sys.argv[1:]))")
    run = subprocess.run(["sh", written, "--more"], cwd="/", env=environment, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")
    storage = f"--storage={folder}/../the $data/nas.db"
    assert json.loads(run.stdout) == ["retrain", "--trial=7", f"--study={text}", storage, "--more"]


def test_a_password_is_not_written_down(tmp_path: Path) -> None:
    url = 'postgresql://me:se}c"ret@host/nas'
    text = script(frozen(TINY), "m", url, tmp_path)
    assert "ret@host" not in text
    written = tmp_path / "m.sh"
    written.write_text(text)
    environment = shim(tmp_path, "import sys; print(sys.argv[-1])")
    asked = subprocess.run(["sh", written], env=environment, capture_output=True, text=True)
    assert asked.returncode
    assert "://me:***@host/nas with its password" in asked.stderr
    given = subprocess.run(["sh", written], env={**environment, "NAS_STORAGE": url}, capture_output=True, text=True)
    assert given.stdout.strip() == f"--storage={url}"


def test_the_card_says_what_is_known_and_what_is_not() -> None:
    text = card(frozen(B5), "b5", "b5.sh")
    for words in (
        "# b5\n",
        "19,798 parameters",
        "b5.load()",
        'InferenceSession("b5.onnx")',
        'torch.export.load("b5.pt2")',
        "b5_predict(image, scores)",
        "| conv1 | conv 3×3 16 p1 | 160 | 0.8 % | 112,896 | 1×28×28 | 16×28×28 |",
        "SGD momentum 0.9",
        "with seed 123",
        "25.00 % (125 of 500 images)",
        "This network was not tested.",
        "**Not confirmed.**",
        "is 1.94 points",
        "`sh b5.sh` trains it again",
    ):
        assert words in text
    assert "trains it again" not in card(frozen(B5), "b5", None)


@given(st.text(st.characters()))
def test_any_text_stays_text_in_the_card(text: str) -> None:
    plain = card(frozen(TINY), "plain", None)
    said = replace(PROVENANCE, dataset=text, study=text, versions=text, precision=text, device=text)
    told = card(frozen(TINY, provenance=said, classes=(text, *map(str, range(1, 10)))), "plain", None)
    assert told.count("\n") == plain.count("\n")
    for sign in "<[`|":
        assert told.count(sign) - told.count("\\" + sign) == plain.count(sign) - plain.count("\\" + sign)
