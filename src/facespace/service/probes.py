"""Embeddings of what was sent: of a picture's faces, or those that were sent as they are."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from facespace.errors import InputError
from facespace.extract import FaceEmbedder
from facespace.models import ModelSpec
from facespace.service.engine import Faces
from facespace.service.sent import Sent, embedding_rows
from facespace.service.service import Service

# Of a picture all faces, the largest if there is any, or the largest, without which it is an error.
Which = Literal["all", "largest", "one"]


@dataclass(frozen=True)
class Probes:
    """N embeddings, and the faces of the picture that they are of, if it was one.

    Attributes:
        rows: float32 unit rows, shape (N, D).
        spec: of the embedder.
        faces: where they are in their picture; None where embeddings were sent.
        content: of the picture; likewise.
    """

    rows: NDArray[np.float32]
    spec: ModelSpec
    faces: Faces | None = None
    content: bytes | None = None

    @cached_property
    def sha256(self) -> str:
        """Of what was sent."""
        return hashlib.sha256(self.rows.tobytes()).hexdigest() if self.faces is None else self.faces.sha256


async def embed_sent(
    service: Service, sent: Sent, embedder: FaceEmbedder, which: Which, *, patient: bool = False
) -> Probes:
    """Embed the faces of the picture, or take the embeddings that were sent.

    Args:
        service: whose engine does it.
        sent: a picture or embeddings.
        embedder: of pictures; embeddings are by its model where they name no other.
        which: of the picture's faces; "one" means one embedding too.
        patient: the picture waits for its turn, however many wait already.

    Raises:
        ImageError, NoFaceError, InputError, ProblemError: it cannot be used.
    """
    if sent.picture is None:
        spec = _named_spec(service, sent, embedder.spec)
        most = 1 if which == "one" else service.settings.limits.embeddings
        return Probes(embedding_rows(sent.embeddings, spec, most=most), spec)
    faces = await service.engine.faces(
        sent.picture, embedder, most=None if which == "all" else 1, needed=which == "one", patient=patient
    )
    return Probes(faces.embeddings, embedder.spec, faces, sent.picture)


def _named_spec(service: Service, sent: Sent, own: ModelSpec) -> ModelSpec:
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
