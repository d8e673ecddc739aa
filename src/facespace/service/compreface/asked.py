"""What a request brings: its key, which stands for a gallery, options and pictures; and the errors of CompreFace."""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Query, Request
from starlette.responses import JSONResponse

from facespace.service.access import Access
from facespace.service.galleries import NAME
from facespace.service.problems import Problem, ProblemError
from facespace.service.sent import not_empty, read_parts
from facespace.service.service import Asked, TheService

# Its codes and statuses for kinds of problems; others keep their status, with the code of what is not defined.
CODES = {
    "invalid": (400, 26), "media-type": (400, 36), "unreadable-picture": (400, 21), "no-face": (400, 28),
    "models": (400, 36), "conflict": (400, 36), "method": (404, 0),
}  # fmt: skip
NO_FACE = "No face is found in the given image"


def answer(problem: Problem) -> JSONResponse:
    """A problem in CompreFace's form."""
    status, code = CODES.get(problem.kind, (problem.status, 0))
    if "code" in problem.more:
        status, code = problem.status, problem.more["code"]
    message = NO_FACE if problem.kind == "no-face" else problem.detail
    return JSONResponse({"message": message, "code": code}, status, headers=problem.headers)


def refused(status: int, code: int, message: str) -> ProblemError:
    """An error with a code of CompreFace's."""
    return ProblemError(status, "invalid", message, code=code)


def missing(what: str, name: str) -> ProblemError:
    """A "parameter" or a "part" that was not sent."""
    return refused(400, {"parameter": 33, "part": 34}[what], f"Required {what} {name} is missing")


def no_service(name: str) -> ProblemError:
    """The key is for no gallery that is there."""
    return refused(404, 10, f"{name} service with this API Key not found")


def no_image(image_id: object) -> ProblemError:
    """No example with that id."""
    return refused(404, 44, f"Image {image_id} not found")


def unsupported(message: str) -> ProblemError:
    """What CompreFace can do and is not done here."""
    return refused(400, 36, f"not supported here: {message}")


FILLED = ("landmarks", "calculator")
UNFILLED = ("age", "gender", "pose", "mask", "landmarks2d106")
PredictionCount = Annotated[int, Query(ge=1, le=1000, description="Subjects named for each face.")]
Subject = Annotated[str | None, Query(max_length=1000, description="Name of a person.", examples=["Ann Lee"])]


def _files(*names: str) -> dict[str, Any]:
    """The body of a route, described: files of a form, or base64 in JSON."""
    kinds = {
        "multipart/form-data": {"type": "string", "format": "binary"},
        "application/json": {"type": "string", "contentEncoding": "base64"},
    }
    content = {
        kind: {"schema": {"type": "object", "required": list(names), "properties": dict.fromkeys(names, one)}}
        for kind, one in kinds.items()
    }
    return {"requestBody": {"required": True, "content": content}}


FILE, TWO_FILES = _files("file"), _files("source_image", "target_image")


@dataclass(frozen=True)
class Chosen:
    """The options of requests with pictures.

    Attributes:
        limit: only so many faces, the largest first; 0 for all.
        least_score: of a face; not below the detector's own.
        plugins: what else to tell of each face.
        status: also tell how long it took, and by which models.
    """

    limit: int
    least_score: float
    plugins: frozenset[str]
    status: bool


async def _chosen(
    limit: Annotated[int, Query(ge=0, description="Only so many faces, the largest; 0: all.")] = 0,
    det_prob_threshold: Annotated[float | None, Query(ge=0, le=1, description="Least score.")] = None,
    face_plugins: Annotated[str, Query(max_length=200, examples=["landmarks,calculator"])] = "",
    status: Annotated[bool, Query(description="Tell times and models too.")] = False,
) -> Chosen:
    plugins = frozenset(name.strip() for name in face_plugins.split(",") if name.strip())
    unfilled = sorted(plugins - set(FILLED) - {"detector"})
    if unfilled:
        known = [name for name in unfilled if name in UNFILLED] or ["one of them"]
        raise unsupported(f"face_plugins: {', '.join(known)}; there are {' and '.join(FILLED)}")
    return Chosen(limit, det_prob_threshold or 0.0, plugins, status)


Options = Annotated[Chosen, Depends(_chosen)]


async def _enter(request: Request, service: TheService) -> Access:
    """The service's door, which refuses in CompreFace's words."""
    if "x-api-key" not in request.headers and "authorization" not in request.headers:
        raise refused(400, 20, "Missing header: x-api-key")
    try:
        return await service.door(request)
    except ProblemError as error:
        if error.problem.status != 401:
            raise
        part = request.url.path.removeprefix(request.scope.get("root_path", "")).split("/")[3]
        raise no_service(part.capitalize()) from None


Entered = Annotated[Access, Depends(_enter)]


def _collection(right: str) -> Any:
    """A dependency of routes: the gallery that the key is for, which must give that right in it.

    Of a key for all galleries it is the only one there is. At a service without keys the key names the gallery.
    """

    async def find(entered: Entered, service: TheService) -> Asked:
        name = entered.gallery
        if entered.key is None:
            name = entered.sent if entered.sent and re.match(NAME, entered.sent) else None
        elif name is None:
            names = service.galleries.names()
            if len(names) > 1:
                raise refused(400, 36, "this key is for several galleries; make one for this gallery alone")
            name = next(iter(names), None)
        try:
            if name is not None:
                return service.gallery(name, entered, right)
        except ProblemError as error:
            if error.problem.kind != "not-found":
                raise
        raise no_service("Recognition") from None

    return Depends(find)


Reader = Annotated[Asked, _collection("read")]
Writer = Annotated[Asked, _collection("write")]
Deleter = Annotated[Asked, _collection("delete")]


def face_of(image_id: UUID) -> int:
    """The id of the enrolled face that CompreFace's clients know by this one.

    Raises:
        ProblemError: it is no id of a face of ours.
    """
    if image_id.int >= 2**63:
        raise no_image(image_id)
    return image_id.int


async def read_pictures(request: Request, *names: str) -> list[bytes]:
    """The picture files of a form, or of JSON as base64.

    Raises:
        ProblemError: one is missing.
    """
    files, fields = await read_parts(request, "multipart/form-data or application/json", most_files=4)
    if files is None:
        return [_decoded(fields, name) for name in names]
    for name in names:
        if name not in files:
            raise missing("part", name)
    return [not_empty(files[name]) for name in names]


def _decoded(fields: dict[str, Any], name: str) -> bytes:
    text = fields.get(name)
    if text is None:
        raise refused(400, 5, f"Field {name} cannot be empty")
    try:
        if not isinstance(text, str):
            raise ValueError
        return not_empty(base64.b64decode(text.rpartition("base64,")[2], validate=True))
    except (ValueError, binascii.Error):
        raise refused(400, 21, "Provided value is not Base64") from None
