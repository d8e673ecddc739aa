"""The templates of all pages, and how they show numbers, times and names."""

from typing import Any

from jinja2 import Environment, PackageLoader

from facespace.library.addresses import face_key
from facespace.web.text import counted, day, one_in, printable

__all__ = ["render"]

TEMPLATES = Environment(
    loader=PackageLoader("facespace.web"), autoescape=True, trim_blocks=True, lstrip_blocks=True
)
TEMPLATES.filters |= {
    "counted": counted,
    "day": day,
    "key": face_key,
    "one_in": one_in,
    "printable": printable,
}


def render(template: str, **values: Any) -> str:
    """A page, or a part of one; values are escaped."""
    return TEMPLATES.get_template(template).render(page=template.removesuffix(".html.j2"), **values)
