"""Training pictures of the detector: labels by two peers, pools of pictures, and what is cut of them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detector_sources import drawn_source, landmarks_of, pools_of
from facespace.errors import DataError
from facespace.faces import split
from facespace.faces.detections import Detections
from facespace.measure.detection_data import Peers
from facespace.measure.experiments.wider import read_wider
from lab.detector import peers
from lab.detector.canvas import Canvas
from lab.detector.labels import Labels, Pool, Source, read_labels, write_labels
from lab.detector.peers import KINDS, agreed, label
from lab.detector.pictures import SHARES, Pictures
from wider_layout import laid_out

BOX = np.array([[20, 20, 60, 60]], np.float32)


def seen(boxes: np.ndarray, *, shift: float = 0.0, score: float = 0.9) -> Detections:
    return Detections(boxes, landmarks_of(boxes) + np.float32(shift), np.full(len(boxes), score, np.float32))


@pytest.mark.parametrize(
    ("first", "second", "with_landmarks", "n_beyond"),
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
    first: Detections, second: Detections, with_landmarks: bool, n_beyond: int
) -> None:
    landmarks, beyond = agreed(BOX, first, second)
    assert np.isfinite(landmarks).all() == with_landmarks
    assert len(beyond) == n_beyond
    if with_landmarks:
        np.testing.assert_allclose(landmarks, (first.landmarks_xy[:1] + second.landmarks_xy[:1]) / 2)


def test_labels_are_kept_to_a_tenth_of_a_pixel(tmp_path: Path) -> None:
    labels = Labels.join([drawn_source().labels, Labels.regions(BOX + np.float32(0.04))])
    write_labels(tmp_path / "kind.json", {tmp_path / "a.jpg": labels, tmp_path / "b.jpg": Labels.join([])})
    known = read_labels(tmp_path / "kind.json")
    assert list(known) == [tmp_path / "a.jpg", tmp_path / "b.jpg"]
    assert [len(of) for of in known.values()] == [2, 0]
    read = known[tmp_path / "a.jpg"]
    np.testing.assert_allclose(read.boxes_xyxy, labels.boxes_xyxy, atol=0.051)
    np.testing.assert_allclose(read.landmarks_xy, labels.landmarks_xy, atol=0.051)
    assert read.is_face.tolist() == [True, False]


def test_labels_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"labels\.jsonl: expected WIDER's labels"):
        read_wider(tmp_path)
    (tmp_path / "labels.jsonl").write_text('{"photo": "a.jpg"}', "utf-8")
    with pytest.raises(DataError, match=r"labels\.jsonl:1: expected an object"):
        read_wider(tmp_path)


def test_what_is_held_out_is_never_trained_on(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, lines = tmp_path / "photos", []
    photos.mkdir()
    for line in (data / "photos" / "labels.jsonl").read_text("utf-8").splitlines()[:30]:
        shutil.copy(data / "photos" / json.loads(line)["photo"], photos)
        lines.append(line)
    (photos / "labels.jsonl").write_text("\n".join(lines), "utf-8")
    (tmp_path / "peers").symlink_to(Peers.under(data).yunet.parent)
    (tmp_path / "faceless").mkdir()
    for i in range(12):
        Image.new("RGB", (64, 64), (20 * i, 90, 60)).save(tmp_path / "faceless" / f"{i:02}.jpg")
    for identity in sorted((data / "faces" / "train").iterdir())[:3]:
        shutil.copytree(identity, tmp_path / "faces" / "train" / identity.name)
    laid_out(tmp_path / "wider")
    monkeypatch.setattr(peers, "EVERY", {"thumbnails": 10, "faceless": 1})
    found = {kind: label(kind, tmp_path, tmp_path) for kind in KINDS}
    assert [path.parent.name for path in found["crowds"]] == ["0--Parade"]
    (crowd,) = found["crowds"].values()
    assert crowd.is_face.tolist() == [True, False] and np.isnan(crowd.landmarks_xy).all()
    held_out = [p.path for p in split.read_labels(photos) if split.is_held_out(p.path)]
    assert held_out and not set(held_out) & set(found["photos"])
    assert len(found["photos"]) >= 20
    assert all(np.isfinite(of.landmarks_xy[of.is_face]).all() for of in found["photos"].values())
    assert all(len(of) == 1 for of in found["thumbnails"].values()) and len(found["thumbnails"]) > 0
    assert 0 < len(found["faceless"]) < 12 and not any(map(len, found["faceless"].values()))


def test_a_pool_decodes_once_in_its_uses(tmp_path: Path, rng: np.random.Generator) -> None:
    for i in range(10):
        Image.new("RGB", (8, 8)).save(tmp_path / f"{i}.png")
    pool = Pool({tmp_path / f"{i}.png": Labels.join([]) for i in range(10)}, size=5, uses=4.0)
    drawn = [pool.draw(rng) for _ in range(405)]
    assert 5 + 70 < len({id(source.image) for source in drawn}) < 5 + 130


def test_folders_are_drawn_from_by_the_root_of_their_size() -> None:
    pool = Pool(
        {Path(f"{folder}/{i}.jpg"): Labels.join([]) for folder, n in (("a", 9), ("b", 1)) for i in range(n)}
    )
    assert pool.shares[:9].sum() == pytest.approx(0.75)


def test_labels_follow_the_pixels_through_every_motion(rng: np.random.Generator) -> None:
    for _ in range(25):
        canvas = Canvas(Image.new("RGB", (160, 160), "black"), rng, max_rotation_deg=0.0)
        canvas.place(drawn_source(), (0, 0, 160, 160), 50.0)
        boxes, landmarks = canvas.labels.boxes_xyxy, canvas.labels.landmarks_xy
        if not canvas.labels.is_face[0] or boxes.min() <= 1 or boxes.max() >= 158:
            continue
        bright = np.argwhere(np.asarray(canvas.image)[..., 0] > 200)[:, ::-1]
        np.testing.assert_allclose(boxes[0, :2], bright.min(0), atol=1.6)
        np.testing.assert_allclose(boxes[0, 2:], bright.max(0), atol=1.6)
        assert landmarks[0, 0, 0] < landmarks[0, 1, 0]
        assert landmarks[0, 3, 0] < landmarks[0, 4, 0]


def test_a_face_that_is_cut_or_too_small_is_not_trained(rng: np.random.Generator) -> None:
    for size, left, trained in ((40.0, 0, True), (4.0, 0, False), (60.0, 128, False)):
        canvas = Canvas(Image.new("RGB", (160, 160)), rng, max_rotation_deg=0.0)
        canvas.place(drawn_source(), (left, left, 160, 160), size)
        assert canvas.labels.is_face.tolist() in ([trained], [] if not trained else [trained])


def test_a_pasted_face_covers_no_label_and_fades_into_its_ground(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    canvas = Canvas(Image.new("RGB", (200, 200)), rng, max_rotation_deg=0.0)
    thumbnails = pools_of(tmp_path)["thumbnails"]
    for _ in range(20):
        canvas.paste_soft(thumbnails.draw(rng), 24.0)
    boxes = canvas.labels.boxes_xyxy
    assert len(boxes) > 2 and canvas.labels.is_face.all()
    inner = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:]) - np.maximum(
        boxes[:, None, :2], boxes[None, :, :2]
    )
    assert not ((inner > 0).all(-1) & ~np.eye(len(boxes), dtype=bool)).any()
    pixels = np.asarray(canvas.image)[..., 0]
    assert pixels.max() > 240 and ((pixels > 10) & (pixels < 100)).any()


@pytest.mark.parametrize("scale", [0.3, 1.0, 2.0])
def test_a_picture_shown_fills_the_canvas_or_lies_in_it(scale: float, rng: np.random.Generator) -> None:
    source = Source(Image.new("RGB", (200, 100), (255, 255, 255)), Labels.regions(BOX))
    canvas = Canvas(Image.new("RGB", (64, 64)), rng, max_rotation_deg=0.0)
    canvas.show(source, scale)
    covered = (np.asarray(canvas.image)[..., 0] > 128).mean()
    assert covered == pytest.approx(min(200 * scale, 64) * min(100 * scale, 64) / 64**2, rel=0.2)


@pytest.mark.parametrize("kind", SHARES)
def test_pictures_of_every_kind_have_valid_labels(
    kind: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    n_faces = []
    for _, (pixels, labels) in zip(
        range(12), Pictures(pools_of(tmp_path), rng, 128, {kind: 1.0}), strict=False
    ):
        boxes = labels.boxes_xyxy
        assert pixels.shape == (128, 128, 3) and pixels.dtype == np.uint8
        assert labels.landmarks_xy.shape == (len(labels), 5, 2)
        assert ((boxes >= 0) & (boxes <= 128)).all()
        sides = np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1))
        assert (sides[labels.is_face] >= 4.9).all()
        n_faces.append(int(labels.is_face.sum()))
    if kind == "faceless":
        assert max(n_faces) == 0
    else:
        assert max(n_faces) >= (3 if kind in ("mosaic", "collage") else 1)


def test_same_seed_same_pictures(tmp_path: Path) -> None:
    a, b = (iter(Pictures(pools_of(tmp_path), np.random.default_rng(5), 96)) for _ in range(2))
    for _ in range(5):
        np.testing.assert_array_equal(next(a)[0], next(b)[0])
