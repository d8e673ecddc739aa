from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from facespace.faces.align import TEMPLATE_XY
from facespace.faces.quality import MEASURES, SET_ASIDE, crop_measures, face_quality


@pytest.fixture(scope="module")
def faces(data: Path) -> list[Image.Image]:
    folders = sorted((data / "faces" / "val").iterdir())[::4]
    return [Image.open(sorted(folder.iterdir())[0]).convert("RGB") for folder in folders]


def crops(images: list[Image.Image]) -> np.ndarray:
    return np.stack([np.asarray(image) for image in images])


def textured(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 255, (1, 112, 112, 3)).astype(np.uint8)


@pytest.mark.parametrize("landmarks", [None, np.zeros((0, 5, 2))])
def test_no_faces_have_no_quality(landmarks: np.ndarray | None) -> None:
    assert face_quality(np.zeros((0, 112, 112, 3), np.uint8), landmarks).shape == (0,)


def test_ordinary_faces_rank_over_the_whole_range(faces: list[Image.Image]) -> None:
    quality = face_quality(crops(faces))
    assert quality.dtype == np.float32 and 0 <= quality.min() < 0.3 and 0.7 < quality.max() <= 1
    assert 0.3 < np.median(quality) < 0.7
    assert (quality < SET_ASIDE).mean() < 0.25


def test_blurring_a_face_lowers_it(faces: list[Image.Image]) -> None:
    means = [
        face_quality(crops([f.filter(ImageFilter.GaussianBlur(r)) for f in faces])).mean()
        for r in (4, 2, 1, 0)
    ]
    assert means == sorted(means) and means[0] < 0.4 * means[-1]


def test_darkness_lowers_it(faces: list[Image.Image]) -> None:
    assert face_quality(crops(faces) // 8).mean() < 0.6 * face_quality(crops(faces)).mean()


def test_enlarged_crops_are_judged_at_the_standard_size(faces: list[Image.Image]) -> None:
    large = crops([f.resize((160, 160), Image.Resampling.BICUBIC) for f in faces])
    assert np.corrcoef(face_quality(large), face_quality(crops(faces)))[0, 1] > 0.8


def test_measures_are_finite_even_of_one_colour() -> None:
    flat = np.stack([np.full((112, 112, 3), v, np.uint8) for v in (0, 9, 255)])
    measures = crop_measures(flat)
    assert measures.shape == (3, len(MEASURES)) and np.isfinite(measures).all()
    assert np.isfinite(face_quality(flat)).all()


def test_larger_faces_are_better_up_to_half_the_template(rng: np.random.Generator) -> None:
    crop = textured(rng)
    values = [float(face_quality(crop, TEMPLATE_XY[None] * f)[0]) for f in (0.05, 0.2, 0.4, 0.5, 1.0, 3.0)]
    assert values == sorted(values) and values[0] < 0.12 * values[3]
    np.testing.assert_allclose(values[3:], float(face_quality(crop)[0]), rtol=1e-5)


def test_turned_heads_are_worse(rng: np.random.Generator) -> None:
    crop, values = textured(rng), []
    for shift in (30, 16, 12, 0):
        landmarks = TEMPLATE_XY.copy()
        landmarks[2, 0] += shift
        values.append(float(face_quality(crop, landmarks[None])[0]))
    assert values == sorted(values) and values[0] == 0 and values[1] < values[2]
