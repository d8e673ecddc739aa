"""Thumbnails and photos as JPEG; a photo is always decoded and written anew, so that no file is handed out as it is."""

import io
from collections import OrderedDict
from pathlib import Path
from threading import Lock

from fastapi import APIRouter
from fastapi.responses import Response
from PIL import Image

from facespace.errors import CorrectionError, ImageError, LibraryError
from facespace.images import read_image
from facespace.library import Library
from facespace.library.photo_views import photo_view
from facespace.web.photo_work import photo_folder
from facespace.web.site import Site
from facespace.web.text import printable

__all__ = ["router"]

SIDES_PX = {"small": 360, "large": 2048}
KEPT_BYTES = 48 * 2**20


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
    kept = KeptPictures()

    @routes.get("/faces/{key}/thumbnail")
    def thumbnail(key: str) -> Response:
        with site.library() as library:
            jpeg = library.thumbnail(_face_id(key))
        if not jpeg:
            raise LibraryError(f"face {key}: its photo is gone, and the thumbnail with it")
        return Response(jpeg, media_type="image/jpeg")

    @routes.get("/photos/{photo_id}/{size}")
    def photo(photo_id: int, size: str) -> Response:
        if size not in SIDES_PX:
            raise CorrectionError(f"expected a size of {', '.join(SIDES_PX)}, got {size}")
        with site.library() as library:
            path = photo_file(library, photo_id)
        try:
            status = path.stat()
        except OSError as error:
            raise ImageError(printable(str(path)), "the photo is not there; is its disk mounted?") from error
        stamp = (photo_id, size, status.st_ino, status.st_size, status.st_mtime_ns)
        jpeg = kept.get(stamp)
        if jpeg is None:
            jpeg = _jpeg(path, SIDES_PX[size])
            kept.put(stamp, jpeg)
        return Response(jpeg, media_type="image/jpeg")

    return routes


def photo_file(library: Library, photo_id: int) -> Path:
    """Where a photo stands.

    Raises:
        CorrectionError: no such photo.
        LibraryError: nobody knows where the photos are, or the path leads out of the photo folder.
    """
    folder, path = photo_folder(library), Path(photo_view(library, photo_id).photo)
    if path.is_absolute() or ".." in path.parts:
        raise LibraryError(f"{printable(str(path))}: expected a path below the photo folder")
    return folder / path


def _jpeg(path: Path, side_px: int) -> bytes:
    written = io.BytesIO()
    Image.fromarray(read_image(path, longest_side_px=side_px).pixels).save(written, "JPEG", quality=85)
    return written.getvalue()


def _face_id(key: str) -> int:
    try:
        return int(key, 16)
    except ValueError as error:
        raise CorrectionError(f"expected the id of a face, got {key}") from error
