"""What pages show of a library, a screenful at a time: each costs by what it shows, not by what the library holds."""

from dataclasses import dataclass
from typing import Any

from facespace.errors import CorrectionError
from facespace.library.addresses import find_face, find_person
from facespace.library.catalogue import Catalogue
from facespace.store import path_out

__all__ = [
    "KINDS",
    "Card",
    "Counts",
    "FaceTile",
    "card",
    "count",
    "count_photos",
    "face_tile",
    "faces_by_id",
    "faces_of",
    "faces_of_photo",
    "list_people",
    "names",
    "photos_of_person",
]

# Which people a list shows: a condition on the person and one on the person's faces.
KINDS = {
    "seen-again": ("NOT hidden", "n > 1 OR settled"),
    "to-review": ("NOT hidden AND settled", "n_suggested > 0"),
    "named": ("NOT hidden AND name NOTNULL", "n > 0"),
    "unnamed": ("NOT hidden AND name IS NULL", "n > 1 OR settled"),
    "seen-once": ("NOT hidden AND NOT settled", "n = 1"),
    "hidden": ("hidden", "n > 0"),
}

# The best of so many faces is good enough to stand for a person of thousands.
COVER_AMONG = 40


@dataclass(frozen=True)
class Counts:
    """How much there is.

    Attributes:
        n_photos: that could be read.
        n_unreadable: that could not.
        n_faces: that take part.
        n_people: of each of KINDS.
        n_suggested: faces that wait to be confirmed or rejected.
    """

    n_photos: int
    n_unreadable: int
    n_faces: int
    n_people: dict[str, int]
    n_suggested: int


@dataclass(frozen=True)
class Card:
    """A person at a glance.

    Attributes:
        person: number.
        name: None where nobody gave one.
        n_faces: confirmed and suggested.
        n_suggested: of a settled person; 0 for a mere group.
        settled: somebody said something of this person.
        hidden: not in the other lists.
        cover: id of a good face, a confirmed one if there is one; None without faces.
    """

    person: int
    name: str | None
    n_faces: int
    n_suggested: int
    settled: bool
    hidden: bool
    cover: int | None

    @property
    def title(self) -> str:
        """The name, else the number."""
        return self.name or f"Person {self.person}"


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


def count(library: Catalogue) -> Counts:
    """How many photos, faces and people there are."""
    one = library.catalogue.execute(
        "SELECT count(*) FILTER (WHERE unreadable IS NULL), count(unreadable) FROM photos WHERE path NOTNULL"
    ).fetchone()
    columns = ", ".join(f"count(*) FILTER (WHERE ({who}) AND ({faces}))" for who, faces in KINDS.values())
    people = library.catalogue.execute(
        f"SELECT coalesce(sum(n), 0), coalesce(sum(n_suggested) FILTER (WHERE settled AND NOT hidden), 0), {columns}"
        " FROM (SELECT person_id, count(*) AS n, sum(state = 'suggested') AS n_suggested FROM assignments"
        " GROUP BY person_id) JOIN people USING (person_id)"
    ).fetchone()
    return Counts(one[0], one[1], people[0], dict(zip(KINDS, people[2:], strict=True)), people[1])


def names(library: Catalogue) -> list[tuple[int, str]]:
    """All names with the persons' numbers, by name."""
    rows = library.catalogue.execute("SELECT person_id, name FROM people WHERE name NOTNULL").fetchall()
    return sorted(rows, key=lambda row: (row[1].casefold(), row[0]))


def list_people(
    library: Catalogue, kind: str = "seen-again", *, limit: int = 60, offset: int = 0
) -> list[Card]:
    """The people of one of KINDS, those of most faces first; of single faces, the best first.

    Args:
        library: open.
        kind: key of KINDS.
        limit: at most so many.
        offset: so many are passed over.
    """
    if kind == "seen-once":
        return [card(library, number) for number in _seen_once(library, limit, offset)]
    who, faces = KINDS[kind]
    rows = library.catalogue.execute(
        "SELECT person_id FROM (SELECT person_id, count(*) AS n, sum(state = 'suggested') AS n_suggested"
        f" FROM assignments GROUP BY person_id) JOIN people USING (person_id) WHERE ({who}) AND ({faces})"
        " ORDER BY n DESC, person_id LIMIT ? OFFSET ?",
        (limit, offset),
    ).fetchall()
    return [card(library, row[0]) for row in rows]


def _seen_once(library: Catalogue, limit: int, offset: int) -> list[int]:
    rows = library.catalogue.execute(
        "SELECT person_id FROM (SELECT person_id, min(face_id) AS face_id FROM assignments"
        " GROUP BY person_id HAVING count(*) = 1) JOIN people USING (person_id)"
        " CROSS JOIN faces INDEXED BY faces_at_a_glance USING (face_id)"
        " WHERE NOT hidden AND NOT settled ORDER BY quality DESC, face_id LIMIT ? OFFSET ?",
        (limit, offset),
    )
    return [row[0] for row in rows]


def card(library: Catalogue, person: int | str) -> Card:
    """One person at a glance.

    Raises:
        CorrectionError: nobody of that number or name.
    """
    number = find_person(library.catalogue, person)
    name, settled, hidden = library.catalogue.execute(
        "SELECT name, settled, hidden FROM people WHERE person_id = ?", (number,)
    ).fetchone()
    n_faces, n_suggested = library.catalogue.execute(
        "SELECT count(*), coalesce(sum(state = 'suggested'), 0) FROM assignments WHERE person_id = ?",
        (number,),
    ).fetchone()
    cover = library.catalogue.execute(
        f"SELECT face_id FROM (SELECT face_id, state FROM assignments WHERE person_id = ? ORDER BY state"
        f" LIMIT {COVER_AMONG}) CROSS JOIN faces INDEXED BY faces_at_a_glance USING (face_id)"
        " ORDER BY state, quality DESC, face_id LIMIT 1",
        (number,),
    ).fetchone()
    return Card(
        number, name, n_faces, n_suggested if settled else 0, bool(settled), bool(hidden),
        None if cover is None else cover[0],
    )  # fmt: skip


def count_photos(library: Catalogue, person: int) -> int:
    """How many photos show a person."""
    (n,) = library.catalogue.execute(
        "SELECT count(DISTINCT photo_id) FROM assignments"
        " CROSS JOIN faces INDEXED BY faces_at_a_glance USING (face_id) WHERE person_id = ?",
        (person,),
    ).fetchone()
    return int(n)


TILE = (
    "SELECT face_id, photo_id, path, x0, y0, x1, y1, quality, taken_at, person_id, name,"
    " state = 'confirmed', CASE state WHEN 'suggested' THEN distance END, why"
    " FROM faces JOIN photos USING (photo_id) LEFT JOIN assignments USING (face_id)"
    " LEFT JOIN people USING (person_id) LEFT JOIN ignored USING (face_id)"
    " WHERE path NOTNULL AND why IS NOT 'forgotten'"
)


def faces_of(
    library: Catalogue, person: int, state: str | None = None, *, limit: int = 120, offset: int = 0
) -> list[FaceTile]:
    """The faces of a person: the suggested ones nearest first, the confirmed ones and those of a mere group best first.

    Args:
        library: open.
        person: number.
        state: "suggested" or "confirmed"; both unless given.
        limit: at most so many.
        offset: so many are passed over.
    """
    rows = library.catalogue.execute(
        "SELECT face_id FROM assignments CROSS JOIN faces INDEXED BY faces_at_a_glance USING (face_id)"
        " WHERE person_id = ? AND state = coalesce(?, state)"
        " ORDER BY CASE state WHEN 'suggested' THEN distance END, quality DESC, face_id LIMIT ? OFFSET ?",
        (person, state, limit, offset),
    ).fetchall()
    return faces_by_id(library, [row[0] for row in rows])


def faces_by_id(library: Catalogue, face_ids: list[int]) -> list[FaceTile]:
    """These faces, in that order; those whose photo is gone are left out."""
    found = {
        tile.face_id: tile
        for number in face_ids
        for tile in map(_tile, library.catalogue.execute(f"{TILE} AND face_id = ?", (number,)))
    }
    return [found[number] for number in face_ids if number in found]


def photos_of_person(
    library: Catalogue, person: int, *, limit: int = 60, offset: int = 0
) -> list[tuple[str | None, FaceTile]]:
    """The faces of a person by time, the newest first and those of unknown time last, each with its month ("2019-07").

    Args:
        library: open.
        person: number.
        limit: at most so many.
        offset: so many are passed over.
    """
    rows = library.catalogue.execute(
        "SELECT face_id FROM assignments CROSS JOIN faces INDEXED BY faces_at_a_glance USING (face_id)"
        " JOIN photos USING (photo_id) WHERE person_id = ? AND path NOTNULL"
        " ORDER BY taken_at IS NULL, taken_at DESC, path, face_id LIMIT ? OFFSET ?",
        (person, limit, offset),
    ).fetchall()
    tiles = faces_by_id(library, [row[0] for row in rows])
    return [(tile.taken_at[:7] if tile.taken_at else None, tile) for tile in tiles]


def faces_of_photo(library: Catalogue, photo_id: int) -> tuple[FaceTile, ...]:
    """The faces of a photo from left to right."""
    rows = library.catalogue.execute(f"{TILE} AND photo_id = ? ORDER BY x0, face_id", (photo_id,))
    return tuple(map(_tile, rows))


def face_tile(library: Catalogue, face: int | str) -> FaceTile:
    """One face, by id or `photo#k`.

    Raises:
        CorrectionError: no such face.
    """
    number = find_face(library.catalogue, face)
    tiles = faces_by_id(library, [number])
    if not tiles:
        raise CorrectionError(f"{face}: expected a face of a photo that is there, its photo is gone")
    return tiles[0]


def _tile(row: tuple[Any, ...]) -> FaceTile:
    return FaceTile(
        row[0], row[1], path_out(row[2]), (row[3], row[4], row[5], row[6]), row[7], row[8], row[9], row[10],
        bool(row[11]), row[12], row[13] is not None,
    )  # fmt: skip
