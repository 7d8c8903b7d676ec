"""Decides when a search is over."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Literal

import optuna
from optuna.trial import FrozenTrial

from nas.errors import WorkerError
from nas.execution.job import Executor
from nas.searching.options import SearchOptions
from nas.study.record import n_ended, ranked
from nas.study.trial import TrialAttributes

MOST_FAILURES_IN_A_ROW = 5
MOST_UNTRAINED_IN_A_ROW = 5000
WhyEnded = Literal["target", "trials", "timeout", "interrupted", "exhausted"]


class Referee:
    """Decides when a search is over, and lets no more trials begin than were asked for."""

    def __init__(self, options: SearchOptions, study: optuna.Study, executor: Executor) -> None:
        self._options, self._executor = options, executor
        self._lock = threading.Lock()
        self._failures_in_a_row: list[str] = []  # their reasons; what was rejected in between is no training
        self._untrained_in_a_row = 0
        self._n_trained = n_ended(study)
        self._best = max((record.accuracy or 0.0 for record in ranked(study)), default=0.0)
        self.why_ended: WhyEnded | None = None
        self.had_signal = False  # else it was an error that interrupted it
        self._check_limits()

    def after_trial(self, trial: FrozenTrial) -> None:
        """Counts a trial that has been told; raises `WorkerError` where one training after the other failed."""
        outcome = TrialAttributes(trial).outcome
        with self._lock:
            trained = outcome in ("finished", "pruned")
            self._n_trained += trained
            self._untrained_in_a_row = 0 if trained else self._untrained_in_a_row + 1
            if outcome == "failed":
                self._failures_in_a_row.append(TrialAttributes(trial).reason or "")
            elif trained:
                self._failures_in_a_row.clear()
            if outcome == "finished":
                self._best = max(self._best, trial.value or 0.0)
            self._check_limits()
            failures = list(self._failures_in_a_row)
        if len(failures) >= MOST_FAILURES_IN_A_ROW:
            self.end("interrupted")
            raise WorkerError(f"{MOST_FAILURES_IN_A_ROW} trainings in a row failed, the first with: {failures[0]}")

    def may_begin(self, n_begun: int) -> bool:
        """Whether another trial may begin while `n_begun` have begun and are not over."""
        with self._lock:
            return self._options.trials is None or self._n_trained + n_begun < self._options.trials

    def end(self, why: WhyEnded) -> None:
        """Ends the search and all runs; the first reason counts. Safe in a signal handler: takes no lock."""
        if self.why_ended is None:
            self.why_ended = why
        self._executor.cancel()

    def _check_limits(self) -> None:
        options = self._options
        if options.until_target and self._best >= (options.target or 0.0):
            self.end("target")
        elif options.trials is not None and self._n_trained >= options.trials:
            self.end("trials")
        elif self._untrained_in_a_row >= MOST_UNTRAINED_IN_A_ROW:
            self.end("exhausted")

    @contextmanager
    def watching_signals_and_time(self) -> Iterator[None]:
        """Inside, Ctrl-C, a termination signal and the time limit end the search; a second Ctrl-C ends the process."""
        timer = threading.Timer(self._options.timeout or 0, self.end, ["timeout"])
        timer.daemon = True
        if self._options.timeout is not None:
            timer.start()
        in_main_thread = threading.current_thread() is threading.main_thread()
        watched = (signal.SIGINT, signal.SIGTERM) if in_main_thread else ()
        before = {number: signal.signal(number, self._on_signal) for number in watched}
        try:
            yield
        finally:
            timer.cancel()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.why_ended == "interrupted":
            os._exit(128 + number)
        self.had_signal = True
        self.end("interrupted")
