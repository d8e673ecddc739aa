"""The galleries of a service: each with a thread that reads, with its index in memory, and one that writes."""

import asyncio
import dataclasses
import re
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from shutil import rmtree
from threading import Lock
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from facespace.embed import Embedder
from facespace.errors import GalleryError, InputError
from facespace.extract import FaceEmbedder
from facespace.gallery import Gallery, Identities, Match
from facespace.models import ModelSpec, built_in_models, installed_models
from facespace.models.devices import AUTO
from facespace.service.batching import Batcher
from facespace.service.metrics import Metrics
from facespace.service.problems import ProblemError
from facespace.service.settings import Settings
from facespace.store import IndexState

Result = TypeVar("Result")
NAME = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
SUFFIX = ".gallery"
PICTURES = ".pictures"
PROBES_AT_ONCE = 64


class Embedders:
    """The embedders of all galleries, each loaded once; called from several threads.

    Args:
        model: of new galleries, by name or file; the built-in one when None.
        device: where their networks run.
    """

    def __init__(self, model: str | None = None, device: str = AUTO) -> None:
        self._model, self._device = model, device
        self._lock = Lock()
        self._loaded: dict[str | None, FaceEmbedder] = {}
        self._specs: list[ModelSpec] | None = None

    def default(self) -> FaceEmbedder:
        """Of new galleries.

        Raises:
            ModelError: there is no such model.
        """
        return self._once(None, lambda: Embedder(self._model, device=self._device))

    def named(self, name: str | None) -> FaceEmbedder:
        """One that is known here by name; the default for None.

        Raises:
            InputError: there is none of that name.
        """
        spec = None if name is None else self.spec(name)
        if name is None or (spec is not None and spec.sha256 == self.default().spec.sha256):
            return self.default()
        if spec is None:
            raise InputError("model: expected the name of a model that is known here")
        return self._once(spec.sha256, lambda: Embedder(spec.name, device=self._device))

    def of(self, gallery: Gallery) -> FaceEmbedder:
        """That of a gallery; the default where it has none yet.

        Raises:
            GalleryError: its model cannot be found.
        """
        spec = gallery.model()
        if spec is None or spec.sha256 == self.default().spec.sha256:
            return self.default()
        return self._once(spec.sha256, lambda: gallery.open_embedder(device=self._device))

    def spec(self, named: str) -> ModelSpec | None:
        """The spec of a known model, built in or the user's, by name or sha256."""
        with self._lock:
            if self._specs is None:
                installed = [spec for _, spec in installed_models() if isinstance(spec, ModelSpec)]
                known = (*built_in_models(), *installed)
                self._specs = [spec for spec in known if spec.task == "embedder"]
        return next((spec for spec in self._specs if named in (spec.sha256, spec.name)), None)

    def _once(self, sha256: str | None, load: Callable[[], FaceEmbedder]) -> FaceEmbedder:
        with self._lock:
            if sha256 not in self._loaded:
                self._loaded[sha256] = load()
            return self._loaded[sha256]


class _Thread:
    """A thread with a gallery of its own, opened when it is first needed and again after a failure of its file."""

    def __init__(self, opened: Callable[[], Gallery], name: str) -> None:
        self._opened = opened
        self.executor = ThreadPoolExecutor(1, name)
        self._gallery: Gallery | None = None

    def call(self, work: Callable[[Gallery], Result]) -> Result:
        """In this thread: do something with the gallery."""
        if self._gallery is None:
            self._gallery = self._opened()
        try:
            return work(self._gallery)
        except GalleryError as error:
            if error.__cause__ is not None:
                self.rest()
            raise

    def rest(self) -> None:
        """In this thread: close the gallery, and let go of what it holds in memory."""
        if self._gallery is not None:
            gallery, self._gallery = self._gallery, None
            gallery.close()


class OpenGallery:
    """A gallery for requests of an event loop.

    Attributes:
        name: of the gallery.
        opened: the gallery itself, opened once more; it is there.
        pictures: folder of kept pictures; there only where the gallery is set to keep them.
        n_busy: requests that use it just now.
    """

    def __init__(
        self,
        name: str,
        opened: Callable[[], Gallery],
        pictures: Path,
        embedders: Embedders,
        metrics: Metrics,
    ) -> None:
        self.name, self.opened, self.pictures = name, opened, pictures
        self.n_busy = 0
        self._embedder: FaceEmbedder | None = None
        self._moment: Hashable = None
        self._embedders, self._metrics = embedders, metrics
        self._reader, self._writer = (_Thread(opened, f"facespace-{does}") for does in ("read", "write"))
        self._batcher = Batcher(
            self._look, self._reader.executor, most=PROBES_AT_ONCE,
            on_batch=metrics.batches.labels("search").observe,
        )  # fmt: skip

    @property
    def keeps_pictures(self) -> bool:
        """Whether the pictures of enrolled faces are kept."""
        return self.pictures.is_dir()

    async def read(self, work: Callable[[Gallery], Result]) -> Result:
        """Read in the thread that reads; what is read together needs a snapshot there.

        Raises:
            GalleryError: the gallery cannot be read.
        """
        return await self._in(self._reader, work)

    async def write(self, work: Callable[[Gallery], Result]) -> Result:
        """Write in the thread that writes; done, and safe from a kill of the process, when it returns.

        Raises:
            GalleryError: the gallery cannot be written.
        """

        def timed(gallery: Gallery) -> Result:
            with self._metrics.stage("write"):
                return work(gallery)

        return await self._in(self._writer, timed)

    async def embedder(self, *, fresh: bool = False) -> FaceEmbedder:
        """That of the gallery's model.

        Args:
            fresh: look which it is now, before something is enrolled. Otherwise it may be that of a moment ago, where
                another process has moved the gallery to another model: that one may meet it.
        """
        if fresh or self._embedder is None:
            self._embedder = await self.read(self._embedders.of)
        return self._embedder

    def renew(self) -> None:
        """The gallery has gone over to another model: look which it is."""
        self._embedder = None

    async def identify(self, rows: NDArray[np.float32], spec: ModelSpec, *, fpir: float) -> Identities:
        """See `Gallery.identify`; together with what other requests ask at the moment."""
        with self._busy():
            found: Identities = await self._batcher.submit(("identify", spec, fpir), rows)
            return found

    async def search(
        self, rows: NDArray[np.float32], spec: ModelSpec, *, k: int, far: float
    ) -> tuple[list[list[Match]], dict[str, IndexState]]:
        """See `Gallery.search`; likewise, with what it rested on, by the label of each model."""
        with self._busy():
            found: tuple[list[list[Match]], dict[str, IndexState]]
            found = await self._batcher.submit(("search", spec, (k, far)), rows)
            return found

    async def rest(self) -> None:
        """Close its files; the next request opens them again."""
        loop = asyncio.get_running_loop()
        for thread in (self._reader, self._writer):
            await loop.run_in_executor(thread.executor, thread.rest)

    async def close(self) -> None:
        """Finish what was begun, close the files, and end the threads."""
        await self.rest()
        for thread in (self._reader, self._writer):
            thread.executor.shutdown()

    async def _in(self, thread: _Thread, work: Callable[[Gallery], Result]) -> Result:
        with self._busy():
            return await asyncio.get_running_loop().run_in_executor(
                thread.executor, lambda: thread.call(work)
            )

    @contextmanager
    def _busy(self) -> Iterator[None]:
        self.n_busy += 1
        try:
            yield
        finally:
            self.n_busy -= 1

    def _look(self, key: Any, items: Sequence[NDArray[np.float32]]) -> Sequence[Any]:
        """In the thread that reads: identify or search for several requests in one pass."""
        return self._reader.call(lambda gallery: self._look_in(gallery, key, items))

    def _look_in(self, gallery: Gallery, key: Any, items: Sequence[NDArray[np.float32]]) -> Sequence[Any]:
        what, spec, how = key
        probes = items[0] if len(items) == 1 else np.concatenate(items)
        ends = np.cumsum([len(rows) for rows in items]).tolist()
        parts = [slice(end - len(rows), end) for end, rows in zip(ends, items, strict=True)]
        with self._metrics.stage("search"):
            now = gallery.templates.moment()
            if now != self._moment:  # somebody has written to it, perhaps moved it to another model
                self._embedder, self._moment = self._embedders.of(gallery), now
            if what == "identify":
                who = gallery.identify(probes, spec, fpir=how)
                return [_part(who, part) for part in parts]
            found = gallery.search(probes, spec, k=how[0], far=how[1])
            states = gallery.index_states()
            recalls = [state.recall.share for state in states.values() if state.recall is not None]
            self._metrics.recall.labels(self.name).set(min(recalls, default=1.0))
            return [(found[part], states) for part in parts]


def _part(who: Identities, part: slice) -> Identities:
    columns = ("subject", "nearest", "distance", "threshold", "chance")
    return dataclasses.replace(who, **{name: getattr(who, name)[part] for name in columns})


class Galleries:
    """All galleries: the files of the service's folder, and those at other addresses.

    Args:
        settings: of the service.
        embedders: for all galleries.
        metrics: what is counted.
    """

    def __init__(self, settings: Settings, embedders: Embedders, metrics: Metrics) -> None:
        self.folder, self._addresses, self._token = settings.folder, settings.addresses, settings.token
        self._most_open, self._model = settings.limits.galleries, settings.model
        self._embedders, self._metrics = embedders, metrics
        self._open: dict[str, tuple[OpenGallery, tuple[int, int]]] = {}

    def names(self) -> list[str]:
        """Of all galleries, in order."""
        files = {path.name.removesuffix(SUFFIX) for path in self.folder.glob(f"*{SUFFIX}")}
        return sorted({name for name in files if re.match(NAME, name)} | set(self._addresses))

    def get(self, name: str) -> OpenGallery:
        """A gallery.

        Raises:
            ProblemError: there is none of that name.
        """
        address = self._address(name)
        identity = _identity(address)
        if identity is None:
            raise ProblemError(404, "not-found", f"expected a gallery, there is none called {name[:64]}")
        known = self._open.pop(name, None)
        if known is None or known[1] != identity:
            opened = OpenGallery(
                name,
                partial(Gallery, address, create=False, token=self._token),
                self.folder / f"{name}{PICTURES}",
                self._embedders,
                self._metrics,
            )
            known = opened, identity
        self._open[name] = known  # the last one used stands last
        return known[0]

    async def create(self, name: str, model: str | None, *, keep_pictures: bool) -> bool:
        """Make a gallery, or change whether it keeps pictures; whether it is new.

        Raises:
            ModelError: there is no such model.
            GalleryError: it is there with another model, or cannot be written.
        """
        address = self._address(name)
        is_new = _identity(address) is None

        def make() -> None:
            embedder = self._embedders.named(model)
            with Gallery(address, token=self._token) as gallery:
                if model is not None or gallery.model() is None:
                    gallery.use_model(embedder, model_file=model or self._model)

        await asyncio.get_running_loop().run_in_executor(None, make)
        pictures = self.get(name).pictures
        if keep_pictures:
            pictures.mkdir(mode=0o700, exist_ok=True)
        elif pictures.is_dir() and not any(pictures.iterdir()):
            pictures.rmdir()
        return is_new

    async def delete(self, name: str) -> None:
        """Delete a gallery with its files and kept pictures.

        Raises:
            ProblemError: there is none, or it lies elsewhere.
        """
        gallery = self.get(name)
        if name in self._addresses:
            raise ProblemError(409, "conflict", "a gallery at an address of its own is deleted there")
        del self._open[name]
        await gallery.close()
        path = self.folder / f"{name}{SUFFIX}"
        path.unlink(missing_ok=True)
        for beside in self.folder.glob(f"{name}{SUFFIX}[-.]*"):
            beside.unlink(missing_ok=True)
        rmtree(gallery.pictures, ignore_errors=True)

    async def rest(self) -> None:
        """Close the galleries not used for longest, where too many are open."""
        idle = [gallery for gallery, _ in self._open.values() if not gallery.n_busy]
        for gallery in idle[: max(0, len(self._open) - self._most_open)]:
            await gallery.rest()

    async def close(self) -> None:
        """Finish what was begun, and close all."""
        for gallery, _ in self._open.values():
            await gallery.close()

    def _address(self, name: str) -> Path | str:
        return self._addresses.get(name) or self.folder / f"{name}{SUFFIX}"


def _identity(address: Path | str) -> tuple[int, int] | None:
    """Tells a file from another that has taken its place; None where there is none."""
    if isinstance(address, str):
        return 0, 0
    try:
        status = address.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
