"""Distillation: an embedder that exists teaches a smaller one where each face lies in its space.

A teacher needs no labels, so that it also teaches what shows one person once, or nobody: the blend of two faces lies
between two people, and a student that is told where learns more of the space than the identities at hand span.
"""

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facespace.errors import DataError
from facespace.models import ModelSpec
from facespace.training.data import Faces

__all__ = ["Blends", "Lessons", "Teacher", "distillation_loss", "prepare_lessons"]

CHUNK = 256
# How much of the first face a blend holds; nearer to a half it is neither of the two.
BLEND_SHARE = (0.35, 0.65)


class Teacher(Protocol):
    """An embedder that may be called from several threads, such as `facespace.embed.Embedder`."""

    spec: ModelSpec

    def embed(self, crops: NDArray[np.uint8], *, flip: bool = False) -> NDArray[np.float32]:
        """Unit rows (N, D) of uint8 crops (N, H, W, 3)."""


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


def distillation_loss(embeddings: Tensor, targets: Tensor, *, relations: float = 0.0) -> Tensor:
    """Mean squared distance to the teacher's vectors, plus ``relations`` times that between all pairs' cosines.

    Args:
        embeddings: unit rows, shape (N, D).
        targets: unit rows of the teacher, shape (N, D).
        relations: weight of the second term; it asks how faces lie to each other, not where.
    """
    vectors = (embeddings - targets).square().sum(1).mean()
    if not relations:
        return vectors
    return vectors + relations * (embeddings @ embeddings.T - targets @ targets.T).square().mean()


def prepare_lessons(
    teacher: Teacher,
    faces: Faces,
    cache: Path,
    *,
    n_blends: int = 0,
    seed: int = 0,
    on_face: Callable[[int, int], None] | None = None,
) -> Lessons:
    """Embed all faces and ``n_blends`` blends by the teacher, once; later runs read ``cache``, a folder.

    The cache is found by the teacher's weights, the faces' names and the options, so that it is never another's.

    Raises:
        DataError: faces of another size than the teacher takes.
    """
    if faces.size_hw != teacher.spec.input_hw:
        raise DataError(
            f"the teacher {teacher.spec.label} takes crops of {teacher.spec.input_hw}, the training pictures are of "
            f"{faces.size_hw}; export them at the teacher's size"
        )
    path = cache / f"lessons-{_key(teacher, faces, n_blends, seed)}.npz"
    rng = np.random.default_rng((seed, 7))
    first, second = (rng.integers(0, len(faces), n_blends) for _ in range(2))
    weight = rng.uniform(*BLEND_SHARE, n_blends).astype(np.float32)
    if path.is_file():
        stored = np.load(path)
        return Lessons(stored["targets"], Blends(first, second, weight, stored["blends"]))
    blends = Blends(first, second, weight, np.zeros((n_blends, teacher.spec.dim), np.float32))
    total = len(faces) + n_blends
    report = on_face or (lambda done, total: None)
    targets = _embed(teacher, faces.crops, len(faces), lambda done: report(done, total))
    of_blends = _embed(
        teacher, lambda i: blends.crops(faces, i), n_blends, lambda done: report(len(faces) + done, total)
    )
    cache.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, targets=targets, blends=of_blends)
    partial.replace(path)
    return Lessons(targets, Blends(first, second, weight, of_blends))


def _embed(
    teacher: Teacher,
    crops: Callable[[NDArray[np.int64]], NDArray[np.uint8]],
    n: int,
    on_done: Callable[[int], None],
) -> NDArray[np.float32]:
    chunks = [np.arange(start, min(start + CHUNK, n)) for start in range(0, n, CHUNK)]
    rows = [np.zeros((0, teacher.spec.dim), np.float32)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for chunk, part in zip(
            chunks, pool.map(lambda c: teacher.embed(crops(c), flip=True), chunks), strict=True
        ):
            rows.append(part)
            on_done(int(chunk[-1]) + 1)
    return np.concatenate(rows)


def _key(teacher: Teacher, faces: Faces, n_blends: int, seed: int) -> str:
    digest = hashlib.sha256(teacher.spec.sha256.encode())
    digest.update("\n".join(faces.identities).encode())
    digest.update(np.ascontiguousarray(faces.labels).tobytes())
    digest.update(f"{n_blends} {seed} {BLEND_SHARE}".encode())
    return digest.hexdigest()[:16]
