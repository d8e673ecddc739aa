"""A new head on a network that stays as it is: its features are computed once, the head learns in a minute.

The shipped head lies in a teacher's space, and the teacher knows public figures: children, and people from places where
few of these come from, lie in oversized groups there. Labels of families, and faces of nobody in particular, which are
certain to show different people, spread those out; everybody else stays where the head before had them.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from lab.embedder.faces import FacePool

__all__ = ["Head", "HeadRecipe", "fit_head"]

SCALE = 16.0  # of the softmax over a batch's cosines
POSITIVE_MARGIN = 0.15
PEOPLE, FACES_EACH, OTHERS, POOLS, FROM_POOL = 24, 4, 64, 2, 96
# Unnamed faces that the head before put this near each other may show one person.
MAYBE_ONE_PERSON = 0.85


@dataclass(frozen=True)
class HeadRecipe:
    """How a head is fitted.

    Attributes:
        steps: batches.
        learning_rate: of AdamW, falling in a line to 0.
        hidden: units beside the linear layer.
        vectors: weight of staying where the targets are.
        of_unnamed: part of it that counts for unnamed faces.
        labels: weight of the softmax over each positive and all negatives of a batch.
        negatives: weight of pushing different people apart beyond ``margin``.
        margin: cosine up to which different people may be alike.
        seed: of the draws.
    """

    steps: int = 1500
    learning_rate: float = 2e-3
    hidden: int = 256
    vectors: float = 1.0
    of_unnamed: float = 0.3
    labels: float = 1.0
    negatives: float = 3.0
    margin: float = 0.2
    seed: int = 0


class Head(nn.Module):
    """Features (N, F) -> embeddings (N, D) of any length: a linear layer, and beside it one with hidden units.

    Args:
        weight: of the linear layer, shape (D, F).
        bias: shape (D,).
        hidden: units; they begin without a say.
    """

    def __init__(self, weight: NDArray[np.float32], bias: NDArray[np.float32], *, hidden: int) -> None:
        super().__init__()
        dim, n_features = weight.shape
        self.linear = nn.Linear(n_features, dim)
        self.inner, self.outer = nn.Linear(n_features, hidden), nn.Linear(hidden, dim)
        with torch.no_grad():
            self.linear.weight.copy_(torch.from_numpy(weight))
            self.linear.bias.copy_(torch.from_numpy(bias))
            self.outer.weight.zero_()
            self.outer.bias.zero_()

    def forward(self, features: Tensor) -> Tensor:
        """Shape (N, F) -> (N, D)."""
        return self.linear(features) + self.outer(torch.relu(self.inner(features)))


def fit_head(
    head: Head,
    pool: FacePool,
    features: NDArray[np.float32],
    targets: NDArray[np.float32],
    recipe: HeadRecipe,
) -> None:
    """Fit a head to a pool's faces that are not set aside.

    Args:
        head: is changed; afterwards it takes features as they are.
        pool: the faces, N of them.
        features: shape (2, N, F), of each face and its mirror image.
        targets: unit rows, shape (N, D): where the faces lay so far.
        recipe: how.
    """
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    mean, spread = features[0].mean(0), features[0].std(0) + 1e-6
    _rescale(head, mean, spread)
    optimiser = torch.optim.AdamW(head.parameters(), lr=recipe.learning_rate, weight_decay=0.01)
    people = [pool.people("train"), pool.people("fiw")]
    others = np.flatnonzero((pool.source == "train") & ~pool.dev)
    for step in range(recipe.steps):
        chosen = _draw(pool, people, others, rng)
        side = rng.integers(2, size=len(chosen))
        rows = torch.from_numpy((features[side, chosen] - mean) / spread)
        loss = _loss(F.normalize(head(rows), dim=1), pool, chosen, torch.from_numpy(targets[chosen]), recipe)
        for group in optimiser.param_groups:
            group["lr"] = recipe.learning_rate * (1 - step / recipe.steps)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    _rescale(head, -mean / spread, 1 / spread)


def _draw(
    pool: FacePool,
    people: list[list[NDArray[np.int64]]],
    others: NDArray[np.int64],
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Some people with several faces each, some of anybody, and unnamed faces of two pools."""
    parts = [rng.choice(others, min(OTHERS, len(others)))]
    for source in people:
        for i in rng.choice(len(source), min(PEOPLE, len(source)), replace=False):
            parts.append(rng.choice(source[i], min(FACES_EACH, len(source[i])), replace=False))
    for i in rng.choice(len(pool.pools), min(POOLS, len(pool.pools)), replace=False):
        parts.append(rng.choice(pool.pools[i], FROM_POOL))
    return np.unique(np.concatenate(parts))


def _loss(
    rows: Tensor, pool: FacePool, chosen: NDArray[np.int64], targets: Tensor, recipe: HeadRecipe
) -> Tensor:
    labels = torch.from_numpy(pool.labels[chosen])
    unnamed = torch.from_numpy(pool.source[chosen] == "more")
    cosine, same = rows @ rows.T, labels[:, None] == labels
    doubtful = (targets @ targets.T > MAYBE_ONE_PERSON) & (unnamed[:, None] | unnamed)
    negative = ~same & ~doubtful
    weight = torch.where(unnamed, recipe.of_unnamed, 1.0)
    vectors = ((rows - targets).square().sum(1) * weight).sum() / weight.sum()
    apart = (torch.relu(cosine - recipe.margin).square() * negative).sum() / len(rows)
    against = torch.logsumexp(torch.where(negative, SCALE * cosine, torch.tensor(-1e4)), 1)
    first, second = (same & ~torch.eye(len(rows), dtype=torch.bool)).nonzero(as_tuple=True)
    alike = SCALE * (cosine[first, second] - POSITIVE_MARGIN)
    by_label = F.softplus(against[first] - alike).mean() / SCALE if len(first) else rows.sum() * 0.0
    return recipe.vectors * vectors + recipe.negatives * apart + recipe.labels * by_label


@torch.no_grad()
def _rescale(head: Head, mean: NDArray[np.float32], spread: NDArray[np.float32]) -> None:
    """Make the head take (features - mean) / spread in place of features, with the same result."""
    shift, scale = torch.from_numpy(mean), torch.from_numpy(spread)
    for layer in (head.linear, head.inner):
        layer.bias.add_(layer.weight @ shift)
        layer.weight.mul_(scale)
