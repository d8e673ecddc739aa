"""What stands beside the pixels never costs the pixels."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facespace.images import decode_image
from facespace.images.containers import bare, beside_pixels, kind_of
from tiff_parts import Entry, exif_block, tiff_picture

RED, GREY = (200, 30, 40), (90, 90, 90)
TOO_MUCH = zlib.compress(bytes(3 << 20))
SIDEWAYS = exif_block((0x0112, 3, b"\6\0"))


def picture() -> Image.Image:
    image = Image.new("RGB", (48, 32), GREY)
    image.paste(RED, (0, 0, 24, 32))
    return image


def saved(kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture().save(buffer, kind, **options)
    return buffer.getvalue()


def png(*beside: tuple[bytes, bytes], mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    picture().convert(mode).save(buffer, "PNG")
    content = buffer.getvalue()
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in beside
    ]
    return content[:33] + b"".join(chunks) + content[33:]


def jpeg(*beside: tuple[int, bytes]) -> bytes:
    content = saved("JPEG", quality=95)
    segments = [bytes((0xFF, marker)) + struct.pack(">H", len(data) + 2) + data for marker, data in beside]
    return content[:2] + b"".join(segments) + content[2:]


def lying_jpeg(length: int) -> bytes:
    """EXIF with a preview in it that says another length than it has."""
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), "blue").save(buffer, "JPEG")
    body = b"Exif\0\0" + exif_block(taken="2024:07:01 12:30:05") + buffer.getvalue()
    content = jpeg((0xE1, body))
    return content.replace(struct.pack(">H", len(body) + 2), struct.pack(">H", length), 1)


def webp(*beside: tuple[bytes, bytes], lengths: int = 0) -> bytes:
    """``lengths`` is what every length says too much."""
    flags = 0x20 | 0x08 | 0x04
    head = b"VP8X" + struct.pack("<II", 10, flags) + struct.pack("<I", 47)[:3] + struct.pack("<I", 31)[:3]
    behind = b"".join(
        kind + struct.pack("<I", len(data) + lengths) + data + b"\0" * (len(data) % 2)
        for kind, data in beside
    )
    body = b"WEBP" + head + saved("WEBP")[12:] + behind
    return b"RIFF" + struct.pack("<I", len(body)) + body


def tiff(*beside: Entry, inner: list[Entry] | None = None) -> bytes:
    return tiff_picture(np.asarray(picture()), list(beside), inner=inner)


def heif(kind: str, **beside: bytes) -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    if kind == "HEIF":
        pillow_heif.register_heif_opener()
    picture().resize((96, 64)).save(buffer, kind, quality=95, **beside)
    return buffer.getvalue()


CASES = {
    "PNG without": png(),
    "PNG large zTXt": png((b"zTXt", b"c\0\0" + TOO_MUCH)),
    "PNG large iTXt": png((b"iTXt", b"c\0\1\0\0\0" + TOO_MUCH)),
    "PNG large iCCP": png((b"iCCP", b"p\0\0" + TOO_MUCH)),
    "PNG empty iCCP": png((b"iCCP", b"")),
    "PNG iCCP that is no profile": png((b"iCCP", b"p\0\0" + zlib.compress(b"x"))),
    "PNG short gAMA": png((b"gAMA", b"\1")),
    "PNG short cHRM": png((b"cHRM", b"\1\2")),
    "PNG short pHYs": png((b"pHYs", b"")),
    "PNG short sRGB": png((b"sRGB", b"")),
    "PNG short tRNS": png((b"tRNS", b"\1")),
    "PNG long tRNS": png((b"tRNS", bytes(300)), mode="RGBA"),
    "PNG short acTL": png((b"acTL", b"\0")),
    "PNG short fcTL": png((b"fcTL", b"\0")),
    "PNG broken eXIf": png((b"eXIf", b"II*\0\xff\xff\xff\xff")),
    "PNG tEXt without end": png((b"tEXt", b"\xff" * 10)),
    "PNG wrong checksum": png((b"gAMA", b"\0\0\0\1")).replace(b"gAMA\0\0\0\1", b"gAMA\0\0\0\2"),
    "PNG wrong checksum of the pixels": png()[:-16] + bytes(4) + png()[-12:],
    "PNG length of a text beyond the file": png((b"tEXt", b"a\0b")).replace(b"\0\0\0\3tEXt", b"\x7f\xff\xff\xfftEXt"),
    "PNG chunk of no name": png((b"\0\1\2\3", b"abc")),
    "PNG palette, short gAMA": png((b"gAMA", b"\1"), mode="P"),
    "JPEG without": jpeg(),
    "JPEG EXIF of no length": lying_jpeg(0),
    "JPEG EXIF of a shorter length": lying_jpeg(100),
    "JPEG EXIF of a longer length": lying_jpeg(900),
    "JPEG EXIF of a length beyond the file": lying_jpeg(65535),
    "JPEG broken EXIF": jpeg((0xE1, b"Exif\0\0II*\0\xff\xff\xff\xff")),
    "JPEG empty EXIF": jpeg((0xE1, b"Exif\0\0")),
    "JPEG EXIF of a name alone": jpeg((0xE1, b"Exif")),
    "JPEG broken ICC": jpeg((0xE2, b"ICC_PROFILE\0\5\3x"), (0xE2, b"ICC_PROFILE\0")),
    "JPEG broken MPF": jpeg((0xE2, b"MPF\0II*\0\x08\0\0\0\xff\xff")),
    "JPEG MPF of too many pictures": jpeg((0xE2, b"MPF\0" + exif_block((0xB001, 4, b"\xff\xff\xff\x7f")))),
    "JPEG broken XMP": jpeg((0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta \xff\xfe tiff:Orientation")),
    "JPEG broken Photoshop": jpeg((0xED, b"Photoshop 3.0\x008BIM\xff\xff\xff\xff\xff")),
    "JPEG short JFIF": jpeg((0xE0, b"JFIF\0")),
    "JPEG short Adobe": jpeg((0xEE, b"Adobe")),
    "JPEG comment": jpeg((0xFE, b"\xff\xd9\xff\xda")),
    "WebP without": webp(),
    "WebP broken EXIF": webp((b"EXIF", b"II*\0\xff\xff\xff\xff")),
    "WebP broken ICC and XMP": webp((b"ICCP", b"x"), (b"XMP ", b"\xff\xfe<")),
    "WebP lengths beyond the file": webp((b"EXIF", b"abc"), lengths=1 << 20),
    "TIFF without": tiff(),
    "TIFF EXIF beyond the file": tiff((0x8769, 4, b"\xff\xff\xff\x7f")),
    "TIFF EXIF in text": tiff((0x8769, 2, b"no place\0")),
    "TIFF EXIF in itself": tiff((0x8769, 4, struct.pack("<I", 8))),
    "TIFF GPS beyond the file": tiff((0x8825, 4, b"\xff\xff\xff\x7f")),
    "TIFF broken ICC": tiff((34675, 7, b"x")),
    "TIFF broken XMP": tiff((700, 1, b"<\xff\xfe")),
    "TIFF text of the wrong type": tiff((305, 12, bytes(8)), (306, 5, bytes(8)), (270, 3, b"\1\2")),
    "TIFF resolution without denominator": tiff((282, 5, bytes(8)), (283, 2, b"x\0"), (296, 2, b"x\0")),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_stands_beside_the_pixels_never_costs_them(name: str) -> None:
    found = decode_image(CASES[name], Path("p"))
    assert found.size_hw == (32, 48) and found.note is None
    difference = np.abs(found.pixels.astype(int) - np.asarray(picture()))
    assert difference.mean() < 20  # a palette is dithered


@pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
@pytest.mark.parametrize(
    "beside",
    [
        {},
        {"exif": b"II*\0\xff\xff\xff\xff"},
        {"exif": b"Exif\0\0no tags at all"},
        {"icc_profile": b"no profile"},
        {"xmp": b"<x:xmpmeta \xff\xfe"},
    ],
)
def test_what_stands_beside_the_pixels_of_heif_never_costs_them(kind: str, beside: dict[str, bytes]) -> None:
    try:
        content = heif(kind, **beside)
    except Exception:  # the encoder will not write it
        content = heif(kind, exif=SIDEWAYS).replace(SIDEWAYS, bytes(len(SIDEWAYS)))
    found = decode_image(content, Path("p"))
    assert sorted(found.size_hw) == [64, 96]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (png((b"eXIf", SIDEWAYS), (b"zTXt", b"c\0\0" + TOO_MUCH)), "PNG"),
        (jpeg((0xE1, b"Exif\0\0" + SIDEWAYS), (0xE2, b"MPF\0II*\0\x08\0\0\0\xff\xff")), "JPEG"),
        (webp((b"EXIF", SIDEWAYS)), "WEBP"),
        (tiff((0x0112, 1, b"\6"), (0x8825, 4, b"\xff\xff\xff\x7f")), "TIFF"),
    ],
)
def test_a_broken_neighbour_does_not_cost_the_orientation(content: bytes, kind: str) -> None:
    found = decode_image(content, Path("p"))
    assert found.size_hw == (48, 32) and found.exif.orientation == 6
    assert np.abs(found.pixels[4, 16].astype(int) - RED).max() < 30
    plain = bare(content)
    assert kind_of(content) == kind and plain is not None
    assert kind == "TIFF" or beside_pixels(plain) == (None, None)


@pytest.mark.parametrize("kind", [b"zTXt", b"tEXt"])
@pytest.mark.parametrize("prefix", [b"Exif\0\0", b""])
def test_exif_as_imagemagick_keeps_it_in_png(kind: bytes, prefix: bytes) -> None:
    digits = (prefix + SIDEWAYS).hex().encode()
    text = b"\nexif\n%8d\n" % (len(digits) // 2) + digits[:70] + b"\n" + digits[70:] + b"\n"
    body = b"Raw profile type exif\0" + (b"\0" + zlib.compress(text) if kind == b"zTXt" else text)
    assert decode_image(png((kind, body)), Path("p")).exif.orientation == 6
    for broken in (body[:30], body[:-20] + bytes(20), b"Raw profile type exif\0\0" + TOO_MUCH):
        assert decode_image(png((kind, broken)), Path("p")).size_hw in ((32, 48), (48, 32))


@pytest.mark.parametrize("content", [b"", b"x", b"\xff\xd8\xff", b"RIFF....WEBP", b"II*\0", b"GIF89a"])
def test_the_start_of_a_file_is_no_error(content: bytes) -> None:
    assert beside_pixels(content) in ((None, None), (content, None))
    bare(content)
