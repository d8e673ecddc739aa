// A face's pixels in a standard place, by five landmarks; see `facespace/faces/align.py`.

import { warp } from "./pixels.js";

const TEMPLATE_PX = 112;
// Left eye, right eye, nose, left and right mouth corner, as seen in the picture.
export const TEMPLATE = [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]];

const mean = values => values.reduce((a, b) => a + b, 0) / values.length;

/** The scale, turn and shift that bring `points` closest to `target`, by least squares (Umeyama 1991). */
export function similarity(points, target) {
  const [px, py, tx, ty] = [points, target].flatMap(set => [mean(set.map(p => p[0])), mean(set.map(p => p[1]))]);
  let along = 0, across = 0, spread = 0;
  points.forEach(([x, y], i) => {
    const sx = x - px, sy = y - py, dx = target[i][0] - tx, dy = target[i][1] - ty;
    along += sx * dx + sy * dy;
    across += sx * dy - sy * dx;
    spread += sx * sx + sy * sy;
  });
  const re = along / Math.max(spread, 1e-12), im = across / Math.max(spread, 1e-12);
  return [[re, -im, tx - re * px + im * py], [im, re, ty - im * px - re * py]];
}

/** The face turned, scaled and shifted so that its landmarks lie on the template. */
export function align(picture, landmarks, size) {
  const factor = size / TEMPLATE_PX;
  const target = TEMPLATE.map(point => point.map(v => (v + 0.5) * factor - 0.5));
  return warp(picture, similarity(landmarks, target), size, size);
}
