"""The measurement of detectors, on stand-ins whose right and wrong faces are known."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from facespace.errors import DataError
from facespace.faces.detect import Detector
from facespace.faces.detections import Detections
from facespace.faces.split import LabelledPhoto
from facespace.measure.detection_data import Peers, TestPhoto, faceless_pictures, held_out_photos
from facespace.measure.experiments.detector import evaluate_detector, measure_detector
from facespace.measure.result import plain
from facespace.models import ModelSpec

BOX = [100.0, 60.0, 160.0, 140.0]
POINTS = [[115.0, 90.0], [145.0, 90.0], [130.0, 105.0], [118.0, 120.0], [142.0, 120.0]]


class StandIn(Detector):
    """Finds what it is told, scaled to the picture's width."""

    def __init__(self, boxes: list[list[float]], *, shift_px: float = 0.0) -> None:
        self.boxes, self.shift_px = np.array(boxes, np.float32).reshape(-1, 4), shift_px
        self.input_px, self.score_threshold = 640, 0.5
        self.spec = ModelSpec("stand-in", "1", "detector", (0, 0))

    def detect(self, image: np.ndarray, *, whole_hw: tuple[int, int] | None = None) -> Detections:
        n, factor = len(self.boxes), np.float32(image.shape[1] / 320)
        points = np.repeat(np.array([POINTS], np.float32), n, 0) + np.float32(self.shift_px)
        return Detections(self.boxes * factor, points * factor, np.linspace(1, 0.5, n, dtype=np.float32))


def photo(boxes: list[list[float]], *, suspects: Detections | None = None) -> TestPhoto:
    array = np.array(boxes, np.float32).reshape(-1, 4)
    n = len(array)
    label = LabelledPhoto(
        Path("p.jpg"),
        (240, 320),
        array,
        np.repeat(np.array([POINTS], np.float32), n, 0),
        np.ones(n, np.float32),
    )
    pixels = np.full((240, 320, 3), 77, np.uint8)
    return TestPhoto(pixels, label, suspects or Detections.empty(), np.ones(n, np.bool_))


@pytest.mark.parametrize(
    ("found", "labelled", "recall", "precision"),
    [
        ([], [], np.nan, np.nan),
        ([], [BOX], 0.0, np.nan),
        ([BOX], [], np.nan, 0.0),
        ([BOX], [BOX], 1.0, 1.0),
        ([BOX, [0, 0, 40, 40]], [BOX], 1.0, 0.5),
        ([BOX], [BOX, [0, 0, 40, 40]], 0.5, 1.0),
        ([BOX], [BOX, [0, 0, 10, 10]], 1.0, 1.0),  # under 12 px: not missed
        ([BOX, [0, 0, 11, 11]], [BOX, [0, 0, 10, 10]], 1.0, 1.0),  # nor a false alarm
    ],
)
def test_recall_and_precision(found: list, labelled: list, recall: float, precision: float) -> None:
    report = measure_detector(StandIn(found), [photo(labelled)] * 3)
    assert report.recall == pytest.approx(recall, nan_ok=True)
    assert report.precision == pytest.approx(precision, nan_ok=True)


def test_doubtful_regions_and_withdrawn_labels_count_neither_way() -> None:
    other = [0.0, 0.0, 40.0, 40.0]
    suspect = Detections(np.array([other]), np.zeros((1, 5, 2)), np.array([0.4]))
    report = measure_detector(StandIn([BOX, other]), [photo([BOX], suspects=suspect)])
    assert (report.recall, report.precision) == (1.0, 1.0)
    withdrawn = dataclasses.replace(photo([BOX, other]), counts=np.array([True, False]))
    for found in ([BOX], [BOX, other]):
        report = measure_detector(StandIn(found), [withdrawn])
        assert (report.recall, report.precision, report.n_faces) == (1.0, 1.0, 1)


def test_interval_holds_the_share_and_closes_with_certainty() -> None:
    mixed = measure_detector(StandIn([BOX]), [photo([BOX]), photo([[0, 0, 50, 50]])] * 10)
    low, high = mixed.recall_interval
    assert low < mixed.recall == 0.5 < high
    certain = measure_detector(StandIn([BOX]), [photo([BOX])] * 5)
    assert certain.recall_interval == (1.0, 1.0)


def test_sizes_come_from_reduced_photos_too() -> None:
    report = measure_detector(StandIn([BOX]), [photo([BOX])])  # 69 px, then 35, then 17
    assert report.n_by_size == {"12-24": 1, "24-48": 1, ">48": 1}
    assert report.recall_by_size == {"12-24": 1.0, "24-48": 1.0, ">48": 1.0}


def test_landmark_error_is_in_per_cent_of_the_eyes() -> None:
    report = measure_detector(StandIn([BOX], shift_px=3.0), [photo([BOX])])
    assert report.landmark_error_pct == pytest.approx(100 * 3 * 2**0.5 / 30, rel=1e-5)


def test_false_alarms_and_stills() -> None:
    pixels = np.zeros((240, 320, 3), np.uint8)
    missed, tiny = [200.0, 200.0, 240.0, 240.0], [0.0, 0.0, 8.0, 8.0]
    report = measure_detector(
        StandIn([BOX]),
        [photo([BOX])],
        faceless=[pixels] * 4,
        stills=[(pixels, np.array([BOX, missed, tiny], np.float32))],
    )
    assert report.false_alarms_per_100 == 100.0
    assert (report.stills_found, report.n_stills_faces) == (0.5, 2)
    assert json.loads(json.dumps(plain(report)))["n_faceless"] == 4


def test_faceless_pieces_keep_clear_of_every_face() -> None:
    shown = photo([BOX])
    x0, y0, x1, y1 = (int(v) for v in BOX)
    shown.pixels[y0:y1, x0:x1] = 255
    pieces = list(faceless_pictures([shown]))
    assert len(pieces) >= 4
    for piece in pieces:
        assert max(piece.shape[:2]) == 320
        assert piece.max() < 100


def test_absent_data_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="published detector"):
        evaluate_detector(tmp_path)
    with pytest.raises(DataError, match="labels"):
        held_out_photos(tmp_path)


def test_built_in_detector_on_some_held_out_photos(data: Path, tmp_path: Path) -> None:
    import shutil

    lines = (data / "photos" / "labels.jsonl").read_text("utf-8").splitlines()[:150]
    for line in lines:
        shutil.copy(data / "photos" / json.loads(line)["photo"], tmp_path)
    (tmp_path / "labels.jsonl").write_text("\n".join(lines), "utf-8")
    photos = held_out_photos(tmp_path, Peers.under(data))
    report = measure_detector(Detector(), photos, faceless=list(faceless_pictures(photos)))
    assert report.n_faces >= 10
    assert report.recall > 0.85
    assert report.precision > 0.85
