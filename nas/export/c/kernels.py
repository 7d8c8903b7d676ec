"""The C functions behind the operations; a source file gets those that it calls. Those of convolutions: `convolving`.

`${sum}` is what holds the sum of a window, times 256.
"""

RANGE = """/* The nearest whole number to value * multiplier / 2^shift, halves up, plus zero; within 0 and 255.
   Shifts are above 32, so that the half of 2^shift has nothing in the lower 32 bits. */
static uint8_t limited(int32_t value, int32_t multiplier, uint8_t shift, int32_t zero)
{
    const int32_t upper = (int32_t)(((int64_t)value * multiplier) >> 32) + ((int32_t)1 << (shift - 33));
    const int32_t number = (upper >> (shift - 32)) + zero;

    return (uint8_t)(number < 0 ? 0 : number > 255 ? 255 : number);
}
"""

RANGE_OF_ANY_SHIFT = """/* The nearest whole number to value * multiplier / 2^shift, halves up, plus zero;
   within 0 and 255. */
static uint8_t limited(int32_t value, int32_t multiplier, uint8_t shift, int32_t zero)
{
    const int64_t product = (int64_t)value * multiplier;

    if (shift > 32) { /* the half of 2^shift has nothing in the lower 32 bits */
        const int32_t upper = (int32_t)(product >> 32) + ((int32_t)1 << (shift - 33));
        const int32_t number = (upper >> (shift - 32)) + zero;

        return (uint8_t)(number < 0 ? 0 : number > 255 ? 255 : number);
    } else {
        const int64_t number = ((product + ((int64_t)1 << (shift - 1))) >> shift) + zero;

        return (uint8_t)(number < 0 ? 0 : number > 255 ? 255 : number);
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
            const int32_t y0 = row * m->stride - m->padding, from_y = y0 < 0 ? 0 : y0;
            const int32_t to_y = y0 + m->kernel < m->height ? y0 + m->kernel : m->height;
            for (int32_t column = 0; column < m->out_width; column++) {
                const int32_t x0 = column * m->stride - m->padding, from_x = x0 < 0 ? 0 : x0;
                const int32_t to_x = x0 + m->kernel < m->width ? x0 + m->kernel : m->width;
                const uint8_t *line = in + from_y * m->width;
                uint8_t largest = 0;
                for (int32_t y = from_y; y < to_y; y++, line += m->width) {
                    for (int32_t x = from_x; x < to_x; x++) {
                        if (line[x] > largest) {
                            largest = line[x];
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
    const int32_t from_y = y0 < 0 ? 0 : y0, to_y = y1 < a->height ? y1 : a->height;
    const int32_t from_x = x0 < 0 ? 0 : x0, to_x = x1 < a->width ? x1 : a->width;
    const uint32_t count = (uint32_t)((y1 - y0) * (x1 - x0));
    const uint32_t outside = count - (uint32_t)((to_y - from_y) * (to_x - from_x));
    ${sum} sum = (${sum})outside * (uint32_t)a->zero;

    for (int32_t y = from_y; y < to_y; y++) {
        for (int32_t x = from_x; x < to_x; x++) {
            sum += plane[y * a->width + x];
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

/* The maximum over window x window pixels. */
static int32_t largest_at(const Blur *b, const uint8_t *pixels)
{
    int32_t largest = 0;

    for (int32_t y = 0; y < b->window; y++, pixels += b->width) {
        for (int32_t x = 0; x < b->window; x++) {
            if (pixels[x] > largest) {
                largest = pixels[x];
            }
        }
    }
    return largest;
}

/* Beyond the edge the last maximum goes on. */
static void blur(const Blur *b, int32_t multiplier, uint8_t shift, int32_t zero, const uint8_t *in, uint8_t *out)
{
    for (int32_t i = 0; i < b->channels; i++, in += b->height * b->width) {
        for (int32_t row = 0; row < b->out_height; row++) {
            for (int32_t column = 0; column < b->out_width; column++) {
                int32_t sum = 0;
                for (int32_t y = -1; y <= 1; y++) {
                    const uint8_t *line = in + within(row * b->stride + y, b->height - b->window + 1) * b->width;
                    for (int32_t x = -1; x <= 1; x++) {
                        sum += (y ? 1 : 2) * (x ? 1 : 2)
                            * largest_at(b, line + within(column * b->stride + x, b->width - b->window + 1));
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
                ${sum} sum = 0;
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
    for (; n > 0; n -= n_a_table, tables += 256) {
        for (int32_t i = 0; i < n_a_table; i++) {
            *out++ = tables[*in++];
        }
    }
}
"""

SLOPES = """/* What is above 0 times one factor, what is below times that of the channel. */
static void slope(int32_t channels, int32_t n, int32_t in_zero, int32_t multiplier, uint8_t shift,
                  const int32_t *multipliers, const uint8_t *shifts, int32_t zero, const uint8_t *in, uint8_t *out)
{
    for (int32_t channel = 0; channel < channels; channel++) {
        for (int32_t i = 0; i < n; i++) {
            const int32_t value = *in++ - in_zero;
            *out++ = value < 0 ? limited(value, multipliers[channel], shifts[channel], zero)
                               : limited(value, multiplier, shift, zero);
        }
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
    for (int32_t channel = 0; channel < channels; channel++) {
        for (int32_t i = 0; i < n; i++) {
            *out++ = limited((*in++ - in_zero) * factors[channel], multiplier, shift, zero);
        }
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
