"""Distillation: an existing embedder teaches a smaller one where each face lies in its space.

A teacher needs no labels. It can therefore teach from people with one picture, and from blends of two faces, which lie
between two people: they show more of the space than the training identities span.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facespace.training.data import Faces
from facespace.training.frozen import Crops, FrozenModel, ask_once, digest_of
from facespace.workers import Workers

# The share of the first face in a blend; nearer to a half it is neither of the two.
BLEND_SHARE = (0.35, 0.65)


@dataclass(frozen=True)
class Blends:
    """M pictures, each weight x first + (1 - weight) x second of two faces.

    Attributes:
        first_idx: int64, shape (M,), into the faces.
        second_idx: int64, shape (M,).
        weight: float32, shape (M,), of the first.
    """

    first_idx: NDArray[np.int64]
    second_idx: NDArray[np.int64]
    weight: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.weight)

    def crops(self, of_faces: Crops, blend_idx: NDArray[np.int64]) -> NDArray[np.uint8]:
        """uint8 RGB, shape (len(blend_idx), H, W, 3), where ``of_faces`` gives the crops of faces."""
        weight = self.weight[blend_idx, None, None, None]
        first, second = (of_faces(i[blend_idx]) for i in (self.first_idx, self.second_idx))
        mixed: NDArray[np.uint8] = np.rint(first * weight + second * (1 - weight)).astype(np.uint8)
        return mixed


@dataclass(frozen=True)
class TeacherTargets:
    """The teacher's embeddings of every picture of a run: N faces, then M blends.

    Attributes:
        rows: float32 unit rows, shape (N + M, D), of each picture and its mirror image together.
        blends: may be empty.
    """

    rows: NDArray[np.float32]
    blends: Blends

    def identity_means(self, labels: NDArray[np.int64]) -> Tensor:
        """The teacher's mean direction of each identity: unit rows, shape (labels.max() + 1, D)."""
        sums = np.zeros((int(labels.max()) + 1, self.rows.shape[1]), np.float32)
        np.add.at(sums, labels, self.rows[: len(labels)])
        return torch.from_numpy(sums / np.linalg.norm(sums, axis=1, keepdims=True))


def draw_blends(among: NDArray[np.int64], n: int, seed: int) -> Blends:
    """``n`` blends of any two of the faces ``among``, int64 indices."""
    rng = np.random.default_rng((seed, 7))
    first, second = rng.choice(among, n), rng.choice(among, n)
    return Blends(first, second, rng.uniform(*BLEND_SHARE, n).astype(np.float32))


def ask_teacher(
    teacher: FrozenModel,
    faces: Faces,
    cache: Path,
    *,
    n_blends: int = 0,
    seed: int = 0,
    on_asked: Callable[[int, int], None] = lambda done, total: None,
    workers: Workers | None = None,
) -> TeacherTargets:
    """Embed all faces and ``n_blends`` blends by the teacher, once; later runs read ``cache``, a folder.

    The cached file is named by the teacher's weights, the faces' pixels and the options. Faces of another size than the
    teacher takes are resized.
    """
    path = cache / f"teacher-{digest_of(teacher, faces, f'{n_blends} {seed} {BLEND_SHARE}')}.npy"
    n, blends = len(faces), draw_blends(np.arange(len(faces)), n_blends, seed)

    def crops(item_idx: NDArray[np.int64]) -> NDArray[np.uint8]:
        return crops_of(faces, blends, item_idx)

    total = n + n_blends
    rows = ask_once(
        path, teacher, crops, total, flip=True, on_done=lambda done: on_asked(done, total), workers=workers
    )
    return TeacherTargets(rows, blends)


def crops_of(faces: Faces, blends: Blends, items: NDArray[np.int64]) -> NDArray[np.uint8]:
    """uint8 RGB (len(items), H, W, 3) of items: indices of N faces, and from N on of blends."""
    is_face = items < len(faces)
    if is_face.all():
        return faces.crops(items)
    made = np.empty((len(items), *faces.size_hw, 3), np.uint8)
    made[is_face] = faces.crops(items[is_face])
    made[~is_face] = blends.crops(faces.crops, items[~is_face] - len(faces))
    return made


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
