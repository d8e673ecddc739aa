"""The experiment on WIDER FACE's layout."""

from pathlib import Path

import pytest

from drawn_context import drawn_context
from facespace.errors import DataError
from facespace.measure.experiments.wider import SUBSETS, read_wider, run, subset
from wider_layout import laid_out


def test_subsets_are_by_height_and_occlusion(tmp_path: Path) -> None:
    photo = read_wider(laid_out(tmp_path))[0]
    assert {name: subset(photo, name).tolist() for name in SUBSETS} == {
        "large": [False, False],
        "middle": [False, False],  # heavily occluded
        "all": [True, False],  # the other is invalid
    }


def test_the_built_in_detector_on_held_out_events(tmp_path: Path) -> None:
    result = run(drawn_context(), folder=laid_out(tmp_path))
    (own,) = result.figures["detectors"]
    assert (
        own["n_photos"] == 1 and own["n_faces"]["all"] == 1 and own["ap"]["all"] == 0.0
    )  # nobody is drawn there
    everything = run(drawn_context(), folder=tmp_path, all_events=True)
    assert everything.figures["detectors"][0]["n_photos"] == 2


def test_without_held_out_photos_it_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "labels.jsonl").write_text("")
    with pytest.raises(DataError, match="--all-events"):
        run(drawn_context(), folder=tmp_path)
