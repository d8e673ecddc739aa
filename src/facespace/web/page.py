"""One offline page of a library's people: the people's page of the server, with all faces, as a file."""

import hashlib
from base64 import b64encode
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from markupsafe import Markup

from facespace.errors import ImageError, LibraryError
from facespace.library import Face, Library, People, Person
from facespace.library.browse import Card
from facespace.library.files import PAGE, preview_file, thumbnail_file
from facespace.saved_files import write_beside
from facespace.web.photo_files import shown_photo
from facespace.web.rendering import render

# What every browser shows; other kinds get a preview in the library's folder.
SHOWN_BY_BROWSERS = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".avif"}
PREVIEW_PX = 1600


def write_page(library: Library, people: People, photos: Path) -> Path:
    """Write `people.html` and its thumbnails into the library's folder; returns the page's path.

    The page needs no network: thumbnails and previews are files beside it, photos are linked where they are.

    Args:
        library: the library, for thumbnails.
        people: as grouped.
        photos: the folder that the photos' paths are relative to.

    Raises:
        LibraryError: the folder cannot be written.
    """
    root = photos.resolve()
    try:
        html = render(
            "offline.html.j2", people=people, cards=list(map(_card, people.seen_again)), folder=root,
            counts={name: getattr(people, name) for name in ("n_faces", "n_photos", "n_videos")}, model=people.model,
            url=Files(library, root), offline=_inline(),
        )  # fmt: skip
        page = library.folder / PAGE
        write_beside(page, html.encode(), private=True)
    except OSError as error:
        raise LibraryError(f"{library.folder}: cannot write the page: {error.strerror}") from error
    return page


def _card(person: Person) -> Card:
    return Card(
        person.person, person.name, len(person.faces), len(person.suggested), person.settled, person.hidden,
        person.faces[0].face_id,
    )  # fmt: skip


@dataclass(frozen=True)
class Files:
    """Where the offline page finds thumbnails, people and photos; thumbnails and previews are made once.

    Attributes:
        library: of the page.
        photos: the resolved folder of the photos.
    """

    library: Library
    photos: Path

    def thumbnail(self, face_id: int) -> str:
        """The file of a face's thumbnail."""
        relative = thumbnail_file(face_id)
        target = self.library.folder / relative
        if not target.exists():
            write_beside(target, self.library.thumbnail(face_id), private=True)
        return relative.as_posix()

    def person(self, number: int) -> str:
        """The place of a person on the page."""
        return f"#person-{number}"

    def photo(self, face: Face) -> Markup:
        """The file of a face's photo; of a video the moment at which the face is seen first."""
        moment = "" if face.begin_s is None else f"#t={face.begin_s:.1f}"
        return Markup.escape((self.photos / face.photo).as_uri() + moment)

    def shown(self, face: Face) -> Markup:
        """What browsers can show of the photo: a preview, unless it has gone in the meantime."""
        if Path(face.photo).suffix.lower() in SHOWN_BY_BROWSERS:
            return self.photo(face)
        relative = preview_file(face.face_id)
        target = self.library.folder / relative
        if not target.exists():
            try:
                jpeg = shown_photo(self.photos, face.photo, side_px=PREVIEW_PX)
            except ImageError:
                return self.photo(face)
            write_beside(target, jpeg, private=True)
        return Markup.escape(relative.as_posix())

    def box(self, face: Face) -> str:
        """Left, top, width and height of a face, in per cent of its photo."""
        height, width = face.size_hw
        x0, y0, x1, y1 = face.box_xyxy
        shares = ((x0 + 0.5) / width, (y0 + 0.5) / height, (x1 - x0) / width, (y1 - y0) / height)
        return " ".join(f"{100 * share:.2f}" for share in shares)


def _inline() -> dict[str, str]:
    """Style and script of the offline page, with the hashes by which it allows no others."""
    style, script = _static("facespace.css"), _static("offline.js")
    return {"style": style, "script": script, "style_hash": _hash(style), "script_hash": _hash(script)}


def _static(name: str) -> Markup:
    return Markup((files("facespace.web") / "static" / name).read_text(encoding="utf-8"))


def _hash(text: str) -> str:
    return f"sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
