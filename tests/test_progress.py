"""What is said while something takes long: that it goes on, and how long it will take."""

import json
import math
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from processes import read_until

from nas.progress import track, working
from nas.searching.forecast import epochs_to_target, seconds_to_go
from nas.searching.options import SearchOptions
from nas.table import about

STUDIES = Path(__file__).parents[1] / "studies"
Start = Callable[..., "subprocess.Popen[str]"]


def test_a_search_speaks_before_it_has_loaded_anything_and_while_workers_start(start: Start) -> None:
    options = ("--space", "tiny", "--budget", "2500", "--epochs", "3", "--trials", "2", "--workers", "2")
    lines = start("search", *options, "--pruner", "none").communicate(timeout=120)[0].splitlines()
    n_epochs = next(n for n, line in enumerate(lines) if "epoch " in line and "trial" in line)
    assert lines[0].startswith("Loading torch and npz:")
    assert "Workers start and kernels compile; the first" in lines[n_epochs - 1]
    assert [line for line in lines[n_epochs:] if " left" in line and "about" in line], lines
    assert [line for line in lines if line.startswith("Writing trial")]


def test_an_export_says_that_it_goes_on(start: Start, small_search: Path) -> None:
    export = start("export", "--storage", str(small_search / "runs" / "nas.db"), "--format", "c", "--out", "models")
    read_until(export, "Loading torch")
    assert export.communicate(timeout=120)[0]
    assert export.returncode == 0


def test_what_is_quick_is_not_spoken_of(capfd: pytest.CaptureFixture[str]) -> None:
    with working("Something"):
        assert list(track([1, 2], "looking")) == [1, 2]
    assert capfd.readouterr() == ("", "")


NESTED = """
import time
from nas.progress import say, track, working
with working("Outer"):
    time.sleep(0.3)
    for _ in track(range(3), "inner"):
        time.sleep(0.15)
    say("A line.")
    time.sleep(0.3)
    print("printed")
"""


def test_in_a_terminal_one_thing_moves_at_a_time_and_lines_stay(tmp_path: Path) -> None:
    controller, terminal = pty.openpty()
    with (tmp_path / "out").open("wb") as out:  # what is printed goes where it belongs, whatever moves in the terminal
        process = subprocess.Popen([sys.executable, "-c", NESTED], stdout=out, stderr=terminal, env=os.environ)
    os.close(terminal)
    written = b""
    while True:
        try:
            written += os.read(controller, 4096)
        except OSError:  # the other end is closed
            break
    os.close(controller)
    assert process.wait() == 0
    shown = written.decode()
    assert shown.index("Outer") < shown.index("inner") < shown.index("A line.") < shown.rindex("Outer")
    assert (tmp_path / "out").read_text() == "printed\n"


@given(
    trials=st.integers(1, 100),
    n_over=st.integers(0, 100),
    under_way=st.lists(st.integers(0, 9), max_size=4),
    workers=st.integers(1, 4),
    pruner=st.sampled_from(["none", "pausing"]),
    epoch=st.floats(0.01, 100),
)
def test_an_estimate_has_its_ends_in_order_and_gets_smaller(
    trials: int, n_over: int, under_way: list[int], workers: int, pruner: str, epoch: float
) -> None:
    options = SearchOptions(trials=trials, epochs=10, workers=workers, pruner=pruner)
    ends = seconds_to_go(options, n_over, under_way, epoch)
    assert ends is not None
    assert 0 <= ends[0] <= ends[1]
    later = seconds_to_go(options, n_over + 1, under_way, epoch)
    assert later is not None
    assert later <= ends
    assert ends[1] >= epoch * max((10 - each for each in under_way), default=0), "the longest under way must end"
    if pruner == "none" and not under_way:
        assert ends == pytest.approx((max(0, trials - n_over) * 10 * epoch / workers,) * 2)
    assert seconds_to_go(SearchOptions(epochs=10), n_over, under_way, epoch) is None


@given(
    epoch=st.integers(1, 10),
    accuracy=st.floats(0, 1, exclude_max=True),
    further=st.floats(0, 1, exclude_max=True),
    target=st.floats(0.01, 1),
)
def test_a_target_is_nearer_the_more_accurate_a_training_is(
    epoch: int, accuracy: float, further: float, target: float
) -> None:
    fewest, most = epochs_to_target(epoch, accuracy, target, 10)
    assert 0 <= fewest <= min(most, 10 - epoch)
    assert (fewest == most == 0) == (accuracy >= target) or (epoch == 10 and fewest == 0)
    better = epochs_to_target(epoch, max(accuracy, further), target, 10)
    assert better[0] <= fewest
    assert better[1] <= most


@pytest.mark.parametrize("budget", [2_000, 20_000])
def test_of_recorded_trainings_six_in_seven_have_a_target_when_it_was_told(budget: int) -> None:
    told, n_with_an_end, n = 0, 0, 0
    lines = map(json.loads, (STUDIES / "tables" / f"mnist-{budget}.jsonl").read_text().splitlines())
    curves = [line["validation_accuracy"] for line in lines if line.get("epochs") == 10 and "seed" in line]
    for curve, now, further in product(curves, range(1, 6), range(2, 10)):
        then = now + further
        if then > 10 or curve[-1] < 0.5 or curve[then - 1] <= max(curve[: then - 1]):
            continue  # that accuracy is not reached in this epoch for the first time
        fewest, most = epochs_to_target(now, curve[now - 1], curve[then - 1], 10)
        told += fewest - 0.5 <= further <= most + 0.5
        n_with_an_end += most < math.inf
        n += 1
    assert told / n > 6 / 7
    assert n_with_an_end / n > 0.1


@pytest.mark.slow
def test_a_search_for_a_target_says_how_long_it_takes(start: Start) -> None:
    options = ("--space", "tiny", "--budget", "2500", "--epochs", "30", "--target", "0.75", "--workers", "2")
    output, _ = start("search", *options).communicate(timeout=120)
    assert "Target reached" in output
    told = re.findall(r"epoch +\d+/30.* left  \|  ((?:about|over) .* left)", output)
    assert len(told) == 1, output
    last = next(line for line in output.splitlines() if "finished: the target" in line)
    assert " left" not in last


def test_times_are_told_in_a_unit_that_suits_them() -> None:
    assert about(360, 720) == "about 6 to 12 min"
    assert about(40, 90) == "about 40 to 90 s"
    assert about(3600, 4 * 3600) == "about 1 to 4 h"
    assert about(599, 601) == "about 10 min"
    assert about(90, math.inf) == "over 90 s"


@pytest.mark.parametrize("command", ["reproduce B1", "ablate B1 --axis dropout-rate", "confirm", "retrain --trial 0"])
def test_whatever_trains_speaks_before_torch_is_loaded(start: Start, command: str) -> None:
    """Also where it then ends with an error, for want of a study."""
    stream = start(*command.split()).stdout
    assert stream is not None
    assert stream.readline().startswith("Loading torch")
