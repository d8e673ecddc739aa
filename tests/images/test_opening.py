"""Files that are cut short or too large: what is there is read, and said."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facespace.errors import ImageError
from facespace.images import Picture, decode_image, opening


def striped(kind: str = "RGB", **options: object) -> tuple[bytes, np.ndarray]:
    """A JPEG of a picture in which every row and column differs, and its pixels."""
    y, x = np.mgrid[0:240, 0:320]
    pixels = np.stack([x % 256, y, (x * 3 + y * 5) % 256], -1).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(kind).save(buffer, "JPEG", quality=90, **options)
    return buffer.getvalue(), decode(buffer.getvalue()).pixels


def decode(content: bytes, **options: object) -> Picture:
    return decode_image(content, Path("p"), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"restart_marker_rows": 1}, {"subsampling": 0}]
)
@pytest.mark.parametrize("kind", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("n_missing", [1, 2])
def test_a_jpeg_without_its_end_mark_is_whole(options: dict[str, object], kind: str, n_missing: int) -> None:
    content, pixels = striped(kind, **options)
    found = decode(content[:-n_missing])
    assert found.note == "its end mark is missing" or (kind == "CMYK" and found.note is None)
    assert np.array_equal(found.pixels, pixels)


def test_a_jpeg_of_one_colour_without_its_end_mark_is_whole() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(buffer, "JPEG")
    found = decode(buffer.getvalue()[:-2])
    assert found.note == "its end mark is missing" and found.pixels[63, 63, 0] > 240


@pytest.mark.parametrize("share", [0.3, 0.5, 0.75, 0.9])
@pytest.mark.parametrize("options", [{}, {"restart_marker_rows": 1}])
@pytest.mark.parametrize("kind", ["RGB", "L", "CMYK"])
def test_the_rows_that_are_there_are_read(options: dict[str, object], kind: str, share: float) -> None:
    content, pixels = striped(kind, **options)
    found = decode(content[: int(len(content) * share)])
    assert (
        found.note is not None
        and found.note.startswith("cut short: the first ")
        and found.size_hw == (240, 320)
    )
    n_rows = round(int(found.note.split()[4].removesuffix("%")) / 100 * 240) - 2
    assert abs(n_rows / 240 - share) < 0.2
    assert np.array_equal(found.pixels[: n_rows - 16], pixels[: n_rows - 16])


def test_a_progressive_half_is_read_in_less_detail() -> None:
    content, pixels = striped(progressive=True)
    found = decode(content[: len(content) // 2])
    assert found.note == "cut short: read in less detail"
    assert np.abs(found.pixels.astype(int) - pixels).mean() < 40


@pytest.mark.parametrize("options", [{}, {"progressive": True}])
def test_next_to_nothing_is_refused(options: dict[str, object]) -> None:
    content, _ = striped(**options)
    for end in (3, 100, content.index(b"\xff\xda"), content.index(b"\xff\xda") + 14):
        with pytest.raises(ImageError, match="damaged or cut short"):
            decode(content[:end])


def test_a_whole_picture_has_no_note() -> None:
    content, _ = striped()
    assert decode(content).note is None and decode(content + b"what a phone puts behind it").note is None


def test_a_jpeg_above_the_limit_is_reduced_while_it_is_decoded() -> None:
    content, pixels = striped()
    found = decode(content, max_pixels=320 * 240 // 4)
    assert found.pixels.shape == (120, 160, 3) and found.size_hw == (240, 320) and found.scale == 0.5
    assert np.abs(found.pixels.astype(int)[8:-8, 8:-8] - pixels[::2, ::2][8:-8, 8:-8]).mean() < 40
    assert decode(content, max_pixels=320 * 240 // 64, longest_side_px=1280).pixels.shape == (30, 40, 3)
    with pytest.raises(ImageError, match="320x240 is larger than the limit"):
        decode(content, max_pixels=320 * 240 // 65)


def test_a_jpeg_of_several_scans_is_held_whole_and_so_refused_above_the_limit() -> None:
    content, _ = striped(progressive=True)
    with pytest.raises(ImageError, match="320x240 in several scans is larger"):
        decode(content, max_pixels=320 * 240 // 4)
    assert decode(content, max_pixels=320 * 240, longest_side_px=80).pixels.shape == (60, 80, 3)


def test_pictures_that_take_much_memory_are_decoded_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    content, pixels = striped()
    monkeypatch.setattr(opening, "LARGE_PIXELS", 100)
    held = []
    monkeypatch.setattr(opening, "LARGE", type("Lock", (), {
        "__enter__": lambda _: held.append("in"), "__exit__": lambda *_: held.append("out")})())  # fmt: skip
    assert np.array_equal(decode(content).pixels, pixels) and held == ["in", "out"]


def test_a_picture_of_two_hundred_megapixels_is_within_the_limit() -> None:
    content = bytearray(striped()[0])
    frame = content.index(b"\xff\xc0")
    content[frame + 5 : frame + 9] = struct.pack(">HH", 12240, 16320)
    with pytest.raises(ImageError, match="damaged or cut short"):  # and not too large
        decode(bytes(content[: len(content) // 2]), longest_side_px=64)
