import numpy as np
from PIL import Image, ImageFilter

from facespace.faces.align import TEMPLATE_XY
from facespace.faces.quality import face_quality


def textured(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 255, (112, 112, 3)).astype(np.uint8)


def quality(crop: np.ndarray, landmarks: np.ndarray) -> float:
    return float(face_quality(crop[None], landmarks[None])[0])


def test_no_faces_have_no_quality() -> None:
    assert face_quality(np.zeros((0, 112, 112, 3), np.uint8), np.zeros((0, 5, 2))).shape == (0,)


def test_larger_faces_are_better_up_to_the_template(rng: np.random.Generator) -> None:
    crop = textured(rng)
    values = [quality(crop, TEMPLATE_XY * factor) for factor in (0.2, 0.5, 0.9, 1.0, 3.0)]
    assert values == sorted(values) and values[0] < 0.25 * values[3]
    assert abs(values[3] - values[4]) < 1e-6


def test_blur_lowers_it(rng: np.random.Generator) -> None:
    sharp = Image.fromarray(textured(rng))
    values = [
        quality(np.asarray(sharp.filter(ImageFilter.GaussianBlur(r))), TEMPLATE_XY) for r in (6, 3, 1, 0)
    ]
    assert values == sorted(values) and values[0] < 0.7 * values[-1]


def test_turned_heads_are_worse(rng: np.random.Generator) -> None:
    crop, values = textured(rng), []
    for shift in (30, 20, 10, 0):
        landmarks = TEMPLATE_XY.copy()
        landmarks[2, 0] += shift
        values.append(quality(crop, landmarks))
    assert values == sorted(values) and values[0] == 0
