"""A face of a library as seen from outside: whose it is, where it stands, how sure that is."""

import sqlite3
from dataclasses import dataclass

from facespace.errors import CorrectionError
from facespace.library.addresses import find_face
from facespace.library.catalogue import Catalogue, Parameters
from facespace.store import path_out

__all__ = ["FaceTile", "face_tile", "faces_by_id", "faces_of_photo"]


@dataclass(frozen=True)
class FaceTile:
    """A face, whose it is and where it stands.

    Attributes:
        face_id: stable.
        photo_id: of its photo.
        photo: path relative to the photo folder.
        box_xyxy: pixels of the upright photo.
        quality: in [0, 1].
        taken_at: by the camera's clock, ISO 8601; None where the file does not say.
        person: number; None where the face is nobody's at the moment.
        name: of the person.
        confirmed: somebody said so.
        distance: of a suggestion for a settled person: the mean distance to the confirmed faces.
        ignored: said to be no face.
    """

    face_id: int
    photo_id: int
    photo: str
    box_xyxy: tuple[float, float, float, float]
    quality: float
    taken_at: str | None
    person: int | None
    name: str | None
    confirmed: bool
    distance: float | None
    ignored: bool

    @property
    def title(self) -> str:
        """Whose face it is, in words."""
        if self.ignored:
            return "Not a face"
        return self.name or ("Nobody yet" if self.person is None else f"Person {self.person}")


TILE = (
    "SELECT face_id, photo_id, path, x0, y0, x1, y1, quality, taken_at, person_id, name, state, distance, why"
    " FROM faces JOIN photos USING (photo_id) LEFT JOIN assignments USING (face_id)"
    " LEFT JOIN people USING (person_id) LEFT JOIN ignored USING (face_id)"
    " WHERE path NOTNULL AND why IS NOT 'forgotten'"
)


def faces_by_id(catalogue: Catalogue, face_ids: list[int]) -> list[FaceTile]:
    """These faces, in that order; those whose photo is gone are left out."""
    return [face for number in face_ids for face in _faces(catalogue, f"{TILE} AND face_id = ?", (number,))]


def faces_of_photo(catalogue: Catalogue, photo_id: int) -> tuple[FaceTile, ...]:
    """The faces of a photo from left to right."""
    return tuple(_faces(catalogue, f"{TILE} AND photo_id = ? ORDER BY x0, face_id", (photo_id,)))


def face_tile(catalogue: Catalogue, face: int | str) -> FaceTile:
    """One face, by id or `photo#k`.

    Raises:
        CorrectionError: no such face.
    """
    tiles = faces_by_id(catalogue, [find_face(catalogue, face)])
    if not tiles:
        raise CorrectionError(f"{face}: expected a face of a photo that is there, its photo is gone")
    return tiles[0]


def _faces(catalogue: Catalogue, query: str, parameters: Parameters) -> list[FaceTile]:
    return [_face(row) for row in catalogue.stream(query, parameters)]


def _face(row: sqlite3.Row) -> FaceTile:
    return FaceTile(
        row["face_id"],
        row["photo_id"],
        path_out(row["path"]),
        (row["x0"], row["y0"], row["x1"], row["y1"]),
        row["quality"],
        row["taken_at"],
        row["person_id"],
        row["name"],
        row["state"] == "confirmed",
        row["distance"] if row["state"] == "suggested" else None,
        row["why"] is not None,
    )
