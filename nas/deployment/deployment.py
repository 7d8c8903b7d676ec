"""What a candidate will run on: it tells what a network takes there, and times it, each shape once."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from nas.deployment.command import check_on
from nas.errors import ExportError, InputError, nearest
from nas.export.formats import FORMATS, ON_DEVICES
from nas.network.architecture import Architecture, digest_of
from nas.network.cost import COSTS, Budget
from nas.network.kinds import KINDS
from nas.training.recipe import Recipe

if TYPE_CHECKING:  # what exports is loaded when it is first used: whoever presses TAB waits for this file
    from nas.deployment.screening import Prediction
    from nas.deployment.timing import Run, Timing


@dataclass(eq=False)
class Deployment:
    """`runs_as`: the format that a network runs as, if that is said; `on`: what times it, if anything does.
    `weight_bits`: of its weights as C.

    A shape is asked about once: what was told of it is kept, and `learn` is told what earlier searches measured.
    """

    runs_as: str | None = None
    on: str | None = None
    weight_bits: int = Recipe.weight_bits
    _told: dict[tuple[str, str], float] = field(default_factory=dict)
    _timings: dict[str, "tuple[Timing, Mapping[str, float]]"] = field(default_factory=dict)
    _lock: Any = field(default_factory=Lock)
    _timing: Any = field(default_factory=Lock)  # held while something is timed: one after the other

    @property
    def tells(self) -> tuple[str, ...]:
        """The names of the costs that it tells."""
        told = FORMATS[self.runs_as].tells if self.runs_as is not None else ()
        return (*told, *(("latency",) if self.on is not None else ()))

    def __str__(self) -> str:
        """Such as `c`, or `c on qemu.sh`."""
        return f"{self.runs_as}" + (
            f" on {self.on}" if self.on not in (None, self.runs_as) else " timed" * bool(self.on)
        )

    @property
    def at_once(self) -> tuple[str, ...]:
        """Those that take no longer than a look: they are told of all candidates, limited or not."""
        tells_size = self.runs_as == "c" and self.compiler is not None
        return tuple(name for name in self.tells if name == "latency" or tells_size)

    @cached_property
    def compiler(self) -> str | None:
        """What makes the code that figures are of; None where it does not matter."""
        if self.runs_as != "c":
            return None
        from nas.export.c.objects import toolchain

        tools = toolchain()
        return None if tools is None else str(tools)

    def cost(self, name: str, architecture: Architecture) -> float:
        """That of a network. Raises `ExportError` where it cannot be had."""
        if name not in self.tells:
            raise ExportError(f"{COSTS[name].label} must be told by a device, but this one tells {self._words}")
        if name == "latency":
            return self.timing(architecture).median
        assert self.runs_as is not None
        shape = shape_of(architecture)
        if (name, shape) not in self._told:
            from nas.export.untrained import untrained

            told = FORMATS[self.runs_as].takes(untrained(architecture, self.weight_bits))
            self._told.update({(each, shape): number for each, number in told.items()})
        return self._told[name, shape]

    def timing(self, architecture: Architecture) -> "Timing":
        """How long it takes for one image: measured, unless a network of this shape was before."""
        from nas.deployment.screening import features
        from nas.deployment.timing import timed

        assert self.runs_as is not None
        assert self.on is not None
        shape = shape_of(architecture)
        with self._timing:
            with self._lock:
                if shape in self._timings:
                    return self._timings[shape][0]
            timing = timed(architecture, self.runs_as, self.on, self.weight_bits)
            with self._lock:
                self._timings[shape] = timing, features(architecture)
        return timing

    def run(self, model: Path, architecture: Architecture) -> "Run":
        """Times an exported network itself; `model` is any of its files. Raises `ExportError`."""
        from nas.deployment.timing import main_file, run_of

        assert self.runs_as is not None
        assert self.on is not None
        with self._timing:
            return run_of(main_file(model, self.runs_as), architecture, self.on)

    def screened(self, architecture: Architecture, limit: float) -> "Prediction | None":
        """A prediction that says that a network which was not measured is over the limit; else None."""
        from nas.deployment.screening import features, predicted

        with self._lock:
            if shape_of(architecture) in self._timings:
                return None
            measured = [(does, timing.median) for timing, does in self._timings.values()]
        told = predicted(features(architecture), measured)
        return told if told is not None and told.is_over(limit) else None

    def stored(self, architecture: Architecture) -> dict[str, Any] | None:
        """What is kept of its timing with its trial; None if it was not timed."""
        shape = shape_of(architecture)
        with self._lock:
            if shape not in self._timings:
                return None
            timing, does = self._timings[shape]
        return {"shape": shape, "features": dict(does), **asdict(timing)}

    def learn(self, stored: Mapping[str, Any]) -> None:
        """Takes what `stored` gave in an earlier search."""
        from nas.deployment.timing import Timing

        timing = Timing(stored["median"], stored["low"], stored["high"], stored["n"])
        with self._lock:
            self._timings.setdefault(stored["shape"], (timing, stored["features"]))

    @property
    def _words(self) -> str:
        return " and ".join(self.tells) or "nothing"


def shape_of(architecture: Architecture) -> str:
    """Digits that are the same for networks which compute the same steps: whatever is idle in use does not count."""
    return digest_of(_without_idle(architecture.to_dict()))


def _without_idle(data: Any) -> Any:
    if isinstance(data, Mapping):
        return {name: _without_idle(value) for name, value in data.items()}
    if isinstance(data, Sequence) and not isinstance(data, str):
        return [_without_idle(each) for each in data if not _is_idle(each)]
    return data


def _is_idle(data: Any) -> bool:
    return isinstance(data, Mapping) and "kind" in data and KINDS[data["kind"]].idle_in_use


def deployment_for(
    runs_as: str | None,
    on: str | None,
    budget: Budget,
    minimize: str | None = None,
    weight_bits: int = Recipe.weight_bits,
) -> Deployment | None:
    """The device that a search is for, or None if it is for none. Raises `InputError` where something is missing.

    `--on c` says `--for c`, too, and so do all that are timed by their names.
    """
    if runs_as is not None and runs_as not in ON_DEVICES:
        raise InputError(
            f"for must be one of {', '.join(ON_DEVICES)}, but got {runs_as!r}{nearest(runs_as, ON_DEVICES)}"
        )
    if on is not None:
        check_on(on)
        if on in ON_DEVICES and runs_as not in (None, on):
            raise InputError(f"on {on} times {on} itself, but what is searched is for {runs_as}: use --for {on}")
        if on in ON_DEVICES:
            runs_as = on
        if runs_as is None:
            raise InputError(
                f"a command must be given a file to time, but got --on {on!r} without --for: add --for "
                f"{', '.join(ON_DEVICES[:-1])} or {ON_DEVICES[-1]}"
            )
    deployment = Deployment(runs_as, on, weight_bits)
    for name in (*budget, *([minimize] if minimize is not None else [])):
        if COSTS[name].of is None and name not in deployment.tells:
            raise InputError(_missing(name, runs_as))
    return deployment if deployment.tells else None


def _missing(name: str, runs_as: str | None) -> str:
    kind = COSTS[name]
    if name == "latency":
        return (
            f"{kind.option} must be measured on something, but got no --on: add --on {', '.join(ON_DEVICES)} or a "
            "command that prints milliseconds"
        )
    tell = [each for each, made in FORMATS.items() if name in made.tells]
    given = "no --for" if runs_as is None else f"--for {runs_as}"
    return f"{kind.option} depends on what a network runs as, but got {given}: use --for {' or '.join(tell)}"
