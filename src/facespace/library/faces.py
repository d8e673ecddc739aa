"""A face of a library as seen from outside: whose it is, where it stands, how sure that is."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from facespace.errors import CorrectionError
from facespace.library.addresses import face_key, find_face
from facespace.library.catalogue import Catalogue, Parameters
from facespace.library.grouping import grouped_by
from facespace.models import FarCurve, far_curve
from facespace.store import path_out

__all__ = ["Face", "face_by_name", "faces_by_id", "faces_of_photo", "rate_of", "stream_faces"]


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
    " person_id, name, settled, hidden, state, distance, why"
    " FROM faces JOIN photos USING (photo_id) LEFT JOIN assignments USING (face_id)"
    " LEFT JOIN people USING (person_id) LEFT JOIN ignored USING (face_id)"
    " WHERE path NOTNULL AND of_track IS NULL"
)


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


def faces_of_photo(catalogue: Catalogue, photo_id: int) -> tuple[Face, ...]:
    """The faces of a photo from left to right; of a video by time."""
    return tuple(stream_faces(catalogue, " AND photo_id = ? ORDER BY begin_s, x0, face_id", (photo_id,)))


def face_by_name(catalogue: Catalogue, face: int | str) -> Face:
    """One face, by id or `photo#k`.

    Raises:
        CorrectionError: no such face.
    """
    found = faces_by_id(catalogue, [find_face(catalogue, face)])
    if not found:
        raise CorrectionError(f"{face}: expected a face of a photo that is there, its photo is gone")
    return found[0]


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
        row["face_id"],
        row["photo_id"],
        path,
        (row["height"], row["width"]),
        (row["x0"], row["y0"], row["x1"], row["y1"]),
        row["score"],
        row["quality"],
        row["taken_at"],
        f"{path}#{row['place']}",
        row["person_id"],
        row["name"],
        bool(row["settled"]),
        bool(row["hidden"]),
        row["state"] == "confirmed",
        row["why"],
        distance,
        far,
        extrapolated,
        row["time_s"],
        row["begin_s"],
        row["end_s"],
    )
