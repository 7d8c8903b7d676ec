"""The C functions behind the operations; a source file gets those that it calls."""

RANGE = """/* The nearest whole number to value * multiplier / 2^shift, halves up, plus zero; within 0 and 255. */
static uint8_t limited(int32_t value, int32_t multiplier, uint8_t shift, int32_t zero)
{
    const int64_t half = (int64_t)1 << (shift - 1);
    const int64_t number = (((int64_t)value * multiplier + half) >> shift) + zero;

    return (uint8_t)(number < 0 ? 0 : number > 255 ? 255 : number);
}
"""

CONVOLUTION = """typedef struct {
    int32_t channels, height, width, out_channels, out_height, out_width;
    int32_t kernel, stride, padding, groups, zero;
    const int8_t *weights;
    const int32_t *bias;
} Convolution;

/* One number of the output before it is scaled. */
static int32_t sum_at(const Convolution *c, const uint8_t *in, int32_t out, int32_t row, int32_t column)
{
    const int32_t channels = c->channels / c->groups, k = c->kernel;
    const int32_t group = out / (c->out_channels / c->groups);
    const int32_t y0 = row * c->stride - c->padding, x0 = column * c->stride - c->padding;
    const int32_t from_y = y0 < 0 ? -y0 : 0, to_y = c->height - y0 < k ? c->height - y0 : k;
    const int32_t from_x = x0 < 0 ? -x0 : 0, to_x = c->width - x0 < k ? c->width - x0 : k;
    int32_t sum = c->bias[out];

    for (int32_t i = 0; i < channels; i++) {
        const uint8_t *plane = in + (group * channels + i) * c->height * c->width;
        const int8_t *weights = c->weights + (out * channels + i) * k * k;
        for (int32_t y = from_y; y < to_y; y++) {
            const int32_t at = (y0 + y) * c->width + x0;
            for (int32_t x = from_x; x < to_x; x++) {
                sum += (int32_t)weights[y * k + x] * (plane[at + x] - c->zero);
            }
        }
    }
    return sum;
}
"""

CONVOLVE = """static void convolve(const Convolution *c, const int32_t *multipliers, const uint8_t *shifts,
                     int32_t zero, const uint8_t *table, const uint8_t *in, uint8_t *out)
{
    for (int32_t o = 0; o < c->out_channels; o++) {
        for (int32_t y = 0; y < c->out_height; y++) {
            for (int32_t x = 0; x < c->out_width; x++) {
                const uint8_t number = limited(sum_at(c, in, o, y, x), multipliers[o], shifts[o], zero);
                *out++ = table ? table[number] : number;
            }
        }
    }
}
"""

CONVOLVE_TO_SCORES = """static void convolve_to_scores(const Convolution *c, const float *scales, const uint8_t *in,
                               float *scores)
{
    for (int32_t o = 0; o < c->out_channels; o++) {
        for (int32_t y = 0; y < c->out_height; y++) {
            for (int32_t x = 0; x < c->out_width; x++) {
                *scores++ = (float)sum_at(c, in, o, y, x) * scales[o];
            }
        }
    }
}
"""

MAXIMUM = """typedef struct {
    int32_t channels, height, width, out_height, out_width, kernel, stride, padding;
} Maximum;

static void maximum(const Maximum *m, const uint8_t *in, uint8_t *out)
{
    for (int32_t i = 0; i < m->channels; i++, in += m->height * m->width) {
        for (int32_t row = 0; row < m->out_height; row++) {
            for (int32_t column = 0; column < m->out_width; column++) {
                const int32_t y0 = row * m->stride - m->padding, x0 = column * m->stride - m->padding;
                uint8_t largest = 0;
                for (int32_t y = y0 < 0 ? 0 : y0; y < y0 + m->kernel && y < m->height; y++) {
                    for (int32_t x = x0 < 0 ? 0 : x0; x < x0 + m->kernel && x < m->width; x++) {
                        if (in[y * m->width + x] > largest) {
                            largest = in[y * m->width + x];
                        }
                    }
                }
                *out++ = largest;
            }
        }
    }
}
"""

AVERAGE = """typedef struct {
    int32_t channels, height, width, out_height, out_width, kernel, stride, padding, zero;
} Average;

/* Where a window begins along one side, and ends. Without a kernel the windows are equal parts of the image. */
static int32_t begin(const Average *a, int32_t i, int32_t size, int32_t n)
{
    return a->kernel ? i * a->stride - a->padding : i * size / n;
}

static int32_t end(const Average *a, int32_t i, int32_t size, int32_t n)
{
    return a->kernel ? i * a->stride - a->padding + a->kernel : ((i + 1) * size + n - 1) / n;
}

/* The mean of a window in 1/256 of a level, less that of zero. */
static int32_t mean_at(const Average *a, const uint8_t *plane, int32_t row, int32_t column)
{
    const int32_t y0 = begin(a, row, a->height, a->out_height), y1 = end(a, row, a->height, a->out_height);
    const int32_t x0 = begin(a, column, a->width, a->out_width), x1 = end(a, column, a->width, a->out_width);
    const uint32_t count = (uint32_t)((y1 - y0) * (x1 - x0));
    uint64_t sum = 0;

    for (int32_t y = y0; y < y1; y++) {
        for (int32_t x = x0; x < x1; x++) {
            const int inside = y >= 0 && y < a->height && x >= 0 && x < a->width;
            sum += (uint32_t)(inside ? plane[y * a->width + x] : a->zero);
        }
    }
    return (int32_t)((sum * 256 + count / 2) / count) - 256 * a->zero;
}
"""

AVERAGE_OUT = """static void average(const Average *a, int32_t multiplier, uint8_t shift, int32_t zero,
                    const uint8_t *in, uint8_t *out)
{
    for (int32_t i = 0; i < a->channels; i++, in += a->height * a->width) {
        for (int32_t y = 0; y < a->out_height; y++) {
            for (int32_t x = 0; x < a->out_width; x++) {
                *out++ = limited(mean_at(a, in, y, x), multiplier, shift, zero);
            }
        }
    }
}
"""

AVERAGE_TO_SCORES = """static void average_to_scores(const Average *a, float scale, const uint8_t *in, float *scores)
{
    for (int32_t i = 0; i < a->channels; i++, in += a->height * a->width) {
        for (int32_t y = 0; y < a->out_height; y++) {
            for (int32_t x = 0; x < a->out_width; x++) {
                *scores++ = (float)mean_at(a, in, y, x) * scale;
            }
        }
    }
}
"""

LOOKUP = """/* Tables of 256 numbers, each for so many numbers in a row. */
static void look_up(const uint8_t *tables, int32_t n, int32_t n_a_table, const uint8_t *in, uint8_t *out)
{
    for (int32_t i = 0; i < n; i++) {
        out[i] = tables[i / n_a_table * 256 + in[i]];
    }
}
"""

TO_SCORES = """static void to_scores(int32_t n, int32_t zero, float scale, const uint8_t *in, float *scores)
{
    for (int32_t i = 0; i < n; i++) {
        scores[i] = (float)(in[i] - zero) * scale;
    }
}
"""
