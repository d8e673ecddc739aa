"""Motion photos: stills with a film of their moment behind the pixels.

Google's motion photo format 1.0 and the micro video before it tell by XMP how many bytes at the end are the film;
Samsung's put a mark before it, and in HEIC it has a box of its own.
"""

import re

from facespace.images.containers import beside_pixels, kind_of
from facespace.images.exif import Content

__all__ = ["motion_offset"]

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
    said = packet if packet and IS_MOTION.search(packet) else b""
    lengths = [found[1] for found in (MICRO_VIDEO.search(said), _item(said)) if found]
    places = [len(content) - int(length) for length in lengths]
    if said and not lengths:
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
