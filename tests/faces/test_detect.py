"""Layouts against plain loops; suppression and matching against slow oracles; the detector on real pictures."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from facespace.errors import DataError, InputError, ModelError
from facespace.faces.detect import Detector
from facespace.faces.detections import Detections
from facespace.faces.layouts import (
    LAYOUTS,
    decode_own,
    decode_scrfd,
    decode_yunet,
    recognise,
    suppress,
)
from facespace.faces.matching import FALSE_ALARM, IGNORED, box_iou, match_faces
from facespace.faces.split import is_held_out, read_labels
from facespace.images import read_image

HEIGHT, WIDTH = 64, 96
corner = st.floats(0, 50, width=32)


def detections(boxes: list[list[float]], scores: list[float]) -> Detections:
    n = len(scores)
    return Detections(
        np.array(boxes, np.float32).reshape(n, 4),
        np.zeros((n, 5, 2), np.float32),
        np.array(scores, np.float32),
    )


def slow_iou(a: np.ndarray, b: np.ndarray) -> float:
    width = max(min(a[2], b[2]) - max(a[0], b[0]), 0)
    height = max(min(a[3], b[3]) - max(a[1], b[1]), 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    return width * height / union if union > 0 else 0.0


@st.composite
def some_boxes(draw: st.DrawFn) -> np.ndarray:
    n = draw(st.integers(0, 12))
    low = draw(arrays(np.float32, (n, 2), elements=corner))
    sides = draw(arrays(np.float32, (n, 2), elements=st.floats(1, 30, width=32)))
    return np.concatenate([low, low + sides], 1)


def own_maps(rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {
        f"map_{s}": rng.normal(0, 1, (1, 15, HEIGHT // s, WIDTH // s)).astype(np.float32) for s in (8, 16, 32)
    }


def test_own_layout_agrees_with_a_loop_over_cells(rng: np.random.Generator) -> None:
    maps = own_maps(rng)
    found = decode_own(maps, WIDTH, 0.6)
    expected = []
    for stride in (8, 16, 32):
        for row in range(HEIGHT // stride):
            for column in range(WIDTH // stride):
                value = maps[f"map_{stride}"][0, :, row, column].astype(float)
                if 1 / (1 + np.exp(-value[0])) < 0.6:
                    continue
                x = (column + 0.5 + value[1]) * stride - 0.5
                y = (row + 0.5 + value[2]) * stride - 0.5
                w, h = 4 * stride * np.exp(value[3:5])
                expected.append(
                    [x - w / 2, y - h / 2, x + w / 2, y + h / 2, x + value[5] * w, y + value[6] * h]
                )
    assert len(found) == len(expected) > 10
    got = np.concatenate([found.boxes_xyxy, found.landmarks_xy[:, 0]], 1)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-3)


def test_yunet_layout_agrees_with_a_loop_over_cells(rng: np.random.Generator) -> None:
    outputs = {}
    for s in (8, 16, 32):
        n = HEIGHT * WIDTH // s**2
        outputs |= {f"{k}_{s}": rng.uniform(0, 1, (1, n, 1)).astype(np.float32) for k in ("cls", "obj")}
        outputs |= {f"bbox_{s}": rng.normal(0, 1, (1, n, 4)).astype(np.float32)}
        outputs |= {f"kps_{s}": rng.normal(0, 1, (1, n, 10)).astype(np.float32)}
    found = decode_yunet(outputs, WIDTH, 0.5)
    expected = []
    for s in (8, 16, 32):
        for i in range(HEIGHT * WIDTH // s**2):
            score = np.sqrt(outputs[f"cls_{s}"][0, i, 0] * outputs[f"obj_{s}"][0, i, 0])
            if score < 0.5:
                continue
            column, row, box = i % (WIDTH // s), i // (WIDTH // s), outputs[f"bbox_{s}"][0, i]
            w, h = np.exp(box[2:]) * s
            x0, y0 = (column + box[0]) * s - w / 2, (row + box[1]) * s - h / 2
            last_y = (outputs[f"kps_{s}"][0, i, 9] + row) * s
            expected.append([x0, y0, x0 + w, y0 + h, last_y, score])
    got = np.concatenate([found.boxes_xyxy, found.landmarks_xy[:, 4, 1:], found.scores[:, None]], 1)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-3)


def test_scrfd_layout_has_two_anchors_a_cell() -> None:
    counts = [2 * HEIGHT * WIDTH // s**2 for s in (8, 16, 32)]
    outputs = {f"score{n}": np.zeros((n, 1), np.float32) for n in counts}
    outputs |= {f"box{n}": np.ones((n, 4), np.float32) for n in counts}
    outputs |= {f"points{n}": np.full((n, 10), 0.5, np.float32) for n in counts}
    outputs[f"score{counts[1]}"][2 * 8 + 1] = 0.9  # second anchor of cell 8 at stride 16: row 1, column 2
    found = decode_scrfd(outputs, WIDTH, 0.5)
    assert found.boxes_xyxy.tolist() == [[16, 0, 48, 32]]
    assert found.landmarks_xy[0, 0].tolist() == [40, 24]
    assert found.scores.tolist() == [np.float32(0.9)]


@pytest.mark.parametrize(
    ("names", "layout"),
    [
        ([], None),
        ([("x", (1, 1000))], None),
        ([(f"map_{s}", (1, 15, "h", "w")) for s in (8, 16, 32)], "facespace"),
        ([(f"{p}_{s}", (1, "n", 1)) for p in ("cls", "obj", "bbox", "kps") for s in (8, 16, 32)], "yunet"),
        ([(str(i), (None, (1, 4, 10)[i // 3])) for i in range(9)], "scrfd"),
    ],
)
def test_layouts_are_recognised_by_their_outputs(names: list[tuple[str, tuple]], layout: str | None) -> None:
    found = recognise(dict(names))
    assert found == (LAYOUTS[layout] if layout else None)


@given(some_boxes(), st.floats(0.1, 0.9))
@settings(max_examples=60, deadline=None)
def test_suppression_agrees_with_a_slow_loop(boxes: np.ndarray, limit: float) -> None:
    scores = np.linspace(1, 0.1, len(boxes), dtype=np.float32)[::-1].copy()
    kept: list[int] = []
    for i in np.argsort(-scores, kind="stable"):
        if all(slow_iou(boxes[i], boxes[k]) <= limit + 1e-6 for k in kept):
            kept.append(int(i))
    borderline = any(abs(slow_iou(a, b) - limit) < 1e-4 for a in boxes for b in boxes)
    assert borderline or suppress(boxes, scores, limit).tolist() == kept


@given(some_boxes(), some_boxes())
@settings(max_examples=60, deadline=None)
def test_overlaps_agree_with_a_slow_loop(a: np.ndarray, b: np.ndarray) -> None:
    expected = np.array([[slow_iou(p, q) for q in b] for p in a]).reshape(len(a), len(b))
    np.testing.assert_allclose(box_iou(a, b), expected, atol=1e-4)


FACE, FAR_FACE, NEAR_FACE = [0, 0, 10, 10], [50, 50, 60, 60], [0, 1, 10, 11]


@pytest.mark.parametrize(
    ("found", "scores", "truth", "ignored", "truth_idx", "found_idx"),
    [
        ([], [], [], [], [], []),
        ([], [], [FACE], [], [], [-1]),
        ([FACE], [0.9], [], [], [FALSE_ALARM], []),
        ([FACE], [0.9], [FACE], [], [0], [0]),
        ([NEAR_FACE, FACE], [0.5, 0.9], [FACE], [], [FALSE_ALARM, 0], [1]),
        ([FAR_FACE], [0.9], [FACE], [FAR_FACE], [IGNORED], [-1]),
        ([[52, 52, 55, 55]], [0.9], [], [FAR_FACE], [IGNORED], []),
        ([FACE], [0.9], [FACE], [FACE], [0], [0]),
    ],
)
def test_matching(
    found: list, scores: list, truth: list, ignored: list, truth_idx: list, found_idx: list
) -> None:
    boxes = [np.array(b, np.float32).reshape(-1, 4) for b in (truth, ignored)]
    matching = match_faces(detections(found, scores), *boxes)
    assert matching.truth_idx.tolist() == truth_idx
    assert matching.found_idx.tolist() == found_idx


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((20, 20), np.uint8),
        np.zeros((20, 20, 4), np.uint8),
        np.zeros((20, 20, 3), np.float32),
    ],
)
def test_other_arrays_than_rgb_pictures_are_refused(image: np.ndarray) -> None:
    with pytest.raises(InputError, match="uint8 RGB"):
        Detector().detect(image)


@pytest.mark.parametrize("size_hw", [(0, 0), (0, 40), (1, 1), (1, 700), (33, 31), (700, 40)])
def test_empty_tiny_and_narrow_pictures_hold_no_face(size_hw: tuple[int, int]) -> None:
    assert len(Detector().detect(np.full((*size_hw, 3), 90, np.uint8))) == 0


def test_options_out_of_range_are_refused() -> None:
    with pytest.raises(InputError, match="input_px"):
        Detector(input_px=16)
    with pytest.raises(InputError, match="score_threshold"):
        Detector(score_threshold=1.5)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="missing"):
        Detector(tmp_path / "missing.onnx")


def test_the_built_in_detector_says_what_it_is() -> None:
    detector = Detector()
    assert detector.spec.task == "detector"
    assert detector.score_threshold == detector.spec.options["score_threshold"]
    assert len(detector.spec.sha256) == 64


@pytest.mark.parametrize("name", [None, "yunet_n.onnx", "scrfd_2.5g.onnx"])
def test_faces_of_group_stills_are_found_in_every_layout(data: Path, name: str | None) -> None:
    detector = Detector(data / "peers" / name if name else None, input_px=640)
    reference = Detector(data / "peers" / "yunet_n.onnx", input_px=640, score_threshold=0.8)
    photo = read_image(data / "albums" / "office" / "office2.jpg").pixels
    expected, found = reference.detect(photo), detector.detect(photo)
    overlap = box_iou(expected.boxes_xyxy, found.boxes_xyxy)
    assert len(expected) >= 3
    assert (overlap.max(1) >= 0.5).mean() >= 0.75
    assert (np.diff(found.scores) <= 0).all()
    eyes_to_mouth = found.landmarks_xy[:, 3:, 1].mean(1) - found.landmarks_xy[:, :2, 1].mean(1)
    assert (eyes_to_mouth > 0).mean() > 0.9


def test_coordinates_are_those_of_the_picture_whatever_the_input_size(data: Path) -> None:
    photo = read_image(sorted((data / "photos").glob("*.jpg"))[0]).pixels
    large, small = Detector(input_px=320).detect(photo), Detector(input_px=224).detect(photo)
    assert box_iou(large.boxes_xyxy[:1], small.boxes_xyxy[:1])[0, 0] > 0.75


def test_threads_may_share_a_detector(data: Path) -> None:
    photos = [read_image(p).pixels for p in sorted((data / "photos").glob("*.jpg"))[:6]]
    detector = Detector()
    alone = [detector.detect(p) for p in photos]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(detector.detect, photos))
    for a, b in zip(alone, together, strict=True):
        np.testing.assert_array_equal(a.boxes_xyxy, b.boxes_xyxy)


def test_one_photo_in_ten_is_held_out(tmp_path: Path) -> None:
    photos = [tmp_path / f"{i}.jpg" for i in range(400)]
    for i, photo in enumerate(photos):
        photo.write_bytes(i.to_bytes(4, "big"))
    held = [is_held_out(photo) for photo in photos]
    renamed = photos[0].rename(tmp_path / "other.jpg")
    assert 20 <= sum(held) <= 60
    assert is_held_out(renamed) == held[0]


@pytest.mark.parametrize(
    ("text", "message"), [(None, "cannot read"), ("{}", "photo, width"), ("[1", "labels.jsonl:1")]
)
def test_damaged_labels_are_named(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "labels.jsonl").write_text(text, "utf-8")
    with pytest.raises(DataError, match=message):
        read_labels(tmp_path)


def test_a_photo_without_faces_has_arrays_of_the_right_shape(tmp_path: Path) -> None:
    (tmp_path / "labels.jsonl").write_text(
        '{"photo": "a.jpg", "width": 4, "height": 3, "faces": []}\n', "utf-8"
    )
    (photo,) = read_labels(tmp_path)
    assert photo.size_hw == (3, 4)
    assert photo.boxes_xyxy.shape == (0, 4)
    assert photo.landmarks_xy.shape == (0, 5, 2)
