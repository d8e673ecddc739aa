"""The people of a library: its faces grouped, and kept as the same persons from run to run."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from facespace.cluster import STRANGERS_IN_REACH, collection_threshold, tightness
from facespace.images import Unreadable
from facespace.library.addresses import face_key
from facespace.library.grouping import Grouped, Rule, keep_groups
from facespace.library.library import Library
from facespace.library.similar import rate_of
from facespace.library.upgrading import check_model
from facespace.models import FarCurve, ModelSpec, far_curve
from facespace.store import path_out

__all__ = ["People", "Person", "PersonFace", "group_people", "suggestion"]


@dataclass(frozen=True)
class PersonFace:
    """A face of a person: where it stands.

    Attributes:
        face_id: stable while its photo's content stays.
        photo: path relative to the photo folder.
        box_xyxy: pixels of the upright photo.
        size_hw: rows and columns of the upright photo.
        score: the detector's.
        quality: in [0, 1].
        address: `photo#k`, the k-th face of its photo from the left.
        confirmed: whether somebody said that the face is this person; else it is suggested.
        distance: of a face that is suggested for a settled person: the mean distance to the confirmed faces.
        far: the false-accept rate behind it: at most this share of strangers comes as near. Never below the lowest
            rate that the model's calibration measured.
        extrapolated: the rate lies above those that the calibration measured.
    """

    face_id: int
    photo: str
    box_xyxy: tuple[float, float, float, float]
    size_hw: tuple[int, int]
    score: float
    quality: float
    address: str
    confirmed: bool = False
    distance: float | None = None
    far: float | None = None
    extrapolated: bool = False


@dataclass(frozen=True)
class Person:
    """Faces that count as one person, best quality first.

    Attributes:
        person: stable number.
        name: given by the user, else None.
        faces: at least one.
        tightness: mean distance of the faces to each other; None for a single face.
        settled: somebody said something of this person, who changes only by what is said.
        hidden: not to be shown.
    """

    person: int
    name: str | None
    faces: tuple[PersonFace, ...]
    tightness: float | None
    settled: bool = False
    hidden: bool = False

    @property
    def suggested(self) -> list[PersonFace]:
        """Faces that nobody confirmed, of a settled person."""
        return [face for face in self.faces if self.settled and not face.confirmed]

    @property
    def n_photos(self) -> int:
        """Photos that show this person."""
        return len({face.photo for face in self.faces})


@dataclass(frozen=True)
class People:
    """Everybody found, the largest group first.

    Attributes:
        n_photos: photos in the library.
        n_faces: faces found.
        model: the embedder.
        threshold: largest mean distance of two groups that were put together.
        far: the false accept rate that the threshold stands for.
        extrapolated: the rate lies beyond those that the model's calibration measured.
        people: groups.
        unreadable: photos that could not be read.
    """

    n_photos: int
    n_faces: int
    model: str
    threshold: float
    far: float
    extrapolated: bool
    people: tuple[Person, ...]
    unreadable: tuple[Unreadable, ...] = field(default=())

    @property
    def seen_again(self) -> list[Person]:
        """People with two faces or more, and those whom somebody spoke of; not the hidden ones."""
        return [p for p in self.people if not p.hidden and (len(p.faces) > 1 or p.settled)]

    @property
    def seen_once(self) -> list[Person]:
        """People with a single face."""
        return [p for p in self.people if not (p.hidden or p.settled or len(p.faces) > 1)]

    def to_json(self) -> dict[str, Any]:
        """The document that `facespace people --json` prints."""
        return {
            "photos": self.n_photos,
            "faces": self.n_faces,
            "model": self.model,
            "threshold": self.threshold,
            "far": self.far,
            "people": [
                {
                    "person": person.person,
                    "name": person.name,
                    "settled": person.settled,
                    "hidden": person.hidden,
                    "tightness": person.tightness,
                    "faces": [_face_json(face) for face in person.faces],
                }
                for person in self.people
            ],
            "unreadable": [{"photo": str(u.photo), "reason": u.reason} for u in self.unreadable],
            "extrapolated": self.extrapolated,
        }


def group_people(
    library: Library,
    spec: ModelSpec,
    *,
    strangers: float = STRANGERS_IN_REACH,
    far: float | None = None,
    unreadable: tuple[Unreadable, ...] = (),
) -> People:
    """Group all faces that this embedder has seen, two faces of one photo apart, and keep the groups.

    All that was said of the faces holds (`facespace.library.grouping`). A group that nobody spoke of takes the number
    of the person who had most of its faces before.

    Args:
        library: with scanned photos.
        spec: of the embedder.
        strangers: expected number of other people's faces within the threshold of a face, or
        far: the false-accept rate of a single pair, whatever the number of faces.
        unreadable: passed on to the result.

    Raises:
        InputError: a rate or number that is not positive.
        ModelError: the model is not calibrated, or the library stands on another one and has to be moved first.
        LibraryError: the library cannot be written.
    """
    check_model(library, spec)
    grouped = keep_groups(library, spec, Rule(strangers, far))
    chosen = collection_threshold(spec.distances, len(grouped.labels), strangers=strangers, far=far)
    people = _people(library, grouped, spec)
    (n_photos,) = library.catalogue.execute("SELECT count(path) FROM photos").fetchone()
    return People(
        n_photos, len(grouped.labels), spec.label, chosen.distance, chosen.far, chosen.extrapolated,
        people, unreadable,
    )  # fmt: skip


def _people(library: Library, grouped: Grouped, spec: ModelSpec) -> tuple[Person, ...]:
    tight = tightness(grouped.standing.faces.embeddings, grouped.labels)
    rows = _face_rows(library, far_curve(spec, spec))
    known = {
        r[0]: r[1:] for r in library.catalogue.execute("SELECT person_id, name, settled, hidden FROM people")
    }
    order = np.argsort(grouped.labels, kind="stable")
    ends = np.cumsum(np.bincount(grouped.labels, minlength=len(grouped.persons)))[:-1]
    people = []
    for label, group in enumerate(
        np.split(grouped.standing.faces.face_id[order], ends) if len(order) else []
    ):
        person, members = grouped.persons[label], [rows[i] for i in group.tolist()]
        members.sort(key=lambda face: -face.quality)
        name, settled, hidden = known[person]
        value = None if np.isnan(tight[label]) else float(tight[label])
        people.append(Person(person, name, tuple(members), value, bool(settled), bool(hidden)))
    return tuple(people)


def _face_rows(library: Library, curve: FarCurve) -> dict[int, PersonFace]:
    places: dict[int, int] = {}
    rows = {}
    for r in library.catalogue.execute(
        "SELECT face_id, photo_id, path, x0, y0, x1, y1, height, width, score, quality, state,"
        " CASE state WHEN 'suggested' THEN distance END"
        " FROM faces JOIN photos USING (photo_id) LEFT JOIN assignments USING (face_id)"
        " WHERE path IS NOT NULL ORDER BY photo_id, x0, face_id"
    ):
        places[r[1]] = places.get(r[1], 0) + 1
        path = path_out(r[2])
        rows[r[0]] = PersonFace(
            r[0], path, tuple(r[3:7]), (r[7], r[8]), r[9], r[10], f"{path}#{places[r[1]]}", r[11] == "confirmed",
            *suggestion(curve, r[12]),
        )  # fmt: skip
    return rows


def suggestion(curve: FarCurve, distance: float | None) -> tuple[float | None, float | None, bool]:
    """The distance of a suggestion, the false-accept rate behind it, and whether that is extrapolated.

    The rates are those of single pairs. Means of distances spread less than distances, so that fewer strangers come
    as near on the mean than the rate says.
    """
    if distance is None:
        return None, None, False
    return distance, *rate_of(curve, distance)


def _face_json(face: PersonFace) -> dict[str, Any]:
    return {
        "photo": face.photo,
        "box_xyxy": [round(v, 2) for v in face.box_xyxy],
        "score": round(face.score, 4),
        "quality": round(face.quality, 4),
        "face": face.address,
        "face_id": face_key(face.face_id),
        "state": "confirmed" if face.confirmed else "suggested",
        "distance": face.distance,
        "far": face.far,
        "extrapolated": face.extrapolated,
    }
