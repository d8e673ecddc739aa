import os
from pathlib import Path

import pytest

from facespace.errors import DataError
from facespace.images import list_photos, listing


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def test_an_empty_folder_has_no_photos(tmp_path: Path) -> None:
    assert list_photos(tmp_path).photos == list_photos(tmp_path).unreadable == ()


def test_photos_are_found_below_in_a_fixed_order(tmp_path: Path) -> None:
    names = [
        "b/2.JPG",
        "a.png",
        "b/1.heic",
        "z/y/x.webp",
        "b/note.txt",
        ".hidden/1.jpg",
        "@eaDir/1.jpg",
        ".x.jpg",
    ]
    for name in names:
        touch(tmp_path / name)
    found = [str(p.relative_to(tmp_path)) for p in list_photos(tmp_path).photos]
    assert found == ["a.png", "b/1.heic", "b/2.JPG", "z/y/x.webp"]


def test_circles_and_dead_links_end(tmp_path: Path) -> None:
    touch(tmp_path / "in" / "1.jpg")
    (tmp_path / "in" / "up").symlink_to(tmp_path)
    (tmp_path / "again").symlink_to(tmp_path / "in")
    (tmp_path / "dead.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (tmp_path / "self.jpg").symlink_to(tmp_path / "self.jpg")
    listing = list_photos(tmp_path)
    assert len(listing.photos) == 1
    assert sorted(u.photo.name for u in listing.unreadable) == ["dead.jpg", "self.jpg"]
    assert all("cannot be read" in u.reason for u in listing.unreadable)


def test_names_that_are_no_text_are_photos_too(tmp_path: Path) -> None:
    odd = os.fsencode(tmp_path) + b"/\xff\xfe line\nbreak.jpg"
    with open(odd, "wb") as file:  # noqa: PTH123 - a name of bytes
        file.write(b"x")
    assert [os.fsencode(p) for p in list_photos(tmp_path).photos] == [odd]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_permission_is_said(tmp_path: Path) -> None:
    touch(tmp_path / "shut" / "1.jpg")
    (tmp_path / "shut").chmod(0)
    try:
        listing = list_photos(tmp_path)
    finally:
        (tmp_path / "shut").chmod(0o700)
    assert [u.reason for u in listing.unreadable] == ["cannot be read: permission denied"]


@pytest.mark.parametrize("name", ["nothing", "file.jpg"])
def test_what_is_no_folder_is_refused(tmp_path: Path, name: str) -> None:
    touch(tmp_path / "file.jpg")
    with pytest.raises(DataError, match="expected a folder of photos"):
        list_photos(tmp_path / name)


@pytest.mark.parametrize("suffix", [".mpo", ".jps", ".JP2", ".hif", ".apng", ".dib", ".jfif"])
def test_all_kinds_that_are_read_are_found(tmp_path: Path, suffix: str) -> None:
    assert list_photos(touch(tmp_path / f"1{suffix}").parent).photos == (tmp_path / f"1{suffix}",)


def test_pictures_that_are_not_read_are_counted_and_other_files_are_not(tmp_path: Path) -> None:
    for name in (
        "1.psd",
        "sub/2.PSD",
        "3.jxl",
        "4.jpg_large",
        "notes.txt",
        "film.mp4",
        ".hidden.psd",
        "5.jpg",
    ):
        touch(tmp_path / name)
    found = list_photos(tmp_path)
    assert [p.name for p in found.photos] == ["5.jpg"]
    assert [(u.photo.name, u.n_files, u.reason) for u in found.unreadable] == [
        ("*.jpg_large", 1, "1 picture of a kind that is not read"),
        ("*.jxl", 1, "1 picture of a kind that is not read"),
        ("*.psd", 2, "2 pictures of a kind that is not read"),
    ]


def test_a_camera_raw_file_beside_a_picture_of_its_name_is_that_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "can_read_raw", lambda: True)
    for name in ("1.cr2", "1.JPG", "2.cr2", "sub/1.cr2"):
        touch(tmp_path / name)
    found = list_photos(tmp_path)
    assert [str(p.relative_to(tmp_path)) for p in found.photos] == ["1.JPG", "2.cr2", "sub/1.cr2"]
    assert found.unreadable == ()


def test_what_is_no_regular_file_is_said(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "1.jpg")
    (tmp_path / "2.jpg").symlink_to("/dev/zero")
    (tmp_path / "3.jpg").mkdir()
    found = list_photos(tmp_path)
    assert found.photos == ()
    assert [(u.photo.name, u.reason) for u in found.unreadable] == [
        ("1.jpg", "cannot be read: not a regular file"),
        ("2.jpg", "cannot be read: not a regular file"),
    ]
