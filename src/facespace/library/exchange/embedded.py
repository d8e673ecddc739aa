"""XMP packets inside picture files: read from any that Pillow opens, put into JPEG, PNG and WebP beside the pixels.

Only the packet's segment or chunk changes; every other byte of the file stays (XMP Specification Part 3: APP1 of JPEG,
`iTXt` of PNG; WebP Container Specification: `XMP ` chunk and flag of `VP8X`).
"""

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from facespace.errors import DataError
from facespace.images import read_exif
from facespace.library.exchange.rdf import MAX_BYTES
from facespace.regular_files import open_regular

__all__ = ["HEIF", "Embedded", "put_packet", "read_embedded", "stored_orientation"]

# Decoders turn these themselves.
HEIF = frozenset((".heic", ".heif", ".avif"))
JPEG, PNG, RIFF = b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"RIFF"
JPEG_HEADER = b"http://ns.adobe.com/xap/1.0/\0"
JPEG_EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
DIGEST_BYTES = 32  # of the whole extension, before its length and the place of this part
REGIONS = (b"schemas/regions/", b"photo/1.2/t/RegionInfo#")
PNG_KEYWORD = b"XML:com.adobe.xmp\0"
PNG_HEADER = PNG_KEYWORD + b"\0\0\0\0"
JPEG_ROOM = 65_533 - len(JPEG_HEADER)
START_OF_SCAN, END_OF_IMAGE, APP0, APP1 = 0xDA, 0xD9, 0xE0, 0xE1
XMP_FLAG, ALPHA_FLAG = 0x04, 0x10
MAX_PARTS = 50_000  # segments or chunks: of a PNG of 400 MB in the usual pieces
OTHER_KIND = "XMP is put into JPEG, PNG and WebP files only"
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


@dataclass(frozen=True)
class _Part:
    """A segment or chunk: where it starts and ends in the file, its kind, and where its content starts."""

    start: int
    end: int
    kind: bytes
    inside: int


def read_embedded(source: Path | bytes) -> Embedded:
    """The packets of a picture; a file that cannot be read has none.

    Raises:
        DataError: a packet is larger than 16 MB.
    """
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else open_regular(source) as file:
            start = file.read(12)
            if start.startswith(JPEG):
                return _read_jpeg(file)
            if start.startswith(PNG):
                return Embedded(_read_png(file))
            if start.startswith(RIFF):
                parts = _up_to_damage(_riff_parts(file))
                found = next((part for part in parts if part.kind == b"XMP "), None)
                return Embedded(None if found is None else _content(file, found))
            return Embedded(_read_other(file, source))
    except (OSError, zlib.error):
        return Embedded()


def stored_orientation(path: Path) -> int:
    """The orientation of the stored picture of a HEIF file, 1 to 8: as EXIF has it, though its decoder turns it."""
    read_exif(path)  # makes Pillow know HEIF
    try:
        with open_regular(path) as file, _opened(file) as image:
            turned = image.info.get("original_orientation") or image.getexif().get(0x0112, 1)
    except Exception:  # as many kinds as there are decoders
        return 1
    return turned if turned in range(1, 9) else 1


@contextmanager
def _opened(file: BinaryIO) -> Iterator[Image.Image]:
    """A picture by Pillow, without its warnings of large pictures and damaged tags."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(file) as image:
            yield image


class _DamagedError(DataError):
    """A file whose parts do not follow one another."""

    def __init__(self) -> None:
        super().__init__(DAMAGED)


def _content(file: BinaryIO, part: _Part, skip: int = 0) -> bytes:
    """What a part holds, behind the first bytes of it."""
    if part.end - part.inside > MAX_BYTES:
        raise DataError(f"larger than the limit of {MAX_BYTES / 2**20:g} MB")
    file.seek(part.inside + skip)
    return file.read(max(0, part.end - part.inside - skip))


def _starts(file: BinaryIO, part: _Part, start: bytes) -> bool:
    file.seek(part.inside)
    return part.end - part.inside >= len(start) and file.read(len(start)) == start


def _read_jpeg(file: BinaryIO) -> Embedded:
    packet, pieces = None, dict[bytes, dict[int, bytes]]()
    for part in _up_to_damage(_jpeg_parts(file)):
        if packet is None and _starts(file, part, JPEG_HEADER):
            packet = _content(file, part, len(JPEG_HEADER))
        elif _starts(file, part, JPEG_EXTENSION):
            piece = _content(file, part, len(JPEG_EXTENSION))
            place = int.from_bytes(piece[DIGEST_BYTES + 4 : DIGEST_BYTES + 8], "big")
            pieces.setdefault(piece[:DIGEST_BYTES], {})[place] = piece[DIGEST_BYTES + 8 :]
    # The packet names the digest of its own extension; an earlier packet's may have been left behind.
    named = next((digest for digest in pieces if packet and digest in packet), next(iter(pieces), None))
    extension = (
        b"".join(pieces[named][place] for place in sorted(pieces[named])) if named is not None else b""
    )
    return Embedded(packet, extension or None)


def _read_png(file: BinaryIO) -> bytes | None:
    """Wherever it stands; Pillow reads what is behind the pixels only with these."""
    for part in _up_to_damage(_png_parts(file)):
        if part.kind == b"iTXt" and _starts(file, part, PNG_KEYWORD):
            text = _content(file, part, len(PNG_KEYWORD))
            packet = text[2:].split(b"\0", 2)[2:]  # behind a language and a translation
            return _inflated(packet[0]) if text[:1] == b"\1" and packet else b"".join(packet)
    return None


def _inflated(packet: bytes) -> bytes:
    inflated = zlib.decompressobj().decompress(packet, MAX_BYTES + 1)
    if len(inflated) > MAX_BYTES:
        raise DataError(f"larger than the limit of {MAX_BYTES / 2**20:g} MB")
    return inflated


def _read_other(file: BinaryIO, source: Path | bytes) -> bytes | None:
    if isinstance(source, Path) and source.suffix.lower() in HEIF:
        read_exif(source)  # makes Pillow know HEIF
    try:
        with _opened(file) as image:
            packet = image.info.get("xmp")
    except Exception:  # as many kinds as there are decoders
        return None
    return packet.encode() if isinstance(packet, str) else packet or None


def put_packet(content: bytes, packet: bytes) -> bytes:
    """The picture file with this packet in place of its own.

    Raises:
        DataError: of another kind, damaged, or a packet that is too long for a segment of JPEG.
    """
    if content.startswith(JPEG):
        return _put_jpeg(content, packet)
    if content.startswith(PNG):
        return _put_png(content, packet)
    if content.startswith(RIFF) and content[8:12] == b"WEBP":
        return _put_webp(content, packet)
    raise DataError(OTHER_KIND)


def _put_jpeg(content: bytes, packet: bytes) -> bytes:
    """Into an APP1 segment, where the old one stood, else behind JFIF and Exif, which readers expect first."""
    if len(packet) > JPEG_ROOM:
        raise DataError(f"the XMP packet has {len(packet)} bytes, a JPEG segment has room for {JPEG_ROOM}")
    if any(uri in (_read_jpeg(io.BytesIO(content)).extension or b"") for uri in REGIONS):
        raise DataError("its regions stand in a second part of its XMP")
    body = JPEG_HEADER + packet
    segment = b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body
    place = 2
    for part in _jpeg_parts(io.BytesIO(content)):
        if part.kind[0] == APP1 and content.startswith(JPEG_HEADER, part.inside):
            return content[: part.start] + segment + content[part.end :]
        if part.kind[0] == APP0 or (part.kind[0] == APP1 and content.startswith(b"Exif\0\0", part.inside)):
            place = part.end
    return content[:place] + segment + content[place:]


def _put_png(content: bytes, packet: bytes) -> bytes:
    """Into an iTXt chunk, where the old one stood, else behind the header."""
    body = b"iTXt" + PNG_HEADER + packet
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    parts = list(_png_parts(io.BytesIO(content)))
    if not parts or parts[0].end + 4 > len(content):
        raise _DamagedError
    for part in parts:
        if part.kind == b"iTXt" and content.startswith(PNG_KEYWORD, part.inside):
            return content[: part.start] + chunk + content[part.end + 4 :]
    place = parts[0].end + 4
    return content[:place] + chunk + content[place:]


def _put_webp(content: bytes, packet: bytes) -> bytes:
    """Into an `XMP ` chunk behind the others; a file of the simple form becomes one of the extended form."""
    parts = list(_riff_parts(io.BytesIO(content)))
    if not parts or len(content) < 8 + int.from_bytes(content[4:8], "little"):
        raise _DamagedError
    chunks = [(part.kind, content[part.inside : part.end]) for part in parts if part.kind != b"XMP "]
    if not chunks or chunks[0][0] != b"VP8X":
        chunks.insert(0, (b"VP8X", _extended_header(content)))
    header = chunks[0][1]
    chunks[0] = (b"VP8X", bytes((header[0] | XMP_FLAG,)) + header[1:])
    body = b"".join(
        kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
        for kind, data in [*chunks, (b"XMP ", packet)]
    )
    rest = content[parts[-1].end + (parts[-1].end - parts[-1].inside) % 2 :]
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body + rest


def _extended_header(content: bytes) -> bytes:
    """What a `VP8X` chunk says of a file that had none: whether there is alpha, and the size less one."""
    try:
        with _opened(io.BytesIO(content)) as image:
            width, height = image.size
            flags = ALPHA_FLAG if image.mode == "RGBA" else 0
    except Exception as error:  # decoders raise many kinds on damaged files
        raise _DamagedError from error
    return struct.pack("<I", flags) + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]


def _up_to_damage(parts: Iterator[_Part]) -> Iterator[_Part]:
    """The parts before a place where the file is damaged."""
    with suppress(_DamagedError):
        yield from parts


def _jpeg_parts(file: BinaryIO) -> Iterator[_Part]:
    """The segments before the picture's data; the kind is the marker."""
    at = len(JPEG)
    for _ in range(MAX_PARTS):
        file.seek(at)
        head = file.read(4)
        if len(head) < 2 or head[0] != 0xFF:
            break
        marker = head[1]
        if marker in (START_OF_SCAN, END_OF_IMAGE):
            return
        if marker == 0xFF:  # fill
            at += 1
            continue
        alone = marker == 0x01 or 0xD0 <= marker <= 0xD7
        end = at + 2 if alone else at + 2 + int.from_bytes(head[2:], "big")
        yield _Part(at, end, head[1:2], min(at + 4, end))
        at = end
    raise _DamagedError


def _png_parts(file: BinaryIO) -> Iterator[_Part]:
    """The chunks; each ends before its checksum of four bytes."""
    at = len(PNG)
    for _ in range(MAX_PARTS):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            return
        end = at + 8 + int.from_bytes(head[:4], "big")
        yield _Part(at, end, head[4:], at + 8)
        at = end + 4
    raise _DamagedError


def _riff_parts(file: BinaryIO) -> Iterator[_Part]:
    """The chunks up to the size that the header says; each is followed by a zero where its length is odd."""
    file.seek(4)
    size, at = 8 + int.from_bytes(file.read(4), "little"), 12
    for _ in range(MAX_PARTS):
        file.seek(at)
        head = file.read(8)
        if at + 8 > size or len(head) < 8:
            return
        end = at + 8 + int.from_bytes(head[4:], "little")
        if end > size:
            break
        yield _Part(at, end, head[:4], at + 8)
        at = end + end % 2
    raise _DamagedError
