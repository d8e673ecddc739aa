"""What whoever runs the service asks it: does it live, is it ready, and how is it doing."""

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import JSONResponse, Response

from facespace.service.access import Access
from facespace.service.problems import ProblemError
from facespace.service.service import Service

TEXT = "text/plain; version=0.0.4; charset=utf-8"


def router(service: Service) -> APIRouter:
    """`GET /livez`, `GET /readyz`, `GET /metrics`."""
    routes = APIRouter(tags=["operations"])

    @routes.get("/livez", summary="The process answers")
    async def livez() -> JSONResponse:
        return JSONResponse({"status": "alive"})

    @routes.get("/readyz", summary="Models and galleries are loaded")
    async def readyz() -> JSONResponse:
        if not service.is_ready:
            raise ProblemError(503, "stopping", "the service starts or stops", headers={"Retry-After": "1"})
        return JSONResponse({"status": "ready"})

    @routes.get(
        "/metrics", summary="Counts and times in Prometheus' text form; needs a key to read all galleries"
    )
    async def metrics(access: Annotated[Access, Depends(service.door)]) -> Response:
        access.need("read")
        for name in service.galleries.names()[: service.settings.limits.galleries]:
            await service.measure(service.galleries.get(name))
        return Response(service.metrics.text(), media_type=TEXT)

    return routes
