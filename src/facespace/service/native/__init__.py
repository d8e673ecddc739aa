"""facespace's own API, `/v1`."""

from fastapi import APIRouter

from facespace.service.native import faces, galleries, pictures, recognition, subjects
from facespace.service.service import Service

__all__ = ["router"]


def router(service: Service) -> APIRouter:
    """All of it but for jobs, which need whoever works on them; what is asked most stands first."""
    routes = APIRouter()
    for part in (recognition, pictures, faces, subjects, galleries):
        routes.routes.extend(part.router(service).routes)
    return routes
