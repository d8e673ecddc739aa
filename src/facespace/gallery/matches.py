"""The enrolled faces nearest to a probe, with whose they are."""

import math
from dataclasses import dataclass

from facespace.gallery.roster import EnrolledFace
from facespace.store import Hits

NEAREST = 5


@dataclass(frozen=True)
class Match:
    """An enrolled face near a probe.

    Attributes:
        face: which.
        model: sha256 of the model whose template was compared.
        distance: in [0, 4].
        threshold: of the pair of models.
        same: whether the two count as one person: distance <= threshold.
        log_far: log10 of the false-accept rate that the distance stands for; nan where a service does not say it.
    """

    face: EnrolledFace
    model: str
    distance: float
    threshold: float
    same: bool
    log_far: float = math.nan


def matches_of(hits: Hits, faces: dict[int, EnrolledFace]) -> list[list[Match]]:
    """The hits of each probe, with the enrolled faces by their ids."""
    return [
        [
            Match(
                faces[int(hits.face_id[i, j])], hits.models[hits.model_idx[i, j]], float(hits.distance[i, j]),
                float(hits.threshold[i, j]), bool(hits.same[i, j]), float(hits.log_far[i, j]),
            )
            for j in range(hits.face_id.shape[1])
            if hits.face_id[i, j] >= 0
        ]
        for i in range(len(hits.face_id))
    ]  # fmt: skip
