"""Read and write an ONNX file's metadata without the onnx package.

An ONNX file is one protobuf message, ModelProto, whose field 14 (`metadata_props`, repeated) holds key and
value strings. Protobuf lets a repeated field's entries stand anywhere in the message, so writing metadata is:
drop the entries with those keys, append new ones. The weights' bytes are not touched.
Source: onnx/onnx.proto, message ModelProto; protobuf.dev, "Encoding".
"""

import hashlib
from pathlib import Path

from facespace.errors import ModelError
from facespace.models.protobuf import encode_field, fields, values
from facespace.saved_files import write_beside

SPEC_KEY = "facespace"
METADATA_FIELD = 14


def read_metadata(path: Path) -> dict[str, str]:
    """All metadata of the ONNX file at ``path``; of a key that stands twice the last value counts.

    Raises:
        ModelError: the file cannot be read or is no ONNX model.
    """
    return dict(map(_entry, values(_read(path), METADATA_FIELD, path)))


def write_metadata(path: Path, metadata: dict[str, str]) -> None:
    """Set ``metadata`` in the ONNX file at ``path``; other keys stay; the file is replaced in one step.

    Raises:
        ModelError: the file cannot be read or written, or is no ONNX model.
    """
    content = _without(_read(path), set(metadata), path)
    entries = b"".join(_encode_entry(key, value) for key, value in sorted(metadata.items()))
    try:
        write_beside(path, content + entries)
    except OSError as error:
        raise ModelError(f"{path}: cannot write the model file: {error.strerror}") from error


def weights_sha256(path: Path) -> str:
    """sha256 of the file less our own metadata, in hex: it changes with the weights, not with a calibration.

    Raises:
        ModelError: the file cannot be read or is no ONNX model.
    """
    return hashlib.sha256(_without(_read(path), {SPEC_KEY}, path)).hexdigest()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: expected a model file, cannot read it: {error.strerror}") from error


def _without(content: bytes, keys: set[str], path: Path) -> bytes:
    kept = [
        content[whole]
        for field, whole, value in fields(content, path)
        if field != METADATA_FIELD or _entry(content[value])[0] not in keys
    ]
    return b"".join(kept)


def _entry(message: bytes) -> tuple[str, str]:
    parts = {
        field: message[value].decode("utf-8", "replace")
        for field, _, value in fields(message, "metadata entry")
    }
    return parts.get(1, ""), parts.get(2, "")


def _encode_entry(key: str, value: str) -> bytes:
    return encode_field(METADATA_FIELD, encode_field(1, key.encode()) + encode_field(2, value.encode()))
