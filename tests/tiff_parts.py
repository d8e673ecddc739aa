"""TIFF structures byte by byte, right and wrong, for tests of what stands beside the pixels."""

import struct

import numpy as np
from numpy.typing import NDArray

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 16: 8}
NUMBER = {3: "H", 4: "I"}
Entry = tuple[int, int, bytes]  # tag, type, bytes of the values in the order of the structure


def tiff_block(
    entries: list[Entry], *, inner: list[Entry] | None = None, order: str = "<", big: bool = False
) -> bytes:
    """A TIFF structure of one directory, and of an EXIF directory behind it where ``inner`` is given."""
    mark = b"II" if order == "<" else b"MM"
    head = struct.pack(order + "HHHQ", 43, 8, 0, 16) if big else struct.pack(order + "HI", 42, 8)
    block = mark + head
    if inner is None:
        return block + _directory(entries, len(block), order, big)
    pointer = (0x8769, 16 if big else 4, struct.pack(order + ("Q" if big else "I"), 0))
    length = len(_directory([*entries, pointer], len(block), order, big))
    pointer = (*pointer[:2], struct.pack(order + ("Q" if big else "I"), len(block) + length))
    block += _directory([*entries, pointer], len(block), order, big)
    return block + _directory(inner, len(block), order, big)


def exif_block(orientation: Entry | None = None, *, order: str = "<", **times: str) -> bytes:
    """EXIF with an orientation, and text of `taken`, `zone`, `digitised`."""
    tags = {"taken": 0x9003, "zone": 0x9011, "digitised": 0x9004, "subsec": 0x9291}
    inner = [(tags[name], 2, text.encode() + b"\0") for name, text in times.items()]
    return tiff_block([orientation] if orientation else [], inner=inner, order=order)


def tiff_picture(
    pixels: NDArray[np.generic],
    beside: list[Entry],
    *,
    inner: list[Entry] | None = None,
    planar: bool = False,
) -> bytes:
    """An uncompressed TIFF file of (H, W, 3) pixels, with entries beside them."""
    height, width, bands = pixels.shape
    planes = [pixels[..., band] for band in range(bands)] if planar else [pixels]
    bits = pixels.dtype.itemsize * 8

    def block_of(start: int) -> bytes:
        starts = [start + i * planes[0].nbytes for i in range(len(planes))]
        numbers = {256: [width], 257: [height], 258: [bits] * bands, 259: [1], 262: [2], 277: [bands],
                   278: [height], 284: [2 if planar else 1]}  # fmt: skip
        entries: list[Entry] = [(tag, 3, struct.pack(f"<{len(v)}H", *v)) for tag, v in numbers.items()]
        entries += [(273, 4, struct.pack(f"<{len(planes)}I", *starts))]
        entries += [(279, 4, struct.pack(f"<{len(planes)}I", *[planes[0].nbytes] * len(planes)))]
        return tiff_block([*entries, *beside], inner=inner)

    return block_of(len(block_of(0))) + b"".join(plane.tobytes() for plane in planes)


def camera_raw(orientation: int, preview: bytes) -> bytes:
    """A small DNG file with a JPEG preview of 320x240 (DNG 1.4, Adobe)."""

    def directories(data: int) -> bytes:
        sensor = {256: (4, 128), 257: (4, 96), 258: (3, 16), 259: (3, 1), 262: (3, 32803), 273: (4, data),
                  274: (3, orientation), 277: (3, 1), 278: (4, 96), 279: (4, 128 * 96 * 2)}  # fmt: skip
        small = {254: (4, 1), 256: (4, 320), 257: (4, 240), 259: (3, 7), 262: (3, 6), 273: (4, data + 128 * 96 * 2),
                 277: (3, 3), 278: (4, 240), 279: (4, len(preview))}  # fmt: skip
        first = [(tag, kind, struct.pack("<" + NUMBER[kind], value)) for tag, (kind, value) in sensor.items()]
        first += [(33421, 3, bytes((2, 0, 2, 0))), (33422, 1, bytes((0, 1, 1, 2))), (271, 2, b"Maker\0")]
        first += [
            (50706, 1, bytes((1, 4, 0, 0))),
            (50721, 10, struct.pack("<18i", *[1, 1, *[0, 1] * 3] * 2, 1, 1)),
        ]
        second = [(tag, kind, struct.pack("<" + NUMBER[kind], value)) for tag, (kind, value) in small.items()]
        second += [(258, 3, bytes((8, 0) * 3))]
        behind = 8 + len(_directory(first, 8, "<", False))
        return _directory(first, 8, "<", False, behind) + _directory(second, behind, "<", False)

    head = struct.pack("<2sHI", b"II", 42, 8)
    return head + directories(8 + len(directories(0))) + struct.pack("<H", 2000) * 128 * 96 + preview


def _directory(entries: list[Entry], start: int, order: str, big: bool, following: int = 0) -> bytes:
    entries = sorted(entries, key=lambda entry: entry[0])
    room, count, form = (8, "Q", "HHQ") if big else (4, "H", "HHI")
    size = struct.calcsize(order + count) + len(entries) * (struct.calcsize(order + form) + room) + room
    directory, behind = struct.pack(order + count, len(entries)), b""
    for tag, kind, value in entries:
        directory += struct.pack(order + form, tag, kind, len(value) // SIZES[kind])
        if len(value) > room:
            directory += struct.pack(order + ("Q" if big else "I"), start + size + len(behind))
            behind += value
        else:
            directory += value.ljust(room, b"\0")
    return directory + struct.pack(order + ("Q" if big else "I"), following) + behind
