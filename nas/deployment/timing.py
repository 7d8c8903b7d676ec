"""How long an exported network takes for one image: warmed up, repeated, the median and how far it spreads.

What is timed here is the time of the processor, in a process of its own with one thread, so that trainings beside it
take none of it away; caches and clock speed they share all the same. In each round the shortest of a few stretches
counts, and the median of the rounds is the latency.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

from nas.deployment.command import words_of
from nas.errors import ExportError
from nas.export.c.compiled import CompilationError, finished
from nas.export.c.objects import toolchain
from nas.export.formats import FORMATS
from nas.export.untrained import random_images, untrained
from nas.network.architecture import Architecture
from nas.training.recipe import Recipe

NAME = "candidate"  # of the files that are timed
ROUNDS, STRETCHES, MILLISECONDS = 7, 5, 4.0  # that a stretch lasts at least
COMMAND_RUNS = 3
COMMAND_SECONDS = 600.0

DRIVER = """#include "{name}.h"
#include <stdio.h>
#include <time.h>

static uint8_t image[{n_bytes}];
static float scores[{n_classes}];

static double milliseconds(long n)
{{
    const clock_t begun = clock();

    for (long i = 0; i < n; i++) {{
        image[i % {n_bytes}] = (uint8_t)(i * 37);
        {name}_predict(image, scores);
    }}
    return (double)(clock() - begun) * 1000.0 / CLOCKS_PER_SEC;
}}

int main(void)
{{
    long n = 1;

    while (milliseconds(n) < {least}) {{
        n *= 2;
    }}
    for (int round = 0; round < {rounds}; round++) {{
        double shortest = milliseconds(n);
        for (int i = 1; i < {stretches}; i++) {{
            const double next = milliseconds(n);
            shortest = next < shortest ? next : shortest;
        }}
        printf("%.9g\\n", shortest / (double)n);
    }}
    return 0;
}}
"""


@dataclass(frozen=True)
class Timing:
    """Milliseconds an image: the `median` of `n` rounds, the shortest and the longest of them."""

    median: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, rounds: Sequence[float]) -> "Timing":
        """Of these rounds."""
        return cls(median(rounds), min(rounds), max(rounds), len(rounds))

    def __str__(self) -> str:
        return f"{self.median:.3g} ms ({self.low:.3g} to {self.high:.3g} in {self.n} rounds)"


class Run(NamedTuple):
    """A `timing`, and what a command that times `said` beside it, in one line."""

    timing: Timing
    said: str = ""


def timed(architecture: Architecture, runs_as: str, on: str, weight_bits: int = Recipe.weight_bits) -> Timing:
    """The latency of the untrained network, exported as `runs_as`, on `on`. Raises `ExportError`.

    `weight_bits`: of its weights as C.
    """
    with TemporaryDirectory() as place:
        folder = Path(place)
        prepared = FORMATS[runs_as].prepare(untrained(architecture, weight_bits), NAME, random_images(architecture))
        for name, content in prepared.contents.items():
            (folder / name).write_bytes(content)
        return run_of(main_file(folder / NAME, runs_as), architecture, on).timing


def run_of(file: Path, architecture: Architecture, on: str) -> Run:
    """An exported file of this network, timed on `on`. Raises `ExportError`."""
    if on == "c":
        return Run(Timing.of(_rounds_of_c(file, architecture)))
    if on in FORMATS:
        return Run(Timing.of(_rounds_here(file, architecture, on)))
    answers = [_told_by(on, file) for _ in range(COMMAND_RUNS)]
    return Run(Timing.of([each for numbers, _ in answers for each in numbers]), answers[-1][1])


def main_file(model: Path, runs_as: str) -> Path:
    """Of the files of an export, the one that holds the network; `model`: any of them, or their name alone."""
    return model.with_suffix(f".{FORMATS[runs_as].suffix}")


def _rounds_of_c(file: Path, architecture: Architecture) -> list[float]:
    tools = toolchain()
    if tools is None:
        raise ExportError("C is timed by compiling it, but there is no compiler here: install one, or name it in CC")
    numbers = {"least": MILLISECONDS, "rounds": ROUNDS, "stretches": STRETCHES}
    n_bytes = random_images(architecture).validation[0].numel()
    text = DRIVER.format(name=file.stem, n_bytes=n_bytes, n_classes=architecture.n_classes, **numbers)
    try:
        with TemporaryDirectory() as place:
            folder, source = Path(place), file.resolve()
            (folder / "driver.c").write_text(text)
            finished([*tools.command, "-w", "-I", str(source.parent), "-o", "timed", "driver.c", str(source)], folder)
            return _numbers(finished([str(folder / "timed")], folder).decode(), str(tools))
    except CompilationError as error:
        raise ExportError(
            f"C is timed by running what {tools} makes, but {error}: name a compiler for this machine in CC, or time "
            "it with --on COMMAND"
        ) from error


def _rounds_here(file: Path, architecture: Architecture, on: str) -> list[float]:
    """In a process of its own, which has one thread and loads what it needs."""
    shape = json.dumps([1, *architecture.input_shape])
    command = [sys.executable, "-m", "nas.deployment.rounds", on, str(file), shape]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **threads})
    if done.returncode:
        raise ExportError(f"{on} must be able to run what was exported, but {_last_line(done.stderr)}")
    return _numbers(done.stdout, on)


def _told_by(command: str, file: Path) -> tuple[list[float], str]:
    """The milliseconds that a command of the user's tells of the file, and what else it says."""
    words = words_of(command)
    try:
        done = subprocess.run([*words, str(file)], capture_output=True, text=True, timeout=COMMAND_SECONDS)
    except OSError as error:
        raise ExportError(f"a command to time with must run, but {words[0]} does not: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise ExportError(
            f"a command to time with must end within {COMMAND_SECONDS:g} seconds, but {command!r} does not"
        ) from error
    if done.returncode:
        said = _last_line(done.stderr)
        raise ExportError(
            f"a command to time with must end with exit code 0, but {command!r} ended with {done.returncode}"
            + f" ({said})" * bool(said)
        )
    return _numbers(done.stdout, command), " ".join(done.stderr.split())


def _numbers(text: str, by: str) -> list[float]:
    """Milliseconds, one or several."""
    try:
        numbers = [float(word) for word in text.split()]
    except ValueError:
        numbers = []
    if not numbers or not all(0 < number < float("inf") for number in numbers):
        said = " ".join(text.split())
        said = repr(said if len(said) < 80 else said[:79] + "…") if said else "nothing"
        raise ExportError(
            f"what times must print milliseconds and nothing else, such as 4.8, but {by!r} printed {said}"
        )
    return numbers


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1]
