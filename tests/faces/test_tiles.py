"""Tiles: which pictures get them, that they cover the picture, and that faces in large and wide ones are found."""

from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from facespace.errors import InputError
from facespace.extract.photos import extract_photos
from facespace.faces.detect import Detector
from facespace.faces.matching import box_iou
from facespace.faces.tiles import (
    INPUT_PX,
    OVERLAP,
    Region,
    Tiles,
    decoded_side_px,
    grid,
    read_tiles,
    regions,
    touches_seam,
)


@pytest.mark.parametrize(
    ("size_hw", "tiles", "expected"),
    [
        ((0, 0), "auto", (1, 1)),
        ((480, 640), "auto", (1, 1)),
        ((3000, 4000), "auto", (1, 1)),  # an ordinary photo
        ((4000, 6000), "auto", (1, 1)),
        ((1080, 1920), "auto", (1, 1)),  # a film
        ((100, 600), "auto", (1, 1)),  # wide, and smaller than the input
        ((2000, 12000), "auto", (1, 4)),
        ((12000, 2000), "auto", (4, 1)),
        ((400, 3000), "auto", (1, 5)),
        ((6000, 8000), "auto", (2, 3)),
        ((6000, 8000), "off", (1, 1)),
        ((3000, 4000), 2, (2, 2)),
        ((3000, 4000), 1, (1, 1)),
        ((60000, 60000), "auto", (7, 6)),
        ((50, 60000), "auto", (1, 48)),
    ],
)
def test_only_large_and_wide_pictures_are_divided(
    size_hw: tuple[int, int], tiles: Tiles, expected: tuple[int, int]
) -> None:
    assert grid(size_hw, tiles) == expected


@pytest.mark.parametrize("tiles", ["some", 0, -1, 49, 1.5])
def test_other_choices_are_refused(tiles: Tiles) -> None:
    with pytest.raises(InputError, match="tiles: expected auto, off or a number"):
        grid((100, 100), tiles)
    with pytest.raises(InputError, match="tiles: expected auto, off or a number"):
        Detector(tiles=tiles)


@pytest.mark.parametrize(("text", "choice"), [("auto", "auto"), ("off", "off"), ("1", 1), ("48", 48)])
def test_a_choice_is_read_as_typed(text: str, choice: Tiles) -> None:
    assert read_tiles(text) == choice


@pytest.mark.parametrize("text", ["", "on", "0", "99", "-3", "2.5"])
def test_what_is_no_choice_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="tiles: expected auto, off or a number"):
        read_tiles(text)


@pytest.mark.parametrize("size_hw", [(10, 10), (2000, 12000), (6000, 8000), (777, 5001)])
@pytest.mark.parametrize("rows_columns", [(1, 1), (1, 4), (2, 3)])
def test_tiles_cover_the_picture_and_overlap(size_hw: tuple[int, int], rows_columns: tuple[int, int]) -> None:
    tiles = regions(size_hw, rows_columns)
    assert len(tiles) == rows_columns[0] * rows_columns[1]
    seen = np.zeros(size_hw, np.uint8)
    for t in tiles:
        assert 0 <= t.left < t.right <= size_hw[1]
        assert 0 <= t.top < t.bottom <= size_hw[0]
        seen[t.top : t.bottom, t.left : t.right] = 1
    assert seen.all()
    if rows_columns == (1, 4):
        width = tiles[0].right - tiles[0].left
        assert all(a.right - b.left >= OVERLAP * width - 2 for a, b in pairwise(tiles))


def test_a_face_cut_by_a_seam_is_left_to_the_neighbour() -> None:
    region, size_hw = Region(100, 0, 200, 80), (80, 300)
    boxes = np.array(
        [[0, 10, 20, 30], [80, 10, 99.5, 30], [40, 0, 60, 20], [40, 10, 60, 79.5], [40, 40, 60, 60]]
    )
    assert touches_seam(boxes, region, size_hw).tolist() == [True, True, False, False, False]


@pytest.mark.parametrize(
    ("size_hw", "expected"),
    [((10, 10), 1280), ((3000, 4000), 1280), ((2000, 12000), 4544), ((6000, 8000), 3157)],
)
def test_pictures_are_decoded_at_twice_the_size_of_the_looks(size_hw: tuple[int, int], expected: int) -> None:
    assert decoded_side_px(size_hw) == pytest.approx(expected, abs=2)
    assert decoded_side_px(size_hw, "off") == 2 * INPUT_PX
    assert decoded_side_px(size_hw) == decoded_side_px(size_hw[::-1])


@pytest.fixture(scope="module")
def heads(data):  # type: ignore[no-untyped-def]
    """Six square pieces of photographs, each with one face about half as wide as the piece."""
    detector, pieces = Detector(tiles="off"), []
    for path in sorted((data / "photos").glob("*.jpg")):
        image = Image.open(path).convert("RGB")
        found = detector.detect(np.asarray(image))
        if len(found) != 1 or found.scores[0] < 0.7 or not 80 < np.sqrt(found.areas_px[0]) < 110:
            continue
        x, y = (found.boxes_xyxy[0, :2] + found.boxes_xyxy[0, 2:]) / 2
        piece = image.crop((round(x) - 100, round(y) - 100, round(x) + 100, round(y) + 100))
        pieces.append(piece.resize((400, 400)))
        if len(pieces) == 6:
            return pieces
    pytest.skip("no such photographs")


def pasted(
    size_wh: tuple[int, int], heads: list[Image.Image], places: list[tuple[int, int]], px: int
) -> Image.Image:
    picture = Image.new("RGB", size_wh, (96, 110, 120))
    for i, place in enumerate(places):
        picture.paste(heads[i % len(heads)].resize((px, px)), place)
    return picture


def expected_boxes(places: list[tuple[int, int]], px: int) -> np.ndarray:
    """Where the faces are, roughly: the middle of each piece."""
    corners = np.array(places, np.float32)
    return np.hstack([corners + 0.28 * px, corners + 0.72 * px]).astype(np.float32)


def share_found(boxes: np.ndarray, places: list[tuple[int, int]], px: int) -> float:
    return float((box_iou(expected_boxes(places, px), boxes).max(1, initial=0.0) > 0.3).mean())


def test_three_faces_in_a_wide_picture_are_found(heads, tmp_path) -> None:  # type: ignore[no-untyped-def]
    places = [(300, 700), (5600, 900), (11300, 600)]
    picture = pasted((12000, 2000), heads, places, 450)
    boxes = Detector().detect(np.asarray(picture)).boxes_xyxy
    assert share_found(boxes, places, 450) == 1
    assert len(boxes) == 3
    picture.save(tmp_path / "wide.jpg", quality=85)
    (photo,) = extract_photos([tmp_path / "wide.jpg"], Detector(), OnePixel(), workers=1)  # type: ignore[arg-type]
    assert share_found(photo.faces.boxes_xyxy, places, 450) == 1  # type: ignore[union-attr]


class OnePixel:
    """An embedder that only counts."""

    def __init__(self) -> None:
        from facespace.models import find_model, read_spec

        self.spec = read_spec(find_model(None, "embedder"))

    def embed(self, crops: np.ndarray) -> np.ndarray:
        return np.ones((len(crops), self.spec.dim), np.float32) / np.sqrt(self.spec.dim)


def test_nearly_all_faces_of_a_huge_mosaic_are_found_once(heads) -> None:  # type: ignore[no-untyped-def]
    places = [(int(x), int(y)) for y in range(40, 5800, 322) for x in range(40, 7700, 321)]
    picture = np.asarray(pasted((7800, 6000), heads, places, 130))
    without = Detector(tiles="off").detect(picture).boxes_xyxy
    with_tiles = Detector().detect(picture).boxes_xyxy
    assert share_found(with_tiles, places, 130) > 0.97 > share_found(without, places, 130)
    overlaps = box_iou(with_tiles, with_tiles) - np.eye(len(with_tiles), dtype=np.float32)
    assert overlaps.max() < 0.5
