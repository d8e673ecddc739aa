"""Who is it, and who is near: identify and search, by picture or by embedding."""

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, Request
from numpy.typing import NDArray
from starlette.responses import JSONResponse

from facespace.errors import InputError
from facespace.gallery import FPIR, NEAREST
from facespace.models import VERIFY_FAR, ModelSpec
from facespace.service.access import Access
from facespace.service.engine import Faces
from facespace.service.galleries import OpenGallery
from facespace.service.native import answers
from facespace.service.native.parameters import Far, Fpir, GalleryName, Nearest, WhichFaces
from facespace.service.native.sent import Sent, embedding_rows, read_sent
from facespace.service.service import Service

__all__ = ["router"]


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


def router(service: Service) -> APIRouter:
    """`POST /galleries/{gallery}/identify` and `/search`."""
    routes = APIRouter(prefix="/v1/galleries/{gallery}", tags=["recognition"])
    door = Depends(service.door)

    @routes.post("/identify", summary="Who each face is, or nobody who is enrolled")
    async def identify(
        gallery: GalleryName,
        request: Request,
        access: Annotated[Access, door],
        fpir: Fpir = FPIR,
        faces: WhichFaces = "all",
    ) -> JSONResponse:
        opened = service.gallery(gallery, access, "read")
        probes = await _probes(service, opened, await read_sent(request), faces)
        who = await opened.identify(probes.rows, probes.spec, fpir=fpir)
        found = [{**probes.face(i), **answers.identity(who, i)} for i in range(len(probes.rows))]
        return JSONResponse({**probes.document(opened), **answers.identification(who), "faces": found})

    @routes.post("/search", summary="The enrolled faces nearest to each face")
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
        probes = await _probes(service, opened, await read_sent(request), faces)
        near = await opened.search(probes.rows, probes.spec, k=k, far=far)
        found = [{**probes.face(i), "matches": [answers.match(m) for m in row]} for i, row in enumerate(near)]
        return JSONResponse({**probes.document(opened), "far": far, "faces": found})

    return routes


async def _probes(service: Service, gallery: OpenGallery, sent: Sent, which: str) -> Probes:
    embedder = await gallery.embedder()
    if sent.picture is None:
        most = service.settings.limits.embeddings
        return Probes(embedding_rows(sent, embedder.spec, most=most), embedder.spec, None)
    faces = await service.engine.faces(sent.picture, embedder, most=1 if which == "largest" else None)
    return Probes(faces.embeddings, embedder.spec, faces)
