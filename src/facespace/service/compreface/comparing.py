"""Probes beside a gallery: whom they are most like, and how alike they are to one enrolled face."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.distances import distance
from facespace.embed import dequantise, quantise
from facespace.gallery import Gallery
from facespace.models import VERIFY_FAR, FarCurve, ModelSpec
from facespace.service.compreface.answers import similarities
from facespace.service.compreface.errors import refused
from facespace.service.galleries import OpenGallery

__all__ = ["alike_to", "most_alike"]

MOST_MATCHES = 4096


async def most_alike(
    gallery: OpenGallery, rows: NDArray[np.float32], spec: ModelSpec, n: int
) -> list[list[dict[str, Any]]]:
    """Of each probe the subjects most like it, at most ``n``, each by the nearest of the faces."""
    curves = await gallery.read(lambda opened: _curves(opened, spec))
    k = n
    while True:
        found = await gallery.search(rows, spec, k=k, far=VERIFY_FAR)
        told = [_subjects(matches, curves)[:n] for matches in found]
        # Several of the nearest faces may be one subject's.
        enough = all(len(one) >= n or len(matches) < k for one, matches in zip(told, found, strict=True))
        if enough or k >= MOST_MATCHES:
            return told
        k = min(4 * k, MOST_MATCHES)


async def alike_to(
    gallery: OpenGallery, face_id: int, rows: NDArray[np.float32], spec: ModelSpec
) -> tuple[str, list[float]]:
    """The subject of an enrolled face, and the similarity of each probe to it.

    Raises:
        ProblemError: there is no such face, or none with a template that the probes may meet.
    """
    return await gallery.read(lambda opened: _alike_to(opened, face_id, rows, spec))


def _curves(gallery: Gallery, spec: ModelSpec) -> dict[str, FarCurve]:
    return {pair.stored.sha256: pair.curve for pair in gallery.templates.comparable(spec)}


def _subjects(matches: list[Any], curves: dict[str, FarCurve]) -> list[dict[str, Any]]:
    nearest: dict[str, Any] = {}
    for match in matches:
        nearest.setdefault(match.face.subject, match)
    return [
        {
            "subject": name,
            "similarity": similarities(curves[match.model], np.array([match.distance]))[0],
        }
        for name, match in nearest.items()
    ]


def _alike_to(
    gallery: Gallery, face_id: int, rows: NDArray[np.float32], spec: ModelSpec
) -> tuple[str, list[float]]:
    face = gallery.find_faces([face_id]).get(face_id)
    templates = {
        batch.model: batch.vectors for batch in gallery.templates.of_faces(np.array([face_id], np.int64))
    }
    pairs = gallery.templates.comparable(spec) if templates else ()
    pair = next((pair for pair in pairs if pair.stored.sha256 in templates), None)
    if face is None or pair is None:
        raise refused(404, 44, "Image Id is incorrect")
    probes = dequantise(quantise(rows, gallery.templates.byte_scale(spec)))
    apart = distance(probes, dequantise(templates[pair.stored.sha256]))
    return face.subject, similarities(pair.curve, apart)
