"""The experiment on WIDER FACE's layout."""

import json
from pathlib import Path

import pytest
from PIL import Image

from drawn_context import drawn_context
from facespace.errors import DataError
from facespace.measure.experiments.wider import EXPERIMENT, SUBSETS, Options, read_wider, subset


def laid_out(folder: Path) -> Path:
    """Two events, one of them held out; one face each, and one that is marked invalid."""
    lines = []
    for event in ("0--Parade", "13--Interview"):
        (folder / event).mkdir(parents=True)
        Image.new("RGB", (120, 90), (90, 120, 60)).save(folder / event / "a.jpg")
        faces = [
            {"box_xyxy": [20.0, 20.0, 60.0, 60.0], "invalid": 0, "occlusion": 2, "blur": 0},
            {"box_xyxy": [70.0, 20.0, 80.0, 30.0], "invalid": 1, "occlusion": 0, "blur": 2},
        ]
        lines.append(json.dumps({"photo": f"{event}/a.jpg", "width": 120, "height": 90, "faces": faces}))
    (folder / "labels.jsonl").write_text("\n".join(lines), "utf-8")
    return folder


def test_subsets_are_by_height_and_occlusion(tmp_path: Path) -> None:
    photo = read_wider(laid_out(tmp_path))[0]
    assert {name: subset(photo, name).tolist() for name in SUBSETS} == {
        "large": [False, False],
        "middle": [False, False],  # heavily occluded
        "all": [True, False],  # the other is invalid
    }


def test_the_built_in_detector_on_held_out_events(tmp_path: Path) -> None:
    result = EXPERIMENT.run(Options(laid_out(tmp_path)), drawn_context())
    (own,) = result.figures["detectors"]
    assert (
        own["n_photos"] == 1 and own["n_faces"]["all"] == 1 and own["ap"]["all"] == 0.0
    )  # nobody is drawn there
    everything = EXPERIMENT.run(Options(tmp_path, all_events=True), drawn_context())
    assert everything.figures["detectors"][0]["n_photos"] == 2


def test_without_held_out_photos_it_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "labels.jsonl").write_text("")
    with pytest.raises(DataError, match="--all-events"):
        EXPERIMENT.run(Options(tmp_path), drawn_context())
