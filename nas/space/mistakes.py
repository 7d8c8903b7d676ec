"""What is wrong in a search space, in one line that begins with file and line: `my_space.py:12: nas has no 'Convv'`."""

import inspect
import re
import sys
import traceback
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, NamedTuple

from nas.errors import nearest
from nas.space.time_limit import TookTooLong

PRUNED = (
    "a space returns a candidate whatever that costs, and the search rejects what is over the budget, but this one "
    "raised TrialPruned: return the candidate, or fit its widths to the budget with nas.widest"
)


class Place(NamedTuple):
    """Where something in a space is."""

    file: str
    line: int | None = None

    def says(self, message: str) -> str:
        """`FILE:LINE: message`; a file in the current folder is named from there."""
        path = Path(self.file)
        shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
        return f"{shown}:{self.line}: {message}" if self.line is not None else f"{shown}: {message}"


def in_words(error: BaseException, own: str, begins: Place, slow: str) -> str:
    """One line on an error: with the last line of the file `own` that led to it, else with the place that it begins at.

    `slow`: what to say if it took too long.
    """
    if isinstance(error, SyntaxError):
        return Place(error.filename or own, error.lineno).says(f"cannot be read: {error.msg}")
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == own]
    return (Place(own, lines[-1]) if lines else begins).says(explained(error, slow))


def explained(error: BaseException, slow: str) -> str:
    """What is wrong, and what may have been meant."""
    from optuna.exceptions import TrialPruned

    match error:
        case TookTooLong():
            return f"{slow}, and was cut off here: look for a loop that does not end"
        case TrialPruned():
            return PRUNED
        case AttributeError(name=str(name), obj=thing) if thing is not None:
            return f"{_called(thing)} has no {name!r}{nearest(name, _public(dir(thing)))}"
        case ImportError(name=str(module)) if asked := _not_in(error):
            return f"{module} has no {asked!r}{nearest(asked, _public(dir(sys.modules.get(module))))}"
        case ModuleNotFoundError(name=str(module)) if module.startswith("nas."):
            return f"{_raised(error)}: whatever a space needs is in nas itself, as in `from nas import Conv, Recipe`"
        case NameError(name=str(name)) if not isinstance(error, UnboundLocalError):
            return f"{name!r} is not defined{_meant(name, error.__traceback__)}"
        case TypeError():
            return _raised(error) + _argument_meant(str(error))
    return _raised(error)


def _raised(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}".removesuffix(": ")


def _called(thing: Any) -> str:
    """A module or class by its name, anything else by that of its class; whatever kind of trial it is, a trial."""
    from optuna.trial import BaseTrial

    if isinstance(thing, BaseTrial):
        return "a trial"
    return str(thing.__name__ if isinstance(thing, ModuleType | type) else type(thing).__name__)


def _public(names: Iterable[str]) -> list[str]:
    return [name for name in names if not name.startswith("_")]


def _not_in(error: BaseException) -> str | None:
    """The name that could not be imported; from Python 3.12 on an error has it as `name_from`."""
    match = re.match(r"cannot import name '(\w+)'", str(error))
    return match[1] if match else None


def _meant(name: str, trace: TracebackType | None) -> str:
    if name in _nas().__all__:
        return f": import it, as in `from nas import {name}`"
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    frame = trace.tb_frame if trace is not None else None
    there = {**frame.f_builtins, **frame.f_globals, **frame.f_locals} if frame is not None else {}
    return nearest(name, _public([*there, *_nas().__all__]))


def _argument_meant(message: str) -> str:
    """For an argument of another name in a call of something in nas: `Conv(8, kernal=5)`."""
    match = re.match(r"(\w+)(?:\.__init__)?\(\) got an unexpected keyword argument '(\w+)'", message)
    if match is None or match[1] not in _nas().__all__:
        return ""
    return nearest(match[2], inspect.signature(getattr(_nas(), match[1])).parameters)


def _nas() -> ModuleType:
    """What a space is written in; not imported above, since its public names come from rooms behind this one, too."""
    return import_module("nas")
