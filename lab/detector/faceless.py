"""Pictures without a face: those of a folder in which two published detectors find none."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from facespace.faces.detect import DEFAULT_INPUT_PX, Detector
from facespace.faces.split import is_held_out
from facespace.saved_files import write_beside
from lab.detector.canvas import FaceSource
from lab.detector.doubtful import PEERS
from lab.detector.pool import Pool, open_rgb

LEAST_SCORE = 0.3
HELD_OUT_EVERY = 3  # one in three is only measured on


def write_faceless(
    folder: Path,
    peers: Path,
    out: Path,
    *,
    every: int = 1,
    on_picture: Callable[[int, int], None] | None = None,
) -> int:
    """Write the names of the pictures of ``folder`` in which neither of ``peers`` suspects a face; returns how many.

    One picture in ``every`` is looked at.

    Raises:
        ModelError: no peers there.
    """
    detectors = [Detector(peers / name, score_threshold=LEAST_SCORE) for name in PEERS]
    paths = sorted(folder.glob("*.jpg"))[::every]
    names: dict[str, list[str]] = {"train": [], "held_out": []}
    for i, path in enumerate(paths):
        image = Image.open(path)
        image.draft("RGB", (DEFAULT_INPUT_PX, DEFAULT_INPUT_PX))
        pixels = np.asarray(image.convert("RGB"))
        if not any(len(detector.detect(pixels)) for detector in detectors):
            names["held_out" if is_held_out(path, every=HELD_OUT_EVERY) else "train"].append(path.name)
        if on_picture:
            on_picture(i + 1, len(paths))
    write_beside(out, json.dumps(names).encode())
    return sum(len(part) for part in names.values())


def read_faceless(folder: Path, names: Path, *, part: str = "train") -> list[Path]:
    """The pictures of ``folder`` that ``names``, written by `write_faceless`, lists as ``part``: train or held_out."""
    return [folder / name for name in json.loads(names.read_text("utf-8"))[part]]


def faceless_pool(paths: list[Path]) -> Pool:
    """Pictures at ``paths`` as sources that hold no face."""
    return Pool([partial(_read, path) for path in paths], np.full(len(paths), 1 / len(paths)))


def _read(path: Path) -> FaceSource:
    return FaceSource(
        open_rgb(path),
        np.zeros((0, 4), np.float32),
        np.zeros((0, 5, 2), np.float32),
        np.zeros(0, np.int64),
    )
