"""What a search space is, and how one is found.

A search space is a Python file with a function `suggest(trial, task)` that returns a `Candidate`:

    def suggest(trial: BaseTrial, task: Task) -> Candidate: ...

It suggests everything first and decides afterwards, so that every trial has all parameters and the sampler can model
them together. `search_spaces/` holds the ones that come with nas; a copy of one is a good start for one's own.
"""

import hashlib
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from nas import shipped
from nas.errors import SpaceError, nearest
from nas.network.architecture import digest_of
from nas.space.candidate import Candidate, Task
from nas.space.mistakes import Place, in_words
from nas.space.taught import taught
from nas.space.time_limit import TookTooLong, within

if TYPE_CHECKING:  # takes a sixth of a second, which whoever presses TAB would wait for
    from optuna.trial import BaseTrial

DEFAULT = "budget_fill"  # as good as "documented" at 20,000 parameters, better at 2,000: benchmarks/search_quality.py
# Digests of earlier texts of shipped spaces that suggest what today's do: studies made with them go on.
EARLIER_TEXTS = {
    "documented": ("3d4fb6b76e43c545",),
    "tiny": ("492311d970e35f18",),
}

# Shipped spaces take some hundredths of a second; a loop that does not end is told from one that is slow.
MOST_SECONDS = 10.0  # a suggestion may take
MOST_SECONDS_READING = 60.0  # a file may take to be read: it may import what is large, from a disk that is slow

SpaceFunction = Callable[["BaseTrial", Task], Candidate]


@dataclass(frozen=True)
class Space:
    """A search space with the name it goes by and a digest of its source, which a study remembers.

    `earlier_digests`: of sources that read otherwise and suggest the same.
    """

    name: str
    function: SpaceFunction
    digest: str
    path: Path | None = None
    earlier_digests: tuple[str, ...] = ()

    def suggest(self, trial: "BaseTrial", task: Task) -> Candidate:
        """The candidate that a trial's parameters stand for.

        Where the task has a teacher and the space does not say what its soft labels are worth, the trial does.

        Raises `SpaceError`, with file and line, where the space raises, returns something else, or takes too long.
        """
        try:
            candidate: object = within(MOST_SECONDS, lambda: self.function(trial, task))
        except (Exception, SystemExit, TookTooLong) as error:
            own = self._begins.file if self.path is None else str(self.path)
            raise SpaceError(
                in_words(error, own, self._begins, f"suggest() took more than {MOST_SECONDS:g} s")
            ) from error
        if not isinstance(candidate, Candidate):
            hint = ": does it end without a `return`?" if candidate is None else ""
            message = f"suggest() must return a nas.Candidate, but returned {type(candidate).__name__}{hint}"
            raise SpaceError(self._begins.says(message))
        if task.teacher:
            return taught(trial, candidate)
        if candidate.recipe.teacher_weight > 0:
            raise SpaceError(
                self._begins.says(
                    "a recipe has a teacher_weight only where there is a teacher, but this space gave "
                    f"{candidate.recipe.teacher_weight:g} and there is none: look at task.teacher there, or search "
                    "with --teacher auto"
                )
            )
        return candidate

    @property
    def _begins(self) -> Place:
        """Where its function does."""
        code = getattr(inspect.unwrap(self.function), "__code__", None)
        return Place(str(self.path or self.name)) if code is None else Place(code.co_filename, code.co_firstlineno)


def names() -> tuple[str, ...]:
    """The spaces that come with nas."""
    return tuple(sorted(path.stem for path in shipped.search_spaces().glob("*.py")))


def load(space: "str | Path | Space | SpaceFunction") -> Space:
    """A space by name, by path, or a function as it is."""
    if isinstance(space, Space):
        return space
    if isinstance(space, str | Path):
        return _load_file(_find(str(space)))
    name = f"{space.__module__}.{space.__qualname__}"
    return Space(name, space, digest=digest_of({"function": name}))


def _find(name_or_path: str) -> Path:
    if name_or_path.endswith(".py") or "/" in name_or_path:
        path = Path(name_or_path).expanduser()
        if not path.is_file():
            raise SpaceError(f"a search space must be a name or a .py file, but there is no file {name_or_path!r}")
        return path.resolve()
    if name_or_path not in names():
        there_are = f": there are {', '.join(names())}, or give the path of a .py file"
        hint = nearest(name_or_path, names()) or there_are
        raise SpaceError(f"a search space must be one that exists, but got {name_or_path!r}{hint}")
    return shipped.search_spaces() / f"{name_or_path}.py"


def _load_file(path: Path) -> Space:
    # A module of its own under a name that nothing else has: two files of the same name must not be mixed up.
    source = path.read_bytes()
    digest = hashlib.sha256(source).hexdigest()[:16]
    module = ModuleType(f"nas_space_{path.stem}_{digest}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    try:
        # Not through Python's importer: its cache takes a file that was changed within the second for unchanged.
        code = compile(source, path, "exec", dont_inherit=True)
        within(MOST_SECONDS_READING, lambda: exec(code, module.__dict__))
    except (Exception, SystemExit, TookTooLong) as error:
        slow = f"reading this file took more than {MOST_SECONDS_READING:g} s"
        raise SpaceError(in_words(error, str(path), Place(str(path)), slow)) from error
    function = getattr(module, "suggest", None)
    if not callable(function):
        like_it = nearest("suggest", (name for name, value in vars(module).items() if callable(value)))
        message = f"a search space must define suggest(trial, task), but this file does not{like_it}"
        raise SpaceError(Place(str(path)).says(message))
    came_with_nas = path.parent == shipped.search_spaces().resolve()
    return Space(path.stem, function, digest, path, EARLIER_TEXTS.get(path.stem, ()) if came_with_nas else ())
