"""Cutting off what takes too long, in whatever thread it runs: a search space with a loop that does not end.

A thread looks, four times a second, at the calls that are going on, and has `TookTooLong` raised within one that has
had its time. That costs a call some microseconds. Only Python code can be cut off so: what hangs in a single call of a
library written in C (`sum` of an endless iterator, reading from a connection) goes on until that returns.
"""

import ctypes
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

TICK = 0.25  # seconds between two looks
AGAIN = 1.0  # seconds until it is raised again in a call that caught it and went on

T = TypeVar("T")


class TookTooLong(BaseException):
    """Raised where a call is when its time is over; its traceback has the line. No `Exception`: those are caught."""


class _Call:
    """One that is going on."""

    def __init__(self, seconds: float) -> None:
        self.thread = threading.get_ident()
        self.seconds_left = seconds
        self.is_over = False


class _Watch:
    """The calls that are going on, and the thread that looks at them; it sleeps while there are none."""

    def __init__(self) -> None:
        self._calls: set[_Call] = set()
        self._lock = threading.Lock()
        self._some = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, call: _Call) -> None:
        with self._lock:
            self._calls.add(call)
            if self._thread is None or not self._thread.is_alive():  # the latter in a process that was forked
                self._thread = threading.Thread(target=self._look, name="time limit of spaces", daemon=True)
                self._thread.start()
        self._some.set()

    def end(self, call: _Call) -> None:
        """From now on nothing is raised for this call, not what has been asked for either."""
        with self._lock:
            self._calls.discard(call)
        if call.is_over:
            _have_it_raised()

    def _look(self) -> None:
        while True:
            self._some.wait()
            time.sleep(TICK)
            with self._lock:
                if not self._calls:
                    self._some.clear()
                frames = sys._current_frames()  # of all threads: there may be a thousand, each with a call
                for call in self._calls:
                    self._charge(call, frames.get(call.thread))

    def _charge(self, call: _Call, frame: FrameType | None) -> None:
        """Calls that are going on together wait for each other, for interpreter and database: each pays a share.

        Counted in looks, not by the clock: a machine that slept, or is busy elsewhere, has not been computing.
        """
        if _is_debugged(frame):
            return
        call.seconds_left -= TICK / len(self._calls)
        if call.seconds_left <= 0:
            call.seconds_left, call.is_over = AGAIN, True
            _raise_in(call.thread, TookTooLong)


def within(seconds: float, function: Callable[[], T]) -> T:
    """What the function returns; raises `TookTooLong`, from the line where it is, if that takes longer."""
    call = _Call(seconds)
    ended = False
    try:
        _WATCH.begin(call)
        return function()
    finally:
        while not ended:
            try:  # the exception may still come until that is done
                _WATCH.end(call)
                ended = True
            except TookTooLong:
                pass


def _raise_in(thread: int, error: type[BaseException]) -> None:
    """Has a thread raise it as soon as it runs Python code."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error))


def _have_it_raised() -> None:
    """Has what may have been asked for in this thread raised now, and forgotten.

    Taken back it must not be: CPython would look for it before each step from then on, and under a tracer, such as a
    debugger or a coverage tool, look for ever.
    """
    try:
        _raise_in(threading.get_ident(), TookTooLong)
        while True:
            time.sleep(0)
    except TookTooLong:
        pass


def _is_debugged(frame: FrameType | None) -> bool:
    """Whether someone steps through a thread that is there, who may take all the time in the world."""
    while frame is not None:
        if frame.f_trace is not None:
            return True
        frame = frame.f_back
    return False


_WATCH = _Watch()
