"""Speed and memory on this machine. Times are compared within one run only: machines drift."""

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facespace.embed import Embedder
from facespace.errors import DataError
from facespace.extract import extract_photos
from facespace.faces.detect import Detector
from facespace.images import list_photos, read_image
from facespace.models import find_model
from facespace.models.session import open_session, picture_shape

__all__ = ["Speed", "measure_speed", "time_embedder"]

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
    paths = list(list_photos(photos).photos)
    if not paths:
        raise DataError(f"{photos}: expected photos to measure on, there are none")
    n_workers = workers or os.cpu_count() or 1
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
