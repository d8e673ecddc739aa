"""Prototypes that follow changes are those that are worked out of everything."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facespace.gallery import Gallery, subject_index
from facespace.models import far_curve
from facespace.store import Prototypes
from facespace.store.index_files import map_arrays
from facespace.store.prototypes import PrototypeScan, bytes_of
from facespace.store.scan import faiss_if_there
from facespace.store.sqlite_templates import SqliteTemplates
from stored import DIM, V1, V2, faces, shown_prototypes

ANY = np.zeros((1, DIM), np.int8)
CURVE = far_curve(V1, V1)
NAMES = ["Ann", "Bob", "Cy", "Dora"]
CHANGES = ["v1", "v2", "faces", "subject", "merge", "remove", "look", "file", "open"]


def plain(path: Path, spec: object) -> list[list[object]]:
    """By a gallery that has held nothing, and reads no file."""
    with Gallery(path) as fresh, pytest.MonkeyPatch.context() as patch:
        patch.setattr(subject_index.SubjectIndex, "_read", lambda *_: None)
        return shown_prototypes(fresh.roster._prototypes.of(spec))  # type: ignore[attr-defined]


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
        patch.setattr(subject_index, "LEAST_TEMPLATES", 1)
        patch.setattr(subject_index, "MOST_CHANGED", 0)
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
                    assert shown_prototypes(other.roster.prototypes(ANY, spec)[0]) == expected
                    assert shown_prototypes(gallery.roster.prototypes(ANY, spec)[0]) == expected
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
    monkeypatch.setattr(subject_index, "LEAST_TEMPLATES", 1)
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
    row = map_arrays(file)[1]["rows_0"].copy()
    with Gallery(tmp_path / "g") as gallery:
        assert gallery.remove(subjects=["Ann"]).overwritten
        (renewed,) = tmp_path.glob("g.subjects-*")
        assert renewed != file and row[0].tobytes() not in renewed.read_bytes()
        assert gallery.identify(probes, V1).nearest[0] != "Ann"
        renewed.write_bytes(b"damaged")
    with Gallery(tmp_path / "g") as again:
        assert again.identify(probes, V1).nearest[1:] == expected.nearest[1:]


def test_those_who_hold_a_file_take_the_one_that_follows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject_index, "LEAST_TEMPLATES", 1)
    monkeypatch.setattr(subject_index, "MOST_CHANGED", 0)
    with Gallery(tmp_path / "g") as gallery:
        gallery.load(faces(4), NAMES, V1)
        gallery.refresh_index()
        with Gallery(tmp_path / "g") as other:
            other.roster.prototypes(ANY, V1)
            gallery.load(faces(2, start=11), ["Eve", "Fay"], V1)
            other.roster.prototypes(ANY, V1)  # knows every change
            gallery.refresh_index()  # overwrites the file that the other has mapped
            found = other.roster.prototypes(ANY, V1)[0]
            assert shown_prototypes(found) == plain(tmp_path / "g", V1)


@pytest.mark.skipif(faiss_if_there() is None, reason="the extra index is not installed")
@settings(deadline=None, max_examples=30)
@given(st.integers(65, 600), st.integers(0, 2**16), st.floats(0.0, 0.9), st.booleans())
def test_a_scan_of_bytes_names_the_nearest_prototype_or_none(
    n: int, seed: int, share_gone: float, alike: bool
) -> None:
    rng = np.random.default_rng(seed)
    rows = unit(rng.normal(size=(n, 64)) + (8.0 if alike else 0.0))
    rows[1], gone = rows[0], rng.random(n) < share_gone
    probes = unit(np.concatenate([rows[:2] + 0.01, rng.normal(size=(3, 64))]))
    codes, scale, error = bytes_of(rows)
    scan = PrototypeScan(codes, scale, error, faiss_if_there())
    found = scan.nearest(probes, rows, gone)
    cosine = np.where(gone, -np.inf, probes @ rows.T)
    certain = found >= 0
    met = np.take_along_axis(cosine, np.maximum(found, 0)[:, None], axis=1)[:, 0]
    assert (met[certain] >= cosine.max(1)[certain] - 1e-6).all()
    assert alike or share_gone > 0.5 or certain.any()
    one = Prototypes(CURVE, np.arange(n), rows, np.ones(n, np.int64), gone, scan)
    if len(one):
        plain = Prototypes(CURVE, np.arange(n), rows, np.ones(n, np.int64), gone)
        for a, b in zip(one.nearest(probes), plain.nearest(probes), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
