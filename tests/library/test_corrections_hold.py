"""Whatever is said, in whatever order, with runs, new photos, undo and redo in between: it holds."""

import copy
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facespace.cluster import Constraints, agglomerative, collection_threshold
from facespace.errors import CorrectionError
from facespace.library import Entry, Library, grouping
from facespace.library.faces import name_face
from fakes import SPEC
from inside import inside, sql
from known_photos import add, groups, photo

TABLES = ("people", "assignments", "rejections", "told_apart", "ignored")
SAYING = ("name", "merge", "split", "apart", "confirm", "confirm_all", "reject", "not_a_face", "hide")
ACTS = st.tuples(
    st.sampled_from([*SAYING, *SAYING, "undo", "redo", "group", "grow"]),
    st.integers(0, 99),
    st.integers(0, 99),
)


@dataclass
class Said:
    """What was said by itself, kept in the plainest way."""

    meant: dict[int, int] = field(default_factory=dict)
    not_person: set[tuple[int, int]] = field(default_factory=set)
    apart: set[frozenset[int]] = field(default_factory=set)
    no_face: set[int] = field(default_factory=set)
    names: dict[int, str] = field(default_factory=dict)

    def joined(self, person: int, other: int) -> None:
        def now(number: int) -> int:
            return person if number == other else number

        self.meant = {face: now(p) for face, p in self.meant.items()}
        self.not_person = {(face, now(p)) for face, p in self.not_person}
        self.apart = {frozenset(map(now, pair)) for pair in self.apart}
        if other in self.names:
            self.names.setdefault(person, self.names.pop(other))


class Play:
    """A library and what was said of it, played side by side."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.said, self.done, self.undone = Said(), [Said()], []  # type: ignore[var-annotated]
        for k in range(4):
            add(library, photo(f"{k}.jpg", k % 3, 2 + k % 2))
        groups(library)

    def faces(self) -> list[int]:
        return [r[0] for r in sql(self.library).execute("SELECT face_id FROM faces ORDER BY face_id")]

    def people(self) -> list[int]:
        rows = sql(self.library).execute("SELECT DISTINCT person_id FROM assignments ORDER BY person_id")
        return [r[0] for r in rows]

    def act(self, kind: str, a: int, b: int) -> None:
        before = state(self.library)
        try:
            self._act(kind, a, b)
        except CorrectionError:
            assert state(self.library) == before

    def _act(self, kind: str, a: int, b: int) -> None:
        library, faces, people = self.library, self.faces(), self.people()
        if kind == "group":
            confirmed = words(library)
            groups(library)
            assert words(library) == confirmed
        elif kind == "grow":
            add(library, photo(f"new{a}-{b}.jpg", a % 4, b % 4))
        elif kind == "undo":
            library.undo()
            self.undone.append(self.done.pop())
            self.said = self.done[-1]
        elif kind == "redo":
            library.redo()
            self.done.append(self.undone.pop())
            self.said = self.done[-1]
        elif people:
            new = copy.deepcopy(self.said)
            entry = say(library, new, kind, people[a % len(people)], people[b % len(people)], faces, b)
            if entry is not None:
                self.said, self.undone = new, []
                self.done.append(new)


def say(
    library: Library, said: Said, kind: str, person: int, other: int, faces: list[int], k: int
) -> Entry | None:
    face = faces[k % len(faces)]
    if kind == "name":
        entry = library.name(person, f"name {k % 5}")
        said.names[person] = f"name {k % 5}"
    elif kind == "merge":
        entry = library.merge(person, other)
        said.joined(person, other)
    elif kind == "split":
        entry = library.split(person, [face])
        (new,) = sql(library).execute("SELECT max(person_id) FROM people").fetchone()
        said.not_person.add((face, person))
        said.apart.add(frozenset({person, new}))
    elif kind == "apart":
        entry = library.apart(person, other)
        said.apart.add(frozenset({person, other}))
    elif kind == "confirm":
        entry = library.confirm(person, [face])
        said.meant[face] = person
    elif kind == "reject":
        entry = library.reject(person, [face])
        said.not_person.add((face, person))
    elif kind == "not_a_face":
        entry = library.not_a_face([face])
        said.no_face.add(face)
    else:
        entry = library.confirm(person) if kind == "confirm_all" else library.hide(person)
    return entry


def state(library: Library) -> dict[str, list[object]]:
    return {t: sql(library).execute(f"SELECT * FROM {t} ORDER BY 1, 2").fetchall() for t in TABLES}


def words(library: Library) -> dict[str, list[object]]:
    """The state without what was only suggested."""
    where = {"assignments": " WHERE state = 'confirmed'", "people": " WHERE settled"}
    return {
        t: sql(library).execute(f"SELECT * FROM {t}{where.get(t, '')} ORDER BY 1, 2").fetchall()
        for t in TABLES
    }


def check(library: Library, said: Said) -> None:
    """All that was said holds, whether or not the library was grouped since."""
    catalogue = sql(library)
    person = dict(catalogue.execute("SELECT face_id, person_id FROM assignments"))
    for face, who in said.meant.items():
        assert person[face] == who
    for face, who in said.not_person:
        assert person.get(face) != who
    settled = {r[0] for r in catalogue.execute("SELECT person_id FROM people WHERE settled")}
    assert all(len(pair) == 2 and pair <= settled for pair in said.apart)
    assert not said.no_face & set(person)
    names = dict(catalogue.execute("SELECT person_id, name FROM people WHERE name IS NOT NULL"))
    assert names == said.names
    assert catalogue.execute("PRAGMA foreign_key_check").fetchall() == []


def grouped_anew(library: Library) -> set[frozenset[str]]:
    """The oracle: as if nothing had ever been said."""
    faces = inside(library).faces_of_model(SPEC.sha256, SPEC.dim)
    threshold = collection_threshold(SPEC.distances, len(faces.face_id)).distance
    labels = agglomerative(
        faces.embeddings, threshold=threshold, constraints=Constraints(photo=faces.photo_id)
    ).labels
    return {
        frozenset(name_face(inside(library), int(i)) for i in faces.face_id[labels == label])
        for label in set(labels.tolist())
    }


@pytest.mark.parametrize("anew_up_to", [10_000, 0], ids=["worked out anew", "grown"])
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=st.lists(ACTS, max_size=14))
def test_corrections_hold_and_undo_leads_back(
    anew_up_to: int, monkeypatch: pytest.MonkeyPatch, acts: list[tuple[str, int, int]]
) -> None:
    monkeypatch.setattr(grouping, "ALL_UP_TO", anew_up_to)
    with tempfile.TemporaryDirectory() as folder, Library(Path(folder)) as library:
        play = Play(library)
        for act in acts:
            play.act(*act)
            check(library, play.said)
        groups(library)
        check(library, play.said)
        while len(play.done) > 1:
            play.act("undo", 0, 0)
            check(library, play.said)
        assert not any(words(library).values())
        if anew_up_to:
            assert groups(library) == grouped_anew(library)


def test_undoing_everything_without_a_run_in_between_restores_every_row(tmp_path: Path) -> None:
    with Library(tmp_path) as library:
        play = Play(library)
        first, n = state(library), len(play.people())
        for k in range(40):
            play.act(SAYING[k % len(SAYING)], 7 * k, 5 * k + k // 9)
        assert n >= 3 and len(play.done) > 10
        last = state(library)
        undone = 0
        while len(play.done) > 1:
            play.act("undo", 0, 0)
            undone += 1
        assert state(library) == first
        for _ in range(undone):
            play.act("redo", 0, 0)
        assert state(library) == last


def test_an_earlier_entry_is_taken_back_unless_a_later_one_rests_on_it(tmp_path: Path) -> None:
    with Library(tmp_path) as library:
        a, b, c = Play(library).people()[:3]
        library.name(a, "Ann")
        library.name(b, "Bob")
        library.name(c, "Cy")
        library.apart(b, c)
        library.hide(a)
        library.undo(4)
        library.merge(b, c)
        with pytest.raises(CorrectionError, match=r"entry 2 \(name person .* cannot be taken back: entry 7"):
            library.undo(2)
        library.undo(5)
        library.undo(1)
        assert [(e.entry_id, e.action, e.undoes) for e in library.history() if e.in_force] == [
            (9, "undo", 1), (8, "undo", 5), (7, "merge", None), (6, "undo", 4), (3, "name", None), (2, "name", None),
        ]  # fmt: skip
        assert library.history()[0].what == f"undo 1: name person {a} Ann"
        library.redo()
        assert library.history()[0].what == f"redo 1: name person {a} Ann"
        library.reject("Bob", ["3.jpg#1"])
        with pytest.raises(CorrectionError, match="nothing to redo"):
            library.redo()


def test_taking_back_may_not_bring_in_a_contradiction(tmp_path: Path) -> None:
    with Library(tmp_path) as library:
        a = Play(library).people()[0]
        library.name(a, "Ann")
        (face, *_) = faces_of_person(library, a)
        library.reject(a, [face])
        library.not_a_face([face])
        with pytest.raises(CorrectionError, match=r"it would contradict entry 3 \(.*: not a face\)"):
            library.undo(2)
        with pytest.raises(CorrectionError, match="rests on it"):
            library.undo(1)


def faces_of_person(library: Library, person: int) -> list[int]:
    rows = sql(library).execute("SELECT face_id FROM assignments WHERE person_id = ?", (person,))
    return [row[0] for row in rows]
