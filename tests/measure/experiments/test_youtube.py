import shutil
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from drawn_context import drawn_context
from facespace.errors import DataError, ImageError, MissingExtraError
from facespace.images import Video
from facespace.measure.context import Context, Setup
from facespace.measure.experiments.youtube import measure_videos, run
from facespace.measure.pairs import PairDistances, read_splits
from facespace.measure.result import NOT_RUN
from fakes import COLOURS, DrawnEmbedder

NAMES = list(COLOURS)


def frame(name: str | None, i: int) -> np.ndarray:
    """A frame of 320x240 with a square of the person's colour that moves a little; None shows nobody."""
    image = np.full((240, 320, 3), 255, np.uint8)
    if name:
        image[20:80, 130 + i % 9 : 190 + i % 9] = COLOURS[name]
    return image


def draw_frames(folder: Path, name: str | None, n: int = 12) -> None:
    folder.mkdir(parents=True)
    for i in range(n):
        Image.fromarray(frame(name, i)).save(folder / f"{folder.name}.{i}.jpg", quality=95)


def write_video(path: Path, name: str, n: int = 12) -> None:
    """A real video file of stills, by FFmpeg's MPEG-4 encoder."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 320, 240, "yuv420p", 4_000_000
        for i in range(n):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame(name, i), format="rgb24")))
        container.mux(stream.encode())


def draw_splits(root: Path, n_splits: int = 10) -> Path:
    """Each person has two videos; every split has two pairs of each kind."""
    lines = []
    for split in range(1, n_splits + 1):
        a, b, c = (NAMES[(split + k) % 4] for k in range(3))
        for pair, same in (
            (f"{a}/0, {a}/1", 1),
            (f"{b}/0, {b}/1", 1),
            (f"{a}/0, {b}/1", 0),
            (f"{b}/1, {c}/0", 0),
        ):
            lines.append(f"{split}, {len(lines) + 1}, {pair}, {same}")
    path = root / "splits.txt"
    path.write_text("\n".join(lines))
    return path


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    for name in NAMES:
        for i in (0, 1):
            draw_frames(tmp_path / name / str(i), name)
    return tmp_path


def test_drawn_people_are_told_apart_over_ten_splits(videos: Path) -> None:
    result = run(drawn_context(), videos=videos, splits=draw_splits(videos), frames=5)
    assert [result.figures[key] for key in ("accuracy_mean", "accuracy_se", "n_folds", "note")] == [
        1,
        0,
        10,
        None,
    ]
    assert [result.figures[key] for key in ("n_same", "n_diff", "detector_failures")] == [20, 20, 0]
    assert [row[0] for row in result.blocks[0].rows] == [f"first {n} detected" for n in ("5", "100", "1,000")]


def measure(root: Path, splits: Path, *, n_frames: int = 100, mode: str = "detector") -> PairDistances:
    return measure_videos(
        root, read_splits(splits), drawn_context(), DrawnEmbedder(), n_frames=n_frames, mode=mode
    )


class NumberedEmbedder(DrawnEmbedder):
    """Embeds a frame by its grey value, so that each frame differs."""

    def embed(self, crops: np.ndarray, /) -> np.ndarray:
        turn = crops[:, 56, 56, 0].astype(np.float64) / 80
        rows = np.zeros((len(crops), 128), np.float32)
        rows[:, 0], rows[:, 1] = np.cos(turn), np.sin(turn)
        return rows


def test_the_first_frames_by_number_make_the_distance_of_a_pair(tmp_path: Path) -> None:
    """Frame 10 comes after frame 9, and only the first seven count: against every frame pair, one by one."""
    greys = {"a/0": range(20, 140, 10), "a/1": range(200, 80, -10), "b/0": range(0, 240, 20)}
    for name, values in greys.items():
        (tmp_path / name).mkdir(parents=True)
        for i, grey in enumerate(values):
            Image.new("RGB", (100, 100), (grey,) * 3).save(tmp_path / name / f"{name[-1]}.{i}.png")
    (tmp_path / "splits.txt").write_text("1, 1, a/0, a/1, 1\n2, 2, a/0, b/0, 0\n")
    listed = read_splits(tmp_path / "splits.txt")
    measured = measure_videos(
        tmp_path, listed, drawn_context(), NumberedEmbedder(), n_frames=7, mode="centre"
    )
    for (first, second), distance in zip(measured.listed.pairs, measured.distance, strict=True):
        cosines = [np.cos((x - y) / 80) for x, y in product(list(greys[first])[:7], list(greys[second])[:7])]
        assert distance == pytest.approx(2 - 2 * np.mean(cosines), abs=1e-6)


def test_frames_without_a_face_are_passed_over_and_videos_without_any_are_counted(videos: Path) -> None:
    splits = draw_splits(videos)
    clean = measure(videos, splits, n_frames=12)
    Image.fromarray(frame(None, 0)).save(videos / "red" / "0" / "0.3.jpg")
    with_gap = measure(videos, splits, n_frames=12)
    np.testing.assert_allclose(with_gap.distance, clean.distance, atol=1e-3)
    assert with_gap.failures == 0
    shutil.rmtree(videos / "red" / "0")
    draw_frames(videos / "red" / "0", None)
    assert measure(videos, splits).failures == 1


def test_video_files_serve_like_frames(videos: Path) -> None:
    splits = draw_splits(videos)
    frames = measure(videos, splits)
    for name, suffix in zip(NAMES, (".mp4", ".avi", ".mkv", ".mp4"), strict=True):
        shutil.rmtree(videos / name / "1")
        write_video(videos / name / f"1{suffix}", name)
    files = measure(videos, splits)
    assert files.failures == 0
    np.testing.assert_allclose(files.distance, frames.distance, atol=0.05)


def test_a_video_without_the_extra_or_that_is_none_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video")
    with pytest.raises(ImageError, match=r"a\.mp4: damaged, cut short or no video"):
        Video(tmp_path / "a.mp4")
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(MissingExtraError, match=r"facespace\[video\]"):
        Video(tmp_path / "a.mp4")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "met none"),
        ("split, pair, first, second, same\n", "met none"),
        ("1, 1, a/0, a/1", "met '1, 1, a/0, a/1'"),
        ("1, 1, a/0, a/1, 2", "expected 'split"),
        ("1, 1, a, b/1, 0", "expected 'split"),
        ("1, 1, a/0, a/1, 1\n1, 2, a/0, b/1, 0", "two folds"),
        ("1, 1, a/0, a/1, 1\n2, 2, b/0, b/1, 1", "one kind only"),
        ("1, 1, a/0, a/1, 1\n2, 2, a/0, b/1, 0", "missing: a/0 and 2 more"),
    ],
)
def test_bad_splits_and_missing_videos_are_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "splits.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        run(drawn_context(), videos=tmp_path, splits=tmp_path / "splits.txt")


def test_a_folder_without_frames_is_named(tmp_path: Path) -> None:
    (tmp_path / "splits.txt").write_text("1, 1, a/0, a/1, 1\n2, 2, a/0, b/1, 0")
    for name in ("a/0", "a/1", "b/1"):
        (tmp_path / name).mkdir(parents=True)
    with pytest.raises(DataError, match="a/0: expected the frames"):
        run(drawn_context(), videos=tmp_path, splits=tmp_path / "splits.txt")


def test_the_published_splits_are_parsed(data: Path) -> None:
    listed = read_splits(data / "ytf" / "splits.txt")
    assert (len(listed.pairs), int(listed.same.sum())) == (5000, 2500)
    assert np.bincount(listed.folds).tolist() == [500] * 10
    assert listed.pairs[0] == ("Sadie_Frost/1", "Sadie_Frost/5")


def test_real_faces_in_the_published_layout(data: Path, tmp_path: Path) -> None:
    """Ten people of faces/val, two "videos" each of ten pictures, with the built-in model on the centre crop."""
    people = [d for d in sorted((data / "faces" / "val").iterdir()) if len(list(d.iterdir())) >= 20][:10]
    for person in people:
        for i, path in enumerate(sorted(person.iterdir())[:20]):
            video_folder = tmp_path / person.name / str(i // 10)
            video_folder.mkdir(parents=True, exist_ok=True)
            # The centre crop stands for LFW's pictures, in which the face is a smaller part.
            picture = Image.new("RGB", (250, 250))
            picture.paste(Image.open(path).resize((137, 137)), (57, 50))
            picture.save(video_folder / f"{i // 10}.{i}.jpg", quality=95)
    names = [person.name for person in people]
    lines = [f"{k + 1}, 0, {n}/0, {n}/1, 1" for k, n in enumerate(names)]
    lines += [f"{k + 1}, 0, {n}/0, {names[k - 1]}/1, 0" for k, n in enumerate(names)]
    (tmp_path / "splits.txt").write_text("\n".join(lines))
    result = run(Context(Setup()), videos=tmp_path, splits=tmp_path / "splits.txt", mode="centre")
    assert result.figures["auc"] > 0.9 and result.figures["n_folds"] == 10


def test_without_frames_it_is_not_run(tmp_path: Path) -> None:
    result = run(drawn_context(tmp_path))
    assert result.status == NOT_RUN and "DATA/ytf/frames" in result.remedy
