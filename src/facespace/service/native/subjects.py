"""People of a gallery: list, add, show, remove."""

from typing import Any

from fastapi import APIRouter
from starlette.responses import JSONResponse

from facespace.gallery import EnrolledFace, Gallery
from facespace.service.enrolling import Removed, key_of, remove
from facespace.service.native.parameters import (
    PAGE,
    Cursor,
    Deleter,
    PageSize,
    Reader,
    SubjectName,
    Writer,
    cursor_after,
    entry_of,
    limited,
)
from facespace.service.native.schemas import RemovedFaces, Subjects, SubjectShown, described
from facespace.service.problems import ProblemError
from facespace.store import same_name

router = APIRouter(prefix="/v1/galleries/{gallery}/subjects", tags=["subjects"])


@router.get("", **described("Everybody, by name, in pages", Subjects))
async def list_subjects(asked: Reader, cursor: Cursor = "", limit: PageSize = PAGE) -> JSONResponse:
    after, n = entry_of(cursor), limited("limit", limit, asked.service.settings.limits.page)
    found = await asked.gallery.read(lambda g: g.subjects(after=after, limit=n + 1))
    page = [{"name": one.name, "n_faces": one.n_faces} for one in found[:n]]
    return JSONResponse({"subjects": page, "next": cursor_after(found[n - 1].name if found[n:] else None)})


@router.put("/{subject:path}", **described("Add a person without faces", SubjectShown, also=201))
async def add_subject(subject: SubjectName, asked: Writer) -> JSONResponse:
    is_new = await asked.gallery.write(lambda g: g.add_subject(subject))
    if is_new:
        asked.log("add-subject", subject=subject)
    name, faces = await asked.gallery.read(lambda g: _of(g, subject))
    return JSONResponse({"name": name, "n_faces": len(faces)}, 201 if is_new else 200)


@router.get("/{subject:path}", **described("A person, with the keys of the faces", SubjectShown))
async def show_subject(subject: SubjectName, asked: Reader) -> JSONResponse:
    name, faces = await asked.gallery.read(lambda g: _of(g, subject))
    keys = [key_of(asked.gallery, face) for face in faces[: asked.service.settings.limits.page]]
    return JSONResponse({"name": name, "n_faces": len(faces), "faces": keys})


@router.delete("/{subject:path}", **described("Remove a person with all faces, for good", RemovedFaces))
async def remove_subject(subject: SubjectName, asked: Deleter) -> JSONResponse:
    def chosen(opened: Gallery) -> Removed:
        name, faces = _of(opened, subject)
        return [name], faces

    ((name,), faces), overwritten = await remove(asked, chosen)
    return JSONResponse({"name": name, "n_faces": len(faces), "overwritten": overwritten})


def _of(gallery: Gallery, subject: str) -> tuple[str, list[EnrolledFace]]:
    """A person's name as it is kept, and all faces.

    Raises:
        ProblemError: nobody of that name.
    """
    found: Any = gallery.roster.find(subject)
    if found is None or not same_name(found[1], subject):
        raise ProblemError(404, "not-found", "nobody of that name is in this gallery")
    return found[1], gallery.faces_of(subject)
