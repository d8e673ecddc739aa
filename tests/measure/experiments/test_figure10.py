import numpy as np

from facespace.measure.experiments.figure10 import draw_plane, find_moves
from facespace.measure.faces import EmbeddedFaces

PLACES = np.eye(4)


def faces(rows: list[np.ndarray], labels: list[int]) -> EmbeddedFaces:
    array = np.array(rows, np.float32)
    array /= np.linalg.norm(array, axis=1, keepdims=True)
    return EmbeddedFaces(array, np.array(labels), tuple("abcd"))


LABELS = [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]


def test_a_face_among_others_that_the_newer_version_takes_home() -> None:
    old, new = [PLACES[k] for k in LABELS], [PLACES[k] for k in LABELS]
    old[0] = PLACES[1] + 0.1 * PLACES[0]  # a's first face lies among b's, and v2 corrects it
    new[11] = PLACES[2] + 0.1 * PLACES[3]  # d's last one v1 has right, and v2 takes it to c
    moves = find_moves(faces(old, LABELS), faces(new, LABELS))
    assert moves.corrected.nonzero()[0].tolist() == [0] and moves.old_nearest[0] == 1
    assert moves.spoilt.nonzero()[0].tolist() == [11] and moves.new_nearest[11] == 2


def test_a_lone_face_is_not_near_to_itself() -> None:
    rows = [PLACES[0], PLACES[0] + PLACES[1], PLACES[1], PLACES[1]]
    labels = [0, 2, 1, 1]
    moves = find_moves(faces(rows, labels), faces(rows, labels))
    assert moves.old_nearest[1] in (0, 1), "the only face of its person: its place without it is nowhere"


def test_the_plane_is_that_of_the_people_who_are_corrected() -> None:
    old, new = [PLACES[k] for k in LABELS], [PLACES[k] for k in LABELS]
    for face, seen_as in ((6, 3), (7, 3), (0, 3)):
        old[face] = PLACES[seen_as] + 0.2 * PLACES[LABELS[face]]
    first, second = faces(old, LABELS), faces(new, LABELS)
    plot = draw_plane(first, second, find_moves(first, second))
    assert [series.name for series in plot.series[::2]] == [
        *(f"{p}, v1" for p in "cda"),
        plot.series[-1].name,
    ]
    arrows = plot.series[-1]
    assert arrows.arrows and len(arrows.x) == 6, "three faces, each from and to"
    means_xy = [np.array([s.x, s.y]).mean(1) for s in plot.series[:6:2]]
    means = [first.embeddings[first.labels == p].mean(0) for p in (2, 3, 0)]
    for i, j in ((0, 1), (1, 2), (0, 2)):  # the three places lie in the plane itself
        apart = np.linalg.norm(means_xy[i] - means_xy[j])
        assert np.isclose(apart, np.linalg.norm(means[i] - means[j]), atol=1e-3)


def test_nobody_to_corrected() -> None:
    rows = [PLACES[k] for k in LABELS]
    same = faces(rows, LABELS)
    moves = find_moves(same, same)
    plot = draw_plane(same, same, moves)
    assert not moves.corrected.any() and [s.name for s in plot.series[::2]] == ["a, v1", "b, v1", "c, v1"]
