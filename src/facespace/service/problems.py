"""Errors as documents for programs: RFC 9457's `application/problem+json`, without a path or a value that was sent."""

import re
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from fastapi import HTTPException
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import JSONResponse

from facespace.errors import (
    FacespaceError,
    GalleryError,
    ImageError,
    InputError,
    ModelError,
    NoFaceError,
)
from facespace.http.lines import printable, slip

MEDIA_TYPE = "application/problem+json"
# What a problem's `type` may be, after "urn:facespace:", and what it means.
TYPES = {
    "invalid": "a field is missing or has a value that does not fit; `errors` lists them",
    "unreadable-picture": "the bytes are no picture that can be read, or of more pixels than the limit",
    "no-face": "the picture shows no face",
    "too-large": "the body is longer than the limit",
    "media-type": "the body is of a kind that is not understood here",
    "key": "no key was sent, or one that is not valid (any more)",
    "right": "the key does not have this right in this gallery",
    "origin": "without keys, only programs of this machine may ask, under its own name",
    "not-found": "there is nothing under this address",
    "method": "the address is there, the method is not",
    "conflict": "what is there does not allow it",
    "models": "embeddings of these two models may not meet",
    "queue-full": "too many pictures wait; ask again after `Retry-After` seconds",
    "rate": "the key asks more often than it may; likewise",
    "time-out": "the answer took longer than the limit",
    "storage": "the gallery cannot be read or written just now",
    "stopping": "the service stops or starts; ask again",
    "fault": "a fault of the service; its log says more",
}
# Of statuses that others raise.
BY_STATUS = {
    400: "invalid", 401: "key", 403: "right", 404: "not-found", 405: "method", 408: "time-out", 413: "too-large",
    415: "media-type", 422: "invalid", 429: "queue-full", 503: "storage",
}  # fmt: skip
PATH = re.compile(r"(?<![\w.:/])(?:[A-Za-z]:\\|/)(?:[^\s:;,'\"()/\\]+[/\\])*")


@dataclass(frozen=True)
class Problem:
    """An error as it is answered.

    Attributes:
        status: of HTTP.
        kind: a key of `TYPES`.
        detail: one line: what was expected, what was met, what to do.
        headers: of the answer.
        more: further members of the document.
    """

    status: int
    kind: str
    detail: str
    headers: dict[str, str] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """The JSON of it."""
        title = HTTPStatus(self.status).phrase
        return {
            "type": f"urn:facespace:{self.kind}", "title": title, "status": self.status, "detail": self.detail,
            **self.more,
        }  # fmt: skip

    def answer(self) -> JSONResponse:
        """The answer."""
        return JSONResponse(self.document(), self.status, headers=self.headers, media_type=MEDIA_TYPE)


class ProblemError(Exception):
    """Raised by a route in place of an answer."""

    def __init__(
        self, status: int, kind: str, detail: str, *, headers: dict[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(detail)
        self.problem = Problem(status, kind, detail, headers or {}, more)


def problem_of(error: Exception) -> Problem:
    """Any error as a problem; what is not expected is a fault of ours and says nothing of itself."""
    if isinstance(error, ProblemError):
        return error.problem
    if isinstance(error, RequestValidationError):
        return _invalid(error)
    if isinstance(error, StarletteHTTPException):
        return _of_status(error)
    if isinstance(error, FacespaceError):
        return _of_library(error)
    if isinstance(error, OSError):
        return Problem(503, "storage", f"the store cannot be used: {(error.strerror or 'no reason').lower()}")
    return Problem(500, "fault", "this did not work; the log of the service says why")


def _invalid(error: RequestValidationError) -> Problem:
    slips = [slip(found) for found in error.errors()]
    if slips and all(found["loc"][:1] == ("path",) for found in error.errors()):
        return Problem(404, "not-found", f"expected another address: {': '.join(slips[0])}")
    detail = "; ".join(f"{name}: {why}" if name else why for name, why in slips[:3])
    return Problem(
        422, "invalid", detail, more={"errors": [{"field": n, "problem": w} for n, w in slips[:20]]}
    )


def _of_status(error: StarletteHTTPException) -> Problem:
    kind = BY_STATUS.get(error.status_code, "fault" if error.status_code >= 500 else "invalid")
    own = isinstance(error, HTTPException)
    detail = printable(str(error.detail)) if own else HTTPStatus(error.status_code).phrase
    return Problem(error.status_code, kind, detail, dict(error.headers or {}))


def _of_library(error: FacespaceError) -> Problem:
    status, kind = next(
        (answer for family, answer in FAMILIES if isinstance(error, family)), (409, "conflict")
    )
    if isinstance(error, GalleryError) and isinstance(error.__cause__, Exception):
        status, kind = 503, "storage"  # locked, damaged or out of reach
    return Problem(status, kind, line_of(error))


FAMILIES: tuple[tuple[type[FacespaceError], tuple[int, str]], ...] = (
    (ImageError, (422, "unreadable-picture")),
    (NoFaceError, (422, "no-face")),
    (InputError, (422, "invalid")),
    (ModelError, (409, "models")),
)


def line_of(error: Exception) -> str:
    """The error's line; where files lie is no part of it."""
    return printable(PATH.sub("", str(error)).replace(".gallery:", ":"))
