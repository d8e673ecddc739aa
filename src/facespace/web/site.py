"""The local pages as one app: what they share, and the parts that they are put together from."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, PackageLoader

from facespace.embed import Embedder
from facespace.errors import CorrectionError, FacespaceError
from facespace.faces.detect import Detector
from facespace.library import Library, library_model
from facespace.library.addresses import face_key
from facespace.library.browse import Counts, count
from facespace.web.background import Background
from facespace.web.security import Guard, Guarded
from facespace.web.text import counted, day, one_in, printable

__all__ = ["Site", "create_app"]

Result = TypeVar("Result")
HERE = Path(__file__).parent


class Site:
    """A library with what its pages share.

    Args:
        folder: of the library.
        guard: who may ask.
        model: ONNX file or name of the embedder; the built-in one when None.
        detector: ONNX file of the detector; likewise.

    Attributes:
        folder: as given.
        guard: as given.
        background: groups anew and scans while pages are looked at.
    """

    def __init__(
        self,
        folder: Path,
        guard: Guard,
        *,
        model: Path | str | None = None,
        detector: Path | str | None = None,
    ) -> None:
        self.folder = folder
        self.guard = guard
        self.background = Background(folder)
        self._model = model
        self._detector_file = detector
        self._search_thread = ThreadPoolExecutor(1, "facespace-search")
        self._counted: tuple[int, Counts] | None = None

    def library(self) -> Library:
        """The library, open; it belongs to the thread that asks, and is closed by its `with` block."""
        return Library(self.folder, create=False)

    @cached_property
    def _searched(self) -> Library:
        return self.library()

    def search(self, find: Callable[[Library], Result]) -> Result:
        """Search in the one thread whose library keeps the templates in memory, and the file's log open."""
        return self._search_thread.submit(lambda: find(self._searched)).result()

    def count(self) -> Counts:
        """How much there is; counted again when somebody has written to the file."""

        def counted(library: Library) -> Counts:
            (version,) = library.catalogue.execute("PRAGMA data_version").fetchone()
            if self._counted is None or self._counted[0] != version:
                self._counted = version, count(library)
            return self._counted[1]

        return self.search(counted)

    @cached_property
    def detector(self) -> Detector:
        """Loaded when first asked for."""
        return Detector(self._detector_file)

    @cached_property
    def embedder(self) -> Embedder:
        """Likewise."""
        return Embedder(self._model)

    def warm(self) -> None:
        """Read the templates into memory, so that the first search does not wait for it."""

        def search(library: Library) -> None:
            spec = library_model(library)
            if spec is not None:
                library.templates.search(np.eye(1, spec.dim, dtype=np.float32), spec, k=1)

        self._search_thread.submit(lambda: search(self._searched))

    def close(self) -> None:
        """Stop what goes on in the background."""
        self.background.stop()
        self._search_thread.submit(lambda: self._searched.close()).result()
        self._search_thread.shutdown()

    @cached_property
    def _templates(self) -> Environment:
        environment = Environment(
            loader=PackageLoader("facespace.web", "templates/site"),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters |= {
            "key": face_key,
            "one_in": one_in,
            "printable": printable,
            "counted": counted,
            "day": day,
        }
        return environment

    def page(self, template: str, **values: Any) -> HTMLResponse:
        """A page, or a part of one."""
        name = template.removesuffix(".html.j2")
        html = self._templates.get_template(template).render(page=name, csrf=self.guard.csrf, **values)
        return HTMLResponse(html)

    def frame(self, library: Library) -> dict[str, Any]:
        """What the frame of every whole page shows."""
        spec = library_model(library)
        return {
            "counts": self.count(),
            "folder": library.photo_folder,
            "model": None if spec is None else spec.label,
            "state": self.background.state,
        }


def create_app(site: Site) -> Guarded:
    """The app of a site, behind its guard."""
    from facespace.web import corrections, finding, pages, pictures

    app = FastAPI(title="facespace", docs_url=None, redoc_url=None, openapi_url=None)
    for part in (pages, pictures, corrections, finding):
        app.include_router(part.router(site))
    app.mount("/static", StaticFiles(directory=HERE / "static"))
    app.add_exception_handler(FacespaceError, _explain(site))
    return Guarded(app, site.guard)


def _explain(site: Site) -> Callable[[Request, Exception], Response]:
    """An error that facespace raises on purpose is one line for people, on a page or in a document."""

    def explain(request: Request, error: Exception) -> Response:
        status = 404 if isinstance(error, CorrectionError) and request.method == "GET" else 409
        if request.method != "GET" or "html" not in request.headers.get("accept", ""):
            return JSONResponse({"error": str(error)}, status)
        answer = site.page("error.html.j2", why=printable(str(error)))
        answer.status_code = status
        return answer

    return explain
