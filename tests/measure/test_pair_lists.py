from pathlib import Path

import numpy as np
import pytest

from facespace.errors import DataError
from facespace.measure.pairs import PairDistances, PairList, read_pairs, score_pairs


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "first line"),
        ("ten 300", "first line"),
        ("2 1\na 1 2", "expected 4 pairs by its header, met 1"),
        ("1\na 1 2\nb 1 c", "name n m"),
        ("1\na 1 2\nb one c 2", "name n m"),
    ],
)
def test_a_malformed_pairs_file_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "pairs.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        read_pairs(tmp_path / "pairs.txt")


def test_the_real_pairs_file_is_parsed(data: Path) -> None:
    listed = read_pairs(data / "lfw" / "pairs.txt")
    assert (len(listed.pairs), int(listed.same.sum()), len(listed.names)) == (3000, 1500, 3811)
    assert np.bincount(listed.folds).tolist() == [600] * 5
    assert listed.pairs[0] == ("Abel_Pacheco/Abel_Pacheco_0001.jpg", "Abel_Pacheco/Abel_Pacheco_0004.jpg")


def listed_pairs(distance: list[float], same: list[bool], folds: list[int]) -> PairDistances:
    """Pairs of four drawn people without pictures behind them."""
    names = [(f"{a}/{a}_0001.jpg", f"{b}/{b}_0002.jpg") for a, b in (("red", "red"), ("red", "green"))]
    pairs = PairList(tuple(names[not s] for s in same), np.array(same), np.array(folds))
    return PairDistances(pairs, np.array(distance, np.float32), 0, "centre")


def test_errors_are_those_at_the_threshold_of_each_fold() -> None:
    measured = listed_pairs(
        [0.1, 0.9, 0.2, 0.8, 0.7, 0.3], [True, False, True, False, True, False], [0, 0, 1, 1, 2, 2]
    )
    assert measured.right().tolist() == [True, True, True, True, False, False]
    result = score_pairs(measured)
    assert (result.n_false_accepts, result.n_false_rejects) == (1, 1)


def test_ten_folds_of_unequal_size_are_not_the_standard_figure() -> None:
    folds = [*np.repeat(np.arange(10), 2), 9]
    measured = listed_pairs([0.1, 0.9] * 10 + [0.1], [True, False] * 10 + [True], folds)
    assert "folds of 2 to 3 pairs" in (score_pairs(measured).note or "")
