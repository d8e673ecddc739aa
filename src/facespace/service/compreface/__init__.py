"""CompreFace's REST API over the same galleries, so that its clients need a new address and a new key, and no new code.

Source: docs/Rest-API-description.md and the controllers of exadel-inc/CompreFace (Apache-2.0). What differs stands in
docs/service.md.
"""

from fastapi import APIRouter

from facespace.service.compreface import embeddings, examples, pictures, subjects
from facespace.service.compreface.asked import answer
from facespace.service.service import Service

__all__ = ["answer", "router"]


def router(service: Service) -> APIRouter:
    """All of `/api/v1`."""
    routes = APIRouter()
    for part in (subjects, examples, pictures, embeddings):
        routes.include_router(part.router(service))
    return routes
