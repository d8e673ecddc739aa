"""Batches for online mining (paper, section 3.2): faces of chosen identities, then random negatives."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facespace.errors import InputError


@dataclass(frozen=True)
class TripletSampler:
    """Deterministic batches of face indices.

    Within an epoch every face of an identity with two faces or more is an anchor about once: the faces of an
    identity are split into groups of up to ``faces_per_identity``, groups are added to a batch until the
    anchors' share is reached, and the rest of the batch is drawn from all faces as negatives.

    Attributes:
        labels: int, shape (N,).
        batch_size: faces a batch (1,800 in the paper).
        faces_per_identity: at most so many of one identity as anchors (about 40 in the paper).
        anchor_share: the part of a batch that anchors fill.
        seed: with the epoch's number the only source of chance.
    """

    labels: NDArray[np.int64]
    batch_size: int = 1800
    faces_per_identity: int = 40
    anchor_share: float = 0.85
    seed: int = 0

    def __post_init__(self) -> None:
        if self.faces_per_identity < 2 or self.batch_size < self.faces_per_identity:
            raise InputError(
                "expected 2 <= faces_per_identity <= batch_size, got "
                f"faces_per_identity {self.faces_per_identity}, batch_size {self.batch_size}"
            )
        if not 0.0 < self.anchor_share <= 1.0:
            raise InputError(f"anchor_share: expected a share in (0, 1], got {self.anchor_share}")
        if not (np.bincount(self.labels) > 1).any():
            raise InputError("expected an identity with two faces or more, all identities have one")

    def batches(self, epoch: int) -> Iterator[NDArray[np.int64]]:
        """The batches of one epoch: int64 index arrays of shape (batch_size,)."""
        rng = np.random.default_rng((self.seed, epoch))
        for anchors in self._anchors(rng):
            others = np.ones(len(self.labels), bool)
            others[anchors] = False
            n_negatives = min(self.batch_size - len(anchors), int(others.sum()))
            negatives = rng.choice(np.flatnonzero(others), n_negatives, replace=False)
            yield np.concatenate([anchors, negatives]).astype(np.int64)

    def n_batches(self, epoch: int) -> int:
        """How many batches that epoch has; none of them is built."""
        return len(self._anchors(np.random.default_rng((self.seed, epoch))))

    def _anchors(self, rng: np.random.Generator) -> list[list[int]]:
        """The anchors of each batch."""
        n_anchors, found, batch = int(self.anchor_share * self.batch_size), [], list[int]()
        for group in self._groups(rng):
            if len(batch) + len(group) > n_anchors:
                found.append(batch)
                batch = []
            batch.extend(group)
        return [*found, batch] if len(batch) >= n_anchors // 2 else found

    def _groups(self, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        """Two to ``faces_per_identity`` faces of one identity each, in random order."""
        order = rng.permutation(len(self.labels))
        order = order[np.argsort(self.labels[order], kind="stable")]
        starts = np.flatnonzero(np.diff(self.labels[order], prepend=-1))
        groups = []
        for faces in np.split(order, starts[1:]):
            n_groups = -(-len(faces) // self.faces_per_identity)
            groups += [group for group in np.array_split(faces, n_groups) if len(group) > 1]
        return [groups[i] for i in rng.permutation(len(groups))]
