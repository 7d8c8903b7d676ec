"""Everything a search can be told."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property
from inspect import Parameter, signature
from pathlib import Path
from typing import Any, TypedDict, TypeVar, get_type_hints

from nas.deployment.deployment import Deployment, deployment_for
from nas.errors import InputError, nearest
from nas.execution.opening import check_executor, n_workers
from nas.execution.placement import PROCESSES, Placement
from nas.export.formats import check_formats
from nas.files import RUNS
from nas.network.cost import COSTS, Budget
from nas.space import finding as spaces
from nas.study.folders import DEFAULT_STORAGE
from nas.study.goal import Goal
from nas.study.pruners import check_pruner
from nas.study.samplers import check_sampler
from nas.study.urls import without_password
from nas.training.recipe import BITS_OF_WEIGHTS, Recipe

AUTO = "auto"  # the teacher that is trained first
QUANTISED_FORMAT = "c"  # the one that computes in whole numbers
SHIPPED, NOTHING = "shipped", "nothing"  # what a search starts from, besides studies and files
HIGHEST_SEED = 2**32 - 1  # of NumPy's generators, which Optuna's samplers use


@dataclass(frozen=True)
class SearchOptions:
    """Everything a search can be told; the command line's options have the same names.

    `budget` is a number of parameters, or a `Budget` with further limits. `target` is a fraction of the validation
    part. `timeout` is in seconds. With `minimize`, such as "params", the smallest network is looked for that has the
    target. `formats`: what the winner is also written as, besides py; candidates that one of them cannot have are not
    trained. `runs_as`: the format that it will run as, which is one of them, and which limits on flash and RAM are of.
    `on`: what times untrained candidates, "c", "onnx", "torch" or a command; see `nas.deployment`. `quantised`:
    candidates are ranked in whole numbers of 8 bits, as the exported C computes them, and trained for these; `c` is
    then one of the formats. `weight_bits`: of weights in these whole numbers, 8 or 4. `teacher` is "auto", which trains
    one first, or the path of an exported model. `start_from` names what the sampler learns from before the first trial:
    studies of the same storage, .json files of lessons, "shipped" for what comes with nas, or "nothing"; several are
    separated by commas. `workers`: trainings at a time, as many as there is room for unless told; where they run, and
    what each of them gets, see `nas.execution.placement.Placement`.
    """

    budget: int | Budget = 20_000
    target: float | None = None
    minimize: str | None = None
    epochs: int = 20
    trials: int | None = None
    timeout: float | None = None
    space: str = spaces.DEFAULT
    dataset: str = "mnist"
    data_dir: Path | None = None
    validation: int | None = None
    sampler: str = "learned"
    pruner: str = "pausing"
    seed: int = 0
    workers: int | None = None
    device: str = "auto"
    precision: str = "auto"
    storage: str = DEFAULT_STORAGE
    study: str | None = None
    out: Path = RUNS
    executor: str = PROCESSES
    threads: int | None = None
    ray_address: str | None = None
    gpus_per_candidate: float = 0.0
    formats: tuple[str, ...] = ()
    runs_as: str | None = None
    on: str | None = None
    teacher: str | None = None
    start_from: str = SHIPPED
    quantised: bool = False
    weight_bits: int = Recipe.weight_bits

    def __post_init__(self) -> None:
        for name in ("epochs", "trials", "validation", "workers"):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value <= 0):
                raise InputError(f"{name.replace('_', '-')} must be a whole number above 0, but got {value!r}")
        if not isinstance(self.budget, Budget):
            object.__setattr__(self, "budget", Budget(self.budget))
        if self.timeout is not None and not 0 < self.timeout < threading.TIMEOUT_MAX:
            raise InputError(f"timeout must be above 0 seconds, but got {self.timeout!r}")
        if type(self.seed) is not int or not 0 <= self.seed <= HIGHEST_SEED:
            raise InputError(f"seed must be a whole number from 0 to {HIGHEST_SEED:,}, but got {self.seed!r}")
        check_weight_bits(self.weight_bits, self.quantised)
        if self.quantised and QUANTISED_FORMAT not in self.formats:
            object.__setattr__(self, "formats", (*self.formats, QUANTISED_FORMAT))
        if self.teacher is not None:
            object.__setattr__(self, "teacher", str(self.teacher))  # a Path
            check_teacher(str(self.teacher))
        check_target(self.target)
        check_executor(self.executor)
        self.placement  # noqa: B018 - is checked
        Goal(self.minimize, self.target)
        check_sampler(self.sampler)
        check_pruner(self.pruner)
        check_formats(self.formats)
        deployment_for(self.runs_as, self.on, self.limits, self.minimize, self.weight_bits)
        starting_points(self.start_from)

    @property
    def goal(self) -> Goal:
        """What is looked for; a target alone is only when to stop."""
        return Goal() if self.minimize is None else Goal(self.minimize, self.target)

    @cached_property
    def deployment(self) -> Deployment | None:
        """What tells of a network that is not trained yet what it takes where it will run; None if that is not said."""
        return deployment_for(self.runs_as, self.on, self.limits, self.minimize, self.weight_bits)

    @property
    def all_formats(self) -> tuple[str, ...]:
        """What the winner is written as besides py: what it runs as, and what else was asked for."""
        runs_as = () if self.deployment is None or self.deployment.runs_as is None else (self.deployment.runs_as,)
        return tuple(dict.fromkeys((*runs_as, *self.formats)))

    @property
    def placement(self) -> Placement:
        """Where candidates are trained, and what each of them gets there."""
        return Placement(self.executor, self.threads, self.ray_address, self.gpus_per_candidate)

    @cached_property
    def n_workers(self) -> int:
        """Trainings at a time; connects to a Ray cluster where that has to be asked, once: it may be gone later."""
        return n_workers(self.placement, self.workers)

    @property
    def follows_room(self) -> bool:
        """Whether there are more and fewer trainings at a time as nodes of a cluster come and go."""
        return self.workers is None and self.placement.is_elsewhere

    @property
    def until_target(self) -> bool:
        """Whether the first network that has the target ends it; the smallest that has it is looked for to the end."""
        return self.target is not None and self.minimize is None

    @property
    def limits(self) -> Budget:
        """All limits as one budget."""
        assert isinstance(self.budget, Budget)
        return self.budget

    @property
    def not_by_default(self) -> dict[str, Any]:
        """What is not as it is unless told, as plain data that may be stored and shown; limits and formats by the names
        of their options.
        """
        defaults = SearchOptions()
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        changed = {name: value for name, value in values.items() if value != getattr(defaults, name)}
        if "budget" in changed:
            limits = {COSTS[name].option.replace("-", "_"): limit for name, limit in self.limits.items()}
            changed = limits | {name: value for name, value in changed.items() if name != "budget"}
        if "formats" in changed:
            changed["format"] = list(changed.pop("formats"))
        if "runs_as" in changed:
            changed["for"] = changed.pop("runs_as")
        if "storage" in changed:
            changed["storage"] = without_password(changed["storage"])
        return {name: str(value) if isinstance(value, Path) else value for name, value in changed.items()}


class Settings(TypedDict, total=False):
    """The fields of `SearchOptions` as keywords, spelled again so that editors complete and check them."""

    budget: int | Budget
    target: float | None
    minimize: str | None
    epochs: int
    trials: int | None
    timeout: float | None
    space: str
    dataset: str
    data_dir: Path | None
    validation: int | None
    sampler: str
    pruner: str
    seed: int
    workers: int | None
    device: str
    precision: str
    storage: str
    study: str | None
    out: Path
    executor: str
    threads: int | None
    ray_address: str | None
    gpus_per_candidate: float
    formats: tuple[str, ...]
    runs_as: str | None
    on: str | None
    teacher: str | None
    start_from: str
    quantised: bool
    weight_bits: int


F = TypeVar("F", bound=Callable[..., Any])


def takes_settings(function: F) -> F:
    """Has `help()` and notebooks see a function's `**settings` one by one, with their defaults."""
    before = signature(function)
    own = [each for each in before.parameters.values() if each.kind != Parameter.VAR_KEYWORD]
    hints = get_type_hints(SearchOptions)
    settings = [
        Parameter(each.name, Parameter.KEYWORD_ONLY, default=each.default, annotation=hints[each.name])
        for each in fields(SearchOptions)
    ]
    function.__signature__ = before.replace(parameters=[*own, *settings])  # type: ignore[attr-defined]
    return function


def options_of(options: SearchOptions | None, settings: Settings) -> SearchOptions:
    """Options given as a whole or as keywords; `InputError` for both, since one of them would be ignored."""
    if options is not None and settings:
        raise InputError(
            f"a search takes options or keywords, but got both, with {', '.join(settings)}: use dataclasses.replace"
        )
    names = [each.name for each in fields(SearchOptions)]
    for name in settings:
        if name not in names:
            hint = nearest(name, names)
            if name.startswith("max_"):
                hint = f": further limits stand in the budget, as in budget=nas.Budget(20_000, {name[4:]}=...)"
            raise InputError(f"a search is told some of {', '.join(names)}, but got {name!r}{hint}")
    return options or SearchOptions(**settings)


def check_weight_bits(bits: int, quantised: bool) -> None:
    """Raises `InputError` unless C can have weights of so many bits, and candidates are for its whole numbers."""
    if type(bits) is not int or bits not in BITS_OF_WEIGHTS:
        raise InputError(f"weight-bits must be {' or '.join(map(str, BITS_OF_WEIGHTS))}, but got {bits!r}")
    if bits != Recipe.weight_bits and not quantised:
        raise InputError(f"weight-bits {bits} is of a search in whole numbers, but got no --quantised: add --quantised")


def check_teacher(teacher: str) -> None:
    """Raises `InputError` unless it is `auto` or may be a file of Python."""
    if teacher != AUTO and Path(teacher).suffix != ".py":
        hint = nearest(teacher, [AUTO]) or ": give the .py file of a model that nas exported"
        raise InputError(f"teacher must be {AUTO} or a .py file, but got {teacher!r}{hint}")


def starting_points(start_from: str) -> list[str]:
    """What a search starts from, one by one; raises `InputError` where nothing is named beside something."""
    points = [each.strip() for each in start_from.split(",")]
    if not all(points) or (NOTHING in points and len(points) > 1):
        raise InputError(
            f"start-from must be {SHIPPED}, {NOTHING}, or studies and .json files separated by commas, "
            f"but got {start_from!r}"
        )
    return points


def check_target(target: float | None) -> None:
    """Raises `InputError` unless a target is a fraction."""
    if target is None or 0 < target <= 1:
        return
    # 99.4 is a share in per cent; nobody looks for a network that has 1.5 % of all images.
    hint = f": did you mean {target / 100:g}?" if 10 <= target <= 100 else ""
    raise InputError(f"target must be a fraction above 0 and at most 1, but got {target:g}{hint}")
