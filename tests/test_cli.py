"""What bad input gets: one clear line, exit code 2, nothing half written. And: help that helps."""

import json
import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import click
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.cli import COMMANDS, cli
from nas.cli.options import Count
from nas.datasets.dataset import Dataset

Run = Callable[..., subprocess.CompletedProcess[str]]
QUICK = ("search", "--space", "tiny", "--epochs", "1", "--trials", "1", "--workers", "1")


def check_refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    for word in words:
        assert word in lines[0], f"{word!r} is missing in: {lines[0]}"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--budget", "5"], ["smallest", "params", "raise the budget"]),
        (["--budget", "0"], ["budget", "above 0", "0"]),
        (["--budget", "-3"], ["budget", "above 0", "-3"]),
        (["--budget", "many"], ["whole number", "'many'"]),
        (["--budget", "1.5"], ["whole number", "'1.5'"]),
        (["--epochs", "0"], ["epochs", "above 0"]),
        (["--trials", "-1"], ["trials", "above 0", "-1"]),
        (["--workers", "0"], ["workers", "above 0"]),
        (["--validation", "0"], ["validation", "above 0"]),
        (["--validation", "3000"], ["3000"]),
        (["--timeout", "0"], ["timeout", "above 0"]),
        (["--timeout", "soon"], ["seconds", "'soon'"]),
        (["--seed", "-1"], ["seed", "-1"]),
        (["--seed", "9007199254740993"], ["seed", "4,294,967,295", "9007199254740993"]),
        (["--storage", "."], ["database", "opened", "--storage"]),
        (["--max-macs", "0"], ["max-macs", "above 0"]),
        (["--max-memory", "10"], ["smallest", "memory"]),
        (["--target", "99.4"], ["target", "99.4", "did you mean 0.994?"]),
        (["--dataset", "npz:nowhere.npz"], ["there is no", "nowhere.npz"]),
        (["--target", "0"], ["target", "above 0"]),
        (["--target", "nan"], ["target"]),
        (["--dataset", "mnits"], ["mnits", "did you mean", "mnist"]),
        (["--dataset", "npz:nowhere.npz"], ["nowhere.npz"]),
        (["--dataset", "folder:nowhere"], ["nowhere"]),
        (["--space", "documentd"], ["documentd", "did you mean 'documented'?"]),
        (["--space", "nowhere.py"], ["nowhere.py"]),
        (["--sampler", "tpee"], ["sampler", "tpee", "did you mean 'tpe'?"]),
        (["--pruner", "hyperbnd"], ["pruner", "did you mean 'hyperband'?"]),
        (["--device", "tpu"], ["device", "tpu"]),
        (["--precision", "int4"], ["precision", "int4"]),
        (["--storage", "nonsense://x"], ["storage", "nonsense"]),
        (["--config", "nowhere.toml"], ["nowhere.toml"]),
        (["--no-such-option"], ["--no-such-option"]),
    ],
)
def test_bad_options_get_one_line(nas: Run, tmp_path: Path, options: list[str], words: list[str]) -> None:
    check_refused(nas(*QUICK, *options), *words)
    left = [path.name for path in tmp_path.rglob("*") if path.is_file() and path.name not in ("nas.db", "lock")]
    assert left == []


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def suggest(trial, task):\n    return 1 / 0\n", ["mine.py:2: ", "ZeroDivisionError"]),
        ("import nowhere\n", ["mine.py:1: ", "nowhere"]),
        ("def suggest(trial, task)\n    pass\n", ["mine.py:1: "]),
        ("def suggest(trial, task):\n    return 3\n", ["Candidate", "int"]),
        ("answer = 42\n", ["suggest(trial, task)"]),
        (
            "from nas import *\n"
            "def suggest(trial, task):\n"
            "    return Candidate(Architecture(task.image_shape, 10, (Conv(4, 99),)), Recipe())\n",
            ["mine.py:3: ", "layer 1", "99"],
        ),
    ],
)
def test_a_space_file_with_a_mistake_is_named_with_its_line(
    nas: Run, tmp_path: Path, source: str, words: list[str]
) -> None:
    (tmp_path / "mine.py").write_text(source)
    check_refused(nas(*QUICK, "--space", "mine.py"), "mine.py", *words)


@pytest.fixture
def search_again(nas: Run, small_search: Path, tmp_path: Path) -> Run:
    """Goes on with a study that has been searched, with options added to those it was made with."""
    shutil.copytree(small_search, tmp_path, dirs_exist_ok=True)
    made_with = ("--study", "small", "--space", "tiny", "--epochs", "2", "--budget", "1500", "--workers", "1")
    return lambda *changed: nas("search", *made_with, "--trials", "1", *changed)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (["--budget", "2k"], ["budget", "2000", "1500"]),
        (["--epochs", "3"], ["epochs 3"]),
        (["--validation", "60"], ["validation 60"]),
        (["--space", "budget_fill"], ["space 'budget_fill'", "'tiny'"]),
        (["--max-macs", "900k"], ["budget"]),
    ],
)
def test_a_study_made_on_other_terms_is_refused(search_again: Run, changed: list[str], words: list[str]) -> None:
    check_refused(search_again(*changed), "'small'", *words)


def test_a_study_of_other_data_is_refused(search_again: Run, tmp_path: Path, mnist: Dataset) -> None:
    np.savez(tmp_path / "other.npz", x_train=mnist.images[500:1000, 0].numpy(), y_train=mnist.labels[500:1000].numpy())
    check_refused(search_again("--dataset", f"npz:{tmp_path / 'other.npz'}"), "dataset", "other.npz")


def test_an_unknown_study_is_answered_with_the_nearest_name(nas: Run) -> None:
    assert nas(*QUICK, "--study", "first try").returncode == 0
    check_refused(nas("export", "--study", "frist try"), "frist try", "did you mean 'first try'?")
    check_refused(nas("export", "--study", "first try", "--trial", "99"), "99")
    check_refused(nas("export", "--storage", "elsewhere.db"), "elsewhere.db", "nas search")


def test_a_corrupt_database_is_refused_and_kept(nas: Run, tmp_path: Path) -> None:
    assert nas(*QUICK).returncode == 0
    database = tmp_path / "runs" / "nas.db"
    broken = database.read_bytes()[:5000] + os.urandom(20_000)
    database.write_bytes(broken)
    check_refused(nas(*QUICK), "nas.db", "damaged")
    assert database.read_bytes() == broken
    database.write_bytes(b"not a database at all, but long enough to look like one" * 50)
    check_refused(nas("export"), "nas.db", "damaged")


def test_what_only_reads_leaves_the_database_of_another_program_as_it_is(nas: Run, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection, connection:
        connection.execute("create table addresses (name text)")
    before = (tmp_path / "other.db").read_bytes()
    check_refused(nas("status", "--storage", "other.db"), "other.db", "holds none", "--storage")
    assert (tmp_path / "other.db").read_bytes() == before


@given(st.integers(0, 10**25))
def test_a_count_is_read_exactly(number: int) -> None:
    assert {Count().convert(text, None, None) for text in (f"{number}", f"{number:,}", f"{number:_}")} == {number}
    assert Count().convert(f"{number}k", None, None) == 1000 * number


@pytest.fixture
def read_only(tmp_path: Path) -> Path:
    """A folder in which nothing can be made, for the superuser neither: a file stands in its place."""
    place = tmp_path / "occupied"
    place.write_text("")
    return place / "inside"


def test_an_unwritable_place_is_refused_before_anything_is_trained(nas: Run, read_only: Path) -> None:
    check_refused(nas(*QUICK, "--out", str(read_only)), "writable", "--out")
    check_refused(nas(*QUICK, "--storage", str(read_only / "nas.db")), "writable", "--storage")


def test_a_folder_with_one_class_or_an_unreadable_image_is_refused(nas: Run, tmp_path: Path) -> None:
    (tmp_path / "pictures" / "train" / "cat").mkdir(parents=True)
    (tmp_path / "pictures" / "train" / "cat" / "1.png").write_bytes(b"this is no image")
    check_refused(nas(*QUICK, "--dataset", "folder:pictures"), "class")
    (tmp_path / "pictures" / "train" / "dog").mkdir()
    (tmp_path / "pictures" / "train" / "dog" / "2.png").write_bytes(b"nor is this")
    check_refused(nas(*QUICK, "--dataset", "folder:pictures"), ".png")


@pytest.mark.parametrize(
    "name", ["x'; import os #", '"""\nraise SystemExit', "{braces}", "../../up", "ü \\ %s", "[/x] [red]"]
)
def test_a_study_of_any_name_is_harmless(nas: Run, tmp_path: Path, name: str) -> None:
    done = nas(*QUICK, "--study", name, "--storage", "in {braces}.db")
    assert done.returncode == 0, done.stderr
    assert f"Study {name!r}" in done.stdout
    (model,) = (tmp_path / "runs").glob("*.py")
    printed = subprocess.run(
        [sys.executable, "-c", f"import {model.stem} as m; print(m.load().training)"],
        cwd=model.parent,
        text=True,
        capture_output=True,
    )
    assert (printed.returncode, printed.stdout.strip()) == (0, "False"), printed.stderr
    assert {path.name for path in tmp_path.parent.glob("*.py")} == set()


def test_an_exported_model_is_not_overwritten_without_force(nas: Run, tmp_path: Path) -> None:
    assert nas(*QUICK).returncode == 0
    (model,) = (tmp_path / "runs").glob("*.py")
    assert nas("export").returncode == 0  # the same again: nothing changes
    model.write_text("# mine now\n")
    check_refused(nas("export"), model.name, "--force")
    assert model.read_text() == "# mine now\n"
    assert nas("export", "--force").returncode == 0
    assert "NUM_PARAMS" in model.read_text()


def test_weights_that_are_damaged_or_gone_are_one_line(nas: Run, tmp_path: Path) -> None:
    assert nas(*QUICK).returncode == 0
    (weights,) = (tmp_path / "runs" / "checkpoints").rglob("*.pt")
    whole = weights.read_bytes()
    for damaged in (whole[:-1000], b"", b"nothing of the kind"):
        weights.write_bytes(damaged)
        check_refused(nas("export"), weights.name, "damaged", "choose another trial")
    weights.unlink()
    check_refused(nas("export"), weights.name, "no such file", "choose another trial")


def test_a_study_file_sets_the_defaults_and_the_command_line_wins(nas: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(
        'budget = "3k"\nspace = "tiny"\nepochs = 1\ntrials = 1\nworkers = 1\nstudy = "from file"\n'
    )
    done = nas("search", "--config", "mine.toml", "--study", "from the command line")
    assert done.returncode == 0, done.stderr
    assert "at most 3,000 parameters" in done.stdout
    assert "'from the command line'" in " ".join(done.stdout.split())
    (tmp_path / "mine.toml").write_text("bugdet = 3000\n")
    check_refused(nas("search", "--config", "mine.toml"), "mine.toml", "bugdet", "did you mean 'budget'?")
    (tmp_path / "mine.toml").write_text("budget = \n")
    check_refused(nas("search", "--config", "mine.toml"), "mine.toml", "TOML")


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, group
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


def parse(args: list[str]) -> click.Context:
    """The context of the command that a line names, with its options parsed; nothing is run."""
    context = cli.make_context("nas", args)
    while isinstance(context.command, click.Group):
        name, command, rest = context.command.resolve_command(context, [*context._protected_args, *context.args])
        assert command is not None
        context = command.make_context(name, rest, parent=context)
    return context


@pytest.mark.parametrize(
    ("path", "command"),
    list(commands(cli)),
    ids=lambda value: "-".join(map(str, value)) or "nas" if isinstance(value, tuple) else "",
)
def test_help_begins_with_what_the_command_does_and_ends_with_an_example_that_parses(
    path: tuple[str, ...], command: click.Command
) -> None:
    help_text = command.get_help(click.Context(command, info_name=" ".join(("nas", *path))))
    if len(path) == 1:
        assert " ".join((command.help or "").split("\n\n")[0].split()) == COMMANDS[path[0]], "what nas --help says"
    first = (command.help or "").split("\n\n")[0]
    verb = first.split()[0]
    assert first.endswith("."), "a sentence"
    assert verb.istitle(), "which begins like one"
    assert not verb.endswith("s"), "and tells what to do: Show, not Shows"
    _, _, examples = (command.help or "").rpartition("Example:\n")
    lines = [line.strip() for line in examples.strip().splitlines()]
    assert lines, help_text
    for line in lines:
        assert line.startswith(" ".join(("nas", *path))), line
        assert line in help_text, "as one line, so that it can be copied"
        context = parse(shlex.split(line)[1:])
        assert context.command is command or isinstance(command, click.Group)
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{parameter.name} of {' '.join(path)} has no help"
            assert parameter.help[0].isupper() or parameter.help.split(",")[0] == "auto", parameter.help
            assert parameter.help.endswith((".", "…")), parameter.help


def test_study_files_have_the_names_of_the_options_and_may_be_pipes(nas, tmp_path: Path) -> None:
    for key, right in (("confirming", "confirm"), ("as-json", "json"), ("formats", "format")):
        (tmp_path / "wrong.toml").write_text(f"{key} = true\n")
        check_refused(nas("search", "--config", "wrong.toml"), key, f"did you mean '{right}'?")
    text = 'space = "tiny"\nbudget = 2500\nepochs = 1\ntrials = 1\njson = true\nformat = ["py"]\nstudy = "piped"\n'
    reading, writing = os.pipe()
    os.write(writing, text.encode())
    os.close(writing)
    done = nas("search", "--config", f"/dev/fd/{reading}")
    os.close(reading)
    assert json.loads(done.stdout)["study"] == "piped"


def test_a_low_target_is_not_taken_for_per_cent(nas) -> None:
    check_refused(nas("search", "--target", "1.5"), "target", "1.5")
    assert "did you mean" not in nas("search", "--target", "1.5").stderr
