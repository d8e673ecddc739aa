"""The faces of a library nearest to a face of it, or to any other face."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facespace.embed import dequantise
from facespace.errors import LibraryError
from facespace.library.addresses import find_face
from facespace.library.browse import FaceTile, faces_by_id
from facespace.library.catalogue import Catalogue
from facespace.models import FarCurve, ModelSpec, far_curve

__all__ = ["NEAREST", "Similar", "rate_of", "search_face", "search_similar"]

NEAREST = 60


@dataclass(frozen=True)
class Similar:
    """A face near a probe.

    Attributes:
        face: which, and whose.
        distance: in [0, 4].
        far: the false-accept rate that the distance stands for: about this share of strangers comes as near. Never
            below the lowest rate that the calibration measured.
        extrapolated: the rate lies above those that the calibration measured.
    """

    face: FaceTile
    distance: float
    far: float
    extrapolated: bool


def search_face(library: Catalogue, face: int | str, *, k: int = NEAREST) -> list[Similar]:
    """The ``k`` faces nearest to a face of the library, itself left out; see `search_similar`.

    Raises:
        CorrectionError: no such face.
        LibraryError: the face has no template: it was said to be no face, or its photo is gone.
    """
    number = find_face(library.catalogue, face)
    row = library.catalogue.execute(
        "SELECT sha256, vector FROM templates JOIN models USING (model_id) WHERE face_id = ?"
        " ORDER BY model_id DESC",
        (number,),
    ).fetchone()
    if row is None:
        raise LibraryError(
            f"{face}: expected a face with a template, its photo is gone or was never embedded"
        )
    (spec,) = [spec for spec in library.templates.models() if spec.sha256 == row[0]]
    probe = dequantise(np.frombuffer(row[1], np.int8)[None])
    (found,) = search_similar(library, probe, spec, k=k + 1)
    return [one for one in found if one.face.face_id != number][:k]


def search_similar(
    library: Catalogue, probes: NDArray[np.float32], spec: ModelSpec, *, k: int = NEAREST
) -> list[list[Similar]]:
    """The ``k`` faces of a library nearest to each probe, the nearest first; those said to be no faces are left out.

    Args:
        library: open.
        probes: float32 unit rows, shape (N, D).
        spec: of their embedder.
        k: at least 1.

    Raises:
        InputError, IncompatibleModelsError, ModelError: see `facespace.gallery.TemplateStore.search`.
    """
    hits = library.templates.search(probes, spec, k=k)
    curves = {
        known.sha256: far_curve(spec, known)
        for known in library.templates.models()
        if known.sha256 in hits.models
    }
    found = []
    for i in range(len(hits.face_id)):
        tiles = {tile.face_id: tile for tile in faces_by_id(library, hits.face_id[i].tolist())}
        found.append(
            [
                Similar(tiles[number], distance, *rate_of(curves[hits.models[model]], distance))
                for number, model, distance in zip(
                    hits.face_id[i].tolist(),
                    hits.model_idx[i].tolist(),
                    hits.distance[i].tolist(),
                    strict=True,
                )
                if number in tiles and not tiles[number].ignored
            ]
        )
    return found


def rate_of(curve: FarCurve, distance: float) -> tuple[float, bool]:
    """The false-accept rate behind a distance, and whether it lies above the calibrated ones."""
    rate = float(np.clip(curve.log_far(distance), curve.log_fars[0], 0.0))
    return 10.0**rate, rate > curve.log_fars[-1]
