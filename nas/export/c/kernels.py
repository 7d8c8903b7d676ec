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

UNEQUAL_CONVOLUTION = """typedef struct {
    int32_t channels, height, width, out_channels, out_height, out_width;
    int32_t kernel_height, kernel_width, stride, padding_y, padding_x, dilation, groups, zero;
    const int8_t *weights;
    const int32_t *bias;
} Convolution;

/* One number of the output before it is scaled. */
static int32_t sum_at(const Convolution *c, const uint8_t *in, int32_t out, int32_t row, int32_t column)
{
    const int32_t channels = c->channels / c->groups, group = out / (c->out_channels / c->groups);
    const int32_t y0 = row * c->stride - c->padding_y, x0 = column * c->stride - c->padding_x;
    int32_t sum = c->bias[out];

    for (int32_t i = 0; i < channels; i++) {
        const uint8_t *plane = in + (group * channels + i) * c->height * c->width;
        const int8_t *weights = c->weights + (out * channels + i) * c->kernel_height * c->kernel_width;
        for (int32_t ky = 0; ky < c->kernel_height; ky++) {
            const int32_t y = y0 + ky * c->dilation;
            if (y < 0 || y >= c->height) {
                continue;
            }
            for (int32_t kx = 0; kx < c->kernel_width; kx++) {
                const int32_t x = x0 + kx * c->dilation;
                if (x >= 0 && x < c->width) {
                    sum += (int32_t)weights[ky * c->kernel_width + kx] * (plane[y * c->width + x] - c->zero);
                }
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

MAXIMUM_AND_AVERAGE = """/* The mean of the largest number of an image and its average. */
static void maximum_and_average(const Average *a, int32_t multiplier, uint8_t shift, int32_t zero,
                                const uint8_t *in, uint8_t *out)
{
    const int32_t n = a->height * a->width;

    for (int32_t i = 0; i < a->channels; i++, in += n) {
        uint8_t largest = 0;
        for (int32_t k = 0; k < n; k++) {
            if (in[k] > largest) {
                largest = in[k];
            }
        }
        *out++ = limited(256 * (largest - a->zero) + mean_at(a, in, 0, 0), multiplier, shift, zero);
    }
}
"""

BLUR = """typedef struct {
    int32_t channels, height, width, out_height, out_width, stride, window, zero;
} Blur;

static int32_t within(int32_t i, int32_t n)
{
    return i < 0 ? 0 : i < n ? i : n - 1;
}

/* The maximum over window x window pixels; beyond the edge the last one goes on. */
static int32_t largest_at(const Blur *b, const uint8_t *plane, int32_t row, int32_t column)
{
    const int32_t y0 = within(row, b->height - b->window + 1), x0 = within(column, b->width - b->window + 1);
    int32_t largest = 0;

    for (int32_t y = y0; y < y0 + b->window; y++) {
        for (int32_t x = x0; x < x0 + b->window; x++) {
            if (plane[y * b->width + x] > largest) {
                largest = plane[y * b->width + x];
            }
        }
    }
    return largest;
}

static void blur(const Blur *b, int32_t multiplier, uint8_t shift, int32_t zero, const uint8_t *in, uint8_t *out)
{
    for (int32_t i = 0; i < b->channels; i++, in += b->height * b->width) {
        for (int32_t row = 0; row < b->out_height; row++) {
            for (int32_t column = 0; column < b->out_width; column++) {
                int32_t sum = 0;
                for (int32_t y = -1; y <= 1; y++) {
                    for (int32_t x = -1; x <= 1; x++) {
                        sum += (y ? 1 : 2) * (x ? 1 : 2)
                            * largest_at(b, in, row * b->stride + y, column * b->stride + x);
                    }
                }
                *out++ = limited(sum - 16 * b->zero, multiplier, shift, zero);
            }
        }
    }
}
"""

SHRINK = """typedef struct {
    int32_t channels, height, width, out_channels, out_height, out_width, stride, zero;
} Shrinking;

/* Averages over squares, cut at the edge, and channels of zeros. */
static void shrink(const Shrinking *s, int32_t multiplier, uint8_t shift, int32_t zero, const uint8_t *in, uint8_t *out)
{
    for (int32_t i = 0; i < s->channels; i++, in += s->height * s->width) {
        for (int32_t y0 = 0; y0 < s->height; y0 += s->stride) {
            for (int32_t x0 = 0; x0 < s->width; x0 += s->stride) {
                uint64_t sum = 0;
                uint32_t count = 0;
                for (int32_t y = y0; y < y0 + s->stride && y < s->height; y++) {
                    for (int32_t x = x0; x < x0 + s->stride && x < s->width; x++, count++) {
                        sum += in[y * s->width + x];
                    }
                }
                *out++ = limited((int32_t)((sum * 256 + count / 2) / count) - 256 * s->zero, multiplier, shift, zero);
            }
        }
    }
    for (int32_t i = (s->out_channels - s->channels) * s->out_height * s->out_width; i > 0; i--) {
        *out++ = (uint8_t)zero;
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

SLOPES = """/* What is above 0 times one factor, what is below times that of the channel. */
static void slope(int32_t channels, int32_t n, int32_t in_zero, int32_t multiplier, uint8_t shift,
                  const int32_t *multipliers, const uint8_t *shifts, int32_t zero, const uint8_t *in, uint8_t *out)
{
    for (int32_t i = 0; i < channels * n; i++) {
        const int32_t value = in[i] - in_zero;
        out[i] = value < 0 ? limited(value, multipliers[i / n], shifts[i / n], zero)
                           : limited(value, multiplier, shift, zero);
    }
}
"""

SHUFFLE = """/* Channels of so many groups, n numbers each, dealt out in turn. */
static void shuffle(int32_t groups, int32_t channels, int32_t n, const uint8_t *in, uint8_t *out)
{
    for (int32_t i = 0; i < channels / groups; i++) {
        for (int32_t group = 0; group < groups; group++) {
            for (int32_t k = 0; k < n; k++) {
                *out++ = in[(group * (channels / groups) + i) * n + k];
            }
        }
    }
}
"""

SUM = """typedef struct {
    int32_t n, zero_a, multiplier_a, zero_b, multiplier_b;
    uint8_t shift;
    int32_t zero;
} Sum;

static void add(const Sum *s, const uint8_t *table, const uint8_t *a, const uint8_t *b, uint8_t *out)
{
    const int64_t half = (int64_t)1 << (s->shift - 1);

    for (int32_t i = 0; i < s->n; i++) {
        const int64_t first = (int64_t)(a[i] - s->zero_a) * s->multiplier_a;
        const int64_t second = (int64_t)(b[i] - s->zero_b) * s->multiplier_b;
        const int64_t scaled = ((first + second + half) >> s->shift) + s->zero;
        const uint8_t number = (uint8_t)(scaled < 0 ? 0 : scaled > 255 ? 255 : scaled);
        out[i] = table ? table[number] : number;
    }
}
"""

RESCALE = """/* From the last number to the first: the result may begin where the input does, or behind that. */
static void rescale(int32_t n, int32_t in_zero, int32_t multiplier, uint8_t shift, int32_t zero,
                    const uint8_t *in, uint8_t *out)
{
    for (int32_t i = n - 1; i >= 0; i--) {
        out[i] = limited(in[i] - in_zero, multiplier, shift, zero);
    }
}
"""

EXCITE = """/* Each channel of n numbers times its factor. */
static void excite(int32_t channels, int32_t n, int32_t in_zero, int32_t multiplier, uint8_t shift, int32_t zero,
                   const uint8_t *factors, const uint8_t *in, uint8_t *out)
{
    for (int32_t i = 0; i < channels * n; i++) {
        out[i] = limited((in[i] - in_zero) * factors[i / n], multiplier, shift, zero);
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
