"""The templates of all pages, and how they show numbers, times and names."""

import re
from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from facespace.http.lines import printable
from facespace.library import Face
from facespace.library.faces import face_key


def one_in(far: float) -> str:
    """0.001 -> "1 in 1,000"; two figures are all that a rate is known to."""
    return f"1 in {int(float(f'{1 / far:.2g}')):,}"


def counted(n: int, one: str, many: str = "") -> str:
    """1 photo, 2 photos."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def items(n: int, n_videos: int) -> str:
    """Of n photos and videos so many of each: 12 photos, 2 videos."""
    photos = [counted(n - n_videos, "photo")] if n > n_videos or not n else []
    return ", ".join(photos + ([counted(n_videos, "video")] if n_videos else []))


def clock(seconds: float) -> str:
    """75.3 -> 1:15; 3671 -> 1:01:11."""
    minutes, rest = divmod(int(max(seconds, 0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def day(taken_at: str | None) -> str:
    """2019-07-04T12:30:00 -> 4 July 2019; 2019-07 -> July 2019."""
    known = re.match(r"(\d{4})-(0[1-9]|1[0-2])(?:-(\d\d))?", taken_at or "")
    if known is None:
        return "no date"
    name = f"{MONTHS[int(known[2]) - 1]} {known[1]}"
    return f"{int(known[3])} {name}" if known[3] else name


MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


class Paths:
    """Where the server's pages find thumbnails, people and photos."""

    def thumbnail(self, face_id: int) -> str:
        """Of a face."""
        return f"/faces/{face_key(face_id)}/thumbnail"

    def person(self, number: int) -> str:
        """The page of a person."""
        return f"/people/{number}"

    def photo(self, face: Face) -> str:
        """The page of a face's photo."""
        return f"/photos/{face.photo_id}?face={face_key(face.face_id)}"


def _safe(value: Any) -> Any:
    """Names and paths come from anywhere; what templates themselves made is left as it is."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


TEMPLATES = Environment(
    loader=PackageLoader("facespace.web"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    finalize=_safe,
)
TEMPLATES.filters |= {
    "clock": clock,
    "counted": counted,
    "day": day,
    "items": items,
    "key": face_key,
    "one_in": one_in,
}
PATHS = Paths()


def render(template: str, **values: Any) -> str:
    """A page, or a part of one; values are escaped."""
    page = template.removesuffix(".html.j2")
    return TEMPLATES.get_template(template).render({"page": page, "url": PATHS, **values})
