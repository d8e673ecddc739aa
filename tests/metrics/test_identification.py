import numpy as np
import pytest
from sklearn.metrics import top_k_accuracy_score

from facespace.errors import InputError
from facespace.metrics import identification


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def search(rng: np.random.Generator, n_unmated: int = 300) -> tuple[np.ndarray, ...]:
    centres = rng.normal(size=(40, 8))
    enrolled = rng.permutation(np.repeat(np.arange(20) * 3, 3))
    asked = np.concatenate([rng.integers(0, 20, 700) * 3, rng.integers(20, 40, n_unmated) * 3 + 1])
    gallery = unit(centres[enrolled // 3] + 0.7 * rng.normal(size=(60, 8)))
    return unit(centres[asked // 3] + 0.7 * rng.normal(size=(len(asked), 8))), asked, gallery, enrolled


def test_rank_k_is_that_of_scikit_learn_and_of_a_slow_loop(rng: np.random.Generator) -> None:
    probes, asked, gallery, enrolled = search(rng, 0)
    found = identification(probes, asked, gallery, enrolled)
    subjects = np.unique(enrolled)
    nearest = np.array(
        [[min(((p - g) ** 2).sum() for g in gallery[enrolled == s]) for s in subjects] for p in probes]
    )
    for k in (1, 2, 5, 20):
        expected = top_k_accuracy_score(asked, -nearest, k=k, labels=subjects) if k < 20 else 1.0
        assert found.rank_k(k) == pytest.approx(expected) == pytest.approx(found.cmc()[k - 1])


@pytest.mark.parametrize("rank", [1, 3])
def test_open_set_errors_are_those_of_trying_every_threshold(rng: np.random.Generator, rank: int) -> None:
    found = identification(*search(rng))
    for fpir in (0.05, 0.1, 0.5, 1.0):
        point = found.fnir_at_fpir(fpir, rank=rank)
        errors = []
        for t in np.concatenate([found.mate_distance, found.nearest_distance]):
            if (found.nearest_distance <= t).mean() <= fpir:
                errors.append(1 - ((found.mate_distance <= t) & (found.rank <= rank)).mean())
        assert point.fnir == pytest.approx(min(errors))
        assert point.fpir_met == pytest.approx((found.nearest_distance <= point.threshold).mean())
        assert point.fpir_met <= fpir


def test_a_rate_without_support_is_refused_and_ties_do_not_flatter(rng: np.random.Generator) -> None:
    point = identification(*search(rng)).fnir_at_fpir(0.01)
    assert point.fnir is None and "1000 are needed" in point.reason
    row = unit(np.ones((1, 4)))
    assert identification(row, [1], np.tile(row, (2, 1)), [1, 2]).rank.tolist() == [2]


def test_bad_input_is_refused(rng: np.random.Generator) -> None:
    row = unit(np.ones((1, 4)))
    with pytest.raises(InputError, match="gallery that is not empty"):
        identification(row, [1], row[:0], [])
    with pytest.raises(InputError, match="probes: row 0"):
        identification(2 * row, [1], row, [1])
    unmated = identification(row, [1], row, [2])
    for ask in (unmated.rank_k, unmated.cmc):
        with pytest.raises(InputError, match="mated"):
            ask()
    assert unmated.fnir_at_fpir(0.5).reason == "no probe with a mate"
    with pytest.raises(InputError, match="fpir"):
        unmated.fnir_at_fpir(0.0)
