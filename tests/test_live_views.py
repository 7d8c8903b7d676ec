"""What moves in a terminal while something runs, in real terminals of several widths.

Run as a program, in a terminal, this file plays all `VIEWS` one after the other, each in a terminal of its size.
"""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import optuna
import pytest

from nas import datasets
from nas.network.cost import cost_of
from nas.replication.batch import Training
from nas.searching.events import Ended, EpochDone, Event, Started
from nas.searching.options import SearchOptions
from nas.searching.search import Prepared
from nas.space import documented
from nas.study.goal import Goal
from nas.study.terms import default_name
from nas.terminal.console import console
from nas.terminal.search_display import SearchDisplay
from nas.terminal.trainings_display import Stages
from nas.training.run import EpochResult

WIDTHS = (60, 80, 100, 160)
FIGURES = ["trial", "parameters", "epoch", "accuracy", "time left"]
BEST, TALLY = "best 99.49 % with 24,498 parameters (trial 7)", "1 finished, 0 pruned, 0 rejected"
N_MANY, LOW = 30, 10  # candidates in training, and lines of a terminal that cannot show them all
LABEL = "rotation 5°, translation 0.05 (as it is), seed 3"  # none is longer
BESIDE = "Something else is said."
END_OF_VIEW = "\f"


@dataclass(frozen=True)
class View:
    """What runs in a terminal of what size."""

    play: Callable[[str], None]  # gets the name of a data set
    width: int
    height: int = 24
    term: str = "xterm-256color"


Screen = list[str]  # lines


@dataclass
class Seen:
    """What a terminal showed: whenever something was about to be redrawn, and in the end."""

    written: str
    screens: list[Screen] = field(default_factory=list)
    last: Screen = field(default_factory=list)

    def __post_init__(self) -> None:
        """Follows what Rich writes. Lines get as long as they are written; a terminal would break them."""
        lines, row, column, is_new = [""], 0, 0, False
        for match in re.finditer(r"\x1b\[(\??[\d;]*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)", self.written):
            code, moves, text = match[2], match[3], match[4]
            if code in ("A", "K") and is_new:
                self.screens.append(_without_blanks(lines))
                is_new = False
            if code == "A":
                row -= int(match[1] or 1)
                assert row >= 0, "above the first line"
            elif code == "K":
                lines[row] = ""
            elif moves == "\r":
                column = 0
            elif moves == "\n":
                row += 1
                lines += [""] * (row + 1 - len(lines))
            elif text:
                lines[row] = lines[row][:column].ljust(column) + text + lines[row][column + len(text) :]
                column, is_new = column + len(text), True
            else:
                assert code in ("m", "h", "l"), f"what is {match[0]!r}?"
        self.last = _without_blanks(lines)

    def with_line(self, pattern: str) -> list[Screen]:
        """The screens on which there is such a line."""
        return [screen for screen in self.screens if any(re.search(pattern, line) for line in screen)]


def _without_blanks(lines: Sequence[str]) -> Screen:
    """Without those at the ends of lines and the empty lines at the end."""
    return "\n".join(map(str.rstrip, lines)).rstrip().split("\n")


# Playing the views ----------------------------------------------------------------------------------------------------


def play_search(dataset: str) -> None:
    """One trial is over, one has an epoch, one has none."""
    _follow(
        dataset,
        [
            Started(7, A10, cost_of(A10.architecture)),
            EpochDone(7, _epoch(100, 0.9949)),
            Ended(7, "finished", accuracy=0.9949),
            Started(1204, B5, cost_of(B5.architecture)),
            EpochDone(1204, _epoch(99, 0.9941)),
            Started(1205, A10, cost_of(A10.architecture)),
        ],
    )


def play_many(dataset: str) -> None:
    """More candidates in training than a low terminal has lines."""
    _follow(dataset, [Started(trial, B5, cost_of(B5.architecture)) for trial in range(N_MANY)])


def play_confirm(dataset: str) -> None:
    """Two stages; in the first a training is over, the second has just begun."""
    trainings = [Training(B5, seed, LABEL) for seed in range(12)]
    n_epochs = B5.recipe.epochs
    with Stages(console()) as stages:
        stages.stage("Race, seed 1 of 5", trainings)
        for epoch in range(1, n_epochs + 1):
            stages.epoch(trainings[0], _epoch(epoch, 0.9941))
            time.sleep(0.05 / n_epochs)  # so that there is a speed
        stages.stage("All training images", trainings)


A10, B5 = (documented.load(name).candidate for name in ("A10", "B5"))
VIEWS: Mapping[str, View] = {
    **{f"search, {width}": View(play_search, width) for width in (50, *WIDTHS)},
    **{f"confirm, {width}": View(play_confirm, width) for width in WIDTHS},
    "search, many": View(play_many, 80, height=LOW),
    "search, dumb": View(play_search, 80, term="dumb"),
    "confirm, dumb": View(play_confirm, 80, term="dumb"),
}


def _follow(dataset: str, events: Sequence[Event]) -> None:
    options = SearchOptions(epochs=100, dataset=dataset, space="tiny")
    split = datasets.split(datasets.load(dataset), None, 0)
    study = optuna.create_study(study_name=default_name("mnist", options.limits, "tiny", 100, 0, Goal()))
    screen = console(width=120)
    with SearchDisplay(screen, options) as display:
        display.ready(Prepared(options, study, split, (), 0))
        for event in events:
            display.event(event)
        screen.print(BESIDE)  # above the view, which is drawn again at once


def _epoch(epoch: int, accuracy: float) -> EpochResult:
    return EpochResult(epoch, 0.1, 0.98, 0.1, accuracy, seconds=75.0)


def play_all(dataset: str) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    for view in VIEWS.values():
        termios.tcsetwinsize(sys.stdout, (view.height, view.width))
        os.environ["TERM"] = view.term
        view.play(dataset)
        print(end=END_OF_VIEW, flush=True)


# Watching them --------------------------------------------------------------------------------------------------------


class Terminal:
    """A real terminal with a command in it; the command's standard output can go elsewhere."""

    def __init__(self, args: Sequence[str], folder: Path, width: int, stdout: int | None = None) -> None:
        self._ours, its = pty.openpty()
        termios.tcsetwinsize(its, (24, width))
        self.process = subprocess.Popen(
            [sys.executable, *args],
            cwd=folder,
            env={name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
            | {"TERM": "xterm-256color"},
            stdin=its,
            stdout=its if stdout is None else stdout,
            stderr=its,
            start_new_session=True,
        )
        os.close(its)
        self._written = b""

    @property
    def written(self) -> str:
        return self._written.decode(errors="ignore")  # the last character may be half there

    def read(self) -> bool:
        """Waits until more is written; False once there will be no more."""
        try:
            piece = os.read(self._ours, 65536)
        except OSError:  # what Linux says where others say nothing
            piece = b""
        self._written += piece
        return bool(piece)

    def close(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self._ours)


@contextmanager
def terminal(args: Sequence[str], folder: Path, width: int, stdout: int | None = None) -> Iterator[Terminal]:
    opened = Terminal(args, folder, width, stdout)
    try:
        yield opened
    finally:
        opened.close()


@pytest.fixture(scope="module")
def seen(few_images: str, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Seen]:
    """What each of the views showed."""
    with terminal([__file__, few_images], tmp_path_factory.mktemp("views"), WIDTHS[0]) as played:
        while played.read():
            pass
    assert played.process.returncode == 0, played.written
    return dict(zip(VIEWS, map(Seen, played.written.split(END_OF_VIEW)), strict=False))


def cells(line: str) -> list[str]:
    """What two spaces or more part."""
    return re.split(r"\s{2,}", line.strip())


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("view", ["search", "confirm"])
def test_no_line_is_longer_than_the_terminal_and_nothing_is_left_behind(
    seen: Mapping[str, Seen], view: str, width: int
) -> None:
    shown = seen[f"{view}, {width}"]
    assert shown.screens
    assert max(len(line) for screen in shown.screens for line in screen) <= width
    assert shown.last[-1] in (BESIDE, "All training images: 12 trainings."), shown.last


@pytest.mark.parametrize("width", [50, *WIDTHS])
def test_a_search_shows_its_figures_whole_and_what_there_is_room_for_of_the_networks(
    seen: Mapping[str, Seen], width: int
) -> None:
    screen = seen[f"search, {width}"].screens[-1]
    first = next(n for n, line in enumerate(screen) if "trial " in line and "Study" not in line)
    heading, trained, begun = map(cells, screen[first : first + 3])
    assert heading[:5] == FIGURES
    assert trained[:5] == ["1204", "19,798", "99/100", "99.41 %", "1:15"]
    assert begun[:5] == ["1205", f"{cost_of(A10.architecture).params:,}", "0/100", "-", "-"]
    assert heading[5:] == (["network"] if width >= 60 else [])
    for row, candidate in ((trained, B5), (begun, A10)):
        for network in row[5:]:
            assert len(network) >= 10
            assert network.endswith("…")
            assert str(candidate.architecture).startswith(network.removesuffix("…").rstrip())
        assert len(row) == len(heading)
    below = [re.sub(r"^\d:\d\d", "0:00", line) for line in screen[first + 3 :]]
    assert max(map(len, below)) <= width
    assert " ".join(" ".join(below).split()) in (f"0:00 {BEST}; {TALLY}", f"0:00 {BEST} {TALLY}")


@pytest.mark.parametrize("width", WIDTHS)
def test_what_is_searched_is_told_without_a_break_in_a_word(seen: Mapping[str, Seen], width: int) -> None:
    screen = seen[f"search, {width}"].screens[0]
    assert max(map(len, screen)) <= width
    shown = " ".join(screen)
    assert "networks of at most 20,000 parameters on npz:" in shown
    assert "500 to validate; no test image is looked at. Study 'mnist-20000-params-tiny-100-epochs-seed-0'." in shown


def test_candidates_for_which_a_terminal_is_too_low_are_counted(seen: Mapping[str, Seen]) -> None:
    screens = seen["search, many"].with_line("19,798")
    assert screens
    for screen in screens:
        view = screen[next(n for n, line in enumerate(screen) if "trial  " in line) :]
        assert len(view) <= LOW
        n_rows = sum("19,798" in line for line in view)
        assert f"and {N_MANY - n_rows} more" in view[1 + n_rows]
        assert "0 finished, 0 pruned, 0 rejected" in view[-1]


@pytest.mark.parametrize("width", WIDTHS)
def test_trainings_show_bar_share_number_time_and_the_last_epoch(seen: Mapping[str, Seen], width: int) -> None:
    screen = seen[f"confirm, {width}"].with_line("1 of 12 trainings")[-1]
    stage = screen.index("Race, seed 1 of 5: 12 trainings.")
    assert re.fullmatch(r"[━╸╺]{20,} +8% 1 of 12 trainings \d+:\d\d:\d\d", screen[stage + 1]), screen
    n_epochs = B5.recipe.epochs
    assert " ".join(screen[stage + 2 :]).split() == f"{LABEL} epoch {n_epochs}/{n_epochs} 99.41 %".split()
    begun = seen[f"confirm, {width}"].with_line("0 of 12 trainings")[-1]
    assert "All training images: 12 trainings." in begun
    assert re.fullmatch(r"[━╸╺]{20,} +0% 0 of 12 trainings -:--:--", begun[-2]), begun
    assert "Race, seed 1 of 5: 12 trainings." in begun, "what was said of the stage before stays"


@pytest.mark.parametrize("view", ["search", "confirm"])
def test_a_terminal_whose_cursor_cannot_move_gets_lines(seen: Mapping[str, Seen], view: str) -> None:
    shown = seen[f"{view}, dumb"]
    assert "\x1b" not in shown.written
    assert [line for line in shown.last if re.search(r"epoch +\d+/\d+ .*99\.41 %", line)]


@pytest.mark.usefixtures("one_core")
def test_the_command_follows_a_search_on_the_terminal_while_its_result_goes_to_a_file(
    few_images: str, tmp_path: Path
) -> None:
    args = ["-m", "nas", "search", "--space", "tiny", "--budget", "2500", "--epochs", "400", "--pruner", "none"]
    args += ["--trials", "1", "--workers", "1", "--dataset", few_images, "--json"]
    row = r"^ +\d+ +[\d,]+ +\d+/400 +\d+\.\d\d % +\d+:\d\d  conv 3×3 .{6,}…$"
    with (tmp_path / "result.json").open("wb") as file, terminal(args, tmp_path, 80, file.fileno()) as search:
        while not (screens := Seen(search.written).with_line(row)):
            assert search.read(), search.written
        os.killpg(search.process.pid, signal.SIGINT)  # as a terminal does
        while search.read():
            pass
        assert search.process.wait() == 130, search.written
    assert max(map(len, screens[-1])) <= 80
    assert [*FIGURES, "network"] in map(cells, screens[-1])
    assert re.fullmatch(r"\d:\d\d  0 finished, 0 pruned, \d+ rejected(; about .* left)?", screens[-1][-1])
    assert json.loads((tmp_path / "result.json").read_text())["ended"] == "interrupted"


if __name__ == "__main__":
    play_all(sys.argv[1])
