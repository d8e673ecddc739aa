"""More than one process: every rank embeds its part of a batch, all of them mine the whole.

Each rank draws the same batch from the same seed and takes its own run of it. Embeddings of all ranks are gathered;
a rank keeps the gradient of its own rows. Since every rank then works out the loss of the whole batch, the gradients of
the ranks add up to that of one process. torch's DistributedDataParallel averages over ranks and starts to reduce
during a backward pass; a batch in chunks has many of those, so gradients are summed here, once, after the last.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

# The others wait while the first asks a teacher about every picture.
PATIENCE = timedelta(hours=12)


@dataclass(frozen=True)
class World:
    """This process among its peers; alone by default."""

    rank: int = 0
    size: int = 1

    @classmethod
    def current(cls) -> "World":
        """The process group that was initialised, or one process alone."""
        if dist.is_available() and dist.is_initialized():
            return cls(dist.get_rank(), dist.get_world_size())
        return cls()

    @property
    def first(self) -> bool:
        """Whether this process writes files and talks."""
        return self.rank == 0

    def share(self, n: int) -> slice:
        """This rank's run of n rows: sizes differ by one at most."""
        bounds = np.linspace(0, n, self.size + 1).round().astype(int)
        return slice(int(bounds[self.rank]), int(bounds[self.rank + 1]))

    def gather(self, own: Tensor, n: int) -> Tensor:
        """All ranks' rows in order, shape (n, D); the gradient reaches the rows of this rank.

        Args:
            own: this rank's ``share(n)`` of the rows.
            n: rows of all ranks together.
        """
        if self.size == 1:
            return own
        shares = [World(r, self.size).share(n) for r in range(self.size)]
        longest = max(s.stop - s.start for s in shares)
        padded = own.detach().new_zeros(longest, *own.shape[1:])
        padded[: len(own)] = own.detach()
        parts = [torch.empty_like(padded) for _ in shares]
        dist.all_gather(parts, padded)
        rows = [part[: s.stop - s.start] for part, s in zip(parts, shares, strict=True)]
        rows[self.rank] = own
        return torch.cat(rows)

    def sum_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Each gradient becomes the sum of all ranks'."""
        if self.size == 1:
            return
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            dist.all_reduce(parameter.grad)

    def average_statistics(self, network: nn.Module) -> None:
        """Running averages of batch norm become the mean of all ranks', so that the ranks stay the same."""
        if self.size == 1:
            return
        for value in network.buffers():
            if value.is_floating_point():
                dist.all_reduce(value)
                value /= self.size

    def wait(self) -> None:
        """Until every rank is here."""
        if self.size > 1:
            dist.barrier()


def join(device: str, environment: Mapping[str, str]) -> tuple[str, World]:
    """Meet the other processes that torchrun started, if it did.

    Args:
        device: torch's name of one, or "auto": a GPU where there is one.
        environment: with WORLD_SIZE, LOCAL_RANK and the like, as torchrun sets them.

    Returns:
        The device of this process and its place among the others.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if int(environment.get("WORLD_SIZE", "1")) > 1:
        if device == "cuda":
            device = f"cuda:{environment['LOCAL_RANK']}"
            torch.cuda.set_device(device)
        backend = "nccl" if device.startswith("cuda") else "gloo"
        dist.init_process_group(backend, timeout=PATIENCE)
    return device, World.current()
