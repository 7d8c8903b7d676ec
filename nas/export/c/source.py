"""A quantised network as the text of a C99 source file."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from string import Template
from textwrap import wrap

import torch

from nas.export.c import kernels
from nas.export.c.convolving import FINISH, Convolving
from nas.export.c.geometry import geometry_of
from nas.export.c.operations import (
    Array,
    Average,
    Blur,
    Concatenation,
    Convolution,
    Excitation,
    Lookup,
    Maximum,
    MaximumAndAverage,
    Operation,
    Scaling,
    Scores,
    Shrinking,
    Shuffle,
    Slopes,
    Sum,
)
from nas.export.c.program import IMAGE, Program

WIDTH = 100
MOST_IN_32_BITS = 65_000  # numbers of 8 bits whose sum, times 256 and rounded, 32 bits hold
UPPER_HALF = 32  # shifts above it leave nothing of the lower half of a product

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


def source(program: Program, name: str) -> str:
    """The text of NAME.c."""
    return _source(program, name, map(_array, program.arrays))


def without_numbers(program: Program, name: str) -> str:
    """The same text with arrays that are as long, but hold next to nothing: a compiler makes as much of it, sooner."""
    arrays = (f"static const {each.c_type} {each.name}[{len(each.values)}] = {{1}};\n" for each in program.arrays)
    return _source(program, name, arrays)


def _source(program: Program, name: str, arrays: Iterable[str]) -> str:
    ops = list(chain.from_iterable(operation.called for operation in program.operations))
    convolutions = [op for op in ops if isinstance(op, Convolution)]
    packed = any(op.is_packed for op in convolutions)
    assert packed == all(op.is_packed for op in convolutions) or not convolutions, "there is one kernel for all weights"
    convolving = Convolving(map(geometry_of, convolutions), packed=packed)
    structures = dict.fromkeys(chain.from_iterable(_structures(op, convolving) for op in ops))
    return SOURCE.substitute(
        name=name,
        constants="\n".join(arrays),
        buffer=f"static uint8_t buffer[{program.ram}];\n" if program.ram else "",
        functions="\n".join([*_kernels(ops, convolving), *structures]),
        calls="".join(f"    {call}\n" for call in _calls(program)),
        n_bytes=program.operations[0].n_in,
        n_classes=program.n_classes,
    )


def _array(array: Array) -> str:
    values = map(_float, array.values) if array.c_type == "float" else map(str, array.values)
    lines = wrap(", ".join(values), WIDTH - 4, break_on_hyphens=False, break_long_words=False)
    text = "".join(f"    {line}\n" for line in lines)
    return f"static const {array.c_type} {array.name}[] = {{\n{text}}};\n"


def _float(value: float) -> str:
    """Exactly this number of 32 bits."""
    return f"{float(torch.tensor(value, dtype=torch.float32)).hex()}f"


def _kernels(ops: Sequence[Operation], convolving: Convolving) -> Iterator[str]:
    """The functions that are called, each behind those that it calls."""

    def of(*kinds: type[Operation]) -> list[Operation]:
        return [op for op in ops if isinstance(op, kinds)]

    convolutions = of(Convolution)
    averages = [op for op in of(Average) if not isinstance(op, MaximumAndAverage)]
    shifts = [scaling.shift for op in ops for scaling in op.limiting]
    yield from _chosen(
        {
            kernels.RANGE: shifts and min(shifts) > UPPER_HALF,
            kernels.RANGE_OF_ANY_SHIFT: shifts and min(shifts) <= UPPER_HALF,
        }
    )
    if convolutions:
        yield convolving.structure
    if any(op.output is not None for op in convolutions):
        yield FINISH
        yield from convolving.rows
        yield convolving.convolve
    if any(op.output is None for op in convolutions):
        yield convolving.convolve_to_scores
    yield from _chosen(
        {
            kernels.MAXIMUM: of(Maximum),
            _with_sum(kernels.AVERAGE, ops): of(Average),
            kernels.AVERAGE_OUT: any(op.output is not None for op in averages),
            kernels.AVERAGE_TO_SCORES: any(op.output is None for op in averages),
            kernels.MAXIMUM_AND_AVERAGE: of(MaximumAndAverage),
            kernels.BLUR: of(Blur),
            _with_sum(kernels.SHRINK, ops): of(Shrinking),
            kernels.LOOKUP: of(Lookup),
            kernels.SLOPES: of(Slopes),
            kernels.SHUFFLE: of(Shuffle),
            kernels.SUM: of(Sum),
            kernels.RESCALE: of(Concatenation),
            kernels.EXCITE: of(Excitation),
            kernels.TO_SCORES: of(Scores),
        }
    )


def _with_sum(text: str, ops: Iterable[Operation]) -> str:
    """With sums as wide as the largest image needs: one of 64 bits takes a division that is large and slow."""
    images = (op.input_shape[1] * op.input_shape[2] for op in ops)
    windows = (op.kernel**2 for op in ops if isinstance(op, Average))  # with their padding
    largest = max(chain(images, windows))
    return Template(text).substitute(sum="uint32_t" if largest <= MOST_IN_32_BITS else "uint64_t")


def _chosen(texts: Mapping[str, object]) -> Iterator[str]:
    return (text for text, is_wanted in texts.items() if is_wanted)


def _structures(op: Operation, convolving: Convolving) -> Iterator[str]:
    """The structure that a function is given, if any."""
    height, width = op.output_shape[1:]
    match op:
        case Convolution():
            numbers = ", ".join(convolving.fields(geometry_of(op), op.input.zero))
            yield _structure("Convolution", op, f"{numbers}, {op.shared}_weights, {op.name}_bias")
        case Maximum():
            yield _structure("Maximum", op, _listed((*op.input_shape, height, width, op.kernel, op.stride, op.padding)))
        case Average():
            numbers = _listed((*op.input_shape, height, width, op.kernel, op.stride, op.padding, op.input.zero))
            yield _structure("Average", op, numbers)
        case Blur():
            numbers = _listed((*op.input_shape, height, width, op.stride, op.window, op.input.zero))
            yield _structure("Blur", op, numbers)
        case Shrinking():
            yield _structure("Shrinking", op, _listed((*op.input_shape, *op.output_shape, op.stride, op.input.zero)))
        case Sum(multipliers=(one, other)):
            numbers = _listed((op.n_out, op.input.zero, one, op.second.zero, other, op.shift, op.before.zero))
            yield _structure("Sum", op, numbers)


def _structure(kind: str, op: Operation, fields: str) -> str:
    return f"static const {kind} {op.name} = {{{fields}}};\n"


def _calls(program: Program) -> Iterator[str]:
    """The calls from an image to the scores, in order."""
    for step, place, scratch in zip(program.steps, program.memory.places, program.memory.scratches, strict=True):
        sources = [_in_buffer(program.memory.places[each]) if each != IMAGE else "image" for each in step.sources]
        target = _in_buffer(place)
        if isinstance(step.operation, Concatenation):
            yield from _joining(step.operation, sources, place)
        elif isinstance(step.operation, Excitation):
            yield from _exciting(step.operation, sources[0], scratch, target)
        else:
            yield _call(step.operation, ", ".join(sources), target, scratch)


def _in_buffer(place: int | None) -> str:
    """An address in it; without a place that of the scores."""
    return "scores" if place is None else f"buffer + {place}" if place else "buffer"


def _joining(op: Concatenation, sources: Sequence[str], place: int | None) -> Iterator[str]:
    """The last one first: see `Concatenation`."""
    assert place is not None
    end = place + op.n_out
    for source, (n, coding, scaling) in reversed(list(zip(sources, op.parts, strict=True))):
        end -= n
        yield f"rescale({n}, {coding.zero}, {_scaling(op, scaling)}, {source}, {_in_buffer(end)});"


def _exciting(op: Excitation, source: str, scratch: int | None, target: str) -> Iterator[str]:
    assert scratch is not None
    means, hidden = _in_buffer(scratch), _in_buffer(scratch + op.squeeze.n_in)
    further = scratch + op.squeeze.n_in + op.squeeze.n_out
    yield _call(op.mean, source, means)
    yield _call(op.squeeze, means, hidden, further)
    yield _call(op.excite, hidden, means, further)
    yield f"excite({_channels(op)}, {op.input.zero}, {_scaling(op, op.scaling)}, {means}, {source}, {target});"


def _call(op: Operation, source: str, target: str, scratch: int | None = None) -> str:
    """`scratch`: where in the buffer is room for what the operation needs besides."""
    ends = f"{source}, {target}"
    if isinstance(op, Convolution) and op.is_packed:
        assert scratch is not None
        ends = f"{source}, {_in_buffer(scratch)}, {target}"
    match op:
        case Convolution(before=None):
            return f"convolve_to_scores(&{op.name}, {op.name}_scales, {ends});"
        case Convolution(before=before):
            assert before is not None
            scalings = f"{op.name}_multipliers, {op.name}_shifts, {before.zero}"
            return f"convolve(&{op.name}, {scalings}, {_table(op)}, {ends});"
        case Maximum():
            return f"maximum(&{op.name}, {ends});"
        case MaximumAndAverage():
            return f"maximum_and_average(&{op.name}, {_scaling(op, op.scaling)}, {ends});"
        case Average(output=None):
            return f"average_to_scores(&{op.name}, {_float(op.scale)}, {ends});"
        case Average():
            return f"average(&{op.name}, {_scaling(op, op.scaling)}, {ends});"
        case Blur():
            return f"blur(&{op.name}, {_scaling(op, op.scaling)}, {ends});"
        case Shrinking():
            return f"shrink(&{op.name}, {_scaling(op, op.scaling)}, {ends});"
        case Lookup(tables=tables):
            return f"look_up({op.name}_tables, {op.n_in}, {op.n_in // len(tables)}, {ends});"
        case Slopes(above=Scaling(multiplier, shift), output=output):
            assert output is not None
            factors = f"{multiplier}, {shift}, {op.name}_multipliers, {op.name}_shifts, {output.zero}"
            return f"slope({_channels(op)}, {op.input.zero}, {factors}, {ends});"
        case Shuffle(groups=groups):
            return f"shuffle({groups}, {_channels(op)}, {ends});"
        case Sum():
            return f"add(&{op.name}, {_table(op)}, {ends});"
        case Scores():
            return f"to_scores({op.n_in}, {op.input.zero}, {_float(op.input.scale)}, {ends});"
    raise TypeError(f"no C for {op!r}")


def _channels(op: Operation) -> str:
    """How many there are, and numbers in each."""
    return f"{op.input_shape[0]}, {op.n_in // op.input_shape[0]}"


def _scaling(op: Operation, scaling: Scaling) -> str:
    """What `limited` is given."""
    assert op.output is not None
    return f"{scaling.multiplier}, {scaling.shift}, {op.output.zero}"


def _table(op: Convolution | Sum) -> str:
    return "0" if op.table is None else f"{op.shared}_table"


def _listed(values: Iterable[int]) -> str:
    return ", ".join(map(str, values))
