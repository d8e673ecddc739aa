"""Videos in a library: tracks grouped with photos, named, corrected, searched, read again and forgotten."""

import csv
import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from drawn_album import person_at, scanned
from drawn_video import draw_frame, write_video
from facespace.images import Unreadable, listing
from facespace.library import Library, Look
from facespace.models import ModelSpec
from fakes import SPEC, DrawnDetector, DrawnEmbedder, draw_photo
from inside import sql

RED, BOTH = draw_frame({"red": 20}), draw_frame({"blue": 20, "green": 200})


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A photo of red, and a video of red for three seconds, then of blue and green at once."""
    draw_photo(tmp_path / "photos" / "red.png", "red")
    write_video(tmp_path / "photos" / "clip.mp4", [RED] * 30 + [BOTH] * 20)
    return tmp_path / "photos"


@pytest.fixture
def library(tmp_path: Path, photos: Path) -> Iterator[Library]:
    with Library(tmp_path / "library") as opened:
        yield scanned(opened, photos)


def groups(library: Library, spec: ModelSpec = SPEC) -> set[frozenset[str]]:
    return {frozenset(face.address for face in person.faces) for person in library.group(spec).people}


def test_a_track_is_one_face_of_its_person_with_its_times(library: Library) -> None:
    assert groups(library) == {
        frozenset({"red.png#1", "clip.mp4#1"}), frozenset({"clip.mp4#2"}), frozenset({"clip.mp4#3"}),
    }  # fmt: skip
    red, blue = (library.browse.face(f"clip.mp4#{k}") for k in (1, 2))
    assert (red.begin_s, red.end_s, blue.begin_s, blue.end_s) == pytest.approx((0.0, 2.5, 3.0, 4.5))
    assert (
        red.time_s is not None and red.begin_s is not None and red.begin_s <= red.time_s <= (red.end_s or 0)
    )
    assert red.to_json()["track"] == 1 and red.to_json()["time"] == red.time_s
    assert "time" not in library.browse.face("red.png#1").to_json()
    view = library.browse.photo(red.photo_id)
    assert (view.kind, view.duration_s, view.size_hw) == ("video", pytest.approx(5.0), (100, 400))
    assert [face.address for face in view.faces] == ["clip.mp4#1", "clip.mp4#2", "clip.mp4#3"]
    assert library.thumbnail(red.face_id)[:2] == b"\xff\xd8"


def test_videos_are_counted_apart_from_photos(library: Library) -> None:
    people, counts = library.group(), library.browse.count()
    red = next(person for person in people.people if len(person.faces) == 2)
    assert (people.n_photos, people.n_videos, people.to_json()["videos"]) == (2, 1, 1)
    assert (counts.n_photos, counts.n_videos) == (2, 1)
    assert library.browse.count_items(red.person) == (red.n_photos, red.n_videos) == (2, 1)
    found = library.check()
    assert (found.n_photos, found.n_videos) == (2, 1)


def test_tracks_at_one_time_are_two_people_however_alike(tmp_path: Path) -> None:
    twins = draw_frame({"red": 20, "rust": 200})
    write_video(tmp_path / "photos" / "clip.mp4", [twins] * 10)
    draw_photo(tmp_path / "photos" / "red.png", "red")
    with Library(tmp_path / "library") as library:
        scanned(library, tmp_path / "photos")
        found = groups(library)
    assert len(found) == 2 and not any({"clip.mp4#1", "clip.mp4#2"} <= group for group in found)


def test_naming_any_view_of_a_track_names_the_track(library: Library) -> None:
    views = sql(library).execute("SELECT face_id, of_track FROM faces WHERE of_track NOTNULL").fetchall()
    assert views
    view, track = views[0]
    library.name(person_at(library, "clip.mp4#1"), "Red")
    library.confirm("Red", [view])
    assert library.browse.face(view).face_id == track and library.browse.face(track).name == "Red"
    library.reject("Red", ["red.png#1"])
    library.group(SPEC)
    assert library.browse.face("red.png#1").name is None


def test_a_search_shows_each_track_once(library: Library) -> None:
    first, *rest = (one.face.address for one in library.search_face("red.png#1", k=4))
    assert first == "clip.mp4#1" and sorted(rest) == ["clip.mp4#2", "clip.mp4#3"]
    assert library.search_face("clip.mp4#1", k=1)[0].face.address == "red.png#1"


def test_a_video_that_is_read_again_keeps_names_and_corrections(library: Library, photos: Path) -> None:
    library.name(person_at(library, "clip.mp4#2"), "Blue")
    library.not_a_face(["clip.mp4#3"])
    ids = [library.browse.face(f"clip.mp4#{k}").face_id for k in (1, 2)]

    class Later(DrawnDetector):
        spec = dataclasses.replace(DrawnDetector.spec, version="2", sha256="f" * 64)

    library.scan(photos, Later(), DrawnEmbedder(), look=Look(detector=Later.spec.sha256))
    library.group(SPEC)
    assert [library.browse.face(f"clip.mp4#{k}").face_id for k in (1, 2)] == ids
    assert library.browse.face("clip.mp4#2").name == "Blue"
    assert library.browse.face("clip.mp4#3").ignored == "not a face"
    assert library.check().is_sound

    away = photos.parent / "clip.mp4"
    (photos / "clip.mp4").rename(away)
    library.scan(photos, DrawnDetector(), DrawnEmbedder())
    assert len(library.photos()) == 1
    away.rename(photos / "clip.mp4")
    os.utime(photos / "clip.mp4")
    scanned(library, photos)
    assert library.browse.face("clip.mp4#2").name == "Blue" and library.check().is_sound


def test_nothing_of_a_forgotten_track_stays(library: Library, photos: Path) -> None:
    number = person_at(library, "clip.mp4#1")
    library.forget(number)
    left = "SELECT count(*) FROM faces WHERE of_track NOTNULL AND time_s < 3"
    assert sql(library).execute(left).fetchone() == (0,)
    os.utime(photos / "clip.mp4", (1, 1))
    library.scan(photos, DrawnDetector(), DrawnEmbedder(), look=Look(verify=True))
    scanned(library, photos)
    assert sql(library).execute(left).fetchone() == (0,)
    assert groups(library) == {frozenset({"clip.mp4#2"}), frozenset({"clip.mp4#3"})}


def test_names_and_times_go_to_other_programs(library: Library, photos: Path, tmp_path: Path) -> None:
    library.name(person_at(library, "clip.mp4#1"), "Red")
    library.write_sidecars()
    packet = (photos / "clip.mp4.xmp").read_text(encoding="utf-8")
    assert "PersonInImage" in packet and "Red" in packet and "RegionInfo" not in packet
    assert "RegionInfo" in (photos / "red.png.xmp").read_text(encoding="utf-8")
    assert library.write_sidecars().written == []
    library.export_people(tmp_path / "people.csv")
    with (tmp_path / "people.csv").open(encoding="utf-8") as file:
        rows = {row["face"]: row for row in csv.DictReader(file)}
    assert (rows["clip.mp4#2"]["track"], rows["clip.mp4#2"]["begin"], rows["clip.mp4#2"]["end"]) == (
        "2",
        "3.0",
        "4.5",
    )
    assert rows["red.png#1"]["time"] == "" and rows["clip.mp4#1"]["time"] != ""
    library.export_people(tmp_path / "people.json")
    people = json.loads((tmp_path / "people.json").read_text(encoding="utf-8"))["people"]
    (red,) = (person["faces"] for person in people if person["name"] == "Red")
    assert sorted("time" in face for face in red) == [False, True]
    assert library.sort_into_folders(tmp_path / "sorted").written == [
        tmp_path / "sorted" / "Red" / "clip.mp4", tmp_path / "sorted" / "Red" / "red.png",
    ]  # fmt: skip


def test_a_library_with_videos_moves_to_another_model(library: Library, photos: Path) -> None:
    class Newer(DrawnEmbedder):
        spec = dataclasses.replace(SPEC, version="2", sha256="a" * 64)

    moved = library.upgrade(photos, Newer())
    assert moved.is_complete and not moved.not_at_hand
    assert library.templates.count()["a" * 64] == library.templates.count()[SPEC.sha256]
    assert groups(library, Newer.spec) >= {frozenset({"red.png#1", "clip.mp4#1"})}


def test_every_frame_can_be_looked_at(tmp_path: Path, photos: Path) -> None:
    detector = DrawnDetector()
    with Library(tmp_path / "library") as library:
        library.scan(photos, detector, DrawnEmbedder(), look=Look(every_s=0.0))
        assert detector.calls == 51
        assert library.browse.face("clip.mp4#1").end_s == pytest.approx(2.9)


def test_a_scan_that_is_stopped_loses_the_video_in_flight_alone(tmp_path: Path, photos: Path) -> None:
    write_video(photos / "later.mp4", [RED] * 30)
    stop, told = Event(), []

    def progress(stage: str, done: int, total: int) -> None:
        if stage == "videos":
            told.append((done, total))
            if done >= 5:  # the first is kept
                stop.set()

    with Library(tmp_path / "library") as library:
        result = library.scan(photos, DrawnDetector(), DrawnEmbedder(), progress=progress, stop=stop)
        assert [photo.path for photo in library.photos()] == ["clip.mp4", "red.png"] and result.n_new == 2
        assert {total for _, total in told} == {8} and [done for done, _ in told] == sorted(
            done for done, _ in told
        )
        assert library.scan_progress() is not None and library.scan_progress().stage == "videos"  # type: ignore[union-attr]
        scanned(library, photos)
        assert [photo.path for photo in library.photos()] == ["clip.mp4", "later.mp4", "red.png"]


def test_what_cannot_be_read_is_named_and_tried_once(library: Library, photos: Path) -> None:
    (photos / "bad.mov").write_bytes(b"no video")
    whole = (photos / "clip.mp4").read_bytes()
    (photos / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    detector = DrawnDetector()
    result = library.scan(photos, detector, DrawnEmbedder())
    assert {str(one.photo) for one in result.unreadable} == {"bad.mov", "cut.mp4"}
    assert library.scan(photos, detector, DrawnEmbedder()).n_new == 0
    assert [p.kind for p in library.photos()] == ["video", "video", "video", "photo"]


def test_without_the_extra_videos_are_counted_and_what_is_known_stays(
    library: Library, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_video(photos / "new.mkv", [RED] * 5)
    monkeypatch.setattr(listing, "can_read_video", lambda: False)
    result = library.scan(photos, DrawnDetector(), DrawnEmbedder())
    assert result.unreadable == (
        Unreadable(Path("*.mkv"), "1 video was not read; to read them: pip install 'facespace[video]'"),
    )
    assert [photo.path for photo in library.photos()] == ["clip.mp4", "red.png"]
