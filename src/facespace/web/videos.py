"""Videos, and the films of stills, as pages play them: by range, of the file itself, under the guards of photos."""

import hashlib
import os
from collections.abc import Iterator
from typing import BinaryIO

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from facespace.errors import CorrectionError
from facespace.http.ranges import asked_bytes
from facespace.library.differences import Motion
from facespace.web.parameters import Number
from facespace.web.photo_files import open_shown
from facespace.web.site import Site

# A browser that wants more asks for it; while a film is paused nothing waits to be sent.
MOST_BYTES = 4 * 2**20
CHUNK_BYTES = 2**18
# By how a file is built, not by what it is called: browsers refuse QuickTime by name and play it as MP4.
TYPES = {
    ".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/mp4", ".qt": "video/mp4", ".3gp": "video/mp4",
    ".webm": "video/webm", ".mkv": "video/x-matroska", ".ogv": "video/ogg",
}  # fmt: skip
STILLS_TYPE = "video/mp4"


def router(site: Site) -> APIRouter:
    """`/photos/N/video`."""
    routes = APIRouter()

    @routes.api_route("/photos/{number}/video", methods=["GET", "HEAD"])
    def video(number: Number, request: Request) -> Response:
        with site.library() as library:
            folder, view = site.photo(library, number)
            film = Motion(view.photo, 0, 0) if view.kind == "video" else library.motion(number)
        if film is None:
            raise CorrectionError(f"photo {number}: expected a video, it is a photo without a film")
        site.check_path(film.path)
        file = open_shown(folder, film.path)
        try:
            return _answer(Film(file, film.offset), _media_type(film.path), request)
        except BaseException:
            file.close()
            raise

    return routes


def _media_type(path: str) -> str:
    """That of a film behind the pixels of a still is MP4."""
    return TYPES.get("." + path.rpartition(".")[2].lower(), STILLS_TYPE)


class Film:
    """What of an open file is a film: all of it, or what stands behind the pixels of a still.

    Args:
        file: open; closed by `close`, and by whoever reads it to the end.
        offset: where the film begins, in bytes.
    """

    def __init__(self, file: BinaryIO, offset: int) -> None:
        status = os.fstat(file.fileno())
        self._file, self._offset = file, offset
        self.size = max(status.st_size - offset, 0)
        stamp = f"{status.st_dev} {status.st_ino} {status.st_size} {status.st_mtime_ns} {offset}"
        # Another one for another content; tells nothing of the disk.
        self.tag = f'"{hashlib.sha256(stamp.encode()).hexdigest()[:24]}"'

    def read(self, start: int, n_bytes: int) -> bytes:
        """A part of the film, as far as the file has it."""
        self._file.seek(self._offset + start)
        return self._file.read(n_bytes)

    def chunks(self) -> Iterator[bytes]:
        """All of it, and not what comes to the file meanwhile; closes the file."""
        with self._file:
            for start in range(0, self.size, CHUNK_BYTES):
                if not (chunk := self.read(start, min(CHUNK_BYTES, self.size - start))):
                    return
                yield chunk

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _answer(film: Film, media_type: str, request: Request) -> Response:
    """The whole film, or the part that is asked for; the file is closed, at the latest when all is sent."""
    headers = {"Accept-Ranges": "bytes", "ETag": film.tag}
    unchanged = request.headers.get("if-range", film.tag) == film.tag
    asked = asked_bytes(request.headers.get("range"), film.size) if unchanged else None
    if asked is not None and not asked:
        film.close()
        return Response(status_code=416, headers=headers | {"Content-Range": f"bytes */{film.size}"})
    whole = headers | {"Content-Length": str(film.size)}
    if request.method == "HEAD":
        film.close()
        return Response(media_type=media_type, headers=whole)
    if asked is None:
        return StreamingResponse(film.chunks(), media_type=media_type, headers=whole)
    content = film.read(asked.start, min(len(asked), MOST_BYTES))
    film.close()
    place = f"bytes {asked.start}-{asked.start + len(content) - 1}/{film.size}"
    return Response(content, 206, headers | {"Content-Range": place}, media_type)
