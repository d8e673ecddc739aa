"""Examples, which are enrolled faces: add, list, delete, download, verify."""

from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Query, Request
from starlette.responses import FileResponse, JSONResponse, Response

from facespace.gallery import EnrolledFace, Gallery
from facespace.service.compreface.answers import alike_to, look
from facespace.service.compreface.asked import (
    FILE,
    Deleter,
    Options,
    Reader,
    Subject,
    Writer,
    face_of,
    missing,
    no_image,
    read_pictures,
    refused,
    unsupported,
)
from facespace.service.enrolling import enrol, key_of, remove
from facespace.service.probes import Probes
from facespace.service.service import Asked

FACES_AT_ONCE = 1000
PREFIX = "/api/v1/recognition/faces"

router = APIRouter(tags=["CompreFace: examples"])


@router.post(PREFIX, summary="Add an example: a picture of one face", status_code=201, openapi_extra=FILE)
async def add(request: Request, asked: Writer, options: Options, subject: Subject = None) -> JSONResponse:
    name = (subject or "").strip()
    if subject is None:
        raise missing("parameter", "subject")
    if not name:
        raise refused(400, 26, "Subject name is empty")
    (content,) = await read_pictures(request, "file")
    faces = (await look(asked.service, content, await asked.gallery.embedder(), options, one=True)).faces
    probe = Probes(faces.embeddings, faces.spec, faces, content)
    _, face = await enrol(asked, probe, subject=name, key=uuid4().hex)
    return JSONResponse(_example(face), 201)


@router.get(PREFIX, summary="Examples of all or of one person, in pages")
async def list_examples(
    asked: Reader,
    subject: Subject = None,
    page: Annotated[int, Query(ge=0, le=2**31)] = 0,
    size: Annotated[int, Query(ge=1, le=2**31)] = 20,
) -> JSONResponse:
    n = min(size, asked.service.settings.limits.page)
    faces, total = await asked.gallery.read(lambda g: _page(g, subject, page * n, n))
    numbers = {"page_number": page, "page_size": n, "total_pages": -(-total // n), "total_elements": total}
    return JSONResponse({"faces": [_example(face) for face in faces], **numbers})


@router.delete(PREFIX, summary="Delete the examples of one person, or all")
async def delete_all(asked: Deleter, subject: Subject = None) -> JSONResponse:
    return JSONResponse({"deleted": len(await _remove(asked, lambda g: _of(g, subject)))})


@router.post(f"{PREFIX}/delete", summary="Delete several examples; those that are not there are left out")
async def delete_several(image_ids: list[UUID], asked: Deleter) -> JSONResponse:
    numbers = list(dict.fromkeys(one.int for one in image_ids if one.int < 2**63))

    def there(gallery: Gallery) -> list[EnrolledFace]:
        found = gallery.find_faces(numbers)
        return [found[number] for number in numbers if number in found]

    return JSONResponse(await _remove(asked, there))


@router.delete(f"{PREFIX}/{{image_id}}", summary="Delete an example")
async def delete_one(image_id: UUID, asked: Deleter) -> JSONResponse:
    face = await _face(asked, image_id)
    (gone,) = await _remove(asked, lambda _: [face])
    return JSONResponse(gone)


@router.get(f"{PREFIX}/{{image_id}}/img", summary="The picture of an example, where pictures are kept")
async def download(image_id: UUID, asked: Reader) -> Response:
    kept = asked.gallery.pictures / key_of(asked.gallery, await _face(asked, image_id))
    if not (asked.gallery.keeps_pictures and kept.is_file()):
        raise refused(404, 11, "the picture was not kept; galleries keep pictures only if they are set to")
    return FileResponse(kept, media_type="application/octet-stream")


@router.get("/api/v1/static/{key}/images/{image_id}", summary="Not supported: a key in an address")
async def static(key: str, image_id: str) -> Response:
    raise unsupported(f"keys in addresses; ask {PREFIX}/IMAGE_ID/img with the header x-api-key")


@router.post(
    f"{PREFIX}/{{image_id}}/verify",
    summary="How alike the faces of a picture are to an example",
    openapi_extra=FILE,
)
async def verify(image_id: UUID, request: Request, asked: Reader, options: Options) -> JSONResponse:
    (content,) = await read_pictures(request, "file")
    embedder = await asked.gallery.embedder()
    seen = await look(asked.service, content, embedder, options)
    rows = seen.faces.embeddings
    subject, alike = await asked.gallery.read(lambda g: alike_to(g, face_of(image_id), rows, embedder.spec))
    result = [{**seen.face(i), "subject": subject, "similarity": value} for i, value in enumerate(alike)]
    return JSONResponse({"result": result, **seen.versions()})


async def _remove(asked: Asked, faces_in: Callable[[Gallery], list[EnrolledFace]]) -> list[dict[str, Any]]:
    """Remove faces, if there are any, and return which."""
    (_, faces), _ = await remove(asked, lambda g: ((), faces_in(g)))
    return [_example(face) for face in faces]


def _example(face: EnrolledFace) -> dict[str, Any]:
    return {"image_id": str(UUID(int=face.face_id)), "subject": face.subject}


async def _face(asked: Asked, image_id: UUID) -> EnrolledFace:
    number = face_of(image_id)
    found = await asked.gallery.read(lambda g: g.find_faces([number]))
    if number not in found:
        raise no_image(image_id)
    return found[number]


def _page(gallery: Gallery, subject: str | None, start: int, n: int) -> tuple[list[EnrolledFace], int]:
    """The faces of a page, and how many there are in all."""
    if subject:
        faces = _of(gallery, subject)
        return faces[start : start + n], len(faces)
    after, total = -1, gallery.count()[1]
    while start > 0:  # galleries know a place by the id before it alone
        skipped = gallery.page_of_faces(after=after, limit=min(start, FACES_AT_ONCE))
        if not skipped:
            return [], total
        start, after = start - len(skipped), skipped[-1].face_id
    return gallery.page_of_faces(after=after, limit=n), total


def _of(gallery: Gallery, subject: str | None) -> list[EnrolledFace]:
    """Of one person, who may not be there, or of everybody."""
    if not subject:
        return gallery.page_of_faces()
    return gallery.faces_of(subject) if gallery.has_subject(subject) else []
