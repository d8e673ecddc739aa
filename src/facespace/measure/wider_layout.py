"""WIDER FACE's layout (Yang et al., 2016): photographs by event, with boxes and their attributes, without landmarks."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.faces.split import read_label_lines

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
    return read_label_lines(folder, "WIDER's labels", _photo)


def _photo(folder: Path, entry: dict[str, Any]) -> WiderPhoto:
    faces = entry["faces"]
    return WiderPhoto(
        path=folder / entry["photo"],
        name=entry["photo"],
        size_hw=(int(entry["height"]), int(entry["width"])),
        boxes_xyxy=np.array([f["box_xyxy"] for f in faces], np.float32).reshape(-1, 4),
        invalid=np.array([f["invalid"] for f in faces], np.bool_),
        occlusion=np.array([f["occlusion"] for f in faces], np.int64),
    )
