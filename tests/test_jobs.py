from pathlib import Path

import pytest

import facespace
from facespace.errors import DataError, ImageError, InputError, ModelError, NoFaceError
from fakes import SPEC, DrawnDetector, OpenedEmbedder, draw_photo


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    draw_photo(tmp_path / "photos" / "1.png", "red", "green")
    draw_photo(tmp_path / "photos" / "2.png", "red")
    draw_photo(tmp_path / "photos" / "none.png")
    return tmp_path / "photos"


def models() -> dict:  # type: ignore[type-arg]
    return {"detector": DrawnDetector(), "embedder": OpenedEmbedder()}


def test_people_are_found_once_and_read_from_the_library_again(photos: Path, tmp_path: Path) -> None:
    stages = []
    first = facespace.people(
        photos, library=tmp_path / "library", **models(), progress=lambda stage, *_: stages.append(stage)
    )
    assert [len(person.faces) for person in first.people] == [2, 1] and "reading" in stages
    with facespace.Library(tmp_path / "library") as library:
        library.name(first.people[0].person, "Ann")
    again = facespace.people(str(photos), library=str(tmp_path / "library"), **models())
    assert again.people[0].name == "Ann" and again.n_photos == 3


def test_people_of_no_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere"):
        facespace.people(tmp_path / "nowhere", library=tmp_path / "library", **models())


def test_two_photos_are_compared_by_the_largest_or_the_named_face(photos: Path) -> None:
    one, two = photos / "1.png", photos / "2.png"
    verdict = facespace.verify(one, two, **models())
    assert verdict.same and verdict.distance <= verdict.threshold == 0.2 and verdict.model == SPEC.label
    assert [face.n_faces for face in verdict.faces] == [2, 1]
    named = facespace.verify(f"{one}#2", two, **models())
    assert not named.same and named.faces[0].box_xyxy[0] > verdict.faces[0].box_xyxy[0]
    assert facespace.verify(f"{one}#2", f"{one}#2", **models()).distance == pytest.approx(0, abs=1e-4)
    assert facespace.verify(one, two, any_face=True, **models()).same


@pytest.mark.parametrize(
    ("a", "options", "error"),
    [
        ("none.png", {}, NoFaceError),
        ("absent.png", {}, ImageError),
        ("1.png#3", {}, InputError),
        ("1.png", {"far": 0.0}, InputError),
        ("1.png", {"far": 1e-9}, ModelError),
    ],
)
def test_what_cannot_be_compared_is_an_error(
    photos: Path, a: str, options: dict, error: type[Exception]
) -> None:  # type: ignore[type-arg]
    with pytest.raises(error):
        facespace.verify(photos / a, photos / "2.png", **options, **models())
