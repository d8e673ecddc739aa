"""The body of a request: a picture, or embeddings."""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from fastapi import Request
from numpy.typing import NDArray

from facespace.embed import dequantise
from facespace.errors import InputError
from facespace.models import ModelSpec
from facespace.service.problems import ProblemError

# How far from unit length a vector may be that was written with few digits.
TOLERANCE = 0.05
FILES = ("image", "file")


@dataclass(frozen=True)
class Sent:
    """What was sent: one of the two.

    Attributes:
        picture: a picture file.
        embeddings: as they stand in the JSON: lists of numbers, or texts of bytes.
        fields: of the JSON or form, all of them.
    """

    picture: bytes | None
    embeddings: list[Any]
    fields: dict[str, Any]


async def read_sent(request: Request) -> Sent:
    """A picture as the body or as a file of a form, or JSON with `image`, `embedding` or `embeddings`.

    Raises:
        ProblemError: neither.
    """
    kind = media_type(request)
    if kind.startswith("image/") or kind == "application/octet-stream":
        return Sent(not_empty(await request.body()), [], {})
    files, fields = await read_parts(request, "image/*, application/json or multipart/form-data")
    if files is None:
        return of_json(fields)
    content = next((files[name] for name in FILES if name in files), None)
    if content is None:
        raise ProblemError(422, "invalid", "expected a file in the form's field image")
    return Sent(not_empty(content), [], fields)


async def read_parts(
    request: Request, expected: str, *, most_files: int = 2
) -> tuple[dict[str, bytes] | None, dict[str, Any]]:
    """The files and the fields of a form; or None, and the object of JSON.

    Args:
        request: with a body.
        expected: the kinds of bodies that it may have, for the error.
        most_files: of a form.

    Raises:
        ProblemError: neither.
        HTTPException: the form is malformed.
    """
    kind = media_type(request)
    if kind == "application/json":
        return None, json_object(await request.body())
    if kind != "multipart/form-data":
        raise ProblemError(415, "media-type", f"expected {expected}")
    async with request.form(max_files=most_files, max_fields=20) as form:
        files = {name: await file.read() for name, file in form.items() if not isinstance(file, str)}
        return files, {name: value for name, value in form.items() if isinstance(value, str)}


def json_object(content: bytes) -> dict[str, Any]:
    """The object that a text of JSON is.

    Raises:
        ProblemError: it is something else.
    """
    try:
        fields = json.loads(content)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise ProblemError(400, "invalid", "expected a JSON object")
    return fields


def of_json(fields: dict[str, Any]) -> Sent:
    """What an object with one of `image`, `embedding` and `embeddings` holds.

    Raises:
        ProblemError: it is none.
    """
    one, several, image = (fields.get(name) for name in ("embedding", "embeddings", "image"))
    if sum(value is not None for value in (one, several, image)) != 1:
        raise ProblemError(422, "invalid", "expected one of image, embedding and embeddings")
    if image is not None:
        return Sent(not_empty(_bytes(image, "image")), [], fields)
    rows = [one] if several is None else several
    if not isinstance(rows, list) or not rows:
        raise ProblemError(422, "invalid", "embeddings: expected a list of one or more")
    return Sent(None, rows, fields)


async def read_pair(request: Request) -> tuple[Sent, Sent]:
    """Two sides, `a` and `b`: two files of a form, or JSON with an `image` or `embedding` in each.

    Raises:
        ProblemError: neither.
    """
    files, fields = await read_parts(request, "application/json or multipart/form-data")
    if files is not None:
        if set(files) != {"a", "b"}:
            raise ProblemError(422, "invalid", "expected two files in the form's fields a and b")
        return Sent(not_empty(files["a"]), [], fields), Sent(not_empty(files["b"]), [], fields)
    a, b = fields.get("a"), fields.get("b")
    if not isinstance(a, dict) or not isinstance(b, dict):
        raise ProblemError(422, "invalid", "expected objects a and b, with an image or an embedding in each")
    return of_json(a), of_json(b)


def media_type(request: Request) -> str:
    """The kind of body, without parameters; empty where it is not given."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def embedding_rows(embeddings: list[Any], spec: ModelSpec, *, most: int) -> NDArray[np.float32]:
    """Unit rows (N, D) of embeddings as they stand in the JSON.

    Raises:
        InputError: too many, of another length, not of unit length, or no numbers.
    """
    if len(embeddings) > most:
        raise InputError(f"embeddings: expected at most {most}, got {len(embeddings)}")
    return np.stack([_row(value, spec, f"embeddings.{i}") for i, value in enumerate(embeddings)])


def _row(value: Any, spec: ModelSpec, name: str) -> NDArray[np.float32]:
    if isinstance(value, str):
        row = dequantise(np.frombuffer(_bytes(value, name), np.int8)[None])[0]
    elif isinstance(value, list) and all(isinstance(v, int | float) for v in value):
        try:
            row = np.asarray(value, np.float64)
        except OverflowError as error:
            raise InputError(f"{name}: expected numbers, got one that is too large") from error
    else:
        raise InputError(f"{name}: expected {spec.dim} numbers, or {spec.dim} bytes as base64")
    if row.shape != (spec.dim,):
        raise InputError(f"{name}: expected {spec.dim} components of {spec.label}, got {row.size}")
    length = float(np.linalg.norm(row))
    if not abs(length - 1.0) <= TOLERANCE:
        raise InputError(f"{name}: expected a vector of unit length, got {length:.3g}")
    return (row / length).astype(np.float32)


def _bytes(text: Any, name: str) -> bytes:
    try:
        if not isinstance(text, str):
            raise ValueError
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error) as error:
        raise ProblemError(422, "invalid", f"{name}: expected bytes as base64") from error


def not_empty(content: bytes) -> bytes:
    """The content of a picture file.

    Raises:
        ProblemError: there is none.
    """
    if not content:
        raise ProblemError(422, "unreadable-picture", "the picture: the file is empty")
    return content
