from pathlib import Path

import pytest
from PIL import Image

from drawn_context import NAMES, draw_lfw, drawn_context
from facespace.errors import DataError
from facespace.measure.experiments import lfw


def test_drawn_people_are_told_apart_in_every_fold(tmp_path: Path) -> None:
    draw_lfw(tmp_path / "lfw")
    result = lfw.run(drawn_context(tmp_path))
    figures = result.figures
    assert [figures[key] for key in ("accuracy_mean", "accuracy_se", "auc", "eer")] == [1.0, 0.0, 1.0, 0.0]
    assert [figures[key] for key in ("n_same", "n_diff", "n_folds", "detector_failures")] == [6, 6, 3, 0]
    assert figures["tar"] == {"1e-1": None, "1e-2": None, "1e-3": None}
    assert result.headline.startswith("LFW, 3 folds: 100.00 ± 0.00 % with the detector's crop (0 pictures")
    assert "the standard figure has 10" in result.differs[0]


def test_both_modes_stand_side_by_side_and_the_detectors_figures_come_first(tmp_path: Path) -> None:
    draw_lfw(tmp_path / "lfw")
    Image.new("RGB", (250, 250), "white").save(tmp_path / "lfw" / NAMES[0] / f"{NAMES[0]}_0001.jpg")
    result = lfw.run(drawn_context(tmp_path), mode="both")
    assert result.figures["mode"] == "detector" and result.figures["detector_failures"] == 1
    assert result.figures["modes"]["centre"]["detector_failures"] == 0
    assert [row[0] for row in result.blocks[0].rows] == ["centre crop", "detector's crop"]


def test_a_second_model_and_groups_stand_beside_it(tmp_path: Path) -> None:
    draw_lfw(tmp_path / "lfw")
    (tmp_path / "warm.json").write_text('{"red": "warm", "green": "cold"}')
    result = lfw.run(drawn_context(tmp_path), groups=tmp_path / "warm.json")
    assert [group["group"] for group in result.figures["groups"]] == ["cold", "warm", "(none given)"]
    assert len(result.blocks) == 3


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    draw_lfw(tmp_path / "lfw")
    (tmp_path / "lfw" / "red" / "red_0002.jpg").unlink()
    with pytest.raises(DataError, match=r"red/red_0002\.jpg"):
        lfw.run(drawn_context(tmp_path), mode="centre")


@pytest.mark.parametrize("line", ["red 1 2\nred 1 2", "red 1 green 1\nred 2 green 1"])
def test_pairs_of_one_kind_are_refused_before_pictures_are_read(tmp_path: Path, line: str) -> None:
    (tmp_path / "lfw").mkdir()
    (tmp_path / "lfw" / "pairs.txt").write_text("2 1\n" + "\n".join([line] * 2))
    with pytest.raises(DataError, match="one kind only"):
        lfw.run(drawn_context(tmp_path))
