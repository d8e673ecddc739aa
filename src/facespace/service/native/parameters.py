"""What routes take from a request: types with bounds."""

import base64
import binascii
from typing import Annotated, Any, Literal

from fastapi import Depends, Path, Query
from pydantic import Field

from facespace.errors import InputError
from facespace.service.enrolling import FACE_KEY
from facespace.service.galleries import NAME
from facespace.service.service import Asked, Entered, TheService
from facespace.store import LONGEST_NAME

GalleryName = Annotated[str, Path(pattern=NAME, description="Name of a gallery.", examples=["team"])]
SubjectName = Annotated[
    str, Path(min_length=1, max_length=LONGEST_NAME, description="Name of a person.", examples=["Ann Lee"])
]
Fpir = Annotated[
    float, Query(gt=0, lt=1, description="Share of unknown people who may be taken for somebody (FPIR).")
]
Far = Annotated[float, Query(gt=0, lt=1, description="False-accept rate of one comparison.")]
Nearest = Annotated[int, Query(ge=1, description="How many of the nearest enrolled faces.")]
WhichFaces = Annotated[
    Literal["all", "largest"], Query(description="Which faces of the picture: all, or the largest alone.")
]
Cursor = Annotated[
    str, Query(max_length=4 * LONGEST_NAME, description="`next` of the page before; empty for the first.")
]
PageSize = Annotated[int, Query(ge=1, description="Entries of a page.")]
ModelName = Annotated[str, Field(max_length=64, pattern="^[A-Za-z0-9][A-Za-z0-9._-]*$")]
FaceKey = Annotated[
    str, Path(pattern=FACE_KEY, description="Your key of a face, such as a row's id.", examples=["hr-1042"])
]
Subject = Annotated[
    str | None,
    Query(min_length=1, max_length=LONGEST_NAME, description="Name of a person.", examples=["Ann Lee"]),
]
Quality = Annotated[float, Query(ge=0, le=1, description="Poorer faces are refused.")]
PAGE = 100


def cursor_after(entry: str | int | None) -> str | None:
    """The cursor of the page after an entry; None at the end."""
    if entry is None:
        return None
    return base64.urlsafe_b64encode(str(entry).encode()).decode().rstrip("=")


def entry_of(cursor: str) -> str:
    """The entry that a cursor stands after; empty for the first page.

    Raises:
        InputError: it is no cursor.
    """
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError) as error:
        raise InputError("cursor: expected `next` of another page") from error


def limited(name: str, value: int, most: int) -> int:
    """A number that may be as large as the service's limit.

    Raises:
        InputError: it is larger.
    """
    if value > most:
        raise InputError(f"{name}: expected at most {most}, got {value}")
    return value


def _asked_for(right: str) -> Any:
    """A dependency of routes: the gallery in the address, for who has the right in it."""

    async def find(gallery: GalleryName, entered: Entered, service: TheService) -> Asked:
        return service.gallery(gallery, entered, right)

    return Depends(find)


Reader = Annotated[Asked, _asked_for("read")]
Writer = Annotated[Asked, _asked_for("write")]
Deleter = Annotated[Asked, _asked_for("delete")]
