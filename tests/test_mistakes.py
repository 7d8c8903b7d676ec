"""Mistakes in a space are one line with file and line, while it is looked at and in the middle of a search."""

import inspect
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import FixedTrial
from test_cli import check_refused

import nas as public
from nas.errors import SpaceError
from nas.network.architecture import Architecture
from nas.network.cost import Budget
from nas.space import finding, time_limit
from nas.space.candidate import Candidate, Task
from nas.space.time_limit import TookTooLong, within
from nas.training.recipe import Recipe

Run = Callable[..., subprocess.CompletedProcess[str]]
TASK = Task((1, 28, 28), 10, 5, Budget(20_000))
SPACE = """\
import optuna
import nas
from nas import Architecture, Candidate, Conv, Recipe, gap_head


def suggest(trial, task):
    width, lr = trial.suggest_int("width", 1, 8), trial.suggest_float("lr", 0.01, 0.1)
    wrong = task.epochs == {epochs} and getattr(trial, "number", 5) >= {first}
    while wrong:
        {body}
    layers = (Conv(width), *gap_head(task.n_classes))
    return Candidate(Architecture(task.image_shape, task.n_classes, layers), Recipe(epochs=task.epochs, lr=lr))
"""
BODY = SPACE[: SPACE.index("{body}")].count("\n") + 1  # the line in which the mistake is
MISTAKES = {
    "nas.Convv(3)": "nas has no 'Convv': did you mean 'Conv'?",
    "nas.inverted_botleneck(3, 3)": "nas has no 'inverted_botleneck': did you mean 'inverted_bottleneck'?",
    "task.budgett": "Task has no 'budgett': did you mean 'budget'?",
    "task.budget.parms": "Budget has no 'parms': did you mean 'params'?",
    "nas.cost_of(Architecture((1, 9, 9), 2, gap_head(2))).mac": "Cost has no 'mac': did you mean 'macs'?",
    "trial.suggest_itn('depth', 1, 2)": "a trial has no 'suggest_itn': did you mean 'suggest_int'?",
    "Conv(3).chanels": "Conv has no 'chanels': did you mean 'channels'?",
    "Recipe().learning_rate": "Recipe has no 'learning_rate'",
    "from nas import Convs": "nas has no 'Convs': did you mean 'Conv'?",
    "from math import sqtr": "math has no 'sqtr': did you mean 'sqrt'?",
    "from nas.convolutions import Conv": "whatever a space needs is in nas itself",
    "MaxPool(2)": "'MaxPool' is not defined: import it, as in `from nas import MaxPool`",
    "gap_haed(3)": "'gap_haed' is not defined: did you mean 'gap_head'?",
    "widht + 1": "'widht' is not defined: did you mean 'width'?",
    "Conv(3, kernal=5)": "unexpected keyword argument 'kernal': did you mean 'kernel'?",
    "gap_head(10, hiden=(3,))": "unexpected keyword argument 'hiden': did you mean 'hidden'?",
    "len(3, of=4)": "TypeError: len() takes no keyword arguments",
    "1 / 0": "ZeroDivisionError: division by zero",
    "{}['depth']": "KeyError: 'depth'",
    "assert False": "AssertionError",
    "raise ValueError('two\\nlines')": "ValueError: two lines",
    "Conv(0)": "ArchitectureError: channels of conv must be at least 1, but got 0",
    "None.depth": "AttributeError: 'NoneType' object has no attribute 'depth'",
    "raise SystemExit(3)": "SystemExit: 3",
    "(lambda f: f(f))(lambda f: f(f))": "RecursionError",
    "raise optuna.TrialPruned": "return the candidate, or fit its widths to the budget with nas.widest",
    "raise optuna.exceptions.TrialPruned('too large')": "the search rejects what is over the budget",
    "while True: width += 0": "suggest() took more than",
}


def write(folder: Path, body: str, *, first: int = 0, epochs: int = 5) -> Path:
    path = folder / "mine.py"
    path.write_text(SPACE.format(body=body, first=first, epochs=epochs))
    return path


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits ten seconds for each."""
    monkeypatch.setattr(finding, "MOST_SECONDS", 0.5)


@pytest.mark.parametrize("body", MISTAKES)
@pytest.mark.usefixtures("short")
def test_a_mistake_is_one_line_with_file_and_line(body: str, tmp_path: Path) -> None:
    path = write(tmp_path, body)
    with pytest.raises(SpaceError) as caught:
        finding.load(path).suggest(FixedTrial({"width": 3, "lr": 0.05}), TASK)
    message = str(caught.value)
    assert message.startswith(f"{path}:{BODY}: ")
    assert MISTAKES[body] in message
    assert "\n" not in message


def test_a_file_in_the_current_folder_is_named_from_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spaces").mkdir()
    write(tmp_path / "spaces", "nas.Convv")
    with pytest.raises(SpaceError, match=rf"^spaces/mine\.py:{BODY}: nas has no"):
        finding.load("spaces/mine.py").suggest(FixedTrial({"width": 3, "lr": 0.05}), TASK)


@pytest.mark.parametrize("name", public.__all__)
def test_any_public_name_with_two_letters_exchanged_gets_the_right_one(name: str, tmp_path: Path) -> None:
    letters = list(name)
    letters[-2:] = letters[:-3:-1] if letters[-1] != letters[-2] else [*letters[-2:], "x"]
    path = write(tmp_path, f"nas.{''.join(letters)}")
    with pytest.raises(SpaceError) as caught:
        finding.load(path).suggest(FixedTrial({"width": 3, "lr": 0.05}), TASK)
    assert str(caught.value).endswith(f": did you mean {name!r}?")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("from nas import Convs\n", "mine.py:1: nas has no 'Convs': did you mean 'Conv'?"),
        ("import nas\n\nHEAD = nas.gap_heed(10)\n", "mine.py:3: nas has no 'gap_heed': did you mean 'gap_head'?"),
        ("import nas\n\n\ndef suggest(trial, task)\n", "mine.py:4: cannot be read: expected ':'"),
        ("def suggets(trial, task): ...\n", "mine.py: a search space must define suggest(trial, task)"),
        ("import optuna\nraise optuna.TrialPruned\n", "mine.py:2: a space returns a candidate"),
    ],
)
def test_a_mistake_while_a_file_is_read(nas: Run, tmp_path: Path, source: str, said: str) -> None:
    (tmp_path / "mine.py").write_text(source)
    check_refused(nas("check", "--space", "mine.py"), said)


@pytest.mark.parametrize("command", ["check", "search"])
@pytest.mark.parametrize("body", ["nas.Convv(3)", "raise optuna.TrialPruned", "1 / 0", "while True: width += 0"])
@pytest.mark.usefixtures("short")
def test_a_command_ends_before_anything_is_trained(nas: Run, tmp_path: Path, command: str, body: str) -> None:
    write(tmp_path, body)
    done = nas(command, "--space", "mine.py", "--epochs", "5")
    check_refused(done, f"mine.py:{BODY}: ", MISTAKES[body])
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("body", ["task.budgett", "raise optuna.TrialPruned", "while True: width += 0"])
@pytest.mark.usefixtures("short")
def test_in_the_middle_of_a_search_it_ends_that_and_nothing_is_lost(nas: Run, tmp_path: Path, body: str) -> None:
    """What probes the space has the number 0: only the fifth trial of the study, or a later one, meets it."""
    path = write(tmp_path, body, first=4, epochs=2)
    path.write_text(path.read_text().replace('"number", 5', '"number", 0'))
    options = ("--epochs", "2", "--trials", "20", "--workers", "2", "--pruner", "none", "--study", "late")
    done = nas("search", "--space", "mine.py", *options)
    check_refused(done, f"mine.py:{BODY}: ", MISTAKES[body])
    assert "Traceback" not in done.stdout
    n_finished = done.stdout.count("finished  |")
    assert n_finished >= 3
    assert f"what was trained before it, {n_finished} candidates, is kept in study 'late'" in done.stderr
    assert f"{n_finished} finished" in nas("status", "--study", "late").stdout
    assert nas("export", "--study", "late", "--out", "models").returncode == 0
    assert len(list((tmp_path / "models").glob("*.py"))) == 1


def test_a_function_is_as_good_as_a_file() -> None:
    def suggest(trial: object, task: Task) -> Candidate:
        return task.budgett  # type: ignore[attr-defined, no-any-return]

    line = suggest.__code__.co_firstlineno + 1
    with pytest.raises(SpaceError, match=rf"test_mistakes\.py:{line}: Task has no 'budgett': did you mean 'budget'"):
        finding.load(suggest).suggest(FixedTrial({}), TASK)


# The time limit -------------------------------------------------------------------------------------------------------


def endless() -> None:
    n = 0
    while True:
        n += 1


def test_a_loop_is_cut_off_in_the_line_where_it_is() -> None:
    with pytest.raises(TookTooLong) as caught:
        within(0.5, endless)
    first = endless.__code__.co_firstlineno
    assert caught.traceback[-1].lineno + 1 in (first + 2, first + 3)


def test_loops_of_several_threads_are_cut_off_and_others_go_on() -> None:
    ended: list[str] = []

    def loop() -> None:
        try:
            within(0.5, endless)
        except TookTooLong:
            ended.append("cut off")

    def calm() -> None:
        within(60, lambda: time.sleep(3))
        ended.append("went on")

    threads = [threading.Thread(target=target) for target in (loop, loop, calm)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ended == ["cut off", "cut off", "went on"]


def test_a_loop_that_catches_everything_is_cut_off_all_the_same() -> None:
    """`except:` catches it, too; so it is raised again, until one gets through."""
    caught = 0

    def stubborn() -> None:
        nonlocal caught
        while caught < 2:
            try:
                endless()
            except:  # noqa: E722
                caught += 1
        endless()

    with pytest.raises(TookTooLong):
        within(0.3, stubborn)
    assert caught == 2


def test_what_ends_about_when_its_time_is_over_either_returns_or_is_cut_off() -> None:
    """And nothing is raised in what comes after it."""

    def about(seconds: float) -> str:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            pass
        return "returned"

    outcomes = set()
    for i in range(24):
        try:
            outcomes.add(within(time_limit.TICK, lambda i=i: about(time_limit.TICK + (i % 12 - 6) * 0.0005)))
        except TookTooLong:
            outcomes.add("cut off")
    assert outcomes <= {"returned", "cut off"}
    about(1.5 * time_limit.AGAIN)


@given(st.one_of(st.integers(), st.text(), st.none()))
def test_within_the_time_limit_a_function_does_as_without(value: object) -> None:
    assert within(10, lambda: value) is value
    with pytest.raises(ZeroDivisionError):
        within(10, lambda: 1 / 0)


def test_who_steps_through_a_space_may_take_as_long_as_it_takes() -> None:
    frame = inspect.currentframe()
    assert frame is not None
    frame.f_trace = lambda *event: None
    try:
        assert within(0.3, lambda: time.sleep(1) or "done") == "done"
    finally:
        frame.f_trace = None


def test_a_space_that_is_slow_but_within_the_limit_is_left_alone() -> None:
    def slow(trial: object, task: Task) -> Candidate:
        time.sleep(1)
        layers = public.gap_head(task.n_classes)
        return Candidate(Architecture(task.image_shape, task.n_classes, layers), Recipe(epochs=task.epochs))

    assert finding.load(slow).suggest(FixedTrial({}), TASK).recipe.epochs == 5


def test_what_was_cut_off_leaves_nothing_behind_that_a_tracer_would_stumble_over() -> None:
    """CPython looks for an exception that was asked for and taken back before each step, under a tracer for ever."""
    code = """
import sys
from nas.space.time_limit import TookTooLong, within

def endless():
    while True:
        pass

try:
    within(0.3, endless)
except TookTooLong:
    print("cut off")

def traced():
    return sum(range(3))

sys.settrace(lambda *event: None)
print(traced())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.splitlines() == ["cut off", "3"]
