"""What a search space is, and how one is found.

A search space is a Python file with a function `suggest(trial, task)` that returns a `Candidate`:

    def suggest(trial: BaseTrial, task: Task) -> Candidate: ...

It suggests everything first and decides afterwards, so that every trial has all parameters and the sampler can model
them together. `search_spaces/` holds the ones that come with nas; a copy of one is a good start for one's own.
"""

import hashlib
import inspect
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from math import sqrt
from pathlib import Path
from types import ModuleType

from optuna.exceptions import TrialPruned
from optuna.trial import BaseTrial

from nas import shipped
from nas.architecture import Architecture, Dropout, Dropout2d, Shape, digest_of
from nas.cost import Budget, cost_of
from nas.errors import SpaceError
from nas.recipe import Recipe

__all__ = ["DEFAULT", "BaseTrial", "Candidate", "Space", "SpaceFunction", "Task", "load", "names", "widest"]

DEFAULT = "budget_fill"  # as good as "documented" at 20,000 parameters, better at 2,000: benchmarks/search_quality.py


@dataclass(frozen=True)
class Task:
    """What a search is for: all of it is fixed for the whole study, so ranges may depend on it."""

    image_shape: Shape  # (channels, height, width)
    n_classes: int
    epochs: int
    budget: Budget


@dataclass(frozen=True)
class Candidate:
    """An architecture with the recipe to train it."""

    architecture: Architecture
    recipe: Recipe

    @property
    def digest(self) -> str:
        """The same for two candidates exactly if the same network would be trained in the same way."""
        recipe = self.recipe.effective()
        if not any(isinstance(spec, Dropout | Dropout2d) and spec.rate > 0 for spec in self.architecture.layers):
            recipe = replace(recipe, dropout_schedule="constant")
        return digest_of({"architecture": self.architecture.to_dict(), "recipe": recipe.to_dict()})


def widest(build: Callable[[float], Architecture], budget: Budget) -> Architecture:
    """The architecture with the largest factor that meets the budget, for a `build` that gets dearer with its factor.

    `build(1.0)` where the budget has no limit; one that is over the budget, to be rejected, where nothing meets it.
    """
    if not budget.limits:
        return build(1.0)
    low, high = 1 / 64, 64.0
    best = build(low)
    if not budget.admits(cost_of(best)):
        return best
    for _ in range(16):  # halves the factor's range, in its logarithm, each time
        middle = sqrt(low * high)
        architecture = build(middle)
        if budget.admits(cost_of(architecture)):
            best, low = architecture, middle
        else:
            high = middle
    return best


SpaceFunction = Callable[[BaseTrial, Task], Candidate]


@dataclass(frozen=True)
class Space:
    """A search space with the name it goes by and a digest of its source, which a study remembers."""

    name: str
    function: SpaceFunction
    digest: str
    path: Path | None = None

    def suggest(self, trial: BaseTrial, task: Task) -> Candidate:
        """The candidate that a trial's parameters stand for; an error in the space is a `SpaceError` with its line."""
        try:
            candidate = self.function(trial, task)
        except TrialPruned:
            raise
        except (Exception, SystemExit) as error:
            raise SpaceError(f"the search space {self._where(error)} raised {_one_line(error)}") from error
        if not isinstance(candidate, Candidate):
            raise SpaceError(
                f"suggest() of a search space must return a nas.space.Candidate, but {self._where()} "
                f"returned {type(candidate).__name__}"
            )
        return candidate

    def _where(self, error: BaseException | None = None) -> str:
        """File and line: the last line of the space's own that led to the error, else where its function begins."""
        code = getattr(inspect.unwrap(self.function), "__code__", None)
        own = str(self.path) if self.path or code is None else code.co_filename
        frames = traceback.extract_tb(error.__traceback__) if error else []
        places = [(frame.filename, frame.lineno) for frame in frames if frame.filename == own]
        if not places and code is not None:
            places = [(code.co_filename, code.co_firstlineno)]
        return "{}, line {},".format(*places[-1]) if places else f"{self.path or self.name}"


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
        close = get_close_matches(name_or_path, names(), n=1)
        hint = (
            f"did you mean {close[0]!r}?"
            if close
            else f"there are {', '.join(names())}, or give the path of a .py file"
        )
        raise SpaceError(f"a search space must be one that exists, but got {name_or_path!r}: {hint}")
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
        exec(compile(source, path, "exec", dont_inherit=True), module.__dict__)
    except (Exception, SystemExit) as error:
        raise SpaceError(_reading_failed(path, error)) from error
    function = getattr(module, "suggest", None)
    if not callable(function):
        raise SpaceError(f"a search space must define suggest(trial, task), but {path} does not")
    return Space(path.stem, function, digest, path)


def _reading_failed(path: Path, error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"the search space {error.filename or path}, line {error.lineno or 1}, cannot be read: {error.msg}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    if not lines:  # nothing of it ran
        return f"the search space {path} cannot be read: {error}"
    return f"the search space {path}, line {lines[-1]}, raised {_one_line(error)}"


def _one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
