"""Where work is done: by the threads of this machine, or on the machines of a Ray cluster (`ray_workers`)."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Workers(Protocol):
    """Whoever does work: one function for many items."""

    def map(
        self,
        work: Callable[[Item], Result],
        items: Sequence[Item],
        *,
        on_lost: Callable[[Item], Result] | None = None,
    ) -> Generator[Result, None, None]:
        """``work`` of each item, in the order of the items, each once; few results wait at a time.

        Args:
            work: called from several threads, and on other machines, where it arrives pickled.
            items: pickled likewise.
            on_lost: the result of an item that ended each process that worked on it; an error when None.
        """
        ...


@dataclass(frozen=True)
class Threads:
    """The threads of this machine.

    Attributes:
        n: how many; all cores when None.
    """

    n: int | None = None

    def map(
        self,
        work: Callable[[Item], Result],
        items: Sequence[Item],
        *,
        on_lost: Callable[[Item], Result] | None = None,
    ) -> Generator[Result, None, None]:
        """See `Workers`."""
        return in_order(work, items, workers=self.n)


def as_workers(workers: int | Workers | None) -> Workers:
    """Workers as they are; a number, or None for all cores, as threads."""
    return Threads(workers) if workers is None or isinstance(workers, int) else workers


def open_workers(on: str | None, n: int | None = None) -> AbstractContextManager[Workers]:
    """The workers that a command is given, until the block ends.

    Args:
        on: None for this machine; else the address of a Ray cluster, see `facespace.ray_workers.RayWorkers`.
        n: threads, in a cluster over all machines; all that there are when None.

    Raises:
        InputError: an address of no known form.
        MissingExtraError: ray is not installed.
        WorkersError: nothing answers at the address.
    """
    if on is None:
        return nullcontext(Threads(n))
    from facespace.ray_workers import RayWorkers  # optional, and slow to load

    return RayWorkers(on, n)


def in_order(
    work: Callable[[Item], Result], items: Iterable[Item], *, workers: int | None = None
) -> Generator[Result, None, None]:
    """``work`` of each item, on several threads, in the order of the items; few results wait at a time.

    Closing the iterator (or Ctrl-C in its consumer) drops what has not begun and waits for what has.
    """
    n_workers = workers or os.cpu_count() or 1
    window: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(n_workers, thread_name_prefix="worker")
    try:
        for item in items:
            window.append(pool.submit(work, item))
            if len(window) >= 4 * n_workers:
                yield window.popleft().result()
        while window:
            yield window.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
