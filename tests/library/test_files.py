"""The files of a library: whom they belong to, what is left behind, what a scan of the folder around them sees."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from facespace.errors import DataError, ImageError
from facespace.images import Exif, list_photos
from facespace.library import Library, Rule, default_library_dir, library_of
from facespace.library.files import page_key, thumbnail_file
from facespace.library.photos import add_faces
from facespace.web.page import write_page
from fakes import SPEC, DrawnDetector, DrawnEmbedder, draw_photo
from inside import inside, sql
from known_photos import DETECTOR, add, photo


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for i in range(3):
        draw_photo(tmp_path / "photos" / f"{i}.png", "red", "green")
    return tmp_path / "photos"


@pytest.fixture
def no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def refreshed(folder: Path, photos: Path) -> Library:
    library = Library(folder)
    library.refresh(photos, DrawnDetector(), DrawnEmbedder(), write_page=write_page)
    return library


@pytest.mark.usefixtures("no_umask")
@pytest.mark.parametrize("there", [False, True], ids=["a new folder", "a folder that is there"])
def test_all_files_are_the_owners_alone(tmp_path: Path, photos: Path, there: bool) -> None:
    folder = tmp_path / "a" / "library"
    if there:
        folder.mkdir(parents=True)
    refreshed(folder, photos).close()
    made = [path for path in folder.rglob("*") if path != folder]
    assert len([path for path in made if path.suffix == ".jpg"]) == 6
    assert [path for path in made if path.stat().st_mode & 0o077] == []


@pytest.mark.usefixtures("no_umask")
def test_folders_that_an_earlier_version_left_open_are_closed(tmp_path: Path, photos: Path) -> None:
    refreshed(tmp_path / "library", photos).close()
    thumbnails = tmp_path / "library" / "thumbnails"
    for folder in (thumbnails, *thumbnails.iterdir()):
        folder.chmod(0o755)
    refreshed(tmp_path / "library", photos).close()
    assert {folder.stat().st_mode & 0o777 for folder in (thumbnails, *thumbnails.iterdir())} == {0o700}


@pytest.mark.usefixtures("no_umask")
def test_the_list_of_libraries_is_the_owners_alone(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facespace.library.files.user_data_path", lambda *a, **k: tmp_path / "data")
    (tmp_path / "data" / "libraries").mkdir(parents=True)  # as earlier versions made it
    Library(default_library_dir(photos)).close()
    assert (tmp_path / "data" / "libraries").stat().st_mode & 0o777 == 0o700
    assert default_library_dir(photos).stat().st_mode & 0o777 == 0o700


def test_what_killed_processes_left_is_removed(tmp_path: Path, photos: Path) -> None:
    with refreshed(tmp_path / "library", photos) as library:
        face = int(sql(library).execute("SELECT face_id FROM faces").fetchone()[0])
    thumbnail = tmp_path / "library" / thumbnail_file(face)
    left = [
        thumbnail.with_name(f"{thumbnail.name}.123.partial"),
        tmp_path / "library" / "people.html.123.partial",
        tmp_path / "library" / "people.key.123.partial",
    ]
    mine = tmp_path / "library" / "letter.partial"
    for path in (*left, mine):
        path.write_bytes(b"half")
    refreshed(tmp_path / "library", photos).close()
    assert [path for path in left if path.exists()] == [] and mine.exists() and thumbnail.exists()


@pytest.mark.parametrize("where", ["library", "sub/library", "."])
def test_a_library_among_its_photos_does_not_scan_its_own_pictures(photos: Path, where: str) -> None:
    for _ in range(3):
        with refreshed(photos / where, photos) as library:
            assert [one.path for one in library.photos()] == ["0.png", "1.png", "2.png"]
            assert library.group().unreadable == ()
    assert len(list_photos(photos).photos) == 3


def test_photos_beside_another_library_are_said_to_be_left_out(tmp_path: Path, photos: Path) -> None:
    refreshed(photos / "trip", photos).close()
    draw_photo(photos / "trip" / "lake.png", "blue")
    with Library(tmp_path / "library") as library:
        done = library.refresh(photos, DrawnDetector(), DrawnEmbedder())
        assert (done.scan.n_photos, [str(one.photo) for one in done.people.unreadable]) == (3, ["trip"])


def test_a_slip_of_the_pen_makes_no_library(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for slip in ("typo", "file"):
        with pytest.raises(DataError, match="expected a folder of photos"):
            library_of(tmp_path / slip, tmp_path / "library")
    assert not (tmp_path / "library").exists()


def test_a_page_is_known_by_what_it_shows_alone() -> None:
    assert page_key({"a": 1, "b": [0.5]}) == page_key({"b": [0.5], "a": 1}) != page_key({"a": 1, "b": [0.25]})
    assert len(page_key("/photos/\udcff")) == 64


@pytest.mark.parametrize(
    "exif",
    [Exif(orientation=2**70), Exif(orientation=6.0), Exif(orientation="6th"), Exif(taken_at=2019), Exif(1, "\udcff"),
     Exif(1, {})],  # type: ignore[arg-type]
    ids=str,
)  # fmt: skip
def test_a_photo_whose_values_cannot_be_kept_is_named_and_the_rest_goes_on(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch, exif: Exif
) -> None:
    import dataclasses

    from facespace.library import scan

    extract = scan.extract_photo  # type: ignore[attr-defined]

    def odd(path: Path, *models: object) -> object:
        found = extract(path, *models)  # type: ignore[arg-type]
        return dataclasses.replace(found, exif=exif) if path.name == "1.png" else found  # type: ignore[type-var]

    monkeypatch.setattr(scan, "extract_photo", odd)
    with refreshed(tmp_path / "library", photos) as library:
        kept = {one.path for one in library.photos() if one.unreadable is None}
        told = {str(one.photo): one.reason for one in library.group().unreadable}
        assert kept >= {"0.png", "2.png"} and len(library.photos()) == 3
        assert kept | told.keys() == {"0.png", "1.png", "2.png"}
        assert all("cannot be kept" in reason for reason in told.values())


def test_nothing_of_a_photo_stays_whose_faces_cannot_be_kept(tmp_path: Path) -> None:
    with Library(tmp_path) as library:
        add(library, photo("1.jpg", 0, 1))
        before = list(sql(library).iterdump())
        with pytest.raises(ImageError, match="cannot be kept"):
            add_faces(
                inside(library), photo("1.jpg", 2), "1.jpg", (1, 2, 2**64, 4), detector=DETECTOR, embedder=SPEC
            )  # fmt: skip
        assert list(sql(library).iterdump()) == before


def test_a_sound_library_and_its_backup(tmp_path: Path, photos: Path) -> None:
    with Library(tmp_path / "empty") as empty:
        assert empty.check().is_sound and empty.check().n_templates == {}
    with refreshed(tmp_path / "library", photos) as library:
        found = library.check()
        assert (found.problems, found.n_photos, found.n_faces) == ((), 3, 6)
        assert found.n_templates == {SPEC.label: 6}
        library.name(1, "Ann")
        (tmp_path / "again").mkdir()
        library.backup(tmp_path / "again" / "library.sqlite")
    with Library(tmp_path / "again", create=False) as again:
        assert again.group(rule=Rule()).people[0].name == "Ann"


def test_a_check_names_what_is_lost(tmp_path: Path, photos: Path) -> None:
    with refreshed(tmp_path / "library", photos) as library:
        face = int(sql(library).execute("SELECT face_id FROM faces").fetchone()[0])
        sql(library).execute("DELETE FROM templates WHERE face_id = ?", (face,))
        sql(library).execute("UPDATE templates SET vector = x'00' WHERE face_id != ?", (face,))
        thumbnail = library.folder / thumbnail_file(face)
        thumbnail.rename(thumbnail.with_name(f"{1:016x}.jpg"))
        said = " / ".join(library.check().problems)
    assert "in no group: 1" in said and "that are not of 128 bytes: 5" in said
    assert "thumbnails and previews of faces that the library does not know: 1" in said
