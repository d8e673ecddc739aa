"""`/api/v1/recognition/subjects`."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from facespace.gallery import Gallery
from facespace.service.compreface.asked import Deleter, Reader, Writer, refused
from facespace.service.enrolling import remove
from facespace.service.service import Asked
from facespace.store import LONGEST_NAME


class SubjectBody(BaseModel):
    """A person, by name."""

    subject: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME, examples=["Ann Lee"])]


router = APIRouter(prefix="/api/v1/recognition/subjects", tags=["CompreFace: subjects"])


@router.get("", summary="All names")
@router.get("/", include_in_schema=False)
async def list_subjects(asked: Reader) -> JSONResponse:
    return JSONResponse({"subjects": await asked.gallery.read(_names)})


@router.post("", summary="Add a person without examples")
async def add_subject(body: SubjectBody, asked: Writer) -> JSONResponse:
    if not await asked.gallery.write(lambda g: g.add_subject(body.subject)):
        raise refused(400, 43, "Subject already exists")
    asked.log("add-subject", subject=body.subject)
    return JSONResponse({"subject": body.subject}, 201)


@router.put("/{subject}", summary="Rename a person, or merge with the one of the new name")
async def rename_subject(subject: str, body: SubjectBody, asked: Writer) -> JSONResponse:
    if body.subject == subject:
        return JSONResponse({"updated": False})
    await _need(asked, subject)
    await asked.gallery.write(lambda g: g.rename(subject, body.subject))
    asked.log("rename", subject=body.subject)
    return JSONResponse({"updated": True})


@router.delete("/{subject}", summary="Delete a person with all examples")
async def delete_subject(subject: str, asked: Deleter) -> JSONResponse:
    await _need(asked, subject)
    await remove(asked, lambda g: ([subject], g.faces_of(subject)))
    return JSONResponse({"subject": subject})


@router.delete("", summary="Delete everybody")
async def delete_subjects(asked: Deleter) -> JSONResponse:
    (names, _), _ = await remove(asked, lambda g: (_names(g), g.page_of_faces()))
    return JSONResponse({"deleted": len(names)})


def _names(gallery: Gallery) -> list[str]:
    """Everybody, by name."""
    return [one.name for one in gallery.subjects()]


async def _need(asked: Asked, subject: str) -> None:
    if not await asked.gallery.read(lambda g: g.has_subject(subject)):
        raise refused(404, 42, f"Subject {subject} not found")
