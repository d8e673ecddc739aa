"""What is answered of faces, in CompreFace's words and units."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.distances import distance
from facespace.embed import dequantise, quantise
from facespace.extract import FaceEmbedder
from facespace.gallery import Gallery, Match
from facespace.models import VERIFY_FAR, FarCurve, ModelSpec
from facespace.service.compreface.asked import Chosen, refused
from facespace.service.engine import Faces
from facespace.service.galleries import OpenGallery
from facespace.service.service import Service

# What a similarity of 0.5 stands for: the rate at which two different people come as near.
CUT_FAR = 1e-3
DIGITS = 5


def similarity(log_far: float) -> float:
    """A rate on CompreFace's scale, from 1 for the same picture to 0: 1 / (1 + sqrt(FAR / CUT_FAR)).

    It falls as the distance grows, and is 0.5 where different people are taken for one at CUT_FAR, whatever the model.
    """
    return round(float(1 / (1 + 10 ** ((log_far - np.log10(CUT_FAR)) / 2))), DIGITS)


def similarities(curve: FarCurve, distances: NDArray[np.floating]) -> list[float]:
    """`similarity` of the rate that each distance stands for."""
    return [similarity(log_far) for log_far in curve.log_far(distances)]


@dataclass(frozen=True)
class Seen:
    """The faces of one picture that were asked for, the largest first.

    Attributes:
        faces: N of them.
        options: of the request.
        ms: that it took to find and to embed them.
        plugins_versions: the models.
    """

    faces: Faces
    options: Chosen
    ms: float
    plugins_versions: dict[str, str]

    def face(self, i: int) -> dict[str, Any]:
        """The i-th."""
        found, plugins = self.faces.faces, self.options.plugins
        places = [round(float(v)) for v in found.boxes_xyxy[i]]
        document: dict[str, Any] = {
            "box": {
                "probability": round(float(found.scores[i]), DIGITS),
                **dict(zip(("x_min", "y_min", "x_max", "y_max"), places, strict=True)),
            }
        }
        if "landmarks" in plugins:
            document["landmarks"] = np.rint(found.landmarks_xy[i]).astype(int).tolist()
        if "calculator" in plugins:
            document["embedding"] = self.faces.embeddings[i].astype(float).tolist()
        if self.options.status:
            document["execution_time"] = {"detector": round(self.ms, 1)}
        return document

    def versions(self) -> dict[str, Any]:
        """The models, if they were asked for."""
        return {"plugins_versions": self.plugins_versions} if self.options.status else {}


async def look(
    service: Service, content: bytes, embedder: FaceEmbedder, options: Chosen, *, one: bool = False
) -> Seen:
    """Find and embed the faces of a picture.

    Args:
        service: whose engine does it.
        content: the picture file.
        embedder: embeds them.
        options: of the request.
        one: more than one face is an error.

    Raises:
        ImageError, NoFaceError, ProblemError: the picture cannot be used, or the service is busy.
    """
    begun = time.perf_counter()
    # A face that is asked for by its score may be a smaller one.
    most = None if options.least_score else 2 if one else options.limit or None
    found = await service.engine.faces(content, embedder, most=most, needed=True)
    order = np.argsort(-found.faces.areas_px, kind="stable")
    order = order[found.faces.scores[order] >= options.least_score]
    if not len(order):
        raise refused(400, 28, "No face is found in the given image")
    if one and len(order) > 1:
        raise refused(400, 31, "More than one face in the source image")
    ms = 1000 * (time.perf_counter() - begun)
    labels = {"detector": service.engine.detector.spec.label, "calculator": embedder.spec.label}
    return Seen(found[order[: options.limit or None]], options, ms, labels)


MOST_MATCHES = 4096


async def most_alike(
    gallery: OpenGallery, rows: NDArray[np.float32], spec: ModelSpec, n: int
) -> list[list[dict[str, Any]]]:
    """Of each probe the subjects most like it, at most ``n``, each by the nearest of the faces."""
    k = n
    while True:
        found, _ = await gallery.search(rows, spec, k=k, far=VERIFY_FAR)
        subjects = [_subjects(matches)[:n] for matches in found]
        # Several of the nearest faces may be one subject's.
        enough = all(len(one) >= n or len(matches) < k for one, matches in zip(subjects, found, strict=True))
        if enough or k >= MOST_MATCHES:
            return subjects
        k = min(4 * k, MOST_MATCHES)


def _subjects(matches: list[Match]) -> list[dict[str, Any]]:
    nearest: dict[str, float] = {}
    for match in matches:
        nearest.setdefault(match.face.subject, match.log_far)
    return [{"subject": name, "similarity": similarity(log_far)} for name, log_far in nearest.items()]


def alike_to(
    gallery: Gallery, face_id: int, rows: NDArray[np.float32], spec: ModelSpec
) -> tuple[str, list[float]]:
    """The subject of an enrolled face, and the similarity of each probe to it.

    Raises:
        ProblemError: there is no such face, or none with a template that the probes may meet.
    """
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
