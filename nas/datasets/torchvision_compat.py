"""The one place that imports torchvision.

torchvision's wheel for Linux is linked against CUDA. With a CPU-only torch its compiled operators cannot be loaded, and
then the import stops where it describes one of them. Data sets need none of these operators: it is enough that the one
which the import asks for is declared.
"""

import importlib
import sys
from types import ModuleType

import torch

MISSING_OPERATOR = "operator torchvision::nms does not exist"
SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_declared: list[torch.library.Library] = []  # a declaration lasts as long as its library is alive


def torchvision_datasets() -> ModuleType:
    """`torchvision.datasets`, also where torchvision was built for another torch than the one installed."""
    try:
        return importlib.import_module("torchvision.datasets")
    except RuntimeError as error:
        if MISSING_OPERATOR not in str(error):
            raise
    _forget_torchvision()
    _declare_operators()
    return importlib.import_module("torchvision.datasets")


def _forget_torchvision() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]


def _declare_operators() -> None:
    library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in ("nms", "qnms"):
        library.define(operator + SCHEMA)
    _declared.append(library)
