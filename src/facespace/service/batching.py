"""Work of several requests done in one call: what waits when a thread is free goes together."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

__all__ = ["Batcher"]

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class _Waiting(Generic[Item, Result]):
    key: Any
    item: Item
    answer: "asyncio.Future[Result]"


class Batcher(Generic[Item, Result]):
    """One call at a time for whatever has come meanwhile; nothing waits for company while the thread is idle.

    Belongs to an event loop. Items of one batch have the same key. Where a batch fails its items are tried one by
    one, so that no request fails by another's fault.

    Args:
        work: called with a key and the items of a batch in a thread; a result for each.
        executor: the thread.
        most: items of a batch.
        on_batch: called with the size of each batch.
    """

    def __init__(
        self,
        work: Callable[[Any, Sequence[Item]], Sequence[Result]],
        executor: Executor,
        *,
        most: int,
        on_batch: Callable[[int], None] | None = None,
    ) -> None:
        self._work, self._executor, self._most, self._on_batch = work, executor, most, on_batch
        self._waiting: deque[_Waiting[Item, Result]] = deque()
        self._is_running = False

    def __len__(self) -> int:
        return len(self._waiting)

    async def submit(self, item: Item, key: Any = None) -> Result:
        """The result of one item."""
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(key, item, answer))
        self._next()
        return await answer

    def _next(self) -> None:
        if self._is_running or not (batch := self._take()):
            return
        self._is_running = True
        if self._on_batch is not None:
            self._on_batch(len(batch))
        items = [waiting.item for waiting in batch]
        loop = asyncio.get_running_loop()
        done = loop.run_in_executor(self._executor, self._each, batch[0].key, items)
        done.add_done_callback(partial(self._finish, batch))

    def _take(self) -> list[_Waiting[Item, Result]]:
        """The first that waits and others of its key, in order; who does not wait any more is left out."""
        here = [waiting for waiting in self._waiting if not waiting.answer.done()]
        batch = [waiting for waiting in here if waiting.key == here[0].key][: self._most]
        taken = {id(waiting) for waiting in batch}
        self._waiting = deque(waiting for waiting in here if id(waiting) not in taken)
        return batch

    def _each(self, key: Any, items: Sequence[Item]) -> list[Result | Exception]:
        try:
            return list(self._work(key, items))
        except Exception as error:
            if len(items) == 1:
                return [error]
            return [found for item in items for found in self._each(key, [item])]

    def _finish(
        self, batch: list[_Waiting[Item, Result]], done: "asyncio.Future[list[Result | Exception]]"
    ) -> None:
        self._is_running = False
        error = done.exception()
        results: Sequence[Result | BaseException] = [error] * len(batch) if error else done.result()
        for waiting, result in zip(batch, results, strict=True):
            if waiting.answer.done():
                continue
            if isinstance(result, BaseException):
                waiting.answer.set_exception(result)
            else:
                waiting.answer.set_result(result)
        self._next()
