"""A service that sees drawn faces, and a client that asks it."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from starlette.testclient import TestClient

from facespace.gallery import Gallery
from facespace.service.app import create_app
from facespace.service.galleries import Embedders
from facespace.service.service import Service
from facespace.service.settings import Settings
from fakes import COLOURS, LIKE_RED, SIDE_PX, DrawnDetector, DrawnEmbedder

HOST = "127.0.0.1:8129"
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


def ask(service: Service, **headers: str) -> TestClient:
    """A client; use it in a `with` block, so that the service starts and stops."""
    return TestClient(create_app(service), base_url=f"http://{HOST}", headers=headers)


def photo(*names: str) -> bytes:
    """A PNG with a square for each colour."""
    image = np.full((100, 40 + 90 * max(1, len(names)), 3), 255, np.uint8)
    for k, name in enumerate(names):
        image[20 : 20 + SIDE_PX, 20 + 90 * k : 20 + 90 * k + SIDE_PX] = (COLOURS | LIKE_RED)[name]
    written = io.BytesIO()
    Image.fromarray(image).save(written, "PNG")
    return written.getvalue()
