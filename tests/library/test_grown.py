"""A library that grows: what was said outlives moved, edited, damaged, deleted and restored photos, and new models."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from facespace.images import Exif
from facespace.library import Library, Rule
from facespace.library import grouping as grouping_module
from facespace.library.photos import add_unreadable, remove_photos
from fakes import SPEC, DrawnDetector, DrawnEmbedder, draw_photo
from inside import inside, sql
from known_photos import add, groups, person_of, photo

RED, BLUE, OCHRE = 0, 1, 2


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "library") as opened:
        add(opened, photo("1.jpg", RED, BLUE))
        add(opened, photo("2.jpg", RED, BLUE))
        opened.group(SPEC)
        opened.name(person_of(opened, "1.jpg#1"), "Ann")
        opened.confirm("Ann", ["1.jpg#1"])
        opened.not_a_face(["1.jpg#2"])
        yield opened


def confirmed(library: Library, name: str = "Ann") -> set[str]:
    people = library.group(SPEC).people
    return {
        face.address for person in people if person.name == name for face in person.faces if face.confirmed
    }


def photo_id(library: Library, path: str) -> int:
    (found,) = [p.photo_id for p in library.photos() if p.path == path]
    return found


def test_a_photo_that_comes_back_finds_what_was_said(library: Library) -> None:
    remove_photos(inside(library), [photo_id(library, "1.jpg")])
    assert confirmed(library) == {"2.jpg#1"}
    assert [p.path for p in library.photos()] == ["2.jpg"]
    add(library, photo("sub/renamed.jpg", RED, BLUE, content=f"{'1.jpg':0>64}"))
    assert confirmed(library) == {"2.jpg#1", "sub/renamed.jpg#1"}
    assert all("sub/renamed.jpg#2" not in group for group in groups(library))
    assert sql(library).execute("SELECT count(*) FROM photos").fetchone() == (2,)


def test_a_damaged_photo_loses_nothing_that_was_said(library: Library) -> None:
    add_unreadable(inside(library), "1.jpg", (1, 1, 1, 1), "damaged")
    assert confirmed(library) == {"2.jpg#1"}
    add(library, photo("1.jpg", RED, BLUE))
    assert confirmed(library) == {"1.jpg#1", "2.jpg#1"}


def test_an_edited_photo_keeps_the_faces_that_look_the_same(library: Library) -> None:
    turned = photo("1.jpg", BLUE, RED, content="e" * 64)  # mirrored: the boxes are no guide
    add(library, turned)
    assert confirmed(library) == {"1.jpg#2", "2.jpg#1"}
    add(library, photo("1.jpg", OCHRE, OCHRE, content="f" * 64))  # another picture altogether
    assert confirmed(library) == {"2.jpg#1"}
    add(library, photo("1.jpg", BLUE, RED, content="e" * 64))
    assert confirmed(library) == {"1.jpg#2", "2.jpg#1"}


def test_a_new_detector_that_finds_other_faces_first_mixes_nobody_up(library: Library) -> None:
    before = photo("1.jpg", RED, BLUE)
    order = [1, 0]
    add(
        library,
        dataclasses.replace(
            before, faces=before.faces[order], embeddings=before.embeddings[order],
            thumbnails=before.thumbnails[order],
        ),
    )  # fmt: skip
    assert confirmed(library) == {"1.jpg#1", "2.jpg#1"}
    assert all("1.jpg#2" not in group for group in groups(library))


def test_what_was_said_can_be_undone_while_a_photo_is_gone(library: Library) -> None:
    remove_photos(inside(library), [photo_id(library, "1.jpg")])
    for _ in range(3):
        library.undo()
    for _ in range(3):
        library.redo()
    add(library, photo("1.jpg", RED, BLUE))
    assert confirmed(library) == {"1.jpg#1", "2.jpg#1"}


def test_photos_that_nothing_was_said_of_leave_nothing(library: Library) -> None:
    add(library, photo("3.jpg", OCHRE))
    remove_photos(inside(library), [photo_id(library, "3.jpg")])
    assert sql(library).execute("SELECT count(*) FROM photos").fetchone() == (2,)
    assert sql(library).execute("SELECT count(*) FROM faces").fetchone() == (4,)


def test_groups_are_worked_out_only_where_something_changed(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = groups(library)
    worked = []
    group = grouping_module._group
    monkeypatch.setattr(grouping_module, "_group", lambda *a: worked.append(1) or group(*a))
    assert groups(library) == before and worked == []
    library.group(SPEC, rule=Rule(far=1e-3))
    library.apart("Ann", person_of(library, "2.jpg#2"))
    groups(library)
    add(library, photo("4.jpg", RED))
    groups(library)
    assert len(worked) >= 3


def test_a_word_said_while_groups_are_worked_out_is_not_overwritten(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(library, photo("4.jpg", RED))
    group = grouping_module._group

    def interrupted(*arguments: object) -> object:
        monkeypatch.setattr(grouping_module, "_group", group)
        with Library(library.folder) as other:
            other.reject("Ann", ["4.jpg"])
        return group(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(grouping_module, "_group", interrupted)
    assert frozenset({"4.jpg#1"}) in groups(library)


def test_photos_bring_their_time_and_orientation_and_old_ones_get_theirs(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for name, taken in (("1.jpg", "2024:07:01 12:30:00"), ("2.jpg", "0000:00:00 00:00:00")):
        drawn = Image.open(draw_photo(photos / "drawn.png", "red")).convert("RGB")
        exif = drawn.getexif()
        exif[0x0112] = 6
        exif.get_ifd(0x8769)[0x9003] = taken
        drawn.save(photos / name, exif=exif)
    with Library(tmp_path / "library") as library:
        library.scan(photos, DrawnDetector(), DrawnEmbedder())
        expected = [("1.jpg", 6, "2024-07-01T12:30:00"), ("2.jpg", 6, None), ("drawn.png", 1, None)]
        assert [(p.path, p.orientation, p.taken_at) for p in library.photos()] == expected
        sql(library).execute("UPDATE photos SET orientation = NULL, taken_at = NULL")
        detector = DrawnDetector()
        library.scan(photos, detector, DrawnEmbedder())
        assert [(p.path, p.orientation, p.taken_at) for p in library.photos()] == expected
        assert detector.calls == 0
        assert Exif() == Exif(1, None)
