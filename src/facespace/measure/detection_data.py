"""The pictures that face detectors are measured on: held-out photos, faceless pieces, group stills."""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facespace.errors import DataError
from facespace.faces.detect import Detector
from facespace.faces.detections import Detections
from facespace.faces.matching import box_iou
from facespace.faces.split import LabelledPhoto, is_held_out, read_labels
from facespace.images import read_image
from facespace.measure.experiment import Option

Detectors = Annotated[
    tuple[str, ...],
    Option("Detector file to set beside the built-in one; may be repeated.", flag="--model"),
]
DOUBTFUL_SCORES = (0.3, 0.6)
STILL_FOLDERS = ("albums/bigbang/test", "albums/bigbang/examples/images", "albums/office")
STILL_PX = 640
FACELESS_PX = 320
NO_LIMIT_PX = 10_000
# Labels of held-out photos that show no face, seen by eye on a contact sheet: dark wall, leg, dress, hand, backdrop.
NOT_FACES = {"0529.jpg": (1,), "1229.jpg": (1,), "1713.jpg": (1,), "1998.jpg": (1,), "2018.jpg": (1,)}

Pixels = NDArray[np.uint8]
Boxes = NDArray[np.float32]


@dataclass(frozen=True)
class TestPhoto:
    """A labelled photo, what peers suspect in it beyond its labels, and which labels count, bool (N,)."""

    __test__ = False  # no test class, whatever pytest makes of the name

    pixels: Pixels
    label: LabelledPhoto
    suspects: Detections
    counts: NDArray[np.bool_]

    @property
    def doubtful_xyxy(self) -> Boxes:
        """Regions that count neither way, shape (M, 4): a peer is undecided about them."""
        return self.suspects.boxes_xyxy[self.suspects.scores < DOUBTFUL_SCORES[1]]

    def reduced(self, factor: float) -> "TestPhoto":
        """The same photo at ``factor`` of its size."""
        if factor == 1:
            return self
        height, width = (max(int(side * factor), 1) for side in self.pixels.shape[:2])
        small = Image.fromarray(self.pixels).resize((width, height), Image.Resampling.BICUBIC)
        label = dataclasses.replace(
            self.label,
            size_hw=(height, width),
            boxes_xyxy=self.label.boxes_xyxy * np.float32(factor),
            landmarks_xy=self.label.landmarks_xy * np.float32(factor),
        )
        return TestPhoto(np.asarray(small), label, self.suspects.scaled(factor), self.counts)


@dataclass(frozen=True)
class Peers:
    """Published detectors to stand beside ours, and to say where a label is doubtful."""

    yunet: Path
    scrfd: Path

    @classmethod
    def under(cls, data: Path) -> "Peers":
        return cls(data / "peers" / "yunet_n.onnx", data / "peers" / "scrfd_2.5g.onnx")


def held_out_photos(folder: Path, peers: Peers | None = None, *, seen_by_eye: bool = True) -> list[TestPhoto]:
    """The held-out labelled photos of ``folder``, with what ``peers`` hold doubtful in each.

    A label does not count when a peer suspects a face there and none gives it 0.6; nor, if ``seen_by_eye``, when
    looking at it showed none.

    Raises:
        DataError: no labels there, or none held out.
    """
    labels = [label for label in read_labels(folder) if is_held_out(label.path)]
    if not labels:
        raise DataError(f"{folder}: expected held-out photos among those of labels.jsonl, there is none")
    low, _ = DOUBTFUL_SCORES
    detectors = [
        Detector(p, score_threshold=low, input_px=NO_LIMIT_PX)
        for p in ((peers.yunet, peers.scrfd) if peers else ())
    ]
    photos = []
    for label in labels:
        pixels = read_image(label.path).pixels
        found = _found_double(pixels, detectors)
        unlabelled = box_iou(found.boxes_xyxy, label.boxes_xyxy).max(1, initial=0.0) < 0.4
        counts = _decided(label.boxes_xyxy, found)
        if seen_by_eye:
            counts[list(NOT_FACES.get(label.path.name, ()))] = False
        photos.append(TestPhoto(pixels, label, found[unlabelled], counts))
    return photos


def _found_double(pixels: Pixels, detectors: Sequence[Detector]) -> Detections:
    """What the peers find at twice the resolution."""
    height, width = pixels.shape[:2]
    double = np.asarray(Image.fromarray(pixels).resize((2 * width, 2 * height), Image.Resampling.BICUBIC))
    return Detections.joined([detector.detect(double).scaled(0.5) for detector in detectors])


def _decided(labelled: Boxes, found: Detections) -> NDArray[np.bool_]:
    """False for labels at which the best score of any peer is between the doubtful ones, shape (N,)."""
    near = box_iou(labelled, found.boxes_xyxy) >= 0.5
    best = np.where(near, found.scores[None], 0.0).max(1, initial=0.0)
    low, high = DOUBTFUL_SCORES
    return (best < low) | (best >= high)


def faceless_pictures(photos: Sequence[TestPhoto], *, side_px: int = FACELESS_PX) -> Iterator[Pixels]:
    """Pieces of ``photos`` beside all labelled and suspected faces, enlarged to a longest side ``side_px``.

    Up to four pieces of a photo (left, right, above, below), each halved where it is long.
    """
    for photo in photos:
        faces = np.concatenate([photo.label.boxes_xyxy, photo.suspects.boxes_xyxy])
        for left, top, right, bottom in faceless_regions(faces, photo.pixels.shape[:2]):
            piece = Image.fromarray(photo.pixels[top:bottom, left:right])
            scale = side_px / max(piece.size)
            size = (max(round(piece.width * scale), 1), max(round(piece.height * scale), 1))
            yield np.asarray(piece.resize(size, Image.Resampling.BICUBIC))


def faceless_regions(faces: Boxes, size_hw: tuple[int, ...]) -> list[tuple[int, int, int, int]]:
    """Parts of a picture left, right, above and below all of its ``faces`` (N, 4), each halved where it is long."""
    height, width = size_hw[:2]
    low, high = faces[:, :2].min(0, initial=np.inf), faces[:, 2:].max(0, initial=-np.inf)
    margin = np.where(np.isfinite(high - low), 0.1 * (high - low), 0.0)
    low, high = np.clip(low - margin, 0, [width, height]), np.clip(high + margin, 0, [width, height])
    x0, y0, x1, y1 = (int(v) for v in (*np.floor(low), *np.ceil(high)))
    strips = [(0, 0, x0, height), (x1, 0, width, height), (0, 0, width, y0), (0, y1, width, height)]
    return [half for strip in strips for half in _halves(strip) if _is_wide(half)]


def _halves(strip: tuple[int, int, int, int]) -> list[tuple[int, int, int, int]]:
    left, top, right, bottom = strip
    if right - left >= 2 * (bottom - top):
        middle = (left + right) // 2
        return [(left, top, middle, bottom), (middle, top, right, bottom)]
    if bottom - top >= 2 * (right - left):
        middle = (top + bottom) // 2
        return [(left, top, right, middle), (left, middle, right, bottom)]
    return [strip]


def _is_wide(region: tuple[int, int, int, int]) -> bool:
    return region[2] - region[0] >= 40 and region[3] - region[1] >= 40


def group_stills(data: Path, yunet: Path) -> Iterator[tuple[Pixels, Boxes]]:
    """Group stills with the faces that YuNet finds in them at 640 px; one face alone is no group."""
    reference = Detector(yunet, input_px=STILL_PX)
    for folder in STILL_FOLDERS:
        for photo in sorted((data / folder).rglob("*.jpg")):
            pixels = read_image(photo).pixels
            found = reference.detect(pixels)
            if len(found) >= 2:
                yield pixels, found.boxes_xyxy
