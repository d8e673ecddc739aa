"""What a scan makes of a folder that has changed in every way, and of one that is not the library's."""

import dataclasses
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest
from PIL import Image

from drawn_album import scanned
from facespace.errors import DataError
from facespace.images import StampedFiles, Unreadable, stamp_photos
from facespace.library import Library, Look, ScanResult
from facespace.library.scan import Scan
from fakes import SPEC, DrawnDetector, DrawnEmbedder, draw_photo
from inside import inside, sql
from tiff_parts import exif_block

NAMES = ("red", "green", "blue", "ochre")


class LaterDetector(DrawnDetector):
    spec = dataclasses.replace(DrawnDetector.spec, version="2", sha256="f" * 64)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Photos of one person each, whose contents are of different sizes."""
    for i, name in enumerate(NAMES, 1):
        draw_photo(tmp_path / "photos" / f"{i}.png", *[name] * i)
    return tmp_path / "photos"


@pytest.fixture
def library(tmp_path: Path, photos: Path) -> Iterator[Library]:
    with Library(tmp_path / "library") as opened:
        yield scanned(opened, photos)


def again(library: Library, photos: Path, **options: object) -> tuple[ScanResult, int]:
    """What a scan did, and how many photos were read."""
    detector = DrawnDetector()
    look = Look(**{name: options.pop(name) for name in ("verify", "drop_missing") if name in options})  # type: ignore[arg-type]
    result = library.scan(photos, detector, DrawnEmbedder(), look=look, **options)  # type: ignore[arg-type]
    return result, detector.calls


def contents(library: Library) -> dict[str, str | None]:
    return {photo.path: photo.sha256 for photo in library.photos()}


def test_photos_that_change_places_are_not_read_and_keep_their_faces(library: Library, photos: Path) -> None:
    library.name(library_person(library, "1.png#1"), "Ann")
    for old in (4, 3, 2, 1):  # one is put in before them
        (photos / f"{old}.png").rename(photos / f"{old + 1}.png")
    result, n_read = again(library, photos)
    assert (result.n_moved, result.n_new, result.n_removed, n_read) == (4, 0, 0, 0)
    assert library_person(library, "2.png#1") == library_person(library, "2.png")
    assert {p.name for p in library.group(SPEC).people if "2.png" in {f.photo for f in p.faces}} == {"Ann"}
    (photos / "2.png").rename(photos / "x")
    (photos / "3.png").rename(photos / "2.png")
    (photos / "x").rename(photos / "3.png")
    assert again(library, photos)[1] == 0
    assert group_named(library, "Ann") == {"3.png#1"}


def library_person(library: Library, face: str) -> int:
    from facespace.library.faces import find_face

    number = find_face(inside(library), face)
    (person,) = (
        sql(library).execute("SELECT person_id FROM assignments WHERE face_id = ?", (number,)).fetchone()
    )
    return int(person)


def group_named(library: Library, name: str) -> set[str]:
    people = library.group(SPEC).people
    return {face.address for person in people if person.name == name for face in person.faces}


def test_a_photo_that_overwrites_another_takes_its_place(library: Library, photos: Path) -> None:
    before = contents(library)
    (photos / "1.png").rename(photos / "2.png")
    result, n_read = again(library, photos)
    assert (result.n_photos, result.n_moved, result.n_removed, n_read) == (3, 1, 1, 0)
    assert contents(library) == {"2.png": before["1.png"], "3.png": before["3.png"], "4.png": before["4.png"]}


def test_a_copy_does_not_take_the_place_of_a_touched_original(library: Library, photos: Path) -> None:
    shutil.copy(photos / "2.png", photos / "0.png")
    os.utime(photos / "2.png", ns=(1, 1))
    ids = {photo.path: photo.photo_id for photo in library.photos()}
    result, n_read = again(library, photos)
    assert (result.n_moved, result.n_new, n_read) == (1, 1, 1)
    assert {p.path: p.photo_id for p in library.photos() if p.path != "0.png"} == ids


def test_content_that_changed_behind_its_stamp_is_found_by_verifying(library: Library, photos: Path) -> None:
    (photos / "bad.png").write_bytes(b"x")
    again(library, photos)
    status = (photos / "1.png").stat()
    content = bytearray((photos / "1.png").read_bytes())
    content[-1] ^= 1
    (photos / "1.png").write_bytes(content)
    os.utime(photos / "1.png", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert again(library, photos)[0].n_new == 0
    looked: list[tuple[str, int, int]] = []
    result, _ = again(library, photos, verify=True, progress=lambda *now: looked.append(now))
    assert (result.altered, result.n_new) == (("1.png",), 2)  # and the one that cannot be read is tried again
    assert ("comparing", 4, 4) in looked and looked[-1] == ("reading", 2, 2)
    assert again(library, photos, verify=True)[0].altered == ()


def test_the_same_photos_at_another_place_are_known(library: Library, photos: Path, tmp_path: Path) -> None:
    shutil.copytree(photos, tmp_path / "elsewhere")  # other inodes
    os.utime(tmp_path / "elsewhere" / "1.png", ns=(1, 1))
    draw_photo(tmp_path / "elsewhere" / "5.png", "red", "blue")
    result, n_read = again(library, tmp_path / "elsewhere")
    assert (result.n_moved, n_read, result.n_removed) == (4, 1, 0)
    assert library.photo_folder == tmp_path / "elsewhere"


@pytest.mark.parametrize("kind", ["empty", "emptied", "other", "same names"])
def test_a_folder_without_the_librarys_photos_is_a_mistake(
    library: Library, photos: Path, tmp_path: Path, kind: str
) -> None:
    folder = photos if kind == "emptied" else tmp_path / "other"
    if kind == "emptied":
        shutil.rmtree(photos)
    folder.mkdir()
    if kind in ("other", "same names"):
        draw_photo(folder / ("x.png" if kind == "other" else "1.png"), "red", "red")
    before = list(sql(library).iterdump())
    with pytest.raises(DataError, match=r"expected the photos of this library \(4 known.*--drop-missing"):
        again(library, folder)
    assert not library.scan_progress().is_running  # type: ignore[union-attr]
    assert [line for line in sql(library).iterdump() if '"scan"' not in line] == [
        line for line in before if '"scan"' not in line
    ]
    assert again(library, folder, drop_missing=True)[0].n_removed in (3, 4)
    assert len(library.photos()) == (1 if kind in ("other", "same names") else 0)


def test_all_photos_of_the_folder_may_be_edited(library: Library, photos: Path) -> None:
    for i in range(1, 5):
        draw_photo(photos / f"{i}.png", "red", "red")
    assert again(library, photos)[0].n_new == 4


def test_photos_in_a_folder_that_cannot_be_opened_stay(library: Library, photos: Path) -> None:
    draw_photo(photos / "shut" / "1.png", "green")
    again(library, photos)
    found = stamp_photos(photos)
    shut = (Unreadable(Path("shut"), "cannot be read: permission denied"),)
    seen = StampedFiles(
        {path: s for path, s in found.stamps.items() if "/" not in path and path != "4.png"}, shut
    )
    result = Scan(inside(library), photos, DrawnDetector(), DrawnEmbedder()).run(seen)
    assert (result.n_removed, result.n_absent, result.unreadable) == (1, 1, shut)
    assert [photo.path for photo in library.photos()] == ["1.png", "2.png", "3.png", "shut/1.png"]


def test_photos_of_a_disk_that_is_not_there_stay(library: Library, photos: Path) -> None:
    draw_photo(photos / "disk" / "1.png", "green")
    draw_photo(photos / "disk" / "2.png", "blue")
    again(library, photos)
    sql(library).execute("UPDATE photos SET device = 7 WHERE path LIKE 'disk/%'")
    (photos / "disk").rename(photos.parent / "unplugged")
    (photos / "4.png").unlink()
    result, _ = again(library, photos)
    assert (result.n_removed, result.n_absent) == (1, 2)
    (photos.parent / "unplugged").rename(photos / "disk")  # plugged in again, under another number
    (photos / "disk" / "2.png").unlink()
    result, n_read = again(library, photos)
    assert (result.n_moved, result.n_removed, result.n_absent, n_read) == (1, 1, 0, 0)
    sql(library).execute("UPDATE photos SET device = 7 WHERE path LIKE 'disk/%'")
    shutil.rmtree(photos / "disk")
    assert again(library, photos, drop_missing=True)[0].n_removed == 1


def test_another_detector_reads_nothing_again_unless_asked(library: Library, photos: Path) -> None:
    library.name(library_person(library, "3.png#2"), "Ann")
    later = LaterDetector()
    look = Look(detector=later.spec.sha256)
    assert library.scan(photos, later, DrawnEmbedder()).n_new == later.calls == 0
    assert library.scan(photos, later, DrawnEmbedder(), look=look).n_new == later.calls == 4
    assert library.scan(photos, later, DrawnEmbedder(), look=look).n_new == 0
    assert group_named(library, "Ann") == {"3.png#2"}


def test_progress_is_seen_from_outside_and_ends(library: Library, photos: Path) -> None:
    for i in range(3):
        draw_photo(photos / f"new {i}.png", "red")
    seen = []

    def progress(stage: str, done: int, todo: int) -> None:
        if stage != "reading":
            return
        with Library(library.folder) as other:
            seen.append(other.scan_progress())
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        again(library, photos, progress=progress)
    assert all(
        progress is not None and progress.is_running and progress.ended_at is None for progress in seen
    )
    last = library.scan_progress()
    assert last is not None and (last.done, last.todo, last.is_running) == (2, 3, False)
    assert last.ended_at is not None
    result, _ = again(library, photos)
    assert result.n_new == 1
    assert (library.scan_progress().done, library.scan_progress().todo) == (1, 1)  # type: ignore[union-attr]


def test_a_scan_that_was_killed_is_not_under_way_for_ever(library: Library) -> None:
    for silent_s, running in ((2, True), (30, False)):
        heard = (datetime.now(UTC) - timedelta(seconds=silent_s)).isoformat()
        sql(library).execute("UPDATE scan SET ended_at = NULL, heard_at = ?", (heard,))
        assert library.scan_progress().is_running is running  # type: ignore[union-attr]


def test_a_scan_that_is_stopped_goes_on_later(library: Library, photos: Path) -> None:
    for i in range(5):
        draw_photo(photos / f"new {i}.png", "red")
    stop = Event()
    stop.set()
    assert again(library, photos, stop=stop)[0].n_new == 1
    assert again(library, photos)[0].n_new == 4


@pytest.mark.parametrize("orientation", [1, 6, 8])
def test_tiff_stored_sideways_has_its_size_and_a_library_with_exchanged_sides_mends(
    tmp_path: Path, library: Library, photos: Path, orientation: int
) -> None:
    with Image.open(photos / "2.png") as image:
        stored = image.transpose(Image.Transpose.ROTATE_90) if orientation > 1 else image
        stored.save(photos / "5.tiff", tiffinfo={0x0112: orientation})
    again(library, photos)
    rows = "SELECT height, width FROM photos WHERE path = '5.tiff'"
    size = sql(library).execute(rows).fetchone()
    assert size == (100, 220)
    sql(library).execute("UPDATE photos SET height = width, width = height, note = '' WHERE orientation > 4")
    assert again(library, photos)[1] == 0
    assert sql(library).execute(rows).fetchone() == size


def test_a_photo_that_is_cut_short_has_a_note_until_it_is_whole(
    library: Library, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    with Image.open(photos / "2.png") as image:
        image.save(photos / "5.jpg", quality=95)
    whole = (photos / "5.jpg").read_bytes()
    (photos / "5.jpg").write_bytes(whole[: int(len(whole) * 0.97)])
    result, n_read = again(library, photos)
    assert n_read == 1 and [str(p.photo) for p in result.partial] == ["5.jpg"]
    assert result.partial[0].reason.startswith("cut short: the first ") and result.unreadable == ()
    result, n_read = again(library, photos)
    assert n_read == 0 and [str(p.photo) for p in result.partial] == ["5.jpg"]
    assert [p["photo"] for p in library.group(SPEC).to_json()["partial"]] == ["5.jpg"]
    (photos / "5.jpg").write_bytes(whole)
    assert again(library, photos)[0].partial == () and "partial" not in library.group(SPEC).to_json()


def test_a_photo_that_is_still_growing_is_read_by_a_later_scan(
    library: Library, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Image.open(photos / "2.png") as image:
        image.save(photos / "5.jpg", quality=95)
    whole = (photos / "5.jpg").read_bytes()
    (photos / "5.jpg").write_bytes(whole[:-300])
    monkeypatch.setattr("time.sleep", lambda _: (photos / "5.jpg").write_bytes(whole))
    result, _ = again(library, photos)
    assert "still being written" in result.unreadable[0].reason and result.partial == ()
    result, n_read = again(library, photos)
    assert n_read == 1 and result.unreadable == result.partial == ()


def test_a_photo_that_an_earlier_version_did_not_turn_is_read_again(library: Library, photos: Path) -> None:
    with Image.open(photos / "2.png") as image:
        image.transpose(Image.Transpose.ROTATE_90).save(
            photos / "5.jpg", quality=95, exif=b"Exif\0\0" + exif_block((0x0112, 1, b"\6"))
        )
    again(library, photos)
    size = "SELECT height, width, orientation, note FROM photos WHERE path = '5.jpg'"
    expected = sql(library).execute(size).fetchone()
    assert tuple(expected) == (100, 220, 6, None)
    sql(library).execute(
        "UPDATE photos SET orientation = 1, height = width, width = height, note = '' WHERE path = '5.jpg'"
    )
    sql(library).execute("UPDATE photos SET note = '', taken_at = 'no date' WHERE path = '1.png'")
    assert again(library, photos)[1] == 1
    assert sql(library).execute(size).fetchone() == expected
    assert sql(library).execute("SELECT note, taken_at FROM photos WHERE path = '1.png'").fetchone()[:] == (
        None,
        None,
    )
    assert again(library, photos)[1] == 0
