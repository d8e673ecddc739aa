"""Face detectors on held-out photos and group stills, side by side.

Counting. A found face is right when it overlaps a labelled one by IoU >= 0.5. Labelled faces under 12 px at the
network's input (geometric mean of the box's sides), faces and regions to which the peers give no more than a score
of 0.3 to 0.6 at twice the photo's resolution, and labels that show no face to the eye, count neither as missed nor
as false alarms. Intervals (95 %) come from resampling whole photos, since faces of one photo are not independent.
For the recall by size the same photos are seen at half and quarter size too. Faceless pictures are pieces of held-out
photos beside every face, enlarged to the size of a photo. Times are those of the network alone, on one thread, taken
in turns.
"""

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from facespace.errors import DataError
from facespace.faces.detect import Detector
from facespace.faces.detections import Detections
from facespace.faces.matching import FALSE_ALARM, Matching, match_faces
from facespace.measure.context import Context
from facespace.measure.detection_data import (
    Detectors,
    Peers,
    TestPhoto,
    faceless_pictures,
    group_stills,
    held_out_photos,
)
from facespace.measure.embedding import OnStep
from facespace.measure.experiment import Option, experiment
from facespace.measure.result import (
    MEASURED,
    Cell,
    Column,
    PictureRow,
    Pictures,
    Result,
    Table,
    plain,
)

SIZES_PX = {"12-24": (12.0, 24.0), "24-48": (24.0, 48.0), ">48": (48.0, np.inf)}
LEAST_FACE_PX = 12.0
REDUCTIONS = (1.0, 0.5, 0.25)
TIMED_PX = (320, 640)

Pixels = NDArray[np.uint8]
Boxes = NDArray[np.float32]


@dataclass(frozen=True)
class DetectionReport:
    """What one detector did; every field can be written as JSON."""

    model: str  # its name
    sha256: str  # of its weights
    input_px: int  # longest side of the network's input; smaller pictures are not enlarged
    score_threshold: float  # the least score that counted
    n_photos: int  # held-out photos
    n_faces: int  # labelled faces that count
    n_ignored: int  # labelled faces and doubtful regions that do not count
    recall: float  # share of the labelled faces found; with its 95 % interval
    recall_interval: tuple[float, float]
    precision: float  # share of the found faces that are labelled; with its 95 % interval
    precision_interval: tuple[float, float]
    # "12-24", "24-48", ">48" px -> recall, on photos at full, half and quarter size
    recall_by_size: dict[str, float]
    n_by_size: dict[str, int]  # labelled faces behind each
    false_alarms_per_100: float  # faces found in a hundred faceless pictures
    n_faceless: int  # faceless pictures
    # median over found faces of the five points' mean distance from the labels, in per cent of the distance
    # between the eyes
    landmark_error_pct: float
    # share of the faces that YuNet finds in the group stills, found here; nan without stills
    stills_found: float
    n_stills_faces: int  # those faces
    ms: dict[str, float]  # side of a square input in px -> median milliseconds


def evaluate_detector(
    data: Path,
    models: Sequence[str | Path | None] = (None,),
    *,
    seen_by_eye: bool = True,
    on_step: OnStep | None = None,
) -> list[DetectionReport]:
    """Measure ``models`` (None is the built-in detector), then both peers, on the data under ``data``.

    Labels that show no face to the eye do not count, unless ``seen_by_eye`` is false.

    Raises:
        DataError: no labelled photos, or no peers under ``data``.
        ModelError: a model that cannot be read.
    """
    peers = Peers.under(data)
    for peer in (peers.yunet, peers.scrfd):
        if not peer.is_file():
            raise DataError(f"{peer}: expected a published detector to measure beside, there is none")
    detectors = [Detector(model) for model in (*models, peers.yunet, peers.scrfd)]
    photos = held_out_photos(data / "photos", peers, seen_by_eye=seen_by_eye)
    faceless, stills = list(faceless_pictures(photos)), list(group_stills(data, peers.yunet))
    reports = []
    for detector, ms in zip(detectors, _times_ms(detectors), strict=True):
        report = measure_detector(detector, photos, faceless=faceless, stills=stills)
        reports.append(dataclasses.replace(report, ms=ms))
        if on_step:
            on_step(len(reports), len(detectors))
    return reports


@dataclass(frozen=True)
class Matched:
    """One photo, what was found in it, and who stands for whom; ``truth`` are the labels that count."""

    photo: TestPhoto
    found: Detections
    truth_xyxy: Boxes
    truth_landmarks_xy: NDArray[np.float32]
    sides_px: NDArray[np.float32]
    n_ignored: int
    matching: Matching


def match_photos(detector: Detector, photos: Sequence[TestPhoto]) -> list[Matched]:
    """Detect in each photo and pair the found faces with the labelled ones."""
    return [_match(detector, photo) for photo in photos]


def _match(detector: Detector, photo: TestPhoto) -> Matched:
    boxes = photo.label.boxes_xyxy
    sides = _sides_px(detector, photo.pixels, boxes)
    counts = photo.counts & (sides >= LEAST_FACE_PX)
    ignored = np.concatenate([boxes[~counts], photo.doubtful_xyxy])
    found = detector.detect(photo.pixels)
    return Matched(
        photo,
        found,
        boxes[counts],
        photo.label.landmarks_xy[counts],
        sides[counts],
        len(ignored),
        match_faces(found, boxes[counts], ignored),
    )


def _sides_px(detector: Detector, pixels: Pixels, boxes: Boxes) -> NDArray[np.float32]:
    """Geometric mean of each box's sides at the network's input, shape (N,)."""
    shrink = min(detector.input_px / max(pixels.shape[:2]), 1.0)
    return np.asarray(np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)) * np.float32(shrink))


def measure_detector(
    detector: Detector,
    photos: Sequence[TestPhoto],
    *,
    faceless: Sequence[Pixels] = (),
    stills: Sequence[tuple[Pixels, Boxes]] = (),
) -> DetectionReport:
    """All figures of one detector but its times; see the module's text for how faces are counted."""
    matched = match_photos(detector, photos)
    counts = np.array([_counts(m) for m in matched], np.int64).reshape(-1, 4)
    labelled, hits, false_alarms, ignored = counts.sum(0).tolist()
    by_size, n_by_size = _recall_by_size(detector, photos, matched)
    still_hits, still_faces = _still_recall(detector, stills)
    alarms = sum(len(detector.detect(picture)) for picture in faceless)
    return DetectionReport(
        model=detector.spec.name,
        sha256=detector.spec.sha256,
        input_px=detector.input_px,
        score_threshold=detector.score_threshold,
        n_photos=len(photos),
        n_faces=labelled,
        n_ignored=ignored,
        recall=_share(hits, labelled),
        recall_interval=_interval(counts[:, 1], counts[:, 0]),
        precision=_share(hits, hits + false_alarms),
        precision_interval=_interval(counts[:, 1], counts[:, 1] + counts[:, 2]),
        recall_by_size=by_size,
        n_by_size=n_by_size,
        false_alarms_per_100=100 * _share(alarms, len(faceless)),
        n_faceless=len(faceless),
        landmark_error_pct=_landmark_error_pct(matched),
        stills_found=_share(still_hits, still_faces),
        n_stills_faces=still_faces,
        ms={},
    )


def _counts(m: Matched) -> tuple[int, int, int, int]:
    """Labelled, found, false alarms, ignored."""
    hits = int((m.matching.found_idx >= 0).sum())
    return len(m.truth_xyxy), hits, int((m.matching.truth_idx == FALSE_ALARM).sum()), m.n_ignored


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def _interval(
    parts: NDArray[np.int64], wholes: NDArray[np.int64], *, draws: int = 2000
) -> tuple[float, float]:
    """95 % bootstrap interval of sum(parts) / sum(wholes) over photos."""
    n = len(parts)
    if n == 0:
        return float("nan"), float("nan")
    weights = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), draws)
    shares = (weights @ parts) / np.maximum(weights @ wholes, 1)
    low, high = np.percentile(shares, [2.5, 97.5])
    return float(low), float(high)


def _recall_by_size(
    detector: Detector, photos: Sequence[TestPhoto], full: Sequence[Matched]
) -> tuple[dict[str, float], dict[str, int]]:
    matched = list(full)
    for factor in REDUCTIONS[1:]:
        matched += match_photos(detector, [photo.reduced(factor) for photo in photos])
    sides = np.concatenate([m.sides_px for m in matched] or [np.zeros(0, np.float32)])
    hit = np.concatenate([m.matching.found_idx >= 0 for m in matched] or [np.zeros(0, np.bool_)])
    recall, n = {}, {}
    for name, (low, high) in SIZES_PX.items():
        inside = (sides >= low) & (sides < high)
        recall[name], n[name] = _share(int(hit[inside].sum()), int(inside.sum())), int(inside.sum())
    return recall, n


def _landmark_error_pct(matched: Sequence[Matched]) -> float:
    errors: list[NDArray[np.floating[Any]]] = [np.zeros(0)]
    for m in matched:
        truth_idx = np.flatnonzero(m.matching.found_idx >= 0)
        truth = m.truth_landmarks_xy[truth_idx]
        found = m.found.landmarks_xy[m.matching.found_idx[truth_idx]]
        eyes = np.linalg.norm(truth[:, 0] - truth[:, 1], axis=-1)
        errors.append(np.linalg.norm(found - truth, axis=-1).mean(1) / np.maximum(eyes, 1.0))
    joined = np.concatenate(errors)
    return float(100 * np.median(joined)) if len(joined) else float("nan")


def _still_recall(detector: Detector, stills: Sequence[tuple[Pixels, Boxes]]) -> tuple[int, int]:
    hits = faces = 0
    for pixels, boxes in stills:
        truth = boxes[_sides_px(detector, pixels, boxes) >= LEAST_FACE_PX]
        matching = match_faces(detector.detect(pixels), truth, np.zeros((0, 4), np.float32))
        hits, faces = hits + int((matching.found_idx >= 0).sum()), faces + len(truth)
    return hits, faces


def _times_ms(detectors: Sequence[Detector], *, rounds: int = 25) -> list[dict[str, float]]:
    """Median milliseconds of each network at each size, in turns, so that a busy machine slows all alike."""
    times: list[dict[str, float]] = [{} for _ in detectors]
    for px in TIMED_PX:
        tensor = np.random.default_rng(0).uniform(0, 255, (1, 3, px, px)).astype(np.float32)
        taken = np.zeros((rounds, len(detectors)))
        for round_ in range(rounds):
            for column, detector in enumerate(detectors):
                start = time.perf_counter()
                detector.run(tensor)
                taken[round_, column] = time.perf_counter() - start
        for column, median in enumerate(np.median(taken, axis=0)):
            times[column][str(px)] = round(float(median) * 1e3, 2)
    return times


@experiment(
    "The paper's detector is not described.",
    needs=("data",),
)
def run(
    context: Context,
    *,
    models: Detectors = (),
    every_label: Annotated[bool, Option("Count also the labels that show no face to the eye.")] = False,
) -> Result:
    """Precision, recall, landmark error and speed on held-out photos and group stills, beside published detectors.

    The published detectors under `DATA/peers` are measured too.
    """
    reports = evaluate_detector(
        context.data, [None, *models], seen_by_eye=not every_label, on_step=context.on_step
    )
    return compare(reports, _faults(context))


def compare(reports: Sequence[DetectionReport], pictures: Sequence[Pictures] = ()) -> Result:
    """The reports side by side, the first one's in words."""
    own = reports[0]
    return Result(
        MEASURED,
        f"{own.model}: recall {100 * own.recall:.1f} %, precision {100 * own.precision:.1f} % on {own.n_faces} "
        f"labelled faces of {own.n_photos} held-out photos.",
        (_table(reports), *pictures),
        (
            f"{own.n_photos} photos held out by content hash (one in ten) with {own.n_faces} labelled faces that count "
            f"and {own.n_ignored} labels and regions that do not; {own.n_faceless} faceless pictures (pieces of those "
            "photos, enlarged). Recall by size sees the photos at full, half and quarter size. Intervals resample "
            "photos.",
        ),
        figures={"detectors": plain(reports)},
    )


def _table(reports: Sequence[DetectionReport]) -> Table:
    first = reports[0]
    rows: list[tuple[Cell, ...]] = [
        ("score threshold", *(f"{r.score_threshold:g}" for r in reports)),
        ("recall (95 %)", *(_with_interval(r.recall, r.recall_interval) for r in reports)),
        ("precision (95 %)", *(_with_interval(r.precision, r.precision_interval) for r in reports)),
        *(
            (f"recall, {size} px ({n} faces)", *(f"{r.recall_by_size[size]:.3f}" for r in reports))
            for size, n in first.n_by_size.items()
        ),
        ("false alarms in 100 faceless pictures", *(f"{r.false_alarms_per_100:.2f}" for r in reports)),
        ("landmark error, % of the eye distance (median)", *(f"{r.landmark_error_pct:.1f}" for r in reports)),
        (
            f"of yunet_n's faces in group stills ({first.n_stills_faces})",
            *(f"{r.stills_found:.3f}" for r in reports),
        ),
        *(
            (f"time at {px} px, over the first's", *(f"{r.ms[px] / first.ms[px]:.2f}" for r in reports))
            for px in first.ms
        ),
    ]
    columns = (Column(""), *(Column(report.model) for report in reports))
    return Table("Detectors side by side.", columns, tuple(rows))


def _with_interval(share: float, interval: tuple[float, float]) -> str:
    return f"{share:.3f} ({interval[0]:.3f} to {interval[1]:.3f})"


def _faults(context: Context) -> tuple[Pictures, Pictures]:
    """What the built-in detector missed, and what it found where no label is."""
    photos = held_out_photos(context.data / "photos", Peers.under(context.data))
    matched = match_photos(Detector(), photos)
    missed = [
        context.picture(m.photo.label.path, m.truth_xyxy[i])
        for m in matched
        for i in np.flatnonzero(m.matching.found_idx < 0)
    ]
    wrong = [
        context.picture(m.photo.label.path, m.found.boxes_xyxy[i], f"{m.found.scores[i]:.2f}")
        for m in matched
        for i in np.flatnonzero(m.matching.truth_idx == FALSE_ALARM)
    ]
    return (
        Pictures(
            f"Labelled faces that the built-in detector missed: {len(missed)}.",
            (PictureRow("", tuple(missed)),),
        ),
        Pictures(f"Its false alarms, with their scores: {len(wrong)}.", (PictureRow("", tuple(wrong)),)),
    )
