"""The devices of this machine compared: speed on the same photos in turn, and how far embeddings move."""

import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facespace.embed import Embedder
from facespace.errors import DataError, ModelError
from facespace.extract import PhotoFaces, extract_photos
from facespace.faces.align import crop_faces
from facespace.faces.detect import Detector
from facespace.faces.tiles import decoded_side_px
from facespace.images import list_photos, read_image
from facespace.models.devices import AGREEMENT, installed_devices

__all__ = ["DeviceSpeed", "DevicesCompared", "compare_devices"]

PHOTOS_A_TURN = 20
MOST_PHOTOS = 200
MOST_CROPS = 256
WORTH = 0.9  # of the processor's time: what wins less is not worth another package
STANDARD = "cpu"


@dataclass(frozen=True)
class DeviceSpeed:
    """What was measured of a device."""

    device: str  # its name
    # read, detected, aligned and embedded; None where it does not start
    photos_per_second: float | None = None
    # its time over that of the processor, median over turns of the same photos; below 1 is faster
    ratio: float | None = None
    n_faces: int = 0  # found in the photos
    moved: float | None = None  # the largest L2 distance between its embedding of a crop and the processor's
    note: str | None = None  # why it cannot be taken; None where it can


@dataclass(frozen=True)
class DevicesCompared:
    """All of them, and which one to take."""

    n_photos: int  # that each device read
    workers: int  # threads
    agreement: float  # the L2 distance that an embedding may move
    devices: tuple[DeviceSpeed, ...]  # the processor first
    take: str  # the fastest that agrees, if it wins a tenth; else the processor

    def lines(self) -> list[str]:
        """The figures as text."""
        rows = [
            f"{one.device}: {one.note}"
            if one.photos_per_second is None
            else f"{one.device}: {one.photos_per_second:.1f} photos a second, {one.ratio:.2f} times the time of "
            f"{STANDARD}; {one.n_faces} faces, embeddings within {one.moved:.1e}"
            + (f"; {one.note}" if one.note else "")
            for one in self.devices
        ]
        return [*rows, f"take --device {self.take}"]


def compare_devices(
    photos: Path,
    *,
    devices: Sequence[str] = (),
    model: str | Path | None = None,
    detector: str | Path | None = None,
    workers: int | None = None,
) -> DevicesCompared:
    """Read photos on each device, a few at a time in turn, so that all meet the same machine.

    Args:
        photos: the folder; its first 200 are read.
        devices: their names; all that are installed unless given. The processor is always measured.
        model: the embedder.
        detector: finds the faces.
        workers: threads; all cores when absent.

    Raises:
        DataError: no photos there.
        InputError: no such device.
        ModelError: a model cannot be loaded, or a device that is named is not installed.
    """
    paths = list(list_photos(photos).photos)[:MOST_PHOTOS]
    if not paths:
        raise DataError(f"{photos}: expected photos to measure on, there are none")
    n_workers = workers or os.cpu_count() or 1
    names = [STANDARD, *(name for name in devices or installed_devices() if name != STANDARD)]
    opened, failed = {}, {}
    for name in names:
        try:
            opened[name] = Detector(detector, device=name), Embedder(model, device=name)
        except ModelError as error:
            if devices or name == STANDARD:  # it was asked for
                raise
            failed[name] = str(error)
    seconds, n_faces = _in_turns(paths, opened, n_workers)
    moved = _moved(paths, {name: embedder for name, (_, embedder) in opened.items()}, opened[STANDARD][0])
    rows = tuple(
        _row(name, len(paths), seconds, n_faces[name], moved[name])
        if name in opened
        else DeviceSpeed(name, note=failed[name])
        for name in names
    )
    return DevicesCompared(len(paths), n_workers, AGREEMENT, rows, _take(rows))


def _in_turns(
    paths: list[Path], opened: dict[str, tuple[Detector, Embedder]], workers: int
) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Seconds of each device for each turn, and the faces that it found; a first turn is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in opened}
    n_faces = dict.fromkeys(opened, 0)
    turns = [paths[i : i + PHOTOS_A_TURN] for i in range(0, len(paths), PHOTOS_A_TURN)]
    for i, turn in enumerate([turns[0], *turns]):
        for name, (detector, embedder) in opened.items():
            started = time.perf_counter()
            found = [
                len(one.faces)
                for one in extract_photos(turn, detector, embedder, workers=workers)
                if isinstance(one, PhotoFaces)
            ]
            if i:
                seconds[name].append(time.perf_counter() - started)
                n_faces[name] += sum(found)
    return seconds, n_faces


def _moved(paths: list[Path], embedders: dict[str, Embedder], detector: Detector) -> dict[str, float]:
    """How far each device moves the embeddings of the same crops from the processor's."""
    spec, crops = embedders[STANDARD].spec, []
    for path in paths:
        pixels = read_image(path, longest_side_px=decoded_side_px).pixels
        found = detector.detect(pixels)
        crops += list(crop_faces(pixels, found.boxes_xyxy, found.landmarks_xy, spec))
        if len(crops) >= MOST_CROPS:
            break
    if not crops:
        raise DataError(f"{paths[0].parent}: expected photos with faces to compare devices on, found none")
    rows: dict[str, NDArray[np.float32]] = {
        name: embedder.embed(np.stack(crops)) for name, embedder in embedders.items()
    }
    return {name: float(np.linalg.norm(row - rows[STANDARD], axis=1).max()) for name, row in rows.items()}


def _row(
    name: str, n_photos: int, seconds: dict[str, list[float]], n_faces: int, moved: float
) -> DeviceSpeed:
    ratio = statistics.median(a / b for a, b in zip(seconds[name], seconds[STANDARD], strict=True))
    note = f"embeddings move by more than {AGREEMENT:g}, do not take it" if not moved <= AGREEMENT else None
    return DeviceSpeed(name, n_photos / sum(seconds[name]), ratio, n_faces, moved, note)


def _take(rows: tuple[DeviceSpeed, ...]) -> str:
    usable = [(one.ratio, one.device) for one in rows if one.ratio is not None and one.note is None]
    ratio, name = min(usable)
    return name if ratio <= WORTH else STANDARD
