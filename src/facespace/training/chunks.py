"""Batches larger than memory: the gradient of a batch's loss, chunk by chunk.

    1  without gradients    chunk 1 -> e1   chunk 2 -> e2   ...              embeddings of the whole batch
    2  the objective        loss(e1, e2, ...), and its gradient g1, g2, ...  by the embeddings alone: mining is here
    3  with gradients       chunk 1 again, backward from g1; chunk 2 again, backward from g2; ...

The sum of what step 3 leaves in the weights is the gradient of the loss of the whole batch, since the loss reaches the
weights through the embeddings only. A chunk must give the same embeddings both times: augmentation and dropout are
drawn from a seed of the chunk's own. Batch norm takes each chunk's statistics, as it would with that batch size,
and its running averages move in step 3 only; frozen or absent, the gradient is that of one piece.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, nn

Result = TypeVar("Result")


def backward_in_chunks(
    network: nn.Module,
    embed: Callable[[int], Tensor],
    n_chunks: int,
    objective: Callable[[Tensor], tuple[Tensor, Result]],
) -> tuple[Tensor, Result]:
    """Leave the gradient of ``objective`` in the weights.

    Args:
        network: whose batch norm must not count a chunk twice.
        embed: the embeddings of chunk i, with gradient, always the same; seeds are its business.
        n_chunks: one takes the direct way, without embedding twice.
        objective: embeddings of the whole batch -> loss and whatever else is wanted of it.

    Returns:
        Embeddings of the batch without gradient, and what the objective gave beside its loss.
    """
    if n_chunks == 1:
        embeddings = embed(0)
        loss, result = objective(embeddings)
        loss.backward()  # type: ignore[no-untyped-call]
        return embeddings.detach(), result
    with torch.no_grad(), kept_statistics(network):
        pieces: Sequence[Tensor] = [embed(i) for i in range(n_chunks)]
    embeddings = torch.cat(list(pieces)).requires_grad_()
    loss, result = objective(embeddings)
    loss.backward()  # type: ignore[no-untyped-call]
    gradient = embeddings.grad
    if gradient is not None:
        for i, part in enumerate(torch.split(gradient, [len(p) for p in pieces])):
            embed(i).backward(part)  # type: ignore[no-untyped-call]
    return embeddings.detach(), result


@contextmanager
def kept_statistics(network: nn.Module) -> Iterator[None]:
    """Within, batch norm uses a chunk's statistics without moving its running averages."""
    norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    momenta = [m.momentum for m in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
