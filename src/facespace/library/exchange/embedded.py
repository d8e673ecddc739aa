"""XMP packets inside picture files: read from any that Pillow opens, put into JPEG, PNG and WebP beside the pixels.

Only the packet's segment or chunk changes; every other byte of the file stays (XMP Specification Part 3: APP1 of JPEG,
`iTXt` of PNG; WebP Container Specification: `XMP ` chunk and flag of `VP8X`).
"""

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from PIL import Image

from facespace.errors import DataError
from facespace.images import read_exif

__all__ = ["EMBEDDABLE", "HEIF", "Embedded", "put_packet", "read_embedded"]

EMBEDDABLE = frozenset((".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp"))
# Decoders turn these themselves.
HEIF = frozenset((".heic", ".heif", ".avif"))
JPEG_HEADER = b"http://ns.adobe.com/xap/1.0/\0"
JPEG_EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
EXTENSION_HEADER = len(JPEG_EXTENSION) + 40  # a digest, the length of all and the place of this part
REGIONS = (b"schemas/regions/", b"photo/1.2/t/RegionInfo#")
PNG_KEYWORD = b"XML:com.adobe.xmp\0"
PNG_HEADER = PNG_KEYWORD + b"\0\0\0\0"
JPEG_ROOM = 65_533 - len(JPEG_HEADER)
START_OF_SCAN, END_OF_IMAGE, APP0, APP1 = 0xDA, 0xD9, 0xE0, 0xE1
XMP_FLAG, ALPHA_FLAG = 0x04, 0x10


@dataclass(frozen=True)
class Embedded:
    """What a picture file says of itself.

    Attributes:
        packet: its XMP, None where there is none.
        orientation: of the stored picture, 1 to 8. Of HEIF files as EXIF has it, where the decoder has turned the
            picture already; the regions in them are of the picture before.
    """

    packet: bytes | None
    orientation: int


def read_embedded(source: Path | bytes) -> Embedded:
    """The packet and orientation of a picture, by its header; one that cannot be read says nothing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if isinstance(source, Path) and source.suffix.lower() in HEIF:
                read_exif(source)  # makes Pillow know HEIF
            with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
                png = image.fp if image.format == "PNG" else None
                packet = _png_packet(png) if png else image.info.get("xmp")
                turned = image.info.get("original_orientation") or image.getexif().get(0x0112, 1)
    except Exception:  # as many kinds as there are decoders
        return Embedded(None, 1)
    if isinstance(packet, str):
        packet = packet.encode()
    return Embedded(packet or None, turned if turned in range(1, 9) else 1)


def put_packet(content: bytes, packet: bytes) -> bytes:
    """The picture file with this packet in place of its own.

    Raises:
        DataError: of another kind, damaged, or a packet that is too long for a segment of JPEG.
    """
    try:
        if content.startswith(b"\xff\xd8"):
            return _put_jpeg(content, packet)
        if content.startswith(b"\x89PNG\r\n\x1a\n"):
            return _put_png(content, packet)
        if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
            return _put_webp(content, packet)
    except (struct.error, IndexError) as error:
        raise DataError("damaged or cut short") from error
    raise DataError("XMP is put into JPEG, PNG and WebP files only")


def _put_jpeg(content: bytes, packet: bytes) -> bytes:
    """Into an APP1 segment, where the old one stood, else behind JFIF and Exif, which readers expect first."""
    if len(packet) > JPEG_ROOM:
        raise DataError(f"the XMP packet has {len(packet)} bytes, a JPEG segment has room for {JPEG_ROOM}")
    segments = list(_segments(content))
    extended = b"".join(
        content[start + 4 + EXTENSION_HEADER : end]
        for start, end, _ in segments
        if content[start + 4 :].startswith(JPEG_EXTENSION)
    )
    if any(uri in extended for uri in REGIONS):
        raise DataError("its regions stand in a second part of its XMP")
    body = JPEG_HEADER + packet
    segment = b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body
    place = 2
    for start, end, marker in segments:
        if marker == APP1 and content[start + 4 :].startswith(JPEG_HEADER):
            return content[:start] + segment + content[end:]
        if marker == APP0 or (marker == APP1 and content[start + 4 : start + 10] == b"Exif\0\0"):
            place = end
    return content[:place] + segment + content[place:]


def _segments(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Start, end and marker of each segment before the picture's data."""
    at = 2
    while content[at] == 0xFF:
        marker = content[at + 1]
        if marker in (START_OF_SCAN, END_OF_IMAGE):
            return
        if marker == 0xFF:  # fill
            at += 1
            continue
        alone = marker == 0x01 or 0xD0 <= marker <= 0xD7
        end = at + 2 if alone else at + 2 + struct.unpack_from(">H", content, at + 2)[0]
        yield at, end, marker
        at = end
    raise DataError("damaged or cut short")


def _put_png(content: bytes, packet: bytes) -> bytes:
    """Into an iTXt chunk, where the old one stood, else behind the header."""
    body = b"iTXt" + PNG_HEADER + packet
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    at, place = 8, None
    while at < len(content):
        (length,) = struct.unpack_from(">I", content, at)
        end, kind = at + 12 + length, content[at + 4 : at + 8]
        if kind == b"iTXt" and content[at + 8 :].startswith(PNG_KEYWORD):
            return content[:at] + chunk + content[end:]
        place = place or end
        at = end
    if place is None or place > len(content):
        raise DataError("damaged or cut short")
    return content[:place] + chunk + content[place:]


def _png_packet(file: IO[bytes]) -> bytes | None:
    """The packet of an open PNG file, wherever it stands; Pillow reads what is behind the pixels only with these."""
    file.seek(8)
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind == b"iTXt":
            text = file.read(length)
            if text.startswith(PNG_KEYWORD):
                compressed, rest = text[len(PNG_KEYWORD)], text[len(PNG_KEYWORD) + 2 :]
                packet = rest.split(b"\0", 2)[2]  # behind a language and a translation
                return zlib.decompress(packet) if compressed else packet
        file.seek(4 + (0 if kind == b"iTXt" else length), io.SEEK_CUR)
    return None


def _put_webp(content: bytes, packet: bytes) -> bytes:
    """Into an `XMP ` chunk behind the others; a file of the simple form becomes one of the extended form."""
    chunks, at, size = [], 12, 8 + struct.unpack_from("<I", content, 4)[0]
    while at + 8 <= size:
        kind, (length,) = content[at : at + 4], struct.unpack_from("<I", content, at + 4)
        chunks.append((kind, content[at + 8 : at + 8 + length]))
        at += 8 + length + length % 2
    if not chunks or at > size + 1 or len(content) < at - 1:
        raise DataError("damaged or cut short")
    if chunks[0][0] != b"VP8X":
        chunks.insert(0, (b"VP8X", _extended_header(content)))
    header = chunks[0][1]
    chunks[0] = (b"VP8X", bytes((header[0] | XMP_FLAG,)) + header[1:])
    kept = [chunk for chunk in chunks if chunk[0] != b"XMP "]
    body = b"".join(
        kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
        for kind, data in [*kept, (b"XMP ", packet)]
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body + content[at:]


def _extended_header(content: bytes) -> bytes:
    """What a `VP8X` chunk says of a file that had none: whether there is alpha, and the size less one."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content)) as image:
                width, height = image.size
                flags = ALPHA_FLAG if image.mode == "RGBA" else 0
    except Exception as error:  # decoders raise many kinds on damaged files
        raise DataError("damaged or cut short") from error
    return struct.pack("<I", flags) + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
