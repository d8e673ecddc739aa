"""People of a gallery: list, add, show, remove."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import JSONResponse

from facespace.gallery import EnrolledFace, Gallery
from facespace.service.access import Access
from facespace.service.enrolling import key_of, remove_faces
from facespace.service.native.paging import cursor_after, entry_of, limited
from facespace.service.native.parameters import PAGE, Cursor, GalleryName, PageSize, SubjectName
from facespace.service.native.schemas import RemovedFaces, Subjects, SubjectShown, answers_with
from facespace.service.problems import ProblemError
from facespace.service.service import Service
from facespace.store import same_name

__all__ = ["router"]


def router(service: Service) -> APIRouter:
    """`/v1/galleries/{gallery}/subjects`, `.../{subject}`."""
    routes = APIRouter(prefix="/v1/galleries/{gallery}/subjects", tags=["subjects"])
    door = Depends(service.door)
    most = service.settings.limits.page

    @routes.get("", summary="Everybody, by name, in pages", responses=answers_with(Subjects))
    async def list_subjects(
        gallery: GalleryName, access: Annotated[Access, door], cursor: Cursor = "", limit: PageSize = PAGE
    ) -> JSONResponse:
        opened = service.gallery(gallery, access, "read")
        after, n = entry_of(cursor), limited(limit, most)
        found = await opened.read(lambda g: g.subjects(after=after, limit=n + 1))
        page = [{"name": one.name, "n_faces": one.n_faces} for one in found[:n]]
        return JSONResponse(
            {"subjects": page, "next": cursor_after(found[n - 1].name) if len(found) > n else None}
        )

    @routes.put(
        "/{subject:path}",
        summary="Add a person without faces",
        responses=answers_with(SubjectShown, also=201),
    )
    async def add_subject(
        gallery: GalleryName, subject: SubjectName, access: Annotated[Access, door]
    ) -> JSONResponse:
        opened = service.gallery(gallery, access, "write")
        is_new = await opened.write(lambda g: g.add_subject(subject))
        if is_new:
            service.audit.write("add-subject", by=access.by, gallery=gallery, subject=subject)
        name, faces = await opened.read(lambda g: _of(g, subject))
        return JSONResponse({"name": name, "n_faces": len(faces)}, 201 if is_new else 200)

    @routes.get(
        "/{subject:path}",
        summary="A person, with the keys of the faces",
        responses=answers_with(SubjectShown),
    )
    async def show_subject(
        gallery: GalleryName, subject: SubjectName, access: Annotated[Access, door]
    ) -> JSONResponse:
        opened = service.gallery(gallery, access, "read")
        name, faces = await opened.read(lambda g: _of(g, subject))
        keys = [key_of(opened, face) for face in faces[:most]]
        return JSONResponse({"name": name, "n_faces": len(faces), "faces": keys})

    @routes.delete(
        "/{subject:path}",
        summary="Remove a person with all faces, for good",
        responses=answers_with(RemovedFaces),
    )
    async def remove_subject(
        gallery: GalleryName, subject: SubjectName, access: Annotated[Access, door]
    ) -> JSONResponse:
        opened = service.gallery(gallery, access, "delete")
        name, faces = await opened.read(lambda g: _of(g, subject))
        overwritten = await remove_faces(service, opened, access, faces, subject=name)
        return JSONResponse({"name": name, "n_faces": len(faces), "overwritten": overwritten})

    return routes


def _of(gallery: Gallery, subject: str) -> tuple[str, list[EnrolledFace]]:
    """A person's name as it is kept, and all faces.

    Raises:
        ProblemError: nobody of that name.
    """
    found: Any = gallery.roster.find(subject)
    if found is None or not same_name(found[1], subject):
        raise ProblemError(404, "not-found", "nobody of that name is in this gallery")
    return found[1], gallery.faces_of(subject)
