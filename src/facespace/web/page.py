"""One offline page of a library's people: rows of thumbnails, each opening its photo with the face boxed."""

import io
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader

from facespace.errors import ImageError, LibraryError
from facespace.images import read_image
from facespace.library import Library, People, Person, PersonFace
from facespace.library.page_files import PAGE, preview_file, thumbnail_file
from facespace.saved_files import write_beside
from facespace.web.text import printable

__all__ = ["write_page"]

# What every browser shows; other kinds get a preview in the library's folder.
SHOWN_BY_BROWSERS = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".avif"}
PREVIEW_PX = 1600


@dataclass(frozen=True)
class FaceView:
    """A thumbnail on the page.

    Attributes:
        thumbnail: URL relative to the page.
        photo: URL of the photo.
        shown: URL of what the browser can show of it.
        name: file name for people.
        address: the face as the commands take it.
        box_percent: left, top, width, height of the face, in per cent of the photo.
    """

    thumbnail: str
    photo: str
    shown: str
    name: str
    address: str
    box_percent: str


@dataclass(frozen=True)
class PersonView:
    """A row of the page."""

    title: str
    n_photos: int
    tightness: float | None
    faces: list[FaceView]


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
    environment = Environment(loader=PackageLoader("facespace.web"), autoescape=True, trim_blocks=True)
    environment.filters["one_in"] = _one_in
    root = photos.resolve()
    try:
        rows = [_person_view(library, person, root) for person in people.seen_again]
        once = [_face_view(library, person.faces[0], root) for person in people.seen_once]
        unreadable = [(printable(str(u.photo)), u.reason) for u in people.unreadable]
        html = environment.get_template("offline.html.j2").render(
            people=people, rows=rows, once=once, unreadable=unreadable, folder=printable(str(root))
        )
        page = library.folder / PAGE
        write_beside(page, html.encode(), private=True)
    except OSError as error:
        raise LibraryError(f"{library.folder}: cannot write the page: {error.strerror}") from error
    return page


def _person_view(library: Library, person: Person, root: Path) -> PersonView:
    return PersonView(
        person.name or f"Person {person.person}",
        person.n_photos,
        person.tightness,
        [_face_view(library, face, root) for face in person.faces],
    )


def _face_view(library: Library, face: PersonFace, root: Path) -> FaceView:
    photo = root / face.photo
    return FaceView(
        _thumbnail(library, face.face_id),
        photo.as_uri(),
        photo.as_uri()
        if photo.suffix.lower() in SHOWN_BY_BROWSERS
        else _preview(library, face.face_id, photo),
        printable(face.photo),
        printable(face.address),
        _percent(face.box_xyxy, face.size_hw),
    )


def _thumbnail(library: Library, face_id: int) -> str:
    """The thumbnail's file, made once."""
    relative = thumbnail_file(face_id)
    target = library.folder / relative
    if not target.exists():
        write_beside(target, library.thumbnail(face_id), private=True)
    return relative.as_posix()


def _preview(library: Library, face_id: int, photo: Path) -> str:
    """A JPEG of a photo that browsers do not show; the photo itself where it has gone in the meantime."""
    from PIL import Image

    relative = preview_file(face_id)
    target = library.folder / relative
    if not target.exists():
        try:
            picture = read_image(photo, longest_side_px=PREVIEW_PX)
        except ImageError:
            return photo.as_uri()
        jpeg = io.BytesIO()
        Image.fromarray(picture.pixels).save(jpeg, "JPEG", quality=85)
        write_beside(target, jpeg.getvalue(), private=True)
    return relative.as_posix()


def _percent(box_xyxy: tuple[float, float, float, float], size_hw: tuple[int, int]) -> str:
    height, width = size_hw
    x0, y0, x1, y1 = box_xyxy
    shares = ((x0 + 0.5) / width, (y0 + 0.5) / height, (x1 - x0) / width, (y1 - y0) / height)
    return " ".join(f"{100 * share:.2f}" for share in shares)


def _one_in(far: float) -> str:
    """0.001 -> "1 in 1,000"."""
    return f"1 in {round(1 / far):,}"
