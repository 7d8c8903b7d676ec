"""What the user sees of a search: live in a terminal, line by line elsewhere."""

import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from threading import Lock
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from nas import shell
from nas.files import NO_ROOM
from nas.network.cost import Cost
from nas.searching.events import Doing, Ended, EpochDone, Event, Started, Taught, Teaching, Told, TrialEvent
from nas.searching.forecast import seconds_to_go, seconds_to_target
from nas.searching.options import SearchOptions
from nas.searching.search import Prepared, SearchResult
from nas.shell import quoted
from nas.study.confirmation import confirmation_of
from nas.study.folders import DEFAULT_STORAGE
from nas.study.record import best_table, counts, ranked
from nas.study.trial import paused_trials
from nas.study.urls import without_password
from nas.table import about, clock, per_cent, plural
from nas.terminal.console import show

N_SHOWN = 5
SHORTEST = 10  # characters of a network; fewer tell nothing of it
COLUMNS = ("trial", "parameters", "epoch", "accuracy", "time left")
GAP = 2  # characters between two columns
FEWER = {4: ", weights in four"}  # bits of weights in whole numbers
TEACHER = -1  # its number among those of trials: it comes before them


@dataclass
class Running:
    """A candidate in training, as far as the display knows it."""

    cost: Cost
    network: str
    epochs: int
    epoch: int = 0
    accuracy: float | None = None
    seconds: list[float] = field(default_factory=list)

    @property
    def seconds_left(self) -> float | None:
        """An estimate, once an epoch has been measured."""
        if not self.seconds:
            return None
        return sum(self.seconds) / len(self.seconds) * (self.epochs - self.epoch)

    def done(self, event: EpochDone) -> None:
        self.epoch, self.accuracy = event.result.epoch, event.result.validation_accuracy
        self.seconds.append(event.result.seconds)


class SearchDisplay:
    """Follows a search's events; events come from several threads.

    In a terminal it shows the candidates in training, a line each, and below them the time, the best and a tally.
    In a narrow one the network is cut off, or left out where next to nothing of it would be left, and the tally gets a
    line of its own; the figures stand whole from 60 columns on. In a low one, what does not fit of the candidates is
    only counted. A terminal that cannot move its cursor (TERM=dumb) gets lines, as a file does. `is_ready` is called
    before the first line is shown.
    """

    def __init__(self, console: Console, options: SearchOptions, is_ready: Callable[[], None] = lambda: None) -> None:
        self._console, self._options, self._is_ready = console, options, is_ready
        self._lock = Lock()
        self._running: dict[int, Running] = {}
        self._paused: dict[int, int] = {}  # epochs by trial
        self._counts: dict[str, int] = {}
        self._best: tuple[float, Cost, int] | None = None  # accuracy, cost, trial
        self._seconds: list[float] = []  # of epochs that were not the first of a training, where there are others
        self._doing = ""
        self._start = time.monotonic()
        self._live = Live(console=console, get_renderable=self._render, refresh_per_second=2, transient=True)

    def __enter__(self) -> "SearchDisplay":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live.is_started:
            self._live.stop()

    def ready(self, prepared: Prepared) -> None:
        """The search is about to begin."""
        self._is_ready()
        self._counts = dict(counts(prepared.study))
        self._paused = {each.number: len(each.intermediate_values) for each in paused_trials(prepared.study)}
        for best in ranked(prepared.study)[:1]:
            if best.cost is not None:
                self._best = (best.accuracy or 0.0, best.cost, best.trial)
        for line in (*_introduction(prepared), *prepared.notes):
            # A file keeps a line whole; a terminal would break it within a word.
            self._console.print(line, soft_wrap=not self._console.is_terminal)
        compiling = " and kernels compile" if prepared.compiles else ""
        self._doing = f"workers start{compiling}; the first epoch takes longest"
        if self._console.is_interactive:
            self._live.start()
        else:
            self._console.print(f"{self._doing[:1].upper()}{self._doing[1:]}.", soft_wrap=True)

    def event(self, event: Event) -> None:
        """Something happened to a trial."""
        with self._lock:
            line = self._follow(event)
        if line and (isinstance(event, Taught | Told) or not self._console.is_interactive):
            self._print(line)

    def _print(self, line: str) -> None:
        try:
            self._console.print(line, soft_wrap=not self._console.is_interactive)
        except OSError as error:  # rich keeps the line until it can be written; no training fails for it
            if error.errno not in NO_ROOM:
                raise

    def _follow(self, event: Event) -> str:
        match event:
            case Started(trial, candidate, cost):
                self._paused.pop(trial, None)
                self._running[trial] = Running(cost, str(candidate.architecture), self._options.epochs)
                return ""
            case EpochDone(trial, result):
                self._running[trial].done(event)
                self._doing = ""
                line = f"trial {trial:4d}  {_progress(self._running[trial])}"
                return line + self._first_estimate(result.seconds, is_first=len(self._running[trial].seconds) == 1)
            case Ended(trial, outcome):
                return self._ended(trial, outcome, event)
            case Teaching(of_teacher, epochs):
                return self._follow_teacher(of_teacher, epochs)
            case Told(text):
                return text
            case Doing(text):
                self._doing = text
                return f"{text}."
            case Taught(teacher):
                return f"Teacher: {teacher.figures}; {teacher.cost}. {teacher.trained_on}"

    def _first_estimate(self, seconds: float, *, is_first: bool) -> str:
        """Notes what an epoch took; how long the search takes from now on, where that is told for the first time.

        The first epoch of a training may have had to wait for what is compiled: it counts where there is no other.
        """
        told = bool(self._seconds)
        if not is_first or self._options.epochs == 1:
            self._seconds.append(seconds)
        return f"  |  {text}" if self._seconds and not told and (text := self._time_to_go()) else ""

    def _time_to_go(self) -> str:
        """How long the search takes from now on, if that can be told; else how long a training takes."""
        if not self._seconds or self._has_target:
            return ""
        options, epoch = self._options, median(self._seconds)
        under_way = [*(each.epoch for trial, each in self._running.items() if trial != TEACHER), *self._paused.values()]
        n_over = self._counts.get("finished", 0) + self._counts.get("pruned", 0)
        ends = seconds_to_go(options, n_over, under_way, epoch)
        if ends is None and options.until_target:
            curves = [(each.epoch, each.accuracy) for each in self._running.values() if each.accuracy is not None]
            ends = seconds_to_target(options, curves, epoch)
        if options.timeout is not None:
            left = max(0.0, options.timeout - (time.monotonic() - self._start))
            ends = (left, left) if ends is None else (min(ends[0], left), min(ends[1], left))
        if ends is None:
            return f"{about(epoch * options.epochs, epoch * options.epochs)} a training"
        return f"{about(*ends)} left"

    @property
    def _has_target(self) -> bool:
        """Whether the search ends now, since it has found what ends it."""
        target = self._options.target if self._options.until_target else None
        return target is not None and self._best is not None and self._best[0] >= target

    def _follow_teacher(self, event: TrialEvent, epochs: int) -> str:
        match event:
            case Started(_, candidate, cost):
                self._running[TEACHER] = Running(cost, str(candidate.architecture), epochs)
            case EpochDone():
                self._running[TEACHER].done(event)
                return f"teacher     {_progress(self._running[TEACHER])}"
            case Ended(_, outcome):
                running = self._running.pop(TEACHER, None)
                return f"teacher     {outcome}{f': {event.reason}' if event.reason else ''}" if running else ""
        return ""

    def _ended(self, trial: int, outcome: str, event: Ended) -> str:
        running = self._running.pop(trial, None)
        if outcome == "paused":
            self._paused[trial] = 0 if running is None else running.epoch
        else:
            self._paused.pop(trial, None)  # if it was given up
            self._counts[outcome] = self._counts.get(outcome, 0) + 1
        if running is None:
            return ""
        if outcome == "finished" and self._is_best(event.accuracy or 0.0, running.cost):
            self._best = (event.accuracy or 0.0, running.cost, trial)
        reason = f": {event.reason}" if event.reason else ""
        return f"trial {trial:4d}  {outcome}{reason}  |  {self._summary()}"

    def _is_best(self, accuracy: float, cost: Cost) -> bool:
        if self._best is None:
            return True
        goal, limits = self._options.goal, self._options.limits
        return goal.value(accuracy, cost, limits) > goal.value(self._best[0], self._best[1], limits)

    def _summary(self) -> str:
        to_go = f"; {text}" if (text := self._time_to_go()) else ""
        state = f"{tally({**self._counts, 'paused': len(self._paused)})}{to_go}"
        if self._best is None:
            return state
        accuracy, cost, trial = self._best
        return f"best {per_cent(accuracy)} with {cost.params:,} parameters (trial {trial}); {state}"

    def _render(self) -> Group:
        width, height = self._console.size
        with self._lock:
            rows = [(_label(trial), *_cells(each), each.network) for trial, each in sorted(self._running.items())]
            summary = self._clocked_summary(width)
            doing = Text(f"  {self._doing}", style="dim") if self._doing else None
        n_lines = sum(len(text.wrap(self._console, width)) for text in (summary, doing) if text is not None)
        n_rows = _n_rows(len(rows), height - 1 - n_lines)
        more = Text(f"  and {len(rows) - n_rows} more", style="dim") if n_rows < len(rows) else None
        below = [text for text in (more, doing, summary) if text is not None]
        return Group(_table(rows[:n_rows], width), *below)

    def _clocked_summary(self, width: int) -> Text:
        """In one line if it fits; else the tally has a line of its own."""
        time_gone = f"{clock(time.monotonic() - self._start)}  "
        line = time_gone + self._summary()
        return Text(line if len(line) <= width else line.replace("; ", "\n" + " " * len(time_gone), 1))


def _label(trial: int) -> str:
    return "teacher" if trial == TEACHER else str(trial)


def _n_rows(n: int, n_lines: int) -> int:
    """How many of `n` rows are shown in so many lines; where that is not all of them, a line says so."""
    return n if n <= n_lines else max(0, n_lines - 1)


def _table(rows: Sequence[tuple[str, ...]], width: int) -> Table:
    """The candidates in training, in a terminal of that width."""
    widths = [max(map(len, cells)) for cells in zip(COLUMNS, *(row[:-1] for row in rows), strict=True)]
    room = width - sum(widths) - GAP * (len(widths) + 1)
    table = Table(box=None, padding=(0, GAP // 2), header_style="dim", expand=room >= SHORTEST)
    for column, fixed in zip(COLUMNS, widths, strict=True):
        table.add_column(column, justify="right", no_wrap=True, width=fixed)
    if room >= SHORTEST:
        table.add_column("network", no_wrap=True, overflow="ellipsis", ratio=1)
    for row in rows:
        table.add_row(*row[: len(table.columns)])
    return table


def show_result(console: Console, options: SearchOptions, result: SearchResult, *, confirming: bool = False) -> None:
    """The best five, where the model lies, and what to type next; `confirming`: the winner is confirmed after it."""
    console.print(_verdict(options, result))
    if result.best:
        show(console, [best_table(result.best[:N_SHOWN], options.goal)])
    for line in _next_steps(options, result, confirming=confirming):
        console.print(line, soft_wrap=True)


def _introduction(prepared: Prepared) -> list[str]:
    options, split = prepared.options, prepared.split
    goal = f", until {per_cent(options.target)}" if options.target is not None else ""
    if options.minimize is not None:
        goal = f", for the fewest {options.goal.noun} with {per_cent(options.target or 0.0)}"
    lines = [
        f"Searching space {options.space!r} for networks of at most {options.limits} on {options.dataset}: "
        f"{plural(options.epochs, 'epoch')}{goal}.",
        f"{len(split.train_images):,} images to train, {len(split.validation_images):,} to validate; no test "
        f"image is looked at. Study {prepared.study.study_name!r}.",
    ]
    if options.quantised:
        lines.append(
            f"Eight bits{FEWER.get(options.weight_bits, '')}: candidates are ranked in the whole numbers of the "
            "exported C, in their last epochs, and trained for these where they cost more than 0.05 points."
        )
    if prepared.teacher is not None:
        lines.append(f"Distillation: candidates learn from the scores of a teacher, {prepared.teacher!r}, as well.")
    n_trials = sum(counts(prepared.study).values())
    if n_trials:
        lines.append(
            f"Continuing a study of {plural(n_trials, 'trial')}: {prepared.n_continued} go on where they were cut "
            "short."
        )
    return lines


def _verdict(options: SearchOptions, result: SearchResult) -> str:
    why = {
        "target": "Target reached",
        "trials": "The trial is over" if options.trials == 1 else f"All {options.trials} trials are over",
        "timeout": "Time is up",
        "interrupted": "Interrupted",
        "exhausted": "The space holds nothing new under this budget",
    }[result.why_ended]
    missed = options.target is not None and not result.target_reached
    miss = f"; the target of {per_cent(options.target or 0.0)} was not reached" if missed else ""
    return f"{why}{miss}: {tally(result.counts, 'candidate')}."


def tally(counts: Mapping[str, int], noun: str = "") -> str:
    """How many trials ended in which way: only those that finished were trained to their end."""
    finished, paused, pruned, rejected = (counts.get(each, 0) for each in ("finished", "paused", "pruned", "rejected"))
    stopped = [f"{paused:,} paused"] * (paused > 0) + [f"{pruned:,} pruned"] * (pruned > 0 or not paused)
    first = plural(finished, noun) if noun else f"{finished:,}"
    return ", ".join([f"{first} finished", *stopped, f"{rejected:,} rejected"])


def _next_steps(options: SearchOptions, result: SearchResult, *, confirming: bool) -> list[str]:
    if result.model is not None:
        own = "" if options.storage == DEFAULT_STORAGE else f" --storage {quoted(without_password(options.storage))}"
        study = f"--study {quoted(result.study.study_name)}{own}"
        lines = [
            f"Model: {result.model}",
            f"Weights: {result.model.with_suffix('.safetensors')}",
            f"Model card: {result.model.with_suffix('.md')}",
            *result.notes,
            *_activation(),
            f"Load it:  {_loading(result.model)}",
            *([] if confirming else [_how_good(result, study)]),
            f"Export more:  nas export {study} --top 3",
            f"Train it again:  nas retrain {study} --trial {result.best[0].trial}",
        ]
    else:
        lines = list(result.notes)
    if result.why_ended != "target":
        lines.append("Go on:  run the same command again, with more --trials or --timeout if you gave them.")
    return lines


def _how_good(result: SearchResult, study: str) -> str:
    """What tells how good the winner is; what it told, where it has been asked."""
    confirmed = confirmation_of(result.study, result.best[0].trial)
    if confirmed is None:
        return f"How good is it really:  nas confirm {study}"
    return (
        f"Confirmed: {confirmed.accuracy.per_cent()} % of the test set, {plural(len(confirmed.seeds), 'training')}; "
        "nas report tells the rest."
    )


def _loading(model: Path) -> str:
    """What shows the model, from the folder that one is in. The older PowerShell knows no `&&`."""
    folder, stem = str(model.parent), model.stem
    if shell.WINDOWS:
        return f'python -c "import sys; sys.path[:0] = [{folder!r}]; import {stem}; print({stem}.load())"'
    return f'(cd {quoted(folder)} && python -c "import {stem}; print({stem}.load())")'


def _activation() -> list[str]:
    """How the commands below are found, if nas runs in a virtual environment that is not activated."""
    scripts, before = (Path(sys.prefix) / "Scripts", "") if shell.WINDOWS else (Path(sys.prefix) / "bin", ". ")
    if sys.prefix == sys.base_prefix or Path(shutil.which("nas") or "").parent == scripts:
        return []
    return [f"First:  {before}{quoted(os.path.relpath(scripts / 'activate'))}"]


def _progress(running: Running) -> str:
    params, epoch, accuracy, left = _cells(running)
    return f"{params:>9} parameters  epoch {epoch:>5}  {accuracy:>8}  {left} left"


def _cells(running: Running) -> tuple[str, str, str, str]:
    accuracy = per_cent(running.accuracy) if running.accuracy is not None else "-"
    left = running.seconds_left
    return (
        f"{running.cost.params:,}",
        f"{running.epoch}/{running.epochs}",
        accuracy,
        clock(left) if left is not None else "-",
    )
