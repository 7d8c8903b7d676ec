#!/usr/bin/env python3
"""Run an exported C source as a Cortex-M would, in QEMU: are its answers right, and how many instructions are they?

    python examples/microcontroller/under_qemu.py MODEL.c [--cpu cortex-m4] [--clock 100] [--dataset mnist]

It prints the milliseconds that an image takes at the stated clock if each instruction takes one cycle, and nothing
else, so that it can judge candidates where a command is asked for a latency. These are INSTRUCTIONS, not a board's
milliseconds: a board waits for its flash, and a division, a load or a taken branch takes several cycles there.

What else it finds out goes to the standard error: the answers are compared with those of the same source on this
machine, which an export compares with the reference, to the last bit. Exit code 1 where they differ, 2 where it cannot
be run.

The images are the first validation images of a data set, or random ones. It needs arm-none-eabi-gcc, newlib and
qemu-system-arm (Debian: gcc-arm-none-eabi, libnewlib-arm-none-eabi, qemu-system-arm).

QEMU counts: with `-icount shift=0` each instruction takes one nanosecond of its clock, and SysTick, which counts at the
25 MHz of these boards, is read before and after the call. So the count is the same every time, to within 40.
"""

import argparse
import os
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
from nas.export.c.compiled import compiler, runs_here
from nas.prediction.models import Model, open_model

HERE = Path(__file__).resolve().parent
COMPILER, EMULATOR = "arm-none-eabi-gcc", "qemu-system-arm"
MACHINES = {"cortex-m3": "mps2-an385", "cortex-m4": "mps2-an386", "cortex-m7": "mps2-an500"}
OPTIONS = ("-std=c99", "-O2", "-mthumb", "-ffunction-sections", "-fdata-sections")
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
    parser.add_argument("--cpu", choices=MACHINES, default="cortex-m4")
    parser.add_argument("--clock", type=float, default=100.0, help="MHz; the default is 100")
    parser.add_argument("--dataset", help="take the first validation images of this data set, not random ones")
    parser.add_argument("--data-dir", type=Path, help="where it is, or is put")
    parser.add_argument("--images", type=int, default=100, help="how many; the default is 100")
    arguments = parser.parse_args()
    try:
        return judge(arguments)
    except (CannotRunError, NasError) as error:
        print(error, file=sys.stderr)
        return 2


def compile_for_this_machine() -> None:
    """Where CC names the device's compiler, as for limits on flash, the same source on this machine is cc's."""
    command = compiler()
    if command is not None and not runs_here(command):
        os.environ.pop("CC", None)


def judge(arguments: argparse.Namespace) -> int:
    compile_for_this_machine()
    model = open_model(arguments.model)
    images, labels = chosen_images(model, arguments.dataset, arguments.data_dir, arguments.images)
    expected = model.scores(images)
    answers, size = run(arguments.model, images, len(model.classes), arguments.cpu)
    n_equal = int(((answers.scores == expected).all(1) & (answers.classes == expected.argmax(1))).sum())
    typical = int(median(answers.instructions.tolist()))
    least, most = int(answers.instructions.min()), int(answers.instructions.max())
    right = f" {int((answers.classes == labels).sum())} are right." if labels is not None else ""
    say = [
        f"{n_equal} of {len(images)} answers are those of this machine, to the last bit.{right}",
        f"{typical:,} instructions an image ({least:,} to {most:,}) on a {arguments.cpu} in QEMU: instructions at "
        f"{arguments.clock:g} MHz and one a cycle, not a board's milliseconds.",
        f"The model takes {size.flash:,} bytes of flash and {size.ram:,} bytes of RAM, without its stack.",
    ]
    print(*say, sep="\n", file=sys.stderr)
    print(f"{typical / arguments.clock / 1000:.4f}")
    return 0 if n_equal == len(images) else 1


def chosen_images(model: Model, dataset: str | None, data_dir: Path | None, n: int) -> tuple[Tensor, Tensor | None]:
    """Images (uint8, `(n, channels, height, width)`), and their labels where they have any."""
    if dataset is None:
        generator = torch.Generator().manual_seed(0)
        return torch.randint(256, (n, *model.image_shape), generator=generator, dtype=torch.uint8), None
    part = datasets.split(datasets.load(dataset, data_dir))
    if part.image_shape != model.image_shape:
        raise CannotRunError(f"{dataset} must have the model's images, {model.image_shape}, but has {part.image_shape}")
    return part.validation_images[:n], part.validation_labels[:n]


def run(
    source: Path, images: Tensor, n_classes: int, cpu: str = "cortex-m4", options: Sequence[str] = OPTIONS
) -> tuple[Answers, Size]:
    """What the function of an exported source answers in QEMU, and what it takes; raises `CannotRunError`."""
    with TemporaryDirectory() as place:
        folder = Path(place)
        size = build(source, images[0].numel(), n_classes, folder, cpu, options)
        (folder / "images").write_bytes(images.contiguous().numpy().tobytes())
        emulate(folder, MACHINES[cpu])
        dtype = np.dtype([("scores", "<f4", (n_classes,)), ("class", "<i4"), ("ticks", "<u4")])
        numbers = np.fromfile(folder / "answers", dtype)
    if len(numbers) != len(images):
        raise CannotRunError(f"QEMU must answer for {len(images)} images, but did for {len(numbers)}")
    scores, classes = torch.from_numpy(numbers["scores"].copy()), torch.from_numpy(numbers["class"].astype(np.int64))
    return Answers(scores, classes, torch.from_numpy(numbers["ticks"].astype(np.int64) * INSTRUCTIONS_A_TICK)), size


def build(source: Path, n_bytes: int, n_classes: int, folder: Path, cpu: str, options: Sequence[str]) -> Size:
    """A program for the board in `folder`, around the source."""
    common, name = [COMPILER, f"-mcpu={cpu}", *options], source.stem
    finished([*common, "-c", str(source.resolve()), "-o", "model.o"], folder)
    about = [
        f'-DMODEL_HEADER="{name}.h"',
        f"-DMODEL={name}_predict",
        f"-DN_BYTES={n_bytes}",
        f"-DN_CLASSES={n_classes}",
    ]
    own = [str(HERE / "startup.c"), str(HERE / "main.c")]
    link = ["-nostartfiles", "-Wl,--gc-sections", "-T", str(HERE / "mps2.ld"), "-o", "program.elf"]
    finished([*common, *about, "-I", str(source.resolve().parent), *own, "model.o", *link], folder)
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
