"""What pages show of a library, a screenful at a time: each costs by what it shows, not by what the library holds."""

from dataclasses import dataclass

from facespace.errors import CorrectionError
from facespace.library.catalogue import Catalogue, StoredPhoto, stored_photo
from facespace.library.faces import Face, faces_by_id, find_face, find_person, named_people, stream_faces

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

# Rows of faces hold pictures; this index holds what lists are ordered by.
FACES_OF_PEOPLE = "assignments CROSS JOIN faces INDEXED BY faces_at_a_glance USING (face_id)"
PEOPLE = (
    "(SELECT person_id, count(*) AS n, sum(state = 'suggested') AS n_suggested FROM assignments"
    " GROUP BY person_id) JOIN people USING (person_id)"
)
SEEN_ONCE = (
    "SELECT person_id FROM (SELECT person_id, min(face_id) AS face_id FROM assignments"
    " GROUP BY person_id HAVING count(*) = 1) JOIN people USING (person_id)"
    " CROSS JOIN faces INDEXED BY faces_at_a_glance USING (face_id)"
    " WHERE NOT hidden AND NOT settled ORDER BY quality DESC, face_id"
)


@dataclass(frozen=True)
class Counts:
    """How much there is.

    Attributes:
        n_photos: photos and videos that could be read.
        n_videos: of these.
        n_unreadable: that could not.
        n_faces: that take part.
        n_people: of each of KINDS.
        n_suggested: faces that wait to be confirmed or rejected.
    """

    n_photos: int
    n_videos: int
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
        n_suggested: of a confirmed person; 0 for a mere group.
        settled: confirmed: changes only by corrections.
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
class PhotoView(StoredPhoto):
    """A photo with its faces from left to right.

    Attributes:
        faces: those not forgotten.
        has_motion: of a photo: a film of its moment belongs to it; see `facespace.library.Library.motion`.
    """

    faces: tuple[Face, ...]
    has_motion: bool

    @property
    def photo(self) -> str:
        """Path relative to the photo folder."""
        return self.path


class Browse:
    """The people, faces and photos of a library, to look at.

    In all lists ``limit`` is the most that is returned, and ``offset`` so many are passed over.

    Args:
        catalogue: open.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def count(self) -> Counts:
        """How many photos, faces and people there are."""
        photos = self._catalogue.row(
            "SELECT count(*) FILTER (WHERE unreadable IS NULL) AS n, count(unreadable) AS n_unreadable,"
            " count(*) FILTER (WHERE unreadable IS NULL AND kind = 'video') AS n_videos"
            " FROM photos WHERE path NOTNULL"
        )
        kinds = ", ".join(
            f"count(*) FILTER (WHERE ({who}) AND ({faces})) AS '{kind}'"
            for kind, (who, faces) in KINDS.items()
        )
        people = self._catalogue.row(
            "SELECT coalesce(sum(n), 0) AS n_faces,"
            f" coalesce(sum(n_suggested) FILTER (WHERE settled AND NOT hidden), 0) AS n_suggested, {kinds}"
            f" FROM {PEOPLE}"
        )
        assert photos is not None and people is not None  # counts always are
        of_kind = {kind: people[kind] for kind in KINDS}
        return Counts(
            photos["n"], photos["n_videos"], photos["n_unreadable"], people["n_faces"], of_kind, people["n_suggested"]
        )  # fmt: skip

    def names(self) -> list[tuple[int, str]]:
        """All names with the persons' numbers, by name."""
        return sorted(named_people(self._catalogue), key=lambda one: (one[1].casefold(), one[0]))

    def people(self, kind: str = "seen-again", *, limit: int = 60, offset: int = 0) -> list[Card]:
        """The people of one of KINDS, those of most faces first; of single faces, the best first."""
        who, faces = KINDS[kind]
        chosen = f"SELECT person_id FROM {PEOPLE} WHERE ({who}) AND ({faces}) ORDER BY n DESC, person_id"
        query = (SEEN_ONCE if kind == "seen-once" else chosen) + " LIMIT ? OFFSET ?"
        return [self.person(number) for number in self._catalogue.values(query, (limit, offset))]

    def person(self, person: int | str) -> Card:
        """One person at a glance, by number or name.

        Raises:
            CorrectionError: nobody of that number or name.
        """
        number = find_person(self._catalogue, person)
        row = self._catalogue.row(
            "SELECT name, settled, hidden, count(face_id) AS n, coalesce(sum(state = 'suggested'), 0) AS n_suggested"
            " FROM people LEFT JOIN assignments USING (person_id) WHERE person_id = ?",
            (number,),
        )
        assert row is not None  # a count always is
        cover = self._catalogue.value(
            f"SELECT face_id FROM (SELECT face_id, state FROM assignments WHERE person_id = ? ORDER BY state"
            f" LIMIT {COVER_AMONG}) CROSS JOIN faces INDEXED BY faces_at_a_glance USING (face_id)"
            " ORDER BY state, quality DESC, face_id LIMIT 1",
            (number,),
        )
        n_suggested = row["n_suggested"] if row["settled"] else 0
        return Card(
            number, row["name"], row["n"], n_suggested, bool(row["settled"]), bool(row["hidden"]), cover
        )

    def count_items(self, person: int) -> tuple[int, int]:
        """How many photos and videos show a person, and how many of these are videos."""
        row = self._catalogue.row(
            "SELECT count(*), count(*) FILTER (WHERE kind = 'video') FROM photos"
            f" WHERE photo_id IN (SELECT photo_id FROM {FACES_OF_PEOPLE} WHERE person_id = ?)",
            (person,),
        )
        assert row is not None  # a count always is
        return row[0], row[1]

    def face(self, face: int | str) -> Face:
        """One face, by id or `photo#k`.

        Raises:
            CorrectionError: no such face.
        """
        found = faces_by_id(self._catalogue, [find_face(self._catalogue, face)])
        if not found:
            raise CorrectionError(f"{face}: expected a face of a photo that is there, its photo is gone")
        return found[0]

    def faces(
        self, person: int, state: str | None = None, *, limit: int = 120, offset: int = 0
    ) -> list[Face]:
        """The faces of a person: the suggested nearest first, the confirmed and those of a mere group best first.

        Args:
            person: number.
            state: "suggested" or "confirmed"; both unless given.
            limit: see the class.
            offset: likewise.
        """
        found = self._catalogue.values(
            f"SELECT face_id FROM {FACES_OF_PEOPLE} WHERE person_id = ? AND state = coalesce(?, state)"
            " ORDER BY CASE state WHEN 'suggested' THEN distance END, quality DESC, face_id LIMIT ? OFFSET ?",
            (person, state, limit, offset),
        )
        return faces_by_id(self._catalogue, found)

    def timeline(self, person: int, *, limit: int = 60, offset: int = 0) -> list[tuple[str | None, Face]]:
        """The faces of a person by time, the newest first, each with its month ("2019-07"); unknown times last."""
        found = self._catalogue.values(
            f"SELECT face_id FROM {FACES_OF_PEOPLE} JOIN photos USING (photo_id)"
            " WHERE person_id = ? AND path NOTNULL"
            " ORDER BY taken_at IS NULL, taken_at DESC, path, begin_s, face_id LIMIT ? OFFSET ?",
            (person, limit, offset),
        )
        tiles = faces_by_id(self._catalogue, found)
        return [(tile.taken_at[:7] if tile.taken_at else None, tile) for tile in tiles]

    def photo(self, photo_id: int) -> PhotoView:
        """A photo with its faces.

        Raises:
            CorrectionError: no photo of that id stands in the folder.
        """
        row = self._catalogue.row(
            "SELECT *, motion_offset NOTNULL OR EXISTS (SELECT 1 FROM films WHERE still = photos.path) AS has_motion"
            " FROM photos WHERE photo_id = ? AND path NOTNULL",
            (photo_id,),
        )
        if row is None:
            raise CorrectionError(f"expected a photo of this library, there is none of number {photo_id}")
        faces = stream_faces(self._catalogue, " AND photo_id = ? ORDER BY begin_s, x0, face_id", (photo_id,))
        return PhotoView(**vars(stored_photo(row)), faces=tuple(faces), has_motion=bool(row["has_motion"]))

    def photos(
        self, since: str = "", until: str = "", *, limit: int = 60, offset: int = 0
    ) -> list[PhotoView]:
        """Photos by the time they were taken, the newest first; those of unknown time last, unless a time is asked for.

        Args:
            since: the beginning of an ISO 8601 time, such as "2019" or "2019-07-04"; the first moment of it counts.
            until: likewise, to its last moment.
            limit: see the class.
            offset: likewise.
        """
        asked = "taken_at >= ? AND taken_at < ?" if since or until else "? || ? NOTNULL"
        found = self._catalogue.values(
            f"SELECT photo_id FROM photos INDEXED BY photos_by_time WHERE {asked} AND path NOTNULL"
            " ORDER BY taken_at DESC, path DESC LIMIT ? OFFSET ?",
            (since, until + "~", limit, offset),
        )
        return [self.photo(number) for number in found]

    def photos_beside(self, photo_id: int) -> tuple[int | None, int | None]:
        """The photos before and after one by time, those of unknown time by path among themselves."""
        at = self._catalogue.row("SELECT taken_at, path FROM photos WHERE photo_id = ?", (photo_id,))
        if at is None:
            return None, None
        beside: list[int | None] = []
        for sign, order in (("<", "DESC"), (">", "ASC")):
            then = f"taken_at IS ?1 AND path {sign} ?2"
            if at["taken_at"]:
                then = f"taken_at = ?1 AND path {sign} ?2 OR taken_at {sign} ?1"
            query = (
                f"SELECT photo_id FROM photos INDEXED BY photos_by_time WHERE ({then}) AND path NOTNULL"
                f" ORDER BY taken_at {order}, path {order} LIMIT 1"
            )
            beside.append(self._catalogue.value(query, tuple(at)))
        return beside[0], beside[1]
