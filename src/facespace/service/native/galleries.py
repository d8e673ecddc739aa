"""Galleries: list, make, show, delete."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from facespace.service.access import Access
from facespace.service.galleries import OpenGallery
from facespace.service.native import answers
from facespace.service.native.parameters import GalleryName
from facespace.service.native.schemas import Galleries, GalleryShown, described
from facespace.service.service import Service


class Wanted(BaseModel):
    """A gallery as it shall be.

    Attributes:
        model: name of the embedder; that of the service when absent.
        keep_pictures: keep the pictures of enrolled faces, so that an upgrade can embed them again.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Annotated[str, Field(max_length=64, pattern="^[A-Za-z0-9][A-Za-z0-9._-]*$")] | None = None
    keep_pictures: bool = False


AS_IT_COMES = Wanted()


def router(service: Service) -> APIRouter:
    """`/galleries`, `/galleries/{gallery}`."""
    routes = APIRouter(prefix="/v1/galleries", tags=["galleries"])
    door = Depends(service.door)

    @routes.get("", **described("The galleries that the key may read", Galleries))
    async def list_galleries(access: Annotated[Access, door]) -> JSONResponse:
        names = [name for name in service.galleries.names() if access.may("read", name)]
        return JSONResponse({"galleries": [{"name": name} for name in names]})

    @routes.put(
        "/{gallery}",
        **described("Make a gallery; again, change whether it keeps pictures", GalleryShown, also=201),
    )
    async def make_gallery(
        gallery: GalleryName, access: Annotated[Access, door], wanted: Wanted = AS_IT_COMES
    ) -> JSONResponse:
        access.need("write", gallery)
        is_new = await service.galleries.create(gallery, wanted.model, keep_pictures=wanted.keep_pictures)
        if is_new:
            service.audit.write("create", by=access.by, gallery=gallery)
        return JSONResponse(await _shown(service.galleries.get(gallery)), 201 if is_new else 200)

    @routes.get("/{gallery}", **described("How a gallery stands", GalleryShown))
    async def show_gallery(gallery: GalleryName, access: Annotated[Access, door]) -> JSONResponse:
        return JSONResponse(await _shown(service.gallery(gallery, access, "read").gallery))

    @routes.delete("/{gallery}", summary="Delete a gallery with everybody in it, for good", status_code=204)
    async def delete_gallery(gallery: GalleryName, access: Annotated[Access, door]) -> Response:
        service.gallery(gallery, access, "delete")
        await service.galleries.delete(gallery)
        service.audit.write("delete", by=access.by, gallery=gallery)
        return Response(status_code=204)

    return routes


async def _shown(gallery: OpenGallery) -> dict[str, Any]:
    spec, (subjects, faces), states = await gallery.read(
        lambda opened: (opened.model(), opened.count(), opened.index_states())
    )
    return {
        "name": gallery.name, "model": None if spec is None else answers.model(spec), "n_subjects": subjects,
        "n_faces": faces, "keep_pictures": gallery.keeps_pictures,
        "index": {label: state.to_json() for label, state in states.items()},
    }  # fmt: skip
