"""Boxes of upright pictures <-> areas of stored ones, beside pictures that Pillow turns."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from drawn_album import STORED
from facespace.library.exchange.regions import Region, area_of_box, box_of_area, orientation_of, pair_up

ORIENTATIONS = st.integers(1, 8)


@st.composite
def pixel_boxes(draw: st.DrawFn) -> tuple[tuple[int, int], tuple[int, int, int, int]]:
    """Size (height, width) of a picture and first and last column and row of a rectangle in it."""
    height, width = draw(st.integers(2, 40)), draw(st.integers(2, 40))
    left, top = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    return (height, width), (
        left,
        top,
        draw(st.integers(left, width - 1)),
        draw(st.integers(top, height - 1)),
    )


@given(pixel_boxes(), ORIENTATIONS)
def test_an_area_lies_where_the_stored_picture_shows_the_box(
    drawn: tuple[tuple[int, int], tuple[int, int, int, int]], orientation: int
) -> None:
    (height, width), (left, top, right, bottom) = drawn
    upright = np.zeros((height, width), np.uint8)
    upright[top : bottom + 1, left : right + 1] = 255
    turn = STORED[orientation]
    image = Image.fromarray(upright)
    stored = image if turn is None else image.transpose(turn)
    rows, columns = np.nonzero(np.asarray(stored))
    x0, x1 = columns.min() / stored.width, (columns.max() + 1) / stored.width
    y0, y1 = rows.min() / stored.height, (rows.max() + 1) / stored.height
    box = (left - 0.5, top - 0.5, right + 0.5, bottom + 0.5)  # centres of pixels at integers
    area = area_of_box(box, (height, width), orientation)
    assert area == pytest.approx(((x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0))
    assert box_of_area(area, (height, width), orientation) == pytest.approx(box, abs=1e-9)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_stored_and_upright_are_meant_as_exif_means_them(orientation: int) -> None:
    upright = Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3))
    turn = STORED[orientation]
    stored = upright if turn is None else upright.transpose(turn)
    stored.getexif()[0x0112] = orientation
    assert np.array_equal(np.asarray(ImageOps.exif_transpose(stored)), np.asarray(upright))


@pytest.mark.parametrize(
    ("orientation", "area"),
    [
        (1, (0.2, 0.3, 0.2, 0.4)),
        (6, (0.3, 0.8, 0.4, 0.2)),
        (8, (0.7, 0.2, 0.4, 0.2)),
        (3, (0.8, 0.7, 0.2, 0.4)),
    ],
)
def test_areas_worked_out_by_hand(orientation: int, area: tuple[float, ...]) -> None:
    assert area_of_box((99.5, 49.5, 299.5, 249.5), (500, 1000), orientation) == pytest.approx(area)


def test_a_box_is_cut_at_the_edge() -> None:
    assert area_of_box((-9.0, 20.0, 19.5, 200.0), (100, 100)) == pytest.approx((0.1, 0.6025, 0.2, 0.795))


PAIRS = [
    ([], [], []),
    ([(0, 0, 9, 9)], [], [None]),
    ([(0, 0, 9, 9)], [(0, 0, 9, 9)], [0]),
    ([(0, 0, 9, 9), (1, 1, 10, 10)], [(1, 1, 10, 10)], [None, 0]),  # the better one takes it
    ([(0, 0, 100, 100)], [(40, 40, 60, 60)], [0]),  # a tight box in the middle of a generous one
    ([(0, 0, 100, 100)], [(5, 5, 25, 25)], [None]),  # a face at the edge of a large region
    ([(0, 0, 10, 10)], [(8, 8, 20, 20)], [None]),
    ([(0, 0, 10, 10), (20, 0, 30, 10)], [(21, 0, 31, 10), (1, 0, 11, 10)], [1, 0]),
]


@pytest.mark.parametrize(("regions", "faces", "expected"), PAIRS)
def test_regions_and_faces_are_paired_once(regions: list, faces: list, expected: list) -> None:
    assert pair_up(regions, faces) == expected


SIDEWAYS = (Region("Ann", area_of_box((10, 10, 30, 30), (100, 50), 6)),)
UPRIGHT = (Region("Ann", area_of_box((10, 10, 30, 30), (100, 50))),)


@pytest.mark.parametrize(
    ("regions", "applied_wh", "orientation", "expected"),
    [
        (SIDEWAYS, (100.0, 50.0), 6, 6),
        (SIDEWAYS, None, 6, 6),
        (UPRIGHT, (50.0, 100.0), 6, 1),  # of the picture as shown: the dimensions and the face say so
        (UPRIGHT, None, 6, 6),
        (SIDEWAYS, (50.0, 100.0), 6, 6),  # wrong dimensions alone turn nothing
        (UPRIGHT, (50.0, 100.0), 3, 3),
    ],
)
def test_regions_are_of_the_stored_picture_unless_all_speaks_for_the_other(
    regions: tuple[Region, ...], applied_wh: tuple[float, float] | None, orientation: int, expected: int
) -> None:
    assert orientation_of(regions, applied_wh, [(10, 10, 30, 30)], (100, 50), orientation) == expected
