"""What may be said of faces and persons, what comes of it, and what contradicts what."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from facespace.errors import CorrectionError, InputError, LibraryError
from facespace.library import Library, Person, find_library
from fakes import SPEC
from inside import inside, sql
from known_photos import add, groups, person_of, photo

RED, BLUE, OCHRE = 0, 1, 2


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    """Red on three photos, blue on two of them and ochre on one."""
    with Library(tmp_path / "library") as opened:
        add(opened, photo("1.jpg", RED, BLUE))
        add(opened, photo("2.jpg", RED, BLUE))
        add(opened, photo("sub/3.jpg", OCHRE, RED))
        opened.group(SPEC)
        yield opened


def person(library: Library, who: int | str) -> Person:
    (found,) = [p for p in library.group(SPEC).people if who in (p.person, p.name)]
    return found


def faces(library: Library, who: int | str) -> dict[str, bool]:
    """Each face with whether it is confirmed."""
    return {face.address: face.confirmed for face in person(library, who).faces}


def test_an_empty_library_knows_nobody(tmp_path: Path) -> None:
    with Library(tmp_path) as library:
        assert library.history() == []
        for nothing in (library.undo, library.redo):
            with pytest.raises(CorrectionError, match="nothing to"):
                nothing()
        with pytest.raises(CorrectionError, match="nobody has number 1"):
            library.name(1, "Ann")


def test_a_name_confirms_a_group_and_holds(library: Library) -> None:
    red = person_of(library, "1.jpg#1")
    entry = library.name(red, "  Ann  Lee ")
    assert entry and (entry.action, entry.what) == ("name", f"name person {red} Ann Lee")
    assert faces(library, "Ann Lee") == {"1.jpg#1": True, "2.jpg#1": True, "sub/3.jpg#2": True}
    assert library.name(red, "Ann Lee") is None  # nothing to change
    add(library, photo("4.jpg", RED))
    assert faces(library, "Ann Lee")["4.jpg#1"] is False
    library.name("ann lee", "Anna")  # a new name confirms nothing
    assert person(library, red).name == "Anna" and faces(library, red)["4.jpg#1"] is False


def test_a_suggestion_has_a_distance_and_the_rate_behind_it(library: Library) -> None:
    library.name(person_of(library, "1.jpg#1"), "Ann")
    add(library, photo("near.jpg", RED))
    add(library, photo("4.jpg", RED, noise=0.040))
    document = library.group(SPEC).to_json()
    (ann,) = [p for p in document["people"] if p["name"] == "Ann"]
    assert ann["settled"] and not ann["hidden"]
    face = {f["face"]: f for f in ann["faces"]}
    assert face["1.jpg#1"]["state"] == "confirmed" and face["1.jpg#1"]["distance"] is None
    assert face["4.jpg#1"]["state"] == "suggested"
    assert 0.2 < face["4.jpg#1"]["distance"] < 0.3 and 1e-3 < face["4.jpg#1"]["far"] < 1e-2
    assert face["4.jpg#1"]["extrapolated"] is False
    assert face["near.jpg#1"]["distance"] < 0.2
    assert face["near.jpg#1"]["far"] == pytest.approx(1e-3)  # the lowest that is measured


def test_a_distance_is_the_mean_over_the_confirmed_faces(library: Library) -> None:
    library.name(person_of(library, "1.jpg#1"), "Ann")
    add(library, photo("4.jpg", RED, noise=0.04))
    stored = inside(library).faces_of_model(SPEC.sha256, SPEC.dim)
    rows = dict(zip(stored.face_id.tolist(), stored.embeddings, strict=True))
    ann = person(library, "Ann")
    (new,) = ann.suggested
    each = [float(((rows[new.face_id] - rows[f.face_id]) ** 2).sum()) for f in ann.faces if f.confirmed]
    assert new.distance == pytest.approx(sum(each) / len(each), rel=1e-5)


def test_a_rejected_face_stays_away(library: Library) -> None:
    red = person_of(library, "1.jpg#1")
    library.reject(red, ["2.jpg#1"])
    assert faces(library, red) == {"1.jpg#1": True, "sub/3.jpg#2": True}
    assert frozenset({"2.jpg#1"}) in groups(library)
    add(library, photo("4.jpg", RED, OCHRE))
    assert "2.jpg#1" not in faces(library, red)


def test_split_makes_two_who_stay_apart(library: Library) -> None:
    red = person_of(library, "1.jpg#1")
    entry = library.split(red, ["2.jpg#1", "sub/3.jpg#2"])
    assert entry and entry.what.startswith(f"split 2 faces from person {red}: person ")
    other = person_of(library, "2.jpg#1")
    assert faces(library, red) == {"1.jpg#1": True}
    assert faces(library, other) == {"2.jpg#1": True, "sub/3.jpg#2": True}
    with pytest.raises(CorrectionError, match=r"entry 1 \(split 2 faces .* told them apart"):
        library.merge(other, red)


def test_merge_moves_faces_names_and_what_was_said(library: Library) -> None:
    red, blue = person_of(library, "1.jpg#1"), person_of(library, "1.jpg#2")
    ochre = person_of(library, "sub/3.jpg#1")
    library.name(blue, "Bob")
    library.reject(blue, ["sub/3.jpg#1"])
    library.apart(blue, ochre)
    library.split(red, ["2.jpg#1"])
    library.merge(red, blue)
    assert set(faces(library, "Bob")) == {"1.jpg#1", "1.jpg#2", "2.jpg#2", "sub/3.jpg#2"}
    assert person(library, "Bob").person == red
    with pytest.raises(CorrectionError, match=r"entry 5 \(merge Bob into"):
        library.merge(red, ochre)
    with pytest.raises(CorrectionError, match="nobody has number"):
        library.name(blue, "Bea")


def test_two_faces_of_one_photo_are_one_person_where_somebody_says_so(library: Library) -> None:
    red, blue = person_of(library, "1.jpg#1"), person_of(library, "1.jpg#2")
    library.merge(red, blue)
    add(library, photo("4.jpg", BLUE, BLUE))
    assert {"1.jpg#1", "1.jpg#2", "2.jpg#1", "2.jpg#2"} <= set(faces(library, red))
    assert all(not {"4.jpg#1", "4.jpg#2"} <= group for group in groups(library))


def test_what_is_no_face_takes_no_part(library: Library) -> None:
    library.not_a_face(["sub/3.jpg#1"])
    assert library.group(SPEC).n_faces == 5
    assert all("sub/3.jpg#1" not in group for group in groups(library))
    assert person_of(library, "sub/3.jpg#2")  # the others keep their places


def test_hidden_persons_are_not_shown(library: Library) -> None:
    red = person_of(library, "1.jpg#1")
    library.hide(red)
    assert red not in [p.person for p in library.group(SPEC).seen_again]
    library.hide(red, hidden=False)
    assert red in [p.person for p in library.group(SPEC).seen_again]


def test_all_suggestions_are_confirmed_at_once(library: Library) -> None:
    library.name(person_of(library, "1.jpg#1"), "Ann")
    add(library, photo("4.jpg", RED))
    add(library, photo("5.jpg", RED))
    library.group(SPEC)
    entry = library.confirm("Ann")
    assert entry and entry.what == "confirm 2 faces as Ann"
    assert all(faces(library, "Ann").values())
    assert library.confirm("Ann") is None


def test_a_face_that_was_meant_moves_out_of_a_group_that_was_not_looked_through(library: Library) -> None:
    library.name(person_of(library, "1.jpg#1"), "Ann")
    library.name(person_of(library, "1.jpg#2"), "Bob")
    library.confirm("Bob", ["sub/3.jpg#2"])
    assert "sub/3.jpg#2" in faces(library, "Bob") and "sub/3.jpg#2" not in faces(library, "Ann")


CONTRADICTIONS: list[tuple[Callable[[Library], object], Callable[[Library], object], str]] = [
    (lambda b: b.confirm("Ann", ["2.jpg#2"]), lambda b: b.reject("Ann", ["2.jpg#2"]), "confirm 2.jpg#2 as Ann"),
    (lambda b: b.reject("Ann", ["2.jpg#2"]), lambda b: b.confirm("Ann", ["2.jpg#2"]), "reject 2.jpg#2 as Ann"),
    (lambda b: b.confirm("Ann", ["2.jpg#2"]), lambda b: b.confirm("Bob", ["2.jpg#2"]), "confirm 2.jpg#2 as Ann"),
    (lambda b: b.confirm("Bob", ["2.jpg#2"]), lambda b: b.split("Bob", ["2.jpg#2"]), "confirm 2.jpg#2 as Bob"),
    (lambda b: b.confirm("Ann", ["2.jpg#2"]), lambda b: b.not_a_face(["2.jpg#2"]), "confirm 2.jpg#2 as Ann"),
    (lambda b: b.not_a_face(["2.jpg#2"]), lambda b: b.confirm("Ann", ["2.jpg#2"]), "2.jpg#2: not a face"),
    (lambda b: b.not_a_face(["2.jpg#2"]), lambda b: b.reject("Ann", ["2.jpg#2"]), "2.jpg#2: not a face"),
    (lambda b: b.apart("Ann", "Bob"), lambda b: b.merge("Ann", "Bob"), "tell Ann and Bob apart"),
    (lambda b: b.reject("Ann", ["1.jpg#2"]), lambda b: b.merge("Ann", "Bob"), "reject 1.jpg#2 as Ann"),
    (lambda b: b.reject("Ann", ["1.jpg#2"]), lambda b: b.merge("Bob", "Ann"), "reject 1.jpg#2 as Ann"),
]  # fmt: skip


@pytest.mark.parametrize(("first", "second", "named"), CONTRADICTIONS)
def test_a_contradiction_is_refused_and_names_what_it_contradicts(
    library: Library, first: Callable[[Library], object], second: Callable[[Library], object], named: str
) -> None:
    library.name(person_of(library, "1.jpg#1"), "Ann")
    library.name(person_of(library, "1.jpg#2"), "Bob")
    first(library)
    before = list(sql(library).iterdump())
    with pytest.raises(CorrectionError) as refused:
        second(library)
    assert f"entry 3 ({named})" in str(refused.value) and "undo that entry first" in str(refused.value)
    assert list(sql(library).iterdump()) == before
    library.undo(3)
    second(library)


MISTAKES: list[tuple[Callable[[Library], object], str]] = [
    (lambda b: b.name("Zoe", "Z"), "nobody is called Zoe"),
    (lambda b: b.name(99, "Z"), "nobody has number 99"),
    (lambda b: b.name("Ann", " "), "with a letter in it"),
    (lambda b: b.name("Ann", "12"), "with a letter in it"),
    (lambda b: b.name("Ann", "\udcff"), "characters that can be seen"),
    (lambda b: b.name(person_of(b, "1.jpg#2"), "ANN"), "`facespace library merge` makes the two one"),
    (lambda b: b.apart("Ann", "Ann"), "Ann twice"),
    (lambda b: b.split("Ann", []), "got 0 of 3"),
    (lambda b: b.split("Ann", ["1.jpg#1", "2.jpg#1", "sub/3.jpg#2"]), "got 3 of 3"),
    (lambda b: b.split("Ann", ["1.jpg#2"]), "it is another's"),
    (lambda b: b.confirm("Ann", ["9.jpg#1"]), "no photo of that path"),
    (lambda b: b.confirm("Ann", ["1.jpg#3"]), "it shows 2"),
    (lambda b: b.confirm("Ann", ["1.jpg#0"]), "counted from the left"),
    (lambda b: b.confirm("Ann", ["1.jpg"]), "1.jpg#1 to 1.jpg#2"),
    (lambda b: b.confirm("Ann", ["0123456789abcdef"]), "or by its id"),
    (lambda b: b.reject(person_of(b, "sub/3.jpg#1"), ["sub/3.jpg#1"]), "a face to be left"),
    (lambda b: b.undo(7), "no entry in force with number 7"),
    (lambda b: b.redo(), "nothing to redo"),
]  # fmt: skip


@pytest.mark.parametrize(("mistake", "said"), MISTAKES)
def test_a_mistake_says_what_was_expected_and_changes_nothing(
    library: Library, mistake: Callable[[Library], object], said: str
) -> None:
    library.name(person_of(library, "1.jpg#1"), "Ann")
    library.group(SPEC)
    before = list(sql(library).iterdump())
    with pytest.raises((CorrectionError, InputError)) as refused:
        mistake(library)
    assert said in str(refused.value) and "\n" not in str(refused.value)
    assert list(sql(library).iterdump()) == before


def test_faces_are_named_by_id_and_a_single_one_by_its_photo(library: Library) -> None:
    add(library, photo("odd#2", RED))
    add(library, photo("odd", RED, BLUE))
    red = person_of(library, "odd#2#1")
    library.confirm(red, ["odd#2"])  # the photo of that name, not the second face of another
    document = library.group(SPEC).to_json()
    (face,) = [f for p in document["people"] for f in p["faces"] if f["face"] == "1.jpg#2"]
    library.not_a_face([face["face_id"]])
    assert all("1.jpg#2" not in group for group in groups(library))
    assert faces(library, red)["odd#2#1"] is True


def test_a_library_is_found_by_itself_or_by_its_photos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from facespace.library import default_library_dir

    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (tmp_path / "photos").mkdir()
    with pytest.raises(LibraryError, match="expected a library"):
        find_library(tmp_path / "photos")
    where = default_library_dir(tmp_path / "photos")
    Library(where).close()
    assert find_library(tmp_path / "photos") == where == find_library(where)
