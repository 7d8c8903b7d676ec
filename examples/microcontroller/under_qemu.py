#!/usr/bin/env python3
"""Run an exported C source as a Cortex-M would, in QEMU: are its answers right, and how many instructions are they?

    python examples/microcontroller/under_qemu.py MODEL.c [--cpu cortex-m4] [--clock 100] [--dataset mnist]

It prints the milliseconds that an image takes at the stated clock if each instruction takes one cycle, and nothing
else, so that it can judge candidates where a command is asked for a latency. These are INSTRUCTIONS, not a board's
milliseconds: a board waits for its flash, and a division, a load or a taken branch takes several cycles there.

What else it finds out goes to the standard error: 100 answers are compared with those of the reference of the whole
numbers, in torch, which the header states (`nas.export.c.answers`), to the last bit. Exit code 1 where they differ, 2
where it cannot be run. With a data set its first validation images are classified, too.

It compiles as limits on flash are told: with the compiler and the options in CC where that is one for ARM, else with
arm-none-eabi-gcc, and with -Os unless CC says otherwise. It needs that, newlib and qemu-system-arm (Debian:
gcc-arm-none-eabi, libnewlib-arm-none-eabi, qemu-system-arm).

QEMU counts: with `-icount shift=0` each instruction takes one nanosecond of its clock, and SysTick, which counts at the
25 MHz of these boards, is read before and after the call. So the count is the same every time, to within 40.
"""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from nas import datasets
from nas.errors import NasError
from nas.export.c.answers import answers_in, checksums, drawn_images
from nas.export.c.names import sizes_in
from nas.export.c.objects import OPTIONS, toolchain

HERE = Path(__file__).resolve().parent
COMPILER, EMULATOR = "arm-none-eabi-gcc", "qemu-system-arm"
MACHINES = {"cortex-m3": "mps2-an385", "cortex-m4": "mps2-an386", "cortex-m7": "mps2-an500"}
CPU = "cortex-m4"
INSTRUCTIONS_A_TICK = 40
SECONDS = 600


class CannotRunError(Exception):
    """The compiler or QEMU is missing or failed; the message is one line."""


class Answers(NamedTuple):
    """`scores` (float32, `(n, n_classes)`), `classes` and `instructions` (int64, `(n,)`)."""

    scores: Tensor
    classes: Tensor
    instructions: Tensor


class Size(NamedTuple):
    """Of the model alone: bytes of code, tables and descriptors, and of its buffer; without its stack."""

    flash: int
    ram: int


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a .c file that nas exported, its .h beside it")
    parser.add_argument("--cpu", choices=MACHINES, help=f"that of CC, else {CPU}")
    parser.add_argument("--clock", type=float, default=100.0, help="MHz; the default is 100")
    parser.add_argument("--dataset", help="classify the first validation images of this data set, too")
    parser.add_argument("--data-dir", type=Path, help="where it is, or is put")
    parser.add_argument("--images", type=int, default=100, help="how many of either; the default is 100")
    arguments = parser.parse_args()
    try:
        return judge(arguments)
    except (CannotRunError, NasError) as error:
        print(error, file=sys.stderr)
        return 2


def judge(arguments: argparse.Namespace) -> int:
    (*shape, n_classes), expected = stated(arguments.model)
    images = drawn_images(tuple(shape))[: arguments.images]
    photographs, labels = chosen_images(tuple(shape), arguments.dataset, arguments.data_dir, arguments.images)
    command, cpu = command_for(arguments.cpu)
    answers, size = run(arguments.model, torch.cat([images, photographs]), n_classes, command, cpu)
    n = len(images)
    equal = [a == b for a, b in zip(checksums(answers.scores[:n], answers.classes[:n]), expected, strict=False)]
    n_right, counted = int((answers.classes[n:] == labels).sum()), answers.instructions.tolist()
    say = [
        f"{sum(equal)} of {n} answers are those of the reference, to the last bit.",
        *([f"{n_right} of {len(labels)} validation images are right."] if len(labels) else []),
        f"{int(median(counted)):,} instructions an image ({min(counted):,} to {max(counted):,}) on a {cpu} in QEMU: "
        f"instructions at {arguments.clock:g} MHz and one a cycle, not a board's milliseconds.",
        f"The model takes {size.flash:,} bytes of flash and {size.ram:,} bytes of RAM, without its stack, as made by "
        f"{' '.join(command)}.",
    ]
    print(*say, sep="\n", file=sys.stderr)
    print(f"{median(counted) / arguments.clock / 1000:.4f}")
    return 0 if all(equal) else 1


def stated(model: Path) -> tuple[tuple[int, int, int, int], tuple[int, ...]]:
    """Channels, height, width and classes of a model, and what it must answer, by its header."""
    try:
        text = model.with_suffix(".h").read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CannotRunError(f"{model} needs its header {model.stem}.h beside it, which cannot be read") from error
    sizes, answers = sizes_in(text, model.stem), answers_in(text, model.stem)
    if sizes is None or not answers:
        raise CannotRunError(f"{model.stem}.h must state what is to be answered, but does not: export the model again")
    return sizes, answers


def chosen_images(shape: tuple[int, ...], dataset: str | None, data_dir: Path | None, n: int) -> tuple[Tensor, Tensor]:
    """Validation images (uint8, `(n, *shape)`), and their labels; none without a data set."""
    if dataset is None:
        return torch.empty(0, *shape, dtype=torch.uint8), torch.empty(0, dtype=torch.int64)
    part = datasets.split(datasets.load(dataset, data_dir))
    if part.image_shape != shape:
        raise CannotRunError(f"{dataset} must have the model's images, {shape}, but has {part.image_shape}")
    return part.validation_images[:n], part.validation_labels[:n]


def command_for(cpu: str | None = None) -> tuple[tuple[str, ...], str]:
    """The compiler with its options, and the processor that it is for: `cpu`, else CC's, else `CPU`."""
    named = toolchain()
    if named is None or "arm" not in Path(named.command[0]).name:
        return (COMPILER, *OPTIONS, f"-mcpu={cpu or CPU}", "-mthumb"), cpu or CPU
    of_cc = [word.removeprefix("-mcpu=") for word in named.command if word.startswith("-mcpu=")]
    chosen = cpu or (of_cc[-1] if of_cc else CPU)
    if chosen not in MACHINES:
        raise CannotRunError(f"there must be a machine with the processor, but {chosen} has none here: give --cpu")
    own = [*([] if of_cc[-1:] == [chosen] else [f"-mcpu={chosen}"]), "-mthumb"]
    return (*named.command, *(each for each in own if each not in named.command)), chosen


def run(source: Path, images: Tensor, n_classes: int, command: Sequence[str], cpu: str = CPU) -> tuple[Answers, Size]:
    """What the function of an exported source answers in QEMU, and what it takes; raises `CannotRunError`."""
    with TemporaryDirectory() as place:
        folder = Path(place)
        size = build(source, images[0].numel(), n_classes, folder, command)
        (folder / "images").write_bytes(images.contiguous().numpy().tobytes())
        emulate(folder, MACHINES[cpu])
        dtype = np.dtype([("scores", "<f4", (n_classes,)), ("class", "<i4"), ("ticks", "<u4")])
        numbers = np.fromfile(folder / "answers", dtype)
    if len(numbers) != len(images):
        raise CannotRunError(f"QEMU must answer for {len(images)} images, but did for {len(numbers)}")
    scores, classes = torch.from_numpy(numbers["scores"].copy()), torch.from_numpy(numbers["class"].astype(np.int64))
    return Answers(scores, classes, torch.from_numpy(numbers["ticks"].astype(np.int64) * INSTRUCTIONS_A_TICK)), size


def build(source: Path, n_bytes: int, n_classes: int, folder: Path, command: Sequence[str]) -> Size:
    """A program for the board in `folder`, around the source."""
    name = source.stem
    finished([*command, "-c", str(source.resolve()), "-o", "model.o"], folder)
    about = [
        f'-DMODEL_HEADER="{name}.h"',
        f"-DMODEL={name}_predict",
        f"-DN_BYTES={n_bytes}",
        f"-DN_CLASSES={n_classes}",
    ]
    own = [str(HERE / "startup.c"), str(HERE / "main.c")]
    link = ["-nostartfiles", "-T", str(HERE / "mps2.ld"), "-o", "program.elf"]
    finished([*command, *about, "-I", str(source.resolve().parent), *own, "model.o", *link], folder)
    sizes = finished(["arm-none-eabi-size", "model.o"], folder).splitlines()[1].split()
    text, data, bss = map(int, sizes[:3])
    return Size(text + data, data + bss)


def emulate(folder: Path, machine: str) -> None:
    """Runs program.elf, which reads the file images and writes the file answers."""
    board = ["-M", machine, "-display", "none", "-monitor", "none", "-serial", "none", "-icount", "shift=0"]
    finished([EMULATOR, *board, "-semihosting-config", "enable=on,target=native", "-kernel", "program.elf"], folder)


def finished(command: Sequence[str], folder: Path) -> str:
    if shutil.which(command[0]) is None:
        raise CannotRunError(f"{command[0]} is needed, but is not here: install it (Debian: {', '.join(PACKAGES)})")
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired as error:
        raise CannotRunError(f"{command[0]} must end within {SECONDS} s, but did not: give fewer images") from error
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        errors = [line for line in lines if "error" in line.lower()] or lines or [f"exit code {done.returncode}"]
        raise CannotRunError(f"{command[0]} failed: {errors[0]}")
    return done.stdout


PACKAGES = ("gcc-arm-none-eabi", "libnewlib-arm-none-eabi", "qemu-system-arm")

if __name__ == "__main__":
    sys.exit(main())
