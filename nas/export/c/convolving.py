"""The C functions behind convolutions, as many of them and as much in them as a network needs.

Several numbers of a row of the output are computed at once, from windows that lie within the width, so that a weight is
loaded once for all of them, and no tap is asked whether it is inside. The number that stands for 0 is not subtracted
from each pixel: without padding it has been subtracted from the bias, in the export; with padding the bias is the
layer's own, and it is subtracted once a row. What is beside the image to the left and to the right is left to
`sum_at`, a number at a time.

Weights that are stored packed are unpacked an output channel at a time, into scratch memory beside the activations: so
each is unpacked once, for however many numbers of the output it is needed, and nothing else differs.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from string import Template

from nas.export.c.geometry import N_AT_ONCE, WIDEST_UNROLLED, Geometry, Window
from nas.export.c.operations import PACKED_BITS, PACKED_ZERO

ANY = "row_of_any"
SMALL_SHARE = 0.1  # of the products of a network, for which taps are written out only if it costs no flash

STRUCTURE = """struct Finish;

typedef struct Convolution {
    ${int} channels, height, width, out_channels, out_height, out_width;
    ${int} kernel_height, kernel_width, stride, groups${more};
    uint8_t *(*row)(const struct Convolution *, const struct Finish *, const uint8_t *, const int8_t *,
                    int32_t, int32_t, uint8_t *);
    const ${stored} *weights;
    const int32_t *bias;
} Convolution;
"""

SUM_AT = """
/* One number of the output before it is scaled, from some rows of its window in the channels of its group. */
static int32_t sum_at(const Convolution *c, const uint8_t *in, const int8_t *weights,
                      int32_t rows, int32_t x, int32_t sum)
{
    const int32_t row = ${row}, next = (int32_t)c->height * c->width - rows * row;
${range}
    for (int32_t i = c->channels; i > 0; i--, in += next${next_weights}) {
        for (int32_t y = rows; y > 0; y--, in += row - n${dilation}${next_taps}) {
            for (int32_t k = n; k > 0; k--${step}) {
                sum += *weights++ * ${pixel};
            }
        }
    }
    return sum;
}
"""

RANGE = """    const int32_t n = c->kernel_width;

    in += x;
"""

PADDED_RANGE = """    const int32_t from = first_tap(x${a_dilation});
    const int32_t n = last_tap(x, c->width, c->kernel_width${a_dilation}) - from;

    in += x + from${dilation};
    weights += from;
"""

TAPS_WITHIN = """
/* Which taps of a window that begins at a place lie within so many pixels. */
static int32_t first_tap(int32_t place${of_dilation})
{
    return place < 0 ? ${first_tap} : 0;
}

static int32_t last_tap(int32_t place, int32_t size, int32_t n${of_dilation})
{
    const int32_t fit = ${fit};

    return fit < n ? fit : n;
}
"""

OF_ZERO = """
/* What the number that stands for 0 adds to the sum over some rows of a window. */
static int32_t of_zero(const Convolution *c, const int8_t *weights, int32_t rows)
{
    int32_t sum = 0;

    for (int32_t i = c->zero ? c->channels : 0; i > 0; i--, weights += (int32_t)c->kernel_height * c->kernel_width) {
        for (int32_t k = 0; k < rows * c->kernel_width; k++) {
            sum += weights[k];
        }
    }
    return sum * c->zero;
}
"""

FINISH = """
/* From the sums of a channel to numbers of the output. */
typedef struct Finish {
    int32_t multiplier, zero;
    const uint8_t *table;
    uint8_t shift;
} Finish;

static uint8_t *finish(const Finish *f, const int32_t *sums, int32_t n, uint8_t *out)
{
    const int32_t multiplier = f->multiplier, zero = f->zero;
    const uint8_t shift = f->shift, *table = f->table;

    for (int32_t i = 0; i < n; i++) {
        const uint8_t number = limited(sums[i], multiplier, shift, zero);
        *out++ = table ? table[number] : number;
    }
    return out;
}
"""

ROW = """
/* The numbers of a row of the output whose windows lie within the width, ${n} at once, from some rows of their windows,
   ${wide}; the first ones may be fewer, so that none is written twice. The inner loop is over channels, or over rows
   where there is one channel. */
static uint8_t *${function}(const Convolution *c, const Finish *f, const uint8_t *in, const int8_t *weights,
                        int32_t rows, int32_t start, uint8_t *out)
{
    const int deep = c->channels > 1;
    const int32_t n_inner = deep ? c->channels : rows, pixels = deep ? (int32_t)c->height * c->width : ${row};
    const int32_t taps = deep ? c->kernel_height * ${width} : ${width};
    int32_t left = ${inside};

    for (int32_t n = left % ${n} ? left % ${n} : ${n}; left > 0; left -= n, n = ${n}) {
        const uint8_t *row = in;
        const int8_t *row_weights = weights;
        int32_t ${sums};
        for (int32_t y = deep ? rows : 1; y > 0; y--, row += ${row}, row_weights += ${width}) {
            const uint8_t *p = row;
            const int8_t *w = row_weights;
            for (int32_t i = n_inner; i > 0; i--, p += pixels, w += taps) {
${taps}            }
        }
        const int32_t sums[${n}] = {${all}};
        out = finish(f, sums, n, out);
        in += n * ${stride};
    }
    return out;
}
"""

UNPACKED = """
/* n weights, those of an output channel: two lie in a byte, plus ${zero}, the first in its lower half. */
static const int8_t *unpacked(const uint8_t *packed, int32_t first, int32_t n, uint8_t *scratch)
{
    const uint8_t *pair = packed + (first >> 1);
    int8_t *weights = (int8_t *)scratch;

    for (int32_t half = first & 1; n > 0; n--, half ^= 1) {
        *weights++ = (int8_t)((half ? *pair++ >> ${bits} : *pair & ${mask}) - ${zero});
    }
    return (const int8_t *)scratch;
}
"""

WEIGHTS = """    const int8_t *weights = c->weights;

    for (int32_t o = 0; o < c->out_channels; o++, weights += size) {
"""

PACKED_WEIGHTS = """
    for (int32_t o = 0; o < c->out_channels; o++) {
        const int8_t *weights = unpacked(c->weights, o * size, size, scratch);
"""

CONVOLVE = """
static void convolve(const Convolution *c, const int32_t *multipliers, const uint8_t *shifts,
                     int32_t zero, const uint8_t *table, const uint8_t *in,$scratch uint8_t *out)
{
    const int32_t size = (int32_t)c->channels * c->kernel_height * c->kernel_width;
    const int32_t size_in = (int32_t)c->channels * c->height * c->width;
${weights}        const uint8_t *group = in + o / (c->out_channels / c->groups) * size_in;
        const Finish f = {multipliers[o], zero, table, shifts[o]};
${a_channel}        for (int32_t row = 0; row < c->out_height; row++) {
${a_row}            for (int32_t column = 0; column < c->out_width; column++) {
                const int32_t x = ${x};
                if (${several}) {
                    out = c->row(c, &f, pixels + x, taps, rows, ${start}, out);
                    column = ${end} - 1;
                } else {
                    const int32_t sum = sum_at(c, pixels, taps, rows, x, c->bias[o]);
                    out = finish(&f, &sum, 1, out);
                }
            }
        }
    }
}
"""

A_CHANNEL = """        const int8_t *taps_before = 0;
        int32_t rows_before = 0, start = 0;
"""

A_ROW = """            const uint8_t *pixels = group + row * c->stride * c->width;
            const int8_t *taps = weights;
            const int32_t rows = c->kernel_height;
"""

A_PADDED_ROW = """            const int32_t y = row * c->stride - c->padding_y, from = first_tap(y${a_dilation});
            const uint8_t *pixels = group + (y + from${dilation}) * c->width;
            const int8_t *taps = weights + from * c->kernel_width;
            const int32_t rows = last_tap(y, c->height, c->kernel_height${a_dilation}) - from;
"""

START = """            if (taps != taps_before || rows != rows_before) {
                start = c->bias[o] - of_zero(c, taps, rows);
                taps_before = taps;
                rows_before = rows;
            }
"""

CONVOLVE_TO_SCORES = """
static void convolve_to_scores(const Convolution *c, const float *scales, const uint8_t *in,$scratch float *scores)
{
    const int32_t size = (int32_t)c->channels * c->kernel_height * c->kernel_width;
    const int32_t size_in = (int32_t)c->channels * c->height * c->width;
${weights}        const uint8_t *group = in + o / (c->out_channels / c->groups) * size_in;
        for (int32_t row = 0; row < c->out_height; row++) {
${a_row}            for (int32_t column = 0; column < c->out_width; column++) {
                *scores++ = (float)sum_at(c, pixels, taps, rows, ${x}, c->bias[o]) * scales[o];
            }
        }
    }
}
"""


class Convolving:
    """The functions of a network's convolutions, and what their structures hold.

    `padded`: whether any is; only then there is anything in the source that deals with it. So with `dilated`, and with
    `packed`: whether weights are stored so, in which all are alike.
    """

    def __init__(self, geometries: Iterable[Geometry], *, packed: bool = False) -> None:
        self.geometries, self.packed = tuple(geometries), packed
        self.padded = any(any(each.padding) for each in self.geometries)
        self.dilated = any(each.dilation > 1 for each in self.geometries)
        self.functions = _functions(self.geometries)

    @property
    def structure(self) -> str:
        """The type, and what computes one number."""
        more = ", dilation" if self.dilated else ""
        more += ", padding_y, padding_x, zero, begin, end" if self.padded else ""
        within = self._text(TAPS_WITHIN) if self.padded else ""
        unpacked = Template(UNPACKED).substitute(zero=PACKED_ZERO, bits=PACKED_BITS, mask=2**PACKED_BITS - 1)
        stored = "uint8_t" if self.packed else "int8_t"
        structure = Template(STRUCTURE).substitute(more=more, int=self._int, stored=stored)
        return structure + within + self._sum_at + unpacked * self.packed

    def fields(self, geometry: Geometry, zero: int) -> list[str]:
        """What the structure of one holds, but weights and bias; `zero`: the number that stands for 0, if padded."""
        window = geometry.window
        numbers = [*geometry[:9], geometry.groups]
        numbers += [geometry.dilation] if self.dilated else []
        if self.padded:
            numbers += [*geometry.padding, zero if any(geometry.padding) else 0, geometry.begin, geometry.end]
        return [*map(str, numbers), self.functions[window] if window is not None else "0"]

    @property
    def rows(self) -> Iterator[str]:
        """Those that compute several numbers of a row at once."""
        yield from {function: self._row_of(window, function) for window, function in self.functions.items()}.values()

    def _row_of(self, window: Window, function: str) -> str:
        unrolled = function != ANY
        return Template(ROW).substitute(
            n=N_AT_ONCE,
            wide=f"{window.width} wide" if unrolled else "of any width",
            width=window.width if unrolled else "c->kernel_width",
            stride=window.stride if unrolled else "c->stride",
            function=function,
            sums=", ".join(f"s{j} = start" for j in range(N_AT_ONCE)),
            all=", ".join(f"s{j}" for j in range(N_AT_ONCE)),
            row="c->width" if window.dilation == 1 and unrolled else self._row,
            inside="c->end - c->begin" if self.padded else "c->out_width",
            taps="".join(_taps(window) if unrolled else _looped_taps(self.dilated)),
        )

    @property
    def convolve(self) -> str:
        """From numbers to numbers."""
        if not self.padded:
            more = {"a_channel": "", "a_row": A_ROW, "several": "c->row", "end": "c->out_width", "start": "c->bias[o]"}
            return self._text(CONVOLVE, x=self._x, **more)
        several, a_row = "column >= c->begin && column < c->end", self._text(A_PADDED_ROW) + START
        more = {"a_channel": A_CHANNEL, "a_row": a_row, "several": several, "end": "c->end", "start": "start"}
        return OF_ZERO + self._text(CONVOLVE, x=self._x, **more)

    @property
    def convolve_to_scores(self) -> str:
        """From numbers to scores, one at a time: there are few."""
        return self._text(CONVOLVE_TO_SCORES, x=self._x, a_row=self._text(A_PADDED_ROW) if self.padded else A_ROW)

    @property
    def _sum_at(self) -> str:
        pixel = "*in" if self.dilated else "*in++"
        return self._text(
            SUM_AT,
            range=self._text(PADDED_RANGE) if self.padded else RANGE,
            next_weights=", weights += (c->kernel_height - rows) * c->kernel_width" if self.padded else "",
            next_taps=", weights += c->kernel_width - n" if self.padded else "",
            step=", in += c->dilation" if self.dilated else "",
            pixel=f"({pixel} - c->zero)" if self.padded else pixel,
        )

    @property
    def _int(self) -> str:
        """The smallest type that holds all numbers of the structures."""
        largest = max(max(*each[:-3], *each.padding) for each in self.geometries)
        return "int16_t" if largest < 2**15 else "int32_t"

    @property
    def _x(self) -> str:
        return "column * c->stride" + (" - c->padding_x" if self.padded else "")

    @property
    def _times(self) -> str:
        return " * c->dilation" if self.dilated else ""

    @property
    def _row(self) -> str:
        return f"c->width{self._times}"

    def _text(self, text: str, **more: str) -> str:
        return Template(text).substitute(
            n=str(N_AT_ONCE),
            row=self._row,
            dilation=self._times,
            of_dilation=", int32_t dilation" if self.dilated else "",
            a_dilation=", c->dilation" if self.dilated else "",
            first_tap="(dilation - 1 - place) / dilation" if self.dilated else "-place",
            scratch=" uint8_t *scratch," if self.packed else "",
            weights=PACKED_WEIGHTS if self.packed else WEIGHTS,
            fit="(size - place + dilation - 1) / dilation" if self.dilated else "size - place",
            **more,
        )


def _functions(geometries: Sequence[Geometry]) -> dict[Window, str]:
    """The function of each window: with its taps written out, but where these are many or where that is worth little.

    One for any window takes about as much flash as one for a certain window, so it takes the place of two at least.
    """
    macs = Counter[Window]()
    for each in geometries:
        if each.window is not None:
            macs[each.window] += each.macs
    narrow = [window for window in macs if window.width <= WIDEST_UNROLLED]
    rare = [window for window in narrow if macs[window] < SMALL_SHARE * macs.total()]
    looped = rare if len(rare) > 1 or len(narrow) < len(macs) else []
    return {window: ANY if window in looped or window not in narrow else window.function for window in macs}


def _taps(window: Window) -> Iterator[str]:
    """Each weight times the pixels of all windows at its place."""
    for x in range(window.width):
        for j in range(N_AT_ONCE):
            yield f"                s{j} += w[{x}] * p[{j * window.stride + x * window.dilation}];\n"


def _looped_taps(dilated: bool) -> Iterator[str]:
    yield "                for (int32_t x = 0; x < c->kernel_width; x++) {\n"
    yield f"                    const uint8_t *q = p + x{' * c->dilation' if dilated else ''};\n"
    for j in range(N_AT_ONCE):
        at = "0" if j == 0 else "c->stride" if j == 1 else f"{j} * c->stride"
        yield f"                    s{j} += w[x] * q[{at}];\n"
    yield "                }\n"
