"""Enrolled faces: put under a key of the client's, list, show, remove, export."""

import base64
import json
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import numpy as np
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, StreamingResponse

from facespace.errors import InputError
from facespace.gallery import EnrolledFace, Gallery
from facespace.service.enrolling import enrol, key_of, numbers_of, remove
from facespace.service.galleries import OpenGallery
from facespace.service.native import answers, schemas
from facespace.service.native.description import PICTURE_OR_EMBEDDINGS
from facespace.service.native.parameters import (
    PAGE,
    Cursor,
    Deleter,
    FaceKey,
    PageSize,
    Quality,
    Reader,
    Subject,
    Writer,
    cursor_after,
    entry_of,
    limited,
)
from facespace.service.native.schemas import EnrolledFaces, PutFace, RemovedFaces, described
from facespace.service.probes import embed_sent
from facespace.service.problems import ProblemError
from facespace.service.sent import read_sent
from facespace.service.service import Asked

EXPORTED_AT_ONCE = 1000


router = APIRouter(prefix="/v1/galleries/{gallery}", tags=["faces"])


@router.put(
    "/faces/{key}",
    **described(
        "Enrol a face under a key of yours; again is once", PutFace, also=201, **PICTURE_OR_EMBEDDINGS
    ),
)
async def put_face(
    key: FaceKey, request: Request, asked: Writer, subject: Subject = None, min_quality: Quality = 0.0
) -> JSONResponse:
    return await _put(asked, key, subject, min_quality, request)


@router.post(
    "/faces",
    **described("Enrol a face under a key made of its picture", PutFace, also=201, **PICTURE_OR_EMBEDDINGS),
)
async def add_face(
    request: Request, asked: Writer, subject: Subject = None, min_quality: Quality = 0.0
) -> JSONResponse:
    return await _put(asked, None, subject, min_quality, request)


async def _put(
    asked: Asked, key: str | None, subject: str | None, min_quality: float, request: Request
) -> JSONResponse:
    gallery, sent = asked.gallery, await read_sent(request)
    embedder = await gallery.embedder(fresh=sent.picture is not None)
    probe = await embed_sent(asked.service, sent, embedder, "one")
    if probe.faces is not None and probe.faces.quality[0] < min_quality:
        raise InputError(f"quality {probe.faces.quality[0]:.2f}: expected at least {min_quality:g}")
    name = subject or sent.fields.get("subject")
    if not isinstance(name, str):
        raise InputError("subject: expected the name of the person, in the address or the body")
    outcome, face = await enrol(asked, probe, subject=name, key=key)
    document = {**shown(gallery, face), "outcome": outcome, "model": answers.model(probe.spec)}
    if probe.faces is not None:
        document |= {"picture": answers.picture(probe.faces), "n_faces": probe.faces.n_seen}
    return JSONResponse(document, 201 if outcome == "new" else 200)


@router.get("/faces", **described("Enrolled faces, of all or of one person, in pages", EnrolledFaces))
async def list_faces(
    asked: Reader, subject: Subject = None, cursor: Cursor = "", limit: PageSize = PAGE
) -> JSONResponse:
    n, after = limited("limit", limit, asked.service.settings.limits.page), _number(entry_of(cursor))
    found = await asked.gallery.read(lambda g: _page(g, after, n + 1, subject))
    page = [shown(asked.gallery, face) for face in found[:n]]
    return JSONResponse({"faces": page, "next": cursor_after(found[n - 1].face_id if found[n:] else None)})


@router.get("/faces/{key}", **described("An enrolled face", schemas.EnrolledFace))
async def show_face(key: FaceKey, asked: Reader) -> JSONResponse:
    return JSONResponse(shown(asked.gallery, await _face(asked.gallery, key)))


@router.delete("/faces/{key}", **described("Remove a face, for good", RemovedFaces))
async def remove_face(key: FaceKey, asked: Deleter) -> JSONResponse:
    face = await _face(asked.gallery, key)
    _, overwritten = await remove(asked, lambda g: ((), [face]))
    return JSONResponse({"key": key, "n_faces": 1, "overwritten": overwritten})


@router.get("/export", summary="All faces with their templates, a line of JSON each")
async def export(asked: Reader) -> StreamingResponse:
    asked.log("export")
    return StreamingResponse(_lines(asked.gallery), media_type="application/x-ndjson")


def shown(gallery: OpenGallery, face: EnrolledFace) -> dict[str, Any]:
    """An enrolled face; its place in pixels of the upright picture, null where only an embedding came."""
    return {
        "key": key_of(gallery, face), "subject": face.subject, "sha256": face.photo_sha256,
        "box_xyxy": None if face.box_xyxy is None else [round(v, 2) for v in face.box_xyxy],
        "score": None if face.score is None else answers.rounded(face.score),
        "quality": None if face.quality is None else answers.rounded(face.quality),
    }  # fmt: skip


async def _face(opened: OpenGallery, key: str) -> EnrolledFace:
    numbers = numbers_of(key)
    found = await opened.read(lambda g: g.find_faces(numbers))
    if not found:
        raise ProblemError(404, "not-found", "no face of this gallery has this key")
    return next(iter(found.values()))


def _page(gallery: Gallery, after: int, limit: int, subject: str | None) -> list[EnrolledFace]:
    if subject is not None and not gallery.has_subject(subject):
        raise ProblemError(404, "not-found", "nobody of that name is in this gallery")
    return gallery.page_of_faces(after=after, limit=limit, subject=subject)


def _number(entry: str) -> int:
    if not entry:
        return -1
    if not entry.isdecimal() or len(entry) > 19:
        raise InputError("cursor: expected `next` of another page")
    return min(int(entry), 2**63 - 1)


async def _lines(opened: OpenGallery) -> AsyncIterator[bytes]:
    after = -1
    while True:
        page, vectors = await opened.read(partial(_exported, after=after))
        if not page:
            return
        after = page[-1].face_id
        for face in page:
            templates = [
                {"model": model, "bytes": base64.b64encode(row.tobytes()).decode()}
                for model, row in vectors.get(face.face_id, [])
            ]
            yield (json.dumps({**shown(opened, face), "templates": templates}) + "\n").encode()


def _exported(gallery: Gallery, after: int) -> tuple[list[EnrolledFace], dict[int, list[tuple[str, Any]]]]:
    """A page of faces with their templates of all models."""
    page = gallery.page_of_faces(after=after, limit=EXPORTED_AT_ONCE)
    vectors: dict[int, list[tuple[str, Any]]] = {}
    for batch in gallery.templates.of_faces(np.array([face.face_id for face in page], np.int64)):
        for number, row in zip(batch.face_id.tolist(), batch.vectors, strict=True):
            vectors.setdefault(number, []).append((batch.model, row))
    return page, vectors
