"""Work on the machines of a Ray cluster: a pool of actors that outlives its machines.

Each actor holds the work (such as the sessions of two networks) and does several items at a time. What an actor had in
hand when it or its machine died is given to another one; a result counts once, where it arrives. Machines that join
are used, and Ray is asked for no more than it has: an actor that waits for a place holds up nobody.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
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

CALLS_PER_THREAD = 2  # one in work, one that waits for it
ITEMS_PER_CALL = 16
CALLS_AHEAD = 8  # of the result that is due, in calls of all threads
LOOK_S = 5.0
# An autoscaler may need minutes to bring up the first machine.
PATIENCE_S = 600.0
DEATHS_BEFORE_ALONE = 2
DEATHS_ALONE = 3


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


class _Actor:
    """What works on another machine."""

    def __init__(self, work: Callable[[Any], Any]) -> None:
        self._work = work
        threadpool_limits(1, user_api="blas")  # as many calls at a time as there are processors

    def version(self) -> str:
        """Of facespace there."""
        return __version__

    def run(self, items: list[Any]) -> list[Any]:
        """The work of each item."""
        return [self._work(item) for item in items]


@dataclass
class _Worker:
    """An actor as seen from here."""

    actor: Any
    shape: Shape
    n_calls: int = 0
    alone: bool = False


@dataclass
class _Call(Generic[Item]):
    """Items that go to an actor together."""

    first: int
    items: list[Item]
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
    again: deque[_Call[Item]] = field(default_factory=deque)
    done: dict[int, Result] = field(default_factory=dict)
    running: dict[Any, tuple[_Call[Item], _Worker]] = field(default_factory=dict)
    starting: dict[Any, _Worker] = field(default_factory=dict)
    workers: list[_Worker] = field(default_factory=list)

    def results(self) -> Iterator[Result]:
        """In the order of the items."""
        self.sent = self.ray.put(self.work)
        self.kind = self.ray.remote(max_restarts=0, max_task_retries=0)(_Actor)
        self.looked = self.seen = time.monotonic()
        self._hire()
        while self.due < len(self.items):
            self._give()
            self._take()
            if time.monotonic() - self.looked > LOOK_S:
                self._hire()
            while self.due in self.done:
                yield self.done.pop(self.due)
                self.due += 1

    def close(self) -> None:
        """Let the machines go."""
        if not self.ray.is_initialized():  # a call would join, or start, another cluster
            return
        for worker in (*self.workers, *self.starting.values()):
            with suppress(Exception):  # it is gone, or the cluster is
                self.ray.kill(worker.actor)

    def _hire(self) -> None:
        """As many actors as the machines that are there now have room for."""
        self.looked = time.monotonic()
        there = Counter(worker.shape for worker in (*self.workers, *self.starting.values()))
        wanted = shapes_of(self.ray.nodes(), self.n)
        for shape in wanted:
            for _ in range(wanted[shape] - there[shape]):
                actor = self.kind.options(
                    num_cpus=shape.threads,
                    num_gpus=shape.gpus,
                    max_concurrency=shape.threads * CALLS_PER_THREAD,
                ).remote(self.sent)
                self.starting[actor.version.remote()] = _Worker(actor, shape)
        for ready, worker in list(self.starting.items()):
            if there[worker.shape] > wanted[worker.shape]:
                there[worker.shape] -= 1
                del self.starting[ready]
                self.ray.kill(worker.actor)
        if self.workers:
            self.seen = self.looked
        elif self.looked - self.seen > PATIENCE_S:
            raise WorkersError(
                f"no processor of the Ray cluster came free in {PATIENCE_S / 60:.0f} minutes: {_free(self.ray)}; "
                "what is done is kept, run the same command again"
            )

    def _give(self) -> None:
        """Calls to all actors that have a place for one."""
        for worker in self.workers:
            while not worker.alone and worker.n_calls < worker.shape.threads * CALLS_PER_THREAD:
                call = self._next(idle=worker.n_calls == 0)
                if call is None:
                    break
                worker.alone = call.deaths >= DEATHS_BEFORE_ALONE
                worker.n_calls += 1
                self.running[worker.actor.run.remote(call.items)] = call, worker

    def _next(self, *, idle: bool) -> "_Call[Item] | None":
        """What is to be done next; calls that ended several processes only where nothing else is in work."""
        for i, call in enumerate(self.again):
            if idle or call.deaths < DEATHS_BEFORE_ALONE:
                del self.again[i]
                return call
        threads = sum(worker.shape.threads for worker in self.workers)
        at_once = min(ITEMS_PER_CALL, ceil(len(self.items) / (4 * threads)))
        if self.given >= min(len(self.items), self.due + CALLS_AHEAD * threads * at_once):
            return None
        call = _Call(self.given, list(self.items[self.given : self.given + at_once]))
        self.given += len(call.items)
        return call

    def _take(self) -> None:
        """What is done by now, and who is there."""
        ready, _ = self.ray.wait([*self.running, *self.starting], num_returns=1, timeout=LOOK_S)
        for reference in ready:
            if reference in self.starting:
                self._welcome(reference)
                continue
            call, worker = self.running.pop(reference)
            worker.n_calls -= 1
            worker.alone = False
            try:
                found = self.ray.get(reference)
            except self._deaths as error:
                self._bury(worker)
                self._retry(call, error)
            except self.ray.exceptions.RayTaskError as error:
                raise error.cause if isinstance(error.cause, Exception) else error from None
            else:
                self.done.update(enumerate(found, call.first))

    def _welcome(self, reference: Any) -> None:
        worker = self.starting.pop(reference)
        try:
            version = self.ray.get(reference)
        except self._deaths as error:
            if "error" in first_line(error).lower() and not _is_machine(error):
                raise WorkersError(_cannot_start(error)) from error
            return  # its machine died; others are looked for
        except Exception as error:  # whatever an import raises there
            raise WorkersError(_cannot_start(error)) from error
        if version != __version__:
            raise WorkersError(
                f"the machines of the cluster have facespace {version}, this one has {__version__}; "
                "install the same version on all"
            )
        self.workers.append(worker)

    @property
    def _deaths(self) -> tuple[type[Exception], ...]:
        kinds = self.ray.exceptions
        return (kinds.RayActorError, kinds.ObjectLostError, kinds.WorkerCrashedError, kinds.NodeDiedError)

    def _bury(self, worker: _Worker) -> None:
        if worker in self.workers:
            self.workers.remove(worker)
            with suppress(Exception):  # one that is only out of reach must not come back
                self.ray.kill(worker.actor)
            self.looked = 0.0

    def _retry(self, call: "_Call[Item]", error: Exception) -> None:
        """Again, before all others; in the end one by one and alone, so that what ends processes is found."""
        call.deaths += 1
        if call.deaths < DEATHS_BEFORE_ALONE or (
            len(call.items) == 1 and call.deaths < DEATHS_BEFORE_ALONE + DEATHS_ALONE
        ):
            self.again.append(call)
        elif len(call.items) > 1:
            self.again.extend(
                _Call(call.first + i, [item], DEATHS_BEFORE_ALONE) for i, item in enumerate(call.items)
            )
        elif self.on_lost:
            self.done[call.first] = self.on_lost(call.items[0])
        else:
            raise WorkersError(
                f"{call.items[0]!r:.200}: ended each process that worked on it: {first_line(error)}"
            ) from error


def _free(ray: ModuleType) -> str:
    there, free = ray.cluster_resources(), ray.available_resources()
    return f"{free.get('CPU', 0):g} of {there.get('CPU', 0):g} are free"


def _is_machine(error: Exception) -> bool:
    return "node" in str(error).lower()


def _cannot_start(error: Exception) -> str:
    return (
        f"the machines of the cluster cannot start a worker: {last_line(error)}; "
        "install the same version of facespace on all of them"
    )
