"""Thumbnails and photos as JPEG; photos are always decoded and encoded again, so no file leaves as it is."""

import io
import os
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter
from fastapi.responses import Response
from PIL import Image

from facespace.errors import ImageError, LibraryError
from facespace.images import decode_image
from facespace.library import Library
from facespace.library.photo_views import photo_view
from facespace.regular_files import open_regular, read_regular
from facespace.web.background import photo_folder
from facespace.web.parameters import FaceKey, Number, Size
from facespace.web.site import Site
from facespace.web.text import printable

__all__ = ["MAX_PIXELS", "router"]

SIDES_PX = {"small": 360, "large": 2048}
KEPT_BYTES = 48 * 2**20
MAX_FILE_BYTES = 256 * 2**20
# Of what was not scanned at a larger size; decoded at a reduced scale where the format can.
MAX_PIXELS = 50_000_000
AT_ONCE = 2


@dataclass(frozen=True)
class Wanted:
    """A photo to be shown.

    Attributes:
        folder: of the photos.
        photo: path relative to it.
        max_pixels: more are not decoded.
        side_px: the longest side of what is shown.
    """

    folder: Path
    photo: str
    max_pixels: int
    side_px: int


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
    kept, at_once = KeptPictures(), CapacityLimiter(AT_ONCE)

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
                wanted = find_photo(library, number, SIDES_PX[size])
            return _shown(wanted, kept)

        return Response(await run_sync(shown, limiter=at_once), media_type="image/jpeg")

    return routes


def find_photo(library: Library, number: int, side_px: int) -> Wanted:
    """The file of a photo.

    Raises:
        CorrectionError: no such photo.
        LibraryError: nobody knows where the photos are, or the path leads out of the photo folder.
    """
    view = photo_view(library, number)
    path = Path(view.photo)
    if path.is_absolute() or ".." in path.parts:
        raise LibraryError(f"{printable(view.photo)}: expected a path below the photo folder")
    height, width = view.size_hw
    return Wanted(photo_folder(library), view.photo, max(MAX_PIXELS, height * width), side_px)


def _shown(wanted: Wanted, kept: KeptPictures) -> bytes:
    """The photo as JPEG; its file is looked at again each time."""
    name, path = Path(printable(wanted.photo)), wanted.folder / wanted.photo
    try:
        with open_regular(path, within=wanted.folder) as file:
            status = os.fstat(file.fileno())
        key = (path, wanted.side_px, status.st_ino, status.st_size, status.st_mtime_ns)
        jpeg = kept.get(key)
        if jpeg is None:
            jpeg = _jpeg(read_regular(path, max_bytes=MAX_FILE_BYTES, within=wanted.folder), name, wanted)
            kept.put(key, jpeg)
    except FileNotFoundError as error:
        raise ImageError(name, "the photo is not there; is its disk connected?") from error
    except OSError as error:
        raise ImageError(name, f"cannot be read: {error.strerror or 'not allowed'}") from error
    return jpeg


def _jpeg(content: bytes, name: Path, wanted: Wanted) -> bytes:
    picture = decode_image(content, name, longest_side_px=wanted.side_px, max_pixels=wanted.max_pixels)
    written = io.BytesIO()
    Image.fromarray(picture.pixels).save(written, "JPEG", quality=85)
    return written.getvalue()
