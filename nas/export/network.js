// A network: its operations in order, as nas.export.javascript lists them. Numbers lie channel by channel, row by row.

// Abramowitz and Stegun 7.1.26; off by 1.5e-7 at most.
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const sum = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return Math.sign(x) * (1 - sum * Math.exp(-x * x));
}

const FUNCTIONS = {
  relu: (x) => Math.max(x, 0),
  leaky_relu: (x) => (x < 0 ? 0.01 * x : x),
  elu: (x) => (x < 0 ? Math.expm1(x) : x),
  gelu: (x) => (x * (1 + erf(x / Math.SQRT2))) / 2,
  silu: (x) => x / (1 + Math.exp(-x)),
  hardswish: (x) => x * FUNCTIONS.hardsigmoid(x),
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  hardsigmoid: (x) => Math.min(Math.max(x / 6 + 0.5, 0), 1),
};

const sizeOf = (shape) => shape[0] * shape[1] * shape[2];
const applied = (name, values) => (name ? values.map(FUNCTIONS[name]) : values);

// Of every window of an image: what `visit` makes of the places that are in it; `start` and `end` bound a side.
function windows({ input, output, start, end }, x, begin, add, finish) {
  const [channels, height, width] = input, [, rows, columns] = output, y = new Float64Array(channels * rows * columns);
  for (let c = 0; c < channels; c++) for (let r = 0; r < rows; r++) for (let q = 0; q < columns; q++) {
    const [top, bottom] = [Math.max(start(r, height, rows), 0), Math.min(end(r, height, rows), height)];
    const [left, right] = [Math.max(start(q, width, columns), 0), Math.min(end(q, width, columns), width)];
    let value = begin;
    for (let i = top; i < bottom; i++) for (let j = left; j < right; j++) value = add(value, x[(c * height + i) * width + j]);
    y[(c * rows + r) * columns + q] = finish(value, (bottom - top) * (right - left));
  }
  return y;
}

const strided = (step) => ({
  ...step,
  start: (i) => i * step.stride - (step.padding ?? 0),
  end: (i) => i * step.stride - (step.padding ?? 0) + step.kernel,
});
const plus = (a, b) => a + b;

const OPERATIONS = {
  // Each channel of the sum times a factor, which is batch norm's.
  convolution({ input, output, kernel, stride, padding, dilation, groups, weights, factor, shift, f }, [x]) {
    const [inputs, height, width] = input, [outputs, rows, columns] = output, y = new Float64Array(sizeOf(output));
    const n = inputs / groups, perGroup = outputs / groups;
    let w = 0;
    for (let o = 0; o < outputs; o++) {
      const first = Math.floor(o / perGroup) * n, at = o * rows * columns;
      for (let c = first; c < first + n; c++) for (let i = 0; i < kernel[0]; i++) for (let j = 0; j < kernel[1]; j++, w++) {
        for (let r = 0; r < rows; r++) {
          const row = r * stride - padding[0] + i * dilation;
          if (row < 0 || row >= height) continue;
          for (let q = 0; q < columns; q++) {
            const column = q * stride - padding[1] + j * dilation;
            if (column >= 0 && column < width) y[at + r * columns + q] += weights[w] * x[(c * height + row) * width + column];
          }
        }
      }
      for (let p = at; p < at + rows * columns; p++) y[p] = y[p] * (factor ? factor[o] : 1) + (shift ? shift[o] : 0);
    }
    return applied(f, y);
  },
  sum: ({ f }, [x, other]) => applied(f, x.map((value, i) => value + other[i])),
  concatenation: (step, parts) => Float64Array.from(parts.flatMap((part) => [...part])),
  function: ({ f }, [x]) => applied(f, x),
  slopes: ({ input, slopes }, [x]) => x.map((v, i) => (v < 0 ? v * slopes[Math.floor(i / (input[1] * input[2]))] : v)),
  maximum: (step, [x]) => windows(strided(step), x, -Infinity, Math.max, (value) => value),
  average: (step, [x]) => windows(strided(step), x, 0, plus, (sum) => sum / step.kernel ** 2),
  parts: (step, [x]) =>
    windows({
      ...step,
      start: (i, size, n) => Math.floor((i * size) / n),
      end: (i, size, n) => Math.ceil(((i + 1) * size) / n),
    }, x, 0, plus, (sum, n) => sum / n),
  maximumAndAverage(step, x) {
    const maxima = OPERATIONS.maximum({ ...step, kernel: Math.max(...step.input), stride: 1 }, x);
    return OPERATIONS.parts(step, x).map((mean, i) => (mean + maxima[i]) / 2);
  },
  shuffle({ input: [channels, height, width], groups }, [x]) {
    const n = height * width, each = channels / groups;
    return x.map((_, i) => x[((Math.floor(i / n) % groups) * each + Math.floor(i / n / groups)) * n + (i % n)]);
  },
  // Beyond the edge the last pixel goes on.
  blur({ input: [channels, height, width], output, stride, window }, [x]) {
    const [rows, columns] = [height - window + 1, width - window + 1];
    const size = { input: [channels, height, width], output: [channels, rows, columns], kernel: window, stride: 1 };
    const maxima = OPERATIONS.maximum(size, [x]), within = (i, n) => Math.min(Math.max(i, 0), n - 1);
    return Float64Array.from({ length: sizeOf(output) }, (_, p) => {
      const q = p % output[2], r = Math.floor(p / output[2]) % output[1], c = Math.floor(p / output[1] / output[2]);
      let sum = 0;
      for (let i = -1; i < 2; i++) for (let j = -1; j < 2; j++) {
        const place = (c * rows + within(r * stride + i, rows)) * columns + within(q * stride + j, columns);
        sum += (2 - Math.abs(i)) * (2 - Math.abs(j)) * maxima[place];
      }
      return sum / 16;
    });
  },
  // Averages over squares that are cut at the edge, and channels of zeros behind them.
  shrinking({ input, output, stride }, [x]) {
    const y = new Float64Array(sizeOf(output));
    y.set(windows(strided({ input, output, stride, kernel: stride }), x, 0, plus, (sum, n) => sum / n));
    return y;
  },
  excitation({ input, squeeze, excite }, [x]) {
    const means = OPERATIONS.parts({ input, output: [input[0], 1, 1] }, [x]);
    const factors = OPERATIONS.convolution(excite, [OPERATIONS.convolution(squeeze, [means])]);
    return x.map((value, i) => value * factors[Math.floor(i / (input[1] * input[2]))]);
  },
};

function numbersOf(base64) {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

// A function from bytes of an image, channel by channel, to scores. Numbers are given as where they begin, and how many.
function networkOf({ mean, std, steps, numbers }) {
  const all = numbersOf(numbers);
  const resolved = (step) => Object.fromEntries(Object.entries(step).map(([key, value]) => [
    key,
    NUMBERS.includes(key) ? all.subarray(value[0], value[0] + value[1]) : key === "squeeze" || key === "excite" ? resolved(value) : value,
  ]));
  const ready = steps.map(resolved);
  return (bytes) => {
    const n = bytes.length / mean.length, channel = (i) => Math.floor(i / n);
    const image = Float64Array.from(bytes, (byte, i) => (byte / 255 - mean[channel(i)]) / std[channel(i)]);
    const results = [];
    for (const step of ready) results.push(OPERATIONS[step.op](step, step.from.map((i) => (i < 0 ? image : results[i]))));
    return results.length ? results.at(-1) : image;
  };
}
const NUMBERS = ["weights", "factor", "shift", "slopes"];
