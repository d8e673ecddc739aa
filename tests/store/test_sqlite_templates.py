import dataclasses
from collections import Counter
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
from facespace.store import Hits
from stored import DIM, STRANGE, V1, V2, faces

PROBE = unit_rows(np.random.default_rng(9), 1, DIM)


def enrol(gallery: Gallery, n: int, spec: ModelSpec = V1, *, start: int = 1, seed: int = 0) -> None:
    gallery.enrol(faces(n, spec, start=start, seed=seed), ["Ann"] * n, spec)


def test_an_empty_store_holds_and_finds_nothing(tmp_path: Path) -> None:
    with Gallery(tmp_path / "g") as gallery:
        store = gallery.templates
        assert (store.count(), store.models(), list(store.batches())) == ({}, (), [])
        hits = store.search(PROBE, V1, k=3, far=1e-2)
        assert hits.face_id.shape == hits.same.shape == (1, 0)
        assert store.search(np.zeros((0, DIM), np.float32), V1, k=3, far=1e-2).face_id.shape == (0, 0)


def test_a_face_found_again_is_at_distance_zero(tmp_path: Path) -> None:
    with Gallery(tmp_path / "g") as gallery:
        enrol(gallery, 20)
        hits = gallery.search(faces(20).embedding, V1, k=1, far=1e-3)
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


@settings(deadline=None, max_examples=25)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["v1", "v2", "remove", "faces", "undo", "look"]),
            st.integers(0, 9),
            st.integers(1, 6),
        ),
        max_size=12,
    ),
    st.integers(1, 30),
)
def test_searches_of_a_changing_store_are_those_of_brute_force(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[str, int, int]], k: int
) -> None:
    kept: dict[tuple[int, str], np.ndarray] = {}
    path = tmp_path_factory.mktemp("gallery") / "g"
    # One writes, both search: their own changes and those of others are seen.
    with Gallery(path) as one, Gallery(path) as other:
        one.templates.add_model(V1)
        one.templates.add_model(V2)
        for step, (what, start, n) in enumerate([*changes, ("look", 0, 1)]):
            table = faces(n, V2 if what == "v2" else V1, start=start, seed=step)
            ids = table.face_id
            if what in ("v1", "v2"):
                enrol(one, n, V2 if what == "v2" else V1, start=start, seed=step)
                kept |= {(int(i), table.model): row for i, row in zip(ids, table.embedding, strict=True)}
            elif what == "remove":
                one.templates.remove(ids, model=V1.sha256)
                kept = {key: v for key, v in kept.items() if key[0] not in ids or key[1] == V2.sha256}
            elif what == "faces":
                one.remove_faces(ids)
                kept = {key: v for key, v in kept.items() if key[0] not in ids}
            elif what == "undo":
                with pytest.raises(RuntimeError):
                    enrol_and_take_back(one, n, start, step)
            else:
                for gallery in (one, other):
                    for spec in (V1, V2):
                        check(
                            gallery.search(PROBE, spec, k=k, far=1e-2),
                            plain_search(kept, PROBE[0], spec, 1e-2),
                            k,
                        )
        assert one.templates.count() == Counter(model for _, model in kept)


def enrol_and_take_back(gallery: Gallery, n: int, start: int, seed: int) -> None:
    with gallery.database.transaction():
        enrol(gallery, n, start=start, seed=seed)
        gallery.search(PROBE, V2, k=1, far=1e-2)  # sees what is then taken back
        raise RuntimeError


def check(hits: Hits, plain: list[tuple[float, int, str, float, float]], k: int) -> None:
    plain = plain[:k]
    assert hits.face_id[0].tolist() == [row[1] for row in plain]
    assert [hits.models[i] for i in hits.model_idx[0]] == [row[2] for row in plain]
    assert hits.log_far[0] == pytest.approx([row[0] for row in plain], abs=1e-4)
    assert hits.distance[0] == pytest.approx([row[3] for row in plain], abs=1e-5)
    assert hits.threshold[0].tolist() == [row[4] for row in plain]
    assert hits.same[0].tolist() == (hits.distance[0] <= hits.threshold[0]).tolist()


def test_mixed_hits_stand_in_order_of_the_rate_and_not_of_the_distance(tmp_path: Path) -> None:
    near, nearer = np.zeros((2, 1, DIM), np.float32)
    probe = np.eye(1, DIM, dtype=np.float32)
    near[0, :2] = 0.6, 0.8  # 0.8 of its own model: below that of FAR 1e-3
    nearer[0, :2] = 0.62, np.sqrt(1 - 0.62**2)  # 0.76 in mixed comparison: above that of FAR 1e-3
    with Gallery(tmp_path / "g") as gallery:
        gallery.enrol(dataclasses.replace(faces(1, V2, start=1), embedding=near), ["Ann"], V2)
        gallery.enrol(dataclasses.replace(faces(1, V1, start=2), embedding=nearer), ["Bob"], V1)
        hits = gallery.search(probe, V2, k=2, far=1e-3)
    assert hits.face_id.tolist() == [[1, 2]] and hits.same.tolist() == [[True, False]]
    assert hits.distance[0, 0] > hits.distance[0, 1]


def test_incompatible_models_never_meet(tmp_path: Path) -> None:
    with Gallery(tmp_path / "g") as gallery:
        enrol(gallery, 3, STRANGE)
        with pytest.raises(IncompatibleModelsError, match="strange 1"):
            gallery.search(PROBE, V1, k=1, far=1e-2)
        enrol(gallery, 2, V1, start=11)
        assert sorted(gallery.search(PROBE, V1, k=9, far=1e-2).face_id[0].tolist()) == [11, 12]


def test_the_first_byte_scale_stays_and_thresholds_follow(tmp_path: Path) -> None:
    with Gallery(tmp_path / "g") as gallery:
        gallery.templates.add_model(V1)
        later = dataclasses.replace(V1, byte_scale=50.0, distances={"1e-2": 0.1})
        stored = gallery.templates.add_model(later)
        assert (stored.byte_scale, stored.distances) == (120.0, {"1e-2": 0.1})
        enrol(gallery, 4, later)
        (batch,) = gallery.templates.batches()
        assert gallery.templates.models() == (stored,)
    assert np.array_equal(batch.vectors, quantise(faces(4).embedding, 120.0))


def test_batches_meet_every_template_once_while_the_store_is_written(tmp_path: Path) -> None:
    with Gallery(tmp_path / "g") as gallery:
        enrol(gallery, 10)
        enrol(gallery, 3, V2, start=5)
        seen = []
        for batch in gallery.templates.batches(size=3):
            assert batch.vectors.shape == (len(batch), DIM) and len(batch) <= 3
            seen += [(int(i), batch.model) for i in batch.face_id]
            gallery.remove_faces([1, 2])
        expected = [*((i, V1.sha256) for i in range(1, 11)), *((i, V2.sha256) for i in range(5, 8))]
        assert seen == expected
        (one,) = gallery.templates.batches(model=V2.sha256)
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
        (nothing(face_id=np.array([77])), GalleryError),
    ],
    ids=["length", "nan", "dim", "quality", "twice", "no bytes", "no face"],
)
def test_what_cannot_be_kept_is_refused_and_changes_nothing(
    tmp_path: Path, given: dict[str, object], error: type[Exception]
) -> None:
    with Gallery(tmp_path / "g") as gallery:
        enrol(gallery, 1)
        before = [batch.vectors.tolist() for batch in gallery.templates.batches()]
        with pytest.raises(error):
            gallery.templates.add(**given)  # type: ignore[arg-type]
        assert [batch.vectors.tolist() for batch in gallery.templates.batches()] == before


@pytest.mark.parametrize(
    ("spec", "k", "far", "error"),
    [
        (V1, 0, 1e-2, InputError),
        (V1, 1, 1e-4, ModelError),
        (dataclasses.replace(V1, byte_scale=0.0), 1, 1e-2, ModelError),
    ],
)
def test_a_search_that_means_nothing_is_refused(
    tmp_path: Path, spec: ModelSpec, k: int, far: float, error: type[Exception]
) -> None:
    with Gallery(tmp_path / "g") as gallery:
        enrol(gallery, 1)
        with pytest.raises(error):
            gallery.search(PROBE, spec, k=k, far=far)
