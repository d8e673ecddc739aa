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

from collections.abc import Callable
from dataclasses import dataclass
from xml.dom import minidom

from facespace.library.exchange import rdf
from facespace.library.exchange.regions import (
    Area,
    Box,
    Region,
    area_of_box,
    box_of_area,
    orientation_of,
    pair_up,
)
from facespace.library.exchange.xml_text import xml_bytes
from facespace.store import same_name

__all__ = ["Packet", "SaidFace", "SaidPhoto", "merge_packet", "read_packet"]

DIGITS = 6  # of a share: a hundredth of a pixel in a picture of 10,000


@dataclass(frozen=True)
class Packet:
    """What an XMP packet says of people.

    Attributes:
        regions: of faces with a rectangle, named or not, in the packet's order.
        applied_wh: width and height in pixels of the picture that they were made for; None where nothing is said.
        extension: of the file that a sidecar is for, as Lightroom writes it for raw files ("CR2"); else None.
    """

    regions: tuple[Region, ...]
    applied_wh: tuple[float, float] | None = None
    extension: str | None = None


@dataclass(frozen=True)
class SaidFace:
    """A face of a photo and what the library says of it.

    Attributes:
        box_xyxy: pixels of the upright picture.
        name: to be written; None for nothing.
        rejected: names that somebody said this face has not.
    """

    box_xyxy: Box
    name: str | None = None
    rejected: tuple[str, ...] = ()


@dataclass(frozen=True)
class SaidPhoto:
    """What is to be written of a photo.

    Attributes:
        faces: all that the library sees.
        size_hw: of the upright picture.
        orientation: of the stored one, 1 to 8.
    """

    faces: tuple[SaidFace, ...]
    size_hw: tuple[int, int]
    orientation: int = 1

    @property
    def names(self) -> list[str]:
        """Of the faces, each once."""
        return list(dict.fromkeys(face.name for face in self.faces if face.name))

    @property
    def stored_wh(self) -> tuple[int, int]:
        """Width and height of the stored picture."""
        height, width = self.size_hw
        return (height, width) if self.orientation > 4 else (width, height)


def read_packet(content: bytes) -> Packet:
    """What a packet says of people.

    Raises:
        DataError: it cannot be parsed.
    """
    return _read(rdf.parse_packet(content))


def merge_packet(content: bytes | None, said: SaidPhoto, *, keywords: bool = False) -> bytes | None:
    """A packet with what the library says put into it; None where it says that already.

    A region belongs to the face that it overlaps best. It takes the face's name, goes where that face was said not to
    be its name, and stays as it is where nothing was said. Faces with a name and without a region get one.

    Args:
        content: the packet as it is; None for a new one.
        said: of the photo.
        keywords: write the names as keywords too.

    Raises:
        DataError: the packet cannot be parsed.
    """
    if content is None and not said.names:
        return None
    document = rdf.make_packet() if content is None else rdf.parse_packet(content)
    merge = _Merge(document, said)
    merge.regions(MWG)
    merge.regions(MP)
    merge.names("Iptc4xmpExt:PersonInImage", "Bag", said.names)
    if keywords:
        merge.names("dc:subject", "Bag", said.names)
        merge.names("digiKam:TagsList", "Seq", [f"People/{name}" for name in said.names])
    if content is None:
        rdf.indent(document)
    return xml_bytes(document) if merge.changed else None


@dataclass(frozen=True)
class _Kind:
    """One of the two ways to keep regions: where the list stands, and the fields of an item."""

    holder: str
    regions: str
    name: str
    read_area: Callable[[minidom.Element, tuple[float, float] | None], Area | None]
    write_area: Callable[[minidom.Element, Area], None]
    is_face: Callable[[minidom.Element], bool]


def _read(document: minidom.Document) -> Packet:
    applied = _applied(document)
    for kind in (MWG, MP):
        found = [Region(_name(kind, li), area) for li, area in _faces(document, kind, applied)]
        if found:
            break
    return Packet(tuple(found), applied, rdf.simple(document, "photoshop:SidecarForExtension"))


def _faces(
    document: minidom.Document, kind: _Kind, applied: tuple[float, float] | None
) -> list[tuple[minidom.Element, Area]]:
    listed = [
        li
        for holder in rdf.properties(document, kind.holder)
        if isinstance(regions := rdf.field(holder, kind.regions.split(":")[1]), minidom.Element)
        for li in rdf.items(regions)
    ]
    areas = [(li, kind.read_area(li, applied)) for li in listed if kind.is_face(li)]
    return [(li, area) for li, area in areas if area]


def _name(kind: _Kind, li: minidom.Element) -> str:
    return " ".join(rdf.text_of(rdf.field(li, kind.name.split(":")[1])).split())


def _applied(document: minidom.Document) -> tuple[float, float] | None:
    for holder in rdf.properties(document, MWG.holder):
        dimensions = rdf.field(holder, "AppliedToDimensions")
        if isinstance(dimensions, minidom.Element):
            sides = _numbers(dimensions, "w", "h")
            if sides and min(sides) > 0:
                return sides[0], sides[1]
    return None


def _numbers(element: minidom.Element, *fields: str) -> list[float] | None:
    """Finite numbers; some versions of digiKam wrote the decimal comma of the user's language."""
    texts = [rdf.text_of(rdf.field(element, name)).replace(",", ".") for name in fields]
    return _finite(texts)


def _finite(texts: list[str]) -> list[float] | None:
    try:
        values = [float(text) for text in texts]
    except ValueError:
        return None
    return values if all(abs(value) < 1e6 for value in values) else None


def _mwg_area(li: minidom.Element, applied: tuple[float, float] | None) -> Area | None:
    area = rdf.field(li, "Area")
    if not isinstance(area, minidom.Element):
        return None
    values = _numbers(area, "x", "y", "w", "h")
    if values is None or min(values[2:]) <= 0:
        return None
    if rdf.text_of(rdf.field(area, "unit")) == "pixel":  # the guidelines know shares only
        if applied is None:
            return None
        values = [value / applied[i % 2] for i, value in enumerate(values)]
    return values[0], values[1], values[2], values[3]


def _mp_area(li: minidom.Element, _: tuple[float, float] | None) -> Area | None:
    values = _finite(rdf.text_of(rdf.field(li, "Rectangle")).split(","))
    if values is None or len(values) != 4 or min(values[2:]) <= 0:
        return None
    x, y, w, h = values
    return x + w / 2, y + h / 2, w, h


def _write_mwg_area(li: minidom.Element, area: Area) -> None:
    new = rdf.add_structure(li, "mwg-rs:Area")
    for name, value in zip("xywh", area, strict=True):
        rdf.add(new, f"stArea:{name}", f"{value:.{DIGITS}f}")
    rdf.add(new, "stArea:unit", "normalized")
    rdf.add(li, "mwg-rs:Type", "Face")


def _write_mp_area(li: minidom.Element, area: Area) -> None:
    x, y, w, h = area
    corner = (x - w / 2, y - h / 2, w, h)
    rdf.add(li, "MPReg:Rectangle", ", ".join(f"{abs(value):.{DIGITS}f}" for value in corner))


def _put(li: minidom.Element, name: str, text: str) -> None:
    """Write a simple field, in place where it is there."""
    old = rdf.field(li, name.split(":")[1])
    if old is None:
        rdf.add(rdf.structure(li), name, text)
    else:
        rdf.set_text(old, text)


MWG = _Kind(
    "mwg-rs:Regions", "mwg-rs:RegionList", "mwg-rs:Name", _mwg_area, _write_mwg_area,
    lambda li: rdf.text_of(rdf.field(li, "Type")) in ("Face", ""),
)  # fmt: skip
MP = _Kind(
    "MP:RegionInfo", "MPRI:Regions", "MPReg:PersonDisplayName", _mp_area, _write_mp_area, lambda li: True
)  # fmt: skip


class _Merge:
    """One packet and one photo's words on the way into it."""

    def __init__(self, document: minidom.Document, said: SaidPhoto) -> None:
        self.document = document
        self.said = said
        self.changed = False
        self.withdrawn: list[str] = []  # names that regions had and have no longer
        before = _read(document)
        self.boxes = [face.box_xyxy for face in said.faces]
        self.applied = before.applied_wh
        self.orientation = orientation_of(
            before.regions, before.applied_wh, self.boxes, said.size_hw, said.orientation
        )

    def regions(self, kind: _Kind) -> None:
        """Put the names into one of the lists of regions."""
        listed = _faces(self.document, kind, self.applied)
        pairs = pair_up([self._box(area) for _, area in listed], self.boxes)
        for (li, _), pair in zip(listed, pairs, strict=True):
            if pair is not None:
                self._rename(kind, li, self.said.faces[pair])
        missing = [i for i, face in enumerate(self.said.faces) if face.name and i not in pairs]
        if missing:
            self._append(kind, missing)

    def names(self, name: str, kind: str, names: list[str]) -> None:
        """Put names into a list of texts; those that no region has any longer go."""
        there = [li for element in rdf.properties(self.document, name) for li in rdf.items(element)]
        for li in there:
            if _among(rdf.text_of(li), self.withdrawn) and not _among(rdf.text_of(li), self._left()):
                rdf.remove(li)
                self.changed = True
        missing = [text for text in names if not _among(text, [rdf.text_of(li) for li in there])]
        for text in missing:
            listed = rdf.array(rdf.make_property(self.document, name), kind)
            rdf.add(listed, "rdf:li", text)
            self.changed = True

    def _left(self) -> list[str]:
        """Names that regions have now."""
        return [_name(kind, li) for kind in (MWG, MP) for li, _ in _faces(self.document, kind, self.applied)]

    def _box(self, area: Area) -> Box:
        return box_of_area(area, self.said.size_hw, self.orientation)

    def _area(self, place: int) -> Area:
        return area_of_box(self.boxes[place], self.said.size_hw, self.orientation)

    def _rename(self, kind: _Kind, li: minidom.Element, face: SaidFace) -> None:
        """A region in which a face lies: the library's name in place of another."""
        old = _name(kind, li)
        if face.name:
            if same_name(old, face.name):
                return
            _put(li, kind.name, face.name)
        elif old and _among(old, face.rejected):
            rdf.remove(li)
        else:
            return
        self.withdrawn += [old] if old else []
        self.changed = True

    def _append(self, kind: _Kind, places: list[int]) -> None:
        holder = self._holder(kind)
        old = rdf.field(holder, kind.regions.split(":")[1])
        regions = old if isinstance(old, minidom.Element) else rdf.add(rdf.structure(holder), kind.regions)
        listed = rdf.array(regions, "Bag")
        for place in places:
            li = rdf.add_structure(listed, "rdf:li")
            rdf.add(li, kind.name, self.said.faces[place].name or "")
            kind.write_area(li, self._area(place))
        self.changed = True

    def _holder(self, kind: _Kind) -> minidom.Element:
        """The structure that holds a list of regions, with the dimensions where the kind knows them."""
        found = rdf.properties(self.document, kind.holder)
        if found:
            return found[0]
        holder = rdf.make_structure(self.document, kind.holder)
        if kind is MWG:
            dimensions = rdf.add_structure(holder, "mwg-rs:AppliedToDimensions")
            for name, value in zip("wh", self.said.stored_wh, strict=True):
                rdf.add(dimensions, f"stDim:{name}", str(value))
            rdf.add(dimensions, "stDim:unit", "pixel")
        return holder


def _among(text: str, names: list[str] | tuple[str, ...]) -> bool:
    return any(same_name(text, name) or same_name(text, f"People/{name}") for name in names)
