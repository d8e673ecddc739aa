"""What whoever runs the service asks it: does it live, is it ready, and how is it doing."""

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from facespace.service.problems import ProblemError
from facespace.service.service import Entered, TheService

TEXT = "text/plain; version=0.0.4; charset=utf-8"


router = APIRouter(tags=["operations"])


@router.get("/livez", summary="The process answers")
async def livez() -> JSONResponse:
    return JSONResponse({"status": "alive"})


@router.get("/readyz", summary="Models and galleries are loaded")
async def readyz(service: TheService) -> JSONResponse:
    if not service.is_ready:
        raise ProblemError(503, "stopping", "the service starts or stops", headers={"Retry-After": "1"})
    return JSONResponse({"status": "ready"})


@router.get(
    "/metrics", summary="Counts and times in Prometheus' text form; needs a key to read all galleries"
)
async def metrics(service: TheService, entered: Entered) -> Response:
    entered.need("read")
    for name in service.galleries.names()[: service.settings.limits.galleries]:
        await service.measure(service.galleries.get(name))
    return Response(service.metrics.text(), media_type=TEXT)
