"""What a picture file says of itself: when it was taken, and how the camera was held.

Read here and not by the decoder, since a decoder may refuse a whole picture for one tag that makes no sense.
"""

import mmap
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

Content = bytes | mmap.mmap  # a file in memory, or left on the disk
ORIENTATION, XMP, EXIF_FOLDER = 0x0112, 0x02BC, 0x8769
# DateTimeOriginal and its offset, else those of the digitising; DateTime itself is that of the last change.
TIMES = ((0x9003, 0x9011), (0x9004, 0x9012))
# Of the types of TIFF 6.0 and BigTIFF: the format of those that are numbers, and the size in bytes.
NUMBERS = {1: "B", 3: "H", 4: "I", 5: "II", 6: "b", 8: "h", 9: "i", 10: "ii", 11: "f", 12: "d", 13: "I",
           16: "Q", 17: "q", 18: "Q"}  # fmt: skip
SIZES = {2: 1, 7: 1, **{kind: struct.calcsize(f"<{form}") for kind, form in NUMBERS.items()}}
MAX_ENTRIES = 4096
TIME = re.compile(
    r"\s*(\d{4})[:./-](\d{1,2})[:./-](\d{1,2})"
    r"(?:[T\s]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d*)?)?\s*(Z|[+-]\d\d:?\d\d)?)?\s*",
    re.ASCII,
)
ZONE = re.compile(r"([+-])(0\d|1[0-4]):?([0-5]\d)", re.ASCII)
XMP_ORIENTATION = re.compile(rb"tiff:Orientation(?:\s*=\s*[\"']|>)\s*([1-8])\s*[\"'<]")


@dataclass(frozen=True)
class Exif:
    """The tags that facespace reads.

    Attributes:
        orientation: 1 to 8 as EXIF has it, 1 where the file does not say.
        taken_at: by the camera's clock as ISO 8601, "2024-07-01T12:30:00", with "+02:00" behind it where the camera
            knew its zone; None where the file does not say.
        motion_offset: where in the file a film of the moment begins; see `facespace.images.containers`.
    """

    orientation: int = 1
    taken_at: str | None = None
    motion_offset: int | None = None


@dataclass(frozen=True)
class Entry:
    """An entry of a TIFF directory.

    Attributes:
        tag: its number.
        kind: type of the values, as TIFF numbers them.
        count: of values.
        order: of bytes, as `struct` writes it.
        value: bytes of the values; empty where they would lie outside the file.
    """

    tag: int
    kind: int
    count: int
    order: str
    value: bytes

    @property
    def number(self) -> float | None:
        """The first value as a number, also one that is written as text; None where it is none."""
        form = NUMBERS.get(self.kind)
        if form is None or not self.value:
            text = self.text
            return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
        first = struct.unpack_from(self.order + form, self.value)
        if len(first) == 1:
            return first[0]
        return first[0] / first[1] if first[1] else None

    @property
    def text(self) -> str:
        """The values as text, whatever their type."""
        return self.value.split(b"\0")[0].decode("latin-1").strip()


def exif_of(block: Content | None, packet: bytes | None = None) -> Exif:
    """What an EXIF block says, and an XMP packet where that says nothing of the orientation; never an error.

    Args:
        block: a TIFF structure (TIFF 6.0, EXIF 2.32), with or without `Exif` before it; a whole TIFF file is one.
        packet: of XMP.
    """
    block = block or b""
    if block[:6] == b"Exif\0\0":
        block = block[6:]
    tags = {entry.tag: entry for entry in tiff_entries(block)}
    inner = {}
    if EXIF_FOLDER in tags and (offset := tags[EXIF_FOLDER].number):
        inner = {entry.tag: entry for entry in tiff_entries(block, int(offset))}
    zones = {tag: entry.text for tag, entry in inner.items()}
    times = (time_of_text(inner[time].text, zones.get(zone, "")) for time, zone in TIMES if time in inner)
    packet = packet or (tags[XMP].value if XMP in tags else b"")
    return Exif(_orientation(tags.get(ORIENTATION), packet), next((t for t in times if t), None))


def tiff_entries(block: Content, offset: int | None = None) -> Iterator[Entry]:
    """The entries of a directory as far as they can be read.

    Args:
        block: a TIFF structure, of any byte order, of 32 or 64 bits.
        offset: of the directory; that of the first when absent.
    """
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 16:
        return
    big = block[2:4] in (b"+\0", b"\0+")
    if offset is None:
        (offset,) = struct.unpack_from(order + ("Q" if big else "I"), block, 8 if big else 4)
    count_form, entry_form = (order + "Q", order + "HHQ8s") if big else (order + "H", order + "HHI4s")
    size, first = struct.calcsize(entry_form), offset + struct.calcsize(count_form)
    if not 0 < offset < first <= len(block):
        return
    (count,) = struct.unpack_from(count_form, block, offset)
    for at in range(first, min(first + size * min(count, MAX_ENTRIES), len(block) - size + 1), size):
        tag, kind, n, field = struct.unpack_from(entry_form, block, at)
        length = n * SIZES.get(kind, 0)
        if length > len(field):
            (start,) = struct.unpack(order + ("Q" if big else "I"), field)
            value = block[start : start + length] if start + length <= len(block) else b""
        else:
            value = field[:length]
        yield Entry(tag, kind, n, order, value)


def _orientation(entry: Entry | None, packet: bytes) -> int:
    stated = entry.number if entry else None
    if stated is None and (found := XMP_ORIENTATION.search(packet)):
        stated = int(found[1])
    return int(stated) if stated is not None and stated in range(1, 9) else 1


def time_of_text(text: str, zone: str = "") -> str | None:
    """ISO 8601 of EXIF's "2024:07:01 12:30:00" and "+02:00", and of what else cameras and programs write there."""
    found = TIME.fullmatch(text)
    if found is None:
        return None
    try:
        moment = datetime(*(int(part or 0) for part in found.groups()[:6]))  # type: ignore[arg-type]
    except ValueError:
        return None
    offset = (found[7] or zone).replace("Z", "+00:00")
    known = ZONE.fullmatch(offset)
    return moment.isoformat() + (f"{known[1]}{known[2]}:{known[3]}" if known else "")
