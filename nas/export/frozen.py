"""What is handed over: a trained network with everything that is said about it, checked value by value."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from math import isfinite
from typing import Any, get_args

import torch
from torch import Tensor

from nas.datasets.framing import Framing
from nas.errors import ExportError, InputError
from nas.network.architecture import Architecture
from nas.network.build import Network
from nas.training.recipe import Recipe


@dataclass(frozen=True)
class Provenance:
    """How a network and its accuracy came about. Strings may hold any text. Raises `InputError`."""

    dataset: str
    study: str
    trial: int
    seed: int  # of the training
    validation_accuracy: float  # fraction, after the last epoch trained, in float32
    n_train: int
    n_validation: int
    split_seed: int
    epochs: int  # trained
    versions: str  # such as "nas 0.1.0, torch 2.13.0, Python 3.11.7"
    precision: str  # of the training
    device: str  # of the training
    threads: int
    # How it was tested, if it was, in whole sentences. Then it was trained on all training images, and the accuracy
    # above is one on some of these, by which the network is recognised.
    confirmed: str = ""
    fingerprint: str = ""  # of the data set: with it a file states which images it was trained on, for programs
    # Who taught it, in whole sentences, and whether that teacher has certainly not seen validation or test images.
    teacher: str = ""
    teacher_certain: bool = True
    # On the same images in whole numbers of 8 bits, as the exported C computes them, where the network was trained and
    # chosen for these; None where it was for float32.
    quantised_accuracy: float | None = None
    # From which model the training went on, and what that was trained on, in whole sentences; empty: from scratch.
    fine_tuned: str = ""

    def __post_init__(self) -> None:
        for field in fields(self):
            _check_type(field.name, getattr(self, field.name), field.type)
        for name in ("n_train", "n_validation", "epochs", "threads"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} of a provenance must be at least 1, but got {getattr(self, name)}")
        if not 0 <= self.validation_accuracy <= 1:
            raise InputError(
                f"validation_accuracy must be a fraction between 0 and 1, but got {self.validation_accuracy}"
            )
        if self.quantised_accuracy is not None and not 0 <= self.quantised_accuracy <= 1:
            raise InputError(
                f"quantised_accuracy must be a fraction between 0 and 1, or None, but got {self.quantised_accuracy}"
            )

    @property
    def n_correct(self) -> int:
        """How many of these images were right, in float32."""
        return round(self.validation_accuracy * self.n_validation)

    @property
    def ranked_accuracy(self) -> float:
        """The figure by which the network was compared with others: that of whole numbers where these count."""
        return self.validation_accuracy if self.quantised_accuracy is None else self.quantised_accuracy

    @property
    def n_ranked(self) -> int:
        """How many of these images were right in the arithmetic that counts."""
        return round(self.ranked_accuracy * self.n_validation)

    @property
    def identity(self) -> dict[str, Any]:
        """What tells it from all other networks, with the number of its parameters: stated in exported files."""
        return identity(self.study, self.trial, self.seed, self.ranked_accuracy, confirmed=bool(self.confirmed))

    @property
    def trained_on(self) -> dict[str, Any]:
        """Which images, for those who want to use it as a teacher: stated in exported files; empty if not known."""
        if not self.fingerprint:
            return {}
        return {
            "dataset": self.dataset,
            "fingerprint": self.fingerprint,
            "n_train": self.n_train,
            "n_held_out": 0 if self.confirmed else self.n_validation,
            "split_seed": self.split_seed,
            **({"taught": True, "certain": self.teacher_certain} if self.teacher or self.fine_tuned else {}),
        }


@dataclass(frozen=True, eq=False)
class Definition:
    """A network to hand over, trained or not. Raises `InputError` where its parts do not fit together.

    `mean` and `std`: one number a channel, of images between 0 and 1.
    """

    architecture: Architecture
    recipe: Recipe
    mean: tuple[float, ...]
    std: tuple[float, ...]
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        for name in ("mean", "std"):
            object.__setattr__(self, name, _numbers(name, getattr(self, name), self.architecture.input_shape[0]))
        if min(self.std) <= 0:
            raise InputError(f"std must be above 0 for each channel, but got {self.std}")
        object.__setattr__(self, "classes", tuple(self.classes))
        for label in self.classes:
            _check_type("a class name", label, str)
        if len(self.classes) != self.architecture.n_classes:
            raise InputError(f"a network for {self.architecture.n_classes} classes got {len(self.classes)} class names")

    def new_network(self, seed: int = 0) -> Network:
        """The network with random weights, which depend on the seed alone."""
        with torch.random.fork_rng(devices=[]):  # what is drawn here is nobody else's business
            torch.manual_seed(seed)
            return Network(self.architecture, self.mean, self.std)


@dataclass(frozen=True, eq=False)
class FrozenModel(Definition):
    """A trained network to hand over. `state`: the `state_dict` of its `Network`; `framing`: of the training images.
    `further`: what its search found out of what it takes, each with its name, its value, and how that is known.
    """

    state: Mapping[str, Tensor]
    provenance: Provenance
    framing: Framing | None = None
    further: tuple[tuple[str, str, str], ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.provenance.epochs > self.recipe.epochs:
            raise InputError(
                f"a network cannot be trained for more epochs than its recipe has, {self.recipe.epochs}, "
                f"but got {self.provenance.epochs}"
            )

    def weights(self) -> dict[str, Tensor]:
        """The floating-point entries of `state` as float32 on the CPU: what is stored.

        Batch norm's count of batches is left out, since it changes nothing in use. Raises `ExportError` if `state` is
        not that of this architecture.
        """
        weights, wanted = _floats(self.state), _floats(self.new_network().state_dict())
        for name in sorted(weights.keys() | wanted.keys()):
            if name not in weights or name not in wanted or weights[name].shape != wanted[name].shape:
                raise ExportError(
                    f"the weights must be those of this network, but {name} is missing or of another shape"
                )
        return {name: values.detach().to("cpu", torch.float32).contiguous() for name, values in weights.items()}

    def network(self) -> Network:
        """The trained network itself, on the CPU in float32, in eval mode."""
        network = self.new_network()
        network.load_state_dict(self.weights(), strict=False)  # without batch norm's counts
        return network.eval()


def identity(study: str, trial: int, seed: int, accuracy: float, *, confirmed: bool) -> dict[str, Any]:
    """Which training a network comes from; `accuracy` is that of its `Provenance`, to the last digit.

    A name tells too little: several studies have a trial 3, and `nas export --name` gives any other.
    """
    return {"study": study, "trial": trial, "seed": seed, "accuracy": accuracy, "confirmed": confirmed}


def _floats(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: values for name, values in state.items() if values.is_floating_point()}


def _numbers(name: str, values: Iterable[float], n: int) -> tuple[float, ...]:
    """Plain floats: numpy's are floats too, but are written differently."""
    numbers = tuple(float(value) for value in values)
    if len(numbers) != n or not all(map(isfinite, numbers)):
        raise InputError(f"{name} must be {n} finite number{'s' * (n > 1)}, one a channel, but got {numbers}")
    return numbers


def _check_type(name: str, value: object, wanted: object) -> None:
    """Exact types only: a subclass could write itself into the source in its own way."""
    if type(value) is not wanted and type(value) not in get_args(wanted):
        raise InputError(f"{name} must be {getattr(wanted, '__name__', wanted)}, but got {value!r}")
