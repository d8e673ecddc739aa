"""The faces of a library nearest to a face of it, or to any other face."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facespace.embed import dequantise
from facespace.errors import LibraryError
from facespace.extract.tracks import KEPT_FACES
from facespace.library.browse import Browse, Card
from facespace.library.catalogue import Catalogue
from facespace.library.faces import Face, faces_by_id, find_face, rate_of
from facespace.library.grouping import grouped_by
from facespace.models import ModelSpec

NEAREST = 60
# Of other people, to find a few different ones among.
FACES_LOOKED_AT = 60


@dataclass(frozen=True)
class Similar:
    """A face near a probe.

    Attributes:
        face: which, and whose.
        distance: in [0, 4].
        far: the false-accept rate at that distance: about this share of different people comes as near. Never below
            the lowest rate that the calibration measured.
        extrapolated: the rate lies above those that the calibration measured.
    """

    face: Face
    distance: float
    far: float
    extrapolated: bool


@dataclass(frozen=True)
class SimilarPerson:
    """A person who looks like another.

    Attributes:
        card: who.
        distance: of the nearest face to the mean of the other's faces, in [0, 4].
        far: as of `Similar`.
        extrapolated: likewise.
    """

    card: Card
    distance: float
    far: float
    extrapolated: bool


def search_face(catalogue: Catalogue, face: int | str, *, k: int = NEAREST) -> list[Similar]:
    """The ``k`` faces nearest to a face of the library, itself left out; see `search_similar`.

    Raises:
        CorrectionError: no such face.
        LibraryError: the face has no template: it is no face, or its photo is gone.
    """
    number = find_face(catalogue, face)
    found_templates, grouped = catalogue.templates.of_faces(np.array([number])), grouped_by(catalogue)
    if not found_templates:
        raise LibraryError(
            f"{face}: expected a face with a template, its photo is gone or was never embedded"
        )
    template = max(found_templates, key=lambda one: one.model == grouped)  # else the newest
    spec = catalogue.templates.model(template.model)
    assert spec is not None  # a template's model is remembered
    probe = dequantise(template.vectors)
    (found,) = search_similar(catalogue, probe, spec, k=k + 1)
    return [one for one in found if one.face.face_id != number][:k]


def search_similar(
    catalogue: Catalogue, probes: NDArray[np.float32], spec: ModelSpec, *, k: int = NEAREST
) -> list[list[Similar]]:
    """The ``k`` faces of a library nearest to each probe, the nearest first; what is marked as no face is left out.

    Args:
        catalogue: open.
        probes: float32 unit rows, shape (N, D).
        spec: of their embedder.
        k: at least 1.

    Raises:
        InputError, IncompatibleModelsError, ModelError: see `facespace.store.TemplateStore.search`.
    """
    track = {
        row["face_id"]: row["of_track"]
        for row in catalogue.stream("SELECT face_id, of_track FROM faces WHERE of_track NOTNULL")
    }
    hits = catalogue.templates.search(probes, spec, k=k * KEPT_FACES if track else k)
    found = []
    for i in range(len(hits.face_id)):
        near: dict[int, tuple[float, float, bool]] = {}  # of a track the nearest view
        for number, model, distance in zip(
            hits.face_id[i].tolist(), hits.model_idx[i].tolist(), hits.distance[i].tolist(), strict=True
        ):
            near.setdefault(
                track.get(number, number), (distance, *rate_of(hits.pairs[model].curve, distance))
            )
        tiles = faces_by_id(catalogue, list(near)[:k])
        found.append([Similar(tile, *near[tile.face_id]) for tile in tiles if not tile.ignored])
    return found


def similar_people(catalogue: Catalogue, person: int, *, k: int = 6) -> list[SimilarPerson]:
    """The people who look most like a person: by the faces nearest to the mean of the person's own, one a person.

    Those who are kept apart from the person, and hidden ones, are left out.

    Args:
        catalogue: open.
        person: number.
        k: at most so many.
    """
    spec, rows, own = _own_templates(catalogue, person)
    if spec is None:
        return []
    mean = rows.mean(0, keepdims=True)
    mean /= np.maximum(np.linalg.norm(mean), 1e-12)
    hits = catalogue.templates.search(mean, spec, k=len(own) + FACES_LOOKED_AT)
    passed = {person, *_apart_or_hidden(catalogue, person)}
    found: list[SimilarPerson] = []
    for i in np.flatnonzero(~np.isin(hits.face_id[0], own)).tolist():
        other = _person_of(catalogue, int(hits.face_id[0, i]))
        if other is not None and other not in passed and len(found) < k:
            passed.add(other)
            distance = float(hits.distance[0, i])
            rate = rate_of(hits.pairs[hits.model_idx[0, i]].curve, distance)
            found.append(SimilarPerson(Browse(catalogue).person(other), distance, *rate))
    return found


def _own_templates(
    catalogue: Catalogue, person: int
) -> tuple[ModelSpec | None, NDArray[np.float32], NDArray[np.int64]]:
    """The model that most of a person's faces have templates of, these as unit rows, and the ids of the faces."""
    faces = np.array(
        catalogue.values("SELECT face_id FROM assignments WHERE person_id = ?", (person,)), np.int64
    )
    found = catalogue.templates.of_faces(faces)
    if not found:
        return None, np.zeros((0, 0), np.float32), np.zeros(0, np.int64)
    most = max(found, key=len)  # the newest of several
    spec = catalogue.templates.model(most.model)
    assert spec is not None  # a template's model is remembered
    return spec, dequantise(most.vectors), faces


def _apart_or_hidden(catalogue: Catalogue, person: int) -> list[int]:
    return catalogue.values(
        "SELECT person_id FROM people WHERE hidden"
        " UNION SELECT other_id FROM told_apart WHERE person_id = :one"
        " UNION SELECT person_id FROM told_apart WHERE other_id = :one",
        {"one": person},
    )


def _person_of(catalogue: Catalogue, face: int) -> int | None:
    person: int | None = catalogue.value("SELECT person_id FROM assignments WHERE face_id = ?", (face,))
    return person
