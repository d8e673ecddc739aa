"""The local pages as one app: the parts put together, and errors as one line for people."""

from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException as StarletteHTTPException

from facespace.errors import CorrectionError, FacespaceError, ImageError, LibraryError
from facespace.http.lines import slip
from facespace.web import corrections, finding, pages, pictures, videos
from facespace.web.guarded import Guarded
from facespace.web.security import SAFE
from facespace.web.site import DamagedError, Site

HERE = Path(__file__).parent


def create_app(site: Site) -> Guarded:
    """The app of a site, behind its guard."""
    app = FastAPI(title="facespace", docs_url=None, redoc_url=None, openapi_url=None)
    for part in (pages, videos, pictures, corrections, finding):
        app.include_router(part.router(site))
    app.mount("/static", StaticFiles(directory=HERE / "static"))
    for kind in (FacespaceError, RequestValidationError, StarletteHTTPException, OSError):
        app.add_exception_handler(kind, _explain(site))
    return Guarded(app, site.guard)


def _explain(site: Site) -> Callable[[Request, Exception], Response]:
    """An error is one line, on a page for people or in a document; what was sent is not repeated in it."""

    def explain(request: Request, error: Exception) -> Response:
        status, why = _status(error, request), site.line(_line(error))
        if request.method != "GET" or "html" not in request.headers.get("accept", ""):
            return JSONResponse({"error": why}, status)
        title = "Not found" if status == 404 else "This did not work"
        answer = site.page("error.html.j2", title=title, why=why)
        answer.status_code = status
        return answer

    return explain


def _status(error: Exception, request: Request) -> int:
    if isinstance(error, StarletteHTTPException):
        return error.status_code
    if isinstance(error, RequestValidationError):
        return 404 if all(problem["loc"][:1] == ("path",) for problem in error.errors()) else 422
    if isinstance(error, DamagedError | OSError) or _is_of_the_file(error):
        return 503
    if request.method in SAFE and isinstance(error, CorrectionError | ImageError):
        return 404
    return 422 if isinstance(error, ImageError) else 409


def _is_of_the_file(error: Exception) -> bool:
    """Whether the library's file is damaged, locked or out of reach; not whether it lacks what was asked for."""
    return (
        isinstance(error, LibraryError) and not isinstance(error, CorrectionError) and bool(error.__cause__)
    )


def _line(error: Exception) -> str:
    if isinstance(error, StarletteHTTPException):
        return str(error.detail) if isinstance(error, HTTPException) else HTTPStatus(error.status_code).phrase
    if isinstance(error, RequestValidationError):
        return "; ".join(": ".join(slip(problem)) for problem in error.errors()[:3])
    if isinstance(error, OSError) and not isinstance(error, FacespaceError):
        return f"the library cannot be read: {(error.strerror or type(error).__name__).lower()}"
    return str(error)
