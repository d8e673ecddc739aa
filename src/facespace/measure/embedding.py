"""The one way from pictures to embeddings: faces found, cropped as a view says and embedded, on all cores."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facespace.errors import InputError
from facespace.extract import FaceDetector, FaceEmbedder, in_order
from facespace.faces.detections import Detections
from facespace.images import read_image
from facespace.measure.faces import FaceSet
from facespace.measure.views import AS_IT_IS, FacePlace, View, crop_face, crop_span_px

PICTURES_PER_BATCH = 32
# Median landmarks of LFW's deep-funnelled 250x250 pictures, as a detector sees them: the centre crop puts these on the
# template, for all pictures alike.
CENTRE_LANDMARKS_XY = np.array(
    [[103.6, 112.9], [146.7, 112.3], [126.0, 137.6], [107.2, 157.4], [145.0, 156.8]], np.float32
)

# Called with (done, in all).
OnStep = Callable[[int, int], None]


def embed_faces(
    faces: FaceSet,
    embedder: FaceEmbedder,
    views: Sequence[View] = (AS_IT_IS,),
    *,
    workers: int | None = None,
    on_step: OnStep | None = None,
) -> NDArray[np.float32]:
    """Unit rows of every picture under every view, shape (V, N, D); each picture is read once.

    Args:
        faces: the pictures.
        embedder: the model.
        views: how they are seen.
        workers: threads; all cores when absent.
        on_step: called with (pictures done, pictures in all).

    Raises:
        ImageError: a picture cannot be read.
        InputError: a model of tight crops, and faces that no detector found.
    """
    if embedder.spec.alignment == "tight" and faces.places and not any(place.found for place in faces.places):
        raise InputError("the centre crop stands for aligned faces; a model of tight crops needs a detector")
    n = len(faces.paths)
    batches = [range(i, min(i + PICTURES_PER_BATCH, n)) for i in range(0, n, PICTURES_PER_BATCH)]
    embed = partial(_embed_batch, faces=faces, embedder=embedder, views=views)
    rows = [np.zeros((len(views), 0, embedder.spec.dim), np.float32)]
    for made in in_order(embed, batches, workers=workers):
        rows.append(made)
        if on_step:
            on_step(min((len(rows) - 1) * PICTURES_PER_BATCH, n), n)
    return np.concatenate(rows, axis=1)


def find_places(
    paths: Sequence[Path],
    detector: FaceDetector | None,
    *,
    workers: int | None = None,
    on_step: OnStep | None = None,
) -> NDArray[np.float32]:
    """Where the face nearest the centre is in each picture, shape (N, 16), rows of `FacePlace.to_array`.

    Args:
        paths: pictures.
        detector: finds the faces; None takes the centre crop's place everywhere.
        workers: threads; all cores when absent.
        on_step: called with (pictures done, pictures in all).

    Raises:
        ImageError: a picture cannot be read.
    """

    def find(path: Path) -> NDArray[np.float32]:
        return find_place(read_image(path).pixels, detector).to_array()

    rows = [np.zeros(16, np.float32)]
    for place in in_order(find, paths, workers=workers):
        rows.append(place)
        if on_step:
            on_step(len(rows) - 1, len(paths))
    return np.stack(rows)[1:]


def find_place(image: NDArray[np.uint8], detector: FaceDetector | None) -> FacePlace:
    """The face nearest the centre of uint8 RGB (H, W, 3), else the centre crop's place."""
    found = Detections.empty() if detector is None else detector.detect(image)
    if len(found):
        nearest = _nearest_to_centre(found.boxes_xyxy, image.shape[:2])
        box, landmarks = found.boxes_xyxy[nearest], found.landmarks_xy[nearest]
    else:
        landmarks = _centre_landmarks(image)
        box = np.concatenate([landmarks.min(0), landmarks.max(0)])
    return FacePlace(box, landmarks, crop_span_px(landmarks), bool(len(found)))


def _embed_batch(
    batch: range, *, faces: FaceSet, embedder: FaceEmbedder, views: Sequence[View]
) -> NDArray[np.float32]:
    images = [read_image(faces.paths[i]).pixels for i in batch]
    rows = []
    for view in views:
        crops = np.stack(
            [
                crop_face(image, faces.place(i), view, embedder.spec)
                for i, image in zip(batch, images, strict=True)
            ]
        )
        rows.append(_flipped(crops, embedder) if view.flip else embedder.embed(crops))
    return np.stack(rows)


def _flipped(crops: NDArray[np.uint8], embedder: FaceEmbedder) -> NDArray[np.float32]:
    """The direction between a face's embedding and its mirror image's."""
    total = embedder.embed(crops) + embedder.embed(np.ascontiguousarray(crops[:, :, ::-1]))
    return np.asarray(total / np.linalg.norm(total, axis=1, keepdims=True), np.float32)


def _centre_landmarks(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """LFW's, scaled to the square in the middle of the picture."""
    height, width = image.shape[:2]
    side = min(height, width)
    corner = np.array([(width - side) / 2, (height - side) / 2])
    return np.asarray(CENTRE_LANDMARKS_XY * (side / 250.0) + corner, np.float32)


def _nearest_to_centre(boxes_xyxy: NDArray[np.float32], size_hw: tuple[int, ...]) -> int:
    """LFW names the person in the middle of the picture, who is not always the largest."""
    centres = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) / 2.0
    middle = np.array([(size_hw[1] - 1) / 2.0, (size_hw[0] - 1) / 2.0])
    return int(((centres - middle) ** 2).sum(1).argmin())
