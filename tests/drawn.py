"""Drawn faces: identities that differ by colour and a bar's place, with noise; quick to tell apart."""

import numpy as np

from facespace.training.data import Faces


def drawn_faces(n_identities: int = 8, n_each: int = 6, side: int = 112, *, seed: int = 0) -> Faces:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(n_identities), n_each)
    crops = rng.integers(0, 60, (len(labels), side, side, 3)).astype(np.uint8)
    bar = side // 9
    for crop, label in zip(crops, labels, strict=True):
        crop[label * bar : label * bar + bar + 4, :, label % 3] += 150
    return Faces.of_arrays(crops, labels)
