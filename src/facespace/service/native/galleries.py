"""Galleries: list, make, show, delete."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from starlette.responses import JSONResponse, Response

from facespace.service.galleries import OpenGallery
from facespace.service.native import answers
from facespace.service.native.parameters import Deleter, GalleryName, ModelName, Reader
from facespace.service.native.schemas import Galleries, GalleryShown, described
from facespace.service.service import Entered, TheService


class Wanted(BaseModel):
    """A gallery as it shall be.

    Attributes:
        model: name of the embedder; that of the service when absent.
        keep_pictures: keep the pictures of enrolled faces, so that an upgrade can embed them again.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: ModelName | None = None
    keep_pictures: bool = False


AS_IT_COMES = Wanted()
router = APIRouter(prefix="/v1/galleries", tags=["galleries"])


@router.get("", **described("The galleries that the key may read", Galleries))
async def list_galleries(service: TheService, entered: Entered) -> JSONResponse:
    names = [name for name in service.galleries.names() if entered.may("read", name)]
    return JSONResponse({"galleries": [{"name": name} for name in names]})


@router.put(
    "/{gallery}",
    **described("Make a gallery; again, change whether it keeps pictures", GalleryShown, also=201),
)
async def make_gallery(
    gallery: GalleryName, service: TheService, entered: Entered, wanted: Wanted = AS_IT_COMES
) -> JSONResponse:
    entered.need("write", gallery)
    is_new = await service.galleries.create(gallery, wanted.model, keep_pictures=wanted.keep_pictures)
    asked = service.gallery(gallery, entered, "write")
    if is_new:
        asked.log("create")
    return JSONResponse(await _shown(asked.gallery), 201 if is_new else 200)


@router.get("/{gallery}", **described("How a gallery stands", GalleryShown))
async def show_gallery(asked: Reader) -> JSONResponse:
    return JSONResponse(await _shown(asked.gallery))


@router.delete("/{gallery}", summary="Delete a gallery with everybody in it, for good", status_code=204)
async def delete_gallery(asked: Deleter) -> Response:
    await asked.service.galleries.delete(asked.gallery.name)
    asked.log("delete")
    return Response(status_code=204)


async def _shown(gallery: OpenGallery) -> dict[str, Any]:
    spec, (subjects, faces), states = await gallery.read(
        lambda opened: (opened.model(), opened.count(), opened.index_states())
    )
    return {
        "name": gallery.name, "model": None if spec is None else answers.model(spec), "n_subjects": subjects,
        "n_faces": faces, "keep_pictures": gallery.keeps_pictures,
        "index": answers.indexes(states),
    }  # fmt: skip
