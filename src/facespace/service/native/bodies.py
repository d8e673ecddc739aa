"""What is sent, for the OpenAPI document."""

from typing import Any

__all__ = ["BULK", "PAIR", "PICTURE", "PICTURE_OR_EMBEDDINGS"]


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
