"""A trained network as C for microcontrollers: whole numbers of 8 bits, or 4 for weights, no libraries, no
allocation.

operations.py   what is computed, as plain data
memory.py       where in one buffer all results lie
program.py      operations in order, and their memory
weights.py      layers that are a convolution
stage.py        what becomes one operation
stages.py       how, for each kind of layer
graph.py        from an architecture to stages
quantise.py     from a trained network's stages to a program
reference.py    the operations in torch, to the last bit
kernels.py      the operations in C
header.py       the text of NAME.h
names.py        what it states for programs
answers.py      what it states of its answers, to compare a device's with
source.py       the text of NAME.c
compiled.py     compiles and runs them
objects.py      what a compiler makes of it takes
sketch.py       an architecture as a program whose numbers mean nothing
footprint.py    what it takes, by that
"""

from functools import partial
from math import prod
from pathlib import Path
from tempfile import gettempdir

import torch
from torch import Tensor

from nas.datasets.splitting import calibration_images
from nas.errors import ExportError, InputError
from nas.export.c.compiled import CompilationError, compile_alone, compiler, run, runs_here, version
from nas.export.c.footprint import footprint_of
from nas.export.c.graph import refuses
from nas.export.c.header import Measured, header, taken
from nas.export.c.objects import DECLARED, Takes, toolchain
from nas.export.c.program import Program
from nas.export.c.quantise import quantise
from nas.export.c.reference import scores_of
from nas.export.c.source import source
from nas.export.check import BATCH, failure
from nas.export.figures import Figure, figure, in_bits, of_accuracy
from nas.export.frozen import Definition, FrozenModel
from nas.export.prepared import Images, Prepared
from nas.export.words import measured_images, visible
from nas.network.cost import COSTS
from nas.table import per_cent
from nas.training.recipe import whole_numbers

__all__ = ["prepare", "refuses", "takes", "usage"]

USAGE = """`{name}.h` and `{name}.c` are C99 for a microcontroller, or anything else that has a C compiler: they compute
in {numbers}. The header says what that costs in accuracy, and how much flash and RAM it takes:

```c
#include "{name}.h"

float scores[{guard}_CLASSES];
int label = {name}_predict(image, scores); /* {n_bytes} bytes: channel by channel, row by row */
```
"""


def usage(model: Definition, name: str) -> str:
    """How NAME.h and NAME.c are used."""
    numbers = whole_numbers(model.recipe.effective().weight_bits)
    return USAGE.format(numbers=numbers, name=name, guard=name.upper(), n_bytes=prod(model.architecture.input_shape))


def prepare(model: FrozenModel, name: str, images: Images) -> Prepared:
    """NAME.h and NAME.c. Raises `InputError` without training images.

    Without a C compiler they are written all the same, and say that they were not compiled. With one whose programs
    cannot be run here they are compiled, and say that they were not run: those who write for a microcontroller may have
    nothing but a cross compiler.
    """
    if images.training is None or not len(images.training):
        raise InputError("the format c needs training images for the ranges of activations, but got none: give them")
    calibration = calibration_images(images.training)
    program = quantise(model, calibration)
    text_of_c = source(program, name)
    expected, command = scores_of(program, images.validation), compiler()
    measured = Measured(
        n_correct=int((expected.argmax(1) == images.labels).sum()),
        n_equal=int((expected.argmax(1) == _classes(model, images.validation)).sum()),
        n_validation=len(images.labels),
        n_calibration=len(calibration),
        compiler=version(command) if command is not None else None,
        ran=command is not None and runs_here(command),
        takes=_compiled_takes(text_of_c, name),
        tools=str(toolchain()),
    )
    if model.provenance.quantised_accuracy is not None and measured.n_correct != model.provenance.n_ranked:
        raise failure(
            name,
            f"its whole numbers get {measured.n_correct:,} of {measured_images(model.provenance)} right, but after its "
            f"training they got {model.provenance.n_ranked:,}: these are not the weights or images of that figure",
        )
    text = header(model, program, name, measured)
    return Prepared(
        contents={
            f"{name}.h": text.encode(errors="backslashreplace"),
            f"{name}.c": text_of_c.encode(),
        },
        check=partial(check, name, images=images.validation, expected=expected, command=command, can_run=measured.ran),
        notes=_notes(model, program, name, measured),
        figures=_figures(model, measured),
    )


def takes(model: FrozenModel) -> dict[str, float]:
    """Flash and RAM of its C in bytes, told without its weights for the compiler that is named in CC, else cc.

    Raises `ExportError` where there is none, or where the compiler does not tell sizes.
    """
    tools = toolchain()
    if tools is None:
        raise ExportError("what C takes is told by a compiler, but there is none here: install one, or name it in CC")
    told = footprint_of(model.architecture, tools, model.recipe.effective().weight_bits)
    return {"flash": told.flash, "ram": told.ram + told.stack}


def check(
    name: str, folder: Path, images: Tensor, expected: Tensor, command: list[str] | None, can_run: bool = True
) -> None:
    """Raises `ExportError` unless the compiled source gives exactly these scores, and the class of the largest.

    Where it cannot be run, it must compile.
    """
    if command is None:
        return
    try:
        if not can_run:
            compile_alone(command, name, folder)
            return
        scores, classes = run(command, name, folder, images, expected.shape[1])
    except CompilationError as error:
        raise failure(name, f"its C source cannot be compiled and run: {error}") from error
    if not torch.equal(scores, expected) or not torch.equal(classes, expected.argmax(1)):
        n = int((scores != expected).any(1).sum())
        raise failure(name, f"its C source gives other scores than expected for {n:,} of {len(images):,} images")


@torch.no_grad()
def _classes(model: FrozenModel, images: Tensor) -> Tensor:
    """What the trained network says, in float32."""
    network = model.network()
    return torch.cat([network(batch).argmax(1) for batch in images.cpu().split(BATCH)])


def _compiled_takes(text: str, name: str) -> Takes | None:
    """What the compiler makes of it takes; None where there is none, or it does not tell."""
    tools = toolchain()
    try:
        return None if tools is None else tools.takes(text, {f"{name}.h": DECLARED.format(name=name)})
    except CompilationError:  # the check says what is wrong, if anything is
        return None


def _figures(model: FrozenModel, measured: Measured) -> tuple[Figure, ...]:
    accuracy = of_accuracy(in_bits(model.recipe), model, measured.n_correct)
    if measured.takes is None:
        return (accuracy,)
    how = f"its C, compiled with {visible(measured.tools)}"
    flash, ram = measured.takes.flash, measured.takes.ram + measured.takes.stack
    stack = f"{how}; {measured.takes.stack:,} bytes of it are stack"
    return figure(COSTS["flash"], flash, how), figure(COSTS["ram"], ram, stack), accuracy


def _notes(model: FrozenModel, program: Program, name: str, measured: Measured) -> tuple[str, ...]:
    before = model.provenance.validation_accuracy
    loss = 100 * (before - measured.accuracy)
    figures = (
        f"{name}.c: {per_cent(measured.accuracy)} of {measured_images(model.provenance)} right, "
        f"{per_cent(before)} in float: a loss of {loss:.2f} points; {measured.n_equal:,} predictions are equal. "
        f"{taken(program, measured)}"
    )
    if measured.compiler is None:
        return (figures, f"{name}.c was not compiled, since there is no C compiler here: install one, or name it in CC")
    if not measured.ran:
        return (
            figures,
            f"{name}.c was compiled but not run here, since what {visible(measured.compiler)} makes cannot be run on "
            f"this machine (in {gettempdir()}): name a compiler for it in CC, or a folder for programs in TMPDIR",
        )
    return (figures,)
