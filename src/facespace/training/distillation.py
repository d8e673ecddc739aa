"""Distillation: an embedder that exists teaches a smaller one where each face lies in its space.

A teacher needs no labels, so that it also teaches what shows one person once, or nobody: the blend of two faces lies
between two people, and a student that is told where learns more of the space than the identities at hand span.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facespace.saved_files import written_beside
from facespace.training.data import Faces
from facespace.training.frozen import FrozenModel, ask, digest_of

__all__ = ["Blends", "Lessons", "distillation_loss", "prepare_lessons"]

# How much of the first face a blend holds; nearer to a half it is neither of the two.
BLEND_SHARE = (0.35, 0.65)


@dataclass(frozen=True)
class Blends:
    """Pictures w x first + (1 - w) x second of two faces, and where the teacher sees them.

    Attributes:
        first_idx: int64, shape (M,), into the faces.
        second_idx: int64, shape (M,).
        weight: float32, shape (M,), of the first.
        targets: float32 unit rows, shape (M, D).
    """

    first_idx: NDArray[np.int64]
    second_idx: NDArray[np.int64]
    weight: NDArray[np.float32]
    targets: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.weight)

    def crops(self, faces: Faces, blend_idx: NDArray[np.int64]) -> NDArray[np.uint8]:
        """uint8 RGB, shape (len(blend_idx), H, W, 3)."""
        weight = self.weight[blend_idx, None, None, None]
        first, second = (faces.crops(i[blend_idx]) for i in (self.first_idx, self.second_idx))
        mixed: NDArray[np.uint8] = np.rint(first * weight + second * (1 - weight)).astype(np.uint8)
        return mixed


@dataclass(frozen=True)
class Lessons:
    """The teacher's embeddings of everything that a run shows.

    Attributes:
        targets: float32 unit rows, shape (N, D): of each face and its mirror image together.
        blends: beside the faces; may be empty.
    """

    targets: NDArray[np.float32]
    blends: Blends

    def identity_means(self, labels: NDArray[np.int64]) -> Tensor:
        """The teacher's mean direction of each identity: unit rows, shape (labels.max() + 1, D)."""
        sums = np.zeros((int(labels.max()) + 1, self.targets.shape[1]), np.float32)
        np.add.at(sums, labels, self.targets)
        return torch.from_numpy(sums / np.linalg.norm(sums, axis=1, keepdims=True))


def distillation_loss(
    embeddings: Tensor, targets: Tensor, *, vectors: float = 1.0, relations: float = 0.0
) -> Tensor:
    """``vectors`` x mean squared distance to the teacher's vectors + ``relations`` x that between all pairs' cosines.

    Args:
        embeddings: unit rows, shape (N, D).
        targets: unit rows of the teacher, shape (N, E); E is D unless ``vectors`` is 0.
        vectors: weight of the first term; it asks where faces lie.
        relations: weight of the second; it asks how they lie to each other, in whatever space.
    """
    loss = embeddings.sum() * 0.0
    if vectors:
        loss = loss + vectors * (embeddings - targets).square().sum(1).mean()
    if relations:
        loss = loss + relations * (embeddings @ embeddings.T - targets @ targets.T).square().mean()
    return loss


def prepare_lessons(
    teacher: FrozenModel,
    faces: Faces,
    cache: Path,
    *,
    n_blends: int = 0,
    seed: int = 0,
    on_face: Callable[[int, int], None] | None = None,
) -> Lessons:
    """Embed all faces and ``n_blends`` blends by the teacher, once; later runs read ``cache``, a folder.

    The cache is found by the teacher's weights, the faces' pixels and the options, so that it is never another's. Faces
    of another size than the teacher takes are resized.
    """
    digest = digest_of(teacher, faces, f"{n_blends} {seed} {BLEND_SHARE}")
    path = cache / f"lessons-{digest}.npz"
    rng = np.random.default_rng((seed, 7))
    first, second = (rng.integers(0, len(faces), n_blends) for _ in range(2))
    weight = rng.uniform(*BLEND_SHARE, n_blends).astype(np.float32)
    if path.is_file():
        stored = np.load(path)
        return Lessons(stored["targets"], Blends(first, second, weight, stored["blends"]))
    blends = Blends(first, second, weight, np.zeros((n_blends, teacher.spec.dim), np.float32))
    total = len(faces) + n_blends
    report = on_face or (lambda done, total: None)
    targets = ask(teacher, faces.crops, len(faces), flip=True, on_done=lambda done: report(done, total))
    of_blends = ask(
        teacher,
        lambda i: blends.crops(faces, i),
        n_blends,
        flip=True,
        on_done=lambda done: report(len(faces) + done, total),
    )
    with written_beside(path) as partial, partial.open("wb") as file:
        np.savez(file, targets=targets, blends=of_blends)
    return Lessons(targets, Blends(first, second, weight, of_blends))
