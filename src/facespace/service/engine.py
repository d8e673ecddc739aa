"""From the bytes of a picture to faces with embeddings, for many requests at once and never more than fit."""

import asyncio
import hashlib
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from facespace.errors import NoFaceError
from facespace.extract import FaceDetector, FaceEmbedder, FoundFaces, find_faces
from facespace.faces.detections import Detections
from facespace.faces.tiles import decoded_side_px
from facespace.images import decode_image
from facespace.models import ModelSpec
from facespace.service.metrics import Metrics
from facespace.service.problems import ProblemError
from facespace.service.settings import Limits

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


CROPS_AT_ONCE = 32
# Named in errors where a file would be.
PICTURE = Path("the picture")
# Of the mean time that a picture takes, the weight of the newest.
NEWEST = 0.1


@dataclass(frozen=True)
class Faces:
    """The faces of one picture; N of them, the highest score first.

    Attributes:
        faces: boxes, landmarks and scores in pixels of the whole upright picture.
        quality: float32, shape (N,).
        embeddings: float32 unit rows, shape (N, D).
        size_hw: rows and columns of the whole upright picture.
        sha256: of its bytes.
        spec: of the embedder.
        detector: sha256 of the detector.
        n_seen: how many faces the picture shows.
    """

    faces: Detections
    quality: NDArray[np.float32]
    embeddings: NDArray[np.float32]
    size_hw: tuple[int, int]
    sha256: str
    spec: ModelSpec
    detector: str
    n_seen: int

    def __len__(self) -> int:
        return len(self.faces)

    def __getitem__(self, which: NDArray[np.int_] | NDArray[np.bool_]) -> "Faces":
        """A part of them."""
        return Faces(
            self.faces[which], self.quality[which], self.embeddings[which], self.size_hw, self.sha256, self.spec,
            self.detector, self.n_seen,
        )  # fmt: skip


class Engine:
    """Finds and embeds faces in threads, of several requests together.

    Pictures are decoded and searched for faces in parallel, one a thread: on processors the detector gains nothing by
    batches. Crops of all pictures that are ready are embedded in one call.

    Args:
        detector: finds the faces.
        limits: of pictures, and of how many wait.
        threads: that find faces.
        metrics: what is counted and timed.
    """

    def __init__(self, detector: FaceDetector, limits: Limits, *, threads: int, metrics: Metrics) -> None:
        self.detector, self.limits, self.metrics = detector, limits, metrics
        self._threads = threads
        self._finding = ThreadPoolExecutor(threads, "facespace-find")
        self._embedding = ThreadPoolExecutor(1, "facespace-embed")
        self._batcher: Batcher[NDArray[np.uint8], NDArray[np.float32]] = Batcher(
            self._embed, self._embedding, most=CROPS_AT_ONCE, on_batch=metrics.batches.labels("embed").observe
        )
        self._n_waiting, self._seconds_each = 0, 0.05

    async def faces(
        self,
        content: bytes,
        embedder: FaceEmbedder,
        *,
        most: int | None = None,
        needed: bool = False,
        patient: bool = False,
    ) -> Faces:
        """The faces of a picture, embedded.

        Args:
            content: the picture file.
            embedder: embeds them.
            most: only so many, the largest; those of the limits when None.
            needed: no face is an error.
            patient: it waits for its turn, however many wait already.

        Raises:
            ImageError: no picture, or one that cannot be read.
            NoFaceError: there is none, where one is needed.
            ProblemError: too many pictures wait.
        """
        self._admit(patient=patient)
        try:
            found, size_hw, digest = await self._find(content, embedder.spec, most or self.limits.faces)
            if needed and not len(found.faces):
                raise NoFaceError("expected a face, the picture shows none; send a larger or sharper one")
            rows = await self.embed(found.crops, embedder)
            detector = str(getattr(getattr(self.detector, "spec", None), "sha256", ""))
            return Faces(
                found.faces, found.quality, rows, size_hw, digest, embedder.spec, detector, found.n_seen
            )
        finally:
            self._n_waiting -= 1
            self.metrics.pictures.dec()

    async def embed(self, crops: NDArray[np.uint8], embedder: FaceEmbedder) -> NDArray[np.float32]:
        """Unit rows of crops (N, H, W, 3), with whatever other requests have ready."""
        if not len(crops):
            return np.zeros((0, embedder.spec.dim), np.float32)
        return await self._batcher.submit(crops, embedder)

    def close(self) -> None:
        """Finish what was begun, and end the threads."""
        self._finding.shutdown()
        self._embedding.shutdown()

    def _admit(self, *, patient: bool) -> None:
        """Count a picture in, or refuse it.

        Raises:
            ProblemError: too many are in hand.
        """
        if not patient and self._n_waiting >= self.limits.queue + self._threads:
            self.metrics.refused.labels("queue").inc()
            after = max(1, ceil(self._n_waiting * self._seconds_each / self._threads))
            raise ProblemError(
                429, "queue-full", f"{self._n_waiting} pictures wait already; ask again in {after} s",
                headers={"Retry-After": str(after)},
            )  # fmt: skip
        self._n_waiting += 1
        self.metrics.pictures.inc()

    async def _find(
        self, content: bytes, spec: ModelSpec, most: int
    ) -> tuple[FoundFaces, tuple[int, int], str]:
        came = time.perf_counter()

        def find() -> tuple[FoundFaces, tuple[int, int], str]:
            begun = time.perf_counter()
            self.metrics.stages.labels("wait").observe(begun - came)
            with self.metrics.stage("decode"):
                digest = hashlib.sha256(content).hexdigest()
                picture = decode_image(
                    content, PICTURE, longest_side_px=decoded_side_px, max_pixels=self.limits.pixels
                )
            with self.metrics.stage("detect"):
                found = find_faces(picture, self.detector, spec, most=most)
            self._seconds_each += NEWEST * (time.perf_counter() - begun - self._seconds_each)
            return found, picture.size_hw, digest

        return await asyncio.get_running_loop().run_in_executor(self._finding, find)

    def _embed(self, embedder: FaceEmbedder, items: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        with self.metrics.stage("embed"):
            rows = embedder.embed(items[0] if len(items) == 1 else np.concatenate(items))
        return np.split(rows, np.cumsum([len(crops) for crops in items])[:-1])
