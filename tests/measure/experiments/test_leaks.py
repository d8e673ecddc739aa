import numpy as np
import pytest

from facespace.errors import InputError
from facespace.measure.experiments.leaks import find_leaks
from facespace.measure.faces import EmbeddedFaces


def people(centres: np.ndarray, names: tuple[str, ...], rng: np.random.Generator) -> EmbeddedFaces:
    labels = np.repeat(np.arange(len(centres)), 3)
    rows = centres[labels] + 0.2 * rng.normal(size=(len(labels), centres.shape[1]))
    return EmbeddedFaces(
        (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), labels, names
    )


def test_shared_people_are_named_by_name_and_by_face(rng: np.random.Generator) -> None:
    centres = rng.normal(size=(9, 32))
    train = people(centres[:5], ("Zoë_Smith", "B", "C", "D", "E"), rng)
    test = people(centres[[5, 6, 2, 7, 8]], ("zoe smith", "x", "other name", "y", "z"), rng)
    report = find_leaks(train, test, threshold=0.3)
    assert [(p.train, p.test, p.same_name) for p in report.shared] == [
        ("C", "other name", False),
        ("Zoë_Smith", "zoe smith", True),
    ]
    assert (report.n_by_name, report.n_by_embedding, report.far) == (1, 1, None)
    means = [rows.embeddings[6:9].mean(0) for rows in (train, test)]
    means = [mean / np.linalg.norm(mean) for mean in means]
    assert report.shared[0].distance == pytest.approx(((means[0] - means[1]) ** 2).sum(), abs=1e-5)


def test_the_threshold_comes_from_people_known_to_differ(rng: np.random.Generator) -> None:
    centres = rng.normal(size=(90, 32))
    train = people(centres[:50], tuple(f"a{i}" for i in range(50)), rng)
    test = people(centres[40:], tuple(f"b{i}" for i in range(50)), rng)
    report = find_leaks(train, test)
    assert report.far == pytest.approx(10 / (2 * 50 * 49 / 2)) and report.expected_by_chance < 11
    found = {(pair.train, pair.test) for pair in report.shared}
    assert {(f"a{40 + i}", f"b{i}") for i in range(10)} <= found and len(found) < 40
    with pytest.raises(InputError, match="too few for FAR 1e-05"):
        find_leaks(train, test, far=1e-5)


def test_disjoint_sets_share_nobody_and_dimensions_must_agree(rng: np.random.Generator) -> None:
    one = people(rng.normal(size=(4, 32)), tuple("abcd"), rng)
    other = people(rng.normal(size=(4, 32)), tuple("efgh"), rng)
    assert find_leaks(one, other, threshold=0.5).shared == ()
    with pytest.raises(InputError, match="32 and 8 dimensions"):
        find_leaks(one, people(rng.normal(size=(2, 8)), ("i", "j"), rng), threshold=0.5)
