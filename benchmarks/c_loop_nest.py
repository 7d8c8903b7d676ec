"""The same arithmetic as plain nests of loops, as TensorFlow Lite Micro's reference kernels have them.

Activations are row by row, pixel by pixel, channel by channel there, an index is worked out for every number, and each
tap of a window asks whether it is inside (tensorflow/lite/kernels/internal/reference/integer_ops: conv.h,
depthwise_conv.h, fully_connected.h, pooling.h). What differs from those is what decides the answers: numbers without
sign, and nas's rounding.
"""

from collections.abc import Iterator

from torch import Tensor

from nas.export.c.operations import Average, Convolution, Maximum, Operation
from nas.export.c.program import Program

LOOPS = """#include "NAME.h"

typedef struct { int32_t height, width, depth; } Shape;
typedef struct { int32_t height, width, stride, pad_y, pad_x; } Window;

static int32_t offset(const Shape *shape, int32_t y, int32_t x, int32_t channel)
{
    return (y * shape->width + x) * shape->depth + channel;
}

static uint8_t requantised(int32_t value, int32_t multiplier, uint8_t shift, int32_t zero)
{
    const int64_t number = (((int64_t)value * multiplier + ((int64_t)1 << (shift - 1))) >> shift) + zero;
    return (uint8_t)(number < 0 ? 0 : number > 255 ? 255 : number);
}

static void conv(const Shape *in_shape, const Shape *out_shape, const Window *w, int32_t groups, int32_t in_zero,
                 const int8_t *filter, const int32_t *bias, const int32_t *multipliers, const uint8_t *shifts,
                 int32_t zero, const uint8_t *table, const uint8_t *in, uint8_t *out)
{
    const int32_t filter_depth = in_shape->depth / groups;
    const Shape filter_shape = {w->height, w->width, filter_depth};
    for (int32_t out_y = 0; out_y < out_shape->height; ++out_y) {
        for (int32_t out_x = 0; out_x < out_shape->width; ++out_x) {
            for (int32_t out_channel = 0; out_channel < out_shape->depth; ++out_channel) {
                const int32_t group = out_channel / (out_shape->depth / groups);
                int32_t acc = 0;
                for (int32_t filter_y = 0; filter_y < w->height; ++filter_y) {
                    const int32_t in_y = out_y * w->stride - w->pad_y + filter_y;
                    for (int32_t filter_x = 0; filter_x < w->width; ++filter_x) {
                        const int32_t in_x = out_x * w->stride - w->pad_x + filter_x;
                        const int inside = in_x >= 0 && in_x < in_shape->width && in_y >= 0 && in_y < in_shape->height;
                        if (!inside) {
                            continue;
                        }
                        for (int32_t in_channel = 0; in_channel < filter_depth; ++in_channel) {
                            const int32_t input_value =
                                in[offset(in_shape, in_y, in_x, in_channel + group * filter_depth)];
                            const int32_t filter_value =
                                filter[out_channel * w->height * w->width * filter_depth
                                       + offset(&filter_shape, filter_y, filter_x, in_channel)];
                            acc += filter_value * (input_value - in_zero);
                        }
                    }
                }
                acc += bias[out_channel];
                const uint8_t number = requantised(acc, multipliers[out_channel], shifts[out_channel], zero);
                out[offset(out_shape, out_y, out_x, out_channel)] = table ? table[number] : number;
            }
        }
    }
}

static void depthwise_conv(const Shape *in_shape, const Shape *out_shape, const Window *w, int32_t in_zero,
                           const int8_t *filter, const int32_t *bias, const int32_t *multipliers,
                           const uint8_t *shifts, int32_t zero, const uint8_t *table, const uint8_t *in, uint8_t *out)
{
    const Shape filter_shape = {w->height, w->width, out_shape->depth};
    for (int32_t out_y = 0; out_y < out_shape->height; ++out_y) {
        for (int32_t out_x = 0; out_x < out_shape->width; ++out_x) {
            for (int32_t channel = 0; channel < in_shape->depth; ++channel) {
                int32_t acc = 0;
                for (int32_t filter_y = 0; filter_y < w->height; ++filter_y) {
                    for (int32_t filter_x = 0; filter_x < w->width; ++filter_x) {
                        const int32_t in_y = out_y * w->stride - w->pad_y + filter_y;
                        const int32_t in_x = out_x * w->stride - w->pad_x + filter_x;
                        if (in_x >= 0 && in_x < in_shape->width && in_y >= 0 && in_y < in_shape->height) {
                            acc += filter[offset(&filter_shape, filter_y, filter_x, channel)]
                                * (in[offset(in_shape, in_y, in_x, channel)] - in_zero);
                        }
                    }
                }
                acc += bias[channel];
                const uint8_t number = requantised(acc, multipliers[channel], shifts[channel], zero);
                out[offset(out_shape, out_y, out_x, channel)] = table ? table[number] : number;
            }
        }
    }
}

static void fully_connected(int32_t depth, int32_t n_out, int32_t in_zero, const int8_t *filter, const int32_t *bias,
                            const float *scales, const uint8_t *in, float *out)
{
    for (int32_t out_channel = 0; out_channel < n_out; ++out_channel) {
        int32_t acc = 0;
        for (int32_t d = 0; d < depth; ++d) {
            acc += filter[out_channel * depth + d] * (in[d] - in_zero);
        }
        out[out_channel] = (float)(acc + bias[out_channel]) * scales[out_channel];
    }
}

static void max_pool(const Shape *in_shape, const Shape *out_shape, const Window *w, const uint8_t *in, uint8_t *out)
{
    for (int32_t out_y = 0; out_y < out_shape->height; ++out_y) {
        for (int32_t out_x = 0; out_x < out_shape->width; ++out_x) {
            for (int32_t channel = 0; channel < out_shape->depth; ++channel) {
                const int32_t y0 = out_y * w->stride - w->pad_y, x0 = out_x * w->stride - w->pad_x;
                const int32_t from_x = x0 < 0 ? -x0 : 0, from_y = y0 < 0 ? -y0 : 0;
                const int32_t to_x = in_shape->width - x0 < w->width ? in_shape->width - x0 : w->width;
                const int32_t to_y = in_shape->height - y0 < w->height ? in_shape->height - y0 : w->height;
                uint8_t max = 0;
                for (int32_t y = from_y; y < to_y; ++y) {
                    for (int32_t x = from_x; x < to_x; ++x) {
                        const uint8_t value = in[offset(in_shape, y0 + y, x0 + x, channel)];
                        max = value > max ? value : max;
                    }
                }
                out[offset(out_shape, out_y, out_x, channel)] = max;
            }
        }
    }
}

static void adaptive_average(const Shape *in_shape, const Shape *out_shape, int32_t in_zero, int32_t multiplier,
                             uint8_t shift, int32_t zero, const uint8_t *in, uint8_t *out)
{
    for (int32_t out_y = 0; out_y < out_shape->height; ++out_y) {
        for (int32_t out_x = 0; out_x < out_shape->width; ++out_x) {
            for (int32_t channel = 0; channel < out_shape->depth; ++channel) {
                const int32_t y0 = out_y * in_shape->height / out_shape->height;
                const int32_t y1 = ((out_y + 1) * in_shape->height + out_shape->height - 1) / out_shape->height;
                const int32_t x0 = out_x * in_shape->width / out_shape->width;
                const int32_t x1 = ((out_x + 1) * in_shape->width + out_shape->width - 1) / out_shape->width;
                uint32_t sum = 0;
                const uint32_t count = (uint32_t)((y1 - y0) * (x1 - x0));
                for (int32_t y = y0; y < y1; ++y) {
                    for (int32_t x = x0; x < x1; ++x) {
                        sum += in[offset(in_shape, y, x, channel)];
                    }
                }
                const int32_t mean = (int32_t)((sum * 256 + count / 2) / count) - 256 * in_zero;
                out[offset(out_shape, out_y, out_x, channel)] = requantised(mean, multiplier, shift, zero);
            }
        }
    }
}
"""


def loop_nest(program: Program, name: str) -> str:
    """A source with the function of an exported one; for chains of what the benchmark's networks have."""
    sizes = [op.n_out for op in program.operations]
    buffers = [f"static uint8_t buffer{i}[{max(sizes[i::2], default=1)}];" for i in range(2)]
    arrays, calls = list[str](), list[str]()
    for number, op in enumerate(program.operations):
        source = "image" if number == 0 else f"buffer{(number - 1) % 2}"
        target = "scores" if op.output is None else f"buffer{number % 2}"
        arrays += constants(op, program.operations[number - 1] if number else None)
        calls.append(f"    {call(op, source, target)};")
    function = [
        f"int {name}_predict(const uint8_t *image, float *scores)",
        "{",
        *calls,
        "    int best = 0;",
        f"    for (int i = 1; i < {program.n_classes}; i++) best = scores[i] > scores[best] ? i : best;",
        "    return best;",
        "}",
    ]
    return "\n".join([LOOPS.replace("NAME", name), *buffers, *arrays, *function]) + "\n"


def constants(op: Operation, before: Operation | None) -> Iterator[str]:
    yield f"static const Shape {op.name}_in = {{{op.input_shape[1]}, {op.input_shape[2]}, {op.input_shape[0]}}};"
    yield f"static const Shape {op.name}_out = {{{op.output_shape[1]}, {op.output_shape[2]}, {op.output_shape[0]}}};"
    if isinstance(op, Maximum):
        window = (op.kernel, op.kernel, op.stride, op.padding, op.padding)
        yield f"static const Window {op.name}_window = {{{', '.join(map(str, window))}}};"
    if isinstance(op, Convolution):
        window = (*op.kernel, op.stride, *op.padding)
        yield f"static const Window {op.name}_window = {{{', '.join(map(str, window))}}};"
        for array in op.arrays:
            values = array.values
            if array.c_type == "int8_t":
                values = in_order(op, before).flatten().tolist()
            if array.c_type == "int32_t" and array.name.endswith("_bias"):
                values = op.bias.tolist()  # the layer's own: what stands for 0 is subtracted from each number here
            yield f"static const {array.c_type} {array.name}[] = {{{', '.join(map(as_c, values))}}};"


def in_order(op: Convolution, before: Operation | None) -> Tensor:
    """Weights as those kernels read them: channels last; of what is flat in the order of the image before it."""
    weights = op.weights
    if op.output is None and before is not None and before.output_shape != op.input_shape:
        return weights.reshape(len(weights), *before.output_shape).permute(0, 2, 3, 1)
    return weights.permute(1, 2, 3, 0) if is_depthwise(op) else weights.permute(0, 2, 3, 1)


def is_depthwise(op: Convolution) -> bool:
    return op.groups == op.input_shape[0] == op.output_shape[0] > 1


def call(op: Operation, source: str, target: str) -> str:
    shapes = f"&{op.name}_in, &{op.name}_out"
    match op:
        case Convolution(output=None):
            numbers, ends = f"{op.n_in}, {op.n_out}, {op.input.zero}", f"{source}, {target}"
            return f"fully_connected({numbers}, {op.shared}_weights, {op.name}_bias, {op.name}_scales, {ends})"
        case Convolution():
            assert op.before is not None
            function, groups = ("depthwise_conv", "") if is_depthwise(op) else ("conv", f"{op.groups}, ")
            arrays = f"{op.shared}_weights, {op.name}_bias, {op.name}_multipliers, {op.name}_shifts"
            table = f"{op.shared}_table" if op.table else "0"
            window = f"&{op.name}_window, {groups}{op.input.zero}"
            return f"{function}({shapes}, {window}, {arrays}, {op.before.zero}, {table}, {source}, {target})"
        case Maximum():
            return f"max_pool({shapes}, &{op.name}_window, {source}, {target})"
        case Average(kernel=0, output=output):
            assert output is not None
            scaling = f"{op.scaling.multiplier}, {op.scaling.shift}, {output.zero}"
            return f"adaptive_average({shapes}, {op.input.zero}, {scaling}, {source}, {target})"
    raise TypeError(f"no loops for {op!r}")


def as_c(value: float) -> str:
    return f"{value!r}f" if isinstance(value, float) else str(value)
