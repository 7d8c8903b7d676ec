"""What the C of an architecture takes in flash and RAM, told without building or training it, or writing its weights.

The arrays are counted as they are (with the gaps that the compiler leaves before them), and so is the buffer. Code is
put together of what was measured once with the compiler and its options, and is kept for good: the functions that a
program has, with those calls that are compiled into their caller as they are, and with a few of the others; and what
each further call takes, with its structure. No number of these stands anywhere in the source: whoever changes a
function of the export has other numbers with the next compilation.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from nas.errors import ExportError
from nas.export.c.compiled import CompilationError
from nas.export.c.objects import DECLARED, Section, Takes, Toolchain
from nas.export.c.operations import BYTES, Array
from nas.export.c.program import Program
from nas.export.c.sketch import sketch
from nas.export.c.source import composed, kernels_of
from nas.export.c.specimens import Specimen, specimens, specimens_of
from nas.files import cache_folder, replacing
from nas.network.architecture import Architecture, digest_of

NAME = "network"  # of the sources that are only measured
COMPILED_IN = 2  # calls of a function up to which it becomes a part of its caller, with the numbers that it is given
FEW, MANY = 3, 7  # copies of a call, whose difference is what one takes; with three none is compiled in
LARGEST_PROBED = 65  # numbers of an array, from which on its alignment is no longer another one


class Code(NamedTuple):
    """What functions and their calls take besides arrays and buffer, in bytes."""

    flash: int
    stack: int


@dataclass(frozen=True)
class Footprint:
    """Tells what programs take with one compiler and its options. Raises `ExportError` where that tells no sizes."""

    toolchain: Toolchain

    def of(self, architecture: Architecture) -> Takes:
        """What its C takes: the image and the scores are the caller's."""
        program = sketch(architecture)
        code = self._code(program)
        return Takes(code.flash + self._arrays(program.arrays), program.ram, code.stack)

    def _code(self, program: Program) -> Code:
        kernels, uses = kernels_of(program), specimens_of(program)
        n_calls = Counter(use.function for use in uses)
        compiled_in = [use for use in uses if n_calls[use.function] <= COMPILED_IN]
        calls: dict[str, list[Specimen]] = {}
        for use in uses:
            if n_calls[use.function] > COMPILED_IN:
                calls.setdefault(use.form, []).append(use)
        few, more = compiled_in, 0.0
        for place, (_, alike) in enumerate(sorted(calls.items())):
            typical, n_given = _typical(alike[0], kernels), max(1, len({use.structures for use in alike}))
            few = [*few, *_copies(typical, min(len(alike), FEW), n_given, place)]
            more += self._more(typical, n_given, len(alike))
        base = self._measured(kernels, few)
        return Code(round(base.flash + more), base.stack)

    def _more(self, specimen: Specimen, n_given: int, n_calls: int) -> float:
        """What the calls beyond the first few take, in bytes of flash: with structures of their own, and without."""
        with_own = max(0, n_given - FEW)
        again = max(0, n_calls - max(n_given, FEW))
        return with_own * self._each(specimen, MANY) + again * self._each(specimen, FEW)

    def _each(self, specimen: Specimen, n_given: int) -> float:
        """What one more call takes, of so many structures."""
        few, many = (_copies(specimen, n, n_given) for n in (FEW, MANY))
        return (self._measured(specimen.kernels, many).flash - self._measured(specimen.kernels, few).flash) / (
            MANY - FEW
        )

    def _measured(self, kernels: Sequence[str], calls: Sequence[Specimen]) -> Code:
        """What these functions and calls take, compiled if they never were."""
        source = composed(
            NAME,
            arrays=dict.fromkeys(chain.from_iterable(each.declared for each in calls)),
            functions=[*kernels, *dict.fromkeys(chain.from_iterable(each.structures for each in calls))],
            calls=[each.call for each in calls],
            n_buffer=2**16,
            n_bytes=2**10,
            n_classes=10,
        )
        arrays = tuple({array.name: array for each in calls for array in each.arrays}.values())

        def compiled() -> list[int]:
            takes = self.toolchain.takes(source, {f"{NAME}.h": DECLARED.format(name=NAME)})
            return [takes.flash - self._arrays(arrays), takes.stack]

        return Code(*self._kept(source, compiled))

    def _arrays(self, arrays: Sequence[Array]) -> int:
        """Bytes of the arrays, and of the gaps between them: the last one is the first in memory."""
        end = 0
        for array in reversed(arrays):
            n = len(array.values)
            alignment = self._alignments[array.c_type][min(n, LARGEST_PROBED) - 1]
            end = -(-end // alignment) * alignment + BYTES[array.c_type] * n
        return end

    @cached_property
    def _alignments(self) -> dict[str, list[int]]:
        """To what arrays are aligned, by the type and the count of their numbers, from 1 on."""
        names = [(c_type, f"{c_type}_{n}", n) for c_type in BYTES for n in range(1, LARGEST_PROBED + 1)]
        arrays = "".join(f"const {c_type} {name}[{n}] = {{1}};\n" for c_type, name, n in names)
        source = f"#include <stdint.h>\n{arrays}"

        def compiled() -> list[int]:
            each_apart = Toolchain((*self.toolchain.command, "-fdata-sections"))
            found = {section.name.rpartition(".")[2]: section for section in each_apart.sections(source)}
            return [_alignment(found, name) for _, name, _ in names]

        numbers = self._kept(source, compiled)
        return {c_type: numbers[i * LARGEST_PROBED :][:LARGEST_PROBED] for i, c_type in enumerate(BYTES)}

    def _kept(self, source: str, compiled: Callable[[], list[int]]) -> list[int]:
        """The numbers of a source, which are had once for each compiler, its options and this very source."""
        key = digest_of({"compiler": self.toolchain.name, "command": list(self.toolchain.command), "source": source})
        return _KEPT.get(key, compiled, self.toolchain)


def _typical(own: Specimen, kernels: Sequence[str]) -> Specimen:
    """The specimen that all networks with such a call have in common, if there is one; else the network's own."""
    same = (each for each in specimens() if each.form == own.form)
    return next((each for each in same if each.fits(kernels)), own)


def _copies(specimen: Specimen, n_calls: int, n_given: int, place: int = 0) -> list[Specimen]:
    """So many calls of so many structures: those beyond them are given the last one. `place`: among other specimens."""
    return [specimen.copy(i, f"{place}_{min(i, n_given - 1)}") for i in range(n_calls)]


def _alignment(found: dict[str, Section], name: str) -> int:
    if name not in found:
        raise CompilationError("the compiler does not tell how it aligns arrays (-fdata-sections)")
    return max(1, found[name].alignment)


class _Kept:
    """Numbers by key, in memory and in a file of the cache; whoever cannot write there counts again next time."""

    def __init__(self) -> None:
        self._numbers: dict[str, list[int]] = {}
        self._read_from: Path | None = None
        self._lock = Lock()

    def get(self, key: str, make: Callable[[], list[int]], toolchain: Toolchain) -> list[int]:
        """Those of the key, made if they are not there."""
        with self._lock:
            self._read()
            if key in self._numbers:
                return self._numbers[key]
        try:
            numbers = make()
        except CompilationError as error:
            raise ExportError(f"what C takes is told by a compiler, but {toolchain} fails: {error}") from error
        with self._lock:
            self._numbers[key] = numbers
            self._write()
        return numbers

    def _read(self) -> None:
        path = self._path()
        if self._read_from == path:
            return
        self._read_from = path
        try:
            self._numbers = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            self._numbers = {}

    def _write(self) -> None:
        path = self._path()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as partial:
                partial.write_text(json.dumps(self._numbers), "utf-8")
        except OSError:
            pass

    def _path(self) -> Path:
        return cache_folder() / "c-sizes.json"


_KEPT = _Kept()
