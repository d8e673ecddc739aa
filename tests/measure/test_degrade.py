from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facespace.errors import InputError
from facespace.measure.views import Recompress, Resize, jpeg_quality


def noise(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Blurred noise, so that it has detail and still compresses like a picture."""
    small = Image.fromarray(rng.integers(0, 256, (height // 4, width // 4, 3)).astype(np.uint8))
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


def test_lower_quality_loses_more(rng: np.random.Generator) -> None:
    image = noise(rng, 64, 48)
    errors = [np.abs(Recompress(q)(image).astype(int) - image).mean() for q in (10, 30, 90)]
    assert errors[0] > errors[1] > errors[2] > 0


@pytest.mark.parametrize("quality", [0, 96])
def test_a_quality_beyond_the_scale_is_refused(quality: int) -> None:
    with pytest.raises(InputError, match="1 to 95"):
        Recompress(quality)


@pytest.mark.parametrize(
    ("size_hw", "side", "expected"),
    [((100, 80), 50, (50, 40)), ((80, 100), 200, (160, 200)), ((64, 64), 64, (64, 64))],
)
def test_the_longest_side_becomes_what_was_asked(
    rng: np.random.Generator, size_hw: tuple[int, int], side: int, expected: tuple[int, int]
) -> None:
    assert Resize(side)(noise(rng, *size_hw)).shape == (*expected, 3)


def test_shrinking_averages(rng: np.random.Generator) -> None:
    checks = np.indices((64, 64)).sum(0)[..., None].repeat(3, 2) % 2 * 255
    small = Resize(16)(checks.astype(np.uint8))
    assert np.abs(small.astype(int) - 127).max() <= 2


@pytest.mark.parametrize("quality", [10, 50, 75, 82, 95])
def test_the_quality_of_a_file_is_told_from_its_tables(
    tmp_path: Path, rng: np.random.Generator, quality: int
) -> None:
    Image.fromarray(noise(rng, 32, 32)).save(tmp_path / "a.jpg", quality=quality)
    Image.fromarray(noise(rng, 32, 32)).save(tmp_path / "b.png")
    assert jpeg_quality([tmp_path / "a.jpg", tmp_path / "b.png"]) == quality
    assert jpeg_quality([tmp_path / "b.png"]) is None
    assert jpeg_quality([]) is None
