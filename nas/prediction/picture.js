// Pictures made into what a network takes: what nas.prediction.pictures does, from pixels with red, green, blue and opacity.

const DARK = 0.35, LIGHT = 0.65, NOISE = 0.05, FAINT = 24, INK = 4;
const roundHalfUp = (value) => Math.floor(value + 0.5);
const between = (value, most) => Math.max(0, Math.min(value, most));
const median = (values) => {
  const sorted = values.toSorted((a, b) => a - b), half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
};

// An image here: width, height, and `planes` with a byte for each pixel.
const planesOf = ({ width, height, data }) => ({
  width, height,
  planes: [0, 1, 2].map((c) => Uint8ClampedArray.from({ length: width * height }, (_, i) => {
    const opacity = data[4 * i + 3] / 255;
    return data[4 * i + c] * opacity + 255 * (1 - opacity);
  })),
});
const greyOf = ({ width, height, planes: [r, g, b] }) => ({
  width, height, planes: [r.map((_, i) => (19595 * r[i] + 38470 * g[i] + 7471 * b[i] + 32768) >> 16)],
});

function edgeOf({ width, height }, plane) {
  const columns = [0, width - 1].flatMap((j) => Array.from({ length: height }, (_, i) => plane[i * width + j]));
  return [...plane.subarray(0, width), ...plane.subarray((height - 1) * width), ...columns];
}

// A margin of the colour that the edge has mostly, so that width / height is the proportion.
function filledUp(image, proportion) {
  const { width, height, planes } = image;
  const wide = Math.max(width, Math.round(height * proportion)), high = Math.max(height, Math.round(width / proportion));
  const left = (wide - width) >> 1, top = (high - height) >> 1;
  return { width: wide, height: high, planes: planes.map((plane) => {
    const whole = new Uint8ClampedArray(wide * high).fill(Math.floor(median(edgeOf(image, plane))));
    for (let i = 0; i < height; i++) whole.set(plane.subarray(i * width, (i + 1) * width), (top + i) * wide + left);
    return whole;
  }) };
}

const sinc = (x) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

// Which pixels each of `n` new ones is made of, and with which weights: Lanczos, three lobes, wider where it shrinks.
function lanczos(length, n) {
  const scale = length / n, wide = Math.max(scale, 1);
  return Array.from({ length: n }, (_, place) => {
    const centre = (place + 0.5) * scale;
    const first = Math.max(0, Math.floor(centre - 3 * wide + 0.5)), last = Math.min(length, Math.floor(centre + 3 * wide + 0.5));
    const weights = Array.from({ length: last - first }, (_, i) => {
      const x = (first + i - centre + 0.5) / wide;
      return Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0;
    });
    const sum = weights.reduce((a, b) => a + b);
    return [first, weights.map((weight) => weight / sum)];
  });
}

// Rows first, rounded to bytes, then columns.
function resized({ width, height, planes }, wide, high) {
  const across = lanczos(width, wide), down = lanczos(height, high);
  return { width: wide, height: high, planes: planes.map((plane) => {
    const rows = width === wide ? plane : new Uint8ClampedArray(wide * height);
    if (rows !== plane) for (let i = 0; i < height; i++) across.forEach(([first, weights], j) => {
      rows[i * wide + j] = roundHalfUp(weights.reduce((sum, weight, k) => sum + weight * plane[i * width + first + k], 0));
    });
    if (height === high) return rows;
    const whole = new Uint8ClampedArray(wide * high);
    down.forEach(([first, weights], i) => { for (let j = 0; j < wide; j++) {
      whole[i * wide + j] = roundHalfUp(weights.reduce((sum, weight, k) => sum + weight * rows[(first + k) * wide + j], 0));
    } });
    return whole;
  }) };
}

const mostOf = (values) => values.reduce((a, b) => Math.max(a, b), 0);
const stretched = (values) => {
  const most = mostOf(values);
  return values.map((value) => Math.floor((value * 255) / Math.max(1, most)));
};

function inkOf(image, values) {
  const edge = edgeOf(image, values).sort((a, b) => a - b);
  const [usual, darkest] = [0.5, NOISE].map((share) => edge[Math.floor(share * (edge.length - 1))]);
  const ground = 2 * usual - darkest;
  const ink = values.map((value) => Math.max(value - ground, 0));
  return mostOf(ink) < FAINT ? null : stretched(ink);
}

// What is there, and nothing around it, with the longer side of the training images.
function scaledTo({ width, height }, ink, size, most) {
  const threshold = mostOf(ink), there = (i, j) => INK * ink[i * width + j] > threshold;
  let top = height, bottom = 0, left = width, right = 0;
  for (let i = 0; i < height; i++) for (let j = 0; j < width; j++) if (there(i, j)) {
    [top, bottom, left, right] = [Math.min(top, i), Math.max(bottom, i + 1), Math.min(left, j), Math.max(right, j + 1)];
  }
  const [rows, columns] = [bottom - top, right - left], factor = size / Math.max(rows, columns);
  const held = new Uint8ClampedArray(rows * columns);
  for (let i = 0; i < rows; i++) held.set(ink.subarray((top + i) * width + left, (top + i) * width + right), i * columns);
  const [high, wide] = [[rows, most.height], [columns, most.width]].map(
    ([length, limit]) => between(roundHalfUp(length * factor) - 1, limit - 1) + 1,
  );
  const scaled = resized({ width: columns, height: rows, planes: [held] }, wide, high);
  return { width: wide, height: high, values: stretched(scaled.planes[0]) };
}

function centred(image, grey, { height, width, framing, mean }) {
  const dark = mean[0] < 0.5, ink = inkOf(image, dark ? grey : grey.map((value) => 255 - value));
  const whole = new Uint8ClampedArray(height * width);
  if (ink) {
    const held = scaledTo(image, ink, framing[0], { height, width });
    let [mass, row, column] = [0, 0, 0];
    held.values.forEach((value, i) => {
      mass += value;
      row += value * Math.floor(i / held.width);
      column += value * (i % held.width);
    });
    const top = between(roundHalfUp(framing[1] - row / mass), height - held.height);
    const left = between(roundHalfUp(framing[2] - column / mass), width - held.width);
    for (let i = 0; i < held.height; i++) {
      whole.set(held.values.subarray(i * held.width, (i + 1) * held.width), (top + i) * width + left);
    }
  }
  return dark ? whole : whole.map((value) => 255 - value);
}

// A picture as bytes, channel by channel, and what was done to it. `takes`: channels, height, width, mean and framing.
function pictureFor(takes, pixels) {
  const { channels, height, width, mean, framing } = takes, sameSize = pixels.width === width && pixels.height === height;
  let image = planesOf(pixels);
  const frames = framing && channels === 1 && !sameSize;
  if (frames) image = greyOf(image);
  else if (!sameSize) image = resized(filledUp(image, width / height), width, height);
  if (channels === 1 && !frames) image = greyOf(image);
  const light = channels === 1 && median(edgeOf(image, image.planes[0])) >= 128;
  const inverted = channels === 1 && (mean[0] < DARK ? light : mean[0] > LIGHT ? !light : false);
  const planes = image.planes.map((plane) => (inverted ? plane.map((value) => 255 - value) : plane));
  const made = frames ? [centred(image, planes[0], takes)] : planes;
  return { bytes: made.flatMap((plane) => [...plane]), inverted, centred: Boolean(frames) };
}
