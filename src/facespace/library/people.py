"""The people of a library: its faces grouped, and kept as the same persons from run to run."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.cluster import (
    STRANGERS_IN_REACH,
    Constraints,
    agglomerative,
    collection_threshold,
    tightness,
)
from facespace.images import Unreadable
from facespace.library.library import Library, StoredFaces
from facespace.models import ModelSpec

__all__ = ["People", "Person", "PersonFace", "group_people"]


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
    """

    face_id: int
    photo: str
    box_xyxy: tuple[float, float, float, float]
    size_hw: tuple[int, int]
    score: float
    quality: float


@dataclass(frozen=True)
class Person:
    """Faces that count as one person, best quality first.

    Attributes:
        person: stable number.
        name: given by the user, else None.
        faces: at least one.
        tightness: mean distance of the faces to each other; None for a single face.
    """

    person: int
    name: str | None
    faces: tuple[PersonFace, ...]
    tightness: float | None

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
        """People with two faces or more."""
        return [person for person in self.people if len(person.faces) > 1]

    @property
    def seen_once(self) -> list[Person]:
        """People with a single face."""
        return [person for person in self.people if len(person.faces) == 1]

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

    A group takes the number, and so the name, of the person who had most of its faces before.

    Args:
        library: with scanned photos.
        spec: of the embedder.
        strangers: expected number of other people's faces within the threshold of a face, or
        far: the false-accept rate of a single pair, whatever the number of faces.
        unreadable: passed on to the result.

    Raises:
        InputError: a rate or number that is not positive.
        ModelError: the model is not calibrated.
        LibraryError: the library cannot be written.
    """
    faces = library.faces_of_model(spec.sha256, spec.dim)
    chosen = collection_threshold(spec.distances, len(faces.face_id), strangers=strangers, far=far)
    grouped = agglomerative(
        faces.embeddings, threshold=chosen.distance, constraints=Constraints(photo=faces.photo_id)
    )
    persons = _keep(library, faces, grouped.labels)
    tight = tightness(faces.embeddings, grouped.labels)
    rows = _face_rows(library)
    names = dict(library.catalogue.execute("SELECT person_id, name FROM people"))
    people = []
    for label, person in enumerate(persons):
        members = [rows[int(i)] for i in faces.face_id[grouped.labels == label]]
        members.sort(key=lambda face: -face.quality)
        value = None if np.isnan(tight[label]) else float(tight[label])
        people.append(Person(person, names[person], tuple(members), value))
    n_photos = library.catalogue.execute("SELECT count(*) FROM photos").fetchone()[0]
    return People(
        n_photos, len(faces.face_id), spec.label, chosen.distance, chosen.far, chosen.extrapolated,
        tuple(people), unreadable,
    )  # fmt: skip


def _keep(library: Library, faces: StoredFaces, labels: NDArray[np.int32]) -> list[int]:
    """Write the groups; returns the person of each label."""
    before = dict(library.catalogue.execute("SELECT face_id, person_id FROM assignments"))
    persons = _match(labels, [before.get(int(i)) for i in faces.face_id])
    with library.transaction() as catalogue:
        catalogue.execute("DELETE FROM assignments WHERE state = 'suggested'")
        for label, person in enumerate(persons):
            if person is None:
                persons[label] = catalogue.execute("INSERT INTO people (name) VALUES (NULL)").lastrowid
        catalogue.executemany(
            "INSERT INTO assignments VALUES (?, ?, 'suggested') ON CONFLICT DO NOTHING",
            [(int(i), persons[k]) for i, k in zip(faces.face_id, labels, strict=True)],
        )
        catalogue.execute(
            "DELETE FROM people WHERE name IS NULL AND person_id NOT IN (SELECT person_id FROM assignments)"
        )
    return [int(person or 0) for person in persons]


def _match(labels: NDArray[np.int32], before: list[int | None]) -> list[int | None]:
    """The old person of each new group by most shared faces, each old person used once."""
    shared: dict[tuple[int, int], int] = {}
    for label, person in zip(labels.tolist(), before, strict=True):
        if person is not None:
            shared[label, person] = shared.get((label, person), 0) + 1
    persons: list[int | None] = [None] * (int(labels.max(initial=-1)) + 1)
    taken: set[int] = set()
    for (label, person), _ in sorted(shared.items(), key=lambda item: (-item[1], item[0])):
        if persons[label] is None and person not in taken:
            persons[label] = person
            taken.add(person)
    return persons


def _face_rows(library: Library) -> dict[int, PersonFace]:
    paths = {photo.photo_id: photo.path for photo in library.photos()}
    rows = library.catalogue.execute(
        "SELECT face_id, photo_id, x0, y0, x1, y1, height, width, score, quality"
        " FROM faces JOIN photos USING (photo_id)"
    )
    return {r[0]: PersonFace(r[0], paths[r[1]], tuple(r[2:6]), (r[6], r[7]), r[8], r[9]) for r in rows}


def _face_json(face: PersonFace) -> dict[str, Any]:
    return {
        "photo": face.photo,
        "box_xyxy": [round(v, 2) for v in face.box_xyxy],
        "score": round(face.score, 4),
        "quality": round(face.quality, 4),
    }
