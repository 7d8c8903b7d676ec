"""The formats a trained network can be handed over in. A new one is a function `prepare`, and a line here."""

from collections.abc import Callable, Mapping

from nas.export import onnx, program, python
from nas.export.frozen import FrozenModel
from nas.export.prepared import Images, Prepared

FORMATS: Mapping[str, Callable[[FrozenModel, str, Images], Prepared]] = {
    "py": python.prepare,
    "onnx": onnx.prepare,
    "torch": program.prepare,
}
DEFAULT = ("py",)
