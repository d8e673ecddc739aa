import io
import os
import struct
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facespace.errors import ImageError
from facespace.images import Exif, decode_image, read_exif, read_image, read_tiff_size
from tiff_parts import Entry, exif_block, tiff_picture

RED, GREY = (200, 30, 40), (90, 90, 90)


def half_red(width: int = 40, height: int = 24) -> Image.Image:
    """Left half red, right half grey: orientation shows."""
    image = Image.new("RGB", (width, height), GREY)
    image.paste(RED, (0, 0, width // 2, height))
    return image


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"])
def test_usual_kinds_are_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "odd name é#?.dat"
    path.write_bytes(saved(half_red(), kind))
    picture = read_image(path)
    assert picture.pixels.dtype == np.uint8 and picture.pixels.shape == (24, 40, 3)
    assert picture.size_hw == (24, 40) and picture.scale == 1.0
    assert np.abs(picture.pixels[12, 8].astype(int) - RED).max() < 25
    assert np.abs(picture.pixels[12, 32].astype(int) - GREY).max() < 25


def test_heic_is_read(tmp_path: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    path = tmp_path / "p.heic"
    pillow_heif.from_pillow(half_red(64, 64)).save(path)
    assert np.abs(read_image(path).pixels[32, 8].astype(int) - RED).max() < 30


def cornered() -> Image.Image:
    """A red corner at the top left: every one of the eight orientations shows."""
    corner = Image.new("RGB", (64, 32), GREY)
    corner.paste(RED, (0, 0, 32, 16))
    return corner


def turned(kind: str, orientation: Entry) -> bytes:
    """The cornered picture as a file of that kind with that entry in its EXIF."""
    if kind == "TIFF":
        return tiff_picture(
            np.asarray(cornered()), [orientation], inner=[(0x9003, 2, b"2024:07:01 12:30:05\0")]
        )
    return saved(cornered(), kind, exif=b"Exif\0\0" + exif_block(orientation, taken="2024:07:01 12:30:05"))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize(
    ("orientation", "red_at"),
    [
        (1, (8, 8)),
        (2, (8, -8)),
        (3, (-8, -8)),
        (4, (-8, 8)),
        (5, (8, 8)),
        (6, (8, -8)),
        (7, (-8, -8)),
        (8, (-8, 8)),
    ],
)
@pytest.mark.parametrize("form", [3, 1, 2, 4, 5], ids=["SHORT", "BYTE", "ASCII", "LONG", "RATIONAL"])
def test_exif_orientation_is_applied(
    tmp_path: Path, kind: str, orientation: int, red_at: tuple[int, int], form: int
) -> None:
    value = {3: struct.pack("<H", orientation), 1: bytes([orientation]), 2: b"%d\0" % orientation,
             4: struct.pack("<I", orientation), 5: struct.pack("<II", orientation, 1)}[form]  # fmt: skip
    path = tmp_path / "p"
    path.write_bytes(turned(kind, (0x0112, form, value)))
    picture = read_image(path)
    assert picture.pixels.shape[:2] == picture.size_hw == ((64, 32) if orientation > 4 else (32, 64))
    assert np.abs(picture.pixels[red_at].astype(int) - RED).max() < 30
    assert np.abs(picture.pixels[-red_at[0], red_at[1]].astype(int) - GREY).max() < 30
    assert picture.exif.orientation == read_exif(path).orientation == orientation
    small = read_image(path, longest_side_px=32)
    assert small.pixels.shape[:2] == tuple(side // 2 for side in picture.size_hw) and small.scale == 0.5


def sixteen_bit() -> Image.Image:
    ramp = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    return Image.fromarray(ramp)


@pytest.mark.parametrize(
    ("image", "kind", "expected"),
    [
        (Image.new("L", (4, 4), 77), "PNG", (77, 77, 77)),
        (Image.new("LA", (4, 4), (77, 0)), "PNG", (255, 255, 255)),
        (Image.new("RGBA", (4, 4), (10, 20, 30, 0)), "PNG", (255, 255, 255)),
        (Image.new("RGBA", (4, 4), (10, 20, 30, 255)), "PNG", (10, 20, 30)),
        (Image.new("1", (4, 4), 1), "PNG", (255, 255, 255)),
        (Image.new("P", (4, 4), 0), "PNG", (0, 0, 0)),
        (Image.new("CMYK", (4, 4), (0, 0, 0, 0)), "TIFF", (255, 255, 255)),
        (Image.new("I;16", (4, 4), 0x8000), "PNG", (128, 128, 128)),
        (Image.new("F", (4, 4), 0.5), "TIFF", (128, 128, 128)),
    ],
    ids=lambda v: v.mode if isinstance(v, Image.Image) else str(v),
)
def test_every_mode_becomes_rgb(image: Image.Image, kind: str, expected: tuple[int, int, int]) -> None:
    pixels = decode_image(saved(image, kind), Path("p")).pixels
    assert pixels.shape == (4, 4, 3)
    assert np.abs(pixels[0, 0].astype(int) - expected).max() <= 1


def test_sixteen_bits_are_scaled_and_not_clipped() -> None:
    pixels = decode_image(saved(sixteen_bit(), "PNG"), Path("p")).pixels[..., 0]
    assert pixels.min() == 0 and pixels.max() == 255 and len(np.unique(pixels)) == 64


def test_the_first_frame_of_an_animation_counts() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, GREY)]
    animated = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert np.abs(decode_image(animated, Path("p")).pixels[0, 0].astype(int) - RED).max() < 8


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_large_pictures_come_at_reduced_scale_with_their_true_size(kind: str) -> None:
    picture = decode_image(saved(half_red(1600, 1000), kind), Path("p"), longest_side_px=400)
    assert picture.pixels.shape == (250, 400, 3)
    assert picture.size_hw == (1000, 1600)
    assert picture.scale == 0.25
    small = decode_image(saved(half_red(), kind), Path("p"), longest_side_px=400)
    assert small.pixels.shape == (24, 40, 3)


def test_a_turned_picture_is_reduced_by_its_longest_side() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = decode_image(saved(half_red(1600, 1000), "JPEG", exif=exif), Path("p"), longest_side_px=400)
    assert picture.pixels.shape == (400, 250, 3) and picture.size_hw == (1600, 1000)


def png_of_size(width: int, height: int) -> bytes:
    """A tiny file that claims to be huge."""
    content = bytearray(saved(Image.new("L", (1, 1)), "PNG"))
    content[16:24] = struct.pack(">II", width, height)
    import zlib

    content[29:33] = struct.pack(">I", zlib.crc32(bytes(content[12:29])))
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"hello, this is text", "not a picture"),
        (saved(half_red(400, 400), "JPEG")[:900], "damaged or cut short"),
        (saved(half_red(400, 400), "PNG")[:-200], "damaged or cut short"),
        (png_of_size(20000, 20000), "larger than the limit of 256 megapixels"),
        (png_of_size(60000, 60000), "larger than the limit"),
    ],
    ids=["empty", "text", "cut JPEG", "cut PNG", "over our limit", "bomb"],
)
def test_what_cannot_be_read_is_one_line_with_path_and_reason(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "broken.jpg"
    path.write_bytes(content)
    with pytest.raises(ImageError) as caught:
        read_image(path)
    assert reason in caught.value.reason and caught.value.path == path
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.jpg", tmp_path):
        with pytest.raises(ImageError, match="cannot be read"):
            read_image(path)


def test_the_pixel_limit_is_an_error_of_the_callers_choice() -> None:
    with pytest.raises(ImageError, match="40x24 is larger"):
        decode_image(saved(half_red(), "PNG"), Path("p"), max_pixels=900)


def test_only_regular_files_are_read_and_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    pipe, link = tmp_path / "pipe.jpg", tmp_path / "link.jpg"
    os.mkfifo(pipe)
    link.symlink_to("/dev/zero")
    for path in (pipe, link, Path("/dev/zero")):
        with pytest.raises(ImageError, match="expected a regular file"):
            read_image(path)
        assert read_exif(path) == Exif() and read_tiff_size(path) is None


def test_a_file_of_more_bytes_than_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    with path.open("wb") as file:
        file.truncate(5 << 30)  # takes no place on the disk
    with pytest.raises(ImageError, match="larger than the limit"):
        read_image(path)


def test_threads_leave_the_filters_of_warnings_as_they_were() -> None:
    content, before = saved(half_red(400, 300), "PNG"), list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: decode_image(content, Path("p")), range(200)))
    assert warnings.filters == before
