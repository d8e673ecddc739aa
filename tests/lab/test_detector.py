"""Assignment, loss, training and export of the detector, on drawn faces: no real data needed."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from detector_sources import POINTS, landmarks_of, pools_of
from facespace.errors import DataError
from facespace.faces.detect import Detector
from facespace.faces.layouts import decode_own
from facespace.images import read_image
from lab.detector.export import (
    SCORE_THRESHOLD,
    export_detector,
    load_detector,
    read_network,
    write_network,
)
from lab.detector.labels import Labels
from lab.detector.network import UNITS, DetectorNetwork, fold_norms
from lab.detector.pack import read_pack, write_pack
from lab.detector.peers import KINDS
from lab.detector.targets import assign, cells, decode, detection_loss, paired_iou, stack_labels
from lab.detector.train import DetectorRecipe, train_detector

SMALL = (8, 8, 8, 8, 8, 8)


def one_face(box: list[float]) -> Labels:
    boxes = np.array([box], np.float32)
    return Labels(boxes, landmarks_of(boxes), np.ones(1, np.bool_))


def maps_of(px: int, *, logit: float = -4.0) -> tuple[torch.Tensor, ...]:
    maps = tuple(torch.zeros(1, 15, px // s, px // s) for s in (8, 16, 32))
    for m in maps:
        m[:, 0] = logit
    return maps


def loss_of(
    maps: tuple[torch.Tensor, ...], labels: list[Labels]
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    return detection_loss(maps, stack_labels(labels))


def test_cells_and_decoding_agree_with_the_detector(rng: np.random.Generator) -> None:
    arrays = {f"map_{s}": rng.normal(0, 1, (1, 15, 64 // s, 96 // s)).astype(np.float32) for s in (8, 16, 32)}
    logits, boxes, landmarks, centres, strides = decode(tuple(torch.from_numpy(a) for a in arrays.values()))
    got = decode_own(arrays, 96, 1e-6)
    assert len(centres) == len(strides) == len(got)
    np.testing.assert_allclose(got.boxes_xyxy, boxes[0], rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(got.landmarks_xy, landmarks[0], rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(got.scores, logits[0].sigmoid(), rtol=1e-4)


@pytest.mark.parametrize(("side", "stride"), [(14, 8), (32, 8), (64, 16), (120, 32)])
def test_a_face_goes_to_the_cells_that_fit_it_best(side: int, stride: int) -> None:
    faces = torch.tensor([[64 - side / 2, 64 - side / 2, 64 + side / 2, 64 + side / 2]])
    logits, boxes, _, centres, strides = decode(maps_of(128))
    present = torch.ones(1, 1, dtype=torch.bool)
    (face_idx,), (quality,) = assign(logits.sigmoid(), boxes, centres, strides, faces[None], present)
    best = int(quality.argmax())
    assert strides[best] == stride
    assert (face_idx >= 0).sum() >= 1
    assert quality[best] == pytest.approx(float(paired_iou(boxes[0, best], faces[0])), abs=1e-4)


def test_perfect_maps_cost_little_and_alarms_cost_more() -> None:
    labels = [one_face([32, 32, 96, 96])]
    maps = maps_of(128, logit=-12.0)
    centres, _ = cells(128, 128)
    at16 = centres[256:320].reshape(8, 8, 2)
    maps[1][0, 1:3] = ((64.0 - at16) / 16).permute(2, 0, 1)
    maps[1][0, 5:] = torch.from_numpy(POINTS - 0.5).flatten()[:, None, None]
    near = (at16 - 64).abs().amax(-1) < 17
    maps[1][0, 0][near] = 12.0
    good, parts = loss_of(maps, labels)
    maps[0][0, 0, 0, 0] = 6.0
    worse, _ = loss_of(maps, labels)
    assert parts["box"] < 0.1
    assert parts["landmarks"] < 0.1
    assert good < 0.6
    assert worse > good + 0.3


def test_nothing_is_trained_in_ignored_regions_and_no_face_is_no_error() -> None:
    ignored = Labels.regions(np.array([[32, 32, 96, 96]], np.float32))
    maps = maps_of(128, logit=-20.0)
    maps[0][0, 0, 7, 7] = 6.0  # an alarm in the middle of the region
    assert loss_of(maps, [ignored])[0] < 1e-3
    assert loss_of(maps, [Labels.join([])])[0] > 1


def test_a_batch_costs_what_its_pictures_cost_together() -> None:
    labels = [one_face([32, 32, 96, 96]), Labels.join([]), one_face([10, 20, 40, 50])]
    torch.manual_seed(2)
    maps = tuple(torch.randn(3, 15, 128 // s, 128 // s) for s in (8, 16, 32))
    parts = [loss_of(tuple(m[i : i + 1] for m in maps), [labels[i]])[1] for i in range(3)]
    whole = loss_of(maps, labels)[1]
    assert whole["cells"] == sum(part["cells"] for part in parts)


def test_faces_without_landmarks_train_all_but_their_landmarks() -> None:
    labels = one_face([32, 32, 96, 96])
    blind = Labels(labels.boxes_xyxy, np.full((1, 5, 2), np.nan, np.float32), labels.is_face)
    maps = tuple(m.requires_grad_() for m in maps_of(128))
    (_, with_points), (loss, without) = (loss_of(maps, [of]) for of in (labels, blind))
    assert with_points["landmarks"] > 0.1
    for name in ("score", "box", "cells", "quality"):
        assert without[name] == with_points[name]
    assert without["landmarks"] == 0
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


def test_a_short_run_resumes_and_exports(tmp_path: Path, rng: np.random.Generator) -> None:
    pools, log = pools_of(tmp_path), tmp_path / "run" / "log.jsonl"
    recipe = DetectorRecipe(minutes=0.01, batch_size=2, widths=SMALL, canvas_px=64, log_every=1)
    checkpoint = train_detector(pools, tmp_path / "run", recipe)
    n_steps = len(log.read_text("utf-8").splitlines())
    train_detector(pools, tmp_path / "run", recipe)
    lines = [json.loads(x) for x in log.read_text("utf-8").splitlines()]
    assert [line["step"] for line in lines] == list(range(1, len(lines) + 1))
    assert len(lines) > n_steps
    pictures = rng.integers(0, 256, (8, 64, 160, 3), dtype=np.uint8)
    spec = export_detector(checkpoint, tmp_path / "d.onnx", pictures)
    detector = Detector(tmp_path / "d.onnx")
    assert detector.score_threshold == SCORE_THRESHOLD
    assert detector.spec == spec
    for pixels in pictures[:2].transpose(0, 3, 1, 2)[:, None].astype(np.float32):
        with torch.no_grad():
            expected = load_detector(checkpoint)(torch.from_numpy(pixels))
        for a, b in zip(expected, detector.run(pixels).values(), strict=True):
            np.testing.assert_allclose(a, b, atol=0.05)
    again = train_detector(pools, tmp_path / "next", recipe, init=tmp_path / "d.onnx")
    assert load_detector(again).widths == SMALL


def test_exported_weights_can_be_trained_on(tmp_path: Path, rng: np.random.Generator) -> None:
    torch.manual_seed(3)
    trained = DetectorNetwork(SMALL)
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    pixels = torch.from_numpy(rng.integers(0, 256, (8, 96, 96, 3), dtype=np.uint8))
    trained.train()(pixels.permute(0, 3, 1, 2).float())  # norms that are not the first ones
    write_network(fold_norms(trained), tmp_path / "model.onnx")
    unfolded = read_network(tmp_path / "model.onnx", pixels, SMALL)
    x = pixels.permute(0, 3, 1, 2).float()
    for expected, in_use, in_training in zip(
        trained(x), unfolded.eval()(x), unfolded.train()(x), strict=True
    ):
        torch.testing.assert_close(in_use, expected, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(in_training, expected, rtol=1e-2, atol=1e-2)


def test_a_larger_network_begins_near_what_the_model_gives(tmp_path: Path, rng: np.random.Generator) -> None:
    torch.manual_seed(4)
    write_network(fold_norms(DetectorNetwork(SMALL)), tmp_path / "model.onnx")
    pixels = torch.from_numpy(rng.integers(0, 256, (8, 96, 96, 3), dtype=np.uint8))
    same = read_network(tmp_path / "model.onnx", pixels, SMALL)
    wider = read_network(tmp_path / "model.onnx", pixels, (8, 12, 12, 16, 16, 12))
    deeper = read_network(tmp_path / "model.onnx", pixels, SMALL, (3, 3, 4))
    x = pixels.permute(0, 3, 1, 2).float()
    expected = same.eval()(x)
    for first, second, third in zip(expected, wider.eval()(x), deeper.eval()(x), strict=True):
        torch.testing.assert_close(second, first, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(third, first, rtol=0.05, atol=0.05)
        assert not torch.equal(third, first)


@pytest.mark.parametrize(("widths", "units"), [((4, 4, 4, 4, 4, 4), UNITS), (SMALL, (1, 2, 2))])
def test_weights_of_another_network_are_refused(
    tmp_path: Path, widths: tuple[int, ...], units: tuple[int, ...]
) -> None:
    write_network(fold_norms(DetectorNetwork(SMALL)), tmp_path / "model.onnx")
    with pytest.raises(DataError, match=r"model\.onnx: expected an exported detector"):
        read_network(tmp_path / "model.onnx", torch.zeros(1, 64, 64, 3, dtype=torch.uint8), widths, units)


def test_a_pack_holds_the_pictures_and_labels_that_were_given(tmp_path: Path) -> None:
    boxes = np.array([[100, 50, 700, 650], [5, 5, 60, 70]], np.float32)
    labels = Labels.join(
        [Labels(boxes[:1], landmarks_of(boxes[:1]), np.ones(1, np.bool_)), Labels.regions(boxes[1:])]
    )
    paths = {kind: tmp_path / f"from-{kind}" / "a.png" for kind in KINDS}
    for path in paths.values():
        path.parent.mkdir()
        Image.new("RGB", (1024, 768), (200, 30, 60)).save(path)
    n_parts = write_pack(
        {kind: {path: labels} for kind, path in paths.items()}, tmp_path / "pack", part_bytes=1
    )
    assert n_parts == len(KINDS)
    for kind, pictures in read_pack(tmp_path / "pack").items():
        ((path, got),) = pictures.items()
        assert path.parent.name == f"from-{kind}"
        assert read_image(path).pixels.shape == (672, 896, 3)
        np.testing.assert_allclose(got.boxes_xyxy, boxes * 0.875, atol=0.15)
        np.testing.assert_allclose(got.landmarks_xy[0], labels.landmarks_xy[0] * 0.875, atol=0.15)
        assert got.is_face.tolist() == [True, False]
