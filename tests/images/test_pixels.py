"""Pixels of every mode that decoders give."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facespace.images import decode_image, opening
from facespace.images.opening import to_rgb
from tiff_parts import tiff_picture

Y, X = np.mgrid[0:16, 0:24]
RGB = np.stack([X * 10, Y * 15, (X + Y) * 6], -1).astype(np.uint8)


def decoded(image: Image.Image, kind: str, **options: object) -> np.ndarray:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return decode_image(buffer.getvalue(), Path("p")).pixels.astype(int)


@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("bands", [3, 4])
def test_tiff_of_eight_and_sixteen_bits_with_its_colours_together_or_apart(
    planar: bool, deep: bool, bands: int
) -> None:
    whole = np.concatenate([RGB, np.full((16, 24, bands - 3), 255, np.uint8)], -1)
    stored = whole.astype(np.uint16) * 257 if deep else whole
    beside = [(338, 3, b"\2\0")] if bands == 4 else []
    found = decode_image(tiff_picture(stored, beside, planar=planar), Path("p"))
    assert np.abs(found.pixels.astype(int) - RGB).max() <= 1
    turned = tiff_picture(stored, [*beside, (0x0112, 3, b"\6\0")], planar=planar)
    assert np.abs(decode_image(turned, Path("p")).pixels - np.rot90(RGB.astype(int), -1)).max() <= 1


@pytest.mark.parametrize("dtype", [np.uint32, np.float32])
def test_tiff_that_nobody_here_decodes_is_refused_with_a_reason(dtype: type) -> None:
    with pytest.raises(ValueError, match="a TIFF file with pixels of a kind that is not read"):
        decode_image(tiff_picture(RGB.astype(dtype), []), Path("p"))


@pytest.mark.parametrize("deep", [False, True])
def test_tiff_whose_least_value_is_white(deep: bool) -> None:
    grey = RGB[..., :1].astype(np.uint16) * 257 if deep else RGB[..., :1]
    content = bytearray(tiff_picture(grey, []))
    place = content.index(b"\x06\x01\x03\x00")
    content[place + 8] = 0
    assert (
        np.abs(decode_image(bytes(content), Path("p")).pixels[..., 0].astype(int) - (255 - RGB[..., 0])).max()
        <= 1
    )


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (np.full((2, 2), 300, np.int32), 300 * 255 / 65535),
        (np.full((2, 2), 200, np.int32), 200),
        (np.array([[0, 70_000], [35_000, 70_000]], np.int32), None),
        (np.full((2, 2), -5, np.int32), 0),
        (np.array([[np.nan, 0.5], [0.5, np.inf]], np.float32), None),
        (np.zeros((2, 2), np.float32), 0),
    ],
)
def test_deep_grey_is_scaled(image: np.ndarray, expected: float | None) -> None:
    found = np.asarray(to_rgb(Image.fromarray(image)))[..., 0].astype(int)
    if expected is None:
        assert abs(found[1, 0] - 128) <= 1
    else:
        assert np.abs(found - expected).max() <= 1


def test_cmyk_by_adobe_is_not_turned_round() -> None:
    found = decoded(Image.fromarray(RGB).convert("CMYK"), "JPEG", quality=100, subsampling=0)
    assert np.abs(found - RGB).mean() < 4


WRITTEN = [
    ("P", "BMP"), ("P", "GIF"), ("P", "PNG"), ("1", "BMP"), ("1", "TIFF"), ("1", "PNG"), ("LA", "PNG"), ("PA", "TIFF"),
    ("LAB", "TIFF"), ("YCbCr", "TIFF"), ("YCbCr", "JPEG"), ("RGBX", "TIFF"), ("L", "JPEG2000"), ("RGB", "JPEG2000"),
    ("RGBA", "JPEG2000"), ("RGB", "PPM"), ("L", "PPM"),
]  # fmt: skip


@pytest.mark.parametrize(("mode", "kind"), WRITTEN)
def test_black_stays_black_and_white_white(mode: str, kind: str) -> None:
    image = Image.new("RGB", (32, 32), "black")
    image.paste("white", (16, 0, 32, 32))
    try:
        made = image.convert(mode) if mode not in ("PA", "LAB") else _made(image, mode)
        found = decoded(made, kind)
    except OSError as error:
        pytest.skip(f"Pillow does not write it: {error}")
    assert found[:, :14].max() < 8 and found[:, 18:].min() > 247


def _made(image: Image.Image, mode: str) -> Image.Image:
    if mode == "PA":
        return image.convert("P").convert("PA")
    bands = [image.convert("L"), *(Image.new("L", image.size, 128) for _ in range(2))]
    return Image.merge("LAB", bands)


def test_a_colour_without_opacity_is_white() -> None:
    image = Image.fromarray((X // 12).astype(np.uint8)).convert("P")
    image.putpalette([0, 0, 0, 200, 0, 0])
    found = decoded(image, "PNG", transparency=0)
    assert (found[0, 0] == 255).all() and tuple(found[0, 23]) == (200, 0, 0)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1", "I;16"])
def test_large_pictures_are_averaged_like_others(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    y, x = np.mgrid[0:700, 0:1300]
    smooth = Image.fromarray(np.stack([x // 6, y // 3, (x + y) // 8], -1).astype(np.uint8))
    made = Image.fromarray((x * 50).astype(np.uint16)) if mode == "I;16" else smooth.convert(mode)
    expected = to_rgb(opening.shrink(made, 130))
    monkeypatch.setattr(opening, "LARGE_PIXELS", 100)
    found = to_rgb(opening.shrink(made, 130))
    assert found.size == expected.size == (130, 70)
    assert np.abs(np.asarray(found).astype(int) - np.asarray(expected)).mean() < 2
