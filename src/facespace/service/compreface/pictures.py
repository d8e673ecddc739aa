"""Recognise, detect and verify by pictures."""

import numpy as np
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from facespace.distances import distance
from facespace.models import far_curve
from facespace.service.compreface.answers import look, most_alike, similarities
from facespace.service.compreface.asked import (
    FILE,
    TWO_FILES,
    Entered,
    Options,
    PredictionCount,
    Reader,
    read_pictures,
    unsupported,
)
from facespace.service.service import TheService

router = APIRouter(prefix="/api/v1", tags=["CompreFace: pictures"])


@router.post("/recognition/recognize", summary="The subjects most like each face", openapi_extra=FILE)
async def recognize(
    request: Request,
    asked: Reader,
    options: Options,
    prediction_count: PredictionCount = 1,
    detect_faces: bool = True,
) -> JSONResponse:
    if not detect_faces:
        raise unsupported("detect_faces=false; send embeddings, or a picture of the whole face")
    (content,) = await read_pictures(request, "file")
    embedder = await asked.gallery.embedder()
    seen = await look(asked.service, content, embedder, options)
    near = await most_alike(asked.gallery, seen.faces.embeddings, embedder.spec, prediction_count)
    result = [{**seen.face(i), "subjects": subjects} for i, subjects in enumerate(near)]
    return JSONResponse({"result": result, **seen.versions()})


@router.post("/detection/detect", summary="Where the faces of a picture are", openapi_extra=FILE)
async def detect(request: Request, service: TheService, entered: Entered, options: Options) -> JSONResponse:
    entered.need_any("read")
    (content,) = await read_pictures(request, "file")
    seen = await look(service, content, service.embedders.default(), options)
    return JSONResponse({"result": [seen.face(i) for i in range(len(seen.faces))], **seen.versions()})


@router.post(
    "/verification/verify",
    summary="How alike the faces of a picture are to the one of another",
    openapi_extra=TWO_FILES,
)
async def verify(request: Request, service: TheService, entered: Entered, options: Options) -> JSONResponse:
    entered.need_any("read")
    source, target = await read_pictures(request, "source_image", "target_image")
    embedder = service.embedders.default()
    first = await look(service, source, embedder, options, one=True)
    second = await look(service, target, embedder, options)
    apart = distance(first.faces.embeddings, second.faces.embeddings)
    alike = similarities(far_curve(embedder.spec, embedder.spec), np.asarray(apart))
    matches = [{**second.face(i), "similarity": value} for i, value in enumerate(alike)]
    result = {"source_image_face": first.face(0), "face_matches": matches, **first.versions()}
    return JSONResponse({"result": [result]})
