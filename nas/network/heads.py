"""The head of a network: its last layer with weights, which gives one score a class."""

from dataclasses import replace
from typing import NamedTuple

from nas.errors import InputError
from nas.network.architecture import Architecture
from nas.network.kinds import Conv, LayerSpec, Linear


class Headed(NamedTuple):
    """A network for other classes, and the names of its layers whose weights are of another shape than before."""

    architecture: Architecture
    anew: tuple[str, ...]


def with_classes(architecture: Architecture, n_classes: int) -> Headed:
    """The same network with scores for so many classes: its last convolution or fully connected layer is another one.

    Raises `InputError` where the last layer that has parameters is none, or the network would be none with it.
    """
    if n_classes == architecture.n_classes:
        return Headed(architecture, ())
    walk = architecture.walk
    number = next((i for i in reversed(range(len(walk))) if _decides_channels(walk[i].spec)), None)
    head = None if number is None else _resized(walk[number].spec, n_classes)
    if number is None or head is None:
        what = "a network without one" if number is None else walk[number].spec.describe()
        raise InputError(
            "a new head takes the place of a last layer that is a convolution or fully connected, but the last one "
            f"with parameters is {what}: search a network for these classes with nas search"
        )
    layers = (*architecture.layers[:number], head, *architecture.layers[number + 1 :])
    return Headed(Architecture(architecture.input_shape, n_classes, layers), tuple(each.name for each in walk[number:]))


def _decides_channels(spec: LayerSpec) -> bool:
    """Whether its output's channels are of its own making: what holds other layers may be anything."""
    return isinstance(spec, Conv | Linear) or any(True for _ in spec.held)


def _resized(spec: LayerSpec, n_classes: int) -> LayerSpec | None:
    match spec:
        case Linear():
            return replace(spec, features=n_classes)
        case Conv(groups=1):
            return replace(spec, channels=n_classes)
    return None
