"""Calls of several threads as one batch: photos that are read side by side reach the network together."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
MOST_ROWS = 64


@dataclass(eq=False)
class _Call:
    """What a thread wants to have run, and what came of it."""

    rows: Array
    outputs: list[Array] | None = None
    error: BaseException | None = None


class Gathering:
    """Runs a function of batches for many threads, one batch at a time.

    Whoever comes while a batch runs waits; the first to go on takes all that wait and have its shape. A call that meets
    nobody runs at once, alone.

    Args:
        run: maps a batch (N, ...) to arrays whose first axis has N rows too.
        most_rows: of a batch; a single call may be larger.
    """

    def __init__(self, run: Callable[[Array], list[Array]], *, most_rows: int = MOST_ROWS) -> None:
        self._run, self._most_rows = run, most_rows
        self._running, self._list = Lock(), Lock()
        self._waiting: list[_Call] = []

    def __call__(self, rows: Array) -> list[Array]:
        """The outputs for these rows. Errors of the function reach all whose rows were in the batch."""
        call = _Call(rows)
        with self._list:
            self._waiting.append(call)
        with self._running:
            if call.outputs is None and call.error is None:
                self._run_together(self._taken(call))
        if call.error is not None:
            raise call.error
        assert call.outputs is not None
        return call.outputs

    def _taken(self, first: _Call) -> list[_Call]:
        """A call and those that wait behind it with rows of the same shape, as many as a batch takes."""
        taken, n = [first], len(first.rows)
        with self._list:
            for call in self._waiting:
                if call is first or call.rows.shape[1:] != first.rows.shape[1:]:
                    continue
                if n + len(call.rows) <= self._most_rows:
                    taken.append(call)
                    n += len(call.rows)
            self._waiting = [call for call in self._waiting if call not in taken]
        return taken

    def _run_together(self, calls: list[_Call]) -> None:
        try:
            outputs = self._run(
                np.concatenate([call.rows for call in calls]) if len(calls) > 1 else calls[0].rows
            )
        except BaseException as error:
            for call in calls:
                call.error = error
            return
        start = 0
        for call in calls:
            end = start + len(call.rows)
            call.outputs = [output[start:end] for output in outputs]
            start = end
