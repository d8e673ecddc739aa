"""What routes take from a request: types with bounds, checked before anything is done."""

import json
from typing import Annotated, Any, Literal

from fastapi import Depends, HTTPException, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StrictInt, ValidationError

# What SQLite holds.
MAX_INT = 2**63 - 1
# As of any file system.
MAX_PATH = 4096
MAX_NAME = 200


def _fits(text: str) -> str:
    """A number written as text, decimal or as the id of a face, must fit as well."""
    value = text.strip()
    if value.isdecimal() and (len(value) > 19 or int(value) > MAX_INT):
        raise ValueError("a number of at most 63 bits")
    return text


Whole = Annotated[StrictInt, Field(ge=0, le=MAX_INT)]
PersonRef = Whole | Annotated[str, Field(max_length=MAX_NAME), AfterValidator(_fits)]

Number = Annotated[int, Path(ge=0, le=MAX_INT)]
FaceKey = Annotated[str, Path(pattern="^[0-7][0-9a-f]{15}$")]
Size = Literal["small", "large"]
Offset = Annotated[int, Query(ge=0, le=10**9)]
Part = Annotated[bool, Query()]
Kind = Literal["seen-again", "to-review", "named", "unnamed", "seen-once", "hidden"]
Action = Literal[
    "name", "merge", "split", "apart", "confirm", "reject", "not-a-face", "hide", "undo", "redo", "forget"
]  # fmt: skip
Text = Annotated[str, Query(max_length=MAX_NAME)]
# The beginning of an ISO 8601 time.
Time = Annotated[str, Query(max_length=25, pattern="^[0-9T:.-]*$")]


class Correction(BaseModel):
    """A correction; which fields are needed depends on the action.

    Attributes:
        person: number or name.
        others: further persons, likewise.
        faces: ids or `photo#k`.
        name: of the person.
        hidden: False shows a hidden person again.
        entry: of the history.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    person: PersonRef = ""
    others: Annotated[list[PersonRef], Field(max_length=1000)] = []
    faces: Annotated[list[Annotated[str, Field(max_length=MAX_PATH)]], Field(max_length=10_000)] = []
    name: Annotated[str, Field(max_length=MAX_NAME)] = ""
    hidden: StrictBool = True
    entry: Whole | None = None


async def _correction(request: Request) -> Correction:
    if _media_type(request) != "application/json":
        raise HTTPException(415, "expected JSON")
    try:
        sent = json.loads(await request.body(), object_pairs_hook=_each_once)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "expected a JSON object with each field once") from error
    try:
        return Correction.model_validate(sent)
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from error


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a field twice")
    return dict(pairs)


async def _upload(request: Request) -> bytes:
    kind = _media_type(request)
    if kind != "application/octet-stream" and not kind.startswith("image/"):
        raise HTTPException(415, "expected the bytes of a photo")
    return await request.body()


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


Sent = Annotated[Correction, Depends(_correction)]
Upload = Annotated[bytes, Depends(_upload)]
