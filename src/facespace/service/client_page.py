"""The browser's client: a page, a module that others may import, and the models that both run.

Everything is served from here. The runtime, onnxruntime-web, is no part of the source: `make client` puts it beside
the page, and the page says so where it is missing.
"""

import dataclasses
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from facespace.models import find_model, read_spec

HERE = Path(__file__).parent / "client"
BROWSER_EMBEDDER = "facespace-xs"
# Threads in the browser share memory, which it allows only to a page that nothing foreign can reach.
HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; connect-src 'self'; "
        "style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Permissions-Policy": "camera=(self)",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


def client_routes(detector: str | Path | None = None, embedder: str | Path = BROWSER_EMBEDDER) -> Mount:
    """What stands under `/client/`: the page, its scripts, the runtime and two models.

    Args:
        detector: as `facespace.faces.detect.Detector` takes it; None for the built-in one.
        embedder: of the browser. Its model must be one that galleries' models may meet, or it finds nobody.

    Raises:
        ModelError: no such model.
    """
    paths = {"detector": find_model(detector, "detector"), "embedder": find_model(embedder, "embedder")}
    specs = {task: read_spec(path) for task, path in paths.items()}
    described = {
        task: {**dataclasses.asdict(spec), "file": f"models/{spec.sha256}.onnx"}
        for task, spec in specs.items()
    }
    files = {spec.sha256: paths[task] for task, spec in specs.items()}

    def page(_: Request) -> Response:
        return FileResponse(HERE / "page.html", headers=HEADERS)

    def models(_: Request) -> Response:
        return JSONResponse(described, headers=HEADERS)

    def model(request: Request) -> Response:
        path = files.get(request.path_params["sha256"])
        if path is None:
            raise HTTPException(404, "expected one of the models that /client/models.json names")
        return FileResponse(path, media_type="application/octet-stream", headers=HEADERS)

    return Mount(
        "/client",
        routes=[
            Route("/", page),
            Route("/models.json", models),
            Route("/models/{sha256}.onnx", model),
            Mount("/", _Files(directory=HERE)),
        ],
    )


class _Files(StaticFiles):
    """Files with the headers of the page: scripts start threads of their own, which need them too."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS)
        return response
