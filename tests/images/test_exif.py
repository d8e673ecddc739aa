import struct

import pytest

from facespace.images.exif import Exif, exif_of
from tiff_parts import exif_block, tiff_block

AT = "2024-07-01T12:30:05"


@pytest.mark.parametrize("block", [None, b"", b"II", b"II*\0", b"Exif\0\0", b"x" * 40, bytes(40)])
def test_what_says_nothing_is_no_error(block: bytes | None) -> None:
    assert exif_of(block) == Exif()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("kind", "form", "values", "expected"),
    [
        (3, "H", (6,), 6),  # SHORT
        (3, "HH", (6, 1), 6),  # two of them
        (1, "B", (6,), 6),  # BYTE
        (2, "2s", (b"6\0",), 6),  # ASCII
        (7, "1s", (b"6",), 6),  # UNDEFINED
        (4, "I", (6,), 6),  # LONG
        (9, "i", (6,), 6),  # SLONG
        (5, "II", (6, 1), 6),  # RATIONAL
        (10, "ii", (12, 2), 6),  # SRATIONAL
        (12, "d", (6.0,), 6),  # DOUBLE
        (5, "II", (13, 2), 1),
        (5, "II", (6, 0), 1),
        (3, "H", (0,), 1),
        (3, "H", (9,), 1),
        (3, "H", (65535,), 1),
        (4, "I", (2**32 - 1,), 1),
        (9, "i", (-6,), 1),
        (12, "d", (float("nan"),), 1),
        (12, "d", (float("inf"),), 1),
        (2, "12s", (b"Rotate 90 CW",), 1),
        (2, "4s", (b"\xff\xb2\0\0",), 1),
        (3, "", (), 1),
    ],
)
def test_an_orientation_of_any_type(
    order: str, kind: int, form: str, values: tuple[object, ...], expected: int
) -> None:
    found = exif_of(exif_block((0x0112, kind, struct.pack(order + form, *values)), order=order)).orientation
    assert found == expected and type(found) is int


@pytest.mark.parametrize("big", [False, True])
def test_tiff_of_either_width(big: bool) -> None:
    block = tiff_block([(0x0112, 3, b"\6\0")], inner=[(0x9003, 2, b"2024:07:01 12:30:05\0")], big=big)
    assert exif_of(block) == Exif(6, AT)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024:07:01 12:30:05", AT),
        ("2024-07-01 12:30:05", AT),
        ("2024-07-01T12:30:05", AT),
        ("2024/07/01 12:30:05", AT),
        ("2024:07:01 12:30:05.123456789", AT),
        ("2024:07:01 12:30", "2024-07-01T12:30:00"),
        ("2024-07-01", "2024-07-01T00:00:00"),
        ("2024:07:01 12:30:05+02:00", AT + "+02:00"),
        ("2024-07-01T12:30:05.5-0330", AT + "-03:30"),
        ("2024-07-01T12:30:05Z", AT + "+00:00"),
        ("2024-07-01T12:30:05+99:00", AT),
        (" 2024:07:01 12:30:05 \0rest", AT),
        ("", None),
        ("0000:00:00 00:00:00", None),
        ("    :  :     :  :  ", None),
        ("2024:13:01 12:30:05", None),
        ("2024:02:30 12:30:05", None),
        ("2024:07:01 25:30:05", None),
        ("2024:07:01 12:61:05", None),
        ("99999:07:01 12:30:05", None),
        ("\u0662\u0660\u0662\u0664:07:01 12:30:05", None),
        ("yesterday", None),
    ],
)
def test_dates_as_cameras_and_programs_write_them(text: str, expected: str | None) -> None:
    assert exif_of(exif_block(taken=text)).taken_at == expected


@pytest.mark.parametrize(
    ("zone", "suffix"),
    [("+02:00", "+02:00"), ("-0330", "-03:30"), ("Z", "+00:00"), ("+25:00", ""), ("CEST", ""), ("", "")],
)
def test_the_zone_of_a_date(zone: str, suffix: str) -> None:
    assert exif_of(exif_block(taken="2024:07:01 12:30:05", zone=zone)).taken_at == AT + suffix


def test_a_date_that_makes_no_sense_leaves_the_next_one() -> None:
    assert exif_of(exif_block(taken="0000:00:00 00:00:00", digitised="2024:07:01 12:30:05")).taken_at == AT


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (b'<rdf:Description tiff:Orientation="8"/>', 8),
        (b"<tiff:Orientation>3</tiff:Orientation>", 3),
        (b'<rdf:Description tiff:Orientation="77"/>', 1),
        (b"", 1),
    ],
)
def test_xmp_speaks_where_exif_says_nothing(packet: bytes, expected: int) -> None:
    assert exif_of(None, packet).orientation == expected
    assert exif_of(tiff_block([(0x0112, 3, b"\6\0")]), packet).orientation == 6
    assert exif_of(tiff_block([(0x02BC, 1, packet)])).orientation == expected


def test_no_cut_and_no_offset_out_of_the_block_is_an_error() -> None:
    block = exif_block((0x0112, 3, b"\6\0"), taken="2024:07:01 12:30:05", zone="+02:00")
    for end in range(len(block)):
        exif_of(block[:end])
    for place in range(len(block)):
        exif_of(block[:place] + b"\xff\xff\xff\xff" + block[place + 4 :])
