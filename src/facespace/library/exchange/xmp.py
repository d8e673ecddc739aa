"""People in an XMP packet: regions with names, read from what others wrote and merged into it.

- `mwg-rs:Regions`: Metadata Working Group, Guidelines for Handling Image Metadata 2.0, section 5.9; written by digiKam,
  Lightroom, Picasa, Apple Photos; read by these, immich and PhotoPrism. Areas by their centre.
- `MP:RegionInfo`: Microsoft's People Tagging schema (Windows Imaging Component); areas by their corner. digiKam writes
  both (`DMetadata::setItemFacesMap`), so do we; read where there are no MWG regions.
- `Iptc4xmpExt:PersonInImage`: names alone (IPTC Photo Metadata Standard). On request the names are keywords too:
  `dc:subject` and `digiKam:TagsList` as `People/NAME`.

What others wrote stays: their other properties, regions of other types, regions where the library sees no face, and
in a region that a face lies in everything but its name.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import isfinite

from facespace.errors import DataError
from facespace.library.exchange import rdf
from facespace.library.exchange.rdf import Element
from facespace.library.exchange.regions import (
    MAX_REGIONS,
    Area,
    Box,
    Region,
    area_of_box,
    box_of_area,
    orientation_of,
    pair_up,
)
from facespace.store import LONGEST_NAME, name_key

DIGITS = 6  # of a share: a hundredth of a pixel in a picture of 10,000
HIERARCHY = str.maketrans("/\\|", "___")


@dataclass(frozen=True)
class Packet:
    """What an XMP packet says of people.

    Attributes:
        regions: of faces with a rectangle, named or not, in the packet's order.
        applied_wh: width and height in pixels of the picture that they were made for; None if not given.
        extension: of the file that a sidecar is for, as Lightroom writes it for raw files ("CR2"); else None.
    """

    regions: tuple[Region, ...]
    applied_wh: tuple[float, float] | None = None
    extension: str | None = None


@dataclass(frozen=True)
class NamedFace:
    """A face of a photo, with the names that the library gives and denies it.

    Attributes:
        box_xyxy: pixels of the upright picture.
        name: to be written; None for nothing.
        rejected: names that somebody rejected for this face.
    """

    box_xyxy: Box
    name: str | None = None
    rejected: tuple[str, ...] = ()


@dataclass(frozen=True)
class NamedPhoto:
    """What is to be written of a photo.

    Attributes:
        faces: all that the library sees.
        size_hw: of the upright picture.
        orientation: of the stored one, 1 to 8.
        moves: it is a video, for which nobody has a convention of regions: names alone are written.
    """

    faces: tuple[NamedFace, ...]
    size_hw: tuple[int, int]
    orientation: int = 1
    moves: bool = False

    @property
    def names(self) -> list[str]:
        """Of the faces, each once."""
        return list(dict.fromkeys(face.name for face in self.faces if face.name))

    @property
    def stored_wh(self) -> tuple[int, int]:
        """Width and height of the stored picture."""
        height, width = self.size_hw
        return (height, width) if self.orientation > 4 else (width, height)


def flat_keyword(name: str) -> str:
    """A name as a keyword: digiKam and Lightroom take what is behind a slash or a bar for a keyword below."""
    return name.translate(HIERARCHY)


def read_packet(content: bytes) -> Packet:
    """What a packet says of people.

    Raises:
        DataError: it cannot be parsed, or is beyond a limit.
    """
    return _read(rdf.parse_packet(content))


def merge_packet(content: bytes | None, named: NamedPhoto, *, keywords: bool = False) -> bytes | None:
    """A packet with what the library says put into it; None where it says that already.

    A region belongs to the face that it overlaps best. It takes the face's name, is removed where its name
    was rejected for that face, and else stays as it is. Faces with a name and without a region get one.

    Args:
        content: the packet as it is; None for a new one.
        named: the photo's faces and names.
        keywords: write the names as keywords too.

    Raises:
        DataError: the packet cannot be parsed, or is beyond a limit.
    """
    if content is None and not named.names:
        return None
    merge = _Merge(rdf.make_packet() if content is None else rdf.parse_packet(content), named)
    if not named.moves:
        merge.regions(MWG)
        merge.regions(MP)
    merge.names("Iptc4xmpExt:PersonInImage", "Bag", str)
    if keywords:
        merge.names("dc:subject", "Bag", flat_keyword)
        merge.names("digiKam:TagsList", "Seq", lambda name: f"People/{flat_keyword(name)}")
    return rdf.packet_bytes(merge.root, content) if merge.changed else None


@dataclass(frozen=True)
class _Kind:
    """One of the two ways to keep regions: where the list stands, and the fields of an item."""

    holder: str
    regions: str
    name: str
    read_area: Callable[[Element, tuple[float, float] | None], Area | None]
    write_area: Callable[[Element, Area], None]
    is_face: Callable[[Element], bool]


def _read(root: Element) -> Packet:
    applied = _applied(root)
    for kind in (MWG, MP):
        found = [Region(_name(kind, li), area) for li, area in _faces(root, kind, applied)]
        if found:
            break
    return Packet(tuple(found), applied, rdf.simple(root, "photoshop:SidecarForExtension"))


def _faces(root: Element, kind: _Kind, applied: tuple[float, float] | None) -> list[tuple[Element, Area]]:
    lists = [rdf.field(holder, _local(kind.regions)) for holder in rdf.properties(root, kind.holder)]
    listed = [li for regions in lists if regions is not None for li in rdf.items(regions)]
    if len(listed) > MAX_REGIONS:
        raise DataError(f"expected {MAX_REGIONS:,} regions at most, it has {len(listed):,}")
    areas = [(li, kind.read_area(li, applied)) for li in listed if kind.is_face(li)]
    return [(li, area) for li, area in areas if area]


def _local(name: str) -> str:
    return name.partition(":")[2]


def _name(kind: _Kind, li: Element) -> str:
    return " ".join(rdf.field_text(li, _local(kind.name)).split())


def _applied(root: Element) -> tuple[float, float] | None:
    for holder in rdf.properties(root, MWG.holder):
        dimensions = rdf.field(holder, "AppliedToDimensions")
        sides = None if dimensions is None else _numbers(dimensions, "w", "h")
        if sides and min(sides) > 0:
            return sides[0], sides[1]
    return None


def _numbers(element: Element, *fields: str) -> list[float] | None:
    """Finite numbers; some versions of digiKam wrote the decimal comma of the user's language."""
    return _finite(rdf.field_text(element, name).replace(",", ".") for name in fields)


def _finite(texts: Iterable[str]) -> list[float] | None:
    try:
        values = [float(text) for text in texts]
    except ValueError:
        return None
    return values if all(isfinite(value) and abs(value) < 1e6 for value in values) else None


def _mwg_area(li: Element, applied: tuple[float, float] | None) -> Area | None:
    area = rdf.field(li, "Area")
    values = None if area is None else _numbers(area, "x", "y", "w", "h")
    if area is None or values is None or min(values[2:]) <= 0:
        return None
    if rdf.field_text(area, "unit") == "pixel":  # the guidelines know shares only
        if applied is None:
            return None
        values = [value / applied[i % 2] for i, value in enumerate(values)]
    return values[0], values[1], values[2], values[3]


def _mp_area(li: Element, _: tuple[float, float] | None) -> Area | None:
    values = _finite(rdf.field_text(li, "Rectangle").split(","))
    if values is None or len(values) != 4 or min(values[2:]) <= 0:
        return None
    x, y, w, h = values
    return x + w / 2, y + h / 2, w, h


def _write_mwg_area(li: Element, area: Area) -> None:
    new = rdf.add(li, "mwg-rs:Area", structure=True)
    for name, value in zip("xywh", area, strict=True):
        rdf.add(new, f"stArea:{name}", f"{value:.{DIGITS}f}")
    rdf.add(new, "stArea:unit", "normalized")
    rdf.add(li, "mwg-rs:Type", "Face")


def _write_mp_area(li: Element, area: Area) -> None:
    x, y, w, h = area
    corner = (x - w / 2, y - h / 2, w, h)
    rdf.add(li, "MPReg:Rectangle", ", ".join(f"{abs(value):.{DIGITS}f}" for value in corner))


MWG = _Kind(
    "mwg-rs:Regions", "mwg-rs:RegionList", "mwg-rs:Name", _mwg_area, _write_mwg_area,
    lambda li: rdf.field_text(li, "Type") in ("Face", ""),
)  # fmt: skip
MP = _Kind(
    "MP:RegionInfo", "MPRI:Regions", "MPReg:PersonDisplayName", _mp_area, _write_mp_area, lambda li: True
)  # fmt: skip


class _Merge:
    """One packet, and what the library says of its photo."""

    def __init__(self, root: Element, named: NamedPhoto) -> None:
        self.root = root
        self.named = named
        self.changed = False
        self.withdrawn: list[str] = []  # names that regions had and have no longer
        before = _read(root)
        self.boxes = [face.box_xyxy for face in named.faces]
        self.applied = before.applied_wh
        self.orientation = orientation_of(
            before.regions, before.applied_wh, self.boxes, named.size_hw, named.orientation
        )

    def regions(self, kind: _Kind) -> None:
        """Put the names into one of the lists of regions."""
        listed = _faces(self.root, kind, self.applied)
        areas = [box_of_area(area, self.named.size_hw, self.orientation) for _, area in listed]
        pairs = pair_up(areas, self.boxes)
        for (li, _), pair in zip(listed, pairs, strict=True):
            if pair is not None:
                self._rename(kind, li, self.named.faces[pair])
        missing = [i for i, face in enumerate(self.named.faces) if face.name and i not in pairs]
        if missing:
            self._append(kind, missing)

    def names(self, name: str, kind: str, written: Callable[[str], str]) -> None:
        """Put names into a list of texts; those that no region has any longer are removed.

        Args:
            name: of the property.
            kind: of its array.
            written: how a name stands in this list.
        """
        left = {same for kept in self._left() for same in _texts(kept, written)}
        gone = {same for old in self.withdrawn for same in _texts(old, written)} - left
        there = [li for element in rdf.properties(self.root, name) for li in rdf.items(element)]
        known = {text_key(rdf.text_of(li)) for li in there}
        for li in there:
            if text_key(rdf.text_of(li)) in gone:
                rdf.remove(li)
                self.changed = True
        for text in self.named.names:
            if known.isdisjoint(_texts(text, written)):
                listed = rdf.array(rdf.make_property(self.root, name), kind)
                rdf.add(listed, "rdf:li", written(text))
                self.changed = True

    def _left(self) -> list[str]:
        """Names that regions have now."""
        return [_name(kind, li) for kind in (MWG, MP) for li, _ in _faces(self.root, kind, self.applied)]

    def _rename(self, kind: _Kind, li: Element, face: NamedFace) -> None:
        """A region in which a face lies: the library's name in place of another."""
        old = _name(kind, li)
        if face.name:
            if text_key(old) == text_key(face.name):
                return
            rdf.put_field(li, kind.name, face.name)
        elif old and text_key(old) in map(text_key, face.rejected):
            rdf.remove(li)
        else:
            return
        self.withdrawn += [old] if old else []
        self.changed = True

    def _append(self, kind: _Kind, places: list[int]) -> None:
        holder = self._holder(kind)
        regions = rdf.field(holder, _local(kind.regions))
        listed = rdf.array(rdf.add(holder, kind.regions) if regions is None else regions, "Bag")
        for place in places:
            li = rdf.add(listed, "rdf:li", structure=True)
            rdf.add(li, kind.name, self.named.faces[place].name or "")
            kind.write_area(li, area_of_box(self.boxes[place], self.named.size_hw, self.orientation))
        self.changed = True

    def _holder(self, kind: _Kind) -> Element:
        """The structure that holds a list of regions, with the dimensions where the kind knows them."""
        found = rdf.properties(self.root, kind.holder)
        if found:
            return found[0]
        holder = rdf.make_property(self.root, kind.holder, structure=True)
        if kind is MWG:
            dimensions = rdf.add(holder, "mwg-rs:AppliedToDimensions", structure=True)
            for name, value in zip("wh", self.named.stored_wh, strict=True):
                rdf.add(dimensions, f"stDim:{name}", str(value))
            rdf.add(dimensions, "stDim:unit", "pixel")
        return holder


def _texts(name: str, written: Callable[[str], str]) -> set[str]:
    """What stands for a name in a list of texts, in any letters, as earlier versions wrote it too."""
    return {text_key(text) for text in (name, written(name), f"People/{name}")}


def text_key(text: str) -> str:
    """Equal for names that look alike; what is far too long for a name stays as it is, since composing it is slow."""
    return name_key(text) if len(text) <= 4 * LONGEST_NAME else text
