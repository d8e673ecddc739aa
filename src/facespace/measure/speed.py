"""Speed and memory on this machine, and its devices. Times are compared within one run only: machines drift."""

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
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
from facespace.models import find_model
from facespace.models.devices import AGREEMENT, installed_devices
from facespace.models.session import open_session, picture_shape

ROUNDS = 30
DECODE_PX = 1280
TIMED_PX = 320
FACE_PX = 112  # of a baseline embedder that leaves its size open


@dataclass(frozen=True)
class Speed:
    """What was measured; ratios below 1 mean faster than what they are named against."""

    n_photos: int  # photos in the folder
    workers: int  # threads
    photos_per_second: float  # read, detected, aligned and embedded
    ratio_to_decoding: float  # time of all that over decoding the same photos at the same reduced scale alone
    embed_ms: float  # one face on one thread, median
    embed_ratio: float | None  # that over the baseline embedder's, or None
    detect_ms: float  # one 320x320 picture on one thread, median
    detect_ratio: float | None  # that over the baseline detector's, or None
    peak_mb: float | None  # peak memory of this process, in 10^6 bytes; None on Windows
    empty_folder_s: float  # `facespace people` on an empty folder, as a whole process

    def lines(self) -> list[str]:
        """The figures as text."""
        lines = [
            f"{self.photos_per_second:.1f} photos a second on {self.workers} threads ({self.n_photos} photos)",
            f"{self.ratio_to_decoding:.2f} times the time of decoding alone",
            f"embedding a face: {self.embed_ms:.2f} ms on one thread" + _beside(self.embed_ratio),
            f"detection at {TIMED_PX}x{TIMED_PX}: {self.detect_ms:.2f} ms on one thread"
            + _beside(self.detect_ratio),
            *([f"peak memory: {self.peak_mb:.0f} MB"] if self.peak_mb is not None else []),
            f"an empty folder: {self.empty_folder_s:.2f} s",
        ]
        return lines


def measure_speed(
    photos: Path,
    *,
    model: str | Path | None = None,
    detector: str | Path | None = None,
    baseline: Path | None = None,
    baseline_detector: Path | None = None,
    workers: int | None = None,
) -> Speed:
    """Measure the main job's parts on the photos of a folder.

    Raises:
        DataError: no photos there.
        ModelError: a model cannot be loaded.
    """
    paths, n_workers = _photos(photos), workers or os.cpu_count() or 1
    embedder, found = Embedder(model), Detector(detector)
    whole_s, decode_s = _pipeline_seconds(paths, found, embedder, n_workers)
    embed_ms, embed_ratio = time_embedder(embedder, baseline)
    detect_ms, other_ms = _in_turns(
        _network(find_model(detector, "detector"), TIMED_PX), _maybe(baseline_detector, TIMED_PX)
    )
    return Speed(
        len(paths), n_workers, len(paths) / whole_s, whole_s / decode_s,
        embed_ms, embed_ratio,
        detect_ms, detect_ms / other_ms if other_ms else None,
        _peak_mb(), _empty_folder_seconds(),
    )  # fmt: skip


def _photos(folder: Path) -> list[Path]:
    paths = list(list_photos(folder).photos)
    if not paths:
        raise DataError(f"{folder}: expected photos to measure on, there are none")
    return paths


def time_embedder(embedder: Embedder, baseline: Path | None) -> tuple[float, float | None]:
    """Milliseconds of one face on one thread, and how many times those of the ``baseline`` that is."""
    own_ms, other_ms = _in_turns(
        _network(embedder.path, embedder.spec.input_hw[0]), _maybe(baseline, FACE_PX)
    )
    return own_ms, own_ms / other_ms if other_ms else None


def _pipeline_seconds(
    paths: list[Path], detector: Detector, embedder: Embedder, workers: int
) -> tuple[float, float]:
    started = time.perf_counter()
    for _ in extract_photos(paths, detector, embedder, workers=workers):
        pass
    whole = time.perf_counter() - started
    started = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        # Only the sizes are kept, or all pictures would stay in memory.
        list(pool.map(lambda path: read_image(path, longest_side_px=DECODE_PX).size_hw, paths))
    return whole, time.perf_counter() - started


def _network(path: Path, side_px: int) -> Callable[[], object]:
    session = open_session(path, threads=1)
    model_input = session.get_inputs()[0]
    shape = picture_shape(model_input.shape, side_px=side_px)
    pixels = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    return lambda: session.run(None, {model_input.name: pixels})


def _maybe(path: Path | None, side_px: int) -> Callable[[], object] | None:
    return None if path is None else _network(path, side_px)


def _in_turns(one: Callable[[], object], other: Callable[[], object] | None) -> tuple[float, float | None]:
    """Median milliseconds of each, called in turn so that both meet the same machine."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for call, taken in zip((one, other), times, strict=True):
            if call is not None:
                started = time.perf_counter()
                call()
                taken.append((time.perf_counter() - started) * 1e3)
    return statistics.median(times[0]), statistics.median(times[1]) if times[1] else None


def _empty_folder_seconds() -> float:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "facespace", "people", folder]
        started = time.perf_counter()
        subprocess.run(command, capture_output=True, check=False)
        return time.perf_counter() - started


def _peak_mb() -> float | None:
    try:
        import resource  # not on Windows
    except ImportError:
        return None
    bytes_each = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * bytes_each / 1e6


def _beside(ratio: float | None) -> str:
    return "" if ratio is None else f", {ratio:.2f} times the baseline's"


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
    paths, n_workers = _photos(photos)[:MOST_PHOTOS], workers or os.cpu_count() or 1
    names = [STANDARD, *(name for name in devices or installed_devices() if name != STANDARD)]
    opened, failed = {}, {}
    for name in names:
        try:
            opened[name] = Detector(detector, device=name), Embedder(model, device=name)
        except ModelError as error:
            if devices or name == STANDARD:  # it was asked for
                raise
            failed[name] = str(error)
    seconds, n_faces = _device_turns(paths, opened, n_workers)
    moved = _moved(paths, {name: embedder for name, (_, embedder) in opened.items()}, opened[STANDARD][0])
    rows = tuple(
        _row(name, len(paths), seconds, n_faces[name], moved[name])
        if name in opened
        else DeviceSpeed(name, note=failed[name])
        for name in names
    )
    return DevicesCompared(len(paths), n_workers, AGREEMENT, rows, _take(rows))


def _device_turns(
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
