"""Work on the machines of a Ray cluster: calls of a few items each, as many at a time as the machines have room for.

A call is a Ray task on a few processors, or on one GPU. The process that runs it keeps the work (such as the sessions
of two networks) for the calls that follow. What was in hand when a process or its machine died is given away again; a
result counts once, where it arrives. Machines that join are used.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from math import ceil
from types import ModuleType
from typing import Any, Generic, Self, TypeVar

from threadpoolctl import threadpool_limits

from facespace import __version__
from facespace.errors import WorkersError
from facespace.ray_cluster import (
    HERE,
    Shape,
    check_address,
    connect,
    first_line,
    last_line,
    load_ray,
    shapes_of,
)

Item = TypeVar("Item")
Result = TypeVar("Result")

CALLS_AT_ONCE = 2  # one in work, one that waits for its processors
ITEMS_PER_THREAD = 16  # of a call
CALLS_AHEAD = 8  # of the result that is due
LOOK_S = 5.0
# An autoscaler may need minutes to bring up the first machine.
PATIENCE_S = 600.0
DEATHS_TOGETHER, DEATHS_ALONE = 2, 3


class RayWorkers:
    """The processors of a Ray cluster, and its GPUs where there are any, until `close`.

    Args:
        address: "ray" for a cluster of this machine alone, which is started for the purpose and stopped by `close`;
            "ray://HOST:PORT" for a running one, by its client port (10001 unless changed); "HOST:PORT" from one of
            its own machines (6379).
        n: threads over all machines; all processors when None.

    The machines need the same versions of facespace, Ray and Python. A cluster that is started here sends no usage
    statistics (``RAY_USAGE_STATS_ENABLED`` is set for it) and has no dashboard.

    Raises:
        InputError: an address of another form.
        MissingExtraError: ray is not installed.
        WorkersError: nothing answers at the address.
    """

    def __init__(self, address: str = HERE, n: int | None = None) -> None:
        check_address(address)
        self._ray = load_ray()
        self._n = n
        connect(self._ray, address, n)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        self._ray.shutdown()

    def map(
        self,
        work: Callable[[Item], Result],
        items: Sequence[Item],
        *,
        on_lost: Callable[[Item], Result] | None = None,
    ) -> Generator[Result, None, None]:
        """See `facespace.workers.Workers`.

        Raises:
            WorkersError: the machines lack facespace or have another version of it, none has a free processor for ten
                minutes, or an item ended each process that worked on it.
        """
        if not items:
            return
        job = _Job(self._ray, self._n, work, items, on_lost)
        try:
            yield from job.results()
        except (self._ray.exceptions.RaySystemError, ConnectionError) as error:
            raise WorkersError(
                f"the Ray cluster does not answer any more: {first_line(error)}; what is done is kept, "
                "run the same command again"
            ) from error
        finally:
            job.close()


def _run(version: str, work: list[Any], items: Sequence[Any], threads: int) -> list[Any]:
    """On a machine of the cluster: the work of each item.

    Args:
        version: of facespace where the results are wanted.
        work: the reference to it, in a list so that Ray does not bring it once a call.
        items: of the call.
        threads: that share them.

    Raises:
        WorkersError: another version, or the work cannot be opened here.
    """
    if version != __version__:
        raise WorkersError(
            f"the machines of the cluster have facespace {__version__}, this one has {version}; "
            "install the same version on all"
        )
    opened = _opened(work[0])
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(opened, items))


@lru_cache(maxsize=1)
def _opened(work: Any) -> Callable[[Any], Any]:
    """The work, kept by the process for the calls that follow."""
    threadpool_limits(1, user_api="blas")  # as many calls at a time as there are processors
    try:
        opened: Callable[[Any], Any] = load_ray().get(work)
    except Exception as error:  # whatever an import raises here
        raise WorkersError(_cannot_start(error)) from error
    return opened


@dataclass
class _Call(Generic[Item]):
    """Items that are worked on together, by one process that does nothing else meanwhile."""

    first: int
    items: Sequence[Item]
    deaths: int = 0


@dataclass
class _Job(Generic[Item, Result]):
    """One function for many items."""

    ray: ModuleType
    n: int | None
    work: Callable[[Item], Result]
    items: Sequence[Item]
    on_lost: Callable[[Item], Result] | None
    given: int = 0  # items that have been given away
    due: int = 0  # the item whose result comes next
    # The first call has no items: its end tells that the cluster has processors for this job.
    again: deque[_Call[Item]] = field(default_factory=lambda: deque([_Call(0, ())]))
    done: dict[int, Result] = field(default_factory=dict)
    running: dict[Any, tuple[_Call[Item], Shape]] = field(default_factory=dict)
    has_run: bool = False

    def results(self) -> Iterator[Result]:
        """In the order of the items."""
        self.sent = self.ray.put(self.work)
        self.run = self.ray.remote(max_retries=0)(_run)
        self.seen = time.monotonic()
        self._look()
        while self.due < len(self.items):
            self._give()
            self._take()
            if time.monotonic() - self.looked > LOOK_S:
                self._look()
            while self.due in self.done:
                yield self.done.pop(self.due)
                self.due += 1

    def close(self) -> None:
        """Let the machines go."""
        if not self.ray.is_initialized():  # a call would join, or start, another cluster
            return
        for reference in self.running:
            with suppress(Exception):  # it is gone, or the cluster is
                self.ray.cancel(reference, force=True)

    def _look(self) -> None:
        """What the machines that are there now have room for; calls for which there is none any more go elsewhere."""
        self.looked = time.monotonic()
        self.room = shapes_of(self.ray.nodes(), self.n)
        for reference, (call, shape) in list(self.running.items()):
            if not self.room[shape]:
                del self.running[reference]
                self.ray.cancel(reference, force=True)
                self.again.append(call)
        if self.has_run and self.ray.cluster_resources().get("CPU"):
            self.seen = self.looked
        elif self.looked - self.seen > PATIENCE_S:
            raise WorkersError(
                f"no processor of the Ray cluster came free in {PATIENCE_S / 60:.0f} minutes: {_free(self.ray)}; "
                "what is done is kept, run the same command again"
            )

    def _give(self) -> None:
        """As many calls as there is room for."""
        at_once = CALLS_AT_ONCE if self.n is None else 1  # else more threads than were asked for
        busy = Counter(shape for _, shape in self.running.values())
        for shape, n in self.room.items():
            for _ in range(at_once * n - busy[shape]):
                call = self.again.popleft() if self.again else self._next(shape)
                if call is None:
                    return
                run = self.run.options(num_cpus=shape.threads, num_gpus=shape.gpus)
                reference = run.remote(__version__, [self.sent], call.items, shape.threads)
                self.running[reference] = call, shape

    def _next(self, shape: Shape) -> "_Call[Item] | None":
        """Items that nobody has had yet; None where too many results would wait for the one that is due."""
        threads = sum(shape.threads * n for shape, n in self.room.items())
        per_thread = min(ITEMS_PER_THREAD, ceil(len(self.items) / (4 * threads)))
        if self.given >= min(len(self.items), self.due + CALLS_AHEAD * threads * per_thread):
            return None
        call = _Call(self.given, self.items[self.given : self.given + per_thread * shape.threads])
        self.given += len(call.items)
        return call

    def _take(self) -> None:
        """What is done by now."""
        ready, _ = self.ray.wait([*self.running], num_returns=1, timeout=LOOK_S)
        for reference in ready:
            call, _ = self.running.pop(reference)
            try:
                found = self.ray.get(reference)
            except self._deaths as error:
                self._retry(call, error)
            except self.ray.exceptions.RayTaskError as error:
                raise _explained(error) from None
            else:
                self.has_run = True
                self.done.update(enumerate(found, call.first))

    @property
    def _deaths(self) -> tuple[type[Exception], ...]:
        kinds = self.ray.exceptions
        return (kinds.WorkerCrashedError, kinds.NodeDiedError, kinds.ObjectLostError, kinds.OutOfMemoryError)

    def _retry(self, call: "_Call[Item]", error: Exception) -> None:
        """Again, before all others; in the end one by one, so that an item that ends processes is found."""
        call.deaths += 1
        most = DEATHS_ALONE if len(call.items) == 1 else DEATHS_TOGETHER
        if call.deaths < most or not call.items:
            self.again.append(call)
        elif len(call.items) > 1:
            self.again.extend(_Call(call.first + i, [item]) for i, item in enumerate(call.items))
        elif self.on_lost:
            self.done[call.first] = self.on_lost(call.items[0])
        else:
            raise WorkersError(
                f"{call.items[0]!r:.200}: ended each process that worked on it: {first_line(error)}"
            ) from error


def _explained(error: Any) -> Exception:
    """What the work raised there, or why there was none."""
    cause = error.cause if isinstance(error.cause, Exception) else error
    if isinstance(cause, RuntimeError) and "failed to import" in str(cause):  # as Ray says it
        return WorkersError(_cannot_start(cause))
    return cause


def _free(ray: ModuleType) -> str:
    there, free = ray.cluster_resources(), ray.available_resources()
    return f"{free.get('CPU', 0):g} of {there.get('CPU', 0):g} are free"


def _cannot_start(error: Exception) -> str:
    return (
        f"the machines of the cluster cannot start a worker: {last_line(error)}; "
        "install the same version of facespace on all of them"
    )
