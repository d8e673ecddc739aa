"""What pages show, against all of the library read by another way."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from facespace.errors import CorrectionError, LibraryError
from facespace.library import Library, People
from facespace.library.browse import (
    KINDS,
)
from facespace.library.photos import remove_photos
from fakes import SPEC
from inside import inside, sql
from known_photos import add, person_of, photo


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    """Six people; 0 is called Ann and has a suggestion, 1 is hidden, 2 was put apart, 5 was seen once."""
    with Library(tmp_path / "library") as opened:
        for i in range(8):
            add(opened, photo(f"{i}.jpg", *[p for p in range(6) if i < (8, 6, 4, 3, 2, 1)[p]]))
        opened.group(SPEC)
        opened.name(person_of(opened, "0.jpg#1"), "Ann")
        opened.hide(person_of(opened, "0.jpg#2"))
        opened.confirm(person_of(opened, "0.jpg#3"))
        add(opened, photo("new.jpg", 0))
        opened.group(SPEC)
        yield opened


def by_hand(people: People, kind: str) -> list[int]:
    """The same by the document that `facespace people` prints."""
    shown = {
        "seen-again": lambda p: not p.hidden and (len(p.faces) > 1 or p.settled),
        "to-review": lambda p: not p.hidden and bool(p.suggested),
        "named": lambda p: not p.hidden and p.name is not None,
        "unnamed": lambda p: not p.hidden and p.name is None and (len(p.faces) > 1 or p.settled),
        "seen-once": lambda p: not p.hidden and not p.settled and len(p.faces) == 1,
        "hidden": lambda p: p.hidden,
    }[kind]
    found = [p for p in people.people if shown(p)]
    return [p.person for p in sorted(found, key=lambda p: (-len(p.faces), p.person))]


def test_an_empty_library_shows_nothing(tmp_path: Path) -> None:
    with Library(tmp_path) as library:
        assert library.browse.count().n_faces == 0 and set(library.browse.count().n_people.values()) == {0}
        assert library.browse.names() == [] and library.browse.photos() == []
        assert all(library.browse.people(kind) == [] for kind in KINDS)
        with pytest.raises(CorrectionError, match="nobody has number 1"):
            library.browse.person(1)
        with pytest.raises(CorrectionError, match="none of number 1"):
            library.browse.photo(1)


@pytest.mark.parametrize("kind", KINDS)
def test_lists_are_those_of_the_whole_document(library: Library, kind: str) -> None:
    people = library.group(SPEC)
    expected = by_hand(people, kind)
    assert [one.person for one in library.browse.people(kind)] == expected
    assert library.browse.count().n_people[kind] == len(expected)
    screens = [library.browse.people(kind, limit=2, offset=k) for k in range(0, 8, 2)]
    assert [one.person for screen in screens for one in screen] == expected


def test_a_card_is_the_person_at_a_glance(library: Library) -> None:
    for person in library.group(SPEC).people:
        found = library.browse.person(person.person)
        assert (found.name, found.n_faces, found.hidden, found.settled) == (
            person.name, len(person.faces), person.hidden, person.settled,
        )  # fmt: skip
        assert found.n_suggested == len(person.suggested)
        assert library.browse.count_items(person.person) == (person.n_photos, person.n_videos)
        assert found.cover in {face.face_id for face in person.faces}
    assert library.browse.count().n_suggested == 1


def test_faces_come_by_state_with_their_distance(library: Library) -> None:
    (ann,) = [p for p in library.group(SPEC).people if p.name == "Ann"]
    (new,) = library.browse.faces(ann.person, "suggested")
    assert new.photo == "new.jpg" and not new.confirmed
    assert new.distance == pytest.approx(ann.suggested[0].distance)
    confirmed = library.browse.faces(ann.person, "confirmed")
    assert len(confirmed) == 8 and all(f.confirmed and f.distance is None for f in confirmed)
    everybody = library.browse.faces(ann.person)
    assert {f.face_id for f in everybody} == {f.face_id for f in ann.faces}
    assert [
        f for k in range(0, 9, 4) for f in library.browse.faces(ann.person, limit=4, offset=k)
    ] == everybody


def test_a_photo_shows_its_faces_from_the_left(library: Library) -> None:
    shown = library.browse.photo(library.browse.face("0.jpg#1").photo_id)
    assert (shown.photo, shown.size_hw, len(shown.faces)) == ("0.jpg", (100, 1000), 6)
    assert [f.box_xyxy[0] for f in shown.faces] == sorted(f.box_xyxy[0] for f in shown.faces)
    library.not_a_face(["0.jpg#6"])
    assert library.browse.photo(shown.photo_id).faces[5].ignored
    library.forget("Ann")
    assert len(library.browse.photo(shown.photo_id).faces) == 5


def test_photos_by_time(library: Library) -> None:
    times = {
        "0.jpg": "2019-07-04T10:00:00",
        "1.jpg": "2019-07-31T23:59:59+02:00",
        "2.jpg": "2020-01-01T00:00:00",
    }
    for name, at in times.items():
        sql(library).execute("UPDATE photos SET taken_at = ? WHERE path = ?", (at, name))
    for since, until, expected in (
        ("2019", "2019", ["1.jpg", "0.jpg"]),
        ("2019-07-05", "2020", ["2.jpg", "1.jpg"]),
        ("2019-07-04", "2019-07-04", ["0.jpg"]),
        ("2021", "2030", []),
    ):
        assert [p.photo for p in library.browse.photos(since, until)] == expected
    assert [p.photo for p in library.browse.photos()][:4] == ["2.jpg", "1.jpg", "0.jpg", "new.jpg"]
    ann = person_of(library, "0.jpg#1")
    months = [month for month, _ in library.browse.timeline(ann)]
    assert months == ["2020-01", "2019-07", "2019-07", *[None] * 6]


def test_photos_beside_one_are_the_next_by_time(library: Library) -> None:
    for name, at in {"0.jpg": "2019-07-04", "1.jpg": "2019-07-04", "2.jpg": "2018-01-01"}.items():
        sql(library).execute("UPDATE photos SET taken_at = ? WHERE path = ?", (at, name))
    rows = {path: number for number, path in sql(library).execute("SELECT photo_id, path FROM photos")}
    for known in (["2.jpg", "0.jpg", "1.jpg"], ["3.jpg", "4.jpg", "5.jpg", "6.jpg", "7.jpg", "new.jpg"]):
        for before, here, after in zip([None, *known[:-1]], known, [*known[1:], None], strict=True):
            assert library.browse.photos_beside(rows[here]) == (rows.get(before), rows.get(after))


def test_people_like_one_are_others_nearest_first_each_once(library: Library) -> None:
    assert library.similar_people(99) == []
    ann, hidden, third = (person_of(library, f"0.jpg#{k}") for k in (1, 2, 3))
    found = library.similar_people(ann, k=10)
    assert len(found) == len({one.card.person for one in found}) == 4  # six people, one of them hidden
    assert {ann, hidden}.isdisjoint(one.card.person for one in found)
    assert [one.distance for one in found] == sorted(one.distance for one in found)
    library.apart(ann, third)
    assert third not in [one.card.person for one in library.similar_people(ann)]
    assert ann not in [one.card.person for one in library.similar_people(third)]


def test_the_faces_like_one_are_the_nearest_of_all(library: Library) -> None:
    found = library.search_face("0.jpg#1", k=50)
    stored = inside(library).faces_of_model(SPEC.sha256, SPEC.dim)
    at = stored.face_id.tolist().index(library.browse.face("0.jpg#1").face_id)
    distance = ((stored.embeddings - stored.embeddings[at]) ** 2).sum(1)
    nearest = {
        int(i): float(d) for i, d in zip(stored.face_id, distance, strict=True) if i != stored.face_id[at]
    }
    assert {one.face.face_id for one in found} == set(nearest)
    assert [one.distance for one in found] == sorted(one.distance for one in found)
    for one in found:
        assert one.distance == pytest.approx(nearest[one.face.face_id], abs=1e-5)
        assert 0 < one.far <= 1 and one.extrapolated == (one.distance > 0.3)
    assert [one.face.name for one in found[:8]] == ["Ann"] * 8


def test_what_takes_no_part_is_not_found(library: Library) -> None:
    library.not_a_face(["1.jpg#1"])
    assert "1.jpg" not in {one.face.photo for one in library.search_face("0.jpg#1", k=8)}
    library.forget("Ann")
    probe = np.eye(1, 128, dtype=np.float32)
    assert all(one.face.name != "Ann" for one in library.search(probe, SPEC, k=100)[0])


def test_a_face_whose_photo_is_gone_has_nothing_to_search_by(library: Library) -> None:
    face = library.browse.face("0.jpg#1")
    remove_photos(inside(library), [face.photo_id])
    with pytest.raises(LibraryError, match="expected a face with a template"):
        library.search_face(face.face_id)
