"""Average precision beside a slow copy of WIDER FACE's published evaluation, and cases worked out by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray

from facespace.errors import InputError
from facespace.metrics.detection import FoundFaces, LabelledFaces, average_precision, overlaps

NOTHING = np.zeros((0, 4), np.float32)
UNIT = np.array([[0, 0, 9, 9]], np.float32)


def found(boxes: NDArray[np.float32], scores: list[float]) -> FoundFaces:
    return FoundFaces(boxes, np.array(scores, np.float32))


def labelled(boxes: NDArray[np.float32], counts: list[bool] | None = None) -> LabelledFaces:
    return LabelledFaces(boxes, np.array([True] * len(boxes) if counts is None else counts, np.bool_))


def slow_iou(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0]) + 1
    height = min(a[3], b[3]) - max(a[1], b[1]) + 1
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(c[2] - c[0] + 1) * (c[3] - c[1] + 1) for c in (a, b)]
    return float(width * height / (sum(areas) - width * height))


def slow_average_precision(pictures: list[tuple[FoundFaces, LabelledFaces]], *, levels: int) -> float:
    """The published evaluation, step by step: image_eval, img_pr_info, dataset_pr_info, voc_ap."""
    every = np.concatenate([f.scores for f, _ in pictures]).astype(np.float64)
    low, span = every.min(), np.ptp(every)
    totals, n_faces = np.zeros((levels, 2)), 0
    for detections, truth in pictures:
        n_faces += int(truth.counts.sum())
        if not len(detections.scores) or not len(truth.counts):
            continue
        order = np.argsort(-detections.scores, kind="stable")
        scores = (detections.scores[order].astype(np.float64) - low) / span
        state, proposals, recalls = [0] * len(truth.counts), [1] * len(order), []
        for h, i in enumerate(order):
            ious = [slow_iou(detections.boxes_xyxy[i], box) for box in truth.boxes_xyxy]
            nearest = int(np.argmax(ious))
            if ious[nearest] >= 0.5:
                if not truth.counts[nearest]:
                    state[nearest], proposals[h] = -1, 0
                elif state[nearest] == 0:
                    state[nearest] = 1
            recalls.append(state.count(1))
        for t in range(levels):
            taken = np.flatnonzero(scores >= 1 - (t + 1) / levels)
            if len(taken):
                totals[t] += sum(proposals[: taken[-1] + 1]), recalls[taken[-1]]
    precision = np.nan_to_num(totals[:, 1] / np.maximum(totals[:, 0], 1e-12))
    recall = np.concatenate([[0], totals[:, 1] / n_faces, [1]])
    envelope = np.concatenate([[0], precision, [0]])
    for i in range(len(envelope) - 1, 0, -1):
        envelope[i - 1] = max(envelope[i - 1], envelope[i])
    steps = np.where(recall[1:] != recall[:-1])[0]
    return float(((recall[steps + 1] - recall[steps]) * envelope[steps + 1]).sum())


def random_pictures(rng: np.random.Generator, n: int) -> list[tuple[FoundFaces, LabelledFaces]]:
    """Few faces on little room: overlaps, faces found twice, faces outside the subset, empty pictures."""
    pictures = []
    for _ in range(n):
        corners = rng.uniform(0, 40, (int(rng.integers(0, 8)), 2))
        truth = np.concatenate([corners, corners + rng.uniform(5, 20, corners.shape)], 1).astype(np.float32)
        near = truth[rng.integers(0, len(truth), int(rng.integers(0, 9)))] if len(truth) else NOTHING
        far = rng.uniform(0, 60, (int(rng.integers(0, 4)), 2))
        boxes = np.concatenate([near + rng.normal(0, 1.5, near.shape), np.concatenate([far, far + 8], 1)])
        scores = np.round(rng.uniform(0.02, 1, len(boxes)), 1)  # with ties
        counts = rng.random(len(truth)) < 0.7
        pictures.append((found(boxes.astype(np.float32), scores.tolist()), labelled(truth, counts.tolist())))
    return pictures


@pytest.mark.parametrize("levels", [10, 1000])
def test_it_is_what_the_published_code_gives(rng: np.random.Generator, levels: int) -> None:
    for _ in range(8):
        pictures = random_pictures(rng, 12)
        got = average_precision([f for f, _ in pictures], [t for _, t in pictures], levels=levels)
        assert got.ap == pytest.approx(slow_average_precision(pictures, levels=levels), abs=1e-9)
        assert got.n_faces == sum(int(t.counts.sum()) for _, t in pictures)


FAR = UNIT + 50
CASES = {
    "nothing is found": ([found(NOTHING, [])], [labelled(UNIT)], 0.0),
    "all is found": ([found(UNIT, [0.9])], [labelled(UNIT)], 1.0),
    "half is found": ([found(UNIT, [0.9])], [labelled(np.vstack([UNIT, FAR]))], 0.5),
    "a false alarm above": ([found(np.vstack([FAR, UNIT]), [0.9, 0.5])], [labelled(UNIT)], 0.5),
    "a false alarm below": ([found(np.vstack([FAR, UNIT]), [0.5, 0.9])], [labelled(UNIT)], 1.0),
    "found twice": (
        [found(np.vstack([UNIT, UNIT, FAR]), [0.9, 0.8, 0.7])],
        [labelled(np.vstack([UNIT, FAR]))],
        5 / 6,
    ),
    "beside the subset": (
        [found(np.vstack([FAR, UNIT]), [0.9, 0.5])],
        [labelled(np.vstack([UNIT, FAR]), [True, False])],
        1.0,
    ),
    "in a picture without labels": ([found(UNIT, [0.9])] * 2, [labelled(NOTHING), labelled(UNIT)], 1.0),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_cases_by_hand(case: tuple[list[FoundFaces], list[LabelledFaces], float]) -> None:
    found_faces, truth, expected = case
    assert average_precision(found_faces, truth).ap == pytest.approx(expected)


@pytest.mark.parametrize(
    ("found_faces", "truth", "message"),
    [
        ([], [], "at least one labelled face"),
        ([found(UNIT, [0.9])], [labelled(UNIT, [False])], "at least one labelled face"),
        ([], [labelled(UNIT)], "of 1 pictures, got 0"),
    ],
)
def test_a_figure_of_nothing_is_an_error(
    found_faces: list[FoundFaces], truth: list[LabelledFaces], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        average_precision(found_faces, truth)


def test_overlaps_count_both_ends_of_a_side() -> None:
    assert overlaps(UNIT, np.add(UNIT, [5, 0, 5, 0]).astype(np.float32))[0, 0] == pytest.approx(50 / 150)
    assert overlaps(NOTHING, UNIT).shape == (0, 1)
