import numpy as np
import pytest

from facespace.errors import InputError
from facespace.evaluate.holdout import HoldoutFaces
from facespace.evaluate.leaks import find_leaks


def people(centres: np.ndarray, names: tuple[str, ...], rng: np.random.Generator) -> HoldoutFaces:
    labels = np.repeat(np.arange(len(centres)), 3)
    rows = centres[labels] + 0.2 * rng.normal(size=(len(labels), centres.shape[1]))
    return HoldoutFaces(
        (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), labels, names
    )


def test_shared_people_are_named_by_name_and_by_face(rng: np.random.Generator) -> None:
    centres = rng.normal(size=(9, 32))
    train = people(centres[:5], ("Zoë_Smith", "B", "C", "D", "E"), rng)
    test = people(centres[[5, 6, 2, 7, 8]], ("zoe smith", "x", "other name", "y", "z"), rng)
    report = find_leaks(train, test, threshold=0.6, far=1e-3)
    assert [(p.train, p.test, p.same_name) for p in report.shared] == [
        ("C", "other name", False),
        ("Zoë_Smith", "zoe smith", True),
    ]
    assert (report.n_by_name, report.n_by_embedding, report.expected_by_chance) == (
        1,
        1,
        pytest.approx(0.025),
    )
    pairs = [2 - 2 * float(a @ b) for a in train.embeddings[6:9] for b in test.embeddings[6:9]]
    assert report.shared[0].distance == pytest.approx(np.mean(pairs), abs=1e-6)


def test_disjoint_sets_share_nobody_and_dimensions_must_agree(rng: np.random.Generator) -> None:
    one = people(rng.normal(size=(4, 32)), tuple("abcd"), rng)
    other = people(rng.normal(size=(4, 32)), tuple("efgh"), rng)
    assert find_leaks(one, other, threshold=0.5).shared == ()
    with pytest.raises(InputError, match="32 and 8 dimensions"):
        find_leaks(one, people(rng.normal(size=(2, 8)), ("i", "j"), rng), threshold=0.5)
