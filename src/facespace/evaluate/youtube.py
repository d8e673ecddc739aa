"""YouTube Faces (paper, section 5.7): video pairs, judged by the mean similarity of all pairs of their frames.

Protocol: Wolf et al. 2011, "Face recognition in unconstrained videos with matched background similarity"; splits.txt as
published. The mean over all frame pairs of two videos is the product of their mean embeddings, so that a video is
kept as one vector and no frame meets another.
"""

import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facespace.errors import DataError, ImageError
from facespace.evaluate.defaults import N_FRAMES
from facespace.evaluate.lfw import LfwPairs, LfwResult, PairDistances, check_folds, crop_face, score_pairs
from facespace.evaluate.video import VIDEO_SUFFIXES, read_frames
from facespace.extract import FaceDetector, FaceEmbedder
from facespace.images import read_image

__all__ = ["evaluate_youtube", "measure_youtube", "read_splits"]

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
FRAMES_PER_BATCH = 32


def read_splits(path: Path) -> LfwPairs:
    """Parse a splits.txt: lines "split, pair, Name/video, Name/video, same".

    A pair's names are those of its videos.

    Raises:
        DataError: no such file, or lines of another form.
    """
    try:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except OSError as error:
        raise DataError(
            f"{path}: expected YouTube Faces' splits.txt, cannot read it: {error.strerror}"
        ) from error
    pairs, same, folds = [], [], []
    for line in lines:
        fields = [field.strip() for field in line.split(",")]
        if not fields[0].isdigit():
            # The published file begins with a line that names the columns in some copies.
            continue
        if len(fields) < 5 or fields[4] not in ("0", "1") or "/" not in fields[2] or "/" not in fields[3]:
            raise DataError(f"{path}: expected 'split, pair, Name/video, Name/video, same', met '{line}'")
        pairs.append((fields[2], fields[3]))
        same.append(fields[4] == "1")
        folds.append(int(fields[0]) - 1)
    if not pairs:
        raise DataError(f"{path}: expected lines 'split, pair, Name/video, Name/video, same', met none")
    return LfwPairs(tuple(pairs), np.array(same, bool), np.array(folds, np.int64))


def evaluate_youtube(
    root: Path,
    splits: Path,
    embedder: FaceEmbedder,
    detector: FaceDetector | None = None,
    *,
    n_frames: int = N_FRAMES,
    workers: int | None = None,
    on_video: Callable[[int, int], None] | None = None,
) -> LfwResult:
    """Accuracy on YouTube Faces, in the form of LFW's; its distance is 2 - 2 x the mean similarity.

    Args:
        root: folder of `Name/video/*.jpg` (frames in the order of the numbers in their names) or `Name/video.mp4`.
        splits: the published pairs.
        embedder: the model to judge.
        detector: frames without a face are passed over, and a video without any is cropped at the centre; None crops
            all frames at the centre.
        n_frames: the first so many detected frames of each video count (the paper: 100, and 1,000).
        workers: threads; all cores when absent.
        on_video: called with (videos done, videos in all).

    Raises:
        DataError: videos or the splits are missing or malformed.
        MissingExtraError: a video file, without the extra `video`.
    """
    return score_pairs(
        measure_youtube(
            root, splits, embedder, detector, n_frames=n_frames, workers=workers, on_video=on_video
        )
    )


def measure_youtube(
    root: Path,
    splits: Path,
    embedder: FaceEmbedder,
    detector: FaceDetector | None = None,
    *,
    n_frames: int = N_FRAMES,
    workers: int | None = None,
    on_video: Callable[[int, int], None] | None = None,
) -> PairDistances:
    """The distance of every video pair; arguments and errors as for `evaluate_youtube`."""
    listed = read_splits(splits)
    check_folds(listed, splits)
    sources = _find_videos(root, listed.names)
    embed = partial(_mean_embedding, embedder=embedder, detector=detector, n_frames=n_frames)
    means: dict[str, NDArray[np.float64]] = {}
    failures = 0
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        for name, (mean, found) in zip(sources, pool.map(embed, sources.values()), strict=True):
            means[name] = mean
            failures += detector is not None and not found
            if on_video:
                on_video(len(means), len(sources))
    # The mean over all pairs of frames, without making the pairs: the product of sums over both numbers of frames.
    similarity = np.array([means[a] @ means[b] for a, b in listed.pairs])
    mode = "detector" if detector else "centre"
    return PairDistances(listed, (2.0 - 2.0 * similarity).astype(np.float32), failures, mode)


def _find_videos(root: Path, names: list[str]) -> dict[str, Path]:
    """The folder or file of each video.

    Raises:
        DataError: some are not there.
    """
    found = {name: _find_video(root / name) for name in names}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise DataError(f"{root}: videos named in the splits are missing: {missing[0]}{more}")
    return {name: path for name, path in found.items() if path is not None}


def _find_video(path: Path) -> Path | None:
    files = (path.with_name(path.name + suffix) for suffix in VIDEO_SUFFIXES)
    return path if path.is_dir() else next((file for file in files if file.is_file()), None)


def _mean_embedding(
    source: Path, *, embedder: FaceEmbedder, detector: FaceDetector | None, n_frames: int
) -> tuple[NDArray[np.float64], bool]:
    """The mean of the frames' embeddings, shape (D,), not of unit length; and whether a face was detected at all."""
    crops = islice((crop for crop, found in _crops(source, detector, embedder) if found), n_frames)
    total, n = _sum(crops, embedder)
    if n:
        return total / n, True
    total, n = _sum(islice((crop for crop, _ in _crops(source, None, embedder)), n_frames), embedder)
    if not n:
        raise DataError(f"{source}: expected the frames of a video, met none")
    return total / n, False


def _crops(
    source: Path, detector: FaceDetector | None, embedder: FaceEmbedder
) -> Iterator[tuple[NDArray[np.uint8], bool]]:
    for frame in _frames(source):
        crop, found = crop_face(frame, detector, embedder)
        yield crop, found or detector is None


def _sum(crops: Iterator[NDArray[np.uint8]], embedder: FaceEmbedder) -> tuple[NDArray[np.float64], int]:
    total, n = np.zeros(embedder.spec.dim), 0
    while batch := list(islice(crops, FRAMES_PER_BATCH)):
        total += embedder.embed(np.concatenate(batch)).sum(0, dtype=np.float64)
        n += len(batch)
    return total, n


def _frames(source: Path) -> Iterator[NDArray[np.uint8]]:
    """uint8 RGB frames, in order."""
    if not source.is_dir():
        yield from read_frames(source)
        return
    for path in sorted((f for f in source.iterdir() if f.suffix.lower() in SUFFIXES), key=_frame_order):
        try:
            yield read_image(path).pixels
        except ImageError as error:
            raise DataError(str(error)) from error


def _frame_order(path: Path) -> tuple[list[int], str]:
    """Frames are named video.number.jpg without leading zeros: 10 comes after 9."""
    return [int(number) for number in re.findall(r"\d+", path.stem)], path.name
