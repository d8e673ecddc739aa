"""Videos as the page of one plays them: parts of the file itself, by range, read under the guards of photos."""

import hashlib
import os
from collections.abc import Iterator
from typing import BinaryIO

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from facespace.errors import CorrectionError
from facespace.http.ranges import UnsatisfiableError, asked_span
from facespace.web.parameters import Number
from facespace.web.photo_files import open_shown
from facespace.web.site import Site

__all__ = ["router"]

# A browser that wants more asks for it; while a film is paused nothing waits to be sent.
MOST_BYTES = 4 * 2**20
CHUNK_BYTES = 2**18
# By how a file is built, not by what it is called: browsers refuse QuickTime by name and play it as MP4.
TYPES = {
    ".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/mp4", ".qt": "video/mp4", ".3gp": "video/mp4",
    ".webm": "video/webm", ".mkv": "video/x-matroska", ".ogv": "video/ogg",
}  # fmt: skip
UNKNOWN_TYPE = "application/octet-stream"


def router(site: Site) -> APIRouter:
    """`/photos/N/video`."""
    routes = APIRouter()

    @routes.api_route("/photos/{number}/video", methods=["GET", "HEAD"])
    def video(number: Number, request: Request) -> Response:
        with site.library() as library:
            folder, view = site.photo(library, number)
        if view.kind != "video":
            raise CorrectionError(f"photo {number}: expected a video, it is a photo")
        file = open_shown(folder, view.photo)
        try:
            suffix = os.path.splitext(view.photo)[1].lower()  # noqa: PTH122 - of a name that may be no path here
            return _answer(file, TYPES.get(suffix, UNKNOWN_TYPE), request)
        except BaseException:
            file.close()
            raise

    return routes


def _answer(file: BinaryIO, media_type: str, request: Request) -> Response:
    """The whole file, or the part that is asked for; closes the file, at the latest when it is sent."""
    status = os.fstat(file.fileno())
    size, tag = status.st_size, _tag(status)
    headers = {"Accept-Ranges": "bytes", "ETag": tag}
    unchanged = request.headers.get("if-range", tag) == tag
    try:
        span = asked_span(request.headers.get("range"), size) if unchanged else None
    except UnsatisfiableError:
        file.close()
        return Response(status_code=416, headers=headers | {"Content-Range": f"bytes */{size}"})
    if request.method == "HEAD":
        file.close()
        return Response(media_type=media_type, headers=headers | {"Content-Length": str(size)})
    if span is None:
        return StreamingResponse(
            _chunks(file), media_type=media_type, headers=headers | {"Content-Length": str(size)}
        )
    with file:
        file.seek(span.start)
        content = file.read(min(len(span), MOST_BYTES))
    sent = type(span)(span.start, span.start + len(content))
    return Response(content, 206, headers | {"Content-Range": sent.header(size)}, media_type)


def _tag(status: os.stat_result) -> str:
    """Another one for another content; tells nothing of the disk."""
    stamp = f"{status.st_dev} {status.st_ino} {status.st_size} {status.st_mtime_ns}"
    return f'"{hashlib.sha256(stamp.encode()).hexdigest()[:24]}"'


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    with file:
        left = os.fstat(file.fileno()).st_size  # not what comes to the file meanwhile
        while left > 0 and (chunk := file.read(min(CHUNK_BYTES, left))):
            left -= len(chunk)
            yield chunk
