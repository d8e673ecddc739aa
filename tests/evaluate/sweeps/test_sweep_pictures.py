from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facespace.embed import Embedder
from facespace.errors import DataError
from facespace.evaluate.holdout import embed_holdout
from facespace.evaluate.sweeps import (
    embed_views,
    open_holdout,
    open_lfw,
    roc_points,
    sweep_jpeg,
    sweep_placement,
    sweep_size,
)
from facespace.metrics import count_pairs
from facespace.metrics.all_pairs import PairCounts
from fakes import COLOURS, DrawnDetector, DrawnEmbedder

NAMES = list(COLOURS)


def draw_lfw(root: Path) -> Path:
    """Two 250x250 pictures of each colour; three folds of two pairs of each kind."""
    for name in NAMES:
        for i in (1, 2):
            image = np.full((250, 250, 3), 255, np.uint8)
            image[20:80, 90 + i : 150 + i] = COLOURS[name]
            path = root / name / f"{name}_{i:04d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path, quality=75)
    fold = ["red 1 2", "green 1 2", "red 1 green 2", "blue 1 ochre 2"]
    (root / "pairs.txt").write_text("\n".join(["3 2", *fold * 3]))
    return root


def draw_crops(root: Path) -> Path:
    for name in NAMES:
        for i in range(2):
            path = root / name / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (112, 112), COLOURS[name]).save(path)
    return root


def test_lfw_is_opened_with_each_face_found(tmp_path: Path) -> None:
    material = open_lfw(draw_lfw(tmp_path), DrawnDetector())
    assert (material.name, material.own_px, material.jpeg_quality, material.failures) == (
        "LFW, folds 1 to 3", 250, 75, 0,
    )  # fmt: skip
    assert material.face_px == pytest.approx(60, abs=1) and material.n_pairs == (6, 6)
    score = material.score(embed_views(material, DrawnEmbedder())[0])
    assert (score.accuracy, score.accuracy_se, score.far, score.tar) == (1.0, 0.0, 1e-2, None)


def test_pictures_without_a_face_are_counted(tmp_path: Path) -> None:
    draw_lfw(tmp_path)
    Image.new("RGB", (250, 250), "white").save(tmp_path / "red" / "red_0001.jpg")
    assert open_lfw(tmp_path, DrawnDetector()).failures == 1
    assert open_lfw(tmp_path, None).failures == 0


def test_missing_pictures_are_named(tmp_path: Path) -> None:
    draw_lfw(tmp_path)
    (tmp_path / "red" / "red_0002.jpg").unlink()
    with pytest.raises(DataError, match=r"red/red_0002\.jpg"):
        open_lfw(tmp_path, None)
    with pytest.raises(DataError, match="<identity>/<image>"):
        open_holdout(tmp_path / "nowhere")


def test_a_sweep_has_the_pictures_as_they_are_first_and_marks_what_was_upsampled(tmp_path: Path) -> None:
    seen = []
    material = open_holdout(draw_crops(tmp_path))
    sweep = sweep_size(
        material, DrawnEmbedder(), (40, 256), on_photo=lambda done, total: seen.append((done, total))
    )
    assert [(p.setting, p.value, p.face_px, p.upsampled) for p in sweep.points] == [
        ("112 px, as they are", None, 112, False), ("40 px", 40, 40, False), ("256 px", 256, 256, True),
    ]  # fmt: skip
    assert seen == [(8, 8)] and (sweep.n_same, sweep.n_diff) == (4, 24)
    assert "not JPEGs" in sweep.notes[0]


def test_lfw_sweeps_say_what_was_compressed_before_and_how_large_the_face_is(tmp_path: Path) -> None:
    material = open_lfw(draw_lfw(tmp_path), DrawnDetector())
    by_quality = sweep_jpeg(material, DrawnEmbedder(), (10, 90))
    assert "JPEGs of quality 75 already" in by_quality.notes[0]
    assert [p.score.accuracy for p in by_quality.points] == [1.0, 1.0, 1.0]
    by_size = sweep_size(material, DrawnEmbedder(), (125, 256))
    assert [(p.face_px, p.upsampled) for p in by_size.points[1:]] == [(30, False), (61, True)]
    assert len(sweep_placement(material, DrawnEmbedder()).points) == 3


def test_roc_points_agree_with_counting_one_by_one(rng: np.random.Generator) -> None:
    rows = rng.normal(size=(120, 8)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    labels = np.arange(120) // 6
    far, tar = roc_points(count_pairs(rows, labels))
    i, j = np.triu_indices(120, 1)
    distances, same = ((rows[i] - rows[j]) ** 2).sum(1), labels[i] == labels[j]
    assert (
        10 / (~same).sum() <= far[0] < 13 / (~same).sum()
        and 1e-2 in far
        and far[-1] == 1.0
        and tar[-1] == 1.0
    )
    for rate, value in zip(far[:-1], tar, strict=False):
        allowed = int(rate * (~same).sum() + 1e-6)
        limit = np.sort(distances[~same])[allowed] - 2e-5
        assert value == pytest.approx((distances[same] <= limit).mean(), abs=0.02)


def test_pairs_of_one_kind_have_no_roc() -> None:
    assert roc_points(PairCounts(np.zeros(3, np.int64), np.ones(3, np.int64))) == ((), ())


def test_the_crops_come_in_the_order_of_the_holdout_protocol(data: Path) -> None:
    root = data / "faces" / "val"
    material = open_holdout(root)
    assert material.jpeg_quality == 82 and material.own_px == 112 and material.n_pairs == (36069, 4387756)
    folders = sorted(p.name for p in root.iterdir())
    assert material.identities == tuple(folders)


def test_compression_costs_accuracy_on_real_faces(data: Path, tmp_path: Path) -> None:
    """A few real people, each by several pictures: quality 5 and 12 px lose much, quality 90 little."""
    for folder in sorted((data / "faces" / "val").iterdir())[:12]:
        (tmp_path / folder.name).symlink_to(folder)
    material, embedder = open_holdout(tmp_path), Embedder()
    qualities = sweep_jpeg(material, embedder, (5, 90)).points
    best, worst, high = (qualities[i].score.tar for i in (0, 1, 2))
    assert worst < 0.8 * best and abs(high - best) < 0.06
    sizes = sweep_size(material, embedder, (12, 112)).points
    assert sizes[1].score.tar < 0.8 * best and sizes[2].score.tar == best
    alone = embed_holdout(tmp_path, embedder)
    assert np.allclose(embed_views(material, embedder)[0], alone.embeddings, atol=1e-5)
