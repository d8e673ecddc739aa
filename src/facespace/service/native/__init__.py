"""facespace's own API, `/v1`."""

from fastapi import APIRouter

from facespace.service.native import faces, galleries, pictures, recognition, subjects
from facespace.service.service import Service

__all__ = ["router"]


def router(service: Service) -> APIRouter:
    """All of it but for jobs, which need whoever works on them."""
    routes = APIRouter()
    for part in (galleries, subjects, faces, recognition, pictures):
        routes.include_router(part.router(service))
    return routes
