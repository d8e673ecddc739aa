"""Prototypes that follow changes are those that are worked out of everything."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facespace.gallery import Gallery, sqlite_roster
from facespace.store import Prototypes, subject_index
from facespace.store.sqlite_templates import SqliteTemplates
from stored import DIM, V1, V2, faces

ANY = np.zeros((1, DIM), np.int8)
NAMES = ["Ann", "Bob", "Cy", "Dora"]
CHANGES = ["v1", "v2", "faces", "subject", "merge", "remove", "look", "file", "open"]


def plain(path: Path, spec: object) -> list[list[object]]:
    """By a gallery that has held nothing, and reads no file."""
    with Gallery(path) as fresh, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite_roster.SqliteRoster, "_subjects_file", lambda *_: None)
        return shown(fresh.roster._prototypes.of(spec))  # type: ignore[attr-defined]


def shown(sets: tuple[Prototypes, ...]) -> list[list[object]]:
    return [[one.subject_id.tolist(), one.n_templates.tolist(), one.rows.tolist()] for one in sets]


@settings(deadline=None, max_examples=25)
@given(
    st.lists(
        st.tuples(st.sampled_from(CHANGES), st.integers(1, 12), st.integers(1, 5), st.integers(0, 3)), max_size=12
    ),
    st.booleans(),
)  # fmt: skip
def test_prototypes_follow_every_change(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[str, int, int, int]], few: bool
) -> None:
    path = tmp_path_factory.mktemp("g") / "g"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite_roster, "LEAST_TEMPLATES", 1)
        patch.setattr(sqlite_roster, "MOST_CHANGED", 0)
        patch.setattr(subject_index, "MOST_NEW", 2 if few else 100)
        gallery = Gallery(path)
        gallery.load(faces(2, V1, start=100), ["Ann", "Bob"], V1)
        other = Gallery(path)
        for step, (what, start, n, who) in enumerate([*changes, ("look", 1, 1, 0)]):
            change(gallery, what, start, n, NAMES[who], step)
            if what == "open":
                other.close()
                other = Gallery(path)
            if what in ("look", "open"):
                for spec in (V1, V2):
                    expected = plain(path, spec)
                    assert shown(other.roster.prototypes(ANY, spec)[0]) == expected
                    assert shown(gallery.roster.prototypes(ANY, spec)[0]) == expected
        gallery.close()
        other.close()


def change(gallery: Gallery, what: str, start: int, n: int, name: str, step: int) -> None:
    spec = V2 if what == "v2" else V1
    if what in ("v1", "v2"):
        table = faces(n, spec, start=start, seed=step)
        there = {i: face.subject for i, face in gallery.find_faces(table.face_id).items()}
        gallery.load(table, [there.get(int(i), name) for i in table.face_id], spec)
    elif what == "faces":
        gallery.roster.remove_faces(list(range(start, start + n)))
    elif what == "remove":
        gallery.roster.templates.remove(np.arange(start, start + n), model=V1.sha256)
    elif what == "file":
        gallery.refresh_index()
    elif what in ("subject", "merge") and gallery.has_subject(name):
        if what == "subject":
            gallery.remove(subjects=[name])
        else:
            gallery.rename(name, NAMES[start % 4])


def test_a_file_of_prototypes_is_used_and_leaves_nobody_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_roster, "LEAST_TEMPLATES", 1)
    probes = faces(4).embedding
    with Gallery(tmp_path / "g") as gallery:
        gallery.load(faces(4), NAMES, V1)
        gallery.refresh_index()
        (file,) = tmp_path.glob("g.subjects-*")
        expected = gallery.identify(probes, V1)
    with Gallery(tmp_path / "g") as again, monkeypatch.context() as patch:
        patch.setattr(SqliteTemplates, "index", None)  # no template is read
        found = again.identify(probes, V1)
        assert found.nearest == expected.nearest and np.array_equal(found.distance, expected.distance)
    row = gallery_rows(file)
    with Gallery(tmp_path / "g") as gallery:
        assert gallery.remove(subjects=["Ann"]).overwritten
        (renewed,) = tmp_path.glob("g.subjects-*")
        assert renewed != file and row[0].tobytes() not in renewed.read_bytes()
        assert gallery.identify(probes, V1).nearest[0] != "Ann"
        renewed.write_bytes(b"damaged")
    with Gallery(tmp_path / "g") as again:
        assert again.identify(probes, V1).nearest[1:] == expected.nearest[1:]


def gallery_rows(file: Path) -> np.ndarray:
    with np.load(file) as kept:
        return np.asarray(kept["rows_0"])
