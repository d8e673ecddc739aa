"""A face of a library as seen from outside, and how people name faces and persons.

A person is named by number or name; a face by `photo#k`, the k-th face of that photo from the left, or by its id. The
k-th face of a video is that of its k-th track by time.
"""

import json
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from facespace.errors import CorrectionError
from facespace.library.catalogue import Catalogue
from facespace.library.grouping import grouped_by
from facespace.models import FarCurve, far_curve
from facespace.store import LONGEST_NAME, Parameters, path_in, path_out, shown_name, taken_by

IN_PLACE = (
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
    whole = catalogue.values(IN_PLACE, (path_in(face),))
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
    faces = catalogue.values(IN_PLACE, (path_in(photo),))
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
    return f"{path_out(path)}#{catalogue.values(IN_PLACE, (path,)).index(face_id) + 1}"


def name_person(catalogue: Catalogue, person: int) -> str:
    """The name of a person, else "person 7"."""
    return catalogue.value("SELECT name FROM people WHERE person_id = ?", (person,)) or f"person {person}"


@dataclass(frozen=True)
class Face:
    """A face of a photo that is there, with its person, perhaps none.

    Attributes:
        face_id: stable while its photo's content stays.
        photo_id: of its photo.
        photo: path relative to the photo folder.
        size_hw: rows and columns of the upright photo.
        box_xyxy: in pixels of the upright photo.
        score: the detector's.
        quality: in [0, 1].
        taken_at: by the camera's clock, ISO 8601; None where the file does not say.
        address: `photo#k`, the k-th face of its photo from the left.
        person: number; None where the face is nobody's at the moment.
        name: of the person, if any.
        settled: the person is confirmed, and changes only by corrections.
        hidden: the person is not to be shown.
        confirmed: the face is confirmed as the person; else it is suggested.
        ignored: "not a face" or "forgotten", else None.
        distance: of a face that is suggested for a person with confirmed faces: the mean distance to these.
        far: the false-accept rate at that distance: at most this share of different people comes as near. Never below
            the lowest rate that the calibration measured.
        extrapolated: the rate lies above those that the calibration measured.
        time_s: of a face in a video, seconds from its beginning; None for photos, like the next two. The face is the
            best view of a track, which is what annotations are about.
        begin_s: when the track begins.
        end_s: when it ends.
    """

    face_id: int
    photo_id: int
    photo: str
    size_hw: tuple[int, int]
    box_xyxy: tuple[float, float, float, float]
    score: float
    quality: float
    taken_at: str | None
    address: str
    person: int | None
    name: str | None
    settled: bool
    hidden: bool
    confirmed: bool
    ignored: str | None
    distance: float | None
    far: float | None
    extrapolated: bool
    time_s: float | None = None
    begin_s: float | None = None
    end_s: float | None = None

    @property
    def title(self) -> str:
        """Whose face it is, in words."""
        if self.ignored:
            return "Not a face"
        return self.name or ("Nobody yet" if self.person is None else f"Person {self.person}")

    def to_json(self) -> dict[str, Any]:
        """The face in the documents of `facespace people --json` and `facespace library export`."""
        document = {
            "photo": self.photo,
            "box_xyxy": [round(v, 2) for v in self.box_xyxy],
            "score": round(self.score, 4),
            "quality": round(self.quality, 4),
            "face": self.address,
            "face_id": face_key(self.face_id),
            "state": None if self.person is None else "confirmed" if self.confirmed else "suggested",
            "distance": self.distance,
            "far": self.far,
            "extrapolated": self.extrapolated,
        }
        return document if self.time_s is None else document | self.times

    @property
    def times(self) -> dict[str, Any]:
        """Where in a video the face is: `time`, of the view that stands for it, and `track`, its number by time."""
        shown = {"time": self.time_s, "begin": self.begin_s, "end": self.end_s}
        return {name: None if value is None else round(value, 3) for name, value in shown.items()} | {
            "track": None if self.time_s is None else int(self.address.rpartition("#")[2])
        }


FACES = (
    "SELECT face_id, photo_id, path, height, width, x0, y0, x1, y1, score, quality, taken_at,"
    " (SELECT count(*) FROM faces f WHERE f.photo_id = faces.photo_id AND f.of_track IS NULL"
    " AND (coalesce(f.begin_s, 0), f.x0, f.face_id) <= (coalesce(faces.begin_s, 0), faces.x0, faces.face_id)) AS place,"
    " time_s, begin_s, end_s,"
    " person_id AS person, name, settled, hidden, state, distance, why AS ignored"
    " FROM faces JOIN photos USING (photo_id) LEFT JOIN assignments USING (face_id)"
    " LEFT JOIN people USING (person_id) LEFT JOIN ignored USING (face_id)"
    " WHERE path NOTNULL AND of_track IS NULL"
)


AS_STORED = (
    "face_id", "photo_id", "score", "quality", "taken_at", "person", "name", "ignored", "time_s", "begin_s", "end_s"
)  # fmt: skip


def stream_faces(
    catalogue: Catalogue, where: str = "", parameters: Parameters = (), *, forgotten: bool = False
) -> Iterator[Face]:
    """The faces of photos that are there, one at a time.

    Args:
        catalogue: open.
        where: the end of the statement, such as " AND photo_id = ?".
        parameters: of it.
        forgotten: with the forgotten ones.
    """
    spec = catalogue.templates.model(grouped_by(catalogue))
    curve = None if spec is None else far_curve(spec, spec)
    remembered = "" if forgotten else " AND why IS NOT 'forgotten'"
    for row in catalogue.stream(FACES + remembered + where, parameters):
        yield _face(row, curve)


def faces_by_id(catalogue: Catalogue, face_ids: list[int]) -> list[Face]:
    """These faces, in that order; those whose photo is gone are left out."""
    chosen = " AND face_id IN (SELECT value FROM json_each(?))"
    found = {face.face_id: face for face in stream_faces(catalogue, chosen, (json.dumps(face_ids),))}
    return [found[number] for number in face_ids if number in found]


def rate_of(curve: FarCurve, distance: float) -> tuple[float, bool]:
    """The false-accept rate at a distance of two faces, and whether it lies above the calibrated ones."""
    rate = float(np.clip(curve.log_far(distance), curve.log_fars[0], 0.0))
    return 10.0**rate, rate > curve.log_fars[-1]


def _face(row: sqlite3.Row, curve: FarCurve | None) -> Face:
    path = path_out(row["path"])
    distance = row["distance"] if row["state"] == "suggested" else None
    # Mean distances spread less than distances: fewer people come as near on the mean than the rate says.
    far, extrapolated = (None, False) if distance is None or curve is None else rate_of(curve, distance)
    return Face(
        photo=path,
        size_hw=(row["height"], row["width"]),
        box_xyxy=(row["x0"], row["y0"], row["x1"], row["y1"]),
        address=f"{path}#{row['place']}",
        settled=bool(row["settled"]),
        hidden=bool(row["hidden"]),
        confirmed=row["state"] == "confirmed",
        distance=distance,
        far=far,
        extrapolated=extrapolated,
        **{name: row[name] for name in AS_STORED},
    )
