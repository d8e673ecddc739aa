"""Recognise and verify by embeddings."""

import math
from typing import Annotated, Any
from uuid import UUID

import numpy as np
from fastapi import APIRouter, Depends
from numpy.typing import NDArray
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from facespace.distances import distance
from facespace.models import ModelSpec, far_curve
from facespace.service.access import Access
from facespace.service.compreface.answers import alike_to, most_alike, similarities
from facespace.service.compreface.asked import collection, door, face_of
from facespace.service.compreface.pictures import PredictionCount
from facespace.service.native.sent import Sent, embedding_rows
from facespace.service.service import Asked, Service

Row = list[float]
Rows = Annotated[list[Row], Field(min_length=1)]


class Probes(BaseModel):
    """Embeddings that are asked for."""

    embeddings: Rows


class Comparison(BaseModel):
    """An embedding, and those that it is compared with."""

    source: Row
    targets: Rows


def router(service: Service) -> APIRouter:
    """`/recognition/embeddings/...`, `/verification/embeddings/verify`."""
    routes = APIRouter(prefix="/api/v1", tags=["CompreFace: embeddings"])
    enter = Annotated[Access, Depends(door(service))]
    readers = Annotated[Asked, Depends(collection(service, "read"))]
    most = service.settings.limits.embeddings

    @routes.post("/recognition/embeddings/recognize", summary="The subjects most like each embedding")
    async def recognize(body: Probes, asked: readers, prediction_count: PredictionCount = 1) -> JSONResponse:
        spec = (await asked.gallery.embedder()).spec
        rows = _rows(body.embeddings, spec, most)
        near = await most_alike(asked.gallery, rows, spec, prediction_count)
        result = [
            {"embedding": row, "similarities": subjects}
            for row, subjects in zip(body.embeddings, near, strict=True)
        ]
        return JSONResponse({"result": result})

    @routes.post(
        "/recognition/embeddings/faces/{image_id}/verify", summary="How alike embeddings are to an example"
    )
    async def verify_example(image_id: UUID, body: Probes, asked: readers) -> JSONResponse:
        spec = (await asked.gallery.embedder()).spec
        rows = _rows(body.embeddings, spec, most)
        _, alike = await alike_to(asked.gallery, face_of(image_id), rows, spec)
        return JSONResponse({"result": _sorted(body.embeddings, alike)})

    @routes.post("/verification/embeddings/verify", summary="How alike embeddings are to another")
    async def verify(body: Comparison, access: enter) -> JSONResponse:
        access.need_any("read")
        spec = service.embedders.default().spec
        source = _rows([body.source], spec, 1)
        targets = _rows(body.targets, spec, most)
        alike = similarities(far_curve(spec, spec), distance(source, targets))
        return JSONResponse({"result": _sorted(body.targets, alike)})

    return routes


def _rows(embeddings: list[Row], spec: ModelSpec, most: int) -> NDArray[np.float32]:
    """Unit rows; as with CompreFace vectors may be of any length."""
    lengths = [math.hypot(*row) for row in embeddings]
    scaled = [
        [value / length for value in row] if 0 < length < math.inf else row
        for row, length in zip(embeddings, lengths, strict=True)
    ]
    return embedding_rows(Sent(None, scaled, {}), spec, most=most)


def _sorted(embeddings: list[Row], alike: list[float]) -> list[dict[str, Any]]:
    """The most alike first."""
    answer = [{"embedding": row, "similarity": value} for row, value in zip(embeddings, alike, strict=True)]
    return sorted(answer, key=lambda one: -one["similarity"])
