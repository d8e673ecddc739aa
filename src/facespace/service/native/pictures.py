"""Pictures without a gallery: find faces, embed them, compare two."""

import base64
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse

from facespace.embed import quantise
from facespace.extract import FaceEmbedder
from facespace.models import VERIFY_FAR, common_threshold
from facespace.service.access import Access
from facespace.service.engine import Faces
from facespace.service.native import answers
from facespace.service.native.description import PAIR, PICTURE
from facespace.service.native.parameters import Far, ModelName, WhichFaces
from facespace.service.native.schemas import Detected, Embedded, Verified, described
from facespace.service.probes import Probes, embed_sent
from facespace.service.problems import ProblemError
from facespace.service.sent import read_pair, read_sent
from facespace.service.service import Entered, Service, TheService
from facespace.verification import verify_faces

Score = Annotated[float, Query(ge=0, le=1, description="Faces with a lower detector score are left out.")]
EmbedderName = Annotated[ModelName | None, Query(description="Embedder, by name.")]

router = APIRouter(prefix="/v1", tags=["pictures"])


@router.post("/detect", **described("Where the faces of a picture are", Detected, **PICTURE))
async def detect(
    request: Request, service: TheService, entered: Entered, min_score: Score = 0.0
) -> JSONResponse:
    found = await _found_in(request, service, entered, service.embedders.default(), "all")
    kept = found[np.flatnonzero(found.faces.scores >= min_score)]
    faces = [answers.face(kept, i) for i in range(len(kept))]
    return JSONResponse({"picture": answers.picture(found), "faces": faces})


@router.post("/embed", **described("The embeddings of the faces of a picture", Embedded, **PICTURE))
async def embed(
    request: Request,
    service: TheService,
    entered: Entered,
    model: EmbedderName = None,
    faces: WhichFaces = "all",
) -> JSONResponse:
    found = await _found_in(request, service, entered, service.embedders.named(model), faces)
    rows = [{**answers.face(found, i), **_vector(found, i)} for i in range(len(found))]
    head = {"model": answers.model(found.spec), "picture": answers.picture(found)}
    return JSONResponse({**head, "faces": rows})


@router.post(
    "/verify", **described("Whether two pictures, or embeddings, show the same person", Verified, **PAIR)
)
async def verify(
    request: Request,
    service: TheService,
    entered: Entered,
    far: Far = VERIFY_FAR,
    model: EmbedderName = None,
) -> JSONResponse:
    entered.need_any("read")
    embedder = service.embedders.named(model)
    a, b = [await embed_sent(service, side, embedder, "one") for side in await read_pair(request)]
    threshold = common_threshold(a.spec, b.spec, far)
    found = verify_faces(a.rows, b.rows, threshold=threshold, far=far, face_idx=(0, 0))
    return JSONResponse(
        {
            "same": found.same, "distance": answers.rounded(found.distance),
            "similarity": answers.rounded(found.similarity), "threshold": answers.rounded(threshold), "far": far,
            "model": answers.model(a.spec), "a": _side(a), "b": _side(b),
        }
    )  # fmt: skip


async def _found_in(
    request: Request, service: Service, entered: Access, embedder: FaceEmbedder, which: WhichFaces
) -> Faces:
    entered.need_any("read")
    sent = await read_sent(request)
    if sent.picture is None:
        raise ProblemError(422, "invalid", "expected a picture")
    return await service.engine.faces(sent.picture, embedder, most=1 if which == "largest" else None)


def _side(side: Probes) -> dict[str, Any] | None:
    """Where the face of a side is."""
    return None if side.faces is None else {**answers.face(side.faces, 0), "n_faces": side.faces.n_seen}


def _vector(found: Faces, i: int) -> dict[str, Any]:
    """As numbers, and as the bytes that a gallery would keep."""
    row = found.embeddings[i]
    as_bytes = quantise(row[None], found.spec.byte_scale) if found.spec.byte_scale > 0 else None
    return {
        "embedding": [round(float(v), 6) for v in row],
        "bytes": None if as_bytes is None else base64.b64encode(as_bytes.tobytes()).decode(),
    }
