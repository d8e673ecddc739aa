"""Requests that wait at the same time answered together: what one pass over a gallery finds for all of them."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]


@dataclass(frozen=True)
class _Waiting:
    key: Any
    rows: Rows
    answer: "asyncio.Future[Any]"


class Batcher:
    """One call at a time for whatever has come meanwhile; nothing waits for company while the thread is idle.

    Belongs to an event loop. Requests of one batch have the same key. Where a batch fails they are tried one by one, so
    that none fails by another's fault.

    Args:
        work: called in a thread with a key and the rows of each request; a result for each.
        executor: the thread.
        most: requests of a batch.
        on_batch: called with the size of each batch.
    """

    def __init__(
        self,
        work: Callable[[Any, Sequence[Rows]], Sequence[Any]],
        executor: Executor,
        *,
        most: int,
        on_batch: Callable[[int], None],
    ) -> None:
        self._work, self._executor, self._most, self._on_batch = work, executor, most, on_batch
        self._waiting: deque[_Waiting] = deque()
        self._is_running = False

    async def submit(self, key: Any, rows: Rows) -> Any:
        """The result of one request."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(key, rows, answer))
        self._next()
        return await answer

    def _next(self) -> None:
        if self._is_running or not (batch := self._take()):
            return
        self._is_running = True
        self._on_batch(len(batch))
        parts = [waiting.rows for waiting in batch]
        done = asyncio.get_running_loop().run_in_executor(self._executor, self._each, batch[0].key, parts)
        done.add_done_callback(partial(self._finish, batch))

    def _take(self) -> list[_Waiting]:
        """The first that waits and others of its key, in order; who does not wait any more is left out."""
        here = [waiting for waiting in self._waiting if not waiting.answer.done()]
        batch = [waiting for waiting in here if waiting.key == here[0].key][: self._most]
        taken = {id(waiting) for waiting in batch}
        self._waiting = deque(waiting for waiting in here if id(waiting) not in taken)
        return batch

    def _each(self, key: Any, parts: Sequence[Rows]) -> list[Any]:
        """A result or an error for each."""
        try:
            return list(self._work(key, parts))
        except Exception as error:
            if len(parts) == 1:
                return [error]
            return [found for rows in parts for found in self._each(key, [rows])]

    def _finish(self, batch: list[_Waiting], done: "asyncio.Future[list[Any]]") -> None:
        self._is_running = False
        error = done.exception()
        for waiting, result in zip(batch, [error] * len(batch) if error else done.result(), strict=True):
            if waiting.answer.done():
                continue
            if isinstance(result, BaseException):
                waiting.answer.set_exception(result)
            else:
                waiting.answer.set_result(result)
        self._next()
