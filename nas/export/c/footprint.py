"""What the C of an architecture takes in flash and RAM, told without training it, or writing its weights.

The export is sketched with weights of no meaning and compiled with the compiler and its options, its arrays without
their numbers. So no number of bytes stands anywhere in the source: whoever changes a function of the export, or asks
another compiler, has other numbers at once.
"""

from nas.errors import ExportError
from nas.export.c.compiled import CompilationError
from nas.export.c.objects import DECLARED, Takes, Toolchain
from nas.export.c.operations import WEIGHT_BITS
from nas.export.c.sketch import sketch
from nas.export.c.source import without_numbers
from nas.network.architecture import Architecture

NAME = "network"  # of the sources that are only measured


def footprint_of(architecture: Architecture, toolchain: Toolchain, weight_bits: int = WEIGHT_BITS) -> Takes:
    """What its C takes, in about a tenth of a second; the image and the scores are the caller's.

    `weight_bits`: of its weights. Raises `ExportError` where C cannot have the network, or where the compiler tells no
    sizes.
    """
    source = without_numbers(sketch(architecture, weight_bits), NAME)
    try:
        return toolchain.takes(source, {f"{NAME}.h": DECLARED.format(name=NAME)})
    except CompilationError as error:
        raise ExportError(f"what C takes is told by a compiler, but {toolchain} fails: {error}") from error
