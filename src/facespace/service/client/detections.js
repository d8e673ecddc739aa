// What the detector's maps mean: candidates, their overlaps, and which of them are one face. See `faces/layouts.py`.
//
// A face is { box: [x0, y0, x1, y1], landmarks: five [x, y], score }.

const STRIDES = [8, 16, 32];
const SIDE_UNIT = 4; // a box side is exp(output) * this many strides
const VOTING_IOU = 0.6;

/** Faces of at least that score in the maps (1, 15, H/s, W/s): logit, box (dx, dy, log w, log h), landmarks. */
export function decode(maps, width, threshold) {
  const bounded = Math.min(Math.max(threshold, 1e-6), 1 - 1e-6), least = Math.log(bounded / (1 - bounded));
  const faces = [];
  for (const stride of STRIDES) {
    const values = maps[`map_${stride}`].data, n = values.length / 15, columns = width / stride;
    for (let i = 0; i < n; i++) {
      if (values[i] < least) continue;
      const at = channel => values[channel * n + i];
      const x = (i % columns + 0.5 + at(1)) * stride - 0.5, y = (Math.floor(i / columns) + 0.5 + at(2)) * stride - 0.5;
      const [w, h] = [3, 4].map(c => Math.exp(Math.min(Math.max(at(c), -6), 6)) * SIDE_UNIT * stride);
      faces.push({
        box: [x - w / 2, y - h / 2, x + w / 2, y + h / 2],
        landmarks: [0, 1, 2, 3, 4].map(k => [x + at(5 + 2 * k) * w, y + at(6 + 2 * k) * h]),
        score: 1 / (1 + Math.exp(-values[i])),
      });
    }
  }
  return faces;
}

export function area([x0, y0, x1, y1]) {
  return Math.max(x1 - x0, 0) * Math.max(y1 - y0, 0);
}

function common(a, b) {
  return Math.max(Math.min(a[2], b[2]) - Math.max(a[0], b[0]), 0) * Math.max(Math.min(a[3], b[3]) - Math.max(a[1], b[1]), 0);
}

/** Greedy non-maximum suppression, highest score first: a box goes whose overlap with a kept one exceeds `iou`. */
export function suppress(faces, iou) {
  const kept = [];
  for (const face of [...faces].sort((a, b) => b.score - a.score)) {
    const size = area(face.box);
    const isNew = kept.every(other => {
      const shared = common(face.box, other.box);
      return shared <= iou * (size + area(other.box) - shared);
    });
    if (isNew) kept.push(face);
  }
  return kept;
}

/** The mean landmarks of all candidates of the same face, by score and overlap. */
export function voted(face, candidates) {
  const sum = [0, 1, 2, 3, 4].map(() => [0, 0]), size = area(face.box);
  let total = 0;
  for (const other of candidates) {
    const shared = common(face.box, other.box);
    const iou = shared / Math.max(size + area(other.box) - shared, 1e-9);
    if (iou < VOTING_IOU) continue;
    total += iou * other.score;
    other.landmarks.forEach(([x, y], k) => { sum[k][0] += iou * other.score * x; sum[k][1] += iou * other.score * y; });
  }
  return { ...face, landmarks: sum.map(point => point.map(v => v / total)) };
}

/** The same face in a picture that is so many times as wide and high; pixel centres are at whole numbers. */
export function scaled(face, factorX, factorY = factorX) {
  const place = (x, y) => [(x + 0.5) * factorX - 0.5, (y + 0.5) * factorY - 0.5];
  const [x0, y0, x1, y1] = face.box;
  return { ...face, box: [...place(x0, y0), ...place(x1, y1)], landmarks: face.landmarks.map(([x, y]) => place(x, y)) };
}
