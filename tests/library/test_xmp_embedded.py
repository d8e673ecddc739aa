"""Packets inside picture files: put in without touching a pixel, and read again."""

import contextlib
import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facespace.errors import DataError
from facespace.library.exchange.embedded import Embedded, put_packet, read_embedded, stored_orientation
from hostile.mutate import peak_memory_bytes

PACKETS = (b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>one</x:xmpmeta>", b"<another one='of odd length'/>")


def picture(form: str, mode: str = "RGB", **options: object) -> bytes:
    rng = np.random.default_rng(0)
    channels = {"L": 1, "RGB": 3, "RGBA": 4}[mode]
    pixels = rng.integers(0, 255, (31, 47, channels)).astype(np.uint8).squeeze()
    content = io.BytesIO()
    Image.fromarray(pixels, mode).save(content, form, **options)
    return content.getvalue()


def exif(orientation: int) -> Image.Exif:
    made = Image.Exif()
    made[0x0112] = orientation
    return made


PICTURES = {
    "jpeg": picture("JPEG"),
    "grey jpeg": picture("JPEG", "L"),
    "progressive jpeg with exif": picture(
        "JPEG", progressive=True, exif=exif(6), icc_profile=b"icc" * 30_000
    ),
    "jpeg with xmp": picture("JPEG", exif=exif(3), xmp=b"<old/>", comment=b"kept"),
    "png": picture("PNG", "RGBA"),
    "png with exif": picture("PNG", exif=exif(8)),
    "webp": picture("WEBP", quality=80),
    "lossless webp with alpha": picture("WEBP", "RGBA", lossless=True),
    "webp with exif and xmp": picture("WEBP", exif=exif(5), xmp=b"<old/>"),
}


@pytest.mark.parametrize("content", PICTURES.values(), ids=PICTURES)
def test_a_packet_goes_in_and_nothing_else_changes(content: bytes) -> None:
    with Image.open(io.BytesIO(content)) as before:
        pixels, mode, info = np.asarray(before), before.mode, dict(before.info)
    for packet in PACKETS:
        changed = put_packet(content, packet)
        assert read_embedded(changed) == Embedded(packet)
        with Image.open(io.BytesIO(changed)) as after:
            assert after.mode == mode and np.array_equal(np.asarray(after), pixels)
            assert {k: v for k, v in after.info.items() if "xmp" not in k} == {
                k: v for k, v in info.items() if "xmp" not in k
            }
        assert put_packet(changed, packet) == changed
        content = changed  # the second takes the place of the first
    assert PACKETS[0] not in content


def test_all_other_bytes_of_a_jpeg_stay() -> None:
    content = PICTURES["jpeg with xmp"]
    changed = put_packet(content, PACKETS[0])
    place = content.index(b"http://ns.adobe.com/xap/1.0/\0")
    assert changed[: place - 2] == content[: place - 2]
    assert changed.endswith(content[place + 29 + len(b"<old/>") :])
    plain = put_packet(PICTURES["jpeg"], PACKETS[0])
    segment = b"http://ns.adobe.com/xap/1.0/\0" + PACKETS[0]
    assert (
        plain.replace(b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment, b"") == PICTURES["jpeg"]
    )


@pytest.mark.parametrize("content", PICTURES.values(), ids=PICTURES)
def test_a_file_that_is_cut_short_is_refused_or_kept_whole(content: bytes) -> None:
    for length in range(0, min(len(content), 400)):
        with contextlib.suppress(DataError):
            assert len(put_packet(content[:length], PACKETS[0])) > length


REFUSED = [
    (b"", "JPEG, PNG and WebP"),
    (picture("TIFF"), "JPEG, PNG and WebP"),
    (picture("GIF", "L"), "JPEG, PNG and WebP"),
    (PICTURES["jpeg"][:40], "damaged"),
    (b"RIFF\0\0\0\0WEBP", "damaged"),
    (b"\x89PNG\r\n\x1a\n", "damaged"),
]


@pytest.mark.parametrize(("content", "said"), REFUSED)
def test_other_kinds_are_refused_in_one_line(content: bytes, said: str) -> None:
    with pytest.raises(DataError, match=said):
        put_packet(content, PACKETS[0])


def test_a_packet_too_long_for_a_segment_is_refused() -> None:
    longest = b"x" * (65_533 - 29)
    assert read_embedded(put_packet(PICTURES["jpeg"], longest)).packet == longest
    with pytest.raises(DataError, match="has room for 65504"):
        put_packet(PICTURES["jpeg"], longest + b"x")
    assert read_embedded(put_packet(PICTURES["png"], longest * 3)).packet == longest * 3


def test_a_packet_behind_the_pixels_or_compressed_is_read_and_replaced() -> None:
    content = PICTURES["png"]
    keyword = b"XML:com.adobe.xmp\0"
    for text in (keyword + b"\0\0\0\0" + PACKETS[0], keyword + b"\1\0en\0\0" + zlib.compress(PACKETS[0])):
        body = b"iTXt" + text
        chunk = struct.pack(">I", len(text)) + body + struct.pack(">I", zlib.crc32(body))
        late = content[:-12] + chunk + content[-12:]
        assert read_embedded(late) == Embedded(PACKETS[0])
        changed = put_packet(late, PACKETS[1])
        assert read_embedded(changed).packet == PACKETS[1] and changed.count(keyword) == 1


def test_regions_in_the_second_part_of_a_packet_are_not_written_twice() -> None:
    header = b"http://ns.adobe.com/xmp/extension/\0" + b"d" * 32 + b"\0" * 8
    for inside, refused in (
        (b"depth map", False),
        (b"http://www.metadataworkinggroup.com/schemas/regions/", True),
    ):
        body = header + inside
        segment = b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body
        content = PICTURES["jpeg"][:2] + segment + PICTURES["jpeg"][2:]
        if refused:
            with pytest.raises(DataError, match="second part"):
                put_packet(content, PACKETS[0])
        else:
            assert segment in put_packet(content, PACKETS[0])


@pytest.mark.parametrize("form", ["TIFF", "AVIF"])
def test_packets_of_other_kinds_are_read(form: str, tmp_path: Path) -> None:
    if form == "AVIF" and "AVIF" not in Image.SAVE:
        pytest.skip("this Pillow writes no AVIF")
    options = {"tiffinfo": {700: PACKETS[0]}} if form == "TIFF" else {"xmp": PACKETS[0]}
    Image.new("RGB", (40, 20)).save(tmp_path / "a", form, **options)
    assert read_embedded(tmp_path / "a").packet == PACKETS[0]


def test_heic_says_how_it_was_stored(tmp_path: Path) -> None:
    """The decoder turns the picture by itself, and the regions in it are of the picture before."""
    pillow_heif = pytest.importorskip("pillow_heif", reason="needs the extra heif")
    pillow_heif.register_heif_opener()
    Image.new("RGB", (64, 32)).save(tmp_path / "a.heic", "HEIF", exif=exif(6).tobytes(), xmp=PACKETS[0])
    assert read_embedded(tmp_path / "a.heic") == Embedded(PACKETS[0])
    assert stored_orientation(tmp_path / "a.heic") == 6


def test_what_is_no_picture_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    assert read_embedded(tmp_path / "a.jpg") == read_embedded(tmp_path / "absent.jpg") == Embedded()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def test_a_packet_is_inflated_up_to_a_limit_only() -> None:
    """3 GB of zeros in a chunk of 3 MB."""
    squeeze = zlib.compressobj(9)
    head = squeeze.compress(bytes(1_000_000)) + squeeze.flush(zlib.Z_FULL_FLUSH)
    block = squeeze.compress(bytes(1_000_000)) + squeeze.flush(zlib.Z_FULL_FLUSH)
    zeros = head + block * 2_999
    bomb = chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zeros)
    content = PICTURES["png"]
    before = peak_memory_bytes()
    for place in (33, len(content) - 12):
        with pytest.raises(DataError, match="larger than the limit of 16 MB"):
            read_embedded(content[:place] + bomb + content[place:])
    assert peak_memory_bytes() - before < 200_000_000


ENDLESS = [b"\xff\xd8" + b"\xff" * 3_000_000, b"\xff\xd8" + b"\xff\xd0" * 1_000_000,
           b"\x89PNG\r\n\x1a\n" + bytes(4_000_000), b"RIFF\xff\xff\xff\x7fWEBP" + bytes(4_000_000)]  # fmt: skip


@pytest.mark.parametrize("content", ENDLESS)
def test_parts_without_end_are_not_followed(content: bytes) -> None:
    assert read_embedded(content) == Embedded()
    with pytest.raises(DataError):
        put_packet(content, PACKETS[0])


def test_the_second_part_of_a_packet_is_put_together() -> None:
    name, digest, old = b"http://ns.adobe.com/xmp/extension/\0", b"A" * 32, b"B" * 32
    pieces = [(digest, 5, b" world"), (old, 0, b"stale"), (digest, 0, b"hello")]
    segments = b"".join(
        b"\xff\xe1"
        + struct.pack(">H", len(name) + len(part) + 42)
        + name
        + of
        + struct.pack(">II", 11, at)
        + part
        for of, at, part in pieces
    )
    content = put_packet(PICTURES["jpeg"], b"<x:xmpmeta note='" + digest + b"'/>")
    found = read_embedded(content[:2] + segments + content[2:])
    assert found.extension == b"hello world" and found.packet and digest in found.packet


def test_a_picture_that_has_become_a_pipe_says_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jpg")
    assert read_embedded(tmp_path / "a.jpg") == Embedded()
