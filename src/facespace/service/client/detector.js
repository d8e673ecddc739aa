// Find faces in a picture as `facespace/faces/detect.py` does, with the same network and the same rules.
//
// Not here: tiles for pictures above 6,516 px or much longer than high, and detectors of other layouts.

import { similarity, TEMPLATE } from "./align.js";
import { area, decode, scaled, suppress, voted } from "./detections.js";
import { blank, inverse, reduce, resize, round, warp } from "./pixels.js";

const INPUT_PX = 640;
const STEP_PX = 32;
const NMS_IOU = 0.4;
const MAX_CANDIDATES = 2000;
const FAR_FACE_PX = 200;
const LEAST_SCORE = 0.1;
const FIRST_SCORE = 0.3;
const SURE_SCORE = 0.6;
const SECOND_LOOK_WEIGHT = 0.3;
const SECOND_LOOK_FACE_PX = 24;
const MIRRORED = [1, 0, 2, 4, 3];
const TEMPLATE_CENTRE = 56, TEMPLATE_EYES_PX = 35.2, EYES_SHARE = 0.3, FARTHEST = 0.3;

export class Detector {
  /** `run` takes a Float32Array of shape (1, 3, rows, columns), and gives the maps by name. */
  constructor(spec, run) {
    const { options } = spec;
    if (options.layout !== "facespace") throw new Error(`expected a detector of the layout facespace, met ${options.layout}`);
    Object.assign(this, { run, name: spec.name });
    this.threshold = options.score_threshold;
    this.farLook = options.far_look ?? 0;
    this.secondLook = Math.max(0, ...[options.second_look_px ?? 0].flat());
    this.secondFaces = options.second_look_faces ?? 4;
    this.firstScore = this.secondLook ? Math.min(FIRST_SCORE, this.threshold) : this.threshold;
  }

  /** Faces in the picture, highest score first. */
  async detect(picture) {
    const found = await this.look(picture);
    return this.secondLook ? this.lookAgain(picture, found) : found;
  }

  async look(picture) {
    const small = fitted(picture);
    let found = await this.find(small, this.firstScore);
    if (this.farLook && Math.max(small.width, small.height) >= 2 * FAR_FACE_PX) {
      const far = (await this.find(reduce(small, this.farLook), this.firstScore)).map(face => scaled(face, this.farLook));
      found = suppress([...found, ...far.filter(face => Math.sqrt(area(face.box)) >= FAR_FACE_PX)], NMS_IOU);
    }
    return inPicture(found, picture, picture.width / small.width, picture.height / small.height);
  }

  /** Faces in a picture that is no larger than the network's input. */
  async find(picture, threshold) {
    let candidates = await this.candidates(picture, Math.min(LEAST_SCORE, threshold));
    if (candidates.length > MAX_CANDIDATES) {
      candidates = candidates.sort((a, b) => b.score - a.score).slice(0, MAX_CANDIDATES);
    }
    const kept = suppress(candidates.filter(face => face.score >= threshold), NMS_IOU);
    return kept.map(face => voted(face, candidates));
  }

  async candidates(picture, threshold) {
    const { width, height, data } = picture;
    const rows = Math.ceil(height / STEP_PX) * STEP_PX, columns = Math.ceil(width / STEP_PX) * STEP_PX, plane = rows * columns;
    const tensor = new Float32Array(3 * plane);
    for (let y = 0, at = 0; y < height; y++) {
      for (let x = 0, to = y * columns; x < width; x++, at += 4, to++) {
        tensor[to] = data[at];
        tensor[to + plane] = data[at + 1];
        tensor[to + 2 * plane] = data[at + 2];
      }
    }
    return decode(await this.run(tensor, [1, 3, rows, columns]), columns, threshold);
  }

  /** Landmarks and doubtful scores by a second look: each face upright and in the mirror; see `second_look.py`. */
  async lookAgain(picture, found) {
    const rows = this.worthIt(found);
    const side = this.secondLook, unit = EYES_SHARE * side / TEMPLATE_EYES_PX;
    const target = TEMPLATE.map(point => point.map(v => (v - TEMPLATE_CENTRE) * unit + (side - 1) / 2));
    const maps = rows.map(i => similarity(found[i].landmarks, target));
    const seen = rows.length === 0 ? [] : await this.candidates(sheet(maps.map(m => warp(picture, m, side, side)), side), LEAST_SCORE);
    const mirrored = seen.map(face => ({ ...face, landmarks: MIRRORED.map(k => [2 * side - 1 - face.landmarks[k][0], face.landmarks[k][1]]) }));
    const better = [...found];
    rows.forEach((i, row) => {
      const here = placed(seen, target, row * side), there = placed(mirrored, target, row * side);
      const { score, landmarks } = found[i];
      const again = (here.score + there.score) / 2;
      better[i] = {
        ...found[i],
        score: score < SURE_SCORE ? (1 - SECOND_LOOK_WEIGHT) * score + SECOND_LOOK_WEIGHT * again : score,
        landmarks: here.score && there.score ? mixed(landmarks, here.landmarks, there.landmarks, inverse(maps[row])) : landmarks,
      };
    });
    return better.filter(face => face.score >= this.threshold).sort((a, b) => b.score - a.score);
  }

  /** The surest of the doubtful faces, and the largest of the sure ones: their places in `found`. */
  worthIt(found) {
    const size = i => area(found[i].box), places = [...found.keys()];
    const doubtful = places.filter(i => found[i].score < SURE_SCORE).slice(0, this.secondFaces);
    const sure = places.filter(i => found[i].score >= SURE_SCORE && Math.sqrt(size(i)) >= SECOND_LOOK_FACE_PX);
    return [...doubtful, ...sure.sort((a, b) => size(b) - size(a)).slice(0, this.secondFaces)];
  }
}

function fitted(picture) {
  const { width, height } = picture, scale = Math.min(INPUT_PX / height, INPUT_PX / width);
  if (scale >= 1) return picture;
  if (Number.isInteger(1 / scale)) return reduce(picture, 1 / scale);
  return resize(picture, Math.max(round(width * scale), 1), Math.max(round(height * scale), 1));
}

/** Faces in the pixels of the whole picture, cut at its edges; those wholly outside are dropped. */
function inPicture(found, { width, height }, factorX, factorY) {
  const within = (v, limit) => Math.min(Math.max(v, -0.5), limit - 0.5);
  return found.map(face => scaled(face, factorX, factorY)).map(face => {
    const [x0, y0, x1, y1] = face.box;
    return { ...face, box: [within(x0, width), within(y0, height), within(x1, width), within(y1, height)] };
  }).filter(({ box }) => box[2] - box[0] >= 1 && box[3] - box[1] >= 1);
}

/** One picture of all crops: each in a row with its mirror image. */
function sheet(crops, side) {
  const whole = blank(2 * side, side * crops.length), pixels = new Uint32Array(whole.data.buffer);
  crops.forEach((crop, row) => {
    const from = new Uint32Array(crop.data.buffer);
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        const start = (row * side + y) * 2 * side;
        pixels[start + x] = pixels[start + 2 * side - 1 - x] = from[y * side + x];
      }
    }
  });
  return whole;
}

/** The mean landmarks, by score, of the candidates near the expected ones, and the best score; 0 for none. */
function placed(seen, expected, offsetY) {
  const farthest = FARTHEST * Math.hypot(expected[1][0] - expected[0][0], expected[1][1] - expected[0][1]);
  const sum = expected.map(() => [0, 0]);
  let total = 0, best = 0;
  for (const face of seen) {
    const points = face.landmarks.map(([x, y]) => [x, y - offsetY]);
    const off = points.reduce((all, [x, y], k) => all + Math.hypot(x - expected[k][0], y - expected[k][1]), 0) / points.length;
    if (off > farthest) continue;
    const weight = face.score ** 2;
    points.forEach(([x, y], k) => { sum[k][0] += weight * x; sum[k][1] += weight * y; });
    total += weight;
    best = Math.max(best, face.score);
  }
  return { score: best, landmarks: total ? sum.map(point => point.map(v => v / total)) : expected };
}

/** One third of the first look, two thirds of the mean of the two in the upright crop, back in the picture. */
function mixed(first, here, there, [[a, b, c], [d, e, f]]) {
  return first.map(([x, y], k) => {
    const cx = (here[k][0] + there[k][0]) / 2, cy = (here[k][1] + there[k][1]) / 2;
    return [(x + 2 * (a * cx + b * cy + c)) / 3, (y + 2 * (d * cx + e * cy + f)) / 3];
  });
}
