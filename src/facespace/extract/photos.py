"""Photos or arrays to faces with embeddings: read, detect, align, embed, judge; on all cores, in order."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from facespace.errors import ImageError
from facespace.faces.align import crop_faces, square_crops
from facespace.faces.detections import Detections
from facespace.faces.quality import face_quality
from facespace.faces.tiles import Tiles, decoded_side_px, grid
from facespace.images import Exif, Picture, Unreadable, decode_image, read_bytes, read_photo
from facespace.models import ModelSpec
from facespace.workers import in_order

THUMBNAIL_PX = 144
CROPS_PER_BATCH = 64


class FaceDetector(Protocol):
    """What extraction asks of a detector; `facespace.faces.detect.Detector` is one.

    One with an attribute ``tiles`` gets large and wide pictures large enough for them, and is given how large a
    picture they are by ``whole_hw``.
    """

    def detect(self, image: NDArray[np.uint8], /) -> Detections:
        """Faces in uint8 RGB (H, W, 3), in its pixels."""


class NamedDetector(FaceDetector, Protocol):
    """A detector that can name itself."""

    spec: ModelSpec


class FaceEmbedder(Protocol):
    """What extraction asks of an embedder; `facespace.embed.Embedder` is one."""

    spec: ModelSpec

    def embed(self, crops: NDArray[np.uint8], /) -> NDArray[np.float32]:
        """Unit rows (N, D) of uint8 RGB crops (N, H, W, 3)."""


@dataclass(frozen=True)
class FoundFaces:
    """The faces of one picture, ready to be embedded.

    Attributes:
        faces: boxes, landmarks and scores, pixels of the whole upright picture.
        quality: float32, shape (N,).
        crops: uint8 RGB, shape (N, H, W, 3), as the embedder wants them.
        n_seen: how many faces the picture shows, of which these are some or all.
    """

    faces: Detections
    quality: NDArray[np.float32]
    crops: NDArray[np.uint8]
    n_seen: int


@dataclass(frozen=True)
class ImageFaces:
    """The faces of one picture.

    Attributes:
        faces: boxes, landmarks and scores, pixels of the whole upright picture.
        quality: float32, shape (N,).
        embeddings: float32 unit rows, shape (N, D).
        thumbnails: uint8 RGB, shape (N, 144, 144, 3), looser than what is embedded, for people to look at.
    """

    faces: Detections
    quality: NDArray[np.float32]
    embeddings: NDArray[np.float32]
    thumbnails: NDArray[np.uint8]


@dataclass(frozen=True)
class PhotoFaces(ImageFaces):
    """The faces of one photo, and which file it was.

    Attributes:
        photo: as it was asked for.
        sha256: of the file's bytes, in hex.
        size_hw: rows and columns of the whole upright picture.
        exif: what the file says of itself.
        note: what is missing of a file that is cut short; None where it is whole.
    """

    photo: Path
    sha256: str
    size_hw: tuple[int, int]
    exif: Exif = field(default_factory=Exif)
    note: str | None = None


def extract_image(
    image: NDArray[np.uint8] | Picture, detector: FaceDetector, embedder: FaceEmbedder
) -> ImageFaces:
    """The faces of one picture or video frame.

    Args:
        image: uint8 RGB, shape (H, W, 3), or a picture decoded at a reduced scale; boxes and landmarks are
            given in pixels of the whole picture.
        detector: finds the faces.
        embedder: embeds them; its spec says how they are aligned.
    """
    picture = Picture(image, image.shape[:2]) if isinstance(image, np.ndarray) else image
    found = find_faces(picture, detector, embedder.spec)
    here = found.faces.scaled(picture.scale)
    thumbnails = square_crops(picture.pixels, here.boxes_xyxy, size_px=THUMBNAIL_PX)
    return ImageFaces(found.faces, found.quality, embedder.embed(found.crops), thumbnails)


def find_faces(
    picture: Picture, detector: FaceDetector, spec: ModelSpec, *, most: int | None = None
) -> FoundFaces:
    """The faces of a picture, cut out for an embedder and not embedded yet.

    Args:
        picture: perhaps decoded at a reduced scale.
        detector: finds the faces.
        spec: of the embedder.
        most: only so many, the largest; all when None.
    """
    found = _detect(picture, detector)
    n_seen = len(found)
    if most is not None and len(found) > most:
        found = found[np.sort(np.argsort(-found.areas_px, kind="stable")[:most])]
    crops = crop_faces(picture.pixels, found.boxes_xyxy, found.landmarks_xy, spec)
    whole = found.scaled(1.0 / picture.scale)
    return FoundFaces(whole, face_quality(crops, whole.landmarks_xy), crops, n_seen)


def tiles_of(detector: FaceDetector) -> Tiles:
    """Whether and how a detector divides pictures."""
    tiles: Tiles = getattr(detector, "tiles", "off")
    return tiles


def _detect(picture: Picture, detector: FaceDetector) -> Detections:
    """Faces in the pixels of ``picture``; a detector that does not tile need not know the whole picture's size."""
    if grid(picture.size_hw, tiles_of(detector)) == (1, 1):
        return detector.detect(picture.pixels)
    whole: dict[str, Any] = {"whole_hw": picture.size_hw}
    return detector.detect(picture.pixels, **whole)


def extract_photos(
    photos: Sequence[Path], detector: FaceDetector, embedder: FaceEmbedder, *, workers: int | None = None
) -> Iterator[PhotoFaces | Unreadable]:
    """The faces of each photo, in the order asked for; a photo that cannot be read becomes an `Unreadable`.

    Few photos are in memory at a time; see `in_order`.

    Args:
        photos: files.
        detector: finds the faces; called from several threads.
        embedder: embeds them; likewise.
        workers: threads; all cores when absent. Decoding, hashing and networks run outside Python's lock.
    """
    return in_order(lambda photo: extract_photo(photo, detector, embedder), photos, workers=workers)


def embed_known_faces(
    content: bytes, path: Path, faces: Detections | None, embedder: FaceEmbedder
) -> NDArray[np.float32]:
    """Embeddings of faces that were found in a photo before, without looking for them again.

    Args:
        content: of the photo.
        path: named in errors.
        faces: in pixels of the whole upright picture, N of them; None where the photo is one ready crop.
        embedder: embeds them.

    Returns:
        float32 unit rows, shape (N, D); one row for a crop.

    Raises:
        ImageError: the photo cannot be decoded.
    """
    if faces is None:
        return embedder.embed(_as_crop(content, path, embedder.spec)[None])
    return embed_known(decode_image(content, path, longest_side_px=decoded_side_px), faces, embedder)


def embed_known(picture: Picture, faces: Detections, embedder: FaceEmbedder) -> NDArray[np.float32]:
    """Embeddings of faces in pixels of the whole picture, shape (N, D)."""
    here = faces.scaled(picture.scale)
    return embedder.embed(crop_faces(picture.pixels, here.boxes_xyxy, here.landmarks_xy, embedder.spec))


def extract_crops(
    paths: Sequence[Path], embedder: FaceEmbedder
) -> Iterator[tuple[Path, str, NDArray[np.uint8]]]:
    """Ready thumbnails, resized to the embedder's input where they differ: path, sha256, crop (H, W, 3).

    Raises:
        ImageError: a thumbnail cannot be read.
    """
    for path in paths:
        content = read_bytes(path)
        yield path, hashlib.sha256(content).hexdigest(), _as_crop(content, path, embedder.spec)


def _as_crop(content: bytes, path: Path, spec: ModelSpec) -> NDArray[np.uint8]:
    from PIL import Image

    height, width = spec.input_hw
    picture = decode_image(content, path)
    if not picture.is_whole:  # part of a face is another face
        raise ImageError(path, picture.note or "")
    pixels = picture.pixels
    if pixels.shape[:2] == (height, width):
        return pixels
    resized = Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return np.asarray(resized)


def extract_photo(photo: Path, detector: FaceDetector, embedder: FaceEmbedder) -> PhotoFaces | Unreadable:
    """The faces of one photo; see `extract_photos`."""
    try:
        content, picture = read_photo(
            photo, longest_side_px=partial(decoded_side_px, tiles=tiles_of(detector))
        )
    except ImageError as error:
        return Unreadable(photo, error.reason)
    found = extract_image(picture, detector, embedder)
    digest = hashlib.sha256(content).hexdigest()
    return PhotoFaces(
        found.faces, found.quality, found.embeddings, found.thumbnails, photo, digest, picture.size_hw,
        picture.exif, picture.note,
    )  # fmt: skip
