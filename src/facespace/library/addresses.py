"""How people name a person or a face of a library, and how the library names them back.

A person by number or name; a face by `photo#k`, the k-th face of that photo from the left, or by its id. The k-th face
of a video is that of its k-th track by time.
"""

import re

from facespace.errors import CorrectionError
from facespace.library.catalogue import Catalogue
from facespace.store import LONGEST_NAME, path_in, path_out, shown_name, taken_by

__all__ = ["face_key", "find_face", "find_person", "name_face", "name_person", "named_people"]

FACES = (
    "SELECT face_id FROM faces JOIN photos USING (photo_id) WHERE path = ? AND of_track IS NULL"
    " ORDER BY begin_s, x0, face_id"  # the forgotten too, so that the others keep their places
)


def face_key(face_id: int) -> str:
    """A face's id as text: 16 hexadecimal digits, since not every reader of JSON holds 63 bits."""
    return f"{face_id:016x}"


def named_people(catalogue: Catalogue) -> list[tuple[int, str]]:
    """The number and name of each person who has a name."""
    rows = catalogue.stream("SELECT person_id, name FROM people WHERE name NOTNULL")
    return [(row["person_id"], row["name"]) for row in rows]


def find_person(catalogue: Catalogue, person: int | str) -> int:
    """The number of a person named by number or name.

    Raises:
        CorrectionError: nobody of that number or name.
    """
    if isinstance(person, int) or person.strip().isdecimal():
        if _is_there(catalogue, int(person)):
            return int(person)
        raise CorrectionError(
            f"expected a person of this library, nobody has number {person}; `facespace people` lists them"
        )
    found = taken_by(person, named_people(catalogue))
    if found is None:
        raise CorrectionError(
            f"expected a person of this library, nobody is called {shown_name(person[:LONGEST_NAME])}; "
            "`facespace people` lists them"
        )
    return found[0]


def _is_there(catalogue: Catalogue, number: int) -> bool:
    """Numbers that history keeps, of persons without name and face, are nobody."""
    return bool(
        catalogue.value(
            "SELECT name IS NOT NULL OR settled OR EXISTS (SELECT 1 FROM assignments a WHERE a.person_id = p.person_id)"
            " FROM people p WHERE person_id = ?",
            (number,),
        )
    )


def find_face(catalogue: Catalogue, face: int | str) -> int:
    """The id of a face named by `photo#k` or by id; of a photo with one face, the photo alone will do.

    Raises:
        CorrectionError: no such photo or face.
    """
    number = _by_place(catalogue, face) if isinstance(face, str) else face
    if number is None:
        number = int(str(face), 16) if re.fullmatch(r"[0-9a-f]{16}", str(face)) else -1
    # Any view of a track means the track.
    number = catalogue.value("SELECT coalesce(of_track, face_id) FROM faces WHERE face_id = ?", (number,))
    there = catalogue.row(
        "SELECT 1 FROM faces WHERE face_id = ?"
        " AND NOT EXISTS (SELECT 1 FROM ignored i WHERE i.face_id = faces.face_id AND why = 'forgotten')",
        (number,),
    )
    if there is None:
        raise CorrectionError(
            f"expected a face of this library as PHOTO#K (the K-th from the left) or by its id, got {face}; "
            "PHOTO is the path below the photo folder"
        )
    return number


def _by_place(catalogue: Catalogue, face: str) -> int | None:
    whole = catalogue.values(FACES, (path_in(face),))
    if len(whole) == 1:
        return int(whole[0])
    if whole:
        raise CorrectionError(
            f"{face}: expected one face, it shows {len(whole)}; say which: {face}#1 to {face}#{len(whole)}, "
            "counted from the left"
        )
    photo, mark, place = face.rpartition("#")
    if not mark or not place.isdecimal():
        return None
    faces = catalogue.values(FACES, (path_in(photo),))
    if not 1 <= int(place) <= len(faces):
        known = catalogue.row("SELECT 1 FROM photos WHERE path = ?", (path_in(photo),))
        met = f"it shows {len(faces)}" if known else "there is no photo of that path in the library"
        raise CorrectionError(f"{face}: expected face 1 or later of {photo}, counted from the left; {met}")
    return int(faces[int(place) - 1])


def name_face(catalogue: Catalogue, face_id: int) -> str:
    """`photo#k` of a face; of a photo that is gone, the face's id."""
    path = catalogue.value(
        "SELECT path FROM faces JOIN photos USING (photo_id) WHERE face_id = ?", (face_id,)
    )
    if path is None:
        return f"face {face_key(face_id)}"
    return f"{path_out(path)}#{catalogue.values(FACES, (path,)).index(face_id) + 1}"


def name_person(catalogue: Catalogue, person: int) -> str:
    """The name of a person, else "person 7"."""
    return catalogue.value("SELECT name FROM people WHERE person_id = ?", (person,)) or f"person {person}"
