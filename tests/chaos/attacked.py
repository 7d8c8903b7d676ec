"""The search that is killed, and what is to be seen of it from outside."""

import os
import re
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import optuna
from commands import Command, begin, kill
from optuna.trial import FrozenTrial
from sqlalchemy.pool import NullPool

from nas.study.busy import busy_seconds, busy_spans
from nas.study.trial import TrialAttributes
from nas.training.checkpoint import checkpoint_path, state_in

STUDY, EPOCHS, N_WORKERS = "chaos", 8, 2
SEARCH = [
    *("search", "--dataset", "npz:few.npz", "--study", STUDY, "--sampler", "random", "--start-from", "nothing"),
    *("--space", "tiny", "--budget", "3k", "--epochs", str(EPOCHS), "--workers", str(N_WORKERS)),
]
NO_TRACEBACK = ("Traceback", "Exception ignored", "Fatal Python")


class Lost(Exception):  # noqa: N818 - what is looked for
    """Something is not as it must be."""


@dataclass
class Search:
    """A search in `folder`, whose log is `search.log`; started anew, with the same command, whenever it was ended."""

    folder: Path
    random: Random
    cold_share: float = 0.0
    command: Command | None = None
    lost: Counter[str] = field(default_factory=Counter)
    has_ended: Callable[[], object] | None = None  # what looks whether it may have ended by itself

    @property
    def log(self) -> Path:
        return self.folder / "search.log"

    @property
    def database(self) -> Path:
        return self.folder / "runs" / "nas.db"

    def start(self, set_back_after: float | None = None) -> None:
        """Starts it, or lets it go on."""
        cold = self.random.random() < self.cold_share
        self.command = begin(SEARCH, self.folder, self.log, cold, set_back_after)

    def stop(self, number: int, seconds: float = 60) -> int:
        """Sends a signal to all of it, and waits; its exit code."""
        assert self.command is not None
        kill(self.command, number)
        return self.end(seconds)

    def end(self, seconds: float = 60) -> int:
        """Waits until it has ended; its exit code."""
        assert self.command is not None
        try:
            return self.command.wait(seconds)
        except subprocess.TimeoutExpired:
            kill(self.command)
            self.command.wait(seconds)
            raise Lost(f"a search did not end within {seconds:.0f} s") from None

    def wait_for_a_training(self, seconds: float = 60) -> None:
        """Until it has told of an epoch since now, or ended."""
        assert self.command is not None
        seen, deadline = self.n_written(), time.monotonic() + seconds
        while "epoch" not in self.written_since(seen) and self.command.poll() is None:
            if time.monotonic() > deadline:
                raise Lost(f"a search trained nothing for {seconds:.0f} s")
            time.sleep(0.02)

    def n_written(self) -> int:
        """Bytes in its log."""
        return self.log.stat().st_size if self.log.exists() else 0

    def written_since(self, n: int) -> str:
        """What came to its log after so many bytes."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as file:
            file.seek(n)
            return file.read().decode(errors="replace")

    def trials(self) -> list[FrozenTrial]:
        """Of the study; none before there is one."""
        if not self.database.exists():
            return []
        try:
            return study_in(self.database, STUDY).get_trials(deepcopy=False)
        except (KeyError, optuna.exceptions.StorageInternalError):
            return []

    def look(self, before: dict[int, dict[int, float]]) -> tuple[int, int]:
        """Reported epochs that are not in the study any more, and those that no checkpoint has; checks the times, too.

        `before` is what had been reported.
        """
        trials = self.trials()
        after = reported(trials)
        lost = sum(len(curve.items() - after.get(number, {}).items()) for number, curve in before.items())
        repeated = 0
        for trial in trials:
            if not trial.state.is_finished() and trial.intermediate_values:
                kept = state_in(checkpoint_path(self.checkpoints, trial.number), "cpu")
                repeated += max(0, len(trial.intermediate_values) - (len(kept["history"]) if kept is not None else 0))
        stretches = [each for trial in trials for each in TrialAttributes(trial).stretches or []]
        backwards = [each for each in stretches if each[1] < each[0]]
        if backwards or busy_seconds(busy_spans(trials, searching=True)) < 0:
            raise Lost(f"stretches of trials end before they begin: {backwards}")
        return lost, repeated

    @property
    def checkpoints(self) -> Path:
        return self.folder / "runs" / "checkpoints" / STUDY


def study_in(database: Path, name: str) -> optuna.Study:
    """A study; no connection stays open, which forked processes would share."""
    storage = optuna.storages.RDBStorage(
        f"sqlite:///{database}",
        engine_kwargs={"connect_args": {"timeout": 60}, "poolclass": NullPool},
        skip_table_creation=True,  # both take long
        skip_compatibility_check=True,
    )
    return optuna.load_study(study_name=name, storage=storage)


def reported(trials: list[FrozenTrial]) -> dict[int, dict[int, float]]:
    """What is in the study of each trial's training."""
    return {trial.number: dict(trial.intermediate_values) for trial in trials}


def check_output(text: str) -> None:
    """Raises `Lost` where a traceback or a negative time was shown."""
    for sign in NO_TRACEBACK:
        if sign in text:
            raise Lost(f"it showed: {text[max(0, text.index(sign) - 200) :][:3000]}")
    negative = re.search(r"(?<![\d\w-])-\d+(\.\d+)? ?(s|seconds|min)\b|-\d+:\d\d", text)
    if negative is not None:
        raise Lost(f"it showed a negative time: {negative[0]} in {text[-2000:]}")


def run_to_end(args: list[str], folder: Path, expected: int = 0) -> str:
    """The output of a command of nas; raises `Lost` unless it ends with that exit code and without a traceback."""
    log = folder / f"command-{os.getpid()}.log"
    with suppress(FileNotFoundError):
        log.unlink()
    command = begin(args, folder, log)
    try:
        code = command.wait(120)
    except subprocess.TimeoutExpired:
        kill(command)
        raise Lost(f"nas {' '.join(args)} did not end") from None
    text = log.read_text(errors="replace")
    log.unlink()
    check_output(text)
    if code != expected:
        raise Lost(f"nas {' '.join(args)} ended with {code}: {text[-2000:]}")
    return text
