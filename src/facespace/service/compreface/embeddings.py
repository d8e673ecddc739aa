"""Recognise and verify by embeddings."""

import math
from typing import Annotated, Any
from uuid import UUID

import numpy as np
from fastapi import APIRouter
from numpy.typing import NDArray
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from facespace.distances import distance
from facespace.models import ModelSpec, far_curve
from facespace.service.compreface.answers import alike_to, most_alike, similarities
from facespace.service.compreface.asked import Entered, PredictionCount, Reader, face_of
from facespace.service.sent import embedding_rows
from facespace.service.service import Service, TheService

Row = list[float]
Rows = Annotated[list[Row], Field(min_length=1)]


class Probes(BaseModel):
    """Embeddings that are asked for."""

    embeddings: Rows


class Comparison(BaseModel):
    """An embedding, and those that it is compared with."""

    source: Row
    targets: Rows


router = APIRouter(prefix="/api/v1", tags=["CompreFace: embeddings"])


@router.post("/recognition/embeddings/recognize", summary="The subjects most like each embedding")
async def recognize(body: Probes, asked: Reader, prediction_count: PredictionCount = 1) -> JSONResponse:
    spec = (await asked.gallery.embedder()).spec
    rows = _rows(asked.service, body.embeddings, spec)
    near = await most_alike(asked.gallery, rows, spec, prediction_count)
    found = zip(body.embeddings, near, strict=True)
    return JSONResponse({"result": [{"embedding": row, "similarities": subjects} for row, subjects in found]})


@router.post(
    "/recognition/embeddings/faces/{image_id}/verify", summary="How alike embeddings are to an example"
)
async def verify_example(image_id: UUID, body: Probes, asked: Reader) -> JSONResponse:
    spec = (await asked.gallery.embedder()).spec
    rows = _rows(asked.service, body.embeddings, spec)
    _, alike = await asked.gallery.read(lambda g: alike_to(g, face_of(image_id), rows, spec))
    return JSONResponse({"result": _sorted(body.embeddings, alike)})


@router.post("/verification/embeddings/verify", summary="How alike embeddings are to another")
async def verify(body: Comparison, service: TheService, entered: Entered) -> JSONResponse:
    entered.need_any("read")
    spec = service.embedders.default().spec
    source, targets = (_rows(service, rows, spec) for rows in ([body.source], body.targets))
    alike = similarities(far_curve(spec, spec), distance(source, targets))
    return JSONResponse({"result": _sorted(body.targets, alike)})


def _rows(service: Service, embeddings: list[Row], spec: ModelSpec) -> NDArray[np.float32]:
    """Unit rows; as with CompreFace vectors may be of any length."""
    lengths = [math.hypot(*row) for row in embeddings]
    scaled = [
        [value / length for value in row] if 0 < length < math.inf else row
        for row, length in zip(embeddings, lengths, strict=True)
    ]
    return embedding_rows(scaled, spec, most=service.settings.limits.embeddings)


def _sorted(embeddings: list[Row], alike: list[float]) -> list[dict[str, Any]]:
    """The most alike first."""
    answer = [{"embedding": row, "similarity": value} for row, value in zip(embeddings, alike, strict=True)]
    return sorted(answer, key=lambda one: -one["similarity"])
