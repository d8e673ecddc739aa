"""`/api/v1/recognition/subjects`."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from facespace.service.compreface.asked import collection, no_subject, refused
from facespace.service.compreface.examples import remove_everybody
from facespace.service.enrolling import remove_faces
from facespace.service.service import Asked, Service
from facespace.store import LONGEST_NAME


class SubjectBody(BaseModel):
    """A person, by name."""

    subject: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME, examples=["Ann Lee"])]


def router(service: Service) -> APIRouter:
    """List, add, rename, delete."""
    routes = APIRouter(prefix="/api/v1/recognition/subjects", tags=["CompreFace: subjects"])
    readers = Annotated[Asked, Depends(collection(service, "read"))]
    writers = Annotated[Asked, Depends(collection(service, "write"))]
    deleters = Annotated[Asked, Depends(collection(service, "delete"))]

    @routes.get("", summary="All names")
    @routes.get("/", include_in_schema=False)
    async def list_subjects(asked: readers) -> JSONResponse:
        names = await asked.gallery.read(lambda g: [one.name for one in g.subjects()])
        return JSONResponse({"subjects": names})

    @routes.post("", summary="Add a person without examples")
    async def add_subject(body: SubjectBody, asked: writers) -> JSONResponse:
        if not await asked.gallery.write(lambda g: g.add_subject(body.subject)):
            raise refused(400, 43, "Subject already exists")
        service.audit.write("add-subject", by=asked.by, gallery=asked.gallery.name, subject=body.subject)
        return JSONResponse({"subject": body.subject}, 201)

    @routes.put("/{subject}", summary="Rename a person, or merge with the one of the new name")
    async def rename_subject(subject: str, body: SubjectBody, asked: writers) -> JSONResponse:
        if body.subject == subject:
            return JSONResponse({"updated": False})
        if not await asked.gallery.read(lambda g: g.has_subject(subject)):
            raise no_subject(subject)
        await asked.gallery.write(lambda g: g.rename(subject, body.subject))
        service.audit.write("rename", by=asked.by, gallery=asked.gallery.name, subject=body.subject)
        return JSONResponse({"updated": True})

    @routes.delete("/{subject}", summary="Delete a person with all examples")
    async def delete_subject(subject: str, asked: deleters) -> JSONResponse:
        if not await asked.gallery.read(lambda g: g.has_subject(subject)):
            raise no_subject(subject)
        faces = await asked.gallery.read(lambda g: g.faces_of(subject))
        await remove_faces(service, asked, faces, subject=subject)
        return JSONResponse({"subject": subject})

    @routes.delete("", summary="Delete everybody")
    async def delete_subjects(asked: deleters) -> JSONResponse:
        return JSONResponse({"deleted": await remove_everybody(service, asked)})

    return routes
