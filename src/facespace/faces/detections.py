"""What a detector found in one picture: parallel arrays, validated once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facespace.errors import InputError


@dataclass(frozen=True)
class Detections:
    """Faces of one picture, highest score first.

    Attributes:
        boxes_xyxy: float32, shape (N, 4), pixels of the upright picture.
        landmarks_xy: float32, shape (N, 5, 2): left eye, right eye, nose, left and right mouth corner as seen
            in the picture.
        scores: float32, shape (N,), the detector's confidence in [0, 1].
    """

    boxes_xyxy: NDArray[np.float32]
    landmarks_xy: NDArray[np.float32]
    scores: NDArray[np.float32]

    def __post_init__(self) -> None:
        n = len(self.scores)
        expected = {"boxes_xyxy": (n, 4), "landmarks_xy": (n, 5, 2), "scores": (n,)}
        for name, shape in expected.items():
            array = np.asarray(getattr(self, name), np.float32)
            if array.shape != shape:
                raise InputError(f"Detections.{name}: expected shape {shape}, got {array.shape}")
            object.__setattr__(self, name, array)

    @classmethod
    def empty(cls) -> "Detections":
        """No faces."""
        return cls(np.zeros((0, 4)), np.zeros((0, 5, 2)), np.zeros(0))  # type: ignore[arg-type]

    @classmethod
    def joined(cls, parts: "Sequence[Detections]") -> "Detections":
        """Faces of several pictures, or several looks at one, one after another."""
        parts = [cls.empty(), *parts]
        names = ("boxes_xyxy", "landmarks_xy", "scores")
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, index: slice | NDArray[np.int_] | NDArray[np.bool_]) -> "Detections":
        """A part of the faces, by slice, index array or boolean mask."""
        return Detections(self.boxes_xyxy[index], self.landmarks_xy[index], self.scores[index])

    def __iter__(self) -> Iterator["Detections"]:
        return (self[i : i + 1] for i in range(len(self)))

    @property
    def areas_px(self) -> NDArray[np.float32]:
        """Box areas in square pixels, shape (N,)."""
        sides = np.maximum(self.boxes_xyxy[:, 2:] - self.boxes_xyxy[:, :2], 0.0)
        return sides[:, 0] * sides[:, 1]

    def scaled(self, factor: float) -> "Detections":
        """The same faces in a picture that is ``factor`` times as large.

        Pixel centres are at integer coordinates, so that x maps to (x + 0.5) * factor - 0.5.
        """
        if factor == 1:
            return self
        return Detections(
            (self.boxes_xyxy + 0.5) * factor - 0.5, (self.landmarks_xy + 0.5) * factor - 0.5, self.scores
        )
