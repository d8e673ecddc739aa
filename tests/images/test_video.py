"""Frames of videos: which, upright, when; and files that are damaged, endless, odd or no videos."""

import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from drawn_video import draw_frame, write_video
from facespace.errors import ImageError, MissingExtraError
from facespace.images import Video, VideoFrame, list_photos, video

RED, BLUE = draw_frame({"red": 20}), draw_frame({"blue": 200})


def frames(path: Path, every_s: float = 0.5, **options: float) -> list[VideoFrame]:
    with Video(path) as opened:
        return list(opened.frames(every_s, **options))  # type: ignore[arg-type]


def left_edge(frame: VideoFrame) -> int:
    return int((frame.picture.pixels.min(2) < 100).any(0).argmax())


def test_frames_are_sampled_by_time_and_where_scenes_begin(tmp_path: Path) -> None:
    dark = np.full_like(RED, 40)
    path = write_video(tmp_path / "a.mp4", [RED] * 7 + [dark] * 13)
    assert [(round(f.time_s, 3), f.is_cut) for f in frames(path)] == [
        (0.0, False), (0.5, False), (0.7, True), (1.2, False), (1.7, False),
    ]  # fmt: skip
    assert len(frames(path, 0.0)) == 20


def test_a_number_counts_all_frames_also_those_that_were_not_decoded(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", [draw_frame({"red": 2 * i}) for i in range(40)], codec="libx264")
    with Video(path) as opened:
        seen = list(opened.frames(0.5))
        numbers = opened.number(np.array([frame.stamp for frame in seen]))
    assert numbers.tolist() == [round(frame.time_s * 10) for frame in seen]
    assert [left_edge(frame) for frame in seen] == pytest.approx(2 * numbers, abs=1)


def test_times_are_those_of_the_file_however_uneven(tmp_path: Path) -> None:
    times = [0.0, 0.1, 0.2, 2.0, 2.05, 5.0]
    path = write_video(tmp_path / "a.mkv", [RED] * 6, times_s=times)
    assert [f.time_s for f in frames(path, 0.0)] == pytest.approx(times, abs=2e-3)


@pytest.mark.parametrize(
    ("rotation", "size_hw", "corner"), [(0, (100, 400), (20, 20)), (90, (400, 100), (320, 20)),
                                       (180, (100, 400), (20, 320)), (270, (400, 100), (20, 20))],
)  # fmt: skip
def test_frames_are_upright(
    tmp_path: Path, rotation: int, size_hw: tuple[int, int], corner: tuple[int, int]
) -> None:
    path = write_video(tmp_path / "a.mp4", [RED] * 3, rotation=rotation)
    picture = frames(path)[0].picture
    rows, columns = np.nonzero(picture.pixels.min(2) < 100)
    assert picture.size_hw == size_hw == picture.pixels.shape[:2]
    assert (rows.min(), columns.min()) == corner


def test_frames_are_reduced_and_their_boxes_stay_those_of_the_whole(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", [RED] * 3)
    with Video(path) as opened:
        picture = next(opened.frames(longest_side_px=200)).picture
    assert (picture.pixels.shape, picture.size_hw, picture.scale) == ((50, 200, 3), (100, 400), 0.5)


def test_an_earlier_frame_is_found_again_by_its_time(tmp_path: Path) -> None:
    drawn = [draw_frame({"red": 5 * i}) for i in range(40)]
    for codec in ("libx264", "libx264rgb"):
        path = write_video(tmp_path / "a.mp4", drawn, codec=codec)
        with Video(path) as opened:
            found = next(opened.frames(0.0, since_s=2.699))
        assert found.time_s == pytest.approx(2.7) and left_edge(found) == pytest.approx(135, abs=1)


@pytest.mark.parametrize(
    ("said", "taken_at"),
    [
        ({}, None),
        ({"creation_time": "2024-07-01T10:30:00Z"}, "2024-07-01T10:30:00+00:00"),
        ({"creation_time": "1904-01-01T00:00:00Z"}, None),
        (
            {"com.apple.quicktime.creationdate": "2024-07-01T12:30:00+0200", "creation_time": "2024-07-02T00:00:00Z"},
            "2024-07-01T12:30:00+02:00",
        ),
    ],
)  # fmt: skip
def test_the_time_is_that_of_the_phone_else_utc(
    tmp_path: Path, said: dict[str, str], taken_at: str | None
) -> None:
    with Video(write_video(tmp_path / "a.mp4", [RED] * 2, metadata=said)) as opened:
        assert opened.exif.taken_at == taken_at


@pytest.mark.parametrize("size_hw", [(99, 131), (2, 2), (16, 1000)])
def test_odd_sizes_and_single_frames(tmp_path: Path, size_hw: tuple[int, int]) -> None:
    path = write_video(
        tmp_path / "a.mkv", [np.full((*size_hw, 3), 200, np.uint8)], codec="ffv1", pix_fmt="bgr0"
    )
    (frame,) = frames(path)
    assert frame.picture.pixels.shape == (*size_hw, 3) and abs(int(frame.picture.pixels.mean()) - 200) < 3


def test_ten_bits_grey_and_wide_pixels(tmp_path: Path) -> None:
    deep = write_video(tmp_path / "deep.mkv", [RED] * 6 + [BLUE] * 6, codec="ffv1", pix_fmt="yuv420p10le")
    shown = frames(deep)
    assert [left_edge(frame) for frame in shown] == pytest.approx([20, 20, 200, 200], abs=1)
    grey = write_video(tmp_path / "grey.mkv", [RED] * 6, codec="ffv1", pix_fmt="gray")
    assert np.ptp(frames(grey)[0].picture.pixels.astype(int), axis=2).max() <= 2
    wide = write_video(tmp_path / "wide.mp4", [RED] * 2, codec="libx264", aspect=2)
    assert frames(wide)[0].picture.size_hw == (100, 800)


def test_a_picture_that_moves_is_a_video_only_by_its_name(tmp_path: Path) -> None:
    Image.fromarray(RED).save(
        tmp_path / "a.gif", save_all=True, append_images=[Image.fromarray(BLUE)] * 4, duration=200
    )
    (tmp_path / "a.gif").rename(tmp_path / "a.mp4")
    assert [round(f.time_s, 1) for f in frames(tmp_path / "a.mp4", 0.0)] == pytest.approx([0.0, 0.2])


def test_a_file_that_is_cut_short_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (60, 100, 400, 3), np.uint8)
    path = write_video(tmp_path / "a.mkv", list(noise), codec="libx264")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    os.utime(path, (1, 1))  # it is not growing
    with Video(path) as opened:
        seen = list(opened.frames())
    assert 2.0 < seen[-1].time_s < 4.0
    assert opened.note is not None and "cut short" in opened.note
    whole = write_video(tmp_path / "b.mkv", list(noise[:20]), codec="libx264")
    with Video(whole) as opened:
        list(opened.frames())
    assert opened.note is None


def test_noise_in_the_middle_costs_what_it_covers(tmp_path: Path) -> None:
    drawn = [draw_frame({"red": 3 * i}) for i in range(100)]
    path = write_video(tmp_path / "a.mkv", drawn, codec="mpeg4", gop=10)
    content = bytearray(path.read_bytes())
    third = len(content) // 3
    content[third : third + 400] = np.random.default_rng(1).bytes(400)
    path.write_bytes(content)
    os.utime(path, (1, 1))
    assert frames(path)[-1].time_s > 5


def test_a_file_that_repeats_without_end_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_video(tmp_path / "a.mp4", [RED] * 30)
    os.utime(path, (1, 1))
    monkeypatch.setattr(video, "BYTES_OF_PACKET", 2**18)  # as if every packet had more bytes than the file
    with Video(path) as opened:
        seen = list(opened.frames(0.0))
    assert 0 < len(seen) < 30
    assert opened.note == "its frames repeat without end; only the first ones were read"


def test_twelve_hours_are_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_video(tmp_path / "a.mkv", [RED] * 4, times_s=[0, 1, 13 * 3600, 13 * 3600 + 1])
    os.utime(path, (1, 1))
    with Video(path) as opened:
        assert [frame.time_s for frame in opened.frames()] == [0, 1]
    assert opened.note == "only its first 12 hours were read"


def test_what_is_no_video_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_text("no video")
    os.mkfifo(tmp_path / "pipe.mp4")
    with av.open(str(tmp_path / "sound.mp4"), "w") as out:
        stream = out.add_stream("aac", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.rate = 8000
        out.mux(stream.encode(sound))
        out.mux(stream.encode(None))
    for name, message in (
        ("empty", "empty"), ("text", "no video"), ("pipe", "named pipe"), ("sound", "shows no pictures"),
        ("none", "no such file"),
    ):  # fmt: skip
        with pytest.raises(ImageError, match=message):
            Video(tmp_path / f"{name}.mp4")
    monkeypatch.setattr(video, "MAX_PIXELS", 1000)
    with pytest.raises(ImageError, match="larger than the limit"):
        Video(write_video(tmp_path / "large.mp4", [RED]))
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match=r"facespace\[video\]"):
        Video(tmp_path / "text.mp4")


def test_a_playlist_under_a_videos_name_opens_nothing(tmp_path: Path) -> None:
    write_video(tmp_path / "other.ts", [RED] * 5, codec="libx264")
    (tmp_path / "a.mp4").write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.ts\n#EXT-X-ENDLIST\n"
    )
    (tmp_path / "b.mp4").write_text(f"ffconcat version 1.0\nfile '{tmp_path / 'other.ts'}'\n")
    for name in ("a", "b"):
        with pytest.raises(ImageError, match="no video"):
            Video(tmp_path / f"{name}.mp4")


def test_a_damaged_file_ends_no_process(tmp_path: Path) -> None:
    """FFmpeg is not ours: every eighth part of a file is overwritten, in a process that would tell."""
    path = write_video(tmp_path / "a.mp4", [draw_frame({"red": 5 * i}) for i in range(30)], codec="libx264")
    content, rng = path.read_bytes(), np.random.default_rng(0)
    for k in range(8):
        broken = bytearray(content)
        at = k * len(content) // 8
        broken[at : at + 64] = rng.bytes(64)
        (tmp_path / f"broken{k}.mp4").write_bytes(broken)
        os.utime(tmp_path / f"broken{k}.mp4", (1, 1))
    read = (
        "import sys\nfrom facespace.errors import ImageError\nfrom facespace.images import Video\n"
        "for path in sys.argv[1:]:\n"
        "    try:\n        with Video(path) as v: n = len(list(v.frames(0.0)))\n"
        "    except ImageError as error: n = str(error)\n    print(n)"
    )
    paths = sorted(map(str, tmp_path.glob("broken*.mp4")))
    done = subprocess.run([sys.executable, "-c", read, *paths], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 8, done.stderr
    assert done.stderr == ""


def test_listing_has_videos_where_they_are_asked_for(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.jpg", "c.MOV"):
        (tmp_path / name).write_bytes(b"x")
    assert [path.name for path in list_photos(tmp_path).photos] == ["b.jpg"]
    assert [path.name for path in list_photos(tmp_path, videos=True).photos] == ["a.mp4", "b.jpg", "c.MOV"]
