"""Faces as Picasa keeps them beside photos: `.picasa.ini` in each folder, names in `[Contacts2]` or `contacts.xml`.

A photo's section has `faces=rect64(3f845bcb59418507),8e62b2035b74b477;...`: left, top, right, bottom as 16 bits each,
in hexadecimal with leading zeros left out, and the contact. Rectangles are of the stored picture, whatever `rotate=`
says (exiftool's picasa_faces.config; Philipp91/picasa2digikam). `ffffffffffffffff` is nobody yet.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from xml.parsers.expat import ExpatError, ParserCreate

from facespace.errors import DataError
from facespace.library.exchange.regions import Region

__all__ = ["PicasaFolder", "read_contacts", "read_picasa_folder"]

FILES = (".picasa.ini", "Picasa.ini")
FACE = re.compile(r"rect64\(([0-9a-fA-F]{1,16})\),([0-9a-fA-F]{1,16})")
FULL = 65_535


@dataclass(frozen=True)
class PicasaFolder:
    """What Picasa says of the photos of one folder.

    Attributes:
        faces: by the photo's file name: region without name, contact.
        names: by contact.
    """

    faces: dict[str, list[tuple[Region, str]]]
    names: dict[str, str]

    def regions(self, photo: str, contacts: dict[str, str]) -> tuple[Region, ...]:
        """The faces of a photo whose contact has a name, in the folder's own list or in ``contacts``."""
        known = {**contacts, **self.names}
        return tuple(
            Region(known[contact], region.area)
            for region, contact in self.faces.get(photo, [])
            if contact in known
        )


def read_picasa_folder(folder: Path) -> PicasaFolder:
    """What Picasa says of the photos of a folder; nothing where it has not been."""
    found = PicasaFolder({}, {})
    text = _text(folder)
    section = ""
    for line in text.splitlines():
        if head := re.fullmatch(r"\s*\[(.+)\]\s*", line):
            section = head[1]
            continue
        key, _, value = line.partition("=")
        if section == "Contacts2" and value.split(";")[0].strip():
            found.names[_contact(key)] = value.split(";")[0].strip().encode(errors="replace").decode()
        elif key.strip() == "faces":
            found.faces[section] = [(_region(m[1]), _contact(m[2])) for m in FACE.finditer(value)]
    return found


def read_contacts(file: Path) -> dict[str, str]:
    """Names by contact of Picasa's `contacts.xml`.

    Raises:
        DataError: it cannot be read.
    """
    names: dict[str, str] = {}

    def start(tag: str, attributes: dict[str, str]) -> None:
        if tag == "contact" and attributes.get("id") and attributes.get("name"):
            names[_contact(attributes["id"])] = attributes["name"]

    parser = ParserCreate()
    parser.StartElementHandler = start
    try:
        parser.Parse(file.read_bytes(), True)
    except (OSError, ExpatError) as error:
        raise DataError(f"{file}: expected the contacts.xml of Picasa: {error}") from error
    return names


def _text(folder: Path) -> str:
    for name in FILES:
        try:
            return (folder / name).read_text(encoding="utf-8-sig", errors="surrogateescape")
        except OSError:
            continue
    return ""


def _region(digits: str) -> Region:
    x0, y0, x1, y1 = (int(digits.zfill(16)[i : i + 4], 16) / FULL for i in range(0, 16, 4))
    return Region("", ((x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0))


def _contact(digits: str) -> str:
    return digits.strip().lower().lstrip("0")
