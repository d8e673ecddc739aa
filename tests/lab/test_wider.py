"""WIDER FACE's layout as training pictures: labels, peers' landmarks, and the pool that decodes them."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facespace.errors import DataError
from facespace.faces.detections import Detections
from facespace.measure.experiments.wider import read_wider
from lab.detector.canvas import Canvas, FaceSource, Motion, show
from lab.detector.data import DataOptions, Sources, pictures
from lab.detector.faceless import faceless_pool, read_faceless
from lab.detector.pool import Pool
from lab.detector.wider import agreed, read_peer_labels, wider_pool

POINTS = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)
BOX = np.array([[20, 20, 60, 60]], np.float32)


def seen(boxes: np.ndarray, *, shift: float = 0.0, score: float = 0.9) -> Detections:
    landmarks = boxes[:, None, :2] + POINTS * (boxes[:, None, 2:] - boxes[:, None, :2]) + np.float32(shift)
    return Detections(boxes, landmarks, np.full(len(boxes), score, np.float32))


def laid_out(folder: Path) -> Path:
    """Two events, one of them held out; one face each, and one that is marked invalid."""
    lines = []
    for event in ("0--Parade", "13--Interview"):
        (folder / event).mkdir(parents=True)
        Image.new("RGB", (120, 90), (90, 120, 60)).save(folder / event / "a.jpg")
        faces = [
            {"box_xyxy": [20.0, 20.0, 60.0, 60.0], "invalid": 0, "occlusion": 2, "blur": 0},
            {"box_xyxy": [70.0, 20.0, 80.0, 30.0], "invalid": 1, "occlusion": 0, "blur": 2},
        ]
        lines.append(json.dumps({"photo": f"{event}/a.jpg", "width": 120, "height": 90, "faces": faces}))
    (folder / "labels.jsonl").write_text("\n".join(lines), "utf-8")
    return folder


@pytest.mark.parametrize(
    ("first", "second", "with_landmarks", "n_unlabelled"),
    [
        (Detections.empty(), Detections.empty(), False, 0),
        (seen(BOX), Detections.empty(), False, 0),
        (seen(BOX), seen(BOX, shift=2.0), True, 0),
        (seen(BOX), seen(BOX, shift=8.0), False, 0),
        (seen(np.vstack([BOX, BOX + 100])), seen(np.vstack([BOX, BOX + 101])), True, 1),
        (seen(BOX + 100, score=0.5), seen(BOX + 100), False, 0),
    ],
    ids=["none", "one peer", "both agree", "they disagree", "a face without a label", "an unsure one"],
)
def test_landmarks_only_where_both_peers_agree(
    first: Detections, second: Detections, with_landmarks: bool, n_unlabelled: int
) -> None:
    labels = agreed(BOX, first, second)
    assert np.isfinite(labels.landmarks_xy).all() == with_landmarks
    assert len(labels.unlabelled_xyxy) == n_unlabelled
    if with_landmarks:
        np.testing.assert_allclose(
            labels.landmarks_xy, (first.landmarks_xy[:1] + second.landmarks_xy[:1]) / 2
        )


def test_the_pool_holds_no_event_that_is_held_out(tmp_path: Path, rng: np.random.Generator) -> None:
    folder, labels = laid_out(tmp_path / "wider"), tmp_path / "peers.json"
    rows = {p.name: {"landmarks": [None, None], "unlabelled": [[1, 1, 9, 9]]} for p in read_wider(folder)}
    labels.write_text(json.dumps(rows), "utf-8")
    assert np.isnan(read_peer_labels(labels)["0--Parade/a.jpg"].landmarks_xy).all()
    pool = wider_pool(folder, labels)
    assert len(pool.readers) == 1
    source = pool.draw(rng)
    assert source.kind.tolist() == [1, -1, -1]
    assert source.boxes_xyxy.shape == (3, 4)


def test_labels_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"labels\.jsonl: expected WIDER's labels"):
        read_wider(tmp_path)
    (tmp_path / "labels.jsonl").write_text('{"photo": "a.jpg"}', "utf-8")
    with pytest.raises(DataError, match=r"labels\.jsonl:1: expected an object"):
        read_wider(tmp_path)


def test_a_pool_decodes_once_in_its_uses(rng: np.random.Generator) -> None:
    reads = []

    def read() -> FaceSource:
        reads.append(1)
        return FaceSource(Image.new("RGB", (8, 8)), *(np.zeros((0, *shape)) for shape in ((4,), (5, 2), ())))

    pool = Pool([read] * 10, np.full(10, 0.1), size=5, uses=4.0)
    for _ in range(405):
        pool.draw(rng)
    assert 5 + 70 < len(reads) < 5 + 130


def test_a_picture_shown_fills_the_canvas_or_lies_in_it(rng: np.random.Generator) -> None:
    source = FaceSource(
        Image.new("RGB", (200, 100), (255, 255, 255)), BOX, np.full((1, 5, 2), np.nan), np.ones(1, np.int64)
    )
    still = Motion(max_rotation_deg=0.0)
    for scale in (0.3, 1.0, 2.0):
        canvas = Canvas.blank(Image.new("RGB", (64, 64)))
        show(canvas, source, scale, still, rng)
        covered = (np.asarray(canvas.image)[..., 0] > 128).mean()
        expected = min(200 * scale, 64) * min(100 * scale, 64) / 64**2
        assert covered == pytest.approx(expected, rel=0.2)


def test_crowds_and_faceless_pictures_become_training_pictures(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    folder, labels = laid_out(tmp_path / "wider"), tmp_path / "peers.json"
    labels.write_text(json.dumps({"0--Parade/a.jpg": {"landmarks": [None] * 2, "unlabelled": []}}), "utf-8")
    names = tmp_path / "faceless.json"
    names.write_text(json.dumps({"train": ["0--Parade/a.jpg"], "held_out": ["b.jpg"]}), "utf-8")
    sources = Sources(
        [],
        [],
        crowds=wider_pool(folder, labels),
        faceless=faceless_pool(read_faceless(folder, names)),
    )
    shares = dict.fromkeys(("photo_share", "mosaic_share", "collage_share"), 0.0)
    options = DataOptions(canvas_px=64, crowd_share=1.0, faceless_share=0.0, **shares)
    stream = pictures(sources, options, rng)
    for _, (pixels, boxes, landmarks, kind) in zip(range(10), stream, strict=False):
        assert pixels.shape == (64, 64, 3)
        assert len(boxes) == len(landmarks) == len(kind)
        assert np.isnan(landmarks).all()
    assert read_faceless(folder, names, part="held_out") == [folder / "b.jpg"]
