// Pixels as Pillow makes them, number for number: faces found here must be those that the server would find.
//
// A picture is { data, width, height }, as ImageData has it: four bytes a pixel, of which the fourth is not looked at.

const CHANNELS = 3;
const PRECISION = 22; // bits of a weight behind the point, as in Pillow's Resample.c

export function blank(width, height) {
  return { data: new Uint8ClampedArray(width * height * 4), width, height };
}

/** Round half to even, as Python and NumPy do. */
export function round(x) {
  const low = Math.floor(x), rest = x - low;
  return rest > 0.5 || (rest === 0.5 && low % 2) ? low + 1 : low;
}

/** Squares of `factor` pixels as one, as `Image.reduce` does; those at the right and below may be smaller. */
export function reduce(picture, factorX, factorY = factorX) {
  if (factorX === 1 && factorY === 1) return picture;
  const { data, width, height } = picture;
  const small = blank(Math.ceil(width / factorX), Math.ceil(height / factorY));
  for (let y = 0, to = 0; y < small.height; y++) {
    const bottom = Math.min((y + 1) * factorY, height);
    for (let x = 0; x < small.width; x++, to += 4) {
      const right = Math.min((x + 1) * factorX, width);
      const n = (bottom - y * factorY) * (right - x * factorX);
      const multiplier = Math.floor(2 ** 24 / n);
      let r = n >> 1, g = r, b = r;
      for (let row = y * factorY; row < bottom; row++) {
        for (let at = (row * width + x * factorX) * 4, end = (row * width + right) * 4; at < end; at += 4) {
          r += data[at]; g += data[at + 1]; b += data[at + 2];
        }
      }
      small.data[to] = Math.floor(r * multiplier / 2 ** 24);
      small.data[to + 1] = Math.floor(g * multiplier / 2 ** 24);
      small.data[to + 2] = Math.floor(b * multiplier / 2 ** 24);
    }
  }
  return small;
}

/** As `Image.resize(..., BILINEAR, reducing_gap=2.0)`. */
export function resize(picture, width, height) {
  const factorX = Math.floor(picture.width / width / 2) || 1, factorY = Math.floor(picture.height / height / 2) || 1;
  const reduced = reduce(picture, factorX, factorY);
  const across = weights(reduced.width, picture.width / factorX, width);
  const down = weights(reduced.height, picture.height / factorY, height);
  const narrow = width === picture.width / factorX && width === reduced.width ? reduced : resample(reduced, across, width, reduced.height, 4, 0);
  return height === picture.height / factorY && height === narrow.height ? narrow : resample(narrow, down, width, height, 0, narrow.width * 4);
}

/** Of each new pixel the first old one and the weights, for a stretch of `extent` of `oldSize` pixels. */
function weights(oldSize, extent, newSize) {
  const scale = extent / newSize, reach = Math.max(scale, 1);
  return Array.from({ length: newSize }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const first = Math.max(Math.trunc(centre - reach + 0.5), 0);
    const last = Math.min(Math.trunc(centre + reach + 0.5), oldSize);
    const raw = Array.from({ length: last - first }, (_, k) => Math.max(1 - Math.abs((k + first - centre + 0.5) / reach), 0));
    const sum = raw.reduce((a, b) => a + b, 0);
    return { first, of: Int32Array.from(raw, w => Math.trunc(0.5 + w / sum * 2 ** PRECISION)) };
  });
}

/** One direction: `stepX` of it is how far apart in memory neighbours are along a row, else `stepY` along a column. */
function resample(picture, parts, width, height, stepX, stepY) {
  const made = blank(width, height), { data } = picture, step = stepX || stepY;
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++, to += 4) {
      const { first, of } = parts[stepX ? x : y];
      const start = stepX ? y * picture.width * 4 + first * 4 : first * stepY + x * 4;
      for (let c = 0; c < CHANNELS; c++) {
        let sum = 1 << (PRECISION - 1);
        for (let k = 0, at = start + c; k < of.length; k++, at += step) sum += data[at] * of[k];
        made.data[to + c] = sum >> PRECISION; // the array clips
      }
    }
  }
  return made;
}

/** Of a picture no side longer than `longest`. */
export function shrink(picture, longest) {
  const factor = longest / Math.max(picture.width, picture.height);
  if (factor >= 1) return picture;
  return resize(picture, Math.max(1, round(picture.width * factor)), Math.max(1, round(picture.height * factor)));
}

/** A crop by an affine map of pixel centres, crop = m [x, y, 1], m = [[a, b, c], [d, e, f]]; as `align.warp` does. */
export function warp(picture, m, width, height) {
  const made = blank(width, height);
  const [[a, b, c], [d, e, f]] = inverse(m);
  const ends = [[0, 0], [width, 0], [0, height], [width, height]].map(([x, y]) => [a * x + b * y + c, d * x + e * y + f]);
  const [left, right] = span(ends.map(p => p[0]), picture.width), [top, bottom] = span(ends.map(p => p[1]), picture.height);
  if (right <= left || bottom <= top) return made;
  const factor = Math.max(1, Math.trunc(Math.sqrt(Math.abs(a * e - b * d))));
  const region = reduce(cut(picture, left, top, right, bottom), factor);
  const xx = a / factor, xy = b / factor, yx = d / factor, yy = e / factor;
  const shiftX = (c - left + 0.5) / factor - (xx + xy) * 0.5, shiftY = (f - top + 0.5) / factor - (yx + yy) * 0.5;
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++, to += 4) {
      sample(region, xx * (x + 0.5) + xy * (y + 0.5) + shiftX, yx * (x + 0.5) + yy * (y + 0.5) + shiftY, made.data, to);
    }
  }
  return made;
}

export function inverse([[a, b, c], [d, e, f]]) {
  const det = a * e - b * d;
  return [[e / det, -b / det, (b * f - c * e) / det], [-d / det, a / det, (c * d - a * f) / det]];
}

function span(values, limit) {
  const within = v => Math.min(Math.max(v, 0), limit);
  return [within(Math.floor(Math.min(...values)) - 2), within(Math.ceil(Math.max(...values)) + 3)];
}

export function cut(picture, left, top, right, bottom) {
  const part = blank(right - left, bottom - top);
  for (let y = top; y < bottom; y++) {
    const start = (y * picture.width + left) * 4;
    part.data.set(picture.data.subarray(start, start + part.width * 4), (y - top) * part.width * 4);
  }
  return part;
}

/** Bilinear, black beyond the picture; pixel centres lie at + 0.5. */
function sample({ data, width, height }, x, y, into, to) {
  if (!(x >= 0 && x < width && y >= 0 && y < height)) return;
  const x0 = Math.floor(x - 0.5), y0 = Math.floor(y - 0.5), dx = x - 0.5 - x0, dy = y - 0.5 - y0;
  const left = Math.max(x0, 0) * 4, right = Math.min(x0 + 1, width - 1) * 4;
  const upper = Math.max(y0, 0) * width * 4, lower = Math.min(y0 + 1, height - 1) * width * 4;
  for (let c = 0; c < CHANNELS; c++) {
    const above = data[upper + left + c] + (data[upper + right + c] - data[upper + left + c]) * dx;
    const below = data[lower + left + c] + (data[lower + right + c] - data[lower + left + c]) * dx;
    into[to + c] = Math.trunc(above + (below - above) * dy);
  }
}
