"""facespace's own API, `/v1`; what is asked most stands first."""

from facespace.service.native import faces, galleries, jobs, pictures, recognition, subjects

__all__ = ["ROUTERS"]

ROUTERS = tuple(part.router for part in (recognition, pictures, faces, subjects, galleries, jobs))
