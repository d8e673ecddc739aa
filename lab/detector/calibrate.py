"""Choose the score threshold on training photos that no step has seen."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facespace.faces.detect import Detector
from facespace.faces.matching import FALSE_ALARM, match_faces
from facespace.faces.split import LabelledPhoto

LEAST_FACE_PX = 12.0
LEAST_PRECISION = 0.98  # a false person in a library annoys more than a missed blurred face
SIZES = (1.0, 0.5)  # the photos hold few small faces as they are
CANDIDATES = np.round(np.arange(0.2, 0.9, 0.01), 2)


def choose_threshold(
    model: Path, photos: Sequence[LabelledPhoto], doubtful: Mapping[str, Sequence[Sequence[float]]]
) -> float:
    """The score threshold that finds most faces of ``photos``, at full and half size, at LEAST_PRECISION.

    ``doubtful`` are regions by the photo's name that count neither way; labels that fill one do not count.
    """
    detector = Detector(model, score_threshold=float(CANDIDATES[0]))
    scores, right, n_faces = [], [], 0
    for photo in photos:
        image = Image.open(photo.path).convert("RGB")
        regions = np.array(doubtful.get(photo.path.name, []), np.float32).reshape(-1, 4)
        for size in SIZES:
            s, r, n = _outcome(detector, image, photo.boxes_xyxy, regions, size)
            scores.append(s)
            right.append(r)
            n_faces += n
    return best_threshold(np.concatenate(scores), np.concatenate(right), n_faces)


def _outcome(
    detector: Detector,
    image: Image.Image,
    boxes: NDArray[np.float32],
    regions: NDArray[np.float32],
    size: float,
) -> tuple[NDArray[np.float32], NDArray[np.bool_], int]:
    """Scores of the found faces that count, which are right, and how many there are to find."""
    wh = (max(round(image.width * size), 1), max(round(image.height * size), 1))
    small = np.asarray(image.resize(wh, Image.Resampling.BICUBIC))
    factor = np.float32(size)
    sides = np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)) * factor
    withdrawn = (np.abs(boxes[:, None] - regions[None]).max(2) < 0.1).any(1)
    counts = (sides >= LEAST_FACE_PX) & ~withdrawn
    found = detector.detect(small)
    ignored = np.concatenate([boxes[~counts], regions]) * factor
    truth_idx = match_faces(found, boxes[counts] * factor, ignored).truth_idx
    kept = (truth_idx >= 0) | (truth_idx == FALSE_ALARM)
    return found.scores[kept], truth_idx[kept] >= 0, int(counts.sum())


def best_threshold(scores: NDArray[np.float32], right: NDArray[np.bool_], n_faces: int) -> float:
    """The candidate that finds most of the ``n_faces`` with a precision of LEAST_PRECISION or more.

    Of equals the highest; where none is precise enough, the one that is most so.
    """
    accepted = scores[None] >= CANDIDATES[:, None]
    hits, found = (accepted & right[None]).sum(1), accepted.sum(1)
    precision = hits / np.maximum(found, 1)
    if precision.max() < LEAST_PRECISION:
        return float(CANDIDATES[precision.argmax()])
    recall = np.where(precision >= LEAST_PRECISION, hits / max(n_faces, 1), -1.0)
    return float(CANDIDATES[np.flatnonzero(recall == recall.max())[-1]])
