"""Compiling a C source and running it on images, in a process of its own."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor

# A program that reads images from its standard input, and writes scores, and the class that it was told.
DRIVER = """#include "{name}.h"
#include <stdio.h>

int main(void)
{{
    static uint8_t image[{n_bytes}];
    float scores[{n_classes} + 1];

    while (fread(image, 1, sizeof image, stdin) == sizeof image) {{
        scores[{n_classes}] = (float){name}_predict(image, scores);
        if (fwrite(scores, sizeof scores, 1, stdout) != 1) {{
            return 1;
        }}
    }}
    return 0;
}}
"""
OPTIONS = ("-std=c99", "-O2")


class CompilationError(Exception):
    """The compiler, or the program, ended with an error; the message is one line."""


def compiler() -> list[str] | None:
    """The system's C compiler as a command: CC, else cc; None if there is none."""
    command = shlex.split(os.environ.get("CC", "")) or ["cc"]
    return command if shutil.which(command[0]) else None


def version(command: Sequence[str]) -> str:
    """The first line that it says of itself."""
    try:
        done = subprocess.run([*command, "--version"], capture_output=True, text=True)
    except OSError:
        return command[0]
    return (done.stdout.splitlines() or [command[0]])[0]


def runs_here(command: Sequence[str]) -> bool:
    """Whether a program that it makes runs: not one for another machine, nor where the folder forbids programs."""
    with TemporaryDirectory() as place:
        (Path(place) / "any.c").write_text("int main(void) { return 0; }\n")
        try:
            finished([*command, "-o", "any", "any.c"], Path(place))
            finished([str(Path(place, "any"))], Path(place))
        except CompilationError:
            return False
    return True


def compile_alone(command: Sequence[str], name: str, folder: Path, options: Sequence[str] = OPTIONS) -> None:
    """Compiles NAME.c in `folder` without making a program of it; raises `CompilationError`."""
    with TemporaryDirectory() as place:
        finished([*command, *options, "-c", "-o", str(Path(place, f"{name}.o")), f"{name}.c"], folder)


def run(
    command: Sequence[str], name: str, folder: Path, images: Tensor, n_classes: int, options: Sequence[str] = OPTIONS
) -> tuple[Tensor, Tensor]:
    """Scores (float32, `(n, n_classes)`) and classes (`(n,)`) that NAME.c in `folder` gives; `CompilationError`."""
    with TemporaryDirectory() as place:
        driver, program = Path(place, "driver.c"), Path(place, "driver")
        driver.write_text(DRIVER.format(name=name, n_bytes=images[0].numel(), n_classes=n_classes))
        finished([*command, *options, "-I", ".", "-o", str(program), str(driver), f"{name}.c"], folder)
        answer = finished([str(program)], folder, images.cpu().numpy().tobytes())
    if len(answer) != len(images) * (n_classes + 1) * 4:
        raise CompilationError(f"its program answered with {len(answer)} bytes")
    numbers = torch.from_numpy(np.frombuffer(answer, np.float32).copy()).view(len(images), n_classes + 1)
    return numbers[:, :n_classes], numbers[:, n_classes].long()


def finished(command: Sequence[str], folder: Path, stdin: bytes = b"") -> bytes:
    """What a command writes to its standard output; raises `CompilationError` where it fails."""
    try:
        done = subprocess.run(command, cwd=folder, input=stdin, capture_output=True)
    except OSError as error:  # a program for another machine, or in a folder that forbids programs
        raise CompilationError(f"{command[0]} cannot be run ({error.strerror})") from error
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        errors = [line for line in lines if "error" in line.lower()] or lines or [f"exit code {done.returncode}"]
        raise CompilationError(errors[0])
    return done.stdout
