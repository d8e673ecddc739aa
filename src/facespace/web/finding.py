"""Search: by name, by a face of the library, by an uploaded photo; and the button that looks for new photos."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter, HTTPException
from fastapi.responses import HTMLResponse, JSONResponse
from markupsafe import Markup
from numpy.typing import NDArray

from facespace.errors import ImageError
from facespace.extract import extract_image
from facespace.images import decode_image
from facespace.images.jpeg import to_jpeg
from facespace.library import Card, Library, Similar
from facespace.web.guarded import MAX_UPLOAD_BYTES
from facespace.web.parameters import FaceKey, Text, Upload
from facespace.web.photo_files import MAX_PIXELS
from facespace.web.site import Site

Result = TypeVar("Result")
FOUND_BY_NAME = 60
NEAREST = 24
DECODE_PX = 1600
MAX_WAITING = 4


@dataclass(frozen=True)
class Probe:
    """A face of an uploaded photo, as a data URL, with the faces of the library nearest to it."""

    thumbnail: Markup
    found: list[Similar]


class Turns:
    """Work that is done one at a time, since it takes much memory; few wait for their turn."""

    def __init__(self) -> None:
        self._one = CapacityLimiter(1)
        self._n_inside = 0

    async def take(self, work: Callable[[], Result]) -> Result:
        """What the work comes to, done in a thread.

        Raises:
            HTTPException: too many wait already.
        """
        if self._n_inside > MAX_WAITING:
            raise HTTPException(503, "other photos are being searched for; try again in a moment")
        self._n_inside += 1
        try:
            return await run_sync(work, limiter=self._one)
        finally:
            self._n_inside -= 1


def router(site: Site) -> APIRouter:
    """`GET /search`, `GET /faces/ID`, `POST /search/photo`, `POST /scan`."""
    routes = APIRouter()
    turns = Turns()

    @routes.get("/search")
    def search(q: Text = "") -> HTMLResponse:
        with site.library() as library:
            people = _named(library, q)
            photos = library.browse.photos(q, q, limit=FOUND_BY_NAME) if q[:1].isdecimal() else []
            return site.page(
                "search.html.j2", q=q, people=people, photos=photos, most_bytes=MAX_UPLOAD_BYTES,
                **site.frame(library),
            )  # fmt: skip

    @routes.get("/faces/{key}")
    def similar(key: FaceKey) -> HTMLResponse:
        with site.library() as library:
            face = library.browse.face(key)
            values = site.frame(library)
        found = site.search(lambda searched: searched.search_face(face.face_id))
        return site.page("similar.html.j2", face=face, found=found, **values)

    @routes.post("/search/photo")
    async def search_photo(content: Upload) -> HTMLResponse:
        probes = await turns.take(lambda: _probes(site, content))
        return site.page("probes.html.j2", probes=probes)

    @routes.post("/scan")
    def look_for_photos() -> JSONResponse:
        with site.library() as library:
            site.photo_folder(library)
        return JSONResponse({"started": site.background.start(site.read_photos)})

    return routes


def _named(library: Library, q: str) -> list[Card]:
    """The people whose name has these letters in it, capitals or not; a number finds its person."""
    wanted = " ".join(q.split()).casefold()
    if not wanted:
        return []
    numbers = [number for number, name in library.browse.names() if wanted in name.casefold()]
    return [library.browse.person(number) for number in numbers[:FOUND_BY_NAME]]


def _probes(site: Site, content: bytes) -> list[Probe]:
    name = Path("the uploaded photo")
    if not content:
        raise ImageError(name, "the file is empty")
    picture = decode_image(content, name, longest_side_px=DECODE_PX, max_pixels=MAX_PIXELS)
    with site.library() as library:
        embedder = library.reading_embedder(site.embedder)
    found = extract_image(picture, site.detector, embedder)
    near = site.search(lambda searched: searched.search(found.embeddings, embedder.spec, k=NEAREST))
    return [Probe(_data_url(found.thumbnails[i]), near[i]) for i in range(len(near))]


def _data_url(thumbnail: NDArray[np.uint8]) -> Markup:
    return Markup("data:image/jpeg;base64,") + base64.b64encode(to_jpeg(thumbnail)).decode()
