from pathlib import Path

import numpy as np
import pytest

from drawn_context import drawn_context
from embeddings import unit_rows
from facespace.cluster import agglomerative
from facespace.errors import DataError, InputError
from facespace.measure.experiments.album import Album
from lab.clustering.methods import (
    OTHERS,
    average_of_sklearn,
    chinese_whispers,
    read_collection,
    render_page,
    score_methods,
)

DISTANCES: dict[str, float | None] = {"1e-2": 0.9, "1e-3": 0.7}


@pytest.fixture
def collection() -> Album:
    rng = np.random.default_rng(2)
    truth = np.repeat(np.arange(8), 12)
    rows = unit_rows(rng, 8, 24)[truth] + 0.08 * rng.normal(size=(96, 24)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    labelled = np.arange(96)
    labelled[-1] = -1
    return Album(
        rows, np.arange(96), np.zeros((96, 4), np.float32), labelled, truth, ("",) * 96, tuple("abcdefgh")
    )


def test_all_methods_find_people_who_stand_apart(collection: Album) -> None:
    rows = {row.method: (row.threshold, row.report) for row in score_methods(collection, DISTANCES)}
    assert len(rows) == 2 + len(OTHERS)
    for name, (threshold, report) in rows.items():
        assert report.n_true == 8 and threshold > 0, name
        # The photo without a face is a person of its own: 11 of 66 pairs of one of eight people are lost.
        if "calibrated" not in name:
            assert report.pairwise.f1 == pytest.approx(2 * (1 - 11 / 528) / (2 - 11 / 528)), name
            assert report.n_found == 9, name


def test_average_linkage_of_scikit_learn_is_ours(collection: Album) -> None:
    theirs = average_of_sklearn(collection)(0.6)
    ours = agglomerative(collection.embeddings, threshold=0.6).labels
    assert len({*zip(theirs.tolist(), ours.tolist(), strict=True)}) == ours.max() + 1 == theirs.max() + 1


def test_whispers_join_what_is_linked_and_nothing_else() -> None:
    rows = np.eye(3, dtype=np.float32)[[0, 0, 0, 1, 1, 2]]
    labels = chinese_whispers(rows, 0.5)
    assert len(np.unique(labels)) == 3 and labels[0] == labels[2] and labels[3] == labels[4]
    assert len(chinese_whispers(rows[:0], 0.5)) == 0


def test_collections_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="collection"):
        read_collection(drawn_context(tmp_path), "dogs")
    for collection in ("people", "val", "lfw"):
        with pytest.raises(DataError):
            read_collection(drawn_context(tmp_path), collection)


def test_the_page_holds_every_row_and_what_the_threshold_loses(collection: Album) -> None:
    rows = list(score_methods(collection, DISTANCES))
    text = render_page({("drawn", "m"): rows}, "python -m lab.clustering methods --data DIR")
    assert text.count("| drawn | m |") == len(rows)
    assert "    python -m lab.clustering methods --data DIR\n" in text
    lost = rows[1].report.pairwise.f1 - rows[0].report.pairwise.f1
    assert f"- drawn, m: {lost:.3f} F1 below the best threshold." in text
