"""The last layers of an embedder, and what they learn from beside a teacher.

A teacher knows public figures: children, and people from places where few of these come from, lie in oversized groups
in its space. Labels of families, and faces of nobody in particular, which are certain to show different people, spread
those out; everybody else stays where the teacher has them.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from facespace.training.optimisers import make_optimiser, take_step
from facespace.training.recipe import Optimiser
from lab.embedder.faces import BatchDraw, FacePool

SCALE = 16.0  # of the softmax over a batch's cosines
POSITIVE_MARGIN = 0.15
# Unnamed faces that the targets put this near each other may show one person.
MAYBE_ONE_PERSON = 0.85
# Of a head that is fitted alone: the learning rate falls in a line to 0.
STEPS = 1500
OPTIMISER = Optimiser(learning_rate=2e-3, weight_decay=0.01, warmup=0.0, decay=1.0, clip=0.0)


@dataclass(frozen=True)
class LossWeights:
    """What counts how much.

    Attributes:
        vectors: weight of staying where the targets are.
        of_unnamed: part of it that counts for unnamed faces.
        labels: weight of the softmax over each positive and all negatives of a batch.
        negatives: weight of pushing different people apart beyond ``margin``.
        margin: cosine up to which different people may be alike.
    """

    vectors: float = 2.0
    of_unnamed: float = 0.3
    labels: float = 1.0
    negatives: float = 3.0
    margin: float = 0.2


LOSSES = LossWeights()


class Head(nn.Module):
    """Features (N, F) -> embeddings (N, D) of any length: a linear layer, and beside it one with hidden units.

    Args:
        n_features: F.
        dim: D.
        hidden: units; they begin without a say.
    """

    def __init__(self, n_features: int, *, dim: int = 128, hidden: int) -> None:
        super().__init__()
        self.linear = nn.Linear(n_features, dim)
        self.inner, self.outer = nn.Linear(n_features, hidden), nn.Linear(hidden, dim)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Shape (N, F) -> (N, D)."""
        return self.linear(features) + self.outer(torch.relu(self.inner(features)))


@torch.no_grad()
def embed(head: Head, features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Unit rows (N, D) of pictures and their mirror images together, of features (2, N, F) of both."""
    sides = [F.normalize(head(torch.from_numpy(side)), dim=1) for side in features]
    return F.normalize(sides[0] + sides[1], dim=1).numpy()


def fit_head(head: Head, pool: FacePool, features: NDArray[np.float32], targets: NDArray[np.float32]) -> None:
    """Fit a head alone, in a minute, to a pool's faces that are not set aside; its batches are large.

    Args:
        head: is changed.
        pool: the faces, N of them.
        features: shape (2, N, F), of each face and its mirror image.
        targets: unit rows, shape (N, D): where the faces lay so far.
    """
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    mean, spread = features[0].mean(0), features[0].std(0) + 1e-6
    _rescale(head, mean, spread)
    optimiser = make_optimiser(OPTIMISER, head.parameters())
    draw = BatchDraw(pool, people={"train": 24, "fiw": 24}, faces_each=4, others=64, pools=2, from_pool=96)
    for step in range(STEPS):
        chosen = draw(rng)
        side = rng.integers(2, size=len(chosen))
        rows = torch.from_numpy((features[side, chosen] - mean) / spread)
        placed = F.normalize(head(rows), dim=1)
        labels = torch.from_numpy(pool.labels[chosen])
        unnamed = torch.from_numpy(pool.source[chosen] == "more")
        loss = head_loss(placed, labels, unnamed, torch.from_numpy(targets[chosen]), LOSSES)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        take_step(optimiser, OPTIMISER, step / STEPS)
    _rescale(head, -mean / spread, 1 / spread)


def head_loss(rows: Tensor, labels: Tensor, unnamed: Tensor, targets: Tensor, weights: LossWeights) -> Tensor:
    """The loss of a batch.

    Args:
        rows: unit rows (N, D).
        labels: int64, shape (N,): whom each shows.
        unnamed: bool, shape (N,): whether a label says only that it is another person than nearly all others.
        targets: unit rows (N, D).
        weights: of its parts.
    """
    cosine, same = rows @ rows.T, labels[:, None] == labels
    doubtful = (targets @ targets.T > MAYBE_ONE_PERSON) & (unnamed[:, None] | unnamed)
    negative = ~same & ~doubtful
    weight = torch.where(unnamed, weights.of_unnamed, 1.0)
    vectors = ((rows - targets).square().sum(1) * weight).sum() / weight.sum()
    apart = (torch.relu(cosine - weights.margin).square() * negative).sum() / len(rows)
    against = torch.logsumexp(torch.where(negative, SCALE * cosine, -1e4), 1)
    positive = same & ~torch.eye(len(rows), dtype=torch.bool, device=rows.device)
    by_pair = F.softplus(against[:, None] - SCALE * (cosine - POSITIVE_MARGIN)) * positive
    by_label = by_pair.sum() / positive.sum().clamp(min=1) / SCALE
    return weights.vectors * vectors + weights.negatives * apart + weights.labels * by_label


@torch.no_grad()
def _rescale(head: Head, mean: NDArray[np.float32], spread: NDArray[np.float32]) -> None:
    """Make the head take (features - mean) / spread in place of features, with the same result."""
    shift, scale = torch.from_numpy(mean), torch.from_numpy(spread)
    for layer in (head.linear, head.inner):
        layer.bias.add_(layer.weight @ shift)
        layer.weight.mul_(scale)
