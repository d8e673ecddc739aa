from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embeddings import unit_rows
from facespace.embed import dequantise, quantise
from facespace.errors import IncompatibleModelsError, InputError
from facespace.gallery import Gallery
from facespace.gallery.identification import comparison_far
from facespace.models import ModelSpec, far_curve
from stored import DIM, STRANGE, V1, V2, faces

SPECS = {V1.sha256: V1, V2.sha256: V2}
NAMES = ["Ann", "Bob", "Cy"]


def test_an_empty_gallery_knows_nobody(tmp_path: Path) -> None:
    with Gallery(tmp_path / "g") as gallery:
        found = gallery.identify(faces(2).embedding, V1)
        assert (found.subject, found.n_subjects) == ((None, None), 0) and np.isnan(found.far)
        assert "no templates" in found.meaning()
        gallery.roster.add_subject("Ann")
        assert gallery.identify(faces(2).embedding, V1).subject == (None, None)
        gallery.load(faces(1), ["Ann"], V1)
        assert gallery.identify(np.zeros((0, DIM), np.float32), V1).subject == ()


def by_hand(
    kept: dict[tuple[int, str], np.ndarray], owner: dict[int, str], probe: np.ndarray, spec: ModelSpec
) -> tuple[str, float, int]:
    """The nearest subject, its log FAR, and the comparisons that a search is worth."""
    sums: dict[tuple[str, str], list[np.ndarray]] = {}
    for face in {face for face, _ in kept}:
        model = next(m for m in (spec.sha256, V2.sha256, V1.sha256) if (face, m) in kept)
        row = dequantise(quantise(kept[face, model][None], SPECS[model].byte_scale))[0]
        sums.setdefault((owner[face], model), []).append(row)
    at = dequantise(quantise(probe[None], spec.byte_scale))[0]
    best = []
    for (name, model), rows in sums.items():
        mean = np.mean(rows, 0) / np.linalg.norm(np.mean(rows, 0))
        d = float(np.clip(2 - 2 * at @ mean, 0, 4))
        best.append((float(far_curve(spec, SPECS[model]).log_far(d)), name))
    log_far, name = min(best)
    return name, log_far, sum(min(2, len(rows)) for rows in sums.values())


@settings(max_examples=15)
@given(st.integers(1, 12), st.integers(0, 12), st.integers(0, 99))
def test_identification_in_a_half_upgraded_gallery_is_that_of_brute_force(
    tmp_path_factory: pytest.TempPathFactory, n: int, n_new: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    names = [NAMES[i] for i in rng.integers(0, 3, n)]
    new = min(n, n_new)
    with Gallery(tmp_path_factory.mktemp("g") / "g") as gallery:
        old_table, new_table = faces(n, V1, seed=seed), faces(new, V2, seed=seed + 100)
        gallery.load(old_table, names, V1)
        gallery.load(new_table, names[:new], V2)
        kept = {
            (int(i), t.model): row
            for t in (old_table, new_table)
            for i, row in zip(t.face_id, t.embedding, strict=True)
        }
        owner = dict(zip(range(1, n + 1), names, strict=True))
        probes = unit_rows(rng, 5, DIM)
        for spec in (V1, V2):
            found = gallery.identify(probes, spec, fpir=0.05)
            for i, probe in enumerate(probes):
                name, log_far, n_comparisons = by_hand(kept, owner, probe, spec)
                assert (found.nearest[i], found.n_comparisons) == (name, n_comparisons)
                is_near = 10**log_far <= 1 - 0.95 ** (1 / n_comparisons)
                assert found.subject[i] == (name if is_near else None)


def test_the_rate_of_a_search_is_that_of_its_comparisons_together() -> None:
    for n in (1, 7, 1000):
        assert 1 - (1 - comparison_far(0.01, n)) ** n == pytest.approx(0.01, rel=1e-9)
    for wrong in (0.0, 1.0, -1.0, float("nan")):
        with pytest.raises(InputError, match="fpir"):
            comparison_far(wrong, 1)


def test_what_a_name_is_worth_is_said_only_where_it_is_measured(tmp_path: Path) -> None:
    with Gallery(tmp_path / "g") as gallery:
        gallery.load(faces(4), ["Ann", "Ann", "Ann", "Bob"], V1)
        found = gallery.identify(faces(4).embedding, V1, fpir=0.01)
        # Calibrated at 1e-2 and 1e-3; three comparisons: two of the mean of several templates, one of a single one.
        assert found.n_comparisons == 3 and found.measured and found.far == pytest.approx(0.01 / 3, rel=0.01)
        assert found.chance_range == pytest.approx((1 - 0.999**3, 1 - 0.99**3))
        assert found.chance[3] == found.chance_range[0] and found.subject[3] == "Bob"
        assert found.distance[3] == pytest.approx(0, abs=1e-6)
        assert found.threshold[0] == pytest.approx(far_curve(V1, V1).distance(found.far))
        assert "1 in 100 unknown people would be taken for one of 2 subjects" in found.meaning()
        assert "once in 300" in found.meaning() and "extrapolated" not in found.meaning()
        rare = gallery.identify(faces(1).embedding, V1, fpir=1e-4)
        assert not rare.measured and "extrapolated" in rare.meaning() and rare.threshold[0] < 0.5


def test_a_strange_model_identifies_nobody(tmp_path: Path) -> None:
    with Gallery(tmp_path / "g") as gallery:
        gallery.load(faces(2), ["Ann", "Bob"], V1)
        with pytest.raises(IncompatibleModelsError):
            gallery.identify(faces(1).embedding, STRANGE)
        with pytest.raises(InputError):
            gallery.identify(faces(1).embedding * 2, V1)


def test_search_names_whose_the_nearest_faces_are(tmp_path: Path) -> None:
    with Gallery(tmp_path / "g") as gallery:
        assert gallery.search(faces(1).embedding, V1, far=1e-2) == [[]]
        gallery.load(faces(3), ["Ann", "Bob", "Ann"], V1)
        (first, *rest), _ = gallery.search(faces(3).embedding[:2], V1, k=5, far=1e-2)
    assert (first.face.subject, first.face.photo, first.model, first.same) == (
        "Ann",
        "p1.png",
        V1.sha256,
        True,
    )
    assert len(rest) == 2 and first.distance <= rest[0].distance <= rest[1].distance
