"""Compiling a C source and running it on images, in a process of its own."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

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
    done = subprocess.run([*command, "--version"], capture_output=True, text=True)
    return (done.stdout.splitlines() or [command[0]])[0]


def run(
    command: Sequence[str], name: str, folder: Path, images: Tensor, n_classes: int, options: Sequence[str] = OPTIONS
) -> tuple[Tensor, Tensor]:
    """Scores (float32, `(n, n_classes)`) and classes (`(n,)`) that NAME.c in `folder` gives; `CompilationError`."""
    driver, program = folder / f"{name}_driver.c", folder / f"{name}_driver"
    driver.write_text(DRIVER.format(name=name, n_bytes=images[0].numel(), n_classes=n_classes))
    _finished([*command, *options, "-o", str(program.resolve()), driver.name, f"{name}.c"], folder, b"")
    answer = _finished([str(program.resolve())], folder, images.cpu().numpy().tobytes())
    if len(answer) != len(images) * (n_classes + 1) * 4:
        raise CompilationError(f"its program answered with {len(answer)} bytes")
    numbers = torch.from_numpy(np.frombuffer(answer, np.float32).copy()).view(len(images), n_classes + 1)
    return numbers[:, :n_classes], numbers[:, n_classes].long()


def _finished(command: Sequence[str], folder: Path, given: bytes) -> bytes:
    done = subprocess.run(command, cwd=folder, input=given, capture_output=True)
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        errors = [line for line in lines if "error" in line.lower()] or lines or [f"exit code {done.returncode}"]
        raise CompilationError(errors[0])
    return done.stdout
