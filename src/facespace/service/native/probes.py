"""Embeddings of what was sent, by the model of a gallery or by another that may meet it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.errors import InputError
from facespace.models import ModelSpec
from facespace.service.engine import Faces
from facespace.service.enrolling import Probe
from facespace.service.galleries import OpenGallery
from facespace.service.native import answers
from facespace.service.native.sent import Sent, embedding_rows
from facespace.service.service import Service


@dataclass(frozen=True)
class Probes:
    """What is looked for: N embeddings, and the faces of the picture that they are of, if it was one."""

    rows: NDArray[np.float32]
    spec: ModelSpec
    faces: Faces | None

    def document(self, gallery: OpenGallery) -> dict[str, Any]:
        """What every answer says."""
        seen = {} if self.faces is None else {"picture": answers.picture(self.faces)}
        return {"gallery": gallery.name, "model": answers.model(self.spec), **seen}

    def face(self, i: int) -> dict[str, Any]:
        """Where the i-th is."""
        return {} if self.faces is None else answers.face(self.faces, i)


async def many_probes(service: Service, gallery: OpenGallery, sent: Sent, which: str) -> Probes:
    """Of all faces of the picture or the largest, or of all embeddings that were sent.

    Raises:
        ImageError, InputError, ProblemError: it cannot be used.
    """
    if sent.picture is None:
        spec = await _spec(service, gallery, sent)
        most = service.settings.limits.embeddings
        return Probes(embedding_rows(sent, spec, most=most), spec, None)
    embedder = await gallery.embedder()
    faces = await service.engine.faces(sent.picture, embedder, most=1 if which == "largest" else None)
    return Probes(faces.embeddings, embedder.spec, faces)


async def one_probe(
    service: Service, gallery: OpenGallery, sent: Sent, *, patient: bool = False
) -> tuple[Probe, int]:
    """The largest face of the picture with how many it shows, or the one embedding that was sent; to be enrolled.

    Raises:
        ImageError, NoFaceError, InputError, ProblemError: it cannot be used.
    """
    if sent.picture is None:
        spec = await _spec(service, gallery, sent)
        return Probe.of_embedding(embedding_rows(sent, spec, most=1)[0], spec), 1
    embedder = await gallery.embedder(fresh=True)
    faces = await service.engine.faces(sent.picture, embedder, most=1, needed=True, patient=patient)
    return Probe.of_picture(faces, sent.picture), faces.n_seen


async def _spec(service: Service, gallery: OpenGallery, sent: Sent) -> ModelSpec:
    return named_spec(service, sent, (await gallery.embedder()).spec)


def named_spec(service: Service, sent: Sent, own: ModelSpec) -> ModelSpec:
    """Of the model that made the embeddings: the one that is named, else ``own``.

    Raises:
        InputError: no such model.
    """
    named = sent.fields.get("model")
    if named is None or named in (own.sha256, own.name):
        return own
    spec = service.embedders.spec(named) if isinstance(named, str) else None
    if spec is None:
        raise InputError("model: expected the sha256 or the name of a model that is known here")
    return spec
