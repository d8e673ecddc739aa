"""Training pictures, assignment, loss and export of the detector, on drawn faces: no real data needed."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from facespace.faces.detect import Detector
from lab.detector.calibrate import best_threshold
from lab.detector.canvas import MIRRORED, Canvas, FaceSource, Motion, place
from lab.detector.data import DataOptions, Sources, load_sources, pictures
from lab.detector.export import export_detector, load_detector, unfold_norms
from lab.detector.network import DetectorNetwork, NetworkOptions, fold_norms
from lab.detector.targets import (
    Batch,
    LossOptions,
    assign,
    cells,
    decode,
    detection_loss,
    paired_iou,
)
from lab.detector.train import DetectorRecipe, train_detector

SMALL = NetworkOptions(stem=8, stride4=8, stride8=8, stride16=8, stride32=8, heads=8)
POINTS_IN_BOX = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)


def drawn_source(rng: np.random.Generator) -> FaceSource:
    """A grey picture whose one face is a white box with five black points."""
    pixels = np.full((200, 160, 3), 128, np.uint8)
    box = np.array([50, 60, 100, 130], np.float32)
    pixels[60:130, 50:100] = 255
    landmarks = box[:2] + POINTS_IN_BOX * (box[2:] - box[:2])
    return FaceSource(Image.fromarray(pixels), box[None], landmarks[None], np.ones(1, np.int64))


def one_face_batch(box: list[float], px: int = 128) -> Batch:
    boxes = torch.tensor([[box]], dtype=torch.float32)
    points = (
        torch.from_numpy(POINTS_IN_BOX) * (boxes[..., 2:] - boxes[..., :2])[..., None, :]
        + boxes[..., None, :2]
    )
    return Batch(
        torch.zeros(1, 3, px, px, dtype=torch.uint8), boxes, points, torch.ones(1, 1, dtype=torch.int64)
    )


def maps_of(px: int, *, logit: float = -4.0) -> tuple[torch.Tensor, ...]:
    maps = tuple(torch.zeros(1, 15, px // s, px // s) for s in (8, 16, 32))
    for m in maps:
        m[:, 0] = logit
    return maps


def test_labels_follow_the_pixels_through_every_motion(rng: np.random.Generator) -> None:
    for _ in range(25):
        canvas = Canvas.blank(Image.new("RGB", (160, 160), "black"))
        source = drawn_source(rng)
        place(canvas, source, (0, 0, 160, 160), 50.0, Motion(max_rotation_deg=0.0), rng)
        boxes, landmarks, kind = canvas.arrays()
        if kind[0] != 1 or boxes.min() <= 1 or boxes.max() >= 158:
            continue
        bright = np.argwhere(np.asarray(canvas.image)[..., 0] > 200)[:, ::-1]
        np.testing.assert_allclose(boxes[0, :2], bright.min(0), atol=1.6)
        np.testing.assert_allclose(boxes[0, 2:], bright.max(0), atol=1.6)
        assert landmarks[0, 0, 0] < landmarks[0, 1, 0]
        assert landmarks[0, 3, 0] < landmarks[0, 4, 0]


def test_mirroring_swaps_left_and_right() -> None:
    assert MIRRORED == [1, 0, 2, 4, 3]


def test_pictures_have_valid_labels_and_some_have_no_face(rng: np.random.Generator) -> None:
    sources = Sources([drawn_source(rng) for _ in range(3)], [])
    stream = pictures(sources, DataOptions(canvas_px=128, faceless_share=0.2, photo_share=0.34), rng)
    n_faces = []
    for _ in range(40):
        pixels, boxes, landmarks, kind = next(stream)
        assert pixels.shape == (128, 128, 3)
        assert pixels.dtype == np.uint8
        assert landmarks.shape == (len(boxes), 5, 2)
        assert ((boxes >= 0) & (boxes <= 128)).all()
        assert (boxes[:, 2:] >= boxes[:, :2]).all()
        sides = np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1))
        assert (sides[kind == 1] >= 11).all()
        n_faces.append(int((kind == 1).sum()))
    assert min(n_faces) == 0
    assert max(n_faces) > 3


def test_same_seed_same_pictures(rng: np.random.Generator) -> None:
    sources = Sources([drawn_source(rng)], [])
    a, b = (pictures(sources, DataOptions(canvas_px=96), np.random.default_rng(5)) for _ in range(2))
    for _ in range(5):
        np.testing.assert_array_equal(next(a)[0], next(b)[0])


def test_held_out_photos_are_in_no_training_list(data: Path, tmp_path: Path) -> None:
    import shutil

    from facespace.faces.split import is_held_out, read_labels

    folder = tmp_path / "photos"
    folder.mkdir()
    lines = (data / "photos" / "labels.jsonl").read_text("utf-8").splitlines()[:40]
    for line in lines:
        shutil.copy(data / "photos" / json.loads(line)["photo"], folder)
    (folder / "labels.jsonl").write_text("\n".join(lines), "utf-8")
    sources, dev = load_sources(tmp_path, dev_share=10)
    n_held = sum(is_held_out(p.path) for p in read_labels(folder))
    assert n_held > 0
    assert len(sources.photos) + len(dev) + n_held == len(lines)


def test_cells_and_decoding_agree_with_the_detector(rng: np.random.Generator) -> None:
    from facespace.faces.layouts import decode_own

    arrays = {f"map_{s}": rng.normal(0, 1, (1, 15, 64 // s, 96 // s)).astype(np.float32) for s in (8, 16, 32)}
    logits, boxes, landmarks, centres, strides = decode(tuple(torch.from_numpy(a) for a in arrays.values()))
    got = decode_own(arrays, 96, 1e-6)
    assert len(centres) == len(strides) == len(got)
    np.testing.assert_allclose(got.boxes_xyxy, boxes[0], rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(got.landmarks_xy, landmarks[0], rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(got.scores, logits[0].sigmoid(), rtol=1e-4)


@pytest.mark.parametrize(("side", "stride"), [(14, 8), (32, 8), (64, 16), (120, 32)])
def test_a_face_goes_to_the_cells_that_fit_it_best(side: int, stride: int) -> None:
    batch = one_face_batch([64 - side / 2, 64 - side / 2, 64 + side / 2, 64 + side / 2])
    logits, boxes, _, centres, strides = decode(maps_of(128))
    face_idx, quality = assign(logits.sigmoid(), boxes, centres, strides, batch, LossOptions())
    best = int(quality[0].argmax())
    assert strides[best] == stride
    assert (face_idx >= 0).sum() >= 1
    assert quality[0, best] == pytest.approx(
        float(paired_iou(boxes[0, best], batch.boxes_xyxy[0, 0])), abs=1e-4
    )


def test_perfect_maps_cost_little_and_alarms_cost_more() -> None:
    batch = one_face_batch([32, 32, 96, 96])
    maps = maps_of(128, logit=-12.0)
    centres, _ = cells(128, 128)
    at16 = centres[256:320].reshape(8, 8, 2)
    maps[1][0, 1:3] = ((64.0 - at16) / 16).permute(2, 0, 1)
    maps[1][0, 5:] = torch.from_numpy(POINTS_IN_BOX - 0.5).flatten()[:, None, None]
    near = (at16 - 64).abs().amax(-1) < 17
    maps[1][0, 0][near] = 12.0
    good, parts = detection_loss(maps, batch, LossOptions())
    maps[0][0, 0, 0, 0] = 6.0
    worse, _ = detection_loss(maps, batch, LossOptions())
    assert parts["box"] < 0.1
    assert parts["landmarks"] < 0.1
    assert good < 0.6
    assert worse > good + 0.3


def test_nothing_is_trained_in_ignored_regions_and_no_face_is_no_error() -> None:
    batch = one_face_batch([32, 32, 96, 96])
    ignored = Batch(batch.pixels, batch.boxes_xyxy, batch.landmarks_xy, torch.full((1, 1), -1))
    maps = maps_of(128, logit=-20.0)
    maps[0][0, 0, 7, 7] = 6.0  # an alarm in the middle of the region
    assert detection_loss(maps, ignored, LossOptions())[0] < 1e-3
    empty = Batch(batch.pixels, batch.boxes_xyxy, batch.landmarks_xy, torch.zeros(1, 1, dtype=torch.int64))
    assert detection_loss(maps, empty, LossOptions())[0] > 1


def test_faces_without_landmarks_train_all_but_their_landmarks() -> None:
    batch = one_face_batch([32, 32, 96, 96])
    blind = Batch(batch.pixels, batch.boxes_xyxy, torch.full((1, 1, 5, 2), torch.nan), batch.kind)
    maps = tuple(m.requires_grad_() for m in maps_of(128))
    (_, with_points), (loss, without) = (detection_loss(maps, b, LossOptions()) for b in (batch, blind))
    assert with_points["landmarks"] > 0.1
    assert without == with_points | {"landmarks": 0.0}
    loss.backward()
    assert all(bool(m.grad.isfinite().all()) for m in maps if m.grad is not None)
    assert sum(float(m.grad[:, 5:].abs().sum()) for m in maps if m.grad is not None) == 0


def test_folding_changes_nothing(rng: np.random.Generator) -> None:
    torch.manual_seed(0)
    network = DetectorNetwork(SMALL)
    pixels = torch.from_numpy(rng.uniform(0, 255, (2, 3, 64, 96)).astype(np.float32))
    for _ in range(3):
        network(pixels)
    before = network.eval()(pixels)
    for a, b in zip(before, fold_norms(network)(pixels), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


def test_best_threshold_separates_right_from_wrong() -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.35, 0.3], np.float32)
    right = np.array([True, True, True, False, False])
    assert 0.36 <= best_threshold(scores, right, 3) <= 0.7


def test_a_short_run_resumes_and_exports(tmp_path: Path, rng: np.random.Generator) -> None:
    sources = Sources([drawn_source(rng)], [])
    recipe = DetectorRecipe(
        minutes=0.01, batch_size=2, network=SMALL, data=DataOptions(canvas_px=64), log_every=1
    )
    checkpoint = train_detector(sources, tmp_path / "run", recipe)
    n_steps = len((tmp_path / "run" / "log.jsonl").read_text("utf-8").splitlines())
    train_detector(sources, tmp_path / "run", recipe)
    lines = [json.loads(x) for x in (tmp_path / "run" / "log.jsonl").read_text("utf-8").splitlines()]
    assert [line["step"] for line in lines] == list(range(1, len(lines) + 1))
    assert len(lines) > n_steps
    spec = export_detector(checkpoint, tmp_path / "d.onnx", score_threshold=0.37)
    detector = Detector(tmp_path / "d.onnx")
    assert detector.score_threshold == 0.37
    assert detector.spec == spec
    pixels = rng.uniform(0, 255, (1, 3, 64, 160)).astype(np.float32)
    with torch.no_grad():
        expected = load_detector(checkpoint)(torch.from_numpy(pixels))
    for a, b in zip(expected, detector.run(pixels).values(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3)


def test_an_older_checkpoint_gives_its_averaged_network(tmp_path: Path) -> None:
    network, options = DetectorNetwork(SMALL), dataclasses.asdict(SMALL)
    weights = network.state_dict()
    older = {f"module.{name}": value for name, value in weights.items()} | {"n_averaged": torch.tensor(3)}
    for average in (weights, older):
        torch.save({"options": options, "average": average}, tmp_path / "last.pt")
        loaded = load_detector(tmp_path / "last.pt").state_dict()
        assert all(torch.equal(loaded[name], value) for name, value in weights.items())


def test_exported_weights_can_be_trained_on(tmp_path: Path, rng: np.random.Generator) -> None:
    from lab.detector.export import _to_onnx

    torch.manual_seed(3)
    trained = DetectorNetwork(SMALL)
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    pixels = torch.from_numpy(rng.integers(0, 256, (8, 96, 96, 3), dtype=np.uint8))
    trained.train()(pixels.permute(0, 3, 1, 2).float())  # norms that are not the first ones
    _to_onnx(fold_norms(trained), tmp_path / "model.onnx")
    unfolded = DetectorNetwork(SMALL)
    unfolded.load_state_dict(unfold_norms(tmp_path / "model.onnx", SMALL, pixels))
    x = pixels.permute(0, 3, 1, 2).float()
    for expected, in_use, in_training in zip(
        trained(x), unfolded.eval()(x), unfolded.train()(x), strict=True
    ):
        torch.testing.assert_close(in_use, expected, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(in_training, expected, rtol=1e-2, atol=1e-2)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    from facespace.errors import DataError
    from lab.detector.export import _to_onnx

    _to_onnx(fold_norms(DetectorNetwork(SMALL)), tmp_path / "model.onnx")
    with pytest.raises(DataError, match=r"model\.onnx: expected an exported detector"):
        unfold_norms(tmp_path / "model.onnx", NetworkOptions(), torch.zeros(1, 64, 64, 3, dtype=torch.uint8))
