"""Face regions as other programs keep them, and the boxes of a library: the same rectangles in two frames.

A region is of the picture *as stored*, before the EXIF orientation is applied. So says the Metadata Working Group
(Guidelines for Handling Image Metadata 2.0, section 5.9: "Region metadata is applied to the stored image"), and so do
digiKam (`TagRegion::adjustToOrientation` when it reads), immich (`orientRegionInfo`) and, by what migrates from it,
Picasa; exiftool passes regions on as they are. A library's boxes are of the upright picture.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facespace.faces.matching import box_iou

Area = tuple[float, float, float, float]
Box = tuple[float, float, float, float]

# Programs draw faces with more or less hair around them: a square of Lightroom and a tight box overlap by a quarter.
MIN_IOU = 0.2
MAX_REGIONS = 5_000  # of a photo: several times the faces of the largest group pictures
SIDEWAYS = (5, 6, 7, 8)
INVERSE = {6: 8, 8: 6}


@dataclass(frozen=True)
class Region:
    """A face as a program keeps it beside or in a photo.

    Attributes:
        name: as written there, perhaps empty.
        area: x and y of the centre, width and height, as shares of the width and height of the stored picture.
        problem: why the name cannot be known, if it cannot.
    """

    name: str
    area: Area
    problem: str | None = None


def area_of_box(box_xyxy: Box, size_hw: tuple[int, int], orientation: int = 1) -> Area:
    """The area of a box, cut at the picture's edge.

    Args:
        box_xyxy: pixels of the upright picture, centres of pixels at integers.
        size_hw: of the upright picture.
        orientation: as EXIF has it, 1 to 8, of the picture that the area is of.
    """
    height, width = size_hw
    x0, x1 = (min(1.0, max(0.0, (x + 0.5) / width)) for x in (box_xyxy[0], box_xyxy[2]))
    y0, y1 = (min(1.0, max(0.0, (y + 0.5) / height)) for y in (box_xyxy[1], box_xyxy[3]))
    upright = ((x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0)
    return _turned(upright, INVERSE.get(orientation, orientation))


def box_of_area(area: Area, size_hw: tuple[int, int], orientation: int = 1) -> Box:
    """The box in pixels of the upright picture; see `area_of_box`."""
    x, y, w, h = _turned(area, orientation)
    height, width = size_hw
    return (
        (x - w / 2) * width - 0.5,
        (y - h / 2) * height - 0.5,
        (x + w / 2) * width - 0.5,
        (y + h / 2) * height - 0.5,
    )


def _turned(area: Area, orientation: int) -> Area:
    """An area of the stored picture as one of the upright picture (EXIF 2.32, tag 0x0112)."""
    x, y, w, h = area
    if orientation in SIDEWAYS:
        x, y, w, h = y, x, h, w
    if orientation in (2, 3, 6, 7):
        x = 1.0 - x
    if orientation in (3, 4, 7, 8):
        y = 1.0 - y
    return x, y, w, h


def pair_up(regions: list[Box], faces: list[Box]) -> list[int | None]:
    """The face of each region, the best overlap first; no face is taken twice.

    Overlap is intersection over union; a pair with little of it still counts where each holds the other's centre.
    """
    if not regions or not faces:
        return [None] * len(regions)
    a, b = np.array(regions, np.float32), np.array(faces, np.float32)
    overlap = box_iou(a, b)
    overlap[(overlap < MIN_IOU) & ~(_holds(a, b) & _holds(b, a).T)] = 0
    found: list[int | None] = [None] * len(regions)
    taken: set[int] = set()
    rows, columns = np.nonzero(overlap > 0)
    for place in np.argsort(-overlap[rows, columns], kind="stable"):
        i, j = int(rows[place]), int(columns[place])
        if found[i] is None and j not in taken:
            found[i] = j
            taken.add(j)
    return found


def _holds(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether each of (N, 4) holds the centre of each of (M, 4), shape (N, M)."""
    centre = (b[:, :2] + b[:, 2:]) / 2
    inside = (centre >= a[:, None, :2]) & (centre <= a[:, None, 2:])
    return np.asarray(inside.all(-1))


def orientation_of(
    regions: tuple[Region, ...],
    applied_wh: tuple[float, float] | None,
    faces: list[Box],
    size_hw: tuple[int, int],
    orientation: int,
) -> int:
    """The orientation of the picture that regions are of: that of the stored one, or 1 for those of the upright one.

    Some programs write regions of the picture as they show it. They are believed where AppliedToDimensions gives the
    upright size of a picture that is stored sideways, and more faces lie in the regions so.

    Args:
        regions: read from one packet.
        applied_wh: the packet's AppliedToDimensions in pixels.
        faces: boxes of the faces found.
        size_hw: of the upright picture.
        orientation: of the stored picture.
    """
    height, width = size_hw
    if orientation not in SIDEWAYS or width == height or applied_wh != (float(width), float(height)):
        return orientation

    def n_paired(as_if: int) -> int:
        pairs = pair_up([box_of_area(region.area, size_hw, as_if) for region in regions], faces)
        return len(pairs) - pairs.count(None)

    return 1 if n_paired(1) > n_paired(orientation) else orientation
