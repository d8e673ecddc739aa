"""Files of indexes beside a gallery: what they find, and what is in them after every change."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from embeddings import unit_rows
from facespace.embed import quantise
from facespace.errors import InputError
from facespace.gallery import Gallery
from facespace.models import ModelSpec
from facespace.store import IndexSettings, cells, scan, sqlite_indexes
from facespace.store.candidates import share_interval
from facespace.store.cells import Cells
from facespace.store.index_files import IndexFiles
from facespace.store.nearest import ByteRows
from facespace.store.scan import ByteScan
from stored import DIM, V1, faces

PROBES = unit_rows(np.random.default_rng(9), 6, DIM)


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    pytest.importorskip("faiss")
    return Gallery(tmp_path / "g")


def enrol(gallery: Gallery, n: int, *, start: int = 1, spec: ModelSpec = V1) -> None:
    gallery.load(faces(n, spec, start=start, seed=start), [f"Nr {(start + i) % 50}" for i in range(n)], spec)


def found(gallery: Gallery, k: int = 5) -> list[list[tuple[int, float]]]:
    hits = gallery.templates.search(PROBES, V1, k=k)
    return [
        list(zip(*row, strict=True))
        for row in zip(hits.face_id.tolist(), hits.distance.tolist(), strict=True)
    ]


def as_compared(gallery: Gallery, k: int = 5) -> list[list[tuple[int, float]]]:
    """The same by one matrix of everything that the file holds."""
    with Gallery(Path(gallery.place)) as other:
        parts = list(other.templates.batches(model=V1.sha256))
        rows = ByteRows.joined([ByteRows.of(one.template_id, one.face_id, one.vectors) for one in parts])
    place, distance = rows.nearest(quantise(PROBES, V1.byte_scale), k)
    ids = rows.face_id[place].tolist()
    return [list(zip(*row, strict=True)) for row in zip(ids, distance.tolist(), strict=True)]


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 2**32 - 1), st.integers(1, 300), st.integers(1, 12), st.sampled_from(["unit", "any", "few"]),
    st.integers(0, 3), st.booleans(),
)  # fmt: skip
def test_a_scan_is_certain_of_nothing_that_is_wrong(
    seed: int, n: int, k: int, kind: str, more: int, masked: bool
) -> None:
    faiss = pytest.importorskip("faiss")
    rng = np.random.default_rng(seed)
    vectors = rng.integers(-127, 128, (n, DIM)).astype(np.int8)
    if kind == "unit":
        vectors = quantise(unit_rows(rng, n, DIM), 120.0)
    elif kind == "few":
        vectors = rng.integers(-1, 2, (n, DIM)).astype(np.int8)
    ids = rng.permutation(10_000)[:n].astype(np.int64)
    rows, probes = ByteRows.of(np.arange(n), ids, vectors), vectors[:3]
    among = rng.random(n) < 0.6 if masked else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "MORE", more)
        got = ByteScan(rows, faiss).rows(probes, k, among)
    exact, _ = rows.nearest(probes, k, among=among)
    for i in range(len(probes)) if got is not None else ():
        certain = got[i][got[i] >= 0]
        assert len(set(certain.tolist())) == len(certain)
        assert not len(certain) or set(exact[i].tolist()) <= set(certain.tolist())
    assert kind != "unit" or more < 3 or masked or got is None or n < 100 or (got >= 0).any()


def test_rows_much_shorter_than_the_others_do_not_spoil_the_bound() -> None:
    faiss = pytest.importorskip("faiss")
    vectors = quantise(unit_rows(np.random.default_rng(0), 5000, 128), 300.0)
    vectors[17] = 0
    vectors[4000] //= 20
    rows = ByteRows.of(np.arange(5000), np.arange(5000), vectors)
    got = ByteScan(rows, faiss).rows(vectors[:4], 3, None)
    assert got is not None and (got >= 0).any(axis=1).all()
    probe = vectors[4000:4001].astype(np.int8)
    assert 4000 in ByteScan(rows, faiss).rows(probe, 3, None)[0]


def test_an_index_in_files_follows_every_change(gallery: Gallery) -> None:
    with gallery:
        enrol(gallery, 300)
        assert gallery.refresh_index(again=True)
        (state,) = gallery.index_states().values()
        assert (state.kind, state.n, state.n_tail, state.is_exact) == ("exact", 300, 0, True) and state.built
        with Gallery(Path(gallery.place)) as other:  # opened before the changes
            assert found(other) == as_compared(gallery)
            enrol(gallery, 40, start=1001)
            gallery.roster.remove_faces([3, 7, 1005])
            enrol(gallery, 2, start=10)  # in place of what was there
            assert found(gallery) == found(other) == as_compared(gallery)
            (state,) = other.index_states().values()
            assert (state.n, state.n_tail) == (337, 41)
            assert gallery.refresh_index(again=True)
            assert found(other) == as_compared(gallery)  # of the files that are new
            assert [state.n_tail for state in other.index_states().values()] == [0]
        assert gallery.check() == ()
        assert len(IndexFiles(Path(gallery.place)).names("index", "cells")) == 1


def test_what_is_removed_leaves_the_files_of_the_index(gallery: Gallery) -> None:
    with gallery, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite_indexes, "LEAST_TEMPLATES", 10)
        enrol(gallery, 600)
        gallery.roster.set_index(IndexSettings(exact_up_to=500))
        assert gallery.refresh_index()
        (batch,) = gallery.templates.of_faces(np.array([5]))
        before = b"".join(
            path.read_bytes() for path in IndexFiles(Path(gallery.place)).names("index", "cells")
        )
        coded = (batch.vectors.view(np.uint8) ^ 128).tobytes()
        assert coded in before and (5).to_bytes(8, "little") in before
        assert gallery.remove(face_id=[5]).overwritten
        files = IndexFiles(Path(gallery.place)).names("index", "cells")
        assert len(files) == 2 and coded not in b"".join(path.read_bytes() for path in files)
        with Gallery(Path(gallery.place)) as other:
            state = next(iter(other.index_states().values()))
            assert state.kind == "ivf" and state.n == 599
            assert 5 not in {face for row in found(other, k=599) for face, _ in row}
            assert other.check() == ()


def test_files_of_another_history_are_never_read(gallery: Gallery, tmp_path: Path) -> None:
    with gallery:
        enrol(gallery, 200)
        gallery.refresh_index(again=True)
        gallery.backup(tmp_path / "backup")
        gallery.remove(face_id=[1, 2])
        enrol(gallery, 20, start=500)
        gallery.refresh_index(again=True)
        (newer,) = IndexFiles(Path(gallery.place)).names("index", "cells")
    shutil.copy(tmp_path / "backup", Path(gallery.place))  # the index beside it is of a later day
    with Gallery(Path(gallery.place)) as restored:
        assert restored.templates.count() == {V1.sha256: 200}
        enrol(restored, 20, start=700)
        assert found(restored) == as_compared(restored)
        assert restored.refresh_index(again=True)
        assert newer not in IndexFiles(Path(gallery.place)).names("index", "cells")
        assert found(restored) == as_compared(restored)


@pytest.mark.parametrize("damage", ["cut short", "another file", "gone"])
def test_a_damaged_file_is_left_alone_and_made_again(gallery: Gallery, damage: str) -> None:
    with gallery:
        enrol(gallery, 200)
        gallery.refresh_index(again=True)
    (path,) = IndexFiles(Path(gallery.place)).names("index", "cells")
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:5000] if damage == "cut short" else b"x" * 9000)
    with Gallery(Path(gallery.place)) as again:
        assert found(again) == as_compared(again)
        assert again.refresh_index(again=True) and again.check() == ()
        assert [state.built is not None for state in again.index_states().values()] == [True]


def test_a_check_tells_of_an_index_that_holds_other_bytes(gallery: Gallery) -> None:
    with gallery:
        enrol(gallery, 200)
        gallery.refresh_index(again=True)
    (path,) = IndexFiles(Path(gallery.place)).names("index", "cells")
    content = bytearray(path.read_bytes())
    content[-1000 * DIM // 1000 - 3000] ^= 255
    codes = content.rindex(bytes(quantise(faces(200, seed=1).embedding, 120.0)[-1].view(np.uint8) ^ 128))
    content[codes] ^= 1
    path.write_bytes(content)
    with Gallery(Path(gallery.place)) as again:
        (line,) = again.check()
        assert "its index holds otherwise" in line and "gallery index" in line
        again.refresh_index(again=True)
        assert again.check() == ()


def test_only_one_builds_at_a_time_and_others_search_on(gallery: Gallery) -> None:
    with gallery, Gallery(Path(gallery.place)) as other:
        enrol(gallery, 100)
        with IndexFiles(Path(gallery.place)).building() as is_free:
            assert is_free
            assert not other.refresh_index(again=True)
            assert found(other) == as_compared(gallery)
        assert other.refresh_index(again=True)


def drawn_people(
    seed: int, n_people: int, *, faces_each: int, spread: float
) -> tuple[ByteRows, NDArray[np.int8]]:
    """Faces that lie around each person's place, as rows and as byte vectors."""
    rng = np.random.default_rng(seed)
    people = np.repeat(unit_rows(rng, n_people, 64), faces_each, axis=0)
    rows = people + spread * rng.standard_normal(people.shape).astype(np.float32)
    vectors = quantise(rows / np.linalg.norm(rows, axis=1, keepdims=True), 250.0)
    return ByteRows.of(np.arange(len(rows)), np.arange(len(rows)), vectors), vectors


def test_cells_find_the_hits_that_they_promise(gallery: Gallery) -> None:
    held, vectors = drawn_people(3, 600, faces_each=5, spread=0.06)
    found = Cells.build(held, distance=0.9, far=1e-5, least_recall=0.9)
    assert found.recall is not None and found.recall.share >= 0.85 and found.recall.probes == "stored"
    assert found.recall.n_hits > 500
    among = np.arange(3000) % 2 == 0
    some = found.rows(vectors[:20], 3, among)
    assert all(among[i] for i in some[some >= 0])
    path = Path(gallery.place).with_name("cells")
    found.write(path)
    again = Cells.read(path, held)
    assert again is not None and again.recall == found.recall
    assert np.array_equal(again.rows(vectors[:9], 3, None), found.rows(vectors[:9], 3, None))
    assert not np.isin(again.without(np.array([4, 5])).rows(vectors[4:6], 3, None), [4, 5]).any()
    path.write_bytes(path.read_bytes()[:2000])
    assert Cells.read(path, held) is None and Cells.read(path.with_name("none"), held) is None


def test_probes_are_drawn_where_nobody_has_several_faces(gallery: Gallery) -> None:
    vectors = quantise(unit_rows(np.random.default_rng(3), 2000, 64), 250.0)
    held = ByteRows.of(np.arange(2000), np.arange(2000), vectors)
    recall = Cells.build(held, distance=0.9, far=1e-5, least_recall=0.9).recall
    assert recall.probes == "drawn" and recall.n_hits > 100


def test_an_index_of_cells_answers_with_the_distances_of_the_bytes_and_says_so(gallery: Gallery) -> None:
    with gallery:
        enrol(gallery, 900)
        gallery.roster.set_index(IndexSettings(exact_up_to=800, least_recall=0.9))
        assert gallery.refresh_index()
        exact = dict(pair for row in as_compared(gallery, k=900) for pair in row)
        (state,) = gallery.index_states().values()
        assert state.kind == "ivf" and not state.is_exact and state.recall and "hits within" in state.line()
        everything = as_compared(gallery, k=900)
        for row, plain in zip(found(gallery, k=4), everything, strict=True):
            assert len(row) == 4 and all(pair in plain for pair in row)
        with Gallery(gallery.place) as other, other.templates.snapshot():
            finders = [one.templates.index(V1).finder for one in (gallery, other)]  # type: ignore[attr-defined]
            assert finders[0] is finders[1]
        # Asked for more than any cell holds, it compares all.
        assert found(gallery, k=900) == everything and exact
        enrol(gallery, 30, start=5000)
        gallery.remove(face_id=[everything[0][0][0]])
        assert found(gallery, k=929) == as_compared(gallery, k=929)
        gallery.roster.set_index(IndexSettings(exact_up_to=10_000))
        assert gallery.refresh_index() and found(gallery) == as_compared(gallery)
        assert all(state.is_exact for state in gallery.index_states().values())
    assert cells.NEAREST == 5


@pytest.mark.parametrize("wrong", [{"exact_up_to": 0}, {"least_recall": 1.0}])
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError):
        IndexSettings(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(("share", "n"), [(1.0, 300), (0.985, 2000), (0.5, 10), (0.0, 40)])
def test_the_interval_of_a_recall_holds_the_shares_that_may_have_given_it(share: float, n: int) -> None:
    low, high = share_interval(share, n, 2.0)
    assert low - 1e-9 <= share <= high + 1e-9
    # At its ends, the share that was met lies two standard errors away.
    for end in (low, high):
        if 1e-9 < end < 1.0 - 1e-9:
            assert abs(end - share) == pytest.approx(2.0 * (end * (1 - end) / n) ** 0.5)
    assert share_interval(1.0, 0, 2.0) == (0.0, 1.0)


def test_cells_are_chosen_with_a_margin_that_other_probes_confirm(gallery: Gallery) -> None:
    held, vectors = drawn_people(5, 1500, faces_each=4, spread=0.1)
    found = Cells.build(held, distance=1.1, far=1e-5, least_recall=0.9)
    exact, distance = held.nearest(vectors, cells.NEAREST + 1)
    named = found.rows(vectors, cells.NEAREST + 1, None)
    hits = (distance <= 1.1) & (exact != np.arange(6000)[:, None])
    met = (named[:, :, None] == exact[:, None, :]).any(axis=1)[hits].mean()
    low, high = found.recall.interval
    assert 0.9 <= met < 1.0 and low <= met <= high and found.recall.n_hits > 1500
