"""Fit the weights of `facespace.faces.quality` on `faces/train`: python recipes/quality.py DATA

Target: the cosine of a face's embedding and the mean of its person's others, by the built-in embedder, on six faces
of each person with six or more (5,214 faces of 869 people). Ridge regression; about a minute on one core.
Outcome: correlation 0.14 with that agreement on `faces/val`; `facespace measure quality` tells what it is good for.
Tried without success: fitting to darkened, faded and shrunk copies too. Their great differences drown the small ones
among ordinary faces, and the gain of dropping the worst tenth fell from 1.8 points to 0.4. So what lies beyond
ordinary contrast is a share of its own in `face_quality`.
"""

import sys
from pathlib import Path

import numpy as np

from facespace.embed import Embedder
from facespace.extract import extract_crops
from facespace.faces.quality import MEASURES, crop_measures

FACES_EACH, RIDGE, BATCH = 6, 10.0, 64


def main() -> None:
    folders = sorted(p for p in (Path(sys.argv[1]) / "faces" / "train").iterdir() if p.is_dir())
    groups = [sorted(folder.iterdir())[:FACES_EACH] for folder in folders]
    paths = [path for group in groups if len(group) == FACES_EACH for path in group]
    embedder = Embedder()
    rows, measures = [], []
    for start in range(0, len(paths), BATCH):
        crops = np.stack([crop for _, _, crop in extract_crops(paths[start : start + BATCH], embedder)])
        rows.append(embedder.embed(crops))
        measures.append(crop_measures(crops))
    weights, constant = fit(np.concatenate(measures), agreement(np.concatenate(rows)))
    for name, weight in zip(MEASURES, weights, strict=True):
        print(f"{name}: {weight:.4f}")
    print(f"constant: {constant:.4f}")


def agreement(rows: np.ndarray) -> np.ndarray:
    """Cosine of each row and the mean of its person's others; FACES_EACH rows a person, one after another."""
    people = rows.reshape(-1, FACES_EACH, rows.shape[1])
    others = people.sum(1, keepdims=True) - people
    return ((people * others).sum(2) / np.linalg.norm(others, axis=2)).ravel()


def fit(measures: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, float]:
    """Weights and constant of raw measures, whose prediction has mean 0 and spread 1."""
    mean, spread = measures.mean(0), measures.std(0)
    z = (measures - mean) / spread
    slopes = np.linalg.solve(z.T @ z + RIDGE * np.eye(z.shape[1]), z.T @ (target - target.mean()))
    weights = slopes / spread / (z @ slopes).std()
    return weights, float(-(weights @ mean))


if __name__ == "__main__":
    main()
