"""Following a folder: what comes is taken in once it is quiet, and the following ends when it is told to."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Queue

import pytest

from drawn_album import scanned
from facespace.library import Library, ScanResult, following
from facespace.library.following import Follower as Looks
from facespace.library.progress import keep_progress
from facespace.library.scan import Scan
from fakes import SPEC, DrawnDetector, DrawnEmbedder, draw_photo
from inside import inside, sql

PATIENCE_S = 60


class Follower:
    """A thread that follows a folder, as a server does."""

    def __init__(self, folder: Path, photos: Path, *, quiet_s: float = 0.2) -> None:
        self.results: Queue[ScanResult] = Queue()
        self.troubles: Queue[str] = Queue()
        self.stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, args=(folder, photos, quiet_s))
        self._thread.start()

    def _follow(self, folder: Path, photos: Path, quiet_s: float) -> None:
        with Library(folder) as library:
            for result in library.watch(
                photos, DrawnDetector(), DrawnEmbedder(), stop=self.stop, quiet_s=quiet_s,
                on_trouble=self.troubles.put,
            ):  # fmt: skip
                self.results.put(result.scan)

    def until(self, **expected: int) -> ScanResult:
        """The next result in which these counts add up, over the results before it."""
        counts = dict.fromkeys(expected, 0)
        while counts != expected:
            result = self.results.get(timeout=PATIENCE_S)
            for name in counts:
                counts[name] += getattr(result, name)
        return result

    def end(self) -> None:
        self.stop.set()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    draw_photo(tmp_path / "photos" / "1.png", "red", "green")
    draw_photo(tmp_path / "photos" / "2.png", "red")
    return tmp_path / "photos"


@pytest.fixture
def library(tmp_path: Path, photos: Path) -> Iterator[Library]:
    with Library(tmp_path / "library") as opened:
        yield scanned(opened, photos)


@pytest.fixture
def follower(library: Library, photos: Path) -> Iterator[Follower]:
    started = Follower(library.folder, photos)
    yield started
    started.end()


def looks(library: Library, photos: Path, quiet_s: float) -> Looks:
    return Looks(Scan(inside(library), photos, DrawnDetector(), DrawnEmbedder()), quiet_s, print)


def paths(library: Library) -> list[str]:
    return [photo.path for photo in library.photos()]


def test_new_changed_moved_and_removed_photos_are_taken_in(
    library: Library, photos: Path, follower: Follower
) -> None:
    draw_photo(photos / "sub" / "3.png", "blue", "red", "ochre")
    follower.until(n_new=1)
    assert paths(library) == ["1.png", "2.png", "sub/3.png"]
    draw_photo(photos / "2.png", "green", "green")
    follower.until(n_new=1)
    (photos / "sub" / "3.png").rename(photos / "moved.png")
    follower.until(n_moved=1)
    (photos / "1.png").unlink()
    follower.until(n_removed=1)
    assert paths(library) == ["2.png", "moved.png"]
    assert sorted(len(p.faces) for p in library.group(SPEC).people) == [1] * 5


def test_a_word_from_another_process_brings_a_round_without_changes(
    library: Library, photos: Path, follower: Follower
) -> None:
    draw_photo(photos / "3.png", "blue")
    follower.until(n_new=1)  # it has begun
    library.name(1, "Ann")
    assert not follower.results.get(timeout=PATIENCE_S).has_changes


def test_a_folder_that_goes_and_comes_back_is_waited_for(
    library: Library, photos: Path, follower: Follower, tmp_path: Path
) -> None:
    photos.rename(tmp_path / "unplugged")
    assert "expected a folder of photos" in follower.troubles.get(timeout=PATIENCE_S)
    photos.mkdir()  # the mount point
    assert "expected the photos of this library" in follower.troubles.get(timeout=PATIENCE_S)
    assert paths(library) == ["1.png", "2.png"]
    photos.rmdir()
    draw_photo(tmp_path / "unplugged" / "3.png", "blue")
    (tmp_path / "unplugged").rename(photos)
    follower.until(n_new=1, n_moved=0, n_removed=0)
    assert paths(library) == ["1.png", "2.png", "3.png"]


def test_a_photo_is_read_when_it_has_been_quiet(
    library: Library, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(following.time, "monotonic", lambda: clock[0])  # type: ignore[attr-defined]
    follower = looks(library, photos, 1.5)
    content = draw_photo(photos / "3.png", "blue").read_bytes()
    (photos / "1.png").unlink()
    seen = []
    for clock[0], size in (
        (0.0, 40),
        (1.0, 90),
        (2.0, len(content)),
        (3.0, len(content)),
        (3.6, len(content)),
    ):
        (photos / "3.png").write_bytes(content[:size])
        os.utime(photos / "3.png", ns=(size, size))
        found = follower.look()
        seen.append(None if found is None else sorted(found.stamps))
    # The one that was removed at 0 is gone at 2, the one that was written until 2 is there at 3.6.
    assert seen == [None, None, ["2.png"], ["2.png"], ["2.png", "3.png"]]


def test_while_another_process_scans_this_one_waits(library: Library, photos: Path) -> None:
    follower = looks(library, photos, 0.0)
    draw_photo(photos / "3.png", "blue")
    with Library(library.folder) as other, keep_progress(inside(other)):
        assert follower.look() is None
    assert follower.look() is not None


def test_photos_of_a_disk_that_is_not_there_are_looked_for_once(library: Library, photos: Path) -> None:
    sql(library).execute("UPDATE photos SET device = 7 WHERE path = '2.png'")
    (photos / "2.png").unlink()
    follower = looks(library, photos, 0.0)
    found = follower.look()
    assert found is not None
    result = follower.scan(found)
    assert result is not None
    assert (result.has_changes, result.n_absent) == (False, 1)
    assert follower.look() is None
    library.name(1, "Ann")
    assert follower.look() is not None  # a word was said
