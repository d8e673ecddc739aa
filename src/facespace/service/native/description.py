"""What the OpenAPI document says of the service as a whole: keys, limits and errors."""

from typing import Any

from facespace.service.problems import TYPES
from facespace.service.settings import MB, Settings


def describe(settings: Settings) -> str:
    """Markdown."""
    limits = settings.limits
    keys = (
        "Send a key with each request: `Authorization: Bearer KEY`, or `x-api-key: KEY`. A key gives some of the "
        "rights *read*, *write* and *delete* in one gallery or in all."
        if settings.keys
        else "This service needs no keys and answers only programs of its own machine."
    )
    bounds = {
        "a body": f"{limits.body_bytes // MB} MB",
        "the file of a bulk job": f"{limits.bulk_bytes // MB} MB",
        "a picture": f"{limits.pixels / 1e6:g} megapixels; larger JPEGs are decoded at a reduced scale",
        "faces of a picture": f"{limits.faces}, the largest",
        "embeddings in a request": f"{limits.embeddings}",
        "faces that a search lists": f"{limits.nearest}",
        "entries of a page": f"{limits.page}",
        "pictures that wait in a process": f"{limits.queue}; then 429 with `Retry-After`",
        "requests of a key": f"{limits.rate:g} a second, twice as many at once"
        if limits.rate
        else "any number",
        "time for an answer": f"{limits.timeout_s:g} s; then 503",
    }
    rows = "\n".join(f"| {what} | {most} |" for what, most in bounds.items())
    kinds = "\n".join(f"| `urn:facespace:{kind}` | {meaning} |" for kind, meaning in TYPES.items())
    return (
        f"Enrol, identify, search and verify faces.\n\n{keys}\n\nA distance is squared L2 of unit vectors, in "
        "[0, 4]. Every answer names the model by its sha256, the threshold, and the error rate that it stands for. "
        "Pictures are not kept, unless a gallery is set to keep those that are enrolled. No address in a request "
        f"is ever fetched.\n\n| at most | |\n|---|---|\n{rows}\n\nErrors are `application/problem+json` "
        f"(RFC 9457):\n\n| type | meaning |\n|---|---|\n{kinds}\n"
    )


def _body(content: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": content}}


_FILE = {"type": "string", "format": "binary", "description": "JPEG, PNG, WebP, TIFF, AVIF, HEIC and others."}
_IMAGE = {"image/*": {"schema": _FILE}}
_FORM = {
    "multipart/form-data": {
        "schema": {"type": "object", "required": ["image"], "properties": {"image": _FILE}}
    }
}
_BASE64 = {"type": "string", "format": "byte"}
_EMBEDDING = {"oneOf": [{"type": "array", "items": {"type": "number"}}, _BASE64]}
_FIELDS = {
    "image": {**_BASE64, "description": "A picture file."},
    "embedding": {**_EMBEDDING, "description": "Numbers of unit length, or the 128 bytes of a template."},
    "embeddings": {"type": "array", "items": _EMBEDDING},
    "model": {
        "type": "string",
        "description": "That made the embeddings: name or sha256; the gallery's when absent.",
    },
    "subject": {"type": "string", "description": "Of a face that is enrolled."},
}
_JSON = {
    "application/json": {
        "schema": {"type": "object", "properties": _FIELDS},
        "examples": {
            "bytes": {"summary": "128 bytes", "value": {"embedding": "8QIa…"}},
            "floats": {"summary": "Numbers", "value": {"embeddings": [[0.0312, -0.0871]]}},
            "picture": {"summary": "A picture", "value": {"image": "/9j/4AAQ…"}},
        },
    }
}
_TWO = {"type": "object", "required": ["a", "b"]}
PICTURE = _body({**_IMAGE, **_FORM})
PICTURE_OR_EMBEDDINGS = _body({**_IMAGE, **_FORM, **_JSON})
PAIR = _body(
    {
        "multipart/form-data": {"schema": {**_TWO, "properties": {"a": _FILE, "b": _FILE}}},
        "application/json": {
            "schema": {
                **_TWO,
                "properties": {side: {"type": "object", "properties": _FIELDS} for side in "ab"},
            },
            "example": {"a": {"image": "/9j/4AAQ…"}, "b": {"embedding": "8QIa…"}},
        },
    }
)
BULK = _body(
    {
        "application/x-ndjson": {
            "schema": {"type": "string"},
            "example": '{"key": "hr-1042", "subject": "Ann Lee", "image": "/9j/4AAQ…"}\n',
        }
    }
)
