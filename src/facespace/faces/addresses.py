"""How people name a face: `PHOTO#K`, the K-th face of the photo from the left; `PHOTO` where it shows one face.

`K` counts the faces that were found, by the left edge of their box.
"""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facespace.errors import InputError


def split_address(address: str | Path) -> tuple[str, int | None]:
    """Photo and K of `PHOTO#K`; K is None where it is not given, as in a file that is really called `a#1`."""
    text = str(address)
    found = None if Path(text).exists() else re.fullmatch(r"(.+)#(\d{1,9})", text, re.DOTALL)
    return (found[1], int(found[2])) if found else (text, None)


def from_left(boxes_xyxy: NDArray[np.floating]) -> NDArray[np.intp]:
    """The faces of one photo from left to right: their indices.

    Args:
        boxes_xyxy: shape (N, 4).
    """
    return np.argsort(boxes_xyxy[:, 0], kind="stable")


def face_at(boxes_xyxy: NDArray[np.floating], k: int, photo: str | Path) -> int:
    """The index of the K-th face from the left.

    Raises:
        InputError: the photo shows fewer faces, or K is 0.
    """
    if not 1 <= k <= len(boxes_xyxy):
        raise InputError(
            f"{photo}#{k}: expected face 1 to {len(boxes_xyxy)} of the photo, counted from the left"
        )
    return int(from_left(boxes_xyxy)[k - 1])


def address_of(boxes_xyxy: NDArray[np.floating], index: int, photo: str | Path) -> str:
    """`PHOTO#K` of a face; `PHOTO` where there is one."""
    if len(boxes_xyxy) == 1:
        return str(photo)
    return f"{photo}#{int(np.flatnonzero(from_left(boxes_xyxy) == index)[0]) + 1}"
