"""Which labelled photos are held out: decided by the bytes of each file, so that no list can go stale."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from facespace.errors import DataError

Photo = TypeVar("Photo")


@dataclass(frozen=True)
class LabelledPhoto:
    """One photo with its labelled faces.

    Attributes:
        path: of the photo.
        size_hw: its rows and columns.
        boxes_xyxy: float32, shape (N, 4), in pixels.
        landmarks_xy: float32, shape (N, 5, 2).
        scores: float32, shape (N,), of the detector that made the labels.
    """

    path: Path
    size_hw: tuple[int, int]
    boxes_xyxy: NDArray[np.float32]
    landmarks_xy: NDArray[np.float32]
    scores: NDArray[np.float32]


def is_held_out(photo: Path, *, every: int = 10) -> bool:
    """True for one photo in ``every``, by the sha256 of its bytes: never trained on, only measured."""
    return int(hashlib.sha256(photo.read_bytes()).hexdigest()[:8], 16) % every == 0


def read_labels(folder: Path) -> list[LabelledPhoto]:
    """The photos that ``folder``/labels.jsonl lists, in its order.

    Raises:
        DataError: no such file, or a line that is no label.
    """
    return read_label_lines(folder, "face labels", _labelled)


def read_label_lines(folder: Path, what: str, make: Callable[[Path, dict[str, Any]], Photo]) -> list[Photo]:
    """What ``make`` gives of ``folder`` and each line of ``folder``/labels.jsonl, in its order.

    Args:
        folder: of the photos.
        what: the labels are, for errors.
        make: takes an entry to pieces; a KeyError, TypeError or ValueError tells that it is none.

    Raises:
        DataError: no such file, or a line that is no label.
    """
    labels = folder / "labels.jsonl"
    try:
        lines = labels.read_text("utf-8").splitlines()
    except OSError as error:
        raise DataError(f"{labels}: expected {what}, cannot read them: {error.strerror}") from error
    made = []
    for number, line in enumerate(lines, 1):
        try:
            if line:
                made.append(make(folder, json.loads(line)))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"{labels}:{number}: expected an object with photo, width, height and faces, met {error!r}"
            ) from error
    return made


def _labelled(folder: Path, entry: dict[str, Any]) -> LabelledPhoto:
    faces = entry["faces"]
    return LabelledPhoto(
        path=folder / entry["photo"],
        size_hw=(int(entry["height"]), int(entry["width"])),
        boxes_xyxy=np.array([f["box_xyxy"] for f in faces], np.float32).reshape(-1, 4),
        landmarks_xy=np.array([f["landmarks_xy"] for f in faces], np.float32).reshape(-1, 5, 2),
        scores=np.array([f["score"] for f in faces], np.float32),
    )
