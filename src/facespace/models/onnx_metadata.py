"""Read and write an ONNX file's metadata without the onnx package.

An ONNX file is one protobuf message, ModelProto, whose field 14 (`metadata_props`, repeated) holds key and
value strings. Protobuf lets a repeated field's entries stand anywhere in the message, so writing metadata is:
drop the entries with those keys, append new ones. The weights' bytes are not touched.
Source: onnx/onnx.proto, message ModelProto; protobuf.dev, "Encoding".
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from facespace.errors import ModelError

__all__ = ["SPEC_KEY", "read_metadata", "weights_sha256", "write_metadata"]

SPEC_KEY = "facespace"
METADATA_FIELD = 14
VARINT, FIXED64, LENGTH_DELIMITED, FIXED32 = 0, 1, 2, 5


def read_metadata(path: Path) -> dict[str, str]:
    """All metadata of the ONNX file at ``path``; of a key that stands twice the last value counts.

    Raises:
        ModelError: the file cannot be read or is no ONNX model.
    """
    content = _read(path)
    return dict(
        _entry(content[value]) for field, _, value in _fields(content, path) if field == METADATA_FIELD
    )


def write_metadata(path: Path, metadata: dict[str, str]) -> None:
    """Set ``metadata`` in the ONNX file at ``path``; other keys stay; the file is replaced in one step.

    Raises:
        ModelError: the file cannot be read or written, or is no ONNX model.
    """
    content = _without(_read(path), set(metadata), path)
    entries = b"".join(_encode_entry(key, value) for key, value in sorted(metadata.items()))
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_bytes(content + entries)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
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
        for field, whole, value in _fields(content, path)
        if field != METADATA_FIELD or _entry(content[value])[0] not in keys
    ]
    return b"".join(kept)


def _fields(content: bytes, path: Path | str) -> Iterator[tuple[int, slice, slice]]:
    """Top-level fields of a message: number, where the whole stands, where its value stands."""
    position = 0
    while position < len(content):
        try:
            tag, value_at = _varint(content, position)
            end, value_at = _end_of_value(content, tag & 7, value_at)
        except (IndexError, ValueError) as error:
            raise ModelError(
                f"{path}: expected an ONNX model, the file is damaged or of another kind"
            ) from error
        if end > len(content) or tag >> 3 == 0:
            raise ModelError(f"{path}: expected an ONNX model, the file is cut short or of another kind")
        yield tag >> 3, slice(position, end), slice(value_at, end)
        position = end


def _end_of_value(content: bytes, wire_type: int, position: int) -> tuple[int, int]:
    """Where a value ends, and where its own bytes begin."""
    if wire_type == VARINT:
        return _varint(content, position)[1], position
    if wire_type == LENGTH_DELIMITED:
        length, position = _varint(content, position)
        return position + length, position
    if wire_type in (FIXED32, FIXED64):
        return position + (4 if wire_type == FIXED32 else 8), position
    raise ValueError(f"wire type {wire_type}")


def _varint(content: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position
        if shift > 63:
            raise ValueError("varint too long")


def _entry(message: bytes) -> tuple[str, str]:
    parts = {
        field: message[value].decode("utf-8", "replace")
        for field, _, value in _fields(message, "metadata entry")
    }
    return parts.get(1, ""), parts.get(2, "")


def _encode_varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def _encode_field(field: int, value: bytes) -> bytes:
    return _encode_varint(field << 3 | LENGTH_DELIMITED) + _encode_varint(len(value)) + value


def _encode_entry(key: str, value: str) -> bytes:
    return _encode_field(METADATA_FIELD, _encode_field(1, key.encode()) + _encode_field(2, value.encode()))
