"""Faces of frames linked into tracks: by place, by look, through gaps and cuts; and their best views."""

from pathlib import Path

import numpy as np
import pytest

from drawn_video import draw_frame, write_video
from facespace.errors import ImageError, MissingExtraError
from facespace.extract import ImageFaces, embed_known_frames, extract_files, extract_video
from facespace.extract.tracks import APART_S, KEPT_FACES, Track, Tracker
from facespace.faces.detections import Detections
from facespace.images import Unreadable
from fakes import SPEC, DrawnDetector, DrawnEmbedder, draw_photo

ANN, BOB = np.eye(2, 128, dtype=np.float32)
Seen = tuple[np.ndarray, float, float, float]  # whose face, left edge, side, quality


def tracks(frames: dict[float, list[Seen]], every_s: float = 0.5) -> list[Track]:
    tracker = Tracker(SPEC, every_s)
    for stamp, (time_s, faces) in enumerate(frames.items()):
        boxes = np.array([[x, 50, x + side, 50 + side] for _, x, side, _ in faces], np.float32).reshape(-1, 4)
        found = ImageFaces(
            Detections(boxes, np.zeros((len(faces), 5, 2), np.float32), np.full(len(faces), 0.9, np.float32)),
            np.array([quality for *_, quality in faces], np.float32),
            np.array([row for row, *_ in faces], np.float32).reshape(-1, 128),
            np.zeros((len(faces), 4, 4, 3), np.uint8),
        )
        tracker.add(found, time_s, stamp)
    return tracker.tracks()


def spans(found: list[Track]) -> list[tuple[float, float, int]]:
    return [(track.begin_s, track.end_s, track.n_frames) for track in found]


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ({}, []),
        ({0.0: []}, []),
        ({0.0: [(ANN, 0, 40, 0.5)]}, [(0.0, 0.0, 1)]),
        # a blur for a moment may be no face, for longer it is one
        ({0.0: [(ANN, 0, 40, 0.01)]}, []),
        ({0.0: [(ANN, 0, 40, 0.01)], 0.5: [(ANN, 5, 40, 0.01)]}, [(0.0, 0.5, 2)]),
        # moved, out of reach, and gone for long
        ({0.0: [(ANN, 0, 40, 0.5)], 0.5: [(ANN, 60, 40, 0.5)]}, [(0.0, 0.5, 2)]),
        ({0.0: [(ANN, 0, 40, 0.5)], 1.5: [(ANN, 5, 40, 0.5)]}, [(0.0, 1.5, 2)]),
        ({0.0: [(ANN, 0, 40, 0.5)], 2.5: [(ANN, 5, 40, 0.5)]}, [(0.0, 0.0, 1), (2.5, 2.5, 1)]),
        # another person at the same place
        ({0.0: [(ANN, 0, 40, 0.5)], 0.5: [(BOB, 0, 40, 0.5)]}, [(0.0, 0.0, 1), (0.5, 0.5, 1)]),
        # two people who change places
        ({0.0: [(ANN, 0, 40, 0.5), (BOB, 50, 40, 0.5)], 0.5: [(BOB, 0, 40, 0.5), (ANN, 50, 40, 0.5)]},
         [(0.0, 0.5, 2), (0.0, 0.5, 2)]),
        # two alike at once are two
        ({0.0: [(ANN, 0, 40, 0.5), (ANN, 50, 40, 0.5)], 0.5: [(ANN, 0, 40, 0.5), (ANN, 50, 40, 0.5)]},
         [(0.0, 0.5, 2), (0.0, 0.5, 2)]),
    ],
)  # fmt: skip
def test_faces_are_linked_by_place_and_look(
    frames: dict[float, list[Seen]], expected: list[tuple[float, float, int]]
) -> None:
    assert spans(tracks(frames)) == expected


def test_each_track_is_one_persons(tmp_path: Path) -> None:
    swapped = {i / 2: [(ANN, 50 * (i % 2), 40, 0.5), (BOB, 50 * (1 - i % 2), 40, 0.5)] for i in range(9)}
    for track in tracks(swapped):
        assert np.ptp(track.embeddings, axis=0).max() == 0


def test_a_gap_is_bridged_however_seldom_frames_are_looked_at() -> None:
    assert spans(tracks({t: [(ANN, 0.0, 40.0, 0.5)] for t in (0.0, 2.0, 4.0)}, every_s=2.0)) == [
        (0.0, 4.0, 3)
    ]


def test_the_best_views_of_different_moments_are_kept() -> None:
    quality = np.random.default_rng(0).permutation(40) / 40
    frames = {i / 2: [(ANN, float(i % 3), 40.0, float(q))] for i, q in enumerate(quality)}
    (track,) = tracks(frames)
    assert len(track) == KEPT_FACES and track.quality[0] == pytest.approx(quality.max())
    assert (np.diff(track.quality) <= 0).all()
    assert np.diff(np.sort(track.time_s)).min() >= APART_S
    assert track.path_xyxy.shape == (40, 4) and track.path_s.tolist() == list(frames)


def test_a_video_becomes_tracks_with_the_numbers_of_their_frames(tmp_path: Path) -> None:
    both = [draw_frame({"green": 20 + i, "blue": 200}) for i in range(10)]
    path = write_video(tmp_path / "a.mp4", [draw_frame({"red": 20})] * 20 + both)
    seen: list[float] = []
    found = extract_video(
        path, DrawnDetector(), DrawnEmbedder(), workers=2, on_time=lambda t, _: seen.append(t)
    )
    assert spans(list(found)) == [(0.0, 1.5, 4), (2.0, 2.5, 2), (2.0, 2.5, 2)]
    assert (found.n_frames, found.size_hw, found.note) == (6, (100, 400), None)
    assert found.duration_s == pytest.approx(3.0) and seen == sorted(seen)
    assert [track.frame.tolist() for track in found] == [
        np.rint(track.time_s * 10).astype(int).tolist() for track in found
    ]
    every = extract_video(path, DrawnDetector(), DrawnEmbedder(), every_s=0.0)
    assert spans(list(every)) == [(0.0, 1.9, 20), (2.0, 2.9, 10), (2.0, 2.9, 10)]


def test_faces_of_known_times_are_embedded_again_alike(tmp_path: Path) -> None:
    moving = [draw_frame({"red" if i < 15 else "blue": 5 * i}) for i in range(30)]
    path = write_video(tmp_path / "a.mp4", moving, codec="libx264")
    for track in extract_video(path, DrawnDetector(), DrawnEmbedder()):
        again = embed_known_frames(path, track.time_s.tolist(), track.faces, DrawnEmbedder())
        np.testing.assert_allclose(again, track.embeddings, atol=0.02)
    with pytest.raises(ImageError, match=r"expected a frame at 99\.000 s"):
        embed_known_frames(path, [99.0], track.faces[:1], DrawnEmbedder())


def test_photos_and_videos_come_in_order_and_each_fails_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    paths = [
        draw_photo(tmp_path / "a.png", "red"), write_video(tmp_path / "b.mp4", [draw_frame({"red": 20})] * 5),
        tmp_path / "bad.mp4", draw_photo(tmp_path / "c.png", "red"),
    ]  # fmt: skip
    found = list(extract_files(paths, DrawnDetector(), DrawnEmbedder()))
    assert [item.photo for item in found] == paths
    assert [isinstance(item, Unreadable) for item in found] == [False, False, True, False]
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    (missing,) = extract_files([tmp_path / "b.mp4"], DrawnDetector(), DrawnEmbedder())
    assert isinstance(missing, Unreadable) and "facespace[video]" in missing.reason
    with pytest.raises(MissingExtraError):
        extract_video(tmp_path / "b.mp4", DrawnDetector(), DrawnEmbedder())
