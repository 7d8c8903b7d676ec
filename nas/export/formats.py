"""The formats a trained network can be handed over in. A new one is a module with two functions, and a line here.

A format that cannot have every network has a third function, `refuses`, which says so of an architecture before it is
trained. One whose size on a device can be told then has `takes`, and says what costs that tells.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from nas.errors import InputError

if TYPE_CHECKING:  # the names alone are quickly there: whoever presses TAB waits for them
    from nas.export.frozen import Definition, FrozenModel
    from nas.export.prepared import Images, Prepared
    from nas.network.architecture import Architecture


@dataclass(frozen=True)
class Format:
    """Its `module` is loaded when it is first used. `tells`: the names of the costs that its `takes` tells;
    then its network is in NAME.`suffix`, and can be timed.
    """

    module: str
    suffix: str
    tells: tuple[str, ...] = ()

    @property
    def prepare(self) -> "Callable[[FrozenModel, str, Images], Prepared]":
        """Makes the files of a model of that name."""
        prepare: Callable[[FrozenModel, str, Images], Prepared] = import_module(self.module).prepare
        return prepare

    @property
    def usage(self) -> "Callable[[Definition, str], str]":
        """Tells in Markdown how they are used."""
        usage: Callable[[Definition, str], str] = import_module(self.module).usage
        return usage

    @property
    def refuses(self) -> "Callable[[Architecture], str | None]":
        """Tells in one line why it cannot have a network; None if it can."""
        refuses: Callable[[Architecture], str | None] | None = getattr(import_module(self.module), "refuses", None)
        return refuses or (lambda architecture: None)

    @property
    def takes(self) -> "Callable[[FrozenModel], Mapping[str, float]]":
        """What a network takes as this format, by the names of costs, whatever its weights; raises `ExportError`."""
        takes: Callable[[FrozenModel], Mapping[str, float]] = import_module(self.module).takes
        return takes


FORMATS: Mapping[str, Format] = {
    "py": Format("nas.export.python", "py"),
    "onnx": Format("nas.export.onnx", "onnx", tells=("flash",)),
    "torch": Format("nas.export.program", "pt2", tells=("flash",)),
    "c": Format("nas.export.c", "c", tells=("flash", "ram")),
}
DEFAULT = ("py",)
ON_DEVICES = tuple(name for name, each in FORMATS.items() if each.tells)


def check_formats(formats: Sequence[str]) -> None:
    """Raises `InputError` unless all are formats that there are."""
    unknown = [each for each in formats if each not in FORMATS]
    if unknown:
        raise InputError(f"formats must be some of {', '.join(FORMATS)}, but got {', '.join(unknown)}")


def refused_by(architecture: "Architecture", formats: Sequence[str]) -> str | None:
    """Why one of these formats cannot have a network, in one line; None if all can. Nothing is built or trained."""
    return next((reason for name in formats if (reason := FORMATS[name].refuses(architecture)) is not None), None)
