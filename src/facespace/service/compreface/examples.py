"""Everybody of a gallery, listed and removed."""

from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import FileResponse, JSONResponse, Response

from facespace.gallery import EnrolledFace, Gallery
from facespace.service.compreface.answers import alike_to, look
from facespace.service.compreface.asked import (
    FILE,
    Options,
    Subject,
    collection,
    face_of,
    image_of,
    missing,
    no_image,
    read_pictures,
    refused,
    unsupported,
)
from facespace.service.enrolling import Probe, enrol, key_of, remove_faces
from facespace.service.galleries import OpenGallery
from facespace.service.service import Asked, Service

FACES_AT_ONCE = 1000


def all_faces(gallery: Gallery) -> list[EnrolledFace]:
    """Every face, by id."""
    faces: list[EnrolledFace] = []
    while page := gallery.page_of_faces(after=faces[-1].face_id if faces else -1, limit=FACES_AT_ONCE):
        faces += page
    return faces


def page_of_faces(gallery: Gallery, start: int, n: int) -> list[EnrolledFace]:
    """``n`` faces from the ``start``-th, by id; galleries know their place by the id before it alone."""
    after = -1
    while start > 0:
        skipped = gallery.page_of_faces(after=after, limit=min(start, FACES_AT_ONCE))
        if not skipped:
            return []
        start, after = start - len(skipped), skipped[-1].face_id
    return gallery.page_of_faces(after=after, limit=n)


async def remove_everybody(service: Service, asked: Asked) -> int:
    """Remove all subjects with their faces and kept pictures, in one step; how many subjects there were."""

    def remove(opened: Gallery) -> tuple[list[EnrolledFace], list[str]]:
        faces, names = all_faces(opened), [one.name for one in opened.subjects()]
        opened.remove(subjects=names)
        return faces, names

    gallery = asked.gallery
    faces, names = await gallery.write(remove)
    if gallery.keeps_pictures:
        for face in faces:
            (gallery.pictures / key_of(gallery, face)).unlink(missing_ok=True)
    for name in names:
        service.audit.write("remove-subject", by=asked.by, gallery=gallery.name, subject=name)
    return len(names)


PREFIX = "/api/v1/recognition/faces"


def router(service: Service) -> APIRouter:
    """Add, list, delete, download, verify."""
    routes = APIRouter(tags=["CompreFace: examples"])
    readers = Annotated[Asked, Depends(collection(service, "read"))]
    writers = Annotated[Asked, Depends(collection(service, "write"))]
    deleters = Annotated[Asked, Depends(collection(service, "delete"))]
    options = Annotated[Options, Depends()]

    @routes.post(PREFIX, summary="Add an example: a picture of one face", status_code=201, openapi_extra=FILE)
    async def add(request: Request, asked: writers, chosen: options, subject: Subject = None) -> JSONResponse:
        name = (subject or "").strip()
        if subject is None:
            raise missing("parameter", "subject")
        if not name:
            raise refused(400, 26, "Subject name is empty")
        (content,) = await read_pictures(request, "file")
        seen = await look(service, content, await asked.gallery.embedder(), chosen, one=True)
        probe = Probe.of_picture(seen.faces, content)
        _, face = await enrol(service, asked, key=uuid4().hex, subject=name, probe=probe)
        return JSONResponse(_example(face), 201)

    @routes.get(PREFIX, summary="Examples of all or of one person, in pages")
    async def list_examples(
        asked: readers,
        subject: Subject = None,
        page: Annotated[int, Query(ge=0, le=2**31)] = 0,
        size: Annotated[int, Query(ge=1, le=2**31)] = 20,
    ) -> JSONResponse:
        n = min(size, service.settings.limits.page)
        faces, total = await asked.gallery.read(lambda g: _page(g, subject, page * n, n))
        numbers = {
            "page_number": page,
            "page_size": n,
            "total_pages": -(-total // n),
            "total_elements": total,
        }
        return JSONResponse({"faces": [_example(face) for face in faces], **numbers})

    @routes.delete(PREFIX, summary="Delete the examples of one person, or all")
    async def delete_all(asked: deleters, subject: Subject = None) -> JSONResponse:
        faces = await asked.gallery.read(lambda g: _of(g, subject))
        if faces:
            await remove_faces(service, asked, faces)
        return JSONResponse({"deleted": len(faces)})

    @routes.post(f"{PREFIX}/delete", summary="Delete several examples; those that are not there are left out")
    async def delete_several(image_ids: list[UUID], asked: deleters) -> JSONResponse:
        numbers = [one.int for one in image_ids if one.int < 2**63]
        found = await asked.gallery.read(lambda g: g.find_faces(numbers))
        if found:
            await remove_faces(service, asked, list(found.values()))
        return JSONResponse([_example(found[number]) for number in dict.fromkeys(numbers) if number in found])

    @routes.delete(f"{PREFIX}/{{image_id}}", summary="Delete an example")
    async def delete_one(image_id: UUID, asked: deleters) -> JSONResponse:
        face = await _face(asked.gallery, image_id)
        await remove_faces(service, asked, [face])
        return JSONResponse(_example(face))

    @routes.get(f"{PREFIX}/{{image_id}}/img", summary="The picture of an example, where pictures are kept")
    async def download(image_id: UUID, asked: readers) -> Response:
        face = await _face(asked.gallery, image_id)
        kept = asked.gallery.pictures / key_of(asked.gallery, face)
        if not (asked.gallery.keeps_pictures and kept.is_file()):
            raise refused(
                404, 11, "the picture was not kept; galleries keep pictures only if they are set to"
            )
        return FileResponse(kept, media_type="application/octet-stream")

    @routes.get("/api/v1/static/{key}/images/{image_id}", summary="Not supported: a key in an address")
    async def static(key: str, image_id: str) -> Response:
        raise unsupported(f"keys in addresses; ask {PREFIX}/IMAGE_ID/img with the header x-api-key")

    @routes.post(
        f"{PREFIX}/{{image_id}}/verify",
        summary="How alike the faces of a picture are to an example",
        openapi_extra=FILE,
    )
    async def verify(image_id: UUID, request: Request, asked: readers, chosen: options) -> JSONResponse:
        (content,) = await read_pictures(request, "file")
        embedder = await asked.gallery.embedder()
        seen = await look(service, content, embedder, chosen)
        rows = seen.faces.embeddings
        subject, alike = await alike_to(asked.gallery, face_of(image_id), rows, embedder.spec)
        result = [{**seen.face(i), "subject": subject, "similarity": value} for i, value in enumerate(alike)]
        return JSONResponse({"result": result, **seen.versions()})

    return routes


def _example(face: EnrolledFace) -> dict[str, Any]:
    return {"image_id": image_of(face.face_id), "subject": face.subject}


async def _face(opened: OpenGallery, image_id: UUID) -> EnrolledFace:
    number = face_of(image_id)
    found = await opened.read(lambda g: g.find_faces([number]))
    if number not in found:
        raise no_image(image_id)
    return found[number]


def _page(gallery: Gallery, subject: str | None, start: int, n: int) -> tuple[list[EnrolledFace], int]:
    """The faces of a page, and how many there are in all."""
    if subject:
        faces = _of(gallery, subject)
        return faces[start : start + n], len(faces)
    return page_of_faces(gallery, start, n), gallery.count()[1]


def _of(gallery: Gallery, subject: str | None) -> list[EnrolledFace]:
    """Of one person, who may not be there, or of everybody."""
    if not subject:
        return all_faces(gallery)
    return gallery.faces_of(subject) if gallery.has_subject(subject) else []
