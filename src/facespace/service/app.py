"""The service as one app: routes, errors and the layer around them put together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from facespace import __version__
from facespace.errors import FacespaceError
from facespace.service import compreface, native, operations
from facespace.service.client_page import client_routes
from facespace.service.front import Front
from facespace.service.native.description import describe
from facespace.service.problems import ProblemError, problem_of
from facespace.service.service import Service
from facespace.service.working import look_after_galleries, work_on_jobs

SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
}
ROUTERS = (*native.ROUTERS, operations.router, *compreface.ROUTERS)


class Described(FastAPI):
    """An app whose description says how a key is sent."""

    needs_keys = True

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document."""
        document = super().openapi()
        if self.needs_keys:
            document["components"]["securitySchemes"] = SCHEMES
            document["security"] = [{name: []} for name in SCHEMES]
        return document


def create_app(service: Service) -> Front:
    """The app of a service, which starts and stops with it."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await service.start()
        upkeep, jobs = (asyncio.create_task(work(service)) for work in (look_after_galleries, work_on_jobs))
        try:
            yield
        finally:
            upkeep.cancel()
            service.is_ready = False  # jobs stop at their next line
            service.wake.set()
            await asyncio.wait([upkeep, jobs])
            await service.stop()

    settings = service.settings
    app = Described(
        title="facespace", version=__version__, description=describe(settings), docs_url=None, redoc_url=None,
        lifespan=lifespan, root_path=settings.root_path,
    )  # fmt: skip
    app.needs_keys = settings.keys
    app.state.service = service
    for router in ROUTERS:
        # Taken over one by one: routers within routers are searched several times a request.
        app.router.routes.extend(router.routes)
    app.router.routes.append(client_routes(settings.detector))
    for kind in (ProblemError, FacespaceError, RequestValidationError, HTTPException, OSError, Exception):
        app.add_exception_handler(kind, _explain)
    if settings.origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=settings.origins, allow_methods=["*"],
            allow_headers=["authorization", "content-type", "x-api-key"], max_age=600,
        )  # fmt: skip
    return Front(app, service)


def _explain(request: Request, error: Exception) -> Response:
    problem = problem_of(error)
    path = request.url.path.removeprefix(request.scope.get("root_path", ""))
    return compreface.answer(problem) if path.startswith("/api/v1") else problem.answer()
