"""A quantised network as C99: a header that says what it is, and a source file."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from string import Template
from textwrap import wrap

import torch

from nas.export.c import kernels
from nas.export.c.operations import Average, Convolution, Lookup, Maximum, Operation, Program, Scaling, Scores
from nas.export.frozen import FrozenModel
from nas.export.words import how_made, how_measured, measured_images, visible
from nas.network.cost import cost_of

WIDTH = 100
TESTED_IN_FLOAT = "What was tested is the trained network in float, not these whole numbers."

HEADER = Template("""/*
$comment
 */
#ifndef ${guard}_H
#define ${guard}_H

#include <stdint.h>

#define ${guard}_CHANNELS $channels
#define ${guard}_HEIGHT $height
#define ${guard}_WIDTH $width
#define ${guard}_CLASSES $n_classes

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The class of an image, from 0, and a score for each class. The image is $n_bytes bytes, 0 to 255:
 * channel by channel, row by row. Not to be called again before it has returned: the buffer is static.
 */
int ${name}_predict(const uint8_t image[$n_bytes], float scores[$n_classes]);

#ifdef __cplusplus
}
#endif

#endif
""")

SOURCE = Template("""/* $name in whole numbers: $name.h says what it is. */
#include "$name.h"

#if (-3 >> 1) != -2
#error "This compiler does not shift negative numbers as is done here: each >> must round down."
#endif

$constants
$buffer
$functions
int ${name}_predict(const uint8_t image[$n_bytes], float scores[$n_classes])
{
    int best = 0;

$calls
    for (int i = 1; i < $n_classes; i++) {
        if (scores[i] > scores[best]) {
            best = i;
        }
    }
    return best;
}
""")


@dataclass(frozen=True)
class Measured:
    """How the whole numbers did on the images of the model's accuracy, and on how many others they were calibrated.

    `ran`: whether what the compiler makes can be run here.
    """

    n_correct: int
    n_equal: int  # predictions that are those of the trained network
    n_validation: int
    n_calibration: int
    compiler: str | None
    ran: bool = True

    @property
    def accuracy(self) -> float:
        return self.n_correct / self.n_validation


def header(model: FrozenModel, program: Program, name: str, measured: Measured) -> str:
    """The text of NAME.h."""
    channels, height, width = model.architecture.input_shape
    comment = "\n".join(chain.from_iterable(_commented(part) for part in _paragraphs(model, program, name, measured)))
    return HEADER.substitute(
        comment=comment,
        name=name,
        guard=name.upper(),
        channels=channels,
        height=height,
        width=width,
        n_bytes=channels * height * width,
        n_classes=program.n_classes,
    )


def source(program: Program, name: str) -> str:
    """The text of NAME.c."""
    return SOURCE.substitute(
        name=name,
        constants="\n".join(chain.from_iterable(_constants(operation) for operation in program.operations)),
        buffer=f"static uint8_t buffer[{program.ram}];\n" if program.ram else "",
        functions="\n".join(_functions(program)),
        calls="".join(f"    {call}\n" for call in _calls(program)),
        n_bytes=program.operations[0].n_in,
        n_classes=program.n_classes,
    )


def _paragraphs(model: FrozenModel, program: Program, name: str, measured: Measured) -> Iterator[str]:
    cost, made = cost_of(model.architecture), model.provenance
    loss = 100 * (made.validation_accuracy - measured.accuracy)
    yield f"{name}: a trained image classifier with {cost.params:,} parameters, in whole numbers of 8 bits."
    yield (
        f"Flash: {program.flash:,} bytes of weights and tables. RAM: {program.ram:,} bytes, one static buffer that the "
        f"layers share; the image and the scores are the caller's. {cost.macs:,} multiply-accumulates an image."
    )
    yield (
        f"Accuracy on {measured_images(made)}: {100 * made.validation_accuracy:.2f} % in float "
        f"({made.n_correct:,} right), {100 * measured.accuracy:.2f} % as it is here ({measured.n_correct:,} right): a "
        f"loss of {loss:.2f} points. {measured.n_equal:,} predictions are those of the trained network."
    )
    yield (
        f"Calibrated on {measured.n_calibration:,} of the images it was trained on: the range of each layer's output "
        "is the smallest and the largest number seen there. None of the images above had a part in that, and no test "
        "image."
    )
    yield checked(measured)
    yield (
        "Batch norm and the normalisation of the images are folded in. Weights are 8 bits, with one scale an output "
        "channel; sums are 32 bits; scores are not softmaxed."
    )
    yield f"Classes: {', '.join(map(visible, model.classes))}."
    yield f"{TESTED_IN_FLOAT} {how_measured(model)}" if made.confirmed else how_measured(model)
    yield f"Recipe: {model.recipe}."
    yield how_made(model)


def checked(measured: Measured) -> str:
    """How it is known that the C source does what is said of it."""
    if measured.compiler is None:
        return (
            "NOT COMPILED when it was written, since no C compiler was there. The accuracy is that of the same "
            "arithmetic computed elsewhere, which the compiled source was not compared with."
        )
    if not measured.ran:
        return (
            f"Compiled as C99 with {visible(measured.compiler)}, but NOT RUN when it was written, since what that "
            "compiler makes could not be run there. The accuracy is that of the same arithmetic computed elsewhere, "
            "which the compiled source was not compared with."
        )
    return (
        f"Compiled as C99 with {visible(measured.compiler)} and run on all of these images when it was written: each "
        "score was the expected one, to the last bit."
    )


def _commented(text: str) -> list[str]:
    """Lines of a block comment; whatever the text holds, it ends no comment, begins none, and joins no lines."""
    for sign in ("*/", "/*", "??"):
        text = text.replace(sign, " ".join(sign))
    lines = wrap(text.replace("\\", "|"), WIDTH - 3, break_on_hyphens=False)
    return [f" * {line}" for line in lines] + [" *"]


def _constants(op: Operation) -> Iterator[str]:
    match op:
        case Convolution():
            yield _array("int8_t", f"{op.name}_weights", op.weights.flatten().tolist())
            yield _array("int32_t", f"{op.name}_bias", op.bias.tolist())
            if op.before is None:
                yield _array("float", f"{op.name}_scales", map(_float, op.scales.tolist()))
                return
            yield _array("int32_t", f"{op.name}_multipliers", [each.multiplier for each in op.scalings])
            yield _array("uint8_t", f"{op.name}_shifts", [each.shift for each in op.scalings])
            if op.table is not None:
                yield _array("uint8_t", f"{op.name}_table", op.table)
        case Lookup():
            yield _array("uint8_t", f"{op.name}_tables", chain.from_iterable(op.tables))


def _array(kind: str, name: str, values: Iterable[object]) -> str:
    lines = wrap(", ".join(map(str, values)), WIDTH - 4, break_on_hyphens=False, break_long_words=False)
    return f"static const {kind} {name}[] = {{\n" + "".join(f"    {line}\n" for line in lines) + "};\n"


def _float(value: float) -> str:
    """Exactly this number of 32 bits."""
    return f"{float(torch.tensor(value, dtype=torch.float32)).hex()}f"


def _functions(program: Program) -> Iterator[str]:
    """Those that are called, each behind those that it calls."""
    ops = program.operations
    convolutions = [op for op in ops if isinstance(op, Convolution)]
    averages = [op for op in ops if isinstance(op, Average)]
    wanted = {
        kernels.RANGE: any(op.output is not None for op in (*convolutions, *averages)),
        kernels.CONVOLUTION: bool(convolutions),
        kernels.CONVOLVE: any(op.output is not None for op in convolutions),
        kernels.CONVOLVE_TO_SCORES: any(op.output is None for op in convolutions),
        kernels.MAXIMUM: any(isinstance(op, Maximum) for op in ops),
        kernels.AVERAGE: bool(averages),
        kernels.AVERAGE_OUT: any(op.output is not None for op in averages),
        kernels.AVERAGE_TO_SCORES: any(op.output is None for op in averages),
        kernels.LOOKUP: any(isinstance(op, Lookup) for op in ops),
        kernels.TO_SCORES: any(isinstance(op, Scores) for op in ops),
    }
    yield from (text for text, is_wanted in wanted.items() if is_wanted)
    yield from (line for op in ops for line in _descriptions(op))


def _descriptions(op: Operation) -> Iterator[str]:
    """The structures that functions are given."""
    height, width = op.output_shape[1:]
    match op:
        case Convolution():
            numbers = (*op.input_shape, *op.output_shape, op.kernel, op.stride, op.padding, op.groups, op.input.zero)
            fields = f"{_listed(numbers)}, {op.name}_weights, {op.name}_bias"
            yield f"static const Convolution {op.name} = {{{fields}}};\n"
        case Maximum():
            fields = _listed((*op.input_shape, height, width, op.kernel, op.stride, op.padding))
            yield f"static const Maximum {op.name} = {{{fields}}};\n"
        case Average():
            fields = _listed((*op.input_shape, height, width, op.kernel, op.stride, op.padding, op.input.zero))
            yield f"static const Average {op.name} = {{{fields}}};\n"


def _calls(program: Program) -> Iterator[str]:
    source = "image"
    for op, place in zip(program.operations, program.places(), strict=True):
        target = "scores" if place is None else f"buffer + {place}" if place else "buffer"
        yield _call(op, source, target)
        source = target


def _call(op: Operation, source: str, target: str) -> str:
    ends = f"{source}, {target}"
    match op:
        case Convolution(before=None):
            return f"convolve_to_scores(&{op.name}, {op.name}_scales, {ends});"
        case Convolution(before=before, table=table):
            assert before is not None
            table_name = "0" if table is None else f"{op.name}_table"
            scalings = f"{op.name}_multipliers, {op.name}_shifts, {before.zero}"
            return f"convolve(&{op.name}, {scalings}, {table_name}, {ends});"
        case Maximum():
            return f"maximum(&{op.name}, {ends});"
        case Average(output=None):
            return f"average_to_scores(&{op.name}, {_float(op.scale)}, {ends});"
        case Average(output=output, scaling=Scaling(multiplier, shift)):
            assert output is not None
            return f"average(&{op.name}, {multiplier}, {shift}, {output.zero}, {ends});"
        case Lookup(tables=tables):
            return f"look_up({op.name}_tables, {op.n_in}, {op.n_in // len(tables)}, {ends});"
        case Scores():
            return f"to_scores({op.n_in}, {op.input.zero}, {_float(op.input.scale)}, {ends});"
    raise TypeError(f"no C for {op!r}")


def _listed(values: Iterable[int]) -> str:
    return ", ".join(map(str, values))
