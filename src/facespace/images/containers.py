"""What stands beside the pixels of a picture file, and the file without it.

A decoder may refuse a whole picture for a text, a colour profile or a tag that makes no sense; `bare` leaves nothing
but what the pixels need (ITU T.81 annex B, PNG 1.2 chapter 4, WebP Container Specification, TIFF 6.0).
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterator

from facespace.images.exif import tiff_entries

__all__ = ["bare", "beside_pixels", "kind_of"]

PNG_START = b"\x89PNG\r\n\x1a\n"
TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
HEIF_BRANDS = (
    b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs", b"mif1", b"msf1", b"avif", b"avis",
)  # fmt: skip
START_OF_SCAN, END_OF_IMAGE, APP0, APP1, APP14, COMMENT = 0xDA, 0xD9, 0xE0, 0xE1, 0xEE, 0xFE
JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
PNG_XMP = b"XML:com.adobe.xmp\0"
PNG_NEEDED = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
TRANSPARENCY_BYTES = {0: 2, 2: 6, 3: 1}  # least size by colour type; the others have none
WEBP_NEEDED = (b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF")
VP8X_KEPT = 0x12  # alpha and animation; not ICC, EXIF, XMP
# Size, bits, compression, colours, order, strips, planes, predictor, palette, tiles, samples, JPEG tables, YCbCr.
TIFF_NEEDED = {256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324, 325,
               332, 338, 339, 347, 512, 513, 514, 529, 530, 531, 532}  # fmt: skip


def kind_of(content: bytes) -> str:
    """`JPEG`, `PNG`, `WEBP`, `TIFF` or `HEIF` (AVIF too) by the first bytes; empty for others."""
    if content.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if content.startswith(PNG_START):
        return "PNG"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WEBP"
    if content.startswith(TIFF_STARTS):
        return "TIFF"
    return "HEIF" if content[4:8] == b"ftyp" and content[8:12] in HEIF_BRANDS else ""


def beside_pixels(content: bytes) -> tuple[bytes | None, bytes | None]:
    """The EXIF block and the XMP packet of a JPEG, PNG, WebP or TIFF file, as far as the file can be followed."""
    find = FINDERS.get(kind_of(content))
    return find(content) if find else (None, None)


def bare(content: bytes) -> bytes | None:
    """The file with nothing but what the pixels need; None for a kind of which that is not known."""
    strip = STRIPPERS.get(kind_of(content))
    return strip(content) if strip else None


def _of_jpeg(content: bytes) -> tuple[bytes | None, bytes | None]:
    exif = packet = None
    for marker, start, end in _segments(content):
        if marker == APP1 and exif is None and content.startswith(b"Exif\0", start + 4):
            exif = content[start + 10 : end]
        elif marker == APP1 and packet is None and content.startswith(JPEG_XMP, start + 4):
            packet = content[start + 4 + len(JPEG_XMP) : end]
    return exif, packet


def _bare_jpeg(content: bytes) -> bytes:
    kept, last = [content[:2]], 2
    for marker, start, end in _segments(content):
        body, last = content[start + 4 : end], end
        beside = APP0 <= marker <= APP0 + 15 or marker == COMMENT
        tells_colours = (marker == APP14 and body.startswith(b"Adobe") and len(body) >= 12) or (
            marker == APP0 and body.startswith(b"JFIF\0") and len(body) >= 14
        )
        if not beside or tells_colours:
            kept.append(content[start:end])
    return b"".join([*kept, content[last:]])


def _segments(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment before the data, as far as they can be followed."""
    at = 2
    while at + 4 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker in (START_OF_SCAN, END_OF_IMAGE):
            return
        if marker == 0xFF:  # fill
            at += 1
            continue
        alone = marker == 0x01 or 0xD0 <= marker <= 0xD8
        end = at + 2 + (0 if alone else int.from_bytes(content[at + 2 : at + 4], "big"))
        if end > len(content):
            return
        yield marker, at, end
        at = end


def _of_png(content: bytes) -> tuple[bytes | None, bytes | None]:
    exif = packet = None
    for kind, start, end in _chunks(content):
        if kind == b"eXIf" and exif is None:
            exif = content[start + 8 : end - 4]
        elif kind == b"iTXt" and packet is None and content.startswith(PNG_XMP, start + 8):
            packet = content[start + 8 + len(PNG_XMP) : end - 4]
    return exif, packet


def _bare_png(content: bytes) -> bytes:
    colour = content[25] if len(content) > 25 else -1
    kept = [PNG_START]
    for kind, start, end in _chunks(content):
        least = TRANSPARENCY_BYTES.get(colour)
        fits = kind == b"tRNS" and least is not None and least <= end - start - 12 <= 256
        if kind in PNG_NEEDED:
            kept.append(content[start:end])
        elif fits:
            kept.append(
                content[start : end - 4] + zlib.crc32(content[start + 4 : end - 4]).to_bytes(4, "big")
            )
    return b"".join(kept)


def _chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of each chunk; one whose length cannot be is left for the next with pixels."""
    at = len(PNG_START)
    while at + 8 <= len(content):
        kind, end = content[at + 4 : at + 8], at + 12 + int.from_bytes(content[at : at + 4], "big")
        if not kind.isalpha() or (end > len(content) and kind not in PNG_NEEDED):
            at = content.find(b"IDAT", at + 8) - 4
            if at < 0:
                return
            continue
        yield kind, at, min(end, len(content))
        at = end


def _of_webp(content: bytes) -> tuple[bytes | None, bytes | None]:
    found = {kind: content[start + 8 : end] for kind, start, end in _riff(content)}
    return found.get(b"EXIF"), found.get(b"XMP ")


def _bare_webp(content: bytes) -> bytes:
    body = b""
    for kind, start, end in _riff(content):
        chunk = content[start : end + (end - start) % 2]
        if kind == b"VP8X" and len(chunk) > 8:
            chunk = chunk[:8] + bytes((chunk[8] & VP8X_KEPT,)) + chunk[9:]
        if kind in WEBP_NEEDED:
            body += chunk
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def _riff(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    at = 12
    while at + 8 <= len(content):
        end = at + 8 + int.from_bytes(content[at + 4 : at + 8], "little")
        yield content[at : at + 4], at, min(end, len(content))
        at = end + end % 2


def _bare_tiff(content: bytes) -> bytes:
    """The first directory alone, written again behind the file without what it says beside the pixels."""
    entries = {entry.tag: entry for entry in tiff_entries(content) if entry.tag in TIFF_NEEDED}
    big = content[2:4] in (b"+\0", b"\0+")
    order = "<" if content[:2] == b"II" else ">"
    offset = len(content) + len(content) % 2
    directory = b"".join(entries[tag].raw for tag in sorted(entries))
    count, none = struct.pack(order + ("Q" if big else "H"), len(entries)), bytes(8 if big else 4)
    head = (
        content[:8] + struct.pack(order + "Q", offset)
        if big
        else content[:4] + struct.pack(order + "I", offset)
    )
    return b"".join((head, memoryview(content)[len(head) :], bytes(len(content) % 2), count, directory, none))


def _bare_heif(content: bytes) -> bytes:
    """Items and properties beside the pixels under names that nobody knows; every place stays what it was."""
    content = re.sub(rb"(infe[\2\3].{7}(?:..)?)(?:Exif|mime)", rb"\1none", content, flags=re.DOTALL)
    return content.replace(b"colrprof", b"noneprof").replace(b"colrrICC", b"nonerICC")


FINDERS: dict[str, Callable[[bytes], tuple[bytes | None, bytes | None]]] = {
    "JPEG": _of_jpeg, "PNG": _of_png, "WEBP": _of_webp, "TIFF": lambda content: (content, None),
}  # fmt: skip
STRIPPERS: dict[str, Callable[[bytes], bytes]] = {
    "JPEG": _bare_jpeg, "PNG": _bare_png, "WEBP": _bare_webp, "TIFF": _bare_tiff, "HEIF": _bare_heif,
}  # fmt: skip
