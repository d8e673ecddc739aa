import math
from pathlib import Path

import numpy as np
import pytest

from drawn_context import draw_lfw, drawn_context
from facespace.errors import DataError
from facespace.measure.experiments.cross_age import by_age_gap, read_ages, run
from facespace.measure.pairs import PairDistances, PairList

NAMES = ["a/1", "a/2", "b/1", "b/2", "c/1", "c/2"]


def measured(distances: list[float]) -> PairDistances:
    """Two folds of two same and two different pairs."""
    pairs = (("a/1", "a/2"), ("b/1", "b/2"), ("a/1", "b/1"), ("a/2", "b/2")) * 2
    same, folds = np.array([True, True, False, False] * 2), np.repeat([0, 1], 4)
    return PairDistances(PairList(pairs, same, folds), np.array(distances, np.float32), 0, "centre")


def test_no_edges_make_no_groups() -> None:
    assert by_age_gap(measured([0.1, 0.1, 2, 2] * 2), {}, []) == []


def test_errors_are_counted_where_their_gap_belongs() -> None:
    ages = {"a/1": 20.0, "a/2": 60.0, "b/1": 22.0, "b/2": 30.0}
    pairs = measured([1.9, 0.1, 2, 2, 1.9, 0.1, 2, 0.1])
    gaps, wrong = by_age_gap(pairs, ages, (0, 10, 30)), ~pairs.right()
    assert [(g.low, g.high, g.n_same, g.n_diff) for g in gaps] == [
        (0, 10, 2, 2),
        (10, 30, 0, 0),
        (30, None, 2, 2),
    ]
    assert [gap.text for gap in gaps] == ["0 to 9 years", "10 to 29 years", "30 years or more"]
    assert gaps[0].false_rejects == wrong[[1, 5]].mean() and gaps[1].false_rejects is None
    assert gaps[2].false_rejects == wrong[[0, 4]].mean()
    assert (
        gaps[0].false_accepts == wrong[[2, 6]].mean() and gaps[2].false_accepts == wrong[[3, 7]].mean() == 0.5
    )


def test_pairs_of_unknown_age_are_left_out() -> None:
    ages = {"a/1": 20.0, "a/2": 60.0}
    gaps = by_age_gap(measured([0.1, 0.1, 2, 2] * 2), ages, (0, 10))
    assert sum(gap.n_same for gap in gaps) == 2 and sum(gap.n_diff for gap in gaps) == 0


def test_drawn_people_of_any_folds_with_ages(tmp_path: Path) -> None:
    root = draw_lfw(tmp_path / "agedb", n_folds=4)
    photos = sorted(p.relative_to(root).as_posix() for p in root.rglob("*.jpg"))
    table = tmp_path / "ages.csv"
    lines = [f"{photo};{20 + 12 * (i % 2)}" for i, photo in enumerate(photos)]
    table.write_text("\ufeffPhoto;Age\n" + "\n".join(lines), encoding="utf-8")
    result = run(drawn_context(), root=root, ages=table)
    assert result.headline.startswith("agedb, 4 folds: 100.00 ± 0.00 % accuracy")
    assert [gap["n_same"] for gap in result.figures["gaps"]] == [0, 0, 8, 0, 0]
    assert math.isclose(result.figures["accuracy_mean"], 1.0)
    assert run(drawn_context(), root=root).figures["gaps"] == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "photo,age"),
        ("photo,years\na,3", "photo,age"),
        ("photo,age\na,old", "line 2: expected an age in years, got 'old'"),
        ("photo,age\na,3\nb,200", "line 3: expected an age from 0 to 150"),
        ("photo,age\na,nan", "line 2: expected an age from 0 to 150"),
        ("photo,age\na,3,4,5", "line 2"),
    ],
)
def test_tables_that_cannot_be_used_name_the_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "ages.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_ages(path)
