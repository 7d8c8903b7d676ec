"""What a network costs, and limits to it.

A cost is one entry of `COSTS`: its names, and how it is had. Counted ones are a function of the architecture,
arithmetic on the layers: no torch, no tensors, well under a millisecond. Predicted and measured ones take longer, and
are asked for only once all limits on what is had sooner have been met. What of them depends on where a network will run
has no function: the `Deployment` that a search is for tells it. Limits, options of commands, columns, cards and fronts
are made from the entries; what is stored of a trial is read with whatever costs it has.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from nas.errors import InputError, nearest
from nas.network.architecture import Architecture

BYTES_A_NUMBER = 4  # float32

Had = Literal["counted", "predicted", "measured"]
Quantity = Literal["count", "bytes", "milliseconds"]


@dataclass(frozen=True)
class CostKind:
    """One way in which a network costs something.

    `of`: the cost of an architecture, a whole number unless it is a time; None where the device decides. `had`: how.
    `noun`: what a limit is a number of. `column`: a heading of tables. `label` and `unit`: a line of its own, `unit`
    behind the number. `phrase`: within a sentence. `option`: of the commands that take a limit, `help` what that says.
    `listed`: a column in lists of trials.
    """

    name: str  # in `Cost`, `Budget`, JSON and databases
    noun: str
    column: str
    label: str
    unit: str
    phrase: str
    option: str
    help: str
    of: Callable[[Architecture], float] | None
    had: Had = "counted"
    quantity: Quantity = "count"
    listed: bool = False

    @property
    def counted(self) -> bool:
        """Whether it is arithmetic on the architecture, the same everywhere."""
        return self.had == "counted"

    @property
    def whole(self) -> bool:
        """Whether it is a whole number."""
        return self.quantity != "milliseconds"

    def shown(self, value: float) -> str:
        """The number as people read it, without its unit."""
        return f"{value:,}" if self.whole else f"{value:,.3g}"


class Deployment(Protocol):
    """Where a network will run: it tells what depends on that."""

    def cost(self, name: str, architecture: Architecture) -> float:
        """The cost with this name. Raises `ExportError` where it cannot be had."""


def _params(architecture: Architecture) -> int:
    """Trainable parameters."""
    return sum(layer.params for layer in architecture.walk)


def _macs(architecture: Architecture) -> int:
    """Multiply-accumulates of convolutions and fully connected layers for one image.

    Biases, pooling and element-wise work are left out, as torch's `FlopCounterMode` does.
    """
    return sum(layer.macs for layer in architecture.walk)


def _memory(architecture: Architecture) -> int:
    """Bytes of float32 activations that must be there at once for one image."""
    return BYTES_A_NUMBER * max(layer.n_live for layer in architecture.walk)


def _bytes(architecture: Architecture) -> int:
    """Size of the stored float32 weights, batch norm's running statistics included."""
    return BYTES_A_NUMBER * sum(layer.params + layer.statistics for layer in architecture.walk)


COSTS: dict[str, CostKind] = {
    kind.name: kind
    for kind in (
        CostKind(
            name="params",
            noun="parameters",
            column="parameters",
            label="parameters",
            unit="",
            phrase="parameters",
            option="budget",
            help="Most parameters a network may have; 20k means 20000.",
            of=_params,
            listed=True,
        ),
        CostKind(
            name="macs",
            noun="MACs",
            column="MACs",
            label="multiply-accumulates an image",
            unit="",
            phrase="multiply-accumulates an image",
            option="max-macs",
            help="Most multiply-accumulates for one image.",
            of=_macs,
            listed=True,
        ),
        CostKind(
            name="memory",
            noun="bytes of activations",
            column="bytes of activations",
            label="activations at once",
            unit="bytes",
            phrase="bytes of float32 activations at once",
            option="max-memory",
            help="Most bytes of float32 activations at once for one image.",
            of=_memory,
            quantity="bytes",
        ),
        CostKind(
            name="bytes",
            noun="bytes of weights",
            column="bytes of weights",
            label="weights",
            unit="bytes",
            phrase="bytes of float32 weights",
            option="max-bytes",
            help="Most bytes of float32 weights.",
            of=_bytes,
            quantity="bytes",
        ),
        CostKind(
            name="flash",
            noun="bytes of flash",
            column="flash",
            label="flash",
            unit="bytes",
            phrase="bytes of flash",
            option="max-flash",
            help="Most bytes of flash, with --for: the C with its code, or the file. 32k means 32000, 32Ki 32768.",
            of=None,
            had="predicted",
            quantity="bytes",
        ),
        CostKind(
            name="ram",
            noun="bytes of RAM",
            column="RAM",
            label="RAM",
            unit="bytes",
            phrase="bytes of RAM",
            option="max-ram",
            help="Most bytes of RAM, with --for c: its buffer and its stack.",
            of=None,
            had="predicted",
            quantity="bytes",
        ),
        CostKind(
            name="latency",
            noun="ms an image",
            column="ms an image",
            label="latency",
            unit="ms an image",
            phrase="milliseconds an image",
            option="max-latency",
            help="Longest time for one image, such as 5ms, with --on.",
            of=None,
            had="measured",
            quantity="milliseconds",
        ),
    )
}


class _Numbers(Mapping[str, Any]):
    """Numbers by the names of costs, each an attribute as well; equal, and of one hash, if all of them are."""

    def __init__(self, numbers: Mapping[str, Any]) -> None:
        self._numbers = dict(numbers)

    def __getitem__(self, name: str) -> Any:
        return self._numbers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    def __hash__(self) -> int:
        return hash(frozenset(self._numbers.items()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.items())})"


class Cost(_Numbers):
    """What one network costs, as far as that was counted or measured: `cost.params`, or `cost["params"]`.

    One that was stored before a kind of cost was there does not have it.
    """

    def __init__(self, **numbers: float) -> None:
        super().__init__(numbers)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._numbers:
            raise AttributeError(
                f"this cost has no {name}, but {', '.join(self._numbers)}" if name[:1] != "_" else name
            )
        return self._numbers[name]

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self]

    def shown(self, name: str) -> str:
        """One of them as people read it; a dash if it is not known."""
        return COSTS[name].shown(self[name]) if name in self else "-"


class Budget(_Numbers):
    """Upper limits, each inclusive, by the names of `COSTS`; a name that is not set is no limit, and reads as None.

    Raises `InputError` for a limit that is no number above 0 (a whole one where the cost is counted), and for a name
    that no cost has.
    """

    def __init__(self, params: int | None = None, **limits: float | None) -> None:
        asked = {"params": params, **limits}
        for name, limit in asked.items():
            if name not in COSTS:
                raise InputError(
                    f"a budget is of some of {', '.join(COSTS)}, but got {name!r}{nearest(name, tuple(COSTS))}"
                )
            if limit is not None:
                _check_limit(COSTS[name], limit)
        super().__init__({name: asked[name] for name in COSTS if asked.get(name) is not None})

    def __getattr__(self, name: str) -> Any:
        if name not in COSTS:
            raise AttributeError(name)
        return self._numbers.get(name)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *COSTS]

    @property
    def limits(self) -> dict[str, Any]:
        """The limits that are set, by name."""
        return dict(self)

    def with_limit(self, name: str, limit: float) -> "Budget":
        """The same limits but for one."""
        return Budget(**{**self, name: limit})

    def violations(self, cost: Cost) -> dict[str, float]:
        """For each limit on something that is known `count / limit - 1`: above 0 is over the budget; comparable."""
        return {name: cost[name] / limit - 1 for name, limit in self.items() if name in cost}

    def admits(self, cost: Cost) -> bool:
        """Whether every limit on something that is known is met."""
        return all(violation <= 0 for violation in self.violations(cost).values())

    def __str__(self) -> str:
        return ", ".join(f"{COSTS[name].shown(limit)} {COSTS[name].noun}" for name, limit in self.items()) or "no limit"


def cost_of(architecture: Architecture, names: Collection[str] | None = None) -> Cost:
    """The counted costs of an architecture: all there are, or those with these names."""
    kinds = (COSTS[name] for name in (COSTS if names is None else names))
    return Cost(**{kind.name: kind.of(architecture) for kind in kinds if kind.counted and kind.of is not None})


def further_cost_of(
    architecture: Architecture, names: Collection[str], had: Had, deployment: Deployment | None
) -> Cost:
    """Those of its predicted or measured costs that are among `names`; takes as long as that takes.

    What the device decides is left out where there is none.
    """
    kinds = [kind for kind in COSTS.values() if kind.had == had and kind.name in names]
    numbers = {kind.name: _further(kind, architecture, deployment) for kind in kinds}
    return Cost(**{name: number for name, number in numbers.items() if number is not None})


def _further(kind: CostKind, architecture: Architecture, deployment: Deployment | None) -> float | None:
    if kind.of is not None:
        return kind.of(architecture)
    return None if deployment is None else deployment.cost(kind.name, architecture)


def _check_limit(kind: CostKind, limit: float) -> None:
    what = "a whole number" if kind.whole else "a number"
    types = (int,) if kind.whole else (int, float)
    if type(limit) not in types or not limit > 0:
        raise InputError(f"{kind.option} must be {what} above 0, but got {limit!r}")
