"""From names and corrections to groups: the faces of a library grouped so that every correction holds, and kept.

Up to 20,000 faces all suggestions are worked out again whenever something has changed, so they depend on the photos and
the corrections alone and not on their order. Beyond, existing groups grow (`cluster.add_faces`), which costs by what is
new. Where nothing has changed, nothing is computed.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from facespace.cluster import (
    IMPOSTORS_IN_REACH,
    Constraints,
    add_faces,
    agglomerative,
    attach_faces,
    collection_threshold,
    labels_by_size,
)
from facespace.cluster.constraints import overlapping
from facespace.cluster.groups import Groups
from facespace.errors import IncompatibleModelsError
from facespace.library.catalogue import Catalogue, StoredFaces
from facespace.models import ModelSpec, common_distances

ALL_UP_TO = 20_000
NOBODY = -1


@dataclass(frozen=True)
class Rule:
    """How near faces must lie to be put together.

    Attributes:
        impostors: expected number of other people's faces within the threshold of a face, or
        far: the false-accept rate of a single pair, whatever the number of faces.
    """

    impostors: float = IMPOSTORS_IN_REACH
    far: float | None = None

    def threshold(self, spec: ModelSpec, n_faces: int, *, other: ModelSpec | None = None) -> float:
        """The largest mean distance of two groups that are put together, of so many faces.

        Args:
            spec: of the faces' model.
            n_faces: in the collection.
            other: of another model, if faces of the two are to be put together.

        Raises:
            InputError: a rate or number that is not positive.
            ModelError: the model, or the pair, is not calibrated; or the two may not meet.
        """
        distances = common_distances(spec, other or spec)
        return collection_threshold(distances, n_faces, impostors=self.impostors, far=self.far).distance


@dataclass(frozen=True)
class Standing:
    """Faces with what is known of them; parallel arrays of N.

    Attributes:
        faces: of one model, those that take part.
        person: int64, the person of each face at the moment, -1 for none.
        confirmed: bool, whether it is confirmed.
        settled: the confirmed persons.
        cannot_link: places of pairs that are not one person.
        state: tells whether any of this has changed since.
        foreign: faces from another model, which have no template of this one: its spec, and their places.
    """

    faces: StoredFaces
    person: NDArray[np.int64]
    confirmed: NDArray[np.bool_]
    settled: frozenset[int]
    cannot_link: list[tuple[int, int]]
    state: str
    foreign: tuple[tuple[ModelSpec, NDArray[np.intp]], ...] = ()

    def constraints(self) -> Constraints:
        """What holds in every grouping."""
        photo, apart = self._photos()
        apart += self._overlapping()
        return Constraints(
            photo=photo,
            person=np.where(self.confirmed, self.person, NOBODY),
            cannot_link=[*self.cannot_link, *apart],
        )

    def _photos(self) -> tuple[NDArray[np.int64], list[tuple[int, int]]]:
        """Two faces of one photo are two people, unless both are confirmed as one (a mirror, a collage)."""
        photo = np.where(np.isnan(self.faces.begin_s), self.faces.photo_id, NOBODY)
        apart: list[tuple[int, int]] = []
        seen: set[tuple[int, int]] = set()
        for i in np.flatnonzero(self.confirmed).tolist():
            key = (int(photo[i]), int(self.person[i]))
            if key in seen and key[0] != NOBODY:
                photo[i] = NOBODY
                others = np.flatnonzero(self.faces.photo_id == key[0]).tolist()
                mine = self.confirmed[others] & (self.person[others] == key[1])
                apart += [(i, j) for j, same in zip(others, mine, strict=True) if not same]
            seen.add(key)
        return photo, apart

    def _overlapping(self) -> list[tuple[int, int]]:
        """Two tracks of a video at one time are two people, likewise."""
        faces = self.faces
        video = np.where(np.isnan(faces.begin_s), NOBODY, faces.photo_id)
        a, b = overlapping(video, faces.begin_s, faces.end_s).T
        same = self.confirmed[a] & self.confirmed[b] & (self.person[a] == self.person[b])
        return [(int(i), int(j)) for i, j in zip(a[~same], b[~same], strict=True)]


def read_faces(catalogue: Catalogue, spec: ModelSpec) -> Standing:
    """The faces of a model, at one moment."""
    with catalogue.snapshot():
        faces, foreign = _faces(catalogue, spec)
        assigned = {row["face_id"]: row for row in catalogue.rows("SELECT * FROM assignments")}
        settled = frozenset(catalogue.values("SELECT person_id FROM people WHERE settled"))
        rejections = catalogue.rows("SELECT face_id, person_id FROM rejections")
        state = _state(catalogue, spec)
    known = [assigned.get(i) for i in faces.face_id.tolist()]
    person = np.array([NOBODY if row is None else row["person_id"] for row in known], np.int64)
    confirmed = np.array([row is not None and row["state"] == "confirmed" for row in known], bool)
    # Each rejected face with one confirmed face of the person it is not.
    place = {number: i for i, number in enumerate(faces.face_id.tolist())}
    one = {int(person[i]): int(i) for i in np.flatnonzero(confirmed)}
    cannot_link = [
        (place[row["face_id"]], one[row["person_id"]])
        for row in rejections
        if row["face_id"] in place and row["person_id"] in one
    ]
    return Standing(faces, person, confirmed, settled, cannot_link, state, foreign)


def _faces(
    catalogue: Catalogue, spec: ModelSpec
) -> tuple[StoredFaces, tuple[tuple[ModelSpec, NDArray[np.intp]], ...]]:
    """The faces of a model, then those that have a template only of another model that may meet it."""
    parts, foreign = [catalogue.faces_of_model(spec.sha256, spec.dim)], []
    for other in catalogue.templates.models():
        if other.sha256 != spec.sha256 and other.task == "embedder" and _may_meet(spec, other):
            known = np.concatenate([part.face_id for part in parts])
            found = catalogue.faces_of_model(other.sha256, spec.dim)
            found = found[~np.isin(found.face_id, known)]
            if len(found.face_id):
                foreign.append((other, len(known) + np.arange(len(found.face_id))))
                parts.append(found)
    return StoredFaces.joined(parts), tuple(foreign)


def _may_meet(spec: ModelSpec, other: ModelSpec) -> bool:
    try:
        return any(d is not None for d in common_distances(spec, other).values()) and other.dim == spec.dim
    except IncompatibleModelsError:
        return False


def _state(catalogue: Catalogue, spec: ModelSpec) -> str:
    """Changes with every template of the model that comes or goes, every other face, and every correction."""
    with catalogue.snapshot():
        (last_id, n), n_faces = catalogue.templates.extent(spec.sha256), len(catalogue.templates.faces())
        row = catalogue.row(
            "SELECT (SELECT max(change_id) FROM changes), (SELECT count(*) FROM changes),"
            " (SELECT count(*) FROM ignored)"
        )
    return " ".join(map(str, (spec.sha256, last_id or None, n, n_faces, *(row or ()))))


def keep_groups(catalogue: Catalogue, spec: ModelSpec, rule: Rule) -> Standing:
    """Group all faces of a model as the corrections demand, keep the groups as suggestions, and return them.

    Corrections by another process meanwhile are not overwritten: the groups are then worked out again.
    """
    while True:
        before, standing = grouped_by(catalogue), read_faces(catalogue, spec)
        distance = rule.threshold(spec, len(standing.person))
        inputs = f"{standing.state} {distance!r}"
        if catalogue.value("SELECT inputs FROM grouping") == inputs:
            return standing
        reach = [rule.threshold(spec, len(standing.person), other=other) for other, _ in standing.foreign]
        groups = _group(standing, distance, reach)
        with catalogue.transaction():
            now = grouped_by(catalogue)
            if now not in (before, spec.sha256):  # another process has moved the library to another model
                spec = next(known for known in catalogue.templates.models() if known.sha256 == now)
            elif _state(catalogue, spec) == standing.state:
                catalogue.execute(
                    "INSERT OR REPLACE INTO grouping VALUES (1, ?, ?, ?, ?, ?)",
                    (inputs, spec.sha256, distance, rule.impostors, rule.far),
                )
                return replace(standing, person=_write(catalogue, standing, groups))


def last_rule(catalogue: Catalogue) -> Rule:
    """The rule that the groups came from; the default one where nothing has been grouped."""
    row = catalogue.row("SELECT strangers AS impostors, far FROM grouping")
    return Rule() if row is None else Rule(**dict(row))


def grouped_by(catalogue: Catalogue) -> str | None:
    """sha256 of the model that the groups stand by; None where nothing has been grouped."""
    model: str | None = catalogue.value("SELECT model FROM grouping")
    return model


def _group(standing: Standing, threshold: float, reach: Sequence[float] = ()) -> NDArray[np.integer]:
    """The group of each face; foreign of each other model join the groups that stand, up to its reach."""
    rows, constraints = standing.faces.embeddings, standing.constraints()
    n = len(rows)
    # Blurs stand alone unless they are confirmed: they are near to many, most of all to each other.
    clear = ~standing.faces.blurs | standing.confirmed
    own = np.ones(n, bool)
    for _, places in standing.foreign:
        own[places] = False
    labels = np.full(n, NOBODY, np.int64)
    if n <= ALL_UP_TO:
        mine = np.flatnonzero(own & clear)
        labels[mine] = agglomerative(
            rows[mine], threshold=threshold, constraints=constraints.subset(mine, n)
        ).labels
    else:
        mine = np.flatnonzero(own)
        labels[mine] = add_faces(
            rows[mine], standing.person[mine], threshold=threshold, constraints=constraints.subset(mine, n)
        )
    for (_, places), distance in zip(standing.foreign, reach, strict=True):
        with_them = np.flatnonzero((labels != NOBODY) | (np.isin(np.arange(n), places) & clear))
        labels[with_them] = attach_faces(
            rows[with_them],
            labels[with_them],
            threshold=distance,
            constraints=constraints.subset(with_them, n),
        )
    alone = labels == NOBODY
    labels[alone] = labels.max(initial=0) + 1 + np.arange(alone.sum())
    return labels_by_size(labels)


def _write(catalogue: Catalogue, standing: Standing, groups: NDArray[np.integer]) -> NDArray[np.int64]:
    """Keep the groups; returns the person of each face."""
    persons = _persons(standing, groups)
    catalogue.execute("DELETE FROM assignments WHERE state = 'suggested'")
    for label, person in enumerate(persons):
        if person is None:
            persons[label] = catalogue.execute("INSERT INTO people (name) VALUES (NULL)").lastrowid
    person_of = np.array(persons, np.int64)[groups] if len(groups) else standing.person
    new = np.flatnonzero(~standing.confirmed)
    distances = _distances(standing, person_of)
    catalogue.execute_all(
        "INSERT INTO assignments (face_id, person_id, state, distance) VALUES (?, ?, 'suggested', ?)",
        [(int(standing.faces.face_id[i]), int(person_of[i]), distances.get(i)) for i in new.tolist()],
    )
    # Numbers that the history speaks of stay, so that it can be played back.
    catalogue.execute(
        "DELETE FROM people WHERE name IS NULL AND NOT settled"
        " AND person_id NOT IN (SELECT person_id FROM assignments)"
        " AND NOT EXISTS (SELECT 1 FROM changes WHERE relation = 'people' AND key = '[' || person_id || ']')"
    )
    return person_of


def _distances(standing: Standing, person: NDArray[np.int64]) -> dict[int, float]:
    """Mean distance of each face that is suggested for a person with confirmed ones to these, by the face's place."""
    confirmed = np.flatnonzero(standing.confirmed)
    known, slots = np.unique(person[confirmed], return_inverse=True)
    new = np.flatnonzero(~standing.confirmed & np.isin(person, known))
    if not len(new):
        return {}
    own = len(known) + np.arange(len(new))
    groups = Groups.of_faces(standing.faces.embeddings[np.r_[confirmed, new]], np.r_[slots, own])
    distance = groups.distance(own, np.searchsorted(known, person[new]))
    return dict(zip(new.tolist(), distance.tolist(), strict=True))


def _persons(standing: Standing, groups: NDArray[np.integer]) -> list[int | None]:
    """The person of each group: the confirmed one, else the old one of most shared faces who is not confirmed."""
    persons: list[int | None] = [None] * (int(groups.max(initial=-1)) + 1)
    for label, person in zip(groups[standing.confirmed], standing.person[standing.confirmed], strict=True):
        persons[int(label)] = int(person)
    both = zip(groups.tolist(), standing.person.tolist(), strict=True)
    shared = Counter(pair for pair in both if pair[1] != NOBODY and pair[1] not in standing.settled)
    taken = set(standing.person[standing.confirmed].tolist())
    for (label, person), _ in sorted(shared.items(), key=lambda item: (-item[1], item[0])):
        if persons[label] is None and person not in taken:
            persons[label] = person
            taken.add(person)
    return persons
