"""What can go wrong, as a tree.

    NasError                 one clear line for the user; the command line prints it and ends with exit code 2
    ├── InputError           an option or argument breaks a rule (also a ValueError)
    ├── ArchitectureError    a network that cannot exist: the message names the layer (also a ValueError)
    ├── DataError            a data set is unknown, missing, damaged or inconsistent
    ├── SpaceError           a search space cannot be found or read, raises, or returns something else than a candidate
    ├── BudgetError          no candidate of the space was found that meets the budget
    ├── StudyError           a study is unknown, was made with other settings, or what is stored of it cannot be used
    ├── ExportError          a frozen model failed its check
    │   └── FileInTheWay     a file of that name is there already, with another content
    └── WorkerError          a training failed
        └── WorkerDied       the process that trained ended: another one can go on

Every message says the rule, what was given, and what to do; `nearest` finds what may have been meant.
"""

from collections.abc import Iterable


class NasError(Exception):
    """Base of all errors that `nas` raises on purpose."""


class InputError(NasError, ValueError):
    """An option or argument breaks a rule."""


class ArchitectureError(NasError, ValueError):
    """A network that cannot exist."""


class DataError(NasError):
    """A data set is unknown, missing, damaged or inconsistent."""


class SpaceError(NasError):
    """A search space cannot be found, read or used."""


class BudgetError(NasError):
    """No candidate of the space was found that meets the budget."""


class StudyError(NasError):
    """A study is unknown, was made with other settings, or what is stored of it cannot be used."""


class ExportError(NasError):
    """A frozen model failed its check, or would overwrite a file."""


class FileInTheWay(ExportError):  # noqa: N818 - says what it is
    """A file of that name is there already, with another content."""


class WorkerError(NasError):
    """A training failed."""


class WorkerDied(WorkerError):  # noqa: N818 - says what happened
    """The process that trained ended in the middle of it; what it had reached is in its checkpoint."""


def first_cause(error: BaseException) -> str:
    """What an error began with, in words: of `unexpected pos 64 vs 0` the full disk at which writing failed."""
    seen = {id(error)}
    while (before := error.__cause__ or error.__context__) is not None and id(before) not in seen:
        error = before
        seen.add(id(error))
    return f"{type(error).__name__}: {error}"


def first_line(error: BaseException) -> str:
    """What an error says first; a database driver's own words where it is wrapped."""
    text = str(getattr(error, "orig", None) or error).strip()
    return (text.splitlines() or [type(error).__name__])[0]


def nearest(name: str, choices: Iterable[str], cutoff: float = 0.6) -> str:
    """`: did you mean X?` with the choice that is most like the name, or nothing where none is much like it."""
    from difflib import get_close_matches  # which takes as long to load as all else here together

    close = get_close_matches(name, list(choices), n=1, cutoff=cutoff)
    return f": did you mean {close[0]!r}?" if close else ""
