"""Thumbnails and photos, for the pages that show them."""

from collections import OrderedDict
from contextlib import nullcontext
from pathlib import Path
from threading import Lock

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter
from fastapi.responses import Response

from facespace.errors import LibraryError
from facespace.library.browse import PhotoView
from facespace.web.parameters import FaceKey, Number, Size
from facespace.web.photo_files import MAX_PIXELS, shown_frame, shown_photo, stamp_photo
from facespace.web.site import Site

SIDES_PX = {"small": 360, "large": 2048}
KEPT_BYTES = 48 * 2**20
DECODED_AT_ONCE = 2


class KeptPictures:
    """The pictures shown last, up to so many bytes; in memory alone, so that nothing of a photo is left behind."""

    def __init__(self, limit_bytes: int = KEPT_BYTES) -> None:
        self._limit = limit_bytes
        self._lock = Lock()
        self._kept: OrderedDict[tuple[object, ...], bytes] = OrderedDict()
        self._n_bytes = 0

    def get(self, key: tuple[object, ...]) -> bytes | None:
        """The picture, if it is still kept."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: tuple[object, ...], jpeg: bytes) -> None:
        """Keep a picture, and drop those that were not looked at for longest."""
        with self._lock:
            self._n_bytes += len(jpeg) - len(self._kept.pop(key, b""))
            self._kept[key] = jpeg
            while self._n_bytes > self._limit:
                self._n_bytes -= len(self._kept.popitem(last=False)[1])


def router(site: Site) -> APIRouter:
    """`/faces/ID/thumbnail`, `/photos/N/small` and `/photos/N/large`."""
    routes = APIRouter()
    kept, at_once, alone = KeptPictures(), CapacityLimiter(DECODED_AT_ONCE), Lock()

    @routes.get("/faces/{key}/thumbnail")
    def thumbnail(key: FaceKey) -> Response:
        with site.library() as library:
            jpeg = library.thumbnail(int(key, 16))
        if not jpeg:
            raise LibraryError("the photo of this face is gone, and the thumbnail with it")
        return Response(jpeg, media_type="image/jpeg")

    @routes.get("/photos/{number}/{size}")
    async def photo(number: Number, size: Size) -> Response:
        def shown() -> bytes:
            with site.library() as library:
                folder, view = site.photo(library, number)
            key = (view.photo, size, *stamp_photo(folder, view.photo))
            jpeg = kept.get(key)
            if jpeg is None:
                n_pixels = view.size_hw[0] * view.size_hw[1]
                with alone if n_pixels > MAX_PIXELS else nullcontext():
                    jpeg = _jpeg(folder, view, SIDES_PX[size], max(MAX_PIXELS, n_pixels))
                kept.put(key, jpeg)
            return jpeg

        return Response(await run_sync(shown, limiter=at_once), media_type="image/jpeg")

    return routes


def _jpeg(folder: Path, view: PhotoView, side_px: int, max_pixels: int) -> bytes:
    """A photo, or of a video the frame that shows its first face best."""
    if view.kind == "photo":
        return shown_photo(folder, view.photo, side_px=side_px, max_pixels=max_pixels)
    times = [face.time_s for face in view.faces if face.time_s is not None]
    return shown_frame(folder, view.photo, time_s=min(times, default=0.0), side_px=side_px)
