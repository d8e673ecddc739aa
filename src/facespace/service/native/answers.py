"""What is answered: the library's results as documents."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from facespace.distances import similarity
from facespace.gallery import Identities, Match
from facespace.models import ModelSpec
from facespace.service.engine import Faces
from facespace.service.galleries import OpenGallery
from facespace.service.probes import Probes
from facespace.store import IndexState


def model(spec: ModelSpec) -> dict[str, str]:
    """Which model it is."""
    return {"name": spec.name, "version": spec.version, "sha256": spec.sha256}


def picture(faces: Faces) -> dict[str, Any]:
    """Which picture was looked at, and by which detector."""
    return {"sha256": faces.sha256, "size_hw": list(faces.size_hw), "detector": faces.detector}


def head(gallery: OpenGallery, probes: Probes) -> dict[str, Any]:
    """What every answer about a gallery says."""
    seen = {} if probes.faces is None else {"picture": picture(probes.faces)}
    return {"gallery": gallery.name, "model": model(probes.spec), **seen}


def probe(probes: Probes, i: int) -> dict[str, Any]:
    """Where the i-th is in its picture, if it is of one."""
    return {} if probes.faces is None else face(probes.faces, i)


def face(faces: Faces, i: int) -> dict[str, Any]:
    """Where a face is, in pixels of the whole upright picture."""
    return {
        "box_xyxy": _places(faces.faces.boxes_xyxy[i]), "landmarks_xy": _places(faces.faces.landmarks_xy[i]),
        "score": rounded(faces.faces.scores[i]), "quality": rounded(faces.quality[i]),
    }  # fmt: skip


def identity(found: Identities, i: int) -> dict[str, Any]:
    """Who a face is, and how sure that is."""
    distance = found.distance[i]
    return {
        "subject": found.subject[i], "nearest": found.nearest[i], "distance": rounded(distance),
        "similarity": rounded(similarity(float(distance))), "threshold": rounded(found.threshold[i]),
        "chance": _number(found.chance[i]),
    }  # fmt: skip


def identification(found: Identities) -> dict[str, Any]:
    """What holds for all faces of an answer."""
    return {
        "fpir": found.fpir, "far": _number(found.far), "measured": found.measured,
        "chance_range": [_number(end) for end in found.chance_range], "n_subjects": found.n_subjects,
        "n_comparisons": found.n_comparisons, "meaning": found.meaning(),
        "index": indexes(found.indexes),
    }  # fmt: skip


def indexes(states: Mapping[str, IndexState]) -> dict[str, Any]:
    """What a search rested on, by the label of each model; its recall where it is not exact."""
    return {label: state.to_json() for label, state in states.items()}


def match(one: Match, key: str) -> dict[str, Any]:
    """An enrolled face near a probe, by its key."""
    return {
        "subject": one.face.subject, "key": key, "distance": rounded(one.distance),
        "similarity": rounded(similarity(one.distance)), "threshold": rounded(one.threshold), "same": one.same,
        "model": one.model,
    }  # fmt: skip


def rounded(value: Any) -> float | None:
    """As exact as it is known; null for what is not."""
    return None if not np.isfinite(value) else round(float(value), 6)


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def _places(values: Any) -> Sequence[Any]:
    places: Sequence[Any] = np.round(np.asarray(values, np.float64), 2).tolist()
    return places
