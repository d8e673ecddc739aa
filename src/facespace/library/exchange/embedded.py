"""XMP packets inside picture files: read from any that Pillow opens, put into JPEG, PNG and WebP beside the pixels.

Only the packet's segment or chunk changes; every other byte of the file stays (XMP Specification Part 3: APP1 of JPEG,
`iTXt` of PNG; WebP Container Specification: `XMP ` chunk and flag of `VP8X`).
"""

import io
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from facespace.errors import DataError
from facespace.images import read_exif
from facespace.images.containers import (
    APP0,
    APP1,
    JPEG_XMP,
    PNG_XMP,
    beside_pixels,
    jpeg_segments,
    kind_of,
    png_chunks,
    riff_chunks,
)
from facespace.library.exchange.rdf import MAX_BYTES
from facespace.regular_files import open_regular

# Decoders turn these themselves.
HEIF = frozenset((".heic", ".heif", ".avif"))
MAX_PHOTO_BYTES = 2**30
HEAD_BYTES = 2**20  # holds all that stands before the pixels of most JPEG files
JPEG_EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
DIGEST_BYTES = 32  # of the whole extension, before its length and the place of this part
REGIONS = (b"schemas/regions/", b"photo/1.2/t/RegionInfo#")
PNG_HEADER = PNG_XMP + b"\0\0\0\0"
JPEG_ROOM = 65_533 - len(JPEG_XMP)
START_OF_SCAN = b"\xff\xda"
XMP_FLAG, ALPHA_FLAG = 0x04, 0x10
DAMAGED = "damaged or cut short"


@dataclass(frozen=True)
class Embedded:
    """What a picture file says of its picture.

    Attributes:
        packet: its XMP, None where there is none.
        extension: the second part that a JPEG has where the first one is full; a packet too.
    """

    packet: bytes | None = None
    extension: bytes | None = None


def read_embedded(source: Path | bytes) -> Embedded:
    """The packets of a picture; a file that cannot be read has none.

    Raises:
        DataError: a packet is larger than 16 MB.
    """
    try:
        content = source if isinstance(source, bytes) else _read(source)
    except OSError:
        return Embedded()
    kind, packet = kind_of(content), beside_pixels(content)[1]
    if kind == "PNG":
        packet = _png_text(packet or b"")
    elif kind not in WRITERS:
        packet = _read_other(content, source)
    if len(packet or b"") > MAX_BYTES:
        raise DataError(f"larger than the limit of {MAX_BYTES / 2**20:g} MB")
    return Embedded(packet or None, _extension(content, packet) if kind == "JPEG" else None)


def stored_orientation(path: Path) -> int:
    """The orientation of the stored picture of a HEIF file, 1 to 8: as EXIF has it, though its decoder turns it."""
    read_exif(path)  # makes Pillow know HEIF
    try:
        with open_regular(path) as file, _opened(file) as image:
            turned = image.info.get("original_orientation") or image.getexif().get(0x0112, 1)
    except Exception:  # as many kinds as there are decoders
        return 1
    return turned if turned in range(1, 9) else 1


def _read(path: Path) -> bytes:
    """A picture file; of a JPEG what stands before its pixels will do."""
    with open_regular(path) as file:
        head = file.read(HEAD_BYTES)
        if kind_of(head) == "JPEG" and _ends_at_scan(head):
            return head
        return head + file.read(MAX_PHOTO_BYTES - len(head))


def _ends_at_scan(content: bytes) -> bool:
    """Whether the segments of a JPEG lead to its pixels."""
    end = max((end for _, _, end in jpeg_segments(content)), default=2)
    return content[end:].lstrip(b"\xff")[:1] == START_OF_SCAN[1:]


@contextmanager
def _opened(file: BinaryIO) -> Iterator[Image.Image]:
    """A picture by Pillow, without its warnings of large pictures and damaged tags."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(file) as image:
            yield image


def _extension(content: bytes, packet: bytes | None) -> bytes | None:
    """The second part of a JPEG's packet: the packet names its digest; an earlier one's may have been left behind."""
    pieces: dict[bytes, dict[int, bytes]] = {}
    for _, start, end in jpeg_segments(content):
        if content.startswith(JPEG_EXTENSION, start + 4):
            piece = content[start + 4 + len(JPEG_EXTENSION) : end]
            place = int.from_bytes(piece[DIGEST_BYTES + 4 : DIGEST_BYTES + 8], "big")
            pieces.setdefault(piece[:DIGEST_BYTES], {})[place] = piece[DIGEST_BYTES + 8 :]
    named = next((digest for digest in pieces if packet and digest in packet), next(iter(pieces), None))
    return None if named is None else b"".join(part for _, part in sorted(pieces[named].items())) or None


def _png_text(text: bytes) -> bytes:
    """The packet behind a language and a translation."""
    packet = b"".join(text[2:].split(b"\0", 2)[2:])
    if text[:1] != b"\1":
        return packet
    try:
        return zlib.decompressobj().decompress(packet, MAX_BYTES + 1)
    except zlib.error:
        return b""


def _read_other(content: bytes, source: Path | bytes) -> bytes | None:
    if isinstance(source, Path) and source.suffix.lower() in HEIF:
        read_exif(source)  # makes Pillow know HEIF
    try:
        with _opened(io.BytesIO(content)) as image:
            packet = image.info.get("xmp")
    except Exception:  # as many kinds as there are decoders
        return None
    return packet.encode() if isinstance(packet, str) else packet or None


def put_packet(content: bytes, packet: bytes) -> bytes:
    """The picture file with this packet in place of its own.

    Raises:
        DataError: of another kind, damaged, or a packet that is too long for a segment of JPEG.
    """
    put = WRITERS.get(kind_of(content))
    if put is None:
        raise DataError("XMP is put into JPEG, PNG and WebP files only")
    return put(content, packet)


def _put_jpeg(content: bytes, packet: bytes) -> bytes:
    """Into an APP1 segment, where the old one stood, else behind JFIF and Exif, which readers expect first."""
    if len(packet) > JPEG_ROOM:
        raise DataError(f"the XMP packet has {len(packet)} bytes, a JPEG segment has room for {JPEG_ROOM}")
    if any(uri in (read_embedded(content).extension or b"") for uri in REGIONS):
        raise DataError("its regions stand in a second part of its XMP")
    if not _ends_at_scan(content):
        raise DataError(DAMAGED)
    body = JPEG_XMP + packet
    segment = b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body
    place = 2
    for marker, start, end in jpeg_segments(content):
        if marker == APP1 and content.startswith(JPEG_XMP, start + 4):
            return content[:start] + segment + content[end:]
        if marker == APP0 or (marker == APP1 and content.startswith(b"Exif\0\0", start + 4)):
            place = end
    return content[:place] + segment + content[place:]


def _put_png(content: bytes, packet: bytes) -> bytes:
    """Into an iTXt chunk, where the old one stood, else behind the header."""
    body = b"iTXt" + PNG_HEADER + packet
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    parts = list(png_chunks(content))
    if not parts or parts[0] != (b"IHDR", 8, 33):
        raise DataError(DAMAGED)
    for kind, start, end in parts:
        if kind == b"iTXt" and content.startswith(PNG_XMP, start + 8):
            return content[:start] + chunk + content[end:]
    return content[:33] + chunk + content[33:]


def _put_webp(content: bytes, packet: bytes) -> bytes:
    """Into an `XMP ` chunk behind the others; a file of the simple form becomes one of the extended form."""
    size = 8 + int.from_bytes(content[4:8], "little")
    parts = [
        (kind, content[at + 8 : end]) for kind, at, end in riff_chunks(content[:size]) if kind != b"XMP "
    ]
    if not parts or len(content) < size:
        raise DataError(DAMAGED)
    if parts[0][0] != b"VP8X":
        parts.insert(0, (b"VP8X", _extended_header(content)))
    header = parts[0][1]
    parts[0] = (b"VP8X", bytes((header[0] | XMP_FLAG,)) + header[1:])
    body = b"".join(
        kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
        for kind, data in [*parts, (b"XMP ", packet)]
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body + content[size:]


def _extended_header(content: bytes) -> bytes:
    """What a `VP8X` chunk says of a file that had none: whether there is alpha, and the size less one."""
    try:
        with _opened(io.BytesIO(content)) as image:
            width, height = image.size
            flags = ALPHA_FLAG if image.mode == "RGBA" else 0
    except Exception as error:  # decoders raise many kinds on damaged files
        raise DataError(DAMAGED) from error
    return struct.pack("<I", flags) + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]


WRITERS: dict[str, Callable[[bytes, bytes], bytes]] = {"JPEG": _put_jpeg, "PNG": _put_png, "WEBP": _put_webp}
