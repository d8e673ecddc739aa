import io

import numpy as np
import pytest
import torch
from PIL import Image

from drawn import drawn_faces
from facespace.training.augment import Augmentation, _gaussian, to_input
from facespace.training.compression import compress

STILL = dict.fromkeys(Augmentation.__dataclass_fields__, 0.0)
EVERYTHING = Augmentation(grey=0.5, blur=0.5, low_resolution=0.5, jpeg=0.5, erase=0.5)


def crops_of(n: int = 8, side: int = 112) -> torch.Tensor:
    faces = drawn_faces(n, 1, side)
    return torch.from_numpy(faces.crops(np.arange(n)))


@pytest.mark.parametrize("n", [0, 1, 8])
@pytest.mark.parametrize("size_hw", [None, (112, 112), (140, 116), (56, 56)])
def test_it_follows_its_generator_and_keeps_to_range_and_size(n: int, size_hw) -> None:
    crops = crops_of(8)[:n]
    first = EVERYTHING(crops, torch.Generator().manual_seed(3), size_hw=size_hw)
    again = EVERYTHING(crops, torch.Generator().manual_seed(3), size_hw=size_hw)
    assert first.shape == (n, 3, *(size_hw or (112, 112))) and torch.equal(first, again)
    assert first.dtype == torch.float32
    assert n == 0 or (first.min() >= -1.001 and first.max() <= 1.001)


def test_the_pictures_given_stay_as_they_are() -> None:
    crops = crops_of()
    before = crops.clone()
    EVERYTHING(crops, torch.Generator().manual_seed(0))
    assert torch.equal(crops, before)


def test_no_augmentation_changes_nothing() -> None:
    crops = crops_of()
    assert torch.allclose(Augmentation(**STILL)(crops, torch.Generator()), to_input(crops), atol=1e-4)


def test_flip_mirrors_left_and_right() -> None:
    crops = (torch.arange(112).expand(1, 112, 112)[..., None] * 2).to(torch.uint8).expand(-1, -1, -1, 3)
    mirrored = Augmentation(**{**STILL, "flip": 1.0})(crops, torch.Generator())
    assert torch.allclose(mirrored, to_input(crops).flip(3), atol=1e-4)


@pytest.mark.parametrize("name", ["grey", "blur", "low_resolution", "jpeg", "erase", "brightness", "shift"])
def test_each_change_changes_the_picture(name: str) -> None:
    crops = crops_of()
    changed = Augmentation(**{**STILL, name: 1.0})(crops, torch.Generator().manual_seed(1))
    assert (changed - to_input(crops)).abs().mean() > 1e-3


def test_blur_lowers_contrast_between_neighbours_and_keeps_the_mean() -> None:
    crops = crops_of()
    plain, blurred = to_input(crops), Augmentation(**{**STILL, "blur": 1.0})(crops, torch.Generator())
    assert blurred.diff(dim=3).abs().mean() < 0.7 * plain.diff(dim=3).abs().mean()
    assert torch.allclose(blurred.mean((2, 3)), plain.mean((2, 3)), atol=0.03)


@pytest.mark.parametrize("quality", [10, 35, 50, 60, 90])
def test_compression_is_about_what_a_jpeg_file_makes_of_a_picture(quality: int) -> None:
    crops = crops_of()
    met = compress(to_input(crops), torch.full((len(crops),), quality))
    for crop, picture in zip(crops, met, strict=True):
        file = io.BytesIO()
        Image.fromarray(crop.numpy()).save(file, "JPEG", quality=quality)
        expected = to_input(torch.from_numpy(np.array(Image.open(file)))[None])[0]
        lost = (expected - to_input(crop[None])[0]).abs().mean()
        assert (picture - expected).abs().mean() < max(0.02, 0.5 * float(lost))


def test_each_picture_is_blurred_as_if_it_were_alone() -> None:
    crops, sigma = crops_of(3), torch.tensor([0.5, 1.0, 1.7])
    together = _gaussian(to_input(crops), sigma)
    for i in range(3):
        alone = _gaussian(to_input(crops[i : i + 1]), sigma[i : i + 1])
        assert torch.allclose(together[i], alone[0], atol=0.02)
