"""Ordinary maps from one space of embeddings to another: what one could do in place of a harmonic loss.

Fitted afterwards, on faces embedded by both models. Each takes and gives unit rows.
"""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from facespace.errors import InputError

RowMap = Callable[[NDArray[np.float32]], NDArray[np.float32]]

# Share of the mean square that ridge regression adds: rows are unit, so that a component's is about 1 / D.
RIDGE = 1e-3
HIDDEN, EPOCHS, BATCH = 512, 40, 256


def fit_maps(source: NDArray[np.float32], target: NDArray[np.float32]) -> dict[str, RowMap]:
    """Maps by name, fitted to rows of the same faces by two models: "rotation" only between equal dimensions.

    Args:
        source: unit rows of the one, shape (N, D).
        target: of the other, shape (N, E).

    Raises:
        InputError: rows of other faces.
    """
    if len(source) != len(target) or not len(source):
        raise InputError(
            f"expected rows of the same faces by both models, got {len(source)} and {len(target)}"
        )
    maps = {"linear": _fit_linear(source, target), "mlp": _fit_mlp(source, target)}
    if source.shape[1] == target.shape[1]:
        maps = {"rotation": _fit_rotation(source, target), **maps}
    return maps


def _fit_rotation(source: NDArray[np.float32], target: NDArray[np.float32]) -> RowMap:
    """The orthogonal map with the least squared error: it keeps all distances (Procrustes)."""
    left, _, right = np.linalg.svd(source.T.astype(np.float64) @ target)
    matrix = (left @ right).astype(np.float32)
    return lambda rows: _unit(rows @ matrix)


def _fit_linear(source: NDArray[np.float32], target: NDArray[np.float32]) -> RowMap:
    """The linear map with a constant, of ridge regression."""
    rows = _with_one(source).astype(np.float64)
    square = rows.T @ rows / len(rows)
    ridge = RIDGE * np.trace(square) / len(square) * np.eye(len(square))
    matrix = np.linalg.solve(square + ridge, rows.T @ target / len(rows)).astype(np.float32)
    return lambda given: _unit(_with_one(given) @ matrix)


def _fit_mlp(source: NDArray[np.float32], target: NDArray[np.float32]) -> RowMap:
    """A network of one hidden layer beside a linear map, trained on the cosine with the target."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = _Mlp(source.shape[1], target.shape[1])
    given, wanted = torch.from_numpy(source), torch.from_numpy(target)
    n_steps = EPOCHS * max(1, len(source) // BATCH)
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, n_steps)
    generator = torch.Generator().manual_seed(0)
    for _ in range(n_steps):
        idx = torch.randint(len(given), (BATCH,), generator=generator)
        loss = (F.normalize(network(given[idx]), dim=1) - wanted[idx]).square().sum(1).mean()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return network.of_rows


class _Mlp(nn.Module):
    """x -> Ax + B relu(Cx)."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.linear = nn.Linear(n_in, n_out)
        self.curved = nn.Sequential(nn.Linear(n_in, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, n_out))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x) + self.curved(x)

    @torch.no_grad()
    def of_rows(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        made: NDArray[np.float32] = F.normalize(self(torch.from_numpy(rows)), dim=1).numpy()
        return made


def _with_one(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate([rows, np.ones((len(rows), 1), np.float32)], axis=1)


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    made: NDArray[np.float32] = (
        rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    ).astype(np.float32)
    return made
