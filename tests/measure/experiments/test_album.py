from pathlib import Path

import pytest

from drawn_context import drawn_context
from facespace.errors import DataError
from facespace.gallery import read_labels
from facespace.measure.experiments.album import evaluate_album, extract_album, run
from fakes import draw_photo


@pytest.fixture
def album(tmp_path: Path) -> Path:
    draw_photo(tmp_path / "1.png", "red", "blue")
    draw_photo(tmp_path / "2.png", "red")
    draw_photo(tmp_path / "3.png", "green")
    draw_photo(tmp_path / "4.png")
    (tmp_path / "labels.csv").write_text("photo,person\n1.png,ann\n2.png,ann\n3.png,bob\n4.png,bob\n")
    return tmp_path


def test_labelled_faces_are_scored_and_a_miss_is_a_person_of_its_own(album: Path) -> None:
    faces = extract_album(drawn_context(), album, read_labels(album / "labels.csv"))
    assert faces.labelled.tolist() == [0, 2, 3, -1]
    result = evaluate_album(faces, threshold=0.2)
    assert (result.n_photos, result.n_faces, result.n_misses, result.n_people) == (4, 4, 1, 3)
    assert (result.pairwise.precision, result.pairwise.recall) == (1.0, 0.5)
    assert result.bcubed.recall == pytest.approx((1 + 1 + 0.5 + 0.5) / 4)
    assert result.best_f1 >= result.pairwise.f1


@pytest.mark.parametrize(
    ("text", "said"),
    [(None, "a CSV file, it cannot be read"), ("file,who\n1.png,ann\n", "columns photo,person")],
)
def test_labels_need_their_columns(album: Path, text: str | None, said: str) -> None:
    path = album / "other.csv"
    if text:
        path.write_text(text)
    with pytest.raises(DataError, match=said):
        read_labels(path)


def test_a_labelled_photo_that_cannot_be_read_is_named(album: Path) -> None:
    with pytest.raises(DataError, match=r"5\.png"):
        extract_album(drawn_context(), album, {"5.png": "ann"})


def test_the_command_groups_at_the_collections_threshold(album: Path) -> None:
    result = run(drawn_context(), photos=album)
    assert (result.figures["n_people"], result.figures["n_misses"]) == (3, 1)
    assert result.blocks[0].rows[0][:3] == ("pairwise", 1.0, 0.5)


@pytest.mark.parametrize("labels", [{}, {"1.png": "ann"}])
def test_a_figure_of_no_pair_is_an_error(tmp_path: Path, labels: dict[str, str]) -> None:
    draw_photo(tmp_path / "1.png", "red")
    with pytest.raises(DataError, match="at least two labelled photos"):
        extract_album(drawn_context(), tmp_path, labels)
