from pathlib import Path

import numpy as np
import pytest

from embeddings import unit_rows
from facespace.errors import DataError, InputError
from facespace.gallery import Gallery
from facespace.measure.context import Context, Setup
from facespace.measure.experiments import gallery
from facespace.measure.experiments.gallery import (
    NamedPoint,
    evaluate_gallery,
    read_named_points,
)
from facespace.measure.experiments.identification import evaluate_identification
from facespace.measure.faces import EmbeddedFaces
from fakes import DrawnDetector, DrawnEmbedder, draw_photo
from stored import V1


def test_faces_of_well_apart_people_are_all_named_and_unknown_people_are_not() -> None:
    rng = np.random.default_rng(0)
    centres = np.eye(8, dtype=np.float32)
    rows = np.repeat(centres, 20, 0) + 0.02 * unit_rows(rng, 160, 8)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    people = tuple(f"p{i}" for i in range(8))
    faces = EmbeddedFaces(rows.astype(np.float32), np.repeat(np.arange(8), 20), people)
    result = evaluate_identification(faces, V1, n_templates=3, n_draws=3)
    assert (result.n_subjects, result.n_templates, result.n_mated, result.n_unmated) == (4, 12, 68, 80)
    assert result.rank_1 == {"nearest template": (1.0, 0.0), "prototype": (1.0, 0.0)}
    for row in result.rows:
        assert row.fnir is None  # 80 unknown people cannot support ten false names at 10 % or less
        assert (row.fpir_met, row.fnir_met) == (0.0, 0.0)
    for wrong in ({"n_templates": 0}, {"n_draws": 1}):
        with pytest.raises(InputError):
            evaluate_identification(faces, V1, **wrong)


def test_an_album_is_scored_by_counts(tmp_path: Path) -> None:
    for name, colour in (("ann", "red"), ("bob", "green")):
        draw_photo(tmp_path / "people" / name / "1.png", colour)
    draw_photo(tmp_path / "probes" / "a.png", "red", "blue", "green")
    draw_photo(tmp_path / "probes" / "b.png", "ochre")
    labels = tmp_path / "labels.csv"
    labels.write_text(
        "photo,x,y,person\nprobes/a.png,50,50,ann\nprobes/a.png,140,50,\nprobes/b.png,50,50,bob\n"
        "probes/b.png,5,5,ann\nprobes/b.png,5,6,Zoe\npeople/ann/1.png,50,50,ann\n"
    )
    points = read_named_points(labels)
    assert points[1] == NamedPoint("probes/a.png", 140, 50, "")
    with Gallery(tmp_path / "g") as gallery:
        with pytest.raises(DataError, match="empty"):
            evaluate_gallery(gallery, tmp_path, points, DrawnDetector(), DrawnEmbedder())
        gallery.enrol(
            [(p, p.parent.name) for p in sorted((tmp_path / "people").rglob("*.png"))],
            DrawnDetector(),
            DrawnEmbedder(),
        )
        scores = evaluate_gallery(gallery, tmp_path, points, DrawnDetector(), DrawnEmbedder())
    # Ann is found; "bob" of b.png is nobody's colour; at (5, 5) there is no face; Zoe and the blue one are unknown.
    assert (scores.n_mated, scores.n_missed, scores.n_wrong, scores.n_undetected) == (3, 2, 0, 1)
    assert (scores.n_unmated, scores.n_false, scores.n_same_picture, scores.n_unnamed) == (2, 0, 1, 1)
    labels.write_text("Photo;X;Y;Person\n")
    assert read_named_points(labels) == []
    labels.write_text("photo,x,person\na,1,b\n")
    with pytest.raises(DataError, match="columns photo,x,y,person"):
        read_named_points(labels)


def test_the_cast_of_a_series_is_found_among_unknown_people(data: Path) -> None:
    album = data / "albums" / "bigbang"
    labels = Path(__file__).parents[3] / "benchmarks" / "bigbang.csv"
    result = gallery.run(
        Context(Setup(workers=1)), enrolled=album / "examples" / "images", photos=album, labels=labels
    )
    scores = result.figures
    assert (scores["n_mated"], scores["n_unmated"], scores["n_same_picture"]) == (23, 9, 2)
    assert (
        scores["n_rank_1"] >= 22
        and scores["n_wrong"] == 0
        and scores["n_false"] == 0
        and scores["n_missed"] <= 5
    )
