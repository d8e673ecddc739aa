"""Who is it, and who is near: identify and search, by picture or by embedding."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse

from facespace.errors import InputError
from facespace.gallery import FPIR, NEAREST
from facespace.models import VERIFY_FAR
from facespace.service.enrolling import key_of
from facespace.service.native import answers
from facespace.service.native.description import PICTURE_OR_EMBEDDINGS
from facespace.service.native.parameters import Far, Fpir, Nearest, WhichFaces, asked_for
from facespace.service.native.probes import many_probes
from facespace.service.native.schemas import Identified, Searched, described
from facespace.service.native.sent import read_sent
from facespace.service.service import Asked, Service


def router(service: Service) -> APIRouter:
    """`POST /galleries/{gallery}/identify` and `/search`."""
    routes = APIRouter(prefix="/v1/galleries/{gallery}", tags=["recognition"])
    readers = Annotated[Asked, Depends(asked_for(service, "read"))]

    @routes.post(
        "/identify",
        **described("Who each face is, or nobody who is enrolled", Identified, **PICTURE_OR_EMBEDDINGS),
    )
    async def identify(
        request: Request,
        asked: readers,
        fpir: Fpir = FPIR,
        faces: WhichFaces = "all",
    ) -> JSONResponse:
        probes = await many_probes(service, asked.gallery, await read_sent(request), faces)
        who = await asked.gallery.identify(probes.rows, probes.spec, fpir=fpir)
        found = [{**probes.face(i), **answers.identity(who, i)} for i in range(len(probes.rows))]
        return JSONResponse({**probes.document(asked.gallery), **answers.identification(who), "faces": found})

    @routes.post(
        "/search", **described("The enrolled faces nearest to each face", Searched, **PICTURE_OR_EMBEDDINGS)
    )
    async def search(
        request: Request,
        asked: readers,
        k: Nearest = NEAREST,
        far: Far = VERIFY_FAR,
        faces: WhichFaces = "all",
    ) -> JSONResponse:
        most = service.settings.limits.nearest
        if k > most:
            raise InputError(f"k: expected at most {most}, got {k}")
        probes = await many_probes(service, asked.gallery, await read_sent(request), faces)
        near = await asked.gallery.search(probes.rows, probes.spec, k=k, far=far)
        found = [
            {**probes.face(i), "matches": [answers.match(m, key_of(asked.gallery, m.face)) for m in row]}
            for i, row in enumerate(near)
        ]
        return JSONResponse(
            {**probes.document(asked.gallery), "index": asked.gallery.indexes, "far": far, "faces": found}
        )

    return routes
