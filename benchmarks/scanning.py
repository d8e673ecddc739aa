"""A library's scan: where nothing has changed, what the catalogue adds to a first one, and what another model costs.

    python benchmarks/scanning.py rescan --photos 20000
    python benchmarks/scanning.py first --data DIR --photos 300
    python benchmarks/scanning.py upgrade --data DIR --photos 300

`rescan` makes a folder of so many files of 3 MB (sparse: only their stamps are looked at), puts them into a library
with drawn faces, and times `facespace.library.scan`, the groups and the page beside a bare walk that asks each file
for its stamp.

`first` cuts photos out of the albums under DIR, and times scans into new libraries, until these are closed, beside
`extract_photos` over the same photos. Both ways take turns, a hundred photos each, and the best of several rounds
counts; processor seconds are shown beside the clock's, since a machine is seldom idle. `upgrade` moves a library
of such photos from facespace-xs to facespace-s, beside a scan by the latter into a new one.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
from PIL import Image

from facespace.embed import Embedder
from facespace.extract import PhotoFaces, extract_photos
from facespace.faces.detect import Detector
from facespace.faces.detections import Detections
from facespace.images import list_photos, stamp_photos
from facespace.library import Library
from facespace.library.catalogue import Catalogue
from facespace.library.photos import add_faces
from facespace.web.page import write_page

FILE_BYTES = 3_000_000
PER_FOLDER = 500
PER_TURN = 100
N_PEOPLE = 300


def best_of(rounds: int, work: Callable[[], object]) -> float:
    """Seconds of the fastest of several runs."""
    seconds = []
    for _ in range(rounds):
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


def walk(folder: Path) -> int:
    """The least that tells whether a file has changed."""
    found = 0
    for here, _, names in os.walk(folder):
        for name in names:
            os.stat(os.path.join(here, name))  # noqa: PTH116, PTH118 - as little as possible
            found += 1
    return found


def make_files(folder: Path, n: int) -> None:
    """Files of 3 MB that take no room."""
    for i in range(n):
        path = folder / f"{i // PER_FOLDER:04}" / f"IMG_{i:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.truncate(path, FILE_BYTES)


def fill(catalogue: Catalogue, folder: Path, detector: Detector, embedder: Embedder) -> None:
    """A library of these files with a face or two in each, drawn around some hundred directions."""
    rng = np.random.default_rng(0)
    people = rng.normal(size=(N_PEOPLE, embedder.spec.dim)).astype(np.float32)
    catalogue.templates.add_model(detector.spec)
    catalogue.templates.add_model(embedder.spec)
    catalogue.set_photo_folder(folder)
    with catalogue.transaction():
        for i, (path, stamp) in enumerate(stamp_photos(folder).stamps.items()):
            chosen = people[rng.choice(N_PEOPLE, 1 + i % 2, replace=False)]
            add_faces(
                catalogue, _drawn(folder / path, chosen, rng), path, stamp, detector=detector.spec.sha256,
                embedder=embedder.spec,
            )  # fmt: skip


def _drawn(path: Path, directions: np.ndarray, rng: np.random.Generator) -> PhotoFaces:
    n = len(directions)
    rows = directions + 0.3 * rng.normal(size=directions.shape).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    boxes = np.tile(np.array([10, 10, 90, 90], np.float32), (n, 1)) + 100 * np.arange(n)[:, None]
    found = Detections(boxes, np.zeros((n, 5, 2), np.float32), np.ones(n, np.float32))
    thumbnails = np.zeros((n, 144, 144, 3), np.uint8)
    content = f"{abs(hash(path)):064x}"
    return PhotoFaces(found, np.full(n, 0.8, np.float32), rows, thumbnails, path, content, (100, 1000))


def rescan(n: int) -> None:
    """Photos a second where nothing has changed, and what the rest of `facespace people` costs then."""
    with tempfile.TemporaryDirectory() as made:
        folder, detector, embedder = Path(made) / "photos", Detector(), Embedder()
        make_files(folder, n)
        with closing(Catalogue(Path(made) / "library")) as catalogue:
            fill(catalogue, folder, detector, embedder)
        with Library(Path(made) / "library") as library:
            library.scan(folder, detector, embedder)
            write_page(library, library.group(embedder.spec), folder)
            bare = best_of(5, lambda: walk(folder))
            again = best_of(5, lambda: library.scan(folder, detector, embedder))
            begin = time.perf_counter()
            people = library.group(embedder.spec)
            grouped = time.perf_counter() - begin
            begin = time.perf_counter()
            write_page(library, people, folder)
            page = time.perf_counter() - begin
    print(
        f"{n:,} photos, nothing new: scan {n / again:,.0f} photos a second, {again / bare:.1f} times a bare walk"
    )
    print(
        f"then {people.n_faces:,} faces grouped in {grouped / again:.1f}, page in {page / again:.1f} times the scan"
    )


def cut_photos(data: Path, folder: Path, n: int) -> list[Path]:
    """Photos cut out of the albums' and saved anew; returns their folders."""
    rng = np.random.default_rng(0)
    suffixes = (".jpg", ".jpeg")
    originals = [path for path in list_photos(data / "albums").photos if path.suffix.lower() in suffixes]
    for i in range(n):
        with Image.open(originals[i % len(originals)]) as opened:
            picture = opened.convert("RGB")
        width, height = picture.size
        left, top = (int(rng.integers(0, 1 + side // 10)) for side in (width, height))
        part = picture.crop((left, top, left + width * 9 // 10, top + height * 9 // 10))
        path = folder / f"{i // PER_TURN:04}" / f"{i:05}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        part.save(path, quality=int(rng.integers(80, 96)))
    return sorted(folder.iterdir())


def first(data: Path, n: int, rounds: int) -> None:
    """What the catalogue adds to finding, aligning and embedding."""
    detector, embedder = Detector(), Embedder()
    plain, kept = np.zeros(2), np.zeros(2)
    with tempfile.TemporaryDirectory() as made:
        for folder in cut_photos(data, Path(made) / "photos", n):
            photos, turns = list(list_photos(folder).photos), []
            for i in range(rounds):
                turns.append(_spent(lambda: list(extract_photos(photos, detector, embedder))))  # noqa: B023
                library = Library(Path(made) / f"{folder.name} {i}")
                turns.append(_spent(lambda: _scan_and_close(library, folder, detector, embedder)))  # noqa: B023
            plain += np.min(turns[::2], axis=0)
            kept += np.min(turns[1::2], axis=0)
    more = kept / plain - 1
    print(
        f"{n:,} photos, {rounds} rounds: {n / kept[0]:.1f} photos a second; the catalogue adds {more[0]:.1%} of time, "
        f"{more[1]:.1%} of processor time"
    )


def measure_upgrade(data: Path, n: int, rounds: int) -> None:
    """Embedding known faces again, beside finding and embedding them."""
    detector, before, after = Detector(), Embedder("facespace-xs"), Embedder("facespace-s")
    moved, anew = [], []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "photos"
        cut_photos(data, folder, n)
        for i in range(rounds):
            with Library(Path(made) / f"old {i}") as old, Library(Path(made) / f"new {i}") as new:
                old.scan(folder, detector, before)
                old.group(before.spec)
                moved.append(_spent(lambda: old.upgrade(folder, after)))
                anew.append(_spent(lambda: new.scan(folder, detector, after)))
    share = np.min(moved, axis=0) / np.min(anew, axis=0)
    print(f"{n:,} photos: {share[0]:.0%} of the time of a new scan, {share[1]:.0%} of its processor time")


def _scan_and_close(library: Library, folder: Path, detector: Detector, embedder: Embedder) -> None:
    with library:
        library.scan(folder, detector, embedder)


def _spent(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock and of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - processor


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["rescan", "first", "upgrade"])
    parser.add_argument("--photos", type=int, help="how many; 20,000 to rescan, else 300, unless given")
    parser.add_argument("--data", type=Path, help="folder of the data sets, of first and upgrade")
    parser.add_argument("--rounds", type=int, default=3, help="of first and upgrade")
    asked = parser.parse_args()
    if asked.what == "rescan":
        rescan(asked.photos or 20_000)
    elif asked.data is None:
        parser.error(f"{asked.what} needs --data")
    elif asked.what == "upgrade":
        measure_upgrade(asked.data, asked.photos or 300, asked.rounds)
    else:
        first(asked.data, asked.photos or 300, asked.rounds)


if __name__ == "__main__":
    main()
