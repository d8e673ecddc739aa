"""Tiny faces of poor quality stand alone, whatever they resemble, until somebody says who they are."""

import numpy as np
import pytest

from facespace.library.catalogue import StoredFaces
from facespace.library.grouping import NOBODY, Standing, _group


def standing(blurs: list[bool], confirmed: list[bool]) -> Standing:
    """Faces that all look the same, each in a photo of its own."""
    n = len(blurs)
    rows = np.zeros((n, 4), np.float32)
    rows[:, 0] = 1.0
    faces = StoredFaces(np.arange(n), np.arange(n), rows, np.array(blurs, bool), *np.full((2, n), np.nan))
    person = np.where(confirmed, 7, NOBODY).astype(np.int64)
    return Standing(faces, person, np.array(confirmed, bool), frozenset(), [], "")


@pytest.mark.parametrize(
    ("blurs", "confirmed", "sizes"),
    [
        ([], [], []),
        ([False, False], [False, False], [2]),
        ([True, True, True], [False, False, False], [1, 1, 1]),
        ([False, True, False, True], [False] * 4, [2, 1, 1]),
        ([False, True, True], [False, True, True], [3]),
        ([False, True, True], [True, False, True], [2, 1]),
    ],
)
def test_groups_by_size(blurs: list[bool], confirmed: list[bool], sizes: list[int]) -> None:
    labels = _group(standing(blurs, confirmed), 1.0)
    assert np.bincount(labels, minlength=0).tolist() == sizes
