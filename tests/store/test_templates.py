"""Every implementation of the template store, by one suite."""

import copy
import dataclasses
import itertools
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embeddings import unit_rows
from facespace.distances import distance
from facespace.embed import dequantise, quantise
from facespace.errors import GalleryError, IncompatibleModelsError, InputError, ModelError
from facespace.gallery import Gallery
from facespace.models import ModelSpec, common_threshold, far_curve
from facespace.store import Hits, SqliteTemplates, TemplateStore, sqlite_indexes
from facespace.table import FaceTable
from in_milvus import emptied
from store.memory_templates import MemoryTemplates
from stored import DIM, STRANGE, V1, V2, faces

PROBE = unit_rows(np.random.default_rng(9), 1, DIM)


class InGallery:
    """The store of a gallery's file, whose templates are of faces that are there."""

    def __init__(self, path: Path) -> None:
        self.gallery = Gallery(path)
        self.store: TemplateStore = self.gallery.templates

    def another(self) -> "InGallery":
        """The same templates, opened again."""
        return InGallery(self.gallery.place)

    def keep(self, table: FaceTable, spec: ModelSpec) -> None:
        self.gallery.load(table, ["Ann"] * len(table), spec)

    def build(self) -> None:
        """The index of this kind, where it has one."""

    def forget(self, face_id: np.ndarray) -> None:
        self.gallery.roster.remove_faces(face_id)

    @contextmanager
    def taken_back(self) -> Iterator[None]:
        with suppress(RuntimeError), self.gallery.roster.transaction():
            yield
            raise RuntimeError

    def close(self) -> None:
        self.gallery.close()


class InFiles(InGallery):
    """Likewise, with an index in files beside it, whose bytes are compared without faiss."""

    def another(self) -> "InFiles":
        return type(self)(Path(self.gallery.place))

    def build(self) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sqlite_indexes, "faiss_if_there", self.faiss)
            assert self.gallery.refresh_index(again=True)
            with self.store.snapshot():  # read by what is there now
                for spec in self.store.models(in_use=True):
                    assert self.store.index(spec).state.built

    def faiss(self) -> object:
        return None


class Scanned(InFiles):
    """Likewise, compared by faiss."""

    def faiss(self) -> object:
        return pytest.importorskip("faiss")


class InMilvus(InGallery):
    """The store of a gallery in Milvus, which is emptied."""

    def __init__(self, address: str) -> None:
        self.gallery = emptied(address)
        self.store: TemplateStore = self.gallery.templates

    def another(self) -> "InMilvus":
        again = object.__new__(InMilvus)
        again.gallery = Gallery(self.gallery.place)
        again.store = again.gallery.templates
        return again


class InMemory:
    """The store without a file."""

    def __init__(self, path: Path) -> None:
        self.store: TemplateStore = MemoryTemplates()

    def another(self) -> "InMemory":
        return self

    def build(self) -> None:
        pass

    def keep(self, table: FaceTable, spec: ModelSpec) -> None:
        self.store.add(table.face_id, table.embedding, spec, quality=table.quality)

    def forget(self, face_id: np.ndarray) -> None:
        self.store.remove(np.asarray(face_id))

    @contextmanager
    def taken_back(self) -> Iterator[None]:
        before = copy.deepcopy(vars(self.store))
        yield
        vars(self.store).update(before)

    def close(self) -> None:
        pass


Kept = InGallery | InMemory
ALL = [InGallery, InFiles, Scanned, InMemory]
KINDS = pytest.mark.parametrize("kind", ALL)


@pytest.fixture(params=[*ALL, "lite_address", "server_address"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    kind = request.param
    one = InMilvus(request.getfixturevalue(kind)) if isinstance(kind, str) else kind(tmp_path / "g")
    yield one
    one.close()


def enrol(kept: Kept, n: int, spec: ModelSpec = V1, *, start: int = 1, seed: int = 0) -> None:
    kept.keep(faces(n, spec, start=start, seed=seed), spec)
    kept.build()


def test_an_empty_store_holds_and_finds_nothing(kept: Kept) -> None:
    store = kept.store
    assert (store.count(), store.models(), list(store.batches())) == ({}, (), [])
    hits = store.search(PROBE, V1, k=3, far=1e-2)
    assert hits.face_id.shape == hits.same.shape == (1, 0)
    assert store.search(np.zeros((0, DIM), np.float32), V1, k=3, far=1e-2).face_id.shape == (0, 0)


def test_a_face_found_again_is_at_distance_zero(kept: Kept) -> None:
    enrol(kept, 20)
    hits = kept.store.search(faces(20).embedding, V1, k=1, far=1e-3)
    assert hits.face_id[:, 0].tolist() == list(range(1, 21))
    assert hits.distance == pytest.approx(np.zeros((20, 1)), abs=1e-12) and hits.same.all()


def plain_search(
    kept: dict[tuple[int, str], np.ndarray], probe: np.ndarray, spec: ModelSpec, far: float
) -> list[tuple[float, int, str, float, float]]:
    """Every face by the template that counts, with the threshold of its pair: log FAR, face, model, distance, ..."""
    found = []
    specs = {V1.sha256: V1, V2.sha256: V2}
    for face in {face for face, _ in kept}:
        order = [spec.sha256, V2.sha256, V1.sha256]
        model = next(m for m in order if (face, m) in kept)
        vector = dequantise(quantise(kept[face, model][None], specs[model].byte_scale))
        d = float(distance(dequantise(quantise(probe[None], spec.byte_scale)), vector)[0])
        log_far = float(far_curve(spec, specs[model]).log_far(d))
        found.append((log_far, face, model, d, common_threshold(spec, specs[model], far)))
    return sorted(found)


@KINDS
@settings(deadline=None, max_examples=25)
@given(
    changes=st.lists(
        st.tuples(
            st.sampled_from(["v1", "v2", "remove", "faces", "undo", "look", "build"]),
            st.integers(0, 9),
            st.integers(1, 6),
        ),
        max_size=12,
    ),
    k=st.integers(1, 30),
)
def test_searches_of_a_changing_store_are_those_of_brute_force(
    tmp_path_factory: pytest.TempPathFactory, kind: type[Kept], changes: list[tuple[str, int, int]], k: int
) -> None:
    there: dict[tuple[int, str], np.ndarray] = {}
    # One writes, both search: their own changes and those of others are seen.
    with closing(kind(tmp_path_factory.mktemp("store") / "g")) as one, closing(one.another()) as other:
        one.store.add_model(V1)
        one.store.add_model(V2)
        for step, (what, start, n) in enumerate([*changes, ("look", 0, 1)]):
            spec = V2 if what == "v2" else V1
            table = faces(n, spec, start=start, seed=step)
            ids = table.face_id
            if what in ("v1", "v2"):
                one.keep(table, spec)
                there |= {(int(i), table.model): row for i, row in zip(ids, table.embedding, strict=True)}
            elif what == "remove":
                one.store.remove(ids, model=V1.sha256)
                there = {key: v for key, v in there.items() if key[0] not in ids or key[1] == V2.sha256}
            elif what == "faces":
                one.forget(ids)
                there = {key: v for key, v in there.items() if key[0] not in ids}
            elif what == "build":
                one.build()
            elif what == "undo":
                with one.taken_back():
                    one.keep(table, spec)
                    one.store.search(PROBE, V2, k=1, far=1e-2)  # sees what is then taken back
            else:
                for store, spec in itertools.product((one.store, other.store), (V1, V2)):
                    plain = plain_search(there, PROBE[0], spec, 1e-2)
                    check(store.search(PROBE, spec, k=k, far=1e-2), plain, k)
        check_rows_of(one.store, there)


def check_rows_of(store: TemplateStore, there: dict[tuple[int, str], np.ndarray]) -> None:
    """All ways to ask for templates give those that are there."""
    assert store.count() == Counter(model for _, model in there)
    assert store.faces().tolist() == sorted({face for face, _ in there})
    asked = np.array([0, 3, 4, 3])
    for model in (V1.sha256, V2.sha256):
        mine = sorted(face for face, of in there if of == model)
        assert store.faces(model).tolist() == mine
        found = store.of_faces(asked, model=model)
        assert sorted(i for one in found for i in one.face_id.tolist()) == sorted({0, 3, 4} & set(mine))
        whole = list(store.batches(model=model))
        ids = [int(i) for one in whole for i in one.template_id]
        assert ids == sorted(set(ids))
        if isinstance(store, SqliteTemplates):
            assert store.extent(model) == (max(ids, default=0), len(mine))
        assert [int(i) for one in store.batches(model=model, after=3, size=2) for i in one.template_id] == [
            i for i in ids if i > 3
        ]
    newest_first = [one.model for one in store.of_faces(np.arange(20))]
    assert newest_first == [m for m in (V2.sha256, V1.sha256) if m in store.count()]


def check(hits: Hits, plain: list[tuple[float, int, str, float, float]], k: int) -> None:
    plain = plain[:k]
    assert hits.face_id[0].tolist() == [row[1] for row in plain]
    assert [hits.models[i] for i in hits.model_idx[0]] == [row[2] for row in plain]
    assert hits.log_far[0] == pytest.approx([row[0] for row in plain], abs=1e-4)
    assert hits.distance[0] == pytest.approx([row[3] for row in plain], abs=1e-5)
    assert hits.threshold[0].tolist() == [row[4] for row in plain]
    assert hits.same[0].tolist() == (hits.distance[0] <= hits.threshold[0]).tolist()


def test_mixed_hits_stand_in_order_of_the_rate_and_not_of_the_distance(kept: Kept) -> None:
    near, nearer = np.zeros((2, 1, DIM), np.float32)
    probe = np.eye(1, DIM, dtype=np.float32)
    near[0, :2] = 0.6, 0.8  # 0.8 of its own model: below that of FAR 1e-3
    nearer[0, :2] = 0.62, np.sqrt(1 - 0.62**2)  # 0.76 in mixed comparison: above that of FAR 1e-3
    kept.keep(dataclasses.replace(faces(1, V2, start=1), embedding=near), V2)
    kept.keep(dataclasses.replace(faces(1, V1, start=2), embedding=nearer), V1)
    hits = kept.store.search(probe, V2, k=2, far=1e-3)
    assert hits.face_id.tolist() == [[1, 2]] and hits.same.tolist() == [[True, False]]
    assert hits.distance[0, 0] > hits.distance[0, 1]


def test_incompatible_models_never_meet(kept: Kept) -> None:
    enrol(kept, 3, STRANGE)
    with pytest.raises(IncompatibleModelsError, match="strange 1"):
        kept.store.search(PROBE, V1, k=1, far=1e-2)
    enrol(kept, 2, V1, start=11)
    assert sorted(kept.store.search(PROBE, V1, k=9, far=1e-2).face_id[0].tolist()) == [11, 12]


def test_the_first_byte_scale_stays_and_thresholds_follow(kept: Kept) -> None:
    kept.store.add_model(V1)
    later = dataclasses.replace(V1, byte_scale=50.0, distances={"1e-2": 0.1})
    stored = kept.store.add_model(later)
    assert (stored.byte_scale, stored.distances) == (120.0, {"1e-2": 0.1})
    enrol(kept, 4, later)
    (batch,) = kept.store.batches()
    assert kept.store.models() == (stored,)
    assert np.array_equal(batch.vectors, quantise(faces(4).embedding, 120.0))


def test_batches_meet_every_template_once_while_the_store_is_written(kept: Kept) -> None:
    enrol(kept, 10)
    enrol(kept, 3, V2, start=5)
    seen = []
    for batch in kept.store.batches(size=3):
        assert batch.vectors.shape == (len(batch), DIM) and len(batch) <= 3
        seen += [(int(i), batch.model) for i in batch.face_id]
        kept.forget(np.array([1, 2]))
    expected = [*((i, V1.sha256) for i in range(1, 11)), *((i, V2.sha256) for i in range(5, 8))]
    assert seen == expected
    (one,) = kept.store.batches(model=V2.sha256)
    assert one.quality == pytest.approx(faces(3).quality)


def nothing(**change: object) -> dict[str, object]:
    given = {"face_id": np.array([1]), "embeddings": PROBE, "spec": V1, "quality": np.array([0.5])}
    return given | change


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (nothing(embeddings=PROBE * 2), InputError),
        (nothing(embeddings=PROBE * np.nan), InputError),
        (nothing(embeddings=unit_rows(np.random.default_rng(0), 1, DIM + 1)), InputError),
        (nothing(quality=np.zeros(2)), InputError),
        (
            nothing(face_id=np.array([1, 1]), embeddings=np.repeat(PROBE, 2, 0), quality=np.zeros(2)),
            InputError,
        ),
        (nothing(spec=dataclasses.replace(V1, byte_scale=0.0)), ModelError),
    ],
    ids=["length", "nan", "dim", "quality", "twice", "no bytes"],
)
def test_what_cannot_be_kept_is_refused_and_changes_nothing(
    kept: Kept, given: dict[str, object], error: type[Exception]
) -> None:
    enrol(kept, 1)
    before = [batch.vectors.tolist() for batch in kept.store.batches()]
    with pytest.raises(error):
        kept.store.add(**given)  # type: ignore[arg-type]
    assert [batch.vectors.tolist() for batch in kept.store.batches()] == before


def test_a_file_keeps_templates_of_its_faces_only(tmp_path: Path) -> None:
    with Gallery(tmp_path / "g") as gallery, pytest.raises(GalleryError, match="cannot write"):
        gallery.templates.add(**nothing())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spec", "k", "far", "error"),
    [
        (V1, 0, 1e-2, InputError),
        (V1, 1, 1e-4, ModelError),
        (dataclasses.replace(V1, byte_scale=0.0), 1, 1e-2, ModelError),
    ],
)
def test_a_search_that_means_nothing_is_refused(
    kept: Kept, spec: ModelSpec, k: int, far: float, error: type[Exception]
) -> None:
    enrol(kept, 1)
    with pytest.raises(error):
        kept.store.search(PROBE, spec, k=k, far=far)
