"""Pictures without a gallery: find faces, embed them, compare two."""

import base64
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import JSONResponse

from facespace.embed import quantise
from facespace.errors import InputError
from facespace.extract import FaceEmbedder
from facespace.models import VERIFY_FAR, common_threshold
from facespace.service.access import Access
from facespace.service.engine import Faces
from facespace.service.native import answers
from facespace.service.native.description import PAIR, PICTURE
from facespace.service.native.parameters import Far, WhichFaces
from facespace.service.native.probes import named_spec
from facespace.service.native.schemas import Detected, Embedded, Verified, described
from facespace.service.native.sent import Sent, embedding_rows, read_pair, read_sent
from facespace.service.problems import ProblemError
from facespace.service.service import Service
from facespace.verification import verify_faces

Score = Annotated[float, Query(ge=0, le=1, description="Faces with a lower detector score are left out.")]
ModelName = Annotated[
    str | None,
    Query(max_length=64, pattern="^[A-Za-z0-9][A-Za-z0-9._-]*$", description="Embedder, by name."),
]


def router(service: Service) -> APIRouter:
    """`/v1/detect`, `/v1/embed`, `/v1/verify`."""
    routes = APIRouter(prefix="/v1", tags=["pictures"])
    door = Depends(service.door)

    async def found_in(request: Request, access: Access, embedder: FaceEmbedder, which: str) -> Faces:
        access.need_any("read")
        sent = await read_sent(request)
        if sent.picture is None:
            raise ProblemError(422, "invalid", "expected a picture")
        return await service.engine.faces(sent.picture, embedder, most=1 if which == "largest" else None)

    @routes.post("/detect", **described("Where the faces of a picture are", Detected, **PICTURE))
    async def detect(
        request: Request, access: Annotated[Access, door], min_score: Score = 0.0
    ) -> JSONResponse:
        found = await found_in(request, access, service.embedders.default(), "all")
        kept = found[np.flatnonzero(found.faces.scores >= min_score)]
        faces = [answers.face(kept, i) for i in range(len(kept))]
        return JSONResponse({"picture": answers.picture(found), "faces": faces})

    @routes.post("/embed", **described("The embeddings of the faces of a picture", Embedded, **PICTURE))
    async def embed(
        request: Request,
        access: Annotated[Access, door],
        model: ModelName = None,
        faces: WhichFaces = "all",
    ) -> JSONResponse:
        embedder = service.embedders.named(model)
        found = await found_in(request, access, embedder, faces)
        rows = [{**answers.face(found, i), **_vector(found, i)} for i in range(len(found))]
        head = {"model": answers.model(found.spec), "picture": answers.picture(found)}
        return JSONResponse({**head, "faces": rows})

    @routes.post(
        "/verify", **described("Whether two pictures, or embeddings, show the same person", Verified, **PAIR)
    )
    async def verify(
        request: Request, access: Annotated[Access, door], far: Far = VERIFY_FAR, model: ModelName = None
    ) -> JSONResponse:
        access.need_any("read")
        embedder = service.embedders.named(model)
        sides = [
            await _side(service, sent, embedder, name)
            for sent, name in zip(await read_pair(request), "ab", strict=True)
        ]
        (rows_a, spec_a, face_a), (rows_b, spec_b, face_b) = sides
        threshold = common_threshold(spec_a, spec_b, far)
        found = verify_faces(rows_a, rows_b, threshold=threshold, far=far, face_idx=(0, 0))
        return JSONResponse(
            {
                "same": found.same, "distance": answers.rounded(found.distance),
                "similarity": answers.rounded(found.similarity), "threshold": answers.rounded(threshold), "far": far,
                "model": answers.model(spec_a), "a": face_a, "b": face_b,
            }
        )  # fmt: skip

    return routes


async def _side(service: Service, sent: Sent, embedder: FaceEmbedder, name: str) -> Any:
    """The one embedding of a side, its model, and where the face is."""
    if sent.picture is None:
        spec = named_spec(service, sent, embedder.spec)
        if len(sent.embeddings) != 1:
            raise InputError(f"{name}: expected one embedding")
        return embedding_rows(sent, spec, most=1), spec, None
    found = await service.engine.faces(sent.picture, embedder, most=1, needed=True)
    return found.embeddings, embedder.spec, {**answers.face(found, 0), "n_faces": found.n_seen}


def _vector(found: Faces, i: int) -> dict[str, Any]:
    """As numbers, and as the bytes that a gallery would keep."""
    row = found.embeddings[i]
    as_bytes = quantise(row[None], found.spec.byte_scale) if found.spec.byte_scale > 0 else None
    return {
        "embedding": [round(float(v), 6) for v in row],
        "bytes": None if as_bytes is None else base64.b64encode(as_bytes.tobytes()).decode(),
    }
