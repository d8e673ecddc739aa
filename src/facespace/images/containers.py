"""What stands beside the pixels of a picture file, and the file without it.

A decoder may refuse a whole picture for a text, a colour profile or a tag that makes no sense; `bare` leaves nothing
but what the pixels need (ITU T.81 annex B, PNG 1.2 chapter 4, WebP Container Specification, TIFF 6.0). Motion photos
have a film of their moment behind the pixels: Google's motion photo format 1.0 and the micro video before it tell by
XMP how many bytes at the end it takes; Samsung's put a mark before it, and in HEIC it has a box of its own.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice

from facespace.images.exif import Content, Entry, tiff_entries

PNG_START = b"\x89PNG\r\n\x1a\n"
TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
HEIF_BRANDS = (
    b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs", b"mif1", b"msf1", b"avif", b"avis",
)  # fmt: skip
MAX_PARTS = 1_000_000  # segments or chunks: so many of no length take a second
MARKER = re.compile(rb"\xff+[^\xff]", re.DOTALL)  # behind any fill
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
PROGRESSIVE = 0xC2
SCAN, TABLES = re.compile(rb"\xff+\xda"), re.compile(rb"\xff[\xdb\xc4\xc0-\xc2]")
MOST_TABLES = 200
START_OF_SCAN, END_OF_IMAGE, APP0, APP1, APP14, COMMENT = 0xDA, 0xD9, 0xE0, 0xE1, 0xEE, 0xFE
JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
PNG_XMP = b"XML:com.adobe.xmp\0"
MOST_PROFILE = 2**20
PNG_NEEDED = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
TRANSPARENCY_BYTES = {0: 2, 2: 6, 3: 1}  # least size by colour type; the others have none
WEBP_NEEDED = (b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF")
VP8X_KEPT = 0x12  # alpha and animation; not ICC, EXIF, XMP
BITS, PHOTOMETRIC, SAMPLES, PLANAR, EXTRA_SAMPLES, SAMPLE_FORMAT = 258, 262, 277, 284, 338, 339
OF_PLANES = (273, 279, 324, 325)  # where the data lie, and their lengths
# Size, bits, compression, colours, order, strips, planes, predictor, palette, tiles, samples, JPEG tables, YCbCr.
TIFF_NEEDED = {256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324, 325,
               332, 338, 339, 347, 512, 513, 514, 529, 530, 531, 532}  # fmt: skip


def kind_of(content: Content) -> str:
    """`JPEG`, `PNG`, `WEBP`, `TIFF` or `HEIF` (AVIF too) by the first bytes; empty for others."""
    if content[:3] == b"\xff\xd8\xff":
        return "JPEG"
    if content[:8] == PNG_START:
        return "PNG"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WEBP"
    if content[:4] in TIFF_STARTS:
        return "TIFF"
    return "HEIF" if content[4:8] == b"ftyp" and content[8:12] in HEIF_BRANDS else ""


def beside_pixels(content: Content) -> tuple[Content | None, bytes | None]:
    """The EXIF block and the XMP packet of a JPEG, PNG, WebP or TIFF file, as far as the file can be followed."""
    find = FINDERS.get(kind_of(content))
    return find(content) if find else (None, None)


def bare(content: bytes) -> bytes | None:
    """The file with nothing but what the pixels need; None for a kind of which that is not known."""
    strip = STRIPPERS.get(kind_of(content))
    return strip(content) if strip else None


def is_one_scan(jpeg: bytes) -> bool:
    """Whether a JPEG file has all its colours in one scan, so that it can be reduced while it is decoded."""
    n_colours, last = 0, 2
    for marker, start, end in jpeg_segments(jpeg):
        last = end
        if marker in FRAMES:
            if marker == PROGRESSIVE:
                return False
            n_colours = jpeg[start + 9]
    return n_colours > 0 and len(jpeg) > last + 4 and jpeg[last + 4] == n_colours


def n_scans(jpeg: bytes) -> int:
    """How many scans of a JPEG file begin before it ends."""
    last = 2
    for _, _, end in jpeg_segments(jpeg):
        last = end
    return jpeg.count(b"\xff\xda", last)


def planes(content: bytes) -> list[bytes] | None:
    """Red, green and blue of a TIFF file of more than eight bits that keeps them apart, each as a file of its own.

    None where it is of another kind.
    """
    if kind_of(content) != "TIFF":
        return None
    entries = {entry.tag: entry for entry in tiff_entries(content) if entry.tag in TIFF_NEEDED}
    numbers = {tag: entry.number or 0 for tag, entry in entries.items()}
    if numbers.get(PLANAR, 1) != 2 or numbers.get(BITS, 0) <= 8 or numbers.get(PHOTOMETRIC) != 2:
        return None
    n = int(numbers.get(SAMPLES, 0))
    if n < 3 or any(e.count % n for e in entries.values() if e.tag in OF_PLANES):
        return None
    return [_with_directory(content, list(_of_plane(entries.values(), i, n))) for i in range(3)]


def _of_plane(entries: Iterable[Entry], plane: int, n: int) -> Iterator[Entry]:
    for entry in entries:
        size = len(entry.value) // max(1, entry.count)
        if entry.tag in OF_PLANES:
            count = entry.count // n
            value = entry.value[plane * count * size : (plane + 1) * count * size]
            yield replace(entry, count=count, value=value)
        elif entry.tag in (BITS, SAMPLE_FORMAT):
            yield replace(entry, count=1, value=entry.value[:size])
        elif entry.tag in (SAMPLES, PHOTOMETRIC):
            yield replace(entry, kind=3, count=1, value=struct.pack(entry.order + "H", 1))
        elif entry.tag not in (PLANAR, EXTRA_SAMPLES):
            yield entry


def _of_jpeg(content: Content) -> tuple[bytes | None, bytes | None]:
    exif = packet = None
    for marker, start, end in jpeg_segments(content):
        if marker == APP1 and exif is None and content[start + 4 : start + 9] == b"Exif\0":
            exif = content[start + 10 : end]
        elif marker == APP1 and packet is None and content[start + 4 : start + 4 + len(JPEG_XMP)] == JPEG_XMP:
            packet = content[start + 4 + len(JPEG_XMP) : end]
    return exif, packet


def _bare_jpeg(content: bytes) -> bytes:
    segments = list(jpeg_segments(content))
    last = segments[-1][2] if segments else 2
    if not SCAN.match(content, last):  # a segment's length is wrong
        lost = segments.pop()[1] if segments else 2
        last = _restart(content, lost) or last
        segments += jpeg_segments(content, last)
        last = segments[-1][2] if segments else last
    kept = [
        content[start:end] for marker, start, end in segments if _is_needed(marker, content[start + 4 : end])
    ]
    return b"".join([content[:2], *kept, content[last:]])


def _is_needed(marker: int, body: bytes) -> bool:
    """Tables and frames, and what tells the colours."""
    if marker == APP0:
        return body.startswith(b"JFIF\0") and len(body) >= 14
    if marker == APP14:
        return body.startswith(b"Adobe") and len(body) >= 12
    return not (APP0 <= marker <= APP0 + 15 or marker == COMMENT)


def _restart(content: bytes, start: int) -> int | None:
    """Where segments can be followed again to the data of the largest picture: a preview may come before it."""
    best, place = 0, None
    for found in islice(TABLES.finditer(content, start + 2), MOST_TABLES):
        segments = list(jpeg_segments(content, found.start()))
        frames = [start for marker, start, _ in segments if marker in FRAMES]
        if frames and SCAN.match(content, segments[-1][2]):
            height, width = struct.unpack_from(">HH", content, frames[0] + 5)
            if height * width > best:
                best, place = height * width, found.start()
    return place


def jpeg_segments(content: Content, at: int = 2) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment before the data, as far as they can be followed."""
    for _ in range(MAX_PARTS):
        found = MARKER.match(content, at)
        if found is None or found.end() + 2 > len(content):
            return
        at, marker = found.end() - 2, content[found.end() - 1]
        if marker in (START_OF_SCAN, END_OF_IMAGE):
            return
        alone = marker == 0x01 or 0xD0 <= marker <= 0xD8
        end = at + 2 + (0 if alone else int.from_bytes(content[at + 2 : at + 4], "big"))
        if end > len(content):
            return
        yield marker, at, end
        at = end


def _of_png(content: Content) -> tuple[bytes | None, bytes | None]:
    exif = packet = None
    for kind, start, end in png_chunks(content):
        if kind == b"eXIf":
            exif = content[start + 8 : end - 4]
        elif kind in (b"zTXt", b"tEXt") and exif is None:
            exif = _raw_profile(kind, content[start + 8 : min(end - 4, start + 8 + MOST_PROFILE)])
        elif kind == b"iTXt" and packet is None and content[start + 8 : start + 8 + len(PNG_XMP)] == PNG_XMP:
            packet = content[start + 8 + len(PNG_XMP) : end - 4]
    return exif, packet


def _raw_profile(kind: bytes, text: bytes) -> bytes | None:
    """EXIF as ImageMagick keeps it: lines of hexadecimal digits behind a name and a length."""
    keyword, _, profile = text.partition(b"\0")
    if keyword not in (b"Raw profile type exif", b"Raw profile type APP1"):
        return None
    try:
        if kind == b"zTXt":
            profile = zlib.decompressobj().decompress(profile[1:], MOST_PROFILE)
        return bytes.fromhex("".join(profile.decode("ascii").split("\n")[3:]))
    except (ValueError, zlib.error):
        return None


def _bare_png(content: bytes) -> bytes:
    colour = content[25] if len(content) > 25 else -1
    kept = [PNG_START]
    for kind, start, end in png_chunks(content):
        least = TRANSPARENCY_BYTES.get(colour)
        fits = kind == b"tRNS" and least is not None and least <= end - start - 12 <= 256
        if kind in PNG_NEEDED or fits:
            body = content[start + 4 : end - 4]
            kept.append(content[start : end - 4] + zlib.crc32(body).to_bytes(4, "big"))
    return b"".join(kept)


def png_chunks(content: Content) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of each chunk; one whose length cannot be is left for the next with pixels."""
    at = len(PNG_START)
    for _ in range(MAX_PARTS):
        if at + 8 > len(content):
            return
        kind, end = content[at + 4 : at + 8], at + 12 + int.from_bytes(content[at : at + 4], "big")
        if not kind.isalpha() or (end > len(content) and kind not in PNG_NEEDED):
            at = content.find(b"IDAT", at + 8) - 4
            if at < 0:
                return
            continue
        yield kind, at, min(end, len(content))
        at = end


def _of_webp(content: Content) -> tuple[bytes | None, bytes | None]:
    found = {kind: content[start + 8 : end] for kind, start, end in riff_chunks(content)}
    return found.get(b"EXIF"), found.get(b"XMP ")


def _bare_webp(content: bytes) -> bytes:
    body = b""
    for kind, start, end in riff_chunks(content):
        chunk = content[start : end + (end - start) % 2]
        if kind == b"VP8X" and len(chunk) > 8:
            chunk = chunk[:8] + bytes((chunk[8] & VP8X_KEPT,)) + chunk[9:]
        if kind in WEBP_NEEDED:
            body += chunk
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def riff_chunks(content: Content) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of each chunk of a WebP file, the end without the zero behind an odd length."""
    at = 12
    for _ in range(MAX_PARTS):
        if at + 8 > len(content):
            return
        end = at + 8 + int.from_bytes(content[at + 4 : at + 8], "little")
        yield content[at : at + 4], at, min(end, len(content))
        at = end + end % 2


def _bare_tiff(content: bytes) -> bytes:
    """The first directory alone, written again behind the file without what it says beside the pixels."""
    entries = {entry.tag: entry for entry in tiff_entries(content) if entry.tag in TIFF_NEEDED}
    return _with_directory(content, list(entries.values()))


def _with_directory(content: bytes, entries: list[Entry]) -> bytes:
    """A TIFF file with this directory behind it in place of its own."""
    big, order = content[2:4] in (b"+\0", b"\0+"), "<" if content[:2] == b"II" else ">"
    count, form, wide, room = ("Q", "HHQ", "Q", 8) if big else ("H", "HHI", "I", 4)
    start = len(content) + len(content) % 2
    size = struct.calcsize(order + count) + len(entries) * (struct.calcsize(order + form) + room) + room
    directory, values = struct.pack(order + count, len(entries)), b""
    for entry in sorted(entries, key=lambda entry: entry.tag):
        directory += struct.pack(order + form, entry.tag, entry.kind, entry.count)
        if len(entry.value) <= room:
            directory += entry.value.ljust(room, b"\0")
        else:
            directory += struct.pack(order + wide, start + size + len(values))
            values += entry.value
    head = (content[:8] if big else content[:4]) + struct.pack(order + wide, start)
    rest = memoryview(content)[len(head) :]
    return b"".join((head, rest, bytes(len(content) % 2), directory, bytes(room), values))


def _bare_heif(content: bytes) -> bytes:
    """Items and properties beside the pixels under names that nobody knows; every place stays what it was."""
    content = re.sub(rb"(infe[\2\3].{7}(?:..)?)(?:Exif|mime)", rb"\1none", content, flags=re.DOTALL)
    return content.replace(b"colrprof", b"noneprof").replace(b"colrrICC", b"nonerICC")


FINDERS: dict[str, Callable[[Content], tuple[Content | None, bytes | None]]] = {
    "JPEG": _of_jpeg, "PNG": _of_png, "WEBP": _of_webp, "TIFF": lambda content: (content, None),
}  # fmt: skip
STRIPPERS: dict[str, Callable[[bytes], bytes]] = {
    "JPEG": _bare_jpeg, "PNG": _bare_png, "WEBP": _bare_webp, "TIFF": _bare_tiff, "HEIF": _bare_heif,
}  # fmt: skip


IS_MOTION = re.compile(rb"Camera:(?:MotionPhoto|MicroVideo)(?:\s*=\s*[\"']|>)\s*1")
MICRO_VIDEO = re.compile(rb"Camera:MicroVideoOffset(?:\s*=\s*[\"']|>)\s*(\d{1,12})")
ITEM = re.compile(rb"<[^<>]{0,2000}Item:Semantic\s*=\s*[\"']MotionPhoto[\"'][^<>]{0,2000}>")
ITEM_LENGTH = re.compile(rb"Item:Length\s*=\s*[\"'](\d{1,12})[\"']")
SAMSUNG = b"MotionPhoto_Data"
MAKER, HEAD_BYTES = b"samsung", 65_536
FILM_START = b"ftyp"  # from the fifth byte on
HEIF_BOX = b"mpvd"


def motion_offset(content: Content) -> int | None:
    """Where in a still's file the film of its moment begins, up to the end of the file; None where there is none."""
    kind = kind_of(content)
    if kind == "HEIF":
        found = _of_box(content)
        return found if found is not None else _behind_mark(content)
    if kind != "JPEG":
        return None
    _, packet = beside_pixels(content)
    motion = packet if packet and IS_MOTION.search(packet) else b""
    lengths = [found[1] for found in (MICRO_VIDEO.search(motion), _item(motion)) if found]
    places = [len(content) - int(length) for length in lengths]
    if motion and not lengths:
        places.append(content.rfind(FILM_START) - 4)
    place = next((place for place in places if _is_film(content, place)), None)
    return _behind_mark(content) if place is None else place


def _item(packet: bytes) -> re.Match[bytes] | None:
    item = ITEM.search(packet)
    return ITEM_LENGTH.search(item[0]) if item else None


def _behind_mark(content: Content) -> int | None:
    if MAKER not in content[:HEAD_BYTES].lower():  # else all of a large file would be looked through
        return None
    at = content.rfind(SAMSUNG)
    place = at + len(SAMSUNG)
    return place if at > 0 and _is_film(content, place) else None


def _of_box(content: Content) -> int | None:
    """In a HEIC file: the content of the box `mpvd` at the top."""
    at = 0
    while at + 16 <= len(content):
        size, name = int.from_bytes(content[at : at + 4], "big"), content[at + 4 : at + 8]
        start = at + 8
        if size == 1:
            size, start = int.from_bytes(content[at + 8 : at + 16], "big"), at + 16
        if name == HEIF_BOX:
            return start if _is_film(content, start) else None
        if size < 8:
            break
        at += size
    return None


def _is_film(content: Content, place: int) -> bool:
    return place > 0 and content[place + 4 : place + 8] == FILM_START
