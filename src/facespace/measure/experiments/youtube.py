"""YouTube Faces (paper, section 5.7): video pairs, judged by the mean similarity of all pairs of their frames.

Protocol: Wolf et al. 2011, "Face recognition in unconstrained videos with matched background similarity"; splits.txt as
published. The mean over all frame pairs of two videos is the product of their mean embeddings, so that a video is
kept as one vector and no frame meets another.
"""

import re
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from facespace.embed import Embedder
from facespace.errors import DataError
from facespace.extract import FaceDetector, FaceEmbedder, in_order
from facespace.images import VIDEO_SUFFIXES, Video, read_image
from facespace.measure.context import Context
from facespace.measure.embedding import find_place
from facespace.measure.experiment import Option, experiment
from facespace.measure.faces import SUFFIXES
from facespace.measure.groups import Groups, read_groups
from facespace.measure.pairs import (
    Against,
    Mode,
    PairDistances,
    PairExtras,
    PairFigures,
    PairList,
    read_splits,
    score_pairs,
)
from facespace.measure.paper import YOUTUBE_100, YOUTUBE_1000, training_differs
from facespace.measure.result import MEASURED, Cell, Column, Result, Table, mean_se, not_run, percent, plain
from facespace.measure.views import AS_IT_IS, crop_face

# Below the data folder; the second is the name of the published archive's folder.
FRAMES, SPLITS = ("ytf/frames", "ytf/frame_images_DB"), "ytf/splits.txt"
# The first detected frames of a video that count (paper, section 5.7; its second figure takes 1,000).
N_FRAMES = 100
FRAMES_PER_BATCH = 32
PAPER = f"The paper: {mean_se(*YOUTUBE_100, 2)} on the first 100 detected frames, {percent(YOUTUBE_1000, 2)} on 1,000."


@experiment(
    "95.12 ± 0.39 % with the mean similarity of all pairs of the first 100 detected frames of two videos, "
    "95.18 % with 1,000.",
    needs=("data", "model", "detector", "workers"),
    example="frame_images_DB --splits splits.txt",
    report={},
)
def run(
    context: Context,
    *,
    videos: Annotated[
        Path | None,
        Option(
            "Folder of Name/video/frame.jpg or Name/video.mp4; DATA/ytf/frames unless given.", argument=True
        ),
    ] = None,
    splits: Annotated[Path | None, Option("The published pairs; DATA/ytf/splits.txt unless given.")] = None,
    frames: Annotated[int, Option("First detected frames of each video that count.", min=1)] = N_FRAMES,
    mode: Mode = "detector",
    against: Against = None,
    groups: Groups = None,
) -> Result:
    """Accuracy over the splits, by the mean similarity of all pairs of two videos' frames."""
    by_group = read_groups(groups) if groups else None
    splits = splits or context.data / SPLITS
    videos = videos or next((path for f in FRAMES if (path := context.data / f).is_dir()), None)
    if videos is None:
        return not_run(
            f"Not measured: the video pairs may be listed in {SPLITS}, but no frames are available.",
            remedy=f"put the published frames at DATA/{FRAMES[0]}",
            differs=(PAPER,),
        )
    listed = read_splits(splits)
    listed.check_folds(splits)
    measure = partial(measure_videos, videos, listed, context, n_frames=frames, mode=mode)
    first = measure(context.embedder)
    second = measure(Embedder(against)) if against else None
    figures, extras = score_pairs(first), PairExtras.of(first, second, by_group)
    return Result(
        MEASURED,
        f"{mean_se(figures.accuracy_mean, figures.accuracy_se, 2)} over {figures.n_folds} splits of "
        f"{figures.n_same + figures.n_diff:,} video pairs.{extras.sentence}",
        (_table(figures, frames), *extras.tables),
        (training_differs(context), *([f"{figures.note}."] if figures.note else [])),
        figures={**plain(figures), **extras.figures},
    )


def measure_videos(
    root: Path, listed: PairList, context: Context, embedder: FaceEmbedder, *, n_frames: int, mode: str
) -> PairDistances:
    """The distance of every video pair, 2 - 2 x the mean similarity.

    Args:
        root: folder of `Name/video/*.jpg` (frames in the order of the numbers in their names) or `Name/video.mp4`.
        listed: the pairs.
        context: its detector finds the faces, its workers share the videos.
        embedder: the model to judge.
        n_frames: the first so many detected frames of each video count.
        mode: "detector": frames without a face are passed over, and a video without any is cropped at the centre;
            "centre": all frames are.

    Raises:
        DataError: videos are missing.
        ImageError: a video cannot be read.
        MissingExtraError: a video file, without the extra `video`.
    """
    sources = _find_videos(root, listed.names)
    detector = context.detector if mode == "detector" else None
    embed = partial(_mean_embedding, embedder=embedder, detector=detector, n_frames=n_frames)
    means: dict[str, NDArray[np.float64]] = {}
    failures = 0
    found_all = in_order(embed, list(sources.values()), workers=context.setup.workers)
    for name, (mean, found) in zip(sources, found_all, strict=True):
        means[name] = mean
        failures += detector is not None and not found
        context.on_step(len(means), len(sources))
    # The mean over all pairs of frames, without making the pairs: the product of sums over both numbers of frames.
    similarity = np.array([means[a] @ means[b] for a, b in listed.pairs])
    return PairDistances(listed, (2.0 - 2.0 * similarity).astype(np.float32), failures, mode)


def _table(figures: PairFigures, n_frames: int) -> Table:
    accuracy = (figures.accuracy_mean, figures.accuracy_se)
    ours: dict[int, Cell] = {100: None, 1000: None, n_frames: accuracy}
    printed: dict[int, Cell] = {100: YOUTUBE_100, 1000: YOUTUBE_1000}
    columns = (Column("frames"), Column("paper", "percent2", paper=True), Column("ours", "percent2"))
    rows: list[tuple[Cell, ...]] = [(f"first {n:,} detected", printed.get(n), ours[n]) for n in sorted(ours)]
    return Table("Accuracy, the threshold of each split from the others.", columns, tuple(rows))


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
    files = (path.with_name(path.name + suffix) for suffix in sorted(VIDEO_SUFFIXES))
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
        place = find_place(frame, detector)
        yield crop_face(frame, place, AS_IT_IS, embedder.spec), place.found or detector is None


def _sum(crops: Iterator[NDArray[np.uint8]], embedder: FaceEmbedder) -> tuple[NDArray[np.float64], int]:
    total, n = np.zeros(embedder.spec.dim), 0
    while batch := list(islice(crops, FRAMES_PER_BATCH)):
        total += embedder.embed(np.stack(batch)).sum(0, dtype=np.float64)
        n += len(batch)
    return total, n


def _frames(source: Path) -> Iterator[NDArray[np.uint8]]:
    """uint8 RGB frames, in order."""
    if not source.is_dir():
        with Video(source, threads=1) as video:
            yield from (frame.picture.pixels for frame in video.frames(0.0))
        return
    for path in sorted((f for f in source.iterdir() if f.suffix.lower() in SUFFIXES), key=_frame_order):
        yield read_image(path).pixels


def _frame_order(path: Path) -> tuple[list[int], str]:
    """Frames are named video.number.jpg without leading zeros: 10 comes after 9."""
    return [int(number) for number in re.findall(r"\d+", path.stem)], path.name
