"""A service that sees drawn faces, and a client that asks it."""

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pydantic import TypeAdapter
from starlette.testclient import TestClient

from facespace.gallery import Gallery
from facespace.service.app import create_app
from facespace.service.galleries import Embedders
from facespace.service.native import schemas
from facespace.service.service import Service
from facespace.service.settings import Settings
from fakes import COLOURS, LIKE_RED, SIDE_PX, DrawnDetector, DrawnEmbedder

HOST, JSON = "127.0.0.1:8129", "application/json"
PNG = {"content-type": "image/png"}


class DrawnEmbedders(Embedders):
    """One for all galleries."""

    def __init__(self) -> None:
        super().__init__()
        self.one = DrawnEmbedder()

    def default(self) -> DrawnEmbedder:
        return self.one

    def of(self, gallery: Gallery) -> DrawnEmbedder:
        return self.one


def make_service(folder: Path, **settings: Any) -> Service:
    """A service without keys, unless the settings say otherwise."""
    chosen = Settings(folder, **{"keys": False, "threads": 1, **settings})
    return Service(chosen, detector=DrawnDetector(), embedders=DrawnEmbedders())


class Asked(TestClient):
    """A client that holds every answer of `/v1` to what the description says of it."""

    _described: dict[str, Any] | None = None

    def request(self, method: str, url: Any, **sent: Any) -> Any:
        answer = super().request(method, url, **sent)
        path = str(url).partition("?")[0]
        if path.startswith("/v1/") and answer.is_success and answer.headers.get("content-type") == JSON:
            TypeAdapter(self._schema(path, method, answer.status_code)).validate_json(answer.text)
        return answer

    def _schema(self, path: str, method: str, status: int) -> Any:
        if self._described is None:
            self._described = super().request("GET", "/openapi.json").json()["paths"]
        fits = [
            methods[method.lower()]
            for route, methods in self._described.items()
            if re.fullmatch(re.sub(r"\{[a-z_]+\}", "[^/]+", route.replace("{subject}", "{s}")), path)
            and method.lower() in methods
        ]
        content = fits[0]["responses"][str(status)]["content"]["application/json"]["schema"]
        return getattr(schemas, content["$ref"].rpartition("/")[2])


def ask(service: Service, **headers: str) -> Asked:
    """A client; use it in a `with` block, so that the service starts and stops."""
    return Asked(create_app(service), base_url=f"http://{HOST}", headers=headers)


def photo(*names: str) -> bytes:
    """A PNG with a square for each colour."""
    image = np.full((100, 40 + 90 * max(1, len(names)), 3), 255, np.uint8)
    for k, name in enumerate(names):
        image[20 : 20 + SIDE_PX, 20 + 90 * k : 20 + 90 * k + SIDE_PX] = (COLOURS | LIKE_RED)[name]
    written = io.BytesIO()
    Image.fromarray(image).save(written, "PNG")
    return written.getvalue()
