"""Videos to tracks: frames sampled by scene and time, their faces found on all cores and linked in order."""

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.errors import ImageError, MissingExtraError
from facespace.extract.photos import (
    FaceDetector,
    FaceEmbedder,
    ImageFaces,
    PhotoFaces,
    embed_known,
    extract_image,
    extract_photo,
    extract_photos,
    tiles_of,
)
from facespace.extract.tracks import Track, Tracker
from facespace.faces.detections import Detections
from facespace.faces.tiles import decoded_side_px
from facespace.images import EVERY_S, Exif, Unreadable, Video, VideoFrame, is_video
from facespace.images.addresses import Address
from facespace.models import ModelSpec
from facespace.regular_files import open_regular, unread
from facespace.table import FaceTable, face_id
from facespace.workers import in_order

SAME_FRAME_S = 1e-3
NOTHING = np.zeros((0, 0, 3), np.uint8)


@dataclass(frozen=True)
class VideoFaces:
    """The people of one video: iterate over it for the tracks.

    Attributes:
        photo: the file, as it was asked for.
        sha256: of its bytes, in hex.
        size_hw: rows and columns of the whole upright frame.
        duration_s: of the video.
        tracks: by time.
        n_frames: so many frames were looked at.
        exif: when it was taken.
        note: what is missing of a file that is damaged or cut short; None where it is whole.
    """

    photo: Path
    sha256: str
    size_hw: tuple[int, int]
    duration_s: float
    tracks: tuple[Track, ...]
    n_frames: int
    exif: Exif = field(default_factory=Exif)
    note: str | None = None

    def __iter__(self) -> Iterator[Track]:
        return iter(self.tracks)

    def __len__(self) -> int:
        return len(self.tracks)

    @property
    def best(self) -> ImageFaces:
        """The best face of each track, as if all were in one picture."""
        return ImageFaces(
            Detections.joined([track.faces[:1] for track in self.tracks]),
            np.array([track.quality[0] for track in self.tracks], np.float32),
            np.array([track.embeddings[0] for track in self.tracks], np.float32),
            np.array([track.thumbnail for track in self.tracks], np.uint8),
        )


def extract_video(
    path: Path | str,
    detector: FaceDetector,
    embedder: FaceEmbedder,
    *,
    every_s: float = EVERY_S,
    workers: int | None = None,
    on_time: Callable[[float, float | None], None] | None = None,
) -> VideoFaces:
    """The people of a video, each appearance a track with its best faces.

    Args:
        path: of the file.
        detector: finds the faces; called from several threads.
        embedder: embeds them; likewise.
        every_s: seconds between the frames that are looked at, besides those that begin a scene; 0 for every frame.
        workers: threads; all cores when absent. The decoder has as many of its own.
        on_time: called with the time that has been read, and that of the whole video if it is known.

    Raises:
        MissingExtraError: the extra `video` is not installed.
        ImageError: the file cannot be read, or is no video.
    """
    file = Path(path)
    tracker, n_frames, size_hw = Tracker(embedder.spec, every_s), 0, (0, 0)

    def look(frame: VideoFrame) -> tuple[VideoFrame, ImageFaces]:
        found = extract_image(frame.picture, detector, embedder)
        return dataclasses.replace(frame, picture=dataclasses.replace(frame.picture, pixels=NOTHING)), found

    with Video(file, threads=workers) as video:
        side = partial(decoded_side_px, tiles=tiles_of(detector))
        for frame, found in in_order(look, video.frames(every_s, longest_side_px=side), workers=workers):
            size_hw, n_frames = frame.picture.size_hw, n_frames + 1
            tracker.add(found, frame.time_s, frame.stamp)
            if on_time:
                on_time(frame.time_s, video.duration_s)
        tracks = tuple(
            dataclasses.replace(track, frame=video.number(track.frame)) for track in tracker.tracks()
        )
    return VideoFaces(
        file, file_hash(file), size_hw, video.duration_s or 0.0, tracks, n_frames, video.exif, video.note
    )


def extract_files(
    paths: Sequence[Path], detector: FaceDetector, embedder: FaceEmbedder, *, workers: int | None = None
) -> Iterator[PhotoFaces | VideoFaces | Unreadable]:
    """The faces of each photo and video, in the order asked for; photos on all cores, and each video alone on them.

    Arguments are those of `facespace.extract.extract_photos`.
    """
    for in_videos, group in groupby(paths, is_video):
        if not in_videos:
            yield from extract_photos(list(group), detector, embedder, workers=workers)
            continue
        for path in group:
            yield extract_file(path, detector, embedder, workers=workers)


def extract_file(
    path: Path, detector: FaceDetector, embedder: FaceEmbedder, *, workers: int | None = None
) -> PhotoFaces | VideoFaces | Unreadable:
    """The faces of one photo or video; arguments as of `extract_files`."""
    if not is_video(path):
        return extract_photo(path, detector, embedder)
    if isinstance(path, Address):
        return Unreadable(path, "a video, which is read from a disk only; copy it there")
    try:
        return extract_video(path, detector, embedder, workers=workers)
    except ImageError as error:
        return Unreadable(path, error.reason)
    except MissingExtraError as error:
        return Unreadable(path, str(error))


def embed_known_frames(
    path: Path, times_s: Sequence[float], faces: Detections, embedder: FaceEmbedder
) -> NDArray[np.float32]:
    """Embeddings of faces that were found in a video before, without looking for them again.

    Args:
        path: of the video.
        times_s: of the N faces.
        faces: in pixels of the whole upright frame.
        embedder: embeds them.

    Returns:
        float32 unit rows, shape (N, D).

    Raises:
        MissingExtraError: the extra `video` is not installed.
        ImageError: the video cannot be read, or has no frame of such a time any more.
    """
    rows = np.zeros((len(times_s), embedder.spec.dim), np.float32)
    for time_s in sorted(set(times_s)):
        which = np.flatnonzero(np.asarray(times_s) == time_s)
        with Video(path, threads=1) as video:
            frames = video.frames(0.0, longest_side_px=decoded_side_px, since_s=time_s - SAME_FRAME_S)
            frame = next(frames, None)
        if frame is None:
            raise ImageError(path, f"expected a frame at {time_s:.3f} s, the video ends before")
        rows[which] = embed_known(frame.picture, faces[which], embedder)
    return rows


def file_hash(path: Path) -> str:
    """sha256 of a file of any size, in hex.

    Raises:
        ImageError: it cannot be read.
    """
    try:
        with open_regular(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type] # it can read into
    except OSError as error:
        raise ImageError(path, unread(error)) from error


def table_of(found: PhotoFaces | VideoFaces, spec: ModelSpec) -> FaceTable:
    """The faces of one file, embedded by the model of ``spec``; of tracks all kept faces, the best of each first."""
    parts = [found] if isinstance(found, PhotoFaces) else found.tracks
    faces = Detections.joined([part.faces for part in parts])
    video: dict[str, Any] = {}
    if isinstance(found, VideoFaces) and found.tracks:
        video = {
            name: np.concatenate([getattr(track, name) for track in found]) for name in ("frame", "time_s")
        }
        video["track"] = np.repeat(np.arange(len(found)), [len(track) for track in found])
    return FaceTable(
        spec.sha256,
        (str(found.photo),),
        (found.sha256,),
        np.array([face_id(found.sha256, k) for k in range(len(faces))], np.int64),
        np.zeros(len(faces), np.int32),
        faces.boxes_xyxy,
        faces.landmarks_xy,
        faces.scores,
        np.concatenate([np.zeros(0, np.float32), *(part.quality for part in parts)]),
        np.concatenate([np.zeros((0, spec.dim), np.float32), *(part.embeddings for part in parts)]),
        **video,
    )
