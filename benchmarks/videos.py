"""Videos: precision and recall of appearances in made clips, and speed: python -m benchmarks.videos --data DIR

Makes clips of 30 s from the photos of DATA/albums/people in which one face is found (cuts, zooms, pans, two people at
once, motion blur, noise), puts three other photos of each person beside them and names these, and groups the folder as
`facespace people` does. An appearance is found by a track that shares half of their joint time (one track each); it is
named if the track also came to the right person. `--speed` takes a clip of 1080p instead, and prints seconds of video
for each second of the clock and of the processor, at the default sampling and for every frame.
"""

import argparse
import resource
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.made_clips import Appearance, make_clip, read_portraits
from facespace.embed import Embedder
from facespace.extract import extract_video
from facespace.faces.detect import Detector
from facespace.images import EVERY_S
from facespace.library import Face, Library

KNOWN_PHOTOS = 3
LEAST_OVERLAP = 0.5


def score(
    truth: list[Appearance], found: list[tuple[Face, str | None]], *, named: bool
) -> tuple[int, int, int]:
    """Appearances that were found, tracks, and appearances; pairs of most overlap first, each once."""
    pairs = []
    for i, one in enumerate(truth):
        for j, (face, person) in enumerate(found):
            if face.photo == one.clip and (not named or person == one.person):
                pairs.append((_overlap(one, face), i, j))
    hit: set[int] = set()
    taken: set[int] = set()
    for overlap, i, j in sorted(pairs, key=lambda pair: -pair[0]):
        if overlap >= LEAST_OVERLAP and i not in hit and j not in taken:
            hit.add(i)
            taken.add(j)
    return len(hit), len(found), len(truth)


def _overlap(one: Appearance, face: Face) -> float:
    """Shared over joint time; a track lasts until the next frame that would have been looked at."""
    begin, end = face.begin_s or 0.0, (face.end_s or 0.0) + EVERY_S / 2
    shared = min(end, one.end_s) - max(begin, one.begin_s)
    return max(0.0, shared) / (max(end, one.end_s) - min(begin, one.begin_s))


def appearances(
    data: Path, n_clips: int, seconds: float, work: Path, *, seed: int = 0
) -> dict[str, tuple[int, int, int]]:
    """Score made clips; the folder and the library are made in ``work``."""
    detector, embedder, rng = Detector(), Embedder(), np.random.default_rng(seed)
    folder = work / "album"
    folder.mkdir(parents=True)
    people = read_portraits(data / "albums" / "people", detector)
    people = {person: photos for person, photos in people.items() if len(photos) >= 2 * KNOWN_PHOTOS}
    for person, photos in people.items():
        for k, photo in enumerate(photos[:KNOWN_PHOTOS]):
            shutil.copy(photo.path, folder / f"{person}-{k}.jpg")
    rest = [photo for photos in people.values() for photo in photos[KNOWN_PHOTOS:]]
    with Library(work / "library") as library:
        library.scan(folder, detector, embedder)
        library.group(embedder.spec)
        for person in people:
            _name(library, person)
        truth: list[Appearance] = []
        for i in range(n_clips):
            truth += make_clip(folder / f"clip{i:02}.mp4", rest, rng, seconds=seconds)
        library.scan(folder, detector, embedder)
        library.group()
        videos = [photo.photo_id for photo in library.photos() if photo.kind == "video"]
        found = [(face, face.name) for number in videos for face in library.browse.photo(number).faces]
    return {name: score(truth, found, named=name == "named") for name in ("found", "named")}


def _name(library: Library, person: str) -> None:
    """Name the photos of a person, whatever they were grouped with."""
    own = [f"{person}-{k}.jpg#1" for k in range(KNOWN_PHOTOS)]
    number = library.browse.face(own[0]).person
    assert number is not None
    group = [face.address for face in library.browse.faces(number)]
    if set(group) <= set(own):
        library.name(number, person)
    else:
        library.split(number, [face for face in group if face in own], name=person)
    library.confirm(person, own)


def speed(data: Path, seconds: float, work: Path) -> None:
    """Print how much faster than it plays a clip of 1080p is read."""
    detector, embedder = Detector(), Embedder()
    people = read_portraits(data / "albums" / "people", detector)
    clip = work / "clip.mp4"
    make_clip(
        clip, [photo for photos in people.values() for photo in photos], np.random.default_rng(0),
        seconds=seconds, size_wh=(1920, 1080),
    )  # fmt: skip
    print(f"1920x1080 H.264, {seconds:.0f} s, {clip.stat().st_size * 8 / seconds / 1e6:.1f} Mbit/s")
    for every_s in (EVERY_S, 0.0):
        clock, processor = time.perf_counter(), _processor_s()
        video = extract_video(clip, detector, embedder, every_s=every_s)
        clock, processor = time.perf_counter() - clock, _processor_s() - processor
        what = f"every {every_s} s" if every_s else "every frame"
        print(
            f"{what}: {video.n_frames} frames, {len(video)} tracks; {seconds / clock:.1f} times real time, "
            f"{seconds / processor:.1f} for each processor"
        )


def _processor_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--clips", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=30.0, help="of each clip")
    parser.add_argument("--seed", type=int, default=0, help="other clips")
    parser.add_argument("--speed", action="store_true", help="measure speed instead")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        if asked.speed:
            speed(asked.data, asked.seconds, Path(work))
            return
        for name, (hits, n_found, n_true) in appearances(
            asked.data, asked.clips, asked.seconds, Path(work), seed=asked.seed
        ).items():
            precision, recall = hits / max(n_found, 1), hits / max(n_true, 1)
            f1 = 2 * hits / max(n_found + n_true, 1)
            print(
                f"{name}: precision {precision:.3f}, recall {recall:.3f}, F1 {f1:.3f} of {n_true} appearances"
            )


if __name__ == "__main__":
    main()
