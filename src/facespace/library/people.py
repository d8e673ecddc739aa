"""The people of a library: its faces grouped, and kept as the same persons from run to run."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from facespace.cluster import collection_threshold, labels_by_size, tightness
from facespace.images import Unreadable
from facespace.library.catalogue import Catalogue
from facespace.library.faces import Face, stream_faces
from facespace.library.grouping import Rule, Standing, keep_groups, last_rule
from facespace.library.photos import unread_photos
from facespace.library.upgrading import check_model
from facespace.models import ModelSpec


@dataclass(frozen=True)
class Person:
    """Faces that count as one person, best quality first.

    Attributes:
        person: stable number.
        name: given by the user, else None.
        faces: at least one.
        tightness: mean distance of the faces to each other; None for a single face.
        settled: confirmed: changes only by corrections.
        hidden: not to be shown.
    """

    person: int
    name: str | None
    faces: tuple[Face, ...]
    tightness: float | None
    settled: bool = False
    hidden: bool = False

    @property
    def suggested(self) -> list[Face]:
        """Faces of a confirmed person that are not confirmed."""
        return [face for face in self.faces if self.settled and not face.confirmed]

    @property
    def n_photos(self) -> int:
        """Photos and videos that show this person."""
        return len({face.photo for face in self.faces})

    @property
    def n_videos(self) -> int:
        """Of these, the videos."""
        return len({face.photo for face in self.faces if face.time_s is not None})


@dataclass(frozen=True)
class People:
    """Everybody found, the largest group first.

    Attributes:
        n_photos: photos and videos in the library.
        n_videos: of these.
        n_faces: faces found.
        model: the embedder.
        threshold: largest mean distance of two groups that were put together.
        far: the false accept rate that the threshold stands for.
        extrapolated: the rate lies beyond those that the model's calibration measured.
        people: groups.
        unreadable: photos that could not be read.
        partial: photos that were read as far as they go, with what is missing of them.
    """

    n_photos: int
    n_videos: int
    n_faces: int
    model: str
    threshold: float
    far: float
    extrapolated: bool
    people: tuple[Person, ...]
    unreadable: tuple[Unreadable, ...] = field(default=())
    partial: tuple[Unreadable, ...] = field(default=())

    @property
    def seen_again(self) -> list[Person]:
        """People with two faces or more, and confirmed ones; not the hidden ones."""
        return [p for p in self.people if not p.hidden and (len(p.faces) > 1 or p.settled)]

    @property
    def seen_once(self) -> list[Person]:
        """People with a single face."""
        return [p for p in self.people if not (p.hidden or p.settled or len(p.faces) > 1)]

    def to_json(self) -> dict[str, Any]:
        """The document that `facespace people --json` prints."""
        document = {
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
                    "faces": [face.to_json() for face in person.faces],
                }
                for person in self.people
            ],
            "unreadable": [{"photo": str(u.photo), "reason": u.reason} for u in self.unreadable],
            "extrapolated": self.extrapolated,
        }
        if self.n_videos:
            document["videos"] = self.n_videos
        if self.partial:
            document["partial"] = [{"photo": str(u.photo), "reason": u.reason} for u in self.partial]
        return document


def group_people(catalogue: Catalogue, spec: ModelSpec, rule: Rule | None = None) -> People:
    """Group all faces that this embedder has seen, and keep the groups; see `facespace.library.Library.group`."""
    check_model(catalogue, spec)
    rule = rule or last_rule(catalogue)
    standing = keep_groups(catalogue, spec, rule)
    n_faces = len(standing.person)
    chosen = collection_threshold(spec.distances, n_faces, impostors=rule.impostors, far=rule.far)
    return People(
        *catalogue.count_items(), n_faces, spec.label, chosen.distance, chosen.far, chosen.extrapolated,
        _people(catalogue, standing), unread_photos(catalogue), unread_photos(catalogue, "note"),
    )  # fmt: skip


def _people(catalogue: Catalogue, standing: Standing) -> tuple[Person, ...]:
    labels = labels_by_size(standing.person)
    tight = tightness(standing.faces.embeddings, labels)
    faces = {face.face_id: face for face in stream_faces(catalogue)}
    known = {row["person_id"]: row for row in catalogue.rows("SELECT * FROM people")}
    order = np.argsort(labels, kind="stable")
    groups = np.split(order, np.cumsum(np.bincount(labels))[:-1]) if len(order) else []
    people = []
    for label, group in enumerate(groups):
        person = known[standing.person[group[0]]]
        members = [faces[i] for i in standing.faces.face_id[group].tolist()]
        members.sort(key=lambda face: -face.quality)
        value = None if np.isnan(tight[label]) else float(tight[label])
        people.append(
            Person(
                person["person_id"], person["name"], tuple(members), value, bool(person["settled"]),
                bool(person["hidden"]),
            )
        )  # fmt: skip
    return tuple(people)
