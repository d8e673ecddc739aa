"""WIDER FACE's layout (Yang et al., 2016): photographs by event, with boxes and their attributes, without landmarks."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facespace.errors import DataError

__all__ = ["HELD_OUT_EVENTS", "WiderPhoto", "read_wider"]

HELD_OUT_EVENTS = ("20--Family_Group", "13--Interview")  # to choose models by; no training step sees them

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class WiderPhoto:
    """One photograph.

    Attributes:
        path: of the picture.
        name: its event's folder and file name.
        size_hw: rows and columns.
        boxes_xyxy: float32, shape (N, 4), in pixels.
        invalid: bool, shape (N,): boxes that WIDER itself marks as not to be used.
        occlusion: int64, shape (N,): 0 none, 1 part, 2 heavy.
    """

    path: Path
    name: str
    size_hw: tuple[int, int]
    boxes_xyxy: Floats
    invalid: NDArray[np.bool_]
    occlusion: NDArray[np.int64]

    @property
    def is_held_out(self) -> bool:
        """Whether its event is kept from training."""
        return self.name.split("/")[0] in HELD_OUT_EVENTS


def read_wider(folder: Path) -> list[WiderPhoto]:
    """The photos that ``folder``/labels.jsonl lists, in its order.

    Raises:
        DataError: no such file, or a line that is no label.
    """
    labels = folder / "labels.jsonl"
    try:
        lines = labels.read_text("utf-8").splitlines()
    except OSError as error:
        raise DataError(f"{labels}: expected WIDER's labels, cannot read them: {error.strerror}") from error
    return [_photo(folder, line, f"{labels}:{number}") for number, line in enumerate(lines, 1) if line]


def _photo(folder: Path, line: str, where: str) -> WiderPhoto:
    try:
        entry = json.loads(line)
        faces = entry["faces"]
        return WiderPhoto(
            path=folder / entry["photo"],
            name=entry["photo"],
            size_hw=(int(entry["height"]), int(entry["width"])),
            boxes_xyxy=np.array([f["box_xyxy"] for f in faces], np.float32).reshape(-1, 4),
            invalid=np.array([f["invalid"] for f in faces], np.bool_),
            occlusion=np.array([f["occlusion"] for f in faces], np.int64),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{where}: expected an object with photo, width, height and faces, met {error!r}"
        ) from error
