"""The C functions behind convolutions, as many of them and as much in them as a network needs.

Several numbers of a row of the output are computed at once, from windows that lie within the width, so that a weight is
loaded once for all of them, and no tap is asked whether it is inside. The number that stands for 0 is not subtracted
from each pixel: without padding it has been subtracted from the bias, in the export; with padding the bias is the
layer's own, and it is subtracted once a row. What is beside the image to the left and to the right is left to
`sum_at`, a number at a time.
"""

from collections.abc import Iterable, Iterator
from string import Template

from nas.export.c.geometry import N_AT_ONCE, WIDEST_UNROLLED, Geometry, Window

STRUCTURE = """typedef struct Convolution {
    int32_t channels, height, width, out_channels, out_height, out_width;
    int32_t kernel_height, kernel_width, stride, groups${more};
    void (*sums)(const struct Convolution *, const uint8_t *, const int8_t *, int32_t, int32_t *);
    const int8_t *weights;
    const int32_t *bias;
} Convolution;
"""

SUM_AT = """
/* One number of the output before it is scaled, from the channels of its group. */
static int32_t sum_at(const Convolution *c, const uint8_t *in, const int8_t *weights, int32_t sum,
                      int32_t row, int32_t column)
{
    in += row * c->stride * c->width + column * c->stride;
    for (int32_t i = 0; i < c->channels; i++, in += c->height * c->width) {
        for (int32_t y = 0; y < c->kernel_height; y++) {
            const uint8_t *pixels = in + y * ${row};
            for (int32_t x = 0; x < c->kernel_width; x++) {
                sum += *weights++ * pixels[x${dilation}];
            }
        }
    }
    return sum;
}
"""

SUM_AT_PADDED = """
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

/* One number of the output before it is scaled, from the channels of its group. */
static int32_t sum_at(const Convolution *c, const uint8_t *in, const int8_t *weights, int32_t sum,
                      int32_t row, int32_t column)
{
    const int32_t y0 = row * c->stride - c->padding_y, x0 = column * c->stride - c->padding_x;
    const int32_t from_y = first_tap(y0${a_dilation}), to_y = last_tap(y0, c->height, c->kernel_height${a_dilation});
    const int32_t from_x = first_tap(x0${a_dilation}), to_x = last_tap(x0, c->width, c->kernel_width${a_dilation});

    for (int32_t i = 0; i < c->channels; i++, in += c->height * c->width) {
        for (int32_t y = from_y; y < to_y; y++) {
            const int32_t at = (y0 + y${dilation}) * c->width + x0;
            for (int32_t x = from_x; x < to_x; x++) {
                sum += weights[y * c->kernel_width + x] * (in[at + x${dilation}] - c->zero);
            }
        }
        weights += c->kernel_height * c->kernel_width;
    }
    return sum;
}
"""

OF_ZERO = """
/* What the number that stands for 0 adds to the sum over some rows of a window. */
static int32_t of_zero(const Convolution *c, const int8_t *weights, int32_t from, int32_t to)
{
    int32_t sum = 0;

    if (c->zero) {
        for (int32_t i = 0; i < c->channels; i++, weights += c->kernel_height * c->kernel_width) {
            for (int32_t k = from * c->kernel_width; k < to * c->kernel_width; k++) {
                sum += weights[k];
            }
        }
    }
    return sum * c->zero;
}
"""

SUMS = """
/* Adds the products of some rows of windows: of ${n} windows in a row of the output, ${wide}. */
static void ${function}(const Convolution *c, const uint8_t *in, const int8_t *weights, int32_t rows, int32_t *sums)
{
    int32_t ${load};

    for (int32_t i = 0; i < c->channels; i++, in += c->height * c->width) {
        const uint8_t *p = in;
        for (int32_t y = 0; y < rows; y++, p += ${row}) {
            int32_t w;
${taps}        }
${skip}    }
    ${store};
}
"""

CONVOLVE = """
static void convolve(const Convolution *c, const int32_t *multipliers, const uint8_t *shifts,
                     int32_t zero, const uint8_t *table, const uint8_t *in, uint8_t *out)
{
    const int32_t size = c->channels * c->kernel_height * c->kernel_width;
    const int8_t *weights = c->weights;

    for (int32_t o = 0; o < c->out_channels; o++, weights += size) {
        const uint8_t *group = in + o / (c->out_channels / c->groups) * c->channels * c->height * c->width;
${a_channel}        for (int32_t row = 0; row < c->out_height; row++) {
${a_row}            for (int32_t column = 0, n; column < c->out_width; column += n) {
                int32_t sums[${n}];
                if (${one}) {
                    n = 1;
                    sums[0] = sum_at(c, group, weights, c->bias[o], row, column);
                } else { /* the first ones may be fewer, so that no others are computed twice */
                    n = column == ${begin} && (${end} - column) % ${n} ? (${end} - column) % ${n} : ${n};
                    sums[0] = ${set};
                    c->sums(c, group + ${pixel}, weights${tap}, ${rows}, sums);
                }
                for (int32_t i = 0; i < n; i++) {
                    const uint8_t number = limited(sums[i], multipliers[o], shifts[o], zero);
                    *out++ = table ? table[number] : number;
                }
            }
        }
    }
}
"""

A_CHANNEL = """        const int32_t of_all_rows = of_zero(c, weights, 0, c->kernel_height);
"""

A_ROW = """            const int32_t y0 = row * c->stride - c->padding_y, from = first_tap(y0${a_dilation});
            const int32_t to = last_tap(y0, c->height, c->kernel_height${a_dilation});
            const int32_t start = c->bias[o]
                - (to - from < c->kernel_height ? of_zero(c, weights, from, to) : of_all_rows);
"""

CONVOLVE_TO_SCORES = """
static void convolve_to_scores(const Convolution *c, const float *scales, const uint8_t *in, float *scores)
{
    const int32_t size = c->channels * c->kernel_height * c->kernel_width;

    for (int32_t o = 0; o < c->out_channels; o++) {
        const uint8_t *group = in + o / (c->out_channels / c->groups) * c->channels * c->height * c->width;
        for (int32_t row = 0; row < c->out_height; row++) {
            for (int32_t column = 0; column < c->out_width; column++) {
                *scores++ = (float)sum_at(c, group, c->weights + o * size, c->bias[o], row, column) * scales[o];
            }
        }
    }
}
"""


class Convolving:
    """The functions of a network's convolutions, and what their structures hold.

    `padded`: whether any is; only then there is anything in the source that deals with it. So with `dilated`.
    """

    def __init__(self, geometries: Iterable[Geometry]) -> None:
        self.geometries = tuple(geometries)
        self.padded = any(any(each.padding) for each in self.geometries)
        self.dilated = any(each.dilation > 1 for each in self.geometries)

    @property
    def structure(self) -> str:
        """The type, and what computes one number."""
        more = (", dilation" if self.dilated else "") + (", padding_y, padding_x, zero, begin, end" if self.padded else "")
        return Template(STRUCTURE).substitute(more=more) + self._text(SUM_AT_PADDED if self.padded else SUM_AT)

    def fields(self, geometry: Geometry, zero: int) -> list[str]:
        """What the structure of one holds, but weights and bias; `zero`: the number that stands for 0, if padded."""
        window = geometry.window
        numbers = [*geometry[:9], geometry.groups]
        numbers += [geometry.dilation] if self.dilated else []
        if self.padded:
            numbers += [*geometry.padding, zero if any(geometry.padding) else 0, geometry.begin, geometry.end]
        return [*map(str, numbers), _function(window) if window is not None else "0"]

    @property
    def sums(self) -> Iterator[str]:
        """Those that compute several numbers at once."""
        windows = dict.fromkeys(each.window for each in self.geometries if each.window is not None)
        texts = {_function(window): self._sums(window) for window in windows}
        yield from texts.values()

    def _sums(self, window: Window) -> str:
        unrolled = window.width <= WIDEST_UNROLLED
        skip = f"(c->kernel_height - rows) * {window.width if unrolled else 'c->kernel_width'}"
        names = [f"s{j} = sums[{j}]" for j in range(N_AT_ONCE)]
        return Template(SUMS).substitute(
            n=N_AT_ONCE,
            wide=f"{window.width} wide" if unrolled else "of any width",
            function=_function(window),
            load=", ".join(f"s{j} = sums[0]" for j in range(N_AT_ONCE)),
            store="; ".join(f"sums[{j}] = s{j}" for j in range(len(names))),
            row="c->width" if window.dilation == 1 and unrolled else self._row,
            taps="".join(_taps(window) if unrolled else _looped_taps(self.dilated)),
            skip=f"        weights += {skip};\n" if self.padded else "",
        )

    @property
    def convolve(self) -> str:
        """From numbers to numbers."""
        if not self.padded:
            return self._text(
                CONVOLVE,
                a_channel="",
                a_row="",
                one="c->sums == 0",
                begin="0",
                end="c->out_width",
                pixel="row * c->stride * c->width + column * c->stride",
                tap="",
                rows="c->kernel_height",
                set="c->bias[o]",
            )
        return OF_ZERO + self._text(
            CONVOLVE,
            a_channel=A_CHANNEL,
            a_row=self._text(A_ROW),
            one="column < c->begin || column >= c->end",
            begin="c->begin",
            end="c->end",
            pixel=f"(y0 + from{self._times}) * c->width + column * c->stride - c->padding_x",
            tap=" + from * c->kernel_width",
            rows="to - from",
            set="start",
        )

    @property
    def convolve_to_scores(self) -> str:
        """From numbers to scores, one at a time: there are few."""
        return self._text(CONVOLVE_TO_SCORES)

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
            fit="(size - place + dilation - 1) / dilation" if self.dilated else "size - place",
            **more,
        )


def _function(window: Window) -> str:
    return window.function if window.width <= WIDEST_UNROLLED else "sums_of_any"


def _taps(window: Window) -> Iterator[str]:
    """Each weight times the pixels of all windows at its place."""
    for x in range(window.width):
        yield "            w = *weights++;\n"
        for j in range(N_AT_ONCE):
            yield f"            s{j} += w * p[{j * window.stride + x * window.dilation}];\n"


def _looped_taps(dilated: bool) -> Iterator[str]:
    yield "            for (int32_t x = 0; x < c->kernel_width; x++) {\n"
    yield f"                const uint8_t *q = p + x{' * c->dilation' if dilated else ''};\n"
    yield "                w = *weights++;\n"
    for j in range(N_AT_ONCE):
        at = "0" if j == 0 else "c->stride" if j == 1 else f"{j} * c->stride"
        yield f"                s{j} += w * q[{at}];\n"
    yield "            }\n"
