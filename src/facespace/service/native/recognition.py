"""Who is it, and who is near: identify and search, by picture or by embedding."""

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from facespace.gallery import FPIR, NEAREST
from facespace.models import VERIFY_FAR
from facespace.service.enrolling import key_of
from facespace.service.native import answers
from facespace.service.native.description import PICTURE_OR_EMBEDDINGS
from facespace.service.native.parameters import Far, Fpir, Nearest, Reader, WhichFaces, limited
from facespace.service.native.schemas import Identified, Searched, described
from facespace.service.probes import embed_sent
from facespace.service.sent import read_sent

router = APIRouter(prefix="/v1/galleries/{gallery}", tags=["recognition"])


@router.post(
    "/identify",
    **described("Who each face is, or nobody who is enrolled", Identified, **PICTURE_OR_EMBEDDINGS),
)
async def identify(
    request: Request, asked: Reader, fpir: Fpir = FPIR, faces: WhichFaces = "all"
) -> JSONResponse:
    gallery = asked.gallery
    probes = await embed_sent(asked.service, await read_sent(request), await gallery.embedder(), faces)
    who = await gallery.identify(probes.rows, probes.spec, fpir=fpir)
    found = [{**answers.probe(probes, i), **answers.identity(who, i)} for i in range(len(probes.rows))]
    return JSONResponse({**answers.head(gallery, probes), **answers.identification(who), "faces": found})


@router.post(
    "/search", **described("The enrolled faces nearest to each face", Searched, **PICTURE_OR_EMBEDDINGS)
)
async def search(
    request: Request, asked: Reader, k: Nearest = NEAREST, far: Far = VERIFY_FAR, faces: WhichFaces = "all"
) -> JSONResponse:
    gallery, k = asked.gallery, limited("k", k, asked.service.settings.limits.nearest)
    probes = await embed_sent(asked.service, await read_sent(request), await gallery.embedder(), faces)
    near, indexes = await gallery.search(probes.rows, probes.spec, k=k, far=far)
    found = [
        {**answers.probe(probes, i), "matches": [answers.match(m, key_of(gallery, m.face)) for m in row]}
        for i, row in enumerate(near)
    ]
    return JSONResponse(
        {**answers.head(gallery, probes), "index": answers.indexes(indexes), "far": far, "faces": found}
    )
