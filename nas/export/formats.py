"""The formats a trained network can be handed over in. A new one is a module with two functions, and a line here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the names alone are quickly there: whoever presses TAB waits for them
    from nas.export.frozen import Definition, FrozenModel
    from nas.export.prepared import Images, Prepared


@dataclass(frozen=True)
class Format:
    """Its `module` is loaded when it is first used."""

    module: str

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


FORMATS: Mapping[str, Format] = {
    "py": Format("nas.export.python"),
    "onnx": Format("nas.export.onnx"),
    "torch": Format("nas.export.program"),
    "c": Format("nas.export.c"),
}
DEFAULT = ("py",)
