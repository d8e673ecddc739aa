"""What a picture file says of itself: when it was taken, and how the camera was held."""

import re
from dataclasses import dataclass
from datetime import datetime

from PIL import Image

__all__ = ["Exif", "exif_of"]

ORIENTATION, EXIF_FOLDER = 0x0112, 0x8769
# DateTimeOriginal and its offset, else those of the digitising; DateTime itself is that of the last change.
TIMES = ((0x9003, 0x9011), (0x9004, 0x9012))


@dataclass(frozen=True)
class Exif:
    """The tags that facespace reads.

    Attributes:
        orientation: 1 to 8 as EXIF has it, 1 where nothing is said.
        taken_at: by the camera's clock as ISO 8601, "2024-07-01T12:30:00", with "+02:00" behind it where the camera
            knew its zone; None where nothing is said.
    """

    orientation: int = 1
    taken_at: str | None = None


def exif_of(image: Image.Image) -> Exif:
    """The tags of an open picture; tags that make no sense are passed over."""
    tags = image.getexif()
    inner = tags.get_ifd(EXIF_FOLDER)
    orientation = tags.get(ORIENTATION, 1)
    times = (_time(inner.get(time), inner.get(offset)) for time, offset in TIMES)
    return Exif(orientation if orientation in range(1, 9) else 1, next((t for t in times if t), None))


def _time(time: object, offset: object) -> str | None:
    """ISO 8601 of EXIF's "2024:07:01 12:30:00" and "+02:00"."""
    try:
        found = datetime.strptime(str(time).strip("\0 "), "%Y:%m:%d %H:%M:%S")
    except ValueError:
        return None
    zone = str(offset).strip("\0 ")
    return found.isoformat() + (zone if re.fullmatch(r"[+-]\d\d:\d\d", zone) else "")
