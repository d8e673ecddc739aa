"""Margin softmax beside the triplet loss: one direction an identity, told apart with a margin on the cosine."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MarginSoftmax(nn.Module):
    """Cross entropy of scaled cosines with a margin taken off the right one (CosFace, arXiv:1801.09414, eq. 4).

    Args:
        n_identities: classes.
        dim: components of an embedding.
        scale: of the cosines; the softmax's temperature.
        margin: taken off the right identity's cosine.
        directions: shape (n_identities, dim), unit rows, to begin with and then to keep: the teacher's means of the
            identities. Learned from a random start when absent.
    """

    def __init__(
        self,
        n_identities: int,
        dim: int,
        *,
        scale: float = 24.0,
        margin: float = 0.15,
        directions: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.scale, self.margin = scale, margin
        start = torch.randn(n_identities, dim) / dim**0.5 if directions is None else directions.clone()
        self.directions = nn.Parameter(start, requires_grad=directions is None)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Mean loss of unit rows (N, D) with labels (N,); zero for none."""
        if len(labels) == 0:
            return embeddings.sum() * 0.0
        cosine = embeddings @ F.normalize(self.directions, dim=1).T
        rows = torch.arange(len(labels), device=labels.device)
        off = torch.zeros_like(cosine).index_put_((rows, labels), cosine.new_tensor(self.margin))
        return F.cross_entropy(self.scale * (cosine - off), labels)
