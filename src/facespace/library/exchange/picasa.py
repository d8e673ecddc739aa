"""Faces as Picasa keeps them beside photos: `.picasa.ini` in each folder, names there or in its `contacts.xml`.

A photo's section has `faces=rect64(3f845bcb59418507),8e62b2035b74b477;...`: left, top, right, bottom as 16 bits each,
in hexadecimal with leading zeros left out, and the contact. Rectangles are of the stored picture, whatever `rotate=`
says (exiftool's picasa_faces.config; Philipp91/picasa2digikam). `ffffffffffffffff` is nobody yet. Names stand in
`[Contacts2]`, in older files in `[Contacts]`, and not always in the folder of the photo: a contact is one person in all
folders. Older versions wrote in the code page of their Windows.
"""

import codecs
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from facespace.errors import DataError, InputError
from facespace.library.exchange.files import Skipped, folder_part, path_key, read_file
from facespace.library.exchange.rdf import MAX_BYTES, parse_xml
from facespace.library.exchange.regions import MAX_REGIONS, Region
from facespace.regular_files import read_regular
from facespace.saved_files import reason_of
from facespace.store import LONGEST_NAME, name_key, shown_name

FILES = (".picasa.ini", "picasa.ini")
FACE = re.compile(r"\s*rect64\(([0-9a-f]{1,16})\)\s*,\s*([0-9a-f]{1,16})\s*", re.IGNORECASE)
FULL = 65_535
LONGEST_SHOWN = 255
NOBODY = "f" * 16
CODE_PAGES = (
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "cp874", "cp932", "cp936",
    "cp949", "cp950",
)  # fmt: skip
EAST_ASIAN = {"CJK", "HIRAGANA", "KATAKANA", "HANGUL"}


@dataclass(frozen=True)
class _Face:
    """A rectangle of a photo: where it stands, its digits, and whose it is."""

    file: str
    digits: str
    contact: str


class Picasa:
    """What Picasa says of the photos of a folder, in all folders below it.

    Args:
        folder: of the photos.
        files: all files below it (`files_below`), Picasa's among them.
        photos: the photos' paths, relative to the folder, `/` between names.
        contacts: names of contacts from elsewhere; a name in the photo's own folder counts before these.
        encoding: of names that are not in UTF-8; None to take those only that read alike in every code page that
            makes a name of them.

    Attributes:
        skipped: files and lines that could not be read, and why.
        strays: faces in sections of photos that are not among ``photos``: path, contact or name, reason.

    Raises:
        InputError: no such encoding.
    """

    def __init__(
        self,
        folder: Path,
        files: Iterable[str],
        photos: Collection[str],
        contacts: dict[str, str],
        *,
        encoding: str | None = None,
    ) -> None:
        self.contacts = contacts
        self.encoding = _known_encoding(encoding)
        self.skipped: list[Skipped] = []
        self.strays: list[tuple[str, str, str]] = []
        self._names: dict[str, dict[str, str]] = defaultdict(dict)  # contact -> folder -> name
        self._faces: dict[str, list[_Face]] = defaultdict(list)
        known, alike = set(photos), defaultdict[str, list[str]](list)
        for photo in photos:
            alike[path_key(photo)].append(photo)
        sections: dict[tuple[str, str], list[_Face]] = defaultdict(list)
        for file in files:
            if file.rpartition("/")[2].casefold() in FILES:
                self._read(folder, file, sections)
        for (place, section), faces in sections.items():
            name = _text(section, encoding) or section
            exact = {path for path in (_join(place, section), _join(place, name)) if path in known}
            self._assign(
                _join(place, name), faces, list(exact) or alike.get(path_key(_join(place, name)), [])
            )

    def regions(self, photo: str) -> tuple[Region, ...]:
        """The faces of a photo; those whose name cannot be known say why."""
        return tuple(
            Region(name, _area(face.digits), problem)
            for face in self._faces.get(photo, ())
            for name, problem in [self._name(face)]
        )

    def _read(self, folder: Path, file: str, sections: dict[tuple[str, str], list[_Face]]) -> None:
        try:
            content = read_file(folder / file) or b""
        except OSError as error:
            self.skipped.append(Skipped(file, reason_of(error)))
            return
        place, section = folder_part(file), ""
        for number, line in enumerate(_lines(content), 1):
            if line.startswith("[") and line.endswith("]"):
                section = line[1:-1]
                continue
            key, _, value = (part.strip() for part in line.partition("="))
            if section.casefold().startswith("contacts"):
                if name := value.partition(";")[0].strip():
                    self._names[_contact(key)][place] = name
            elif key.casefold() == "faces":
                for piece in filter(str.strip, value.split(";")):
                    if match := FACE.fullmatch(piece):
                        sections[place, section].append(_Face(file, match[1], _contact(match[2])))
                    else:
                        reason = f"line {number}: expected rect64(DIGITS),CONTACT, got {piece[:40]!r}"
                        self.skipped.append(Skipped(file, reason))

    def _assign(self, path: str, faces: list[_Face], photos: list[str]) -> None:
        """Give a section's faces to its photo, or to the only one whose name looks the same."""
        if len(photos) == 1 and len(self._faces[photos[0]]) + len(faces) <= MAX_REGIONS:
            self._faces[photos[0]] += faces
            return
        reason = (
            f"{len(photos)} photos have such a name" if photos else "no photo of the library has that name"
        )
        if len(photos) == 1:
            reason = f"expected {MAX_REGIONS:,} faces at most"
        for face in faces:
            if name := self._name(face)[0]:
                self.strays.append((path[-LONGEST_SHOWN:], name, f"{face.file}: {reason}"))

    def _name(self, face: _Face) -> tuple[str, str | None]:
        """The name of a face's contact, and why it cannot be known; empty where nobody has named the face."""
        if face.contact in ("", NOBODY):
            return "", None
        known, place = self._names.get(face.contact, {}), folder_part(face.file)
        nearest = [known[folder] for folder in _upwards(place) if folder in known]
        raw = [*nearest[:1], *filter(None, [self.contacts.get(face.contact)]), *nearest[1:]]
        readable = (text for text in (_text(name, self.encoding) for name in raw) if text)
        if name := next(readable, None):
            return name, None
        others = {name_key(text): text for text in (_text(n, self.encoding) for n in known.values()) if text}
        if len(others) == 1:
            return next(iter(others.values())), None
        who = f"contact {face.contact}"
        if others:
            return who, f"{face.file}: other folders call it {' and '.join(sorted(others.values())[:3])}"
        if known:
            raw_name = next(iter(known.values()))
            shown = shown_name(raw_name.encode("utf-8", "surrogateescape")[:LONGEST_NAME].decode("latin-1"))
            return who, (
                f"{face.file}: its name, perhaps {shown}, is in no code page that can be recognised; "
                "say which by --encoding, such as cp1252"
            )
        return who, f"{face.file}: no file gives it a name; Picasa's contacts.xml may (--contacts)"


def read_contacts(file: Path) -> dict[str, str]:
    """Names by contact of Picasa's `contacts.xml`.

    Raises:
        DataError: it cannot be read.
    """
    try:
        root = parse_xml(read_regular(file, max_bytes=MAX_BYTES), "the contacts.xml of Picasa")
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {reason_of(error)}") from error
    except DataError as error:
        raise DataError(f"{file}: {error}") from error
    found = {}
    for contact in root.iter("{*}contact"):
        facts = {str(key).casefold(): str(value) for key, value in contact.attrib.items()}
        if facts.get("id") and facts.get("name"):
            found[_contact(facts["id"])] = facts["name"]
    return found


def _known_encoding(encoding: str | None) -> str | None:
    try:
        "a".encode(encoding or "utf-8")
    except (LookupError, UnicodeError) as error:
        raise InputError(f"encoding: expected a code page such as cp1252, got {encoding}") from error
    return encoding


def _lines(content: bytes) -> list[str]:
    """The lines of a file; bytes that are no UTF-8 stand as lone surrogates."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = content.decode("utf-16", errors="replace")
    else:
        text = content.decode("utf-8-sig", errors="surrogateescape")
    return [line.strip() for line in re.split("\r\n|\r|\n", text)]


def _text(raw: str, encoding: str | None) -> str | None:
    """What stands for bytes; None where they are no UTF-8 and can be read in more than one way."""
    if not any("\udc80" <= c <= "\udcff" for c in raw):
        return raw
    content = raw.encode("utf-8", "surrogateescape")
    if len(content) > 4 * LONGEST_NAME:
        return None
    readings = set()
    for page in [encoding] if encoding else CODE_PAGES:
        try:
            text = content.decode(page)
        except UnicodeError:
            continue
        if encoding or all(_is_word(word) for word in text.split()):
            readings.add(unicodedata.normalize("NFC", text))
    return readings.pop() if len(readings) == 1 else None


def _is_word(word: str) -> bool:
    """Whether letters of one script and the marks of names and file names make up a word."""
    scripts = set()
    for c in word:
        if c.isalpha() or unicodedata.category(c) == "Mn":
            script = unicodedata.name(c, "NONE").partition(" ")[0]
            scripts.add("CJK" if script in EAST_ASIAN else script)
        elif not c.isascii() or not c.isprintable():
            return False
    return len(scripts - {"COMBINING"}) <= 1


def _area(digits: str) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = (int(digits.zfill(16)[i : i + 4], 16) / FULL for i in range(0, 16, 4))
    return (x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0


def _contact(digits: str) -> str:
    return digits.strip().lower().lstrip("0")


def _join(place: str, name: str) -> str:
    return f"{place}/{name}" if place else name


def _upwards(place: str) -> Iterator[str]:
    """A folder and all those above it, up to the folder of the photos."""
    while place:
        yield place
        place = folder_part(place)
    yield ""
