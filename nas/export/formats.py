"""The formats a trained network can be handed over in. A new one is two functions, and a line here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from nas.export import c, onnx, program, python
from nas.export.frozen import Definition, FrozenModel
from nas.export.prepared import Images, Prepared


@dataclass(frozen=True)
class Format:
    """`prepare` makes the files of a model of that name; `usage` tells in Markdown how they are used."""

    prepare: Callable[[FrozenModel, str, Images], Prepared]
    usage: Callable[[Definition, str], str]


FORMATS: Mapping[str, Format] = {
    "py": Format(python.prepare, python.usage),
    "onnx": Format(onnx.prepare, onnx.usage),
    "torch": Format(program.prepare, program.usage),
    "c": Format(c.prepare, c.usage),
}
DEFAULT = ("py",)
