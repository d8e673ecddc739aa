from pathlib import Path

import numpy as np
import pytest

from facespace.errors import InputError
from facespace.faces.addresses import address_of, face_at, from_left, split_address

BOXES = np.array([[50, 0, 60, 10], [10, 0, 20, 10], [10, 20, 30, 40]], np.float32)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("", ("", None)),
        ("a.jpg", ("a.jpg", None)),
        ("a.jpg#2", ("a.jpg", 2)),
        ("a#1.jpg#12", ("a#1.jpg", 12)),
        ("a.jpg#", ("a.jpg#", None)),
        ("a.jpg#-1", ("a.jpg#-1", None)),
        ("#1", ("#1", None)),
    ],
)
def test_an_address_is_a_photo_and_a_place(address: str, expected: tuple[str, int | None]) -> None:
    assert split_address(address) == expected


def test_a_file_of_that_name_is_the_photo(tmp_path: Path) -> None:
    (tmp_path / "a#1").touch()
    assert split_address(tmp_path / "a#1") == (str(tmp_path / "a#1"), None)


def test_faces_are_counted_from_the_left_and_then_in_their_order() -> None:
    assert from_left(BOXES[:0]).tolist() == []
    assert from_left(BOXES).tolist() == [1, 2, 0]
    assert [face_at(BOXES, k, "p") for k in (1, 2, 3)] == [1, 2, 0]
    assert [address_of(BOXES, i, "p") for i in range(3)] == ["p#3", "p#1", "p#2"]
    assert address_of(BOXES[:1], 0, "p") == "p"


@pytest.mark.parametrize("k", [0, 4, 10**8])
def test_a_face_that_is_not_there_is_named(k: int) -> None:
    with pytest.raises(InputError, match=f"p#{k}: expected face 1 to 3"):
        face_at(BOXES, k, "p")
