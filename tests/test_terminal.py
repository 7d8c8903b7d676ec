"""Looking at studies from the terminal: `nas status`, `nas trials`, `nas show`, and completion in the shell."""

import csv
import json
import os
import shlex
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess

import optuna
import pytest
from click.shell_completion import ShellComplete
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import FrozenTrial, TrialState, create_trial
from processes import read_until
from strategies import architectures

from nas.cli import cli
from nas.cli.search import search as search_command_of_cli
from nas.cli.search_options import budget_of
from nas.network.cost import Budget, cost_of
from nas.network.layer_table import layer_rows
from nas.searching.options import SearchOptions
from nas.study.goal import Goal
from nas.study.locks import is_searched, sole_confirmer, sole_controller
from nas.study.opening import find_study
from nas.study.record import record_of
from nas.study.status import search_words, status, statuses
from nas.study.storage import checkpoint_folder, open_storage
from nas.study.terms import OPTIONS, default_name

Run = Callable[..., CompletedProcess[str]]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def searched(nas: Run, small_search: Path, tmp_path: Path) -> Run:
    """The command line in a folder where a small search has been."""
    shutil.copytree(small_search, tmp_path, dirs_exist_ok=True)
    return nas


def test_status_tells_what_was_asked_and_what_came_out(searched: Run, few_images: str) -> None:
    rows = json.loads(searched("trials", "--study", "small", "--json").stdout)
    n_rejected = sum(row["outcome"] == "rejected" for row in rows)
    best = max((row for row in rows if row["outcome"] == "finished"), key=lambda row: row["accuracy"])
    shown = searched("status", "--study", "small").stdout
    for expected in (
        f"space 'tiny' on {few_images}, at most 1,500 parameters, 2 epochs, until 99.00 %",
        "no search is running",
        f"3 finished, 0 pruned, {n_rejected} rejected",
        f"{100 * best['accuracy']:.2f} % with {best['params']:,} parameters (trial {best['trial']})",
        "6 epochs trained",
    ):
        assert expected in shown


def test_status_tells_of_every_study_the_newest_first(searched: Run, tmp_path: Path) -> None:
    later = optuna.create_study(storage=open_storage(str(tmp_path / "runs" / "nas.db")), study_name="another")
    later.add_trial(a_trial(TrialState.PRUNED, datetime.now(), datetime.now()))
    shown = searched("status").stdout
    assert shown.index("another") < shown.index("small\n")
    assert "not a study of nas" in shown


def test_the_command_that_status_gives_continues_the_study(searched: Run, tmp_path: Path) -> None:
    assert "go on" not in searched("status").stdout, "all three trials are trained"
    database = tmp_path / "runs" / "nas.db"
    study = find_study(open_storage(str(database)))
    study.set_user_attr(OPTIONS, {**study.user_attrs[OPTIONS], "trials": 5})
    shown = searched("status").stdout
    assert "2 of 5 trials to begin" in shown
    line = next(line for line in shown.splitlines() if "go on" in line)
    args = shlex.split(line.split("go on")[1])[1:]
    assert "--trials" in args
    args[args.index("--trials") + 1] = "4"
    done = searched(*args)
    assert done.returncode == 3, done.stderr
    assert "Continuing" in done.stdout
    assert "4 finished" in searched("status").stdout


@given(
    budget=st.integers(1, 10**6) | st.builds(Budget, st.integers(1, 10**6), macs=st.integers(1, 10**9)),
    target=st.none() | st.floats(0.01, 1),
    timeout=st.none() | st.floats(0.5, 1e6),
    study=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1).filter(lambda s: s[0] != "-"),
    out=st.sampled_from(["runs", "a folder", "it's"]),
    formats=st.sampled_from([(), ("c",), ("onnx", "c")]),
)
def test_what_a_search_was_told_can_be_told_again(
    budget: int | Budget, target: float | None, timeout: float | None, study: str, out: str, formats: tuple[str, ...]
) -> None:
    options = SearchOptions(budget, target=target, timeout=timeout, study=study, out=Path(out), formats=formats)
    args = list(search_words(options.not_by_default))
    settings = search_command_of_cli.make_context("search", args[2:]).params
    limits = budget_of(settings)
    for name in ("as_json", "confirming"):
        settings.pop(name)
    told = {name: value for name, value in settings.items() if value is not None}
    assert SearchOptions(limits, **told) == options


def test_status_sees_a_running_search_and_leaves_it_alone(start: Start, nas: Run, tmp_path: Path) -> None:
    slow = ("search", "--space", "tiny", "--epochs", "400", "--budget", "3k", "--pruner", "none", "--trials", "1")
    process = start(*slow, "--workers", "2", "--study", "long")  # one thread each
    read_until(process, "epoch 2/400")
    seen = nas("status").stdout
    assert "searching now" in seen
    assert "1 running" in seen
    assert "go on" not in seen
    read_until(process, "epoch 5/400")  # it goes on
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert (tmp_path / "runs" / "checkpoints" / "long" / "lock").exists(), "the lock's file is stale now"
    after = nas("status").stdout
    assert "no search is running" in after
    assert "1 interrupted" in after
    assert "running," not in after
    assert [row["outcome"] for row in json.loads(nas("trials", "--json").stdout)] == ["interrupted"]
    assert len(json.loads(nas("trials", "--json", "--outcome", "interrupted").stdout)) == 1
    assert "interrupted" in nas("show", "0").stdout


def test_a_lock_says_something_only_while_it_is_held(tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path / "nas.db"))
    folder = checkpoint_folder(storage, "mine")
    assert not is_searched(storage, "mine")
    assert not folder.exists()
    with sole_controller(storage, "mine"):
        assert is_searched(storage, "mine")
    assert (folder / "lock").exists()
    assert not is_searched(storage, "mine")
    with sole_confirmer(storage, "mine"):  # asking has not taken it
        assert not is_searched(storage, "mine")
    with sole_controller(storage, "mine"):
        assert is_searched(storage, "mine")


HOUR = timedelta(hours=1)
TEN = datetime(2026, 1, 1, 10)


def a_trial(
    state: TrialState, begun: datetime, ended: datetime | None, epochs: int = 0, **attrs: object
) -> FrozenTrial:
    trial = create_trial(
        state=state,
        value=0.5 if state == TrialState.COMPLETE else None,
        user_attrs={"seed": 0, **attrs},
        intermediate_values=dict.fromkeys(range(1, epochs + 1), 0.5),
    )
    trial.datetime_start, trial.datetime_complete = begun, ended
    return trial


def test_time_and_epochs_count_once(tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path / "nas.db"))
    study = optuna.create_study(storage=storage, study_name="x", direction="maximize")
    study.add_trials(
        [
            a_trial(TrialState.COMPLETE, TEN, TEN + 2 * HOUR, 4, outcome="finished"),
            # beside it, until the process was killed; told by the next search, the day after
            a_trial(TrialState.FAIL, TEN + HOUR, TEN + 24 * HOUR, 3),
            a_trial(TrialState.COMPLETE, TEN + 24 * HOUR, TEN + 25 * HOUR, 4, outcome="finished", continues=1),
            a_trial(TrialState.COMPLETE, TEN + 25 * HOUR, TEN + 25 * HOUR, 4, outcome="repeated", repeats=0),
        ]
    )
    found = status(study, storage)
    assert found.seconds == 3 * 3600
    assert found.epochs == 8
    assert found.counts == {"finished": 2, "repeated": 1, "interrupted": 1}
    assert (found.terms, found.command) == (None, None)


def test_trials_as_csv_and_json_hold_the_study(searched: Run, tmp_path: Path) -> None:
    printed = searched("trials", "--csv").stdout
    rows = list(csv.DictReader(printed.splitlines()))
    study = find_study(open_storage(str(tmp_path / "runs" / "nas.db")))
    known = [record_of(trial) for trial in study.trials]
    assert [int(row["trial"]) for row in rows] == [record.trial for record in known]
    for row, record in zip(rows, known, strict=True):
        assert row["accuracy"] == ("" if record.accuracy is None else repr(record.accuracy)), "a plain fraction"
        assert record.cost is not None
        assert (int(row["params"]), int(row["macs"])) == (record.cost.params, record.cost.macs)
    as_json = json.loads(searched("trials", "--json").stdout)
    assert [list(row) for row in as_json] == [list(rows[0])] * len(rows)
    assert [row["network"] for row in as_json] == [row["network"] for row in rows]


def test_trials_are_chosen_and_sorted(searched: Run) -> None:
    def rows(*options: str) -> list[dict[str, object]]:
        return json.loads(searched("trials", "--json", *options).stdout)  # type: ignore[no-any-return]

    everything = rows()
    for outcome in ("finished", "rejected", "repeated"):
        assert rows("--outcome", outcome) == [row for row in everything if row["outcome"] == outcome]
    both = rows("--outcome", "finished", "--outcome", "rejected", "--sort", "params")
    assert [row["params"] for row in both] == sorted(row["params"] for row in both)
    accuracies = [row["accuracy"] for row in rows("--sort", "accuracy")]
    assert accuracies[:3] == sorted((a for a in accuracies if a is not None), reverse=True)
    assert set(accuracies[3:]) <= {None}
    table = searched("trials", "--outcome", "finished", "--sort", "accuracy").stdout
    assert f"{100 * accuracies[0]:.2f} %" in table.splitlines()[3]


def test_a_pipe_that_is_closed_early_ends_quietly(searched: Run, tmp_path: Path) -> None:
    storage = optuna.storages.RDBStorage(f"sqlite:///{tmp_path / 'many.db'}")
    study = optuna.create_study(storage=storage, study_name="many")
    study.add_trials([a_trial(TrialState.PRUNED, TEN, TEN, 1, network="conv " * 400) for _ in range(100)])
    for options in (["--csv"], []):
        listing = subprocess.Popen(
            [sys.executable, "-m", "nas", "trials", "--storage", "many.db", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert listing.stdout is not None
        listing.stdout.readline()
        listing.stdout.close()
        assert listing.stderr is not None
        assert listing.stderr.read() == b""
        listing.stderr.close()
        listing.wait(timeout=60)


@given(architecture=architectures())
def test_layers_add_up_to_the_network(architecture) -> None:  # type: ignore[no-untyped-def]
    rows, cost = layer_rows(architecture), cost_of(architecture)
    assert (sum(row.params for row in rows), sum(row.macs for row in rows)) == (cost.params, cost.macs)
    assert sum(row.share for row in rows) == pytest.approx(1.0)
    assert [row.input_shape for row in rows[1:]] == [row.output_shape for row in rows[:-1]]


def test_show_tells_everything_of_a_trial(searched: Run) -> None:
    listed = json.loads(searched("trials", "--json").stdout)
    finished = next(row for row in listed if row["outcome"] == "finished")
    number = str(finished["trial"])
    record = json.loads(searched("show", number, "--json").stdout)
    assert sum(layer["params"] for layer in record["layers"]) == record["params"] == finished["params"]
    assert [point["epoch"] for point in record["curve"]] == [1, 2]
    assert record["curve"][-1]["validation_accuracy"] == record["validation_accuracy"] == finished["accuracy"]
    shown = searched("show", number).stdout
    for layer in record["layers"]:
        assert layer["name"] in shown
    for expected in (
        f"{record['params']:,}", "1,500", f"{100 * record['params'] / 1500:.1f} %", record["training"],
        f"{100 * record['validation_accuracy']:.2f} %", "█", f"seed       {record['seed']}", "torch", "finished",
    ):  # fmt: skip
        assert expected in shown


def test_show_says_where_a_rejected_network_has_its_parameters(searched: Run) -> None:
    listed = json.loads(searched("trials", "--json").stdout)
    rejected = next(row for row in listed if row["outcome"] == "rejected")
    record = json.loads(searched("show", str(rejected["trial"]), "--json").stdout)
    assert sum(layer["params"] for layer in record["layers"]) == rejected["params"] > 1500
    shown = searched("show", str(rejected["trial"])).stdout
    assert "rejected: over the budget" in shown
    assert "Learning curve" not in shown


def test_a_trial_that_is_not_there_gets_one_line(searched: Run) -> None:
    for number in ("99999", "--", "first"):
        done = searched("show", number)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert "99999" in searched("show", "99999").stderr
    assert searched("trials", "--csv", "--json").returncode == 2


def complete(*args: str) -> list[str]:
    *before, begun = args
    return [item.value for item in ShellComplete(cli, {}, "nas", "_NAS_COMPLETE").get_completions(before, begun)]


def test_commands_options_and_names_are_completed(searched: Run, tmp_path: Path) -> None:
    assert complete("sta") == ["status"]
    assert complete("trials", "--out") == ["--outcome"]
    assert complete("search", "--space", "t") == ["tiny"]
    assert complete("check", "--dataset", "fashion") == ["fashion-mnist"]
    assert complete("ablate", "A10", "--dataset", "mn") == ["mnist"]
    assert complete("search", "--sampler", "") == ["learned", "tpe", "random", "nsga2", "gp"]
    assert complete("search", "--pruner", "h") == ["halving", "hyperband"]
    assert complete("search", "--minimize", "m") == ["macs", "memory"]
    for command in ("search", "check", "confirm", "reproduce"):
        assert complete(command, "--precision", "b") == ["bfloat16"]
    assert complete("ablate", "A1") == ["A1", "A10"]
    assert complete("ablate", "A10", "--axis", "b") == ["batch-norm-order", "batch-size"]
    assert complete("reproduce", "A1", "B5", "a") == ["all"]
    assert complete("export", "--documented", "B5") == ["B5"]
    for command in ("export", "report", "confirm", "retrain", "status", "trials"):
        assert complete(command, "--study", "") == ["small"]
    assert (
        complete("show", "")
        == complete("retrain", "--trial", "")
        == complete("export", "--study", "small", "--trial", "")
    )
    assert complete("show", "")[:2] == ["0", "1"]
    assert complete("show", "--storage", "nowhere.db", "") == []
    assert complete("pareto", "sm") == complete("pareto", "small", "") == ["small"]
    assert complete("trials", "--storage", "nowhere.db", "--study", "") == []
    assert not (tmp_path / "nowhere.db").exists()
    (tmp_path / "damaged.db").write_bytes(b"no database" * 99)
    assert complete("show", "--storage", "damaged.db", "--study", "") == []


def test_bash_completes_with_the_script(tmp_path: Path, nas: Run) -> None:
    script = nas("completion", "bash").stdout
    command = tmp_path / "nas"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m nas "$@"\n')
    command.chmod(command.stat().st_mode | stat.S_IEXEC)
    line = 'COMP_WORDS=(nas search --pruner m); COMP_CWORD=3; _nas_completion nas; echo "${COMPREPLY[@]}"'
    done = subprocess.run(
        ["bash", "-c", f"{script}\n{line}"],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        text=True,
        capture_output=True,
    )
    assert (done.stdout.split(), done.stderr) == (["median"], "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_has_a_script_and_is_told_where_it_belongs(nas: Run, shell: str) -> None:
    assert "_NAS_COMPLETE" in nas("completion", shell).stdout
    assert f"nas completion {shell}" in nas("completion", "--help").stdout


def test_looking_writes_nothing(searched: Run, tmp_path: Path) -> None:
    def dump() -> str:
        with sqlite3.connect(tmp_path / "runs" / "nas.db") as connection:
            return "\n".join(connection.iterdump())

    before = dump()
    for command in (["status"], ["trials"], ["show", "0"]):
        assert searched(*command).returncode == 0
    assert dump() == before
    assert len(statuses(open_storage(str(tmp_path / "runs" / "nas.db")))) == 1
    assert checkpoint_folder(open_storage(str(tmp_path / "runs" / "nas.db")), "small").is_dir()


@pytest.mark.parametrize(
    ("options", "counts", "left"),
    [
        ({"trials": 5}, {"finished": 3, "pruned": 2, "interrupted": 1}, ""),
        ({"trials": 5}, {"finished": 2, "interrupted": 1, "paused": 2}, "1 interrupted, 2 paused"),
        ({"trials": 9}, {"finished": 2, "interrupted": 1}, "1 interrupted, 6 of 9 trials to begin"),
        ({"target": 0.4}, {"finished": 2, "interrupted": 1}, ""),
        ({"target": 0.994}, {"finished": 2}, "the target of 99.40 % is not reached"),
        ({"timeout": 60.0}, {"finished": 2}, "60 s more"),
        ({"target": 0.4, "minimize": "params"}, {"finished": 2}, "more trials, until Ctrl-C"),
    ],
)
def test_status_tells_what_is_left_to_do(
    searched: Run, tmp_path: Path, options: dict[str, object], counts: dict[str, int], left: str
) -> None:
    storage = open_storage(str(tmp_path / "runs" / "nas.db"))
    seen = status(find_study(storage), storage)
    assert seen.best is not None
    assert 0.4 <= seen.best.expected_accuracy < 0.994
    assert replace(seen, options=options, counts=counts).left == left


def test_a_study_of_ones_own_data_is_called_by_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "digits").mkdir()
    monkeypatch.chdir(tmp_path / "digits")
    for dataset in ("folder:.", "folder:../digits/", f"folder:{tmp_path}/digits", "npz:../digits.npz"):
        assert default_name(dataset, Budget(900), "tiny", 2, 0, Goal()) == "digits-900-params-tiny-2-epochs-seed-0"
    assert default_name("mnist", Budget(900), "tiny", 2, 0, Goal()).startswith("mnist-900")


def test_a_study_of_one_epoch_goes_on_under_the_name_that_it_was_made_with(nas: Run, tmp_path: Path) -> None:
    asked = ("search", "--space", "tiny", "--budget", "3k", "--epochs", "1", "--workers", "1", "--sampler", "random")
    assert nas(*asked, "--trials", "1").returncode == 0
    now, before = "few-3000-params-tiny-1-epoch-seed-0", "few-3000-params-tiny-1-epochs-seed-0"
    assert nas("studies", "rename", now, before).returncode == 0
    on = nas(*asked, "--trials", "2")
    assert on.returncode == 0, on.stderr
    study = find_study(open_storage(str(tmp_path / "runs" / "nas.db")))
    assert study.study_name == before
    assert sum(bool(trial.intermediate_values) for trial in study.trials) == 2
