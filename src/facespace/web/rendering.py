"""The templates of all pages, and how they show numbers, times and names."""

from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from facespace.http.lines import printable
from facespace.library import Face
from facespace.library.addresses import face_key
from facespace.web.text import clock, counted, day, one_in

__all__ = ["Paths", "render"]


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
TEMPLATES.filters |= {"clock": clock, "counted": counted, "day": day, "key": face_key, "one_in": one_in}
PATHS = Paths()


def render(template: str, **values: Any) -> str:
    """A page, or a part of one; values are escaped."""
    page = template.removesuffix(".html.j2")
    return TEMPLATES.get_template(template).render({"page": page, "url": PATHS, **values})
