import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from facespace.errors import DataError, LibraryError, ModelError
from facespace.library import Library, Rule, ScanResult, default_library_dir
from facespace.library.schema import LIBRARY_FILE
from fakes import SPEC, DrawnDetector, DrawnEmbedder, draw_photo
from inside import sql


def run(library: Path, photos: Path, detector: DrawnDetector | None = None) -> ScanResult:
    with Library(library) as opened:
        return opened.scan(photos, detector or DrawnDetector(), DrawnEmbedder())


def counts(result: ScanResult) -> tuple[int, int, int, int]:
    return result.n_photos, result.n_new, result.n_unchanged, result.n_removed


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    draw_photo(folder / "1.png", "red", "green")
    draw_photo(folder / "2.png", "red")
    draw_photo(folder / "sub" / "3.png", "red", "blue")
    draw_photo(folder / "4.png")
    return folder


def test_an_empty_folder_makes_an_empty_library(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    assert counts(run(tmp_path / "library", tmp_path / "none")) == (0, 0, 0, 0)
    with Library(tmp_path / "library") as library:
        assert library.group(SPEC).people == ()


def test_people_are_grouped_largest_first_with_the_keys_of_the_command(tmp_path: Path, photos: Path) -> None:
    run(tmp_path / "library", photos)
    with Library(tmp_path / "library") as library:
        people = library.group(SPEC, rule=Rule(far=1e-3))
    document = people.to_json()
    assert list(document) == [
        "photos",
        "faces",
        "model",
        "threshold",
        "far",
        "people",
        "unreadable",
        "extrapolated",
    ]
    assert (document["photos"], document["faces"], document["threshold"]) == (4, 5, 0.2)
    assert [len(p["faces"]) for p in document["people"]] == [3, 1, 1]
    assert {f["photo"] for f in document["people"][0]["faces"]} == {"1.png", "2.png", "sub/3.png"}
    assert set(document["people"][0]["faces"][0]) >= {"photo", "box_xyxy", "score", "quality"}
    assert len(people.seen_again) == 1 and len(people.seen_once) == 2


def test_a_second_run_costs_nothing(tmp_path: Path, photos: Path) -> None:
    run(tmp_path / "library", photos)
    detector = DrawnDetector()
    assert counts(run(tmp_path / "library", photos, detector)) == (4, 0, 4, 0)
    assert detector.calls == 0


def test_new_changed_moved_touched_and_removed_photos(tmp_path: Path, photos: Path) -> None:
    run(tmp_path / "library", photos)
    draw_photo(photos / "5.png", "ochre")
    draw_photo(photos / "2.png", "green", "green")
    (photos / "1.png").rename(photos / "sub" / "moved.png")
    os.utime(photos / "sub" / "3.png", ns=(1, 1))
    (photos / "4.png").unlink()
    detector = DrawnDetector()
    assert counts(run(tmp_path / "library", photos, detector)) == (4, 2, 2, 1)
    assert detector.calls == 2
    with Library(tmp_path / "library") as library:
        assert [p.path for p in library.photos()] == ["2.png", "5.png", "sub/3.png", "sub/moved.png"]
        assert library.group(SPEC).n_faces == 7


def test_unreadable_photos_are_told_each_time_and_tried_again_when_changed(
    tmp_path: Path, photos: Path
) -> None:
    (photos / "bad.jpg").write_bytes(b"x")
    for _ in range(2):
        result = run(tmp_path / "library", photos)
        assert [(str(u.photo), u.reason) for u in result.unreadable] == [
            ("bad.jpg", "not a picture, whatever its name says")
        ]
    draw_photo(photos / "good.png", "red").replace(photos / "bad.jpg")
    assert run(tmp_path / "library", photos).unreadable == ()


def test_a_person_keeps_number_and_name_when_photos_are_added(tmp_path: Path, photos: Path) -> None:
    run(tmp_path / "library", photos)
    with Library(tmp_path / "library") as library:
        before = {len(p.faces): p.person for p in library.group(SPEC).people}
        sql(library).execute("UPDATE people SET name = 'Ann' WHERE person_id = ?", (before[3],))
    for i in range(6):
        draw_photo(photos / f"0{i}.png", "green")
    run(tmp_path / "library", photos)
    with Library(tmp_path / "library") as library:
        people = library.group(SPEC).people
    assert [len(p.faces) for p in people] == [7, 3, 1]
    assert (people[1].person, people[1].name) == (before[3], "Ann")


def test_two_faces_of_one_photo_are_two_people(tmp_path: Path) -> None:
    draw_photo(tmp_path / "photos" / "twins.png", "red", "red")
    run(tmp_path / "library", tmp_path / "photos")
    with Library(tmp_path / "library") as library:
        assert len(library.group(SPEC).people) == 2


def test_copies_of_a_photo_keep_their_own_faces(tmp_path: Path, photos: Path) -> None:
    (photos / "copy.png").write_bytes((photos / "1.png").read_bytes())
    run(tmp_path / "library", photos)
    with Library(tmp_path / "library") as library:
        assert library.group(SPEC).n_faces == 7


def test_names_that_are_no_text_survive(tmp_path: Path, photos: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(photos) + b"/\xff.png"))
    (photos / "2.png").rename(odd)
    run(tmp_path / "library", photos)
    assert counts(run(tmp_path / "library", photos)) == (4, 0, 4, 0)
    with Library(tmp_path / "library") as library:
        assert os.fsencode(library.photos()[-1].path) in (b"\xff.png", b"sub/3.png")


def test_the_file_is_the_owners_alone_and_whole(tmp_path: Path, photos: Path) -> None:
    run(tmp_path / "library", photos)
    path = tmp_path / "library" / "library.sqlite"
    assert path.stat().st_mode & 0o077 == 0
    with sqlite3.connect(path) as catalogue:
        assert catalogue.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert catalogue.execute("PRAGMA user_version").fetchone() == (LIBRARY_FILE.version,)
        assert catalogue.execute("SELECT DISTINCT length(vector) FROM templates").fetchall() == [(128,)]
    catalogue.close()


SLOW_SCAN = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from fakes import DrawnDetector, DrawnEmbedder
from facespace.library import Library
with Library(Path({library!r})) as library:
    library.scan(Path({photos!r}), DrawnDetector(pause_s=0.02), DrawnEmbedder(), workers=1,
         progress=lambda stage, done, total: stage == "reading" and print(done, flush=True))
"""


def test_a_killed_scan_keeps_what_was_done(tmp_path: Path) -> None:
    photos, library = tmp_path / "photos", tmp_path / "library"
    for i in range(60):
        draw_photo(photos / f"{i:02}.png", "red")
    code = SLOW_SCAN.format(tests=str(Path(__file__).parents[1]), library=str(library), photos=str(photos))
    done = 0
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for _ in range(8):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.communicate()
        with Library(library) as opened:
            now = len(opened.photos())
            assert sql(opened).execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert now >= done + 7
        done = now
    assert counts(run(library, photos)) == (60, 60 - done, done, 0)


def test_two_processes_share_a_library(tmp_path: Path, photos: Path) -> None:
    code = SLOW_SCAN.format(
        tests=str(Path(__file__).parents[1]), library=str(tmp_path / "library"), photos=str(photos)
    )
    both = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert counts(run(tmp_path / "library", photos)) == (4, 0, 4, 0)


@pytest.mark.parametrize("kind", ["text", "foreign", "newer"])
def test_what_is_no_library_of_ours_is_refused_and_left_alone(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "library.sqlite"
    if kind == "text":
        path.write_text("not a database " * 100)
    else:
        with sqlite3.connect(path) as catalogue:
            catalogue.execute("CREATE TABLE t (x)")
            catalogue.execute(f"PRAGMA application_id = {0x46414345 if kind == 'newer' else 1}")
            catalogue.execute("PRAGMA user_version = 99")
        catalogue.close()
    before = path.read_bytes()
    with pytest.raises(LibraryError, match=r"library\.sqlite"):
        Library(tmp_path)
    assert path.read_bytes() == before


def test_a_folder_of_photos_that_is_not_there_and_a_model_without_bytes(tmp_path: Path) -> None:
    class Floats(DrawnEmbedder):
        spec = SPEC.__class__("floats", "1", "embedder", (112, 112))

    with Library(tmp_path / "library") as library:
        with pytest.raises(DataError):
            library.scan(tmp_path / "none", DrawnDetector(), DrawnEmbedder())
        with pytest.raises(ModelError, match="byte form"):
            library.scan(tmp_path, DrawnDetector(), Floats())


def test_each_folder_has_a_library_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    here, there = default_library_dir(tmp_path), default_library_dir(tmp_path / "a b")
    assert here != there and there.name.startswith("a-b-") and here.parent == there.parent
