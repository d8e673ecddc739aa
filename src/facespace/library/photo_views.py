"""The photos of a library by time, a screenful at a time, and one with its faces."""

from dataclasses import dataclass

from facespace.errors import CorrectionError
from facespace.library.browse import FaceTile, faces_of_photo
from facespace.library.catalogue import Catalogue
from facespace.store import path_out

__all__ = ["PhotoView", "photo_view", "photos_beside", "photos_between"]


@dataclass(frozen=True)
class PhotoView:
    """A photo with its faces from left to right.

    Attributes:
        photo_id: of the photo.
        photo: path relative to the photo folder.
        size_hw: rows and columns of the upright photo; (0, 0) where it could not be read.
        taken_at: by the camera's clock, ISO 8601; None where the file does not say.
        faces: those not forgotten.
        unreadable: why there is nothing to see, else None.
    """

    photo_id: int
    photo: str
    size_hw: tuple[int, int]
    taken_at: str | None
    faces: tuple[FaceTile, ...]
    unreadable: str | None


def photo_view(library: Catalogue, photo_id: int) -> PhotoView:
    """A photo with its faces.

    Raises:
        CorrectionError: no photo of that id stands in the folder.
    """
    row = library.catalogue.execute(
        "SELECT path, height, width, taken_at, unreadable FROM photos WHERE photo_id = ? AND path NOTNULL",
        (photo_id,),
    ).fetchone()
    if row is None:
        raise CorrectionError(f"expected a photo of this library, there is none of number {photo_id}")
    return PhotoView(
        photo_id,
        path_out(row[0]),
        (row[1] or 0, row[2] or 0),
        row[3],
        faces_of_photo(library, photo_id),
        row[4],
    )


def photos_beside(library: Catalogue, photo_id: int) -> tuple[int | None, int | None]:
    """The photos before and after one by time, those of unknown time by path among themselves."""
    at = library.catalogue.execute(
        "SELECT taken_at, path FROM photos WHERE photo_id = ?", (photo_id,)
    ).fetchone()
    found = []
    for sign, order in (("<", "DESC"), (">", "ASC")):
        then = (
            f"taken_at = ?1 AND path {sign} ?2 OR taken_at {sign} ?1"
            if at[0]
            else f"taken_at IS ?1 AND path {sign} ?2"
        )
        row = library.catalogue.execute(
            f"SELECT photo_id FROM photos INDEXED BY photos_by_time WHERE ({then}) AND path NOTNULL"
            f" ORDER BY taken_at {order}, path {order} LIMIT 1",
            at,
        ).fetchone()
        found.append(None if row is None else int(row[0]))
    return found[0], found[1]


def photos_between(
    library: Catalogue, since: str = "", until: str = "", *, limit: int = 60, offset: int = 0
) -> list[PhotoView]:
    """Photos by the time they were taken, the newest first; where no time is asked for, those of unknown time last.

    Args:
        library: open.
        since: the beginning of an ISO 8601 time, such as "2019" or "2019-07-04"; the first moment of it counts.
        until: likewise, to its last moment.
        limit: at most so many.
        offset: so many are passed over.
    """
    asked = "taken_at >= ? AND taken_at < ?" if since or until else "? || ? NOTNULL"
    rows = library.catalogue.execute(
        f"SELECT photo_id FROM photos INDEXED BY photos_by_time WHERE {asked} AND path NOTNULL"
        " ORDER BY taken_at DESC, path DESC LIMIT ? OFFSET ?",
        (since, until + "~", limit, offset),
    ).fetchall()
    return [photo_view(library, row[0]) for row in rows]
