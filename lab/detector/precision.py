"""Average precision of detectors on WIDER FACE's layout, side by side in one run, with their time a picture.

    python -m lab.detector.precision ../more/wider facespace-detector peers/yunet_n.onnx peers/scrfd_2.5g.onnx

The held-out events only, unless --all-events is given. WIDER's own lists of easy, medium and hard faces are of its
val part. The subsets here are ours, by height in the picture and by occlusion: *large* from 50 px, *middle* from
30 px, both without heavily occluded faces, *all* from 10 px. Times are processor time of the whole detection at the
detector's own threshold, on one thread, in turns.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facespace.faces.detect import DEFAULT_INPUT_PX, Detector
from facespace.images import read_image
from facespace.metrics.detection import FoundFaces, LabelledFaces, average_precision
from lab.detector.wider import WiderPhoto, read_wider

__all__ = ["SUBSETS", "WiderResult", "measure_wider", "subset"]

LEAST_SCORE = 0.02
HEAVY = 2
SUBSETS = {
    "large": (50, False),
    "middle": (30, False),
    "all": (10, True),
}  # least height, heavily occluded too


@dataclass(frozen=True)
class WiderResult:
    """What one detector reached: average precision and faces that count by subset; processor ms a picture."""

    model: str
    score_threshold: float
    ap: dict[str, float]
    n_faces: dict[str, int]
    n_photos: int
    ms_mean: float
    ms_median: float


def subset(photo: WiderPhoto, name: str) -> NDArray[np.bool_]:
    """Which labelled faces of ``photo`` count in one of SUBSETS, shape (N,)."""
    least_height, occluded = SUBSETS[name]
    heights = photo.boxes_xyxy[:, 3] - photo.boxes_xyxy[:, 1]
    return ~photo.invalid & (heights >= least_height) & (occluded | (photo.occlusion < HEAVY))


def measure_wider(
    photos: Sequence[WiderPhoto],
    models: Sequence[str | Path | None],
    *,
    input_px: int = DEFAULT_INPUT_PX,
    on_photo: Callable[[int, int], None] | None = None,
) -> list[WiderResult]:
    """Each of ``models`` (None is the built-in detector) on ``photos``."""
    ranked = [Detector(model, score_threshold=LEAST_SCORE, input_px=input_px) for model in models]
    usual = [Detector(model, input_px=input_px) for model in models]
    found: list[list[FoundFaces]] = [[] for _ in models]
    seconds = np.zeros((len(photos), len(models)))
    for row, photo in enumerate(photos):
        pixels = read_image(photo.path).pixels
        for column, (low, own) in enumerate(zip(ranked, usual, strict=True)):
            start = time.process_time()
            own.detect(pixels)
            seconds[row, column] = time.process_time() - start
            faces = low.detect(pixels)
            found[column].append(FoundFaces(faces.boxes_xyxy, faces.scores))
        if on_photo:
            on_photo(row + 1, len(photos))
    return [
        _result(detector, photos, faces, taken * 1e3)
        for detector, faces, taken in zip(usual, found, seconds.T, strict=True)
    ]


def _result(
    detector: Detector, photos: Sequence[WiderPhoto], found: list[FoundFaces], ms: NDArray[np.float64]
) -> WiderResult:
    curves = {
        name: average_precision(found, [LabelledFaces(p.boxes_xyxy, subset(p, name)) for p in photos])
        for name in SUBSETS
    }
    return WiderResult(
        detector.spec.label,
        detector.score_threshold,
        {name: curve.ap for name, curve in curves.items()},
        {name: curve.n_faces for name, curve in curves.items()},
        len(photos),
        float(ms.mean()),
        float(np.median(ms)),
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--input-px", type=int, default=DEFAULT_INPUT_PX)
    parser.add_argument("--every", type=int, default=1, help="measure one photo in so many")
    parser.add_argument("--all-events", action="store_true")
    options = parser.parse_args()
    photos = [p for p in read_wider(options.folder) if options.all_events or p.is_held_out]
    for result in measure_wider(photos[:: options.every], options.models, input_px=options.input_px):
        print(json.dumps(asdict(result)))


if __name__ == "__main__":
    main()
