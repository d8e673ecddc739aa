"""The labels of all training pictures, with the help of two published detectors ("peers").

    kind         pictures               faces                                      nothing is trained
    crowds       MORE/wider            WIDER's boxes; the peers' mean landmarks   where WIDER calls a box invalid, at
                                       where both agree, else none                faces that it lacks and both see
    photos       DATA/photos           labelled; landmarks are the mean with      at labels that no peer confirms, at
                                       the second peer's                          what a peer sees beyond them
    thumbnails   DATA/faces/train      the first peer's box, the mean landmarks
    faceless     MORE/faceless         none: a picture in which a peer suspects one is left out

Landmarks of an aligned thumbnail are near the template, not on it: a turned head's are up to a quarter of the eye
distance away, and a network that is taught the template for each of them learns to find no pose. Pictures that are
measured on are not looked at.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facespace.faces.align import TEMPLATE_XY
from facespace.faces.detect import DEFAULT_INPUT_PX, Detector
from facespace.faces.detections import Detections
from facespace.faces.matching import box_iou
from facespace.faces.split import is_held_out
from facespace.faces.split import read_labels as read_photos
from facespace.images import read_image
from facespace.measure.detection_data import NO_LIMIT_PX, Peers
from facespace.measure.experiments.wider import read_wider
from lab.detector.labels import Floats, Labels

LEAST_SCORE = {"crowds": 0.4, "photos": 0.3, "thumbnails": 0.5, "faceless": 0.3}
CROWD_PX = 1280  # nearly all of WIDER's photos are 1024 px wide
SURE_SCORE = 0.6  # of a face that WIDER lacks
SURE_LABEL_SCORE = 0.85  # labels of the detector that made them; nearly all wrong ones are below
SAME_FACE_IOU = 0.4
FARTHEST = 0.12  # of a box side, mean over five points: beyond, the peers disagree
FARTHEST_PX = 8.0  # mean distance of landmarks from the template; beyond, something else was found
MARGIN_PX = 40  # faces fill their thumbnails: detectors want some room around them
EVERY = {"thumbnails": 5, "faceless": 4}
FACELESS_HELD_OUT = 3  # one in three is only measured on

Labelled = Iterator[tuple[Path, Labels]]


def label(kind: str, data: Path, more: Path) -> dict[Path, Labels]:
    """The pictures of one of KINDS with their labels.

    Raises:
        DataError: no labels there.
        ModelError: no peers there.
    """
    labelled = KINDS[kind](data, more)
    return {path: labels for path, labels in labelled if kind == "faceless" or labels.is_face.any()}


def _crowds(data: Path, more: Path) -> Labelled:
    first, second = _peers(data, "crowds", CROWD_PX)
    for photo in read_wider(more / "wider"):
        if not photo.is_held_out:
            pixels = read_image(photo.path).pixels
            landmarks, beyond = agreed(photo.boxes_xyxy, first.detect(pixels), second.detect(pixels))
            labels = Labels(photo.boxes_xyxy, landmarks, ~photo.invalid)
            yield photo.path, Labels.join([labels, Labels.regions(beyond)])


def agreed(boxes: Floats, first: Detections, second: Detections) -> tuple[Floats, Floats]:
    """Mean landmarks (N, 5, 2) of faces (N, 4), NaN unless both detectors agree; boxes of what both find beyond."""
    (seen, of_first), (also, of_second) = (_matched(boxes, found, SAME_FACE_IOU) for found in (first, second))
    side = np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1))
    apart = np.linalg.norm(of_first - of_second, axis=-1).mean(-1)
    sure = seen & also & (apart <= FARTHEST * np.maximum(side, 1))
    mean = np.where(sure[:, None, None], (of_first + of_second) / 2, np.float32(np.nan))
    found, confirming = (f[f.scores >= SURE_SCORE].boxes_xyxy for f in (first, second))
    beyond = _overlap(found, boxes) < 0.2
    return mean.astype(np.float32), found[(_overlap(found, confirming) >= SAME_FACE_IOU) & beyond]


def _photos(data: Path, _: Path) -> Labelled:
    first, second = _peers(data, "photos", NO_LIMIT_PX)
    for photo in read_photos(data / "photos"):
        if not is_held_out(photo.path):
            boxes, pixels = photo.boxes_xyxy, read_image(photo.path).pixels
            height, width = photo.size_hw
            double = np.asarray(
                Image.fromarray(pixels).resize((2 * width, 2 * height), Image.Resampling.BICUBIC)
            )
            far, near = second.detect(pixels), second.detect(double).scaled(0.5)
            suspects = np.concatenate([near.boxes_xyxy, first.detect(double).scaled(0.5).boxes_xyxy])
            confirmed = _overlap(boxes, np.concatenate([near.boxes_xyxy, far.boxes_xyxy])) >= SAME_FACE_IOU
            seen, landmarks = _matched(boxes, far[far.scores >= 0.5], 0.5)
            mean = np.where(seen[:, None, None], (photo.landmarks_xy + landmarks) / 2, photo.landmarks_xy)
            labels = Labels(boxes, mean, confirmed | (photo.scores >= SURE_LABEL_SCORE))
            beyond = suspects[_overlap(suspects, boxes) < SAME_FACE_IOU]
            yield photo.path, Labels.join([labels, Labels.regions(beyond)])


def _thumbnails(data: Path, _: Path) -> Labelled:
    peers = _peers(data, "thumbnails")
    for path in sorted((data / "faces" / "train").glob("*/*.jpg"))[:: EVERY["thumbnails"]]:
        crop = read_image(path).pixels
        padded = np.pad(crop, ((MARGIN_PX, MARGIN_PX), (MARGIN_PX, MARGIN_PX), (0, 0)), mode="edge")
        first, second = (_at_template(peer.detect(padded)) for peer in peers)
        if len(first) and len(second):
            landmarks = (first.landmarks_xy + second.landmarks_xy) / np.float32(2) - np.float32(MARGIN_PX)
            yield path, Labels(first.boxes_xyxy - MARGIN_PX, landmarks, np.ones(1, np.bool_))


def _at_template(found: Detections) -> Detections:
    """The face of a padded thumbnail whose landmarks are nearest to the template, if they are near."""
    off_px = np.sqrt(((found.landmarks_xy - MARGIN_PX - TEMPLATE_XY) ** 2).sum(-1)).mean(-1)
    nearest = np.argsort(off_px)[:1]
    return found[nearest[off_px[nearest] <= FARTHEST_PX]]


def _faceless(data: Path, more: Path) -> Labelled:
    peers = _peers(data, "faceless")
    for path in sorted((more / "faceless").glob("*.jpg"))[:: EVERY["faceless"]]:
        if not is_held_out(path, every=FACELESS_HELD_OUT):
            pixels = read_image(path).pixels
            if not any(len(peer.detect(pixels)) for peer in peers):
                yield path, Labels.join([])


KINDS: dict[str, Callable[[Path, Path], Labelled]] = {
    "crowds": _crowds,
    "photos": _photos,
    "thumbnails": _thumbnails,
    "faceless": _faceless,
}


def _peers(data: Path, kind: str, input_px: int = DEFAULT_INPUT_PX) -> tuple[Detector, Detector]:
    found = Peers.under(data)
    first, second = (
        Detector(path, score_threshold=LEAST_SCORE[kind], input_px=input_px)
        for path in (found.yunet, found.scrfd)
    )
    return first, second


def _matched(boxes: Floats, found: Detections, iou: float) -> tuple[NDArray[np.bool_], Floats]:
    """Which boxes a detector found, and the landmarks it gave them."""
    if not len(found) or not len(boxes):
        return np.zeros(len(boxes), np.bool_), np.zeros((len(boxes), 5, 2), np.float32)
    overlap = box_iou(boxes, found.boxes_xyxy)
    return overlap.max(1) >= iou, found.landmarks_xy[overlap.argmax(1)]


def _overlap(boxes: Floats, others: Floats) -> Floats:
    """Of each box with the other that it overlaps most, shape (N,)."""
    return np.asarray(box_iou(boxes, others).max(1, initial=0.0))
