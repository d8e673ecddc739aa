"""As much of protobuf's wire format as reading and extending an ONNX file takes. Source: protobuf.dev, "Encoding"."""

from collections.abc import Iterator
from pathlib import Path

from facespace.errors import ModelError

VARINT, FIXED64, LENGTH_DELIMITED, FIXED32 = 0, 1, 2, 5


def fields(content: bytes, path: Path | str) -> Iterator[tuple[int, slice, slice]]:
    """Top-level fields of a message: number, where the whole stands, where its value stands."""
    position = 0
    while position < len(content):
        try:
            tag, value_at = read_varint(content, position)
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
        return read_varint(content, position)[1], position
    if wire_type == LENGTH_DELIMITED:
        length, position = read_varint(content, position)
        return position + length, position
    if wire_type in (FIXED32, FIXED64):
        return position + (4 if wire_type == FIXED32 else 8), position
    raise ValueError(f"wire type {wire_type}")


def read_varint(content: bytes, position: int) -> tuple[int, int]:
    """The number that begins at ``position``, and where it ends."""
    value = shift = 0
    while True:
        byte = content[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position
        if shift > 63:
            raise ValueError("varint too long")


def _encode_varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def encode_field(field: int, value: bytes) -> bytes:
    """A length-delimited field: a string, bytes or message."""
    return _encode_varint(field << 3 | LENGTH_DELIMITED) + _encode_varint(len(value)) + value


def values(message: bytes, number: int, path: Path | str) -> list[bytes]:
    """What stands in all fields of that number."""
    return [message[value] for found, _, value in fields(message, path) if found == number]


def without(message: bytes, number: int, path: Path | str) -> bytes:
    """The message less all fields of that number."""
    return b"".join(message[whole] for found, whole, _ in fields(message, path) if found != number)


def integers(content: bytes) -> list[int]:
    """The numbers of an integer field: one, or all of a packed one."""
    numbers, position = [], 0
    while position < len(content):
        number, position = read_varint(content, position)
        numbers.append(number)
    return numbers
