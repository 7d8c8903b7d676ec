"""One typical use of each function of the C export, by which is measured what a use of it takes.

They are taken from a few networks that have all there is, and are exported as any other is. So whoever changes a
function changes nothing here; whoever brings a new one adds a layer that becomes it to one of the networks, or has it
measured on the networks that use it, one by one.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache

from nas.export.c.operations import BYTES, Array
from nas.export.c.program import Program
from nas.export.c.sketch import sketch
from nas.export.c.source import calls_of, kernels_of, structures_of
from nas.network.architecture import Architecture
from nas.network.blocks import ChannelShuffle, PaddedShortcut, Parallel, PReLU, Residual, SqueezeExcite
from nas.network.kinds import Activation, AvgPool, BatchNorm, Conv, LayerSpec, MaxPool, conv_head, gap_head
from nas.network.pools import BlurPool, MaxAvgPool

SIZES = (2**6, 2**8, 2**14, 2**20, 2**31, 2**63)  # numbers of one size are loaded in the same way
STEP = 2_654_435_761  # prime, and of no pattern (Knuth 1998, The Art of Computer Programming 3, section 6.4)
INTEGERS = re.compile(r"(?<![\w.+-])\d+(?![\w.])")
OFFSETS = re.compile(r" \+ \d+")
NAMES = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True)
class Specimen:
    """A call, with the structures and the arrays that it is given. `kernels`: those of the program that it is from."""

    function: str
    call: str
    structures: tuple[str, ...]
    arrays: tuple[Array, ...]
    kernels: tuple[str, ...]

    @property
    def declared(self) -> tuple[str, ...]:
        """The arrays without their numbers: the first is not as the others are, so that none is known beforehand."""
        return tuple(f"static const {each.c_type} {each.name}[{len(each.values)}] = {{1}};\n" for each in self.arrays)

    @property
    def n_bytes(self) -> int:
        """Of the arrays."""
        return sum(BYTES[each.c_type] * len(each.values) for each in self.arrays)

    @property
    def handed(self) -> tuple[str, ...]:
        """The functions that its structures hold: without a structure that holds one, a compiler leaves it out."""
        arrays = {each.name for each in self.arrays}
        held = (name for each in self.structures for name in NAMES.findall(each.partition("=")[2]))
        return tuple(name for name in held if name not in arrays)

    @property
    def form(self) -> str:
        """How it is called: which numbers are 0, since they take less; other numbers and names do not matter."""
        _, _, given = self.call.partition("(")
        named = OFFSETS.sub("", NAMES.sub("x", given))
        functions = " ".join((self.function, *self.handed))
        return f"{functions}({INTEGERS.sub(lambda match: str(min(1, int(match[0]))), named)}"

    def fits(self, kernels: Collection[str]) -> bool:
        """Whether another program with these kernels has the same function, given the same structures."""
        types = {structure.split()[2] for structure in self.structures}
        parts = [f" {each}(" for each in (self.function, *self.handed)] + [f"}} {each};" for each in types]
        needed = [text for text in self.kernels if any(part in text for part in parts)]
        return all(text in kernels for text in needed)

    def copy(self, number: int, given: str) -> "Specimen":
        """The same with other numbers, since a compiler loads one that recurs but once; `given`: ends the names of its
        structures and arrays.
        """
        own = {each.name for each in self.arrays} | {_name_of(each) for each in self.structures}

        def another(match: re.Match[str]) -> str:
            return str(_another(int(match[0]), number))

        def renamed(text: str) -> str:
            return NAMES.sub(lambda match: f"{match[0]}_{given}" if match[0] in own else match[0], text)

        return Specimen(
            self.function,
            INTEGERS.sub(another, renamed(self.call)),
            tuple(map(renamed, self.structures)),
            tuple(each._replace(name=renamed(each.name)) for each in self.arrays),
            self.kernels,
        )


@cache
def specimens() -> tuple[Specimen, ...]:
    """Those of all the networks below."""
    plain = Conv(8, 3, padding=1)
    dilated = Conv(8, 3, padding=2, dilation=2)
    ends = (
        (*_features(plain), *gap_head(10, (8,), pool=MaxAvgPool())),
        (*_features(plain), *conv_head(10)),
        (*_features(plain), *gap_head(10), PReLU()),
        (*_features(dilated), *gap_head(10, (8,), pool=MaxAvgPool())),
    )
    programs = (sketch(Architecture((3, 20, 20), 10, layers)) for layers in ends)
    return tuple(each for program in programs for each in specimens_of(program))


def specimens_of(program: Program) -> list[Specimen]:
    """All calls of a program, in order."""
    structures = {_name_of(each): each for each in structures_of(program)}
    arrays, kernels = {each.name: each for each in program.arrays}, tuple(kernels_of(program))
    calls = []
    for call in calls_of(program):
        given = tuple(structures[name] for name in NAMES.findall(call) if name in structures)
        named = [name for text in (call, *given) for name in NAMES.findall(text) if name in arrays]
        own = tuple(arrays[name] for name in dict.fromkeys(named))
        calls.append(Specimen(call.partition("(")[0], call, given, own, kernels))
    return calls


def _another(value: int, number: int) -> int:
    """Another number of the same size, which is not easily had from this one; 0 stays what it is."""
    size = next(size for size in SIZES if value < size)
    return (value + number * STEP) % (size - size // 2) + size // 2 if value and number else value


def _name_of(structure: str) -> str:
    """What a structure is called: `static const TYPE NAME = ...`."""
    return structure.split()[3]


def _features(conv: Conv) -> Sequence[LayerSpec]:
    return (
        *(conv, BatchNorm(), Activation("relu"), MaxPool(2)),
        *(conv, BatchNorm(), Activation("hardswish")),
        Residual((conv, BatchNorm())),
        Activation("hardswish"),
        Residual((conv, BatchNorm())),
        Activation("relu"),
        PReLU(),
        Parallel(((conv,), (conv,))),
        ChannelShuffle(2),
        SqueezeExcite(4),
        AvgPool(2),
        BlurPool(1),
        PaddedShortcut(24, 2),
    )
