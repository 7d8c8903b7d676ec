"""What a compiler makes of a C source: bytes of flash, bytes of RAM, and the deepest its stack gets.

The object file is read here, as ELF, so that it does not matter whether a `size` for the target is there. What is read
is what `size` prints of it: flash is `text + data`, and RAM is what of `bss + data` can change, plus the stack.
"""

import os
import re
import shlex
import shutil
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from nas.export.c.compiled import CompilationError, finished, version

OPTIONS = ("-std=c99", "-Os")  # what one compiles with for flash; options in CC come behind, and win
DECLARED = """#include <stdint.h>
int {name}_predict(const uint8_t *image, float *scores);
"""  # all of a header that the source needs
NO_BITS, ALLOCATED, WRITABLE = 8, 2, 1  # a section's type, and two of its flags


class Takes(NamedTuple):
    """What a program takes, in bytes: `flash` with all that is not RAM, static `ram`, and the deepest `stack`."""

    flash: int
    ram: int
    stack: int


class Section(NamedTuple):
    """A part of an object file that will be in memory."""

    name: str
    n_bytes: int
    writable: bool
    stored: bool  # whether its bytes are in flash, too

    @property
    def changes(self) -> bool:
        """Whether it is in RAM: what is only relocated is constant, and stays in flash where nothing is moved."""
        return self.writable and not self.name.startswith(".data.rel.ro")


@dataclass(frozen=True)
class Toolchain:
    """A compiler with its options."""

    command: tuple[str, ...]

    @cached_property
    def name(self) -> str:
        """What it says of itself, which is also asked whether a result of it is still good."""
        return version(self.command[:1])

    def __str__(self) -> str:
        return f"{shlex.join(self.command)} ({self.name})"

    def takes(self, source: str, headers: Mapping[str, str] | None = None) -> Takes:
        """What the source takes: `stack` is that below NAME_predict, without what libraries of the compiler use.

        Raises `CompilationError`.
        """
        sections, frames = self._compiled(source, headers or {})
        return Takes(
            flash=sum(each.n_bytes for each in sections if each.stored),
            ram=sum(each.n_bytes for each in sections if each.changes),
            stack=_deepest(source, frames),
        )

    def _compiled(self, source: str, headers: Mapping[str, str]) -> tuple[list[Section], dict[str, int]]:
        with TemporaryDirectory() as place:
            folder = Path(place)
            for name, text in {**headers, "network.c": source}.items():
                (folder / name).write_text(text, "utf-8")
            finished([*self.command, "-w", "-fstack-usage", "-c", "-o", "network.o", "network.c"], folder)
            usage = folder / "network.su"
            frames = dict(_frames(usage.read_text())) if usage.exists() else {}
            if not frames:
                raise CompilationError(f"{self.command[0]} does not tell how much stack it uses (-fstack-usage)")
            return list(_sections((folder / "network.o").read_bytes())), frames


def toolchain() -> Toolchain | None:
    """The compiler named in CC, else cc, with `OPTIONS`; None where it is not there."""
    first, *rest = shlex.split(os.environ.get("CC", "")) or ["cc"]
    return Toolchain((first, *OPTIONS, *rest)) if shutil.which(first) else None


def _sections(content: bytes) -> Iterator[Section]:
    """Those that will be in memory; raises `CompilationError` for what is no ELF file."""
    if content[:4] != b"\x7fELF":
        raise CompilationError("what the compiler makes is no ELF file, so that its size cannot be told")
    order, wide = "<" if content[5] == 1 else ">", content[4] == 2
    table = _read(content, 40 if wide else 32, order + ("Q" if wide else "I"))[0]
    size, n, names_at = _read(content, 58 if wide else 46, order + "3H")
    layout = order + ("IIQQQQIIQQ" if wide else "10I")
    headers = [_read(content, table + size * i, layout) for i in range(n)]
    names = headers[names_at][4]
    for name, kind, flags, _, _, n_bytes, *_ in headers:
        if flags & ALLOCATED:
            text = content[names + name : content.index(b"\0", names + name)].decode()
            yield Section(text, n_bytes, bool(flags & WRITABLE), kind != NO_BITS)


def _read(content: bytes, at: int, layout: str) -> tuple[int, ...]:
    return struct.unpack_from(layout, content, at)


def _frames(usage: str) -> Iterator[tuple[str, int]]:
    """Bytes of stack of each function, of those that were not inlined."""
    for line in usage.splitlines():
        place, n_bytes, *_ = line.split("\t")
        yield place.rpartition(":")[2].partition(".")[0], int(n_bytes)


def _deepest(source: str, frames: Mapping[str, int]) -> int:
    """The most that is on the stack at once: what was inlined has no frame of its own, and calls what it called."""
    bodies = {
        match[1]: match[2] for match in re.finditer(r"^\w[^;\n]*?\b(\w+)\([^;{]*\)\n\{\n(.*?)^\}", source, re.M | re.S)
    }
    calls = {name: {each for each in re.findall(r"\b(\w+)\(", body) if each in bodies} for name, body in bodies.items()}

    @cache
    def below(name: str) -> int:
        return frames.get(name, 0) + max(map(below, calls[name] - {name}), default=0)

    return max((below(name) for name in bodies if name.endswith("_predict")), default=0)
