"""A library with what its pages share: background work, the search thread, models, and pages made of templates."""

import logging
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from starlette.responses import HTMLResponse

from facespace.embed import Embedder
from facespace.errors import CorrectionError, FacespaceError, LibraryError
from facespace.faces.detect import Detector
from facespace.http.lines import printable
from facespace.library import CATALOGUE, Counts, Library, PhotoView, Stage
from facespace.models.devices import AUTO
from facespace.web.background import Background
from facespace.web.rendering import render
from facespace.web.security import Guard

Result = TypeVar("Result")
log = logging.getLogger(__name__)
DOING: dict[Stage, str] = {
    "comparing": "comparing files",
    "reading": "reading photos",
    "videos": "reading videos, by the second",
    "grouping": "grouping faces",
    "embedding": "moving faces to the new model",
}


class DamagedError(LibraryError):
    """What a library holds makes no sense."""


class Site:
    """A library with what its pages share.

    Args:
        folder: of the library.
        guard: who may ask.
        model: ONNX file or name of the embedder; the built-in one when None.
        detector: ONNX file of the detector; likewise.
        device: where the networks run; see `facespace.models.devices`.

    Attributes:
        folder: as given.
        guard: as given.
        background: groups and scans while pages are open.
    """

    def __init__(
        self,
        folder: Path,
        guard: Guard,
        *,
        model: Path | str | None = None,
        detector: Path | str | None = None,
        device: str = AUTO,
    ) -> None:
        self.folder = folder
        self.guard = guard
        self.background = Background(self.library)
        self._model = model
        self._detector_file, self._device = detector, device
        self._search_thread = ThreadPoolExecutor(1, "facespace-search")
        self._counted: tuple[tuple[int, int], Counts] | None = None

    @contextmanager
    def library(self) -> Iterator[Library]:
        """The library, open, for the thread that asks.

        Raises:
            DamagedError: what it holds makes no sense.
        """
        with self.reading(), Library(self.folder, create=False) as library:
            yield library

    def photo(self, library: Library, number: int) -> tuple[Path, PhotoView]:
        """A photo or video of the open library, and the folder that its path is relative to.

        Raises:
            CorrectionError: no such photo.
            LibraryError: nobody knows where the photos are, or the path leads out of their folder.
        """
        view = library.browse.photo(number)
        self.check_path(view.photo)
        return self.photo_folder(library), view

    def check_path(self, photo: str) -> None:
        """Whether a path of the library stays in the photo folder.

        Raises:
            LibraryError: it leads out of it.
        """
        path = Path(photo)
        if path.is_absolute() or ".." in path.parts:
            raise LibraryError(f"{printable(photo)}: expected a path below the photo folder")

    def photo_folder(self, library: Library) -> Path:
        """Where the photos of the open library are.

        Raises:
            LibraryError: nobody has scanned them yet.
        """
        if library.photo_folder is None:
            raise LibraryError(
                "the folder of the photos is not known yet; run `facespace people PHOTOS` once"
            )
        return library.photo_folder

    @contextmanager
    def reading(self) -> Iterator[None]:
        """What goes wrong inside is an error for people: requests are checked before, so it is what was read."""
        try:
            yield
        except (FacespaceError, OSError):
            raise
        except OverflowError as error:
            raise CorrectionError("expected a number of at most 63 bits") from error
        except Exception as error:
            log.debug("cannot make sense of %s", self.folder, exc_info=True)
            raise DamagedError(damage(error)) from error

    @cached_property
    def _searched(self) -> Library:
        return Library(self.folder, create=False)

    def search(self, find: Callable[[Library], Result]) -> Result:
        """Search in the one thread whose library keeps the templates in memory, and the file's log open."""
        with self.reading():
            return self._search_thread.submit(lambda: find(self._searched)).result()

    def count(self) -> Counts:
        """How much there is; counted again when somebody has written to the file."""

        def counted(library: Library) -> Counts:
            moment = library.moment()
            if self._counted is None or self._counted[0] != moment:
                self._counted = moment, library.browse.count()
            return self._counted[1]

        return self.search(counted)

    @cached_property
    def detector(self) -> Detector:
        """Loaded when first asked for."""
        return Detector(self._detector_file, device=self._device)

    @cached_property
    def embedder(self) -> Embedder:
        """Likewise."""
        return Embedder(self._model, device=self._device)

    def warm(self) -> None:
        """Read the templates into memory, so that the first search does not wait for it."""

        def search(library: Library) -> None:
            spec = library.model()
            if spec is not None:
                library.templates.search(np.eye(1, spec.dim, dtype=np.float32), spec, k=1)

        self._search_thread.submit(lambda: search(self._searched))

    def close(self) -> None:
        """Stop all work."""
        self.background.stop()
        self._search_thread.submit(self._close_searched).result()
        self._search_thread.shutdown()

    def _close_searched(self) -> None:
        if "_searched" in vars(self):
            self._searched.close()

    def read_photos(self, background: Background) -> None:
        """Work in the background: read what is new, group, move the library to the site's model if it has another."""
        with self.library() as library:
            done = library.refresh(
                self.photo_folder(library), self.detector, self.embedder, stop=background.stopping,
                progress=lambda stage, done, todo: background.tell(DOING[stage], done, todo),
            )  # fmt: skip
        if done.scan.has_changes or done.upgrade is not None:
            background.regrouped()

    def follow(self, background: Background) -> None:
        """Work in the background: read what is new, then whatever comes, until the server ends."""
        self.read_photos(background)
        background.tell(None)
        with self.library() as library:
            for _ in library.watch(
                self.photo_folder(library), self.detector, self.embedder, stop=background.stopping,
                on_trouble=background.complain,
            ):  # fmt: skip
                background.regrouped()

    def page(self, template: str, **values: Any) -> HTMLResponse:
        """A page, or a part of one."""
        with self.reading():
            return HTMLResponse(render(template, csrf=self.guard.csrf, **values))

    def line(self, text: str) -> str:
        """A line for people; where the library lies is no part of it."""
        return printable(text.replace(f"{self.folder.resolve()}/", "").replace(f"{self.folder}/", ""))

    def frame(self, library: Library) -> dict[str, Any]:
        """What the frame of every whole page shows."""
        spec = library.model()
        return {
            "counts": self.count(),
            "folder": library.photo_folder,
            "model": None if spec is None else spec.label,
            "state": self.background.state,
        }


def damage(error: Exception) -> str:
    """What to do about a library that cannot be read, in one line."""
    reason = str(error) if isinstance(error, sqlite3.Error) else "what it holds makes no sense"
    return f"{CATALOGUE}: the library seems to be damaged ({reason}); `facespace library check` says where"
