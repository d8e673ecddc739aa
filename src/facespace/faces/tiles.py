"""Large and wide pictures in tiles, so that their faces are not smaller than the detector can see.

A detector sees a picture at 640 px, whatever its shape: of a picture 12,000 px wide a face of 200 px is 11 px there.
Pictures in which a face as large as the embedder's input would fall under the detector's least size, and those much
longer than high, are looked at in overlapping tiles as well as whole. Each tile costs what an ordinary photo costs.
"""

from dataclasses import dataclass
from math import ceil
from typing import Literal

import numpy as np

from facespace.errors import InputError

Tiles = Literal["auto", "off"] | int

INPUT_PX = 640
LEAST_SEEN_PX = 11  # of a face at the network's input
FACE_PX = 112  # of a face that fills the embedder's input
LONGEST_UNTILED_PX = INPUT_PX * FACE_PX // LEAST_SEEN_PX  # 6,516: above, such faces would be missed
TILE_PX = LONGEST_UNTILED_PX // 2  # once in tiles, faces of half that size are found too
WIDEST = 2.5  # longest side over the other: panoramas, not films or screens
TILE_WIDEST = 1.75
OVERLAP = 0.15  # of a tile: larger faces are seen in the whole picture
MOST_TILES = 48
DETAIL = 2  # crops keep detail at twice the scale at which faces are found


@dataclass(frozen=True)
class Region:
    """A tile: left, top, right and bottom in pixels of the picture."""

    left: int
    top: int
    right: int
    bottom: int


def read_tiles(text: str) -> Tiles:
    """A choice of tiles as it is typed: "auto", "off", or a number.

    Raises:
        InputError: something else.
    """
    choice: Tiles = int(text) if text.isascii() and text.isdigit() else text  # type: ignore[assignment]
    grid((1, 1), choice)
    return choice


def grid(size_hw: tuple[int, int], tiles: Tiles = "auto") -> tuple[int, int]:
    """Rows and columns of tiles for a picture of that size; (1, 1) for an ordinary one.

    Args:
        size_hw: of the whole picture.
        tiles: "auto" decides by shape and size, "off" never divides, a number is that of tiles along the longest
            side of any picture.

    Raises:
        InputError: another word, or a number below one or above MOST_TILES.
    """
    height, width = size_hw
    longest, other = max(height, width, 1), max(min(height, width), 1)
    if tiles == "off":
        return 1, 1
    if tiles == "auto":
        is_wide = longest > INPUT_PX and longest > WIDEST * other
        if not is_wide and longest <= LONGEST_UNTILED_PX:
            return 1, 1
        side = min(TILE_PX, max(TILE_WIDEST * other, INPUT_PX)) if is_wide else TILE_PX
    elif isinstance(tiles, int) and 1 <= tiles <= MOST_TILES:
        side = longest / tiles
    else:
        raise InputError(f"tiles: expected auto, off or a number from 1 to {MOST_TILES}, got {tiles!r}")
    return _bounded(ceil(height / side), ceil(width / side))


def _bounded(rows: int, columns: int) -> tuple[int, int]:
    """At most MOST_TILES in all, by larger tiles."""
    while rows * columns > MOST_TILES:
        rows, columns = (rows - 1, columns) if rows > columns else (rows, columns - 1)
    return max(rows, 1), max(columns, 1)


def regions(size_hw: tuple[int, int], rows_columns: tuple[int, int]) -> list[Region]:
    """The tiles of a picture, row by row; neighbours share OVERLAP of a tile."""
    rows, columns = (_spans(side, n) for side, n in zip(size_hw, rows_columns, strict=True))
    return [Region(left, top, right, bottom) for top, bottom in rows for left, right in columns]


def _spans(length: int, n: int) -> list[tuple[int, int]]:
    """``n`` equal stretches of 0..length with that overlap."""
    size = length / (n - (n - 1) * OVERLAP)
    starts = [round(i * size * (1 - OVERLAP)) for i in range(n)]
    return [(start, min(ceil(start + size), length)) for start in starts]


def touches_seam(boxes_xyxy: np.ndarray, region: Region, size_hw: tuple[int, int]) -> np.ndarray:
    """Which boxes, in pixels of the tile, reach an edge that is not the picture's: bool (N,).

    Their faces are cut there; a neighbour, or the whole picture, shows them complete.
    """
    low = np.array([region.left > 0, region.top > 0])
    high = np.array([region.right < size_hw[1], region.bottom < size_hw[0]])
    ends = np.array([region.right - region.left, region.bottom - region.top]) - 2
    return ((boxes_xyxy[:, :2] < 1) & low).any(1) | ((boxes_xyxy[:, 2:] > ends) & high).any(1)


def decoded_side_px(size_hw: tuple[int, int], tiles: Tiles = "auto") -> int:
    """The longest side at which a picture need be decoded, for its faces to be found and cut out in full detail."""
    rows, columns = grid(size_hw, tiles)
    if rows * columns == 1:
        return DETAIL * INPUT_PX
    tile = regions(size_hw, (rows, columns))[0]
    longest = max(tile.right - tile.left, tile.bottom - tile.top)
    return min(ceil(DETAIL * INPUT_PX * max(size_hw) / longest), max(size_hw))
