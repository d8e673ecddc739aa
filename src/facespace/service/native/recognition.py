"""Who is it, and who is near: identify and search, by picture or by embedding."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse

from facespace.errors import InputError
from facespace.gallery import FPIR, NEAREST
from facespace.models import VERIFY_FAR
from facespace.service.access import Access
from facespace.service.enrolling import key_of
from facespace.service.native import answers
from facespace.service.native.bodies import PICTURE_OR_EMBEDDINGS
from facespace.service.native.parameters import Far, Fpir, GalleryName, Nearest, WhichFaces
from facespace.service.native.probes import many_probes
from facespace.service.native.schemas import Identified, Searched, answers_with
from facespace.service.native.sent import read_sent
from facespace.service.service import Service

__all__ = ["router"]


def router(service: Service) -> APIRouter:
    """`POST /galleries/{gallery}/identify` and `/search`."""
    routes = APIRouter(prefix="/v1/galleries/{gallery}", tags=["recognition"])
    door = Depends(service.door)

    @routes.post(
        "/identify",
        summary="Who each face is, or nobody who is enrolled",
        responses=answers_with(Identified),
        openapi_extra=PICTURE_OR_EMBEDDINGS,
    )
    async def identify(
        gallery: GalleryName,
        request: Request,
        access: Annotated[Access, door],
        fpir: Fpir = FPIR,
        faces: WhichFaces = "all",
    ) -> JSONResponse:
        opened = service.gallery(gallery, access, "read")
        probes = await many_probes(service, opened, await read_sent(request), faces)
        who = await opened.identify(probes.rows, probes.spec, fpir=fpir)
        found = [{**probes.face(i), **answers.identity(who, i)} for i in range(len(probes.rows))]
        return JSONResponse({**probes.document(opened), **answers.identification(who), "faces": found})

    @routes.post(
        "/search",
        summary="The enrolled faces nearest to each face",
        responses=answers_with(Searched),
        openapi_extra=PICTURE_OR_EMBEDDINGS,
    )
    async def search(
        gallery: GalleryName,
        request: Request,
        access: Annotated[Access, door],
        k: Nearest = NEAREST,
        far: Far = VERIFY_FAR,
        faces: WhichFaces = "all",
    ) -> JSONResponse:
        most = service.settings.limits.nearest
        if k > most:
            raise InputError(f"k: expected at most {most}, got {k}")
        opened = service.gallery(gallery, access, "read")
        probes = await many_probes(service, opened, await read_sent(request), faces)
        near = await opened.search(probes.rows, probes.spec, k=k, far=far)
        found = [
            {**probes.face(i), "matches": [answers.match(m, key_of(opened, m.face)) for m in row]}
            for i, row in enumerate(near)
        ]
        return JSONResponse({**probes.document(opened), "index": opened.indexes, "far": far, "faces": found})

    return routes
