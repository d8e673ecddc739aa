"""Templates of one model as parallel arrays: to write, and as they are stored."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class NewTemplates:
    """Templates of one model to write; parallel arrays of N.

    Attributes:
        model: sha256 of the embedder.
        face_id: int64, shape (N,), each once.
        vectors: int8, shape (N, D), quantised by the byte scale of the model's stored spec.
        quality: float32, shape (N,), in [0, 1]; nan where it is not known.
    """

    model: str
    face_id: NDArray[np.int64]
    vectors: NDArray[np.int8]
    quality: NDArray[np.float32]

    def __getitem__(self, which: NDArray[np.bool_] | slice) -> "NewTemplates":
        """Some of them."""
        return NewTemplates(self.model, self.face_id[which], self.vectors[which], self.quality[which])


@dataclass(frozen=True)
class Templates:
    """Templates of one model; parallel arrays of N.

    Attributes:
        model: sha256 of the embedder.
        template_id: int64, shape (N,), increasing, never used twice; a template that replaces one has a new one.
        face_id: int64, shape (N,).
        vectors: int8, shape (N, D), quantised by the byte scale of the model's stored spec.
        quality: float32, shape (N,), in [0, 1]; nan where it is not known.
    """

    model: str
    template_id: NDArray[np.int64]
    face_id: NDArray[np.int64]
    vectors: NDArray[np.int8]
    quality: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.face_id)
