from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facespace.errors import DataError
from facespace.evaluate.error_sheet import write_error_sheet
from facespace.evaluate.lfw import (
    LfwPairs,
    PairDistances,
    evaluate_lfw,
    measure_lfw,
    read_pairs,
    score_pairs,
)
from fakes import COLOURS, DrawnDetector, DrawnEmbedder

NAMES = list(COLOURS)


def draw_lfw(root: Path, *, n_folds: int = 3) -> Path:
    """Each person has two 250x250 pictures with a square of their colour; every fold has two of each kind."""
    for name in NAMES:
        for i in (1, 2):
            image = np.full((250, 250, 3), 255, np.uint8)
            image[20:80, 90 + i : 150 + i] = COLOURS[name]
            path = root / name / f"{name}_{i:04d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path, quality=95)
    same = [f"{NAMES[0]}\t1\t2", f"{NAMES[1]}\t1\t2"]
    diff = [f"{NAMES[0]}\t1\t{NAMES[1]}\t2", f"{NAMES[2]}\t1\t{NAMES[3]}\t2"]
    (root / "pairs.txt").write_text("\n".join([f"{n_folds}\t2", *((same + diff) * n_folds)]))
    return root


def test_drawn_people_are_told_apart_in_every_fold(tmp_path: Path) -> None:
    result = evaluate_lfw(draw_lfw(tmp_path), DrawnEmbedder(), DrawnDetector())
    assert (result.accuracy_mean, result.accuracy_se, result.auc, result.eer) == (1.0, 0.0, 1.0, 0.0)
    assert (result.n_same, result.n_diff, result.n_folds, result.detector_failures) == (6, 6, 3, 0)
    assert result.tar == {"1e-1": None, "1e-2": None, "1e-3": None}
    assert result.lines()[0] == "Accuracy: 1.00000+-0.00000"
    assert "the standard figure has 10" in result.lines()[-1]


def test_pictures_without_a_face_fall_back_to_the_centre_and_are_counted(tmp_path: Path) -> None:
    draw_lfw(tmp_path)
    Image.new("RGB", (250, 250), "white").save(tmp_path / NAMES[0] / f"{NAMES[0]}_0001.jpg")
    assert evaluate_lfw(tmp_path, DrawnEmbedder(), DrawnDetector()).detector_failures == 1
    assert evaluate_lfw(tmp_path, DrawnEmbedder(), None).detector_failures == 0


def test_missing_pictures_are_named(tmp_path: Path) -> None:
    draw_lfw(tmp_path)
    (tmp_path / "red" / "red_0002.jpg").unlink()
    with pytest.raises(DataError, match=r"red/red_0002\.jpg"):
        evaluate_lfw(tmp_path, DrawnEmbedder(), None)


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
    pairs = LfwPairs(tuple(names[not s] for s in same), np.array(same), np.array(folds))
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
    assert "folds of 2 to 3 pairs" in score_pairs(measured).lines()[-1]


@pytest.mark.parametrize("line", ["red 1 2\nred 1 2", "red 1 green 1\nred 2 green 1"])
def test_pairs_of_one_kind_are_refused_before_pictures_are_read(tmp_path: Path, line: str) -> None:
    (tmp_path / "pairs.txt").write_text("2 1\n" + "\n".join([line] * 2))
    with pytest.raises(DataError, match="one kind only"):
        evaluate_lfw(tmp_path, DrawnEmbedder(), None)


def test_the_errors_are_drawn_with_their_distances(tmp_path: Path) -> None:
    measured = measure_lfw(draw_lfw(tmp_path), DrawnEmbedder(), DrawnDetector())
    turned = PairDistances(measured.listed, 4 - measured.distance, 0, "detector")
    counts = write_error_sheet(
        turned, tmp_path / "errors.png", picture=lambda name: Image.open(tmp_path / name)
    )
    wrong = ~turned.right()
    assert counts == ((wrong & ~measured.listed.same).sum(), (wrong & measured.listed.same).sum())
    sheet = np.asarray(Image.open(tmp_path / "errors.png").convert("RGB")).reshape(-1, 3)
    assert sum(counts) and any((np.abs(sheet - np.array(COLOURS["red"])) < 25).all(1))
    assert not list(tmp_path.glob("partial*"))
