"""The faces of a library nearest to a face of it, or to any other face."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facespace.embed import dequantise
from facespace.errors import LibraryError
from facespace.extract.tracks import KEPT_FACES
from facespace.library.browse import Browse, Card
from facespace.library.catalogue import Catalogue, LibraryPart
from facespace.library.corrections import FaceRef
from facespace.library.faces import Face, faces_by_id, find_face, rate_of
from facespace.library.grouping import grouped_by
from facespace.models import FarCurve, ModelSpec
from facespace.store import Hits

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


class Searching(LibraryPart):
    """What a library is searched for."""

    def search(
        self, probes: NDArray[np.float32], spec: ModelSpec, *, k: int = NEAREST
    ) -> list[list[Similar]]:
        """The ``k`` faces nearest to each probe, the nearest first; what is marked as no face is left out.

        Args:
            probes: float32 unit rows, shape (N, D).
            spec: of their embedder.
            k: at least 1.

        Raises:
            InputError, IncompatibleModelsError, ModelError: see `facespace.store.TemplateStore.search`.
        """
        catalogue = self._catalogue
        track = {
            row["face_id"]: row["of_track"]
            for row in catalogue.stream("SELECT face_id, of_track FROM faces WHERE of_track NOTNULL")
        }
        hits = catalogue.templates.search(probes, spec, k=k * KEPT_FACES if track else k)
        found = []
        for row in _found(hits):
            near: dict[int, tuple[FarCurve, float]] = {}  # of a track the nearest view
            for number, curve, distance in row:
                near.setdefault(track.get(number, number), (curve, distance))
            tiles = [tile for tile in faces_by_id(catalogue, list(near)[:k]) if not tile.ignored]
            found.append(
                [Similar(tile, near[tile.face_id][1], *rate_of(*near[tile.face_id])) for tile in tiles]
            )
        return found

    def search_face(self, face: FaceRef, *, k: int = NEAREST) -> list[Similar]:
        """The ``k`` faces nearest to a face of the library, itself left out; see `search`.

        Raises:
            CorrectionError: no such face.
            LibraryError: the face has no template: it is no face, or its photo is gone.
        """
        number, templates = find_face(self._catalogue, face), self._catalogue.templates
        found_templates, grouped = templates.of_faces(np.array([number])), grouped_by(self._catalogue)
        if not found_templates:
            raise LibraryError(
                f"{face}: expected a face with a template, its photo is gone or was never embedded"
            )
        template = max(found_templates, key=lambda one: one.model == grouped)  # else the newest
        spec = templates.model(template.model)
        assert spec is not None  # a template's model is remembered
        (found,) = self.search(dequantise(template.vectors), spec, k=k + 1)
        return [one for one in found if one.face.face_id != number][:k]

    def similar_people(self, person: int, *, k: int = 6) -> list[SimilarPerson]:
        """The people who look most like a person: by the faces nearest to the mean of the person's own, one a person.

        Those who are kept apart from the person, and hidden ones, are left out.

        Args:
            person: number.
            k: at most so many.
        """
        catalogue = self._catalogue
        spec, rows, faces = _own_templates(catalogue, person)
        if spec is None:
            return []
        mean = rows.mean(0, keepdims=True)
        mean /= np.maximum(np.linalg.norm(mean), 1e-12)
        hits = catalogue.templates.search(mean, spec, k=len(faces) + FACES_LOOKED_AT)
        own, passed = set(faces.tolist()), {person, *_apart_or_hidden(catalogue, person)}
        found: list[SimilarPerson] = []
        for face, curve, distance in _found(hits)[0]:
            if face in own or len(found) == k:
                continue
            other = catalogue.value("SELECT person_id FROM assignments WHERE face_id = ?", (face,))
            if other is not None and other not in passed:
                passed.add(other)
                card = Browse(catalogue).person(other)
                found.append(SimilarPerson(card, distance, *rate_of(curve, distance)))
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


def _found(hits: Hits) -> list[list[tuple[int, FarCurve, float]]]:
    """Of each probe the faces found, each with its distance and the curve of the two models."""
    curves = [pair.curve for pair in hits.pairs]
    rows = zip(hits.face_id.tolist(), hits.model_idx.tolist(), hits.distance.tolist(), strict=True)
    return [[(face, curves[i], distance) for face, i, distance in zip(*row, strict=True)] for row in rows]
