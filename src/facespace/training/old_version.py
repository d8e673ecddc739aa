"""What an older model says of the faces of a run, so that a newer one can learn to meet it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facespace.saved_files import written_beside
from facespace.training.data import Faces
from facespace.training.frozen import FrozenModel, ask, digest_of

__all__ = ["OldVersion", "ask_old_version"]


@dataclass(frozen=True)
class OldVersion:
    """An older model, v1, on the faces of a run.

    Attributes:
        sha256: of its weights.
        label: for people.
        rows: its unit rows of the training faces as a gallery would hold them, shape (N, D).
        watched: of the watched faces, shape (M, D); None where nothing is watched.
    """

    sha256: str
    label: str
    rows: NDArray[np.float32]
    watched: NDArray[np.float32] | None = None


def ask_old_version(
    model: FrozenModel,
    faces: Faces,
    watched: Faces | None,
    cache: Path,
    *,
    on_face: Callable[[int, int], None] | None = None,
) -> OldVersion:
    """Embed all faces by the older model, once; later runs read ``cache``, a folder."""
    total, report = len(faces) + len(watched or ()), on_face or (lambda done, total: None)
    rows = _kept(model, faces, cache, lambda done: report(done, total))
    of_watched = None
    if watched is not None:
        of_watched = _kept(model, watched, cache, lambda done: report(len(faces) + done, total))
    return OldVersion(model.spec.sha256, model.spec.label, rows, of_watched)


def _kept(
    model: FrozenModel, faces: Faces, cache: Path, on_done: Callable[[int], None]
) -> NDArray[np.float32]:
    path = cache / f"old-{digest_of(model, faces, str(faces.size_hw))}.npy"
    if path.is_file():
        kept: NDArray[np.float32] = np.load(path, allow_pickle=False)
        return kept
    rows = ask(model, faces.crops, len(faces), flip=False, on_done=on_done)
    with written_beside(path) as partial, partial.open("wb") as file:
        np.save(file, rows)
    return rows
