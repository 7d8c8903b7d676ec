"""How Ctrl-C and a termination signal end a command: with one line and one exit code, whenever they come."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_CODE = 130  # what a shell makes of a process that Ctrl-C has ended
SIGNALS = (signal.SIGINT, signal.SIGTERM)
LATER_SECONDS = 0.02
IMPORT = "<frozen importlib"  # what the frames of an import are called
COMMAND_LINE = ("__main__", "nas.__main__", "nas.cli")


def heed_signals() -> None:
    """From here on both raise `KeyboardInterrupt`, and none is lost or shown where Python cannot raise it."""
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as for what a shell runs in the background
            signal.signal(number, _interrupt)
    sys.unraisablehook = _come_again_later


def heed_no_more() -> None:
    """From here on both end the process without a word: Python, which is clearing up, would show a traceback."""
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def end_interrupted(error: BaseException) -> None:
    """Ends the process with a line that tells what `error`, or what it was raised from, has to say, if anything."""
    while error.__cause__ is not None:
        error = error.__cause__
    _say(str(error) if isinstance(error, KeyboardInterrupt) else "")
    sys.exit(EXIT_CODE)


@contextmanager
def held_back() -> Iterator[None]:
    """What is done inside is done to its end: a signal that comes meanwhile comes after it."""
    if threading.current_thread() is not threading.main_thread():  # where no signals arrive
        yield
        return
    came: list[int] = []
    before = {number: signal.signal(number, lambda number, frame: came.append(number)) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Raises, but not within an import, in which C code takes it for another error, prints it, or forgets it.

    While the command line loads what it needs nothing has begun that would have to be put away.
    """
    importer = _importer(frame)
    if importer is None:
        raise KeyboardInterrupt
    if importer.startswith(COMMAND_LINE):
        _say("")
        os._exit(EXIT_CODE)
    _come_again(number)


def _come_again_later(unraisable: "sys.UnraisableHookArgs") -> None:
    """Python has nobody to raise it for, as in a destructor."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        _come_again(signal.SIGINT)
    else:
        sys.__unraisablehook__(unraisable)


def _come_again(number: int) -> None:
    def come() -> None:
        if hasattr(signal, "pthread_kill"):  # which wakes the main thread from what it waits for
            signal.pthread_kill(threading.main_thread().ident or 0, number)
        else:
            signal.raise_signal(number)

    timer = threading.Timer(LATER_SECONDS, come)
    timer.daemon = True
    timer.start()


def _importer(frame: FrameType | None) -> str | None:
    """The name of the module that has the outermost import under way; None if there is none."""
    name, is_import = None, False
    while frame is not None:
        if is_import and not frame.f_code.co_filename.startswith(IMPORT):
            name = str(frame.f_globals.get("__name__"))
        is_import = frame.f_code.co_filename.startswith(IMPORT)
        frame = frame.f_back
    return name


def _say(text: str) -> None:
    print(f"nas: interrupted{': ' * bool(text)}{text}", file=sys.stderr, flush=True)
