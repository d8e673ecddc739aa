"""Training pictures for the detector, drawn without end: photos, mosaics, collages, and pictures of no face.

Faces from 12 px to the whole frame, none to dozens in a picture, on grounds whose edges alone mean nothing.
"""

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facespace.faces.align import TEMPLATE_XY
from facespace.faces.matching import box_iou
from facespace.faces.split import LabelledPhoto, is_held_out, read_labels
from lab.detector.canvas import Canvas, FaceSource, Motion, paste_soft, place, show
from lab.detector.photometric import disturb, texture
from lab.detector.pool import Pool
from lab.detector.relabel import FaceLabels, read_relabels

# The mean box of an upright face, on a thumbnail aligned to the template: measured on the labelled photos.
THUMBNAIL_BOX = np.array([16.7, 9.2, 95.8, 119.0], np.float32)

DETECTOR_PX = 640  # the longest side at which pictures are usually looked at
SMALL_FACES = (0.04, 0.16)  # of the canvas: 12 to 50 px, as heads in a group


@dataclass(frozen=True)
class DataOptions:
    """How training pictures are made; shares are of all pictures and add to one."""

    canvas_px: int = 320
    crowd_share: float = 0.0  # of WIDER FACE's photos
    photo_share: float = 0.40
    far_photo_share: float = 0.0  # of the photos, those shown from so far that faces are small
    mosaic_share: float = 0.31
    collage_share: float = 0.15
    faceless_share: float = 0.14
    motion: Motion = field(default_factory=Motion)
    max_faces: int = 96


@dataclass(frozen=True)
class Thumbnail:
    """An aligned face: its file, and where the face is on it."""

    path: Path
    box_xyxy: NDArray[np.float32]
    landmarks_xy: NDArray[np.float32]

    def read(self) -> FaceSource:
        image = Image.open(self.path).convert("RGB")
        return FaceSource(image, self.box_xyxy[None], self.landmarks_xy[None], np.ones(1, np.int64))


@dataclass(frozen=True)
class Sources:
    """All pictures to cut from."""

    photos: list[FaceSource]
    thumbnails: list[Thumbnail]
    crowds: Pool | None = None
    faceless: Pool | None = None


def load_sources(
    data: Path,
    *,
    dev_share: int = 0,
    faces: Path | None = None,
    doubtful: Path | None = None,
) -> tuple[Sources, list[LabelledPhoto]]:
    """The training photos, decoded, and those set aside to choose models by (one in ``dev_share``).

    ``faces`` names a file of `write_relabels`; without it each thumbnail has the mean box and the template's landmarks.
    ``doubtful`` names a JSON file of regions that may hold a face, {photo: [box_xyxy, ...]}: nothing is
    trained there, and a label that fills one of them is withdrawn. The held-out photos are in neither list.
    """
    labelled = [p for p in read_labels(data / "photos") if not is_held_out(p.path)]
    dev = labelled[::dev_share] if dev_share else []
    chosen = {p.path for p in dev}
    further = json.loads(doubtful.read_text("utf-8")) if doubtful is not None else {}
    known = read_relabels(faces) if faces is not None else {}
    every = [
        _source(_relabelled(p, data, known), further.get(p.path.name, []))
        for p in labelled
        if p.path not in chosen
    ]
    photos = [photo for photo in every if (photo.kind == 1).any()]
    return Sources(photos, _thumbnails(data, known)), dev


def _thumbnails(data: Path, known: FaceLabels) -> list[Thumbnail]:
    if not known:
        paths = sorted((data / "faces" / "train").glob("*/*.jpg"))
        return [Thumbnail(path, THUMBNAIL_BOX, TEMPLATE_XY) for path in paths]
    named = [name for name in sorted(known) if name.startswith("faces/train/")]
    return [Thumbnail(data / name, known[name][0][0], known[name][1][0]) for name in named]


def _relabelled(photo: LabelledPhoto, data: Path, known: FaceLabels) -> LabelledPhoto:
    name = photo.path.relative_to(data).as_posix()
    return dataclasses.replace(photo, landmarks_xy=known[name][1]) if name in known else photo


def _source(photo: LabelledPhoto, doubtful: list[list[float]]) -> FaceSource:
    image = Image.open(photo.path).convert("RGB")
    further = np.array(doubtful, np.float32).reshape(-1, 4)
    n = len(further)
    withdrawn = box_iou(photo.boxes_xyxy, further).max(1, initial=0.0) > 0.9
    return FaceSource(
        image,
        np.concatenate([photo.boxes_xyxy, further]),
        np.concatenate([photo.landmarks_xy, np.zeros((n, 5, 2), np.float32)]),
        np.concatenate([np.where(withdrawn, -1, 1), np.full(n, -1, np.int64)]),
    )


def pictures(
    sources: Sources, options: DataOptions, rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]]:
    """Pictures (H, W, 3) with boxes (N, 4), landmarks (N, 5, 2) and kinds (N,), for ever."""
    makers = (_crowd, _photo, _mosaic, _collage, _faceless)
    o = options
    shares = (o.crowd_share, o.photo_share, o.mosaic_share, o.collage_share, o.faceless_share)
    while True:
        canvas = makers[rng.choice(len(makers), p=shares)](sources, options, rng)
        boxes, landmarks, kind = canvas.arrays()
        if len(kind) <= options.max_faces:  # a label left out would be trained as ground
            yield disturb(canvas.image, boxes[kind == 1], rng), boxes, landmarks, kind


def _crowd(sources: Sources, options: DataOptions, rng: np.random.Generator) -> Canvas:
    """One of WIDER FACE's photos: half as the detector meets it at its input's size, half by one face's size."""
    px = options.canvas_px
    assert sources.crowds is not None
    source = sources.crowds.draw(rng)
    fill = (
        Image.new("RGB", (px, px))
        if not sources.photos or rng.random() < 0.7
        else _ground(sources, (px, px), rng)
    )
    canvas = Canvas.blank(fill)
    if not (source.kind == 1).any():
        return _crowd(sources, options, rng)
    if rng.random() < 0.5:
        scale = DETECTOR_PX / max(source.image.size) * float(np.exp(rng.uniform(-0.7, 0.5)))
        show(canvas, source, scale, options.motion, rng)
    else:
        low, high = (0.02, 0.12) if rng.random() < 0.4 else (0.06, 1.1)
        face_px = float(np.exp(rng.uniform(np.log(low * px), np.log(high * px))))
        place(canvas, source, (0, 0, px, px), face_px, options.motion, rng)
    return canvas


def _photo(sources: Sources, options: DataOptions, rng: np.random.Generator) -> Canvas:
    """One photo over the whole canvas, near or far."""
    px = options.canvas_px
    canvas = Canvas.blank(_ground(sources, (px, px), rng))
    low, high = (0.1, 0.95) if rng.random() < 0.3 else (0.2, 0.6)
    if rng.random() < options.far_photo_share:
        low, high = SMALL_FACES
    face_px = float(np.exp(rng.uniform(np.log(low * px), np.log(high * px))))
    place(canvas, _pick_photo(sources, rng), (0, 0, px, px), face_px, options.motion, rng)
    return canvas


def _mosaic(sources: Sources, options: DataOptions, rng: np.random.Generator) -> Canvas:
    """Tiles of unequal size, most with a face; one tile in five without, so that edges alone mean nothing."""
    px = options.canvas_px
    canvas = Canvas.blank(Image.new("RGB", (px, px)))
    for left, right in _cuts(px, int(rng.integers(1, 5)), rng):
        for top, bottom in _cuts(px, int(rng.integers(2, 5)), rng):
            region = (left, top, right, bottom)
            side = min(right - left, bottom - top)
            if rng.random() < 0.2:
                canvas.image.paste(_ground(sources, (right - left, bottom - top), rng), (left, top))
                continue
            if rng.random() < 0.5:
                canvas.image.paste(_ground(sources, (right - left, bottom - top), rng), (left, top))
            is_photo = rng.random() < 0.75
            source = _pick_photo(sources, rng) if is_photo else _pick_thumbnail(sources, rng)
            low, high = max(12.0, 0.12 * side), side * (0.9 if is_photo else 0.8)
            size = float(np.exp(rng.uniform(np.log(low), np.log(max(high, low + 1)))))
            place(canvas, source, region, size if is_photo else max(size, 0.45 * side), options.motion, rng)
    return canvas


def _collage(sources: Sources, options: DataOptions, rng: np.random.Generator) -> Canvas:
    """Faces cut out with soft edges on a faceless ground, or on a photo away from its faces."""
    px = options.canvas_px
    canvas = Canvas.blank(_ground(sources, (px, px), rng))
    if rng.random() < 0.5:
        place(
            canvas,
            _pick_photo(sources, rng),
            (0, 0, px, px),
            float(rng.uniform(16, 120)),
            options.motion,
            rng,
        )
    for _ in range(int(rng.integers(1, 14))):
        size = float(np.exp(rng.uniform(np.log(12), np.log(90))))
        paste_soft(canvas, _pick_thumbnail(sources, rng), size, options.motion, rng)
    return canvas


def _faceless(sources: Sources, options: DataOptions, rng: np.random.Generator) -> Canvas:
    px = options.canvas_px
    canvas = Canvas.blank(Image.new("RGB", (px, px)))
    if sources.faceless is not None and rng.random() < 0.6:
        source = sources.faceless.draw(rng)
        scale = px / max(source.image.size) * float(np.exp(rng.uniform(-0.3, 1.2)))
        show(canvas, source, scale, options.motion, rng)
        return canvas
    n = int(rng.integers(1, 7))
    for left, right in _cuts(px, n, rng):
        for top, bottom in _cuts(px, n, rng):
            canvas.image.paste(_ground(sources, (right - left, bottom - top), rng), (left, top))
    return canvas


def _cuts(length: int, n: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Divide 0..length in ``n`` unequal parts."""
    weights = rng.uniform(0.6, 1.4, n)
    ends = np.concatenate([[0], np.round(np.cumsum(weights) / weights.sum() * length)]).astype(int)
    return list(zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True))


def _piece(image: Image.Image, size_wh: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """A random part of a faceless picture."""
    size = rng.uniform(0.3, 1.0, 2) * image.size
    left, top = rng.uniform(0, np.array(image.size) - size)
    box = (left, top, left + size[0], top + size[1])
    return image.resize(size_wh, Image.Resampling.BILINEAR, box=box, reducing_gap=2.0)


def _pick_photo(sources: Sources, rng: np.random.Generator) -> FaceSource:
    return sources.photos[rng.integers(len(sources.photos))]


def _pick_thumbnail(sources: Sources, rng: np.random.Generator) -> FaceSource:
    if not sources.thumbnails:
        return _pick_photo(sources, rng)
    return sources.thumbnails[rng.integers(len(sources.thumbnails))].read()


def _ground(sources: Sources, size_wh: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """A picture without a face: a piece of a photo beside its faces, or a drawn texture."""
    if sources.faceless is not None and rng.random() < 0.4:
        return _piece(sources.faceless.draw(rng).image, size_wh, rng)
    if rng.random() < 0.25:
        return texture(size_wh, rng)
    source = _pick_photo(sources, rng)
    width, height = source.image.size
    x0, y0 = source.boxes_xyxy[:, :2].min(0)
    x1, y1 = source.boxes_xyxy[:, 2:].max(0)
    margin_x, margin_y = 0.12 * (x1 - x0), 0.12 * (y1 - y0)
    strips = [
        (0.0, 0.0, x0 - margin_x, height),
        (x1 + margin_x, 0.0, width, height),
        (0.0, 0.0, width, y0 - margin_y),
        (0.0, y1 + margin_y, width, height),
    ]
    wide = [s for s in strips if s[2] - s[0] >= 40 and s[3] - s[1] >= 40]
    if not wide:
        return texture(size_wh, rng)
    left, top, right, bottom = wide[rng.integers(len(wide))]
    w, h = rng.uniform(0.5, 1.0, 2) * (right - left, bottom - top)
    left, top = rng.uniform(left, right - w), rng.uniform(top, bottom - h)
    box = (left, top, left + w, top + h)
    piece = source.image.resize(size_wh, Image.Resampling.BILINEAR, box=box)
    return piece.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else piece
