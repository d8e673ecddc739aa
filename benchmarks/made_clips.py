"""Clips made of an album's photos: known people at known times, with cuts, zooms, pans, motion blur and noise."""

import csv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facespace.faces.detect import Detector
from facespace.images import read_image

RATE = 25
SHOT_S = (2.0, 5.0)
SHARE_OF_PAIRS = 0.3  # of shots that show two people beside each other
SHARE_OF_BLUR, BLUR_S, BLUR_PX = 0.4, 0.6, 18  # of shots with a shake of the camera, how long and how far
NOISE = 4.0
Window = NDArray[np.float64]  # left, top, right, bottom of what is shown of a photo


@dataclass(frozen=True)
class Portrait:
    """A photo with one face, and whose it is."""

    path: Path
    person: str
    box_xyxy: NDArray[np.float32]


@dataclass(frozen=True)
class Appearance:
    """Somebody in a clip, from a time to a time in seconds."""

    clip: str
    person: str
    begin_s: float
    end_s: float


def read_portraits(album: Path, detector: Detector) -> dict[str, list[Portrait]]:
    """The photos of a labelled album in which the detector finds one face, by person."""
    found = defaultdict(list)
    with (album / "labels.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            faces = detector.detect(read_image(album / row["photo"]).pixels)
            if len(faces) == 1:
                found[row["person"]].append(
                    Portrait(album / row["photo"], row["person"], faces.boxes_xyxy[0])
                )
    return dict(found)


def make_clip(
    path: Path,
    portraits: list[Portrait],
    rng: np.random.Generator,
    *,
    seconds: float = 30.0,
    size_wh: tuple[int, int] = (640, 360),
) -> list[Appearance]:
    """Write a clip of shots of these photos, nobody in two shots that follow each other; returns who is in it when."""
    shown: list[Appearance] = []
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=RATE)
        stream.width, stream.height = size_wh
        stream.pix_fmt, stream.options = "yuv420p", {"preset": "veryfast", "crf": "21"}
        at, before = 0, set[str]()
        while at < seconds * RATE:
            n = min(int(rng.uniform(*SHOT_S) * RATE), int(seconds * RATE) - at)
            cast = _cast(portraits, before, rng)
            for pixels in _shot(cast, n, size_wh, rng):
                out.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            shown += [Appearance(path.name, p.person, at / RATE, (at + n) / RATE) for p in cast]
            at, before = at + n, {p.person for p in cast}
        out.mux(stream.encode(None))
    return shown


def _cast(portraits: list[Portrait], before: set[str], rng: np.random.Generator) -> list[Portrait]:
    free = [p for p in portraits if p.person not in before]
    first = free[int(rng.integers(len(free)))]
    others = [p for p in free if p.person != first.person]
    if rng.random() >= SHARE_OF_PAIRS or not others:
        return [first]
    return [first, others[int(rng.integers(len(others)))]]


def _shot(
    cast: list[Portrait], n: int, size_wh: tuple[int, int], rng: np.random.Generator
) -> Iterator[NDArray[np.uint8]]:
    part_wh = size_wh[0] // len(cast), size_wh[1]
    photos = [Image.fromarray(read_image(p.path).pixels) for p in cast]
    ways = [(_window(p, part_wh, rng), _window(p, part_wh, rng)) for p in cast]
    blurred = _blurred(n, rng)
    for i in range(n):
        t = i / max(n - 1, 1)
        parts = [
            _seen(photo, (1 - t) * a + t * b, part_wh) for photo, (a, b) in zip(photos, ways, strict=True)
        ]
        pixels = np.concatenate(parts, axis=1).astype(np.float32)
        if blurred[i]:
            pixels = np.mean([np.roll(pixels, k, axis=1) for k in range(0, BLUR_PX, 3)], axis=0)
        pixels += rng.normal(0, NOISE, (*pixels.shape[:2], 1)).astype(np.float32)
        yield np.clip(pixels, 0, 255).astype(np.uint8)


def _blurred(n: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    blurred = np.zeros(n, bool)
    if rng.random() < SHARE_OF_BLUR:
        begin = int(rng.integers(max(n - int(BLUR_S * RATE), 1)))
        blurred[begin : begin + int(BLUR_S * RATE)] = True
    return blurred


def _window(portrait: Portrait, size_wh: tuple[int, int], rng: np.random.Generator) -> Window:
    """A part of the photo in the shape of the screen that holds the whole face, 3 to 7 times as high as that."""
    left, top, right, bottom = portrait.box_xyxy.astype(float)
    height = (bottom - top) * rng.uniform(2.0, 5.0)
    width = height * size_wh[0] / size_wh[1]
    if width < 1.2 * (right - left):
        height, width = height * 1.2 * (right - left) / width, 1.2 * (right - left)
    x = rng.uniform(right - width, left)
    y = rng.uniform(bottom - height, top)
    return np.array([x, y, x + width, y + height])


def _seen(photo: Image.Image, window: Window, size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """What a window shows, black beyond the photo."""
    left, top, right, _ = window
    scale = (right - left) / size_wh[0]
    return np.asarray(
        photo.transform(
            size_wh, Image.Transform.AFFINE, (scale, 0, left, 0, scale, top), Image.Resampling.BILINEAR
        )
    )
