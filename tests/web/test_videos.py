"""Videos on the pages: as tiles, as moments of a person, and played by parts of the file under the guards of photos."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from drawn_album import scanned
from drawn_video import draw_frame, write_video
from facespace.http.ranges import asked_bytes
from facespace.library import Library
from facespace.library.faces import face_key
from facespace.web import videos
from facespace.web.app import create_app
from facespace.web.page import write_page
from facespace.web.rendering import clock
from facespace.web.security import CSRF_HEADER, Guard, Sessions
from facespace.web.site import Site
from fakes import SPEC, draw_photo
from inside import sql
from served import make_site

HOST = "127.0.0.1:8128"
RED, BOTH = draw_frame({"red": 20}), draw_frame({"blue": 20, "green": 200})
CLIP = "ann & bob's <clip>.mp4"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Red for three seconds, then blue and green at once for two."""
    return write_video(tmp_path_factory.mktemp("made") / "clip.mp4", [RED] * 30 + [BOTH] * 20).read_bytes()


@pytest.fixture
def photos(tmp_path: Path, clip: bytes) -> Path:
    draw_photo(tmp_path / "photos" / "red.png", "red")
    (tmp_path / "photos" / CLIP).write_bytes(clip)
    return tmp_path / "photos"


@pytest.fixture
def site(tmp_path: Path, photos: Path) -> Iterator[Site]:
    with Library(tmp_path / "library") as library:
        scanned(library, photos)
    made = make_site(tmp_path / "library", Guard(frozenset({HOST})))
    yield made
    made.close()


@pytest.fixture
def asked(site: Site) -> TestClient:
    return TestClient(create_app(site), base_url=f"http://{HOST}", headers={CSRF_HEADER: site.guard.csrf})


@pytest.fixture
def number(site: Site) -> int:
    """Of the video."""
    with site.library() as library:
        return next(view.photo_id for view in library.browse.photos() if view.kind == "video")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None), ("", None), ("bytes=0-", (0, 10)), ("bytes=0-0", (0, 1)), ("bytes=3-5", (3, 6)),
        ("bytes=9-", (9, 10)),
        ("bytes=3-99", (3, 10)), ("bytes=-3", (7, 10)), ("bytes=-99", (0, 10)), ("BYTES = 3-5 ", (3, 6)),
        ("bytes=-", None), ("bytes=5-3", None), ("bytes=1-2,4-5", None), ("bytes=x-", None), ("bytes=\u0663-", None),
        ("bytes=--3", None), ("items=0-1", None), ("bytes=" + "9" * 5000 + "-", None), ("bytes", None),
    ],
)  # fmt: skip
def test_what_a_range_asks_for(header: str | None, expected: tuple[int, int] | None) -> None:
    assert asked_bytes(header, 10) == (None if expected is None else range(*expected))


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=10-", 10), ("bytes=10-12", 10), ("bytes=-0", 10), ("bytes=0-", 0)]
)
def test_a_range_behind_the_end_cannot_be_answered(header: str, size: int) -> None:
    assert asked_bytes(header, size) == range(0)


@given(size=st.integers(1, 50), first=st.integers(0, 60), length=st.integers(1, 60))
def test_a_range_is_the_slice_of_python(size: int, first: int, length: int) -> None:
    content = bytes(range(size))
    asked = asked_bytes(f"bytes={first}-{first + length - 1}", size)
    assert asked is not None and bytes(content[i] for i in asked) == content[first : first + length]


def test_a_video_is_sent_whole_or_in_parts(asked: TestClient, number: int, clip: bytes) -> None:
    whole = asked.get(f"/photos/{number}/video")
    assert (whole.status_code, whole.content) == (200, clip)
    assert whole.headers["content-type"] == "video/mp4" and whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["cache-control"] == "no-store" and int(whole.headers["content-length"]) == len(clip)
    for header, expected in (("bytes=0-99", clip[:100]), ("bytes=100-", clip[100:]), ("bytes=-7", clip[-7:])):
        part = asked.get(f"/photos/{number}/video", headers={"range": header})
        assert (part.status_code, part.content) == (206, expected), header
        assert part.headers["content-range"].endswith(f"/{len(clip)}")
        assert int(part.headers["content-length"]) == len(expected)
    beyond = asked.get(f"/photos/{number}/video", headers={"range": f"bytes={len(clip)}-"})
    assert (beyond.status_code, beyond.content) == (416, b"")
    assert beyond.headers["content-range"] == f"bytes */{len(clip)}"
    assert asked.get(f"/photos/{number}/video", headers={"range": "bytes=1-2,4-5"}).content == clip


def test_a_long_range_comes_in_parts(
    asked: TestClient, number: int, clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(videos, "MOST_BYTES", 1000)
    got = b""
    while len(got) < len(clip):
        part = asked.get(f"/photos/{number}/video", headers={"range": f"bytes={len(got)}-"})
        assert part.status_code == 206 and 0 < len(part.content) <= 1000
        assert part.headers["content-range"].startswith(
            f"bytes {len(got)}-{len(got) + len(part.content) - 1}/"
        )
        got += part.content
    assert got == clip


def test_a_head_has_no_body(asked: TestClient, number: int, clip: bytes) -> None:
    answer = asked.head(f"/photos/{number}/video")
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) == len(clip) and answer.headers["accept-ranges"] == "bytes"
    assert asked.head(f"/photos/{number}/video", headers={"range": f"bytes={len(clip)}-"}).status_code == 416
    assert asked.head("/photos/99/video").status_code == 404


def test_a_part_of_what_has_changed_is_the_whole(asked: TestClient, number: int, photos: Path) -> None:
    first = asked.get(f"/photos/{number}/video", headers={"range": "bytes=0-9"})
    asks = {"range": "bytes=10-19", "if-range": first.headers["etag"]}
    assert asked.get(f"/photos/{number}/video", headers=asks).status_code == 206
    (photos / CLIP).write_bytes(b"another film" * 10)
    changed = asked.get(f"/photos/{number}/video", headers=asks)
    assert (changed.status_code, changed.content) == (200, b"another film" * 10)
    assert changed.headers["etag"] != first.headers["etag"]


@pytest.mark.skipif(os.name == "nt", reason="links and pipes are not for everybody there")
@pytest.mark.parametrize("kind", ["gone", "link out", "pipe", "device", "folder"])
def test_what_has_taken_the_place_of_a_video_is_not_sent(
    asked: TestClient, number: int, photos: Path, kind: str
) -> None:
    secret = photos.parent / "secret.mp4"
    secret.write_bytes((photos / CLIP).read_bytes())
    (photos / CLIP).unlink()
    match kind:
        case "link out":
            (photos / CLIP).symlink_to(secret)
        case "pipe":
            os.mkfifo(photos / CLIP)
        case "device":
            (photos / CLIP).symlink_to("/dev/zero")
        case "folder":
            (photos / CLIP).mkdir()
    for path in ("video", "small", "large"):
        answer = asked.get(f"/photos/{number}/{path}", headers={"range": "bytes=0-99"})
        assert answer.status_code == 404 and str(photos) not in answer.text, path
        assert len(answer.text.splitlines()) == 1


def test_only_videos_are_sent_as_they_are(asked: TestClient, number: int) -> None:
    other = 3 - number
    assert asked.get(f"/photos/{other}/large").status_code == 200
    answer = asked.get(f"/photos/{other}/video")
    assert answer.status_code == 404 and "expected a video" in answer.json()["error"]


def test_the_film_of_a_still_is_played_with_it(site: Site, photos: Path, clip: bytes) -> None:
    """Of a live photo the file beside it; of a motion photo what stands behind its pixels."""
    short = write_video(photos / "live.mov", [RED] * 30).read_bytes()
    draw_photo(photos / "live.png", "red").rename(photos / "live.jpg")
    with Library(site.folder) as library:
        scanned(library, photos)
        views = {view.photo: view for view in library.browse.photos()}
        motion = views["red.png"]
        sql(library).execute("UPDATE photos SET motion_offset = 100 WHERE photo_id = ?", (motion.photo_id,))
    asked = TestClient(create_app(site), base_url=f"http://{HOST}")
    assert "live.mov" not in views and views["live.jpg"].has_motion
    assert asked.get(f"/photos/{views['live.jpg'].photo_id}/video").content == short
    behind = (photos / "red.png").read_bytes()[100:]
    part = asked.get(f"/photos/{motion.photo_id}/video", headers={"range": "bytes=5-"})
    assert (part.status_code, part.content) == (206, behind[5:])
    assert part.headers["content-range"] == f"bytes 5-{len(behind) - 1}/{len(behind)}"
    assert asked.get(f"/photos/{motion.photo_id}/video").content == behind
    for view in (views["live.jpg"], motion):
        assert "Play the moment" in asked.get(f"/photos/{view.photo_id}").text
    assert "Play the moment" not in asked.get(f"/photos/{views[CLIP].photo_id}").text
    assert asked.get("/photos").text.count("with the film of its moment") == 2


def test_nobody_who_was_not_let_in_gets_a_part(site: Site, number: int) -> None:
    guarded = TestClient(
        create_app(make_site(site.folder, Guard(frozenset({HOST}), sessions=Sessions("x")))),
        base_url=f"http://{HOST}",
    )
    for method in ("GET", "HEAD"):
        assert (
            guarded.request(method, f"/photos/{number}/video", headers={"range": "bytes=0-9"}).status_code
            == 401
        )
    foreign = TestClient(
        create_app(site), base_url=f"http://{HOST}", headers={"sec-fetch-site": "cross-site"}
    )
    assert foreign.get(f"/photos/{number}/video").status_code == 403
    policy = foreign.get(f"/photos/{number}/video").headers["content-security-policy"]
    assert "media-src" not in policy or "media-src 'self'" in policy


def test_a_video_is_a_tile_with_its_length_and_a_frame(asked: TestClient, number: int) -> None:
    page = asked.get("/photos").text
    assert page.count('class="moment"') == 1 and "▶ 0:05" in page and "a video of 0:05" in page
    for size in ("small", "large"):
        answer = asked.get(f"/photos/{number}/{size}")
        assert answer.headers["content-type"] == "image/jpeg" and answer.content[:2] == b"\xff\xd8"


def test_the_page_of_a_video_plays_each_appearance(asked: TestClient, number: int, site: Site) -> None:
    page = asked.get(f"/photos/{number}").text
    assert f'src="/photos/{number}/video"' in page and "autoplay" not in page and "<rect" not in page
    assert page.count('data-do="play"') == 3 and page.count('data-at="3.0"') == 2
    assert 'aria-label="Play from 0:03"' in page and 'aria-label="Name of face 2 at 0:03"' in page
    with site.library() as library:
        face = library.browse.photo(number).faces[1]
    link = re.search(rf'href="(/photos/{number}\?face=[0-9a-f]+)"', asked.get(f"/people/{face.person}").text)
    assert link is not None
    there = asked.get(link[1]).text
    assert f'src="/photos/{number}/video#t=3.0"' in there and "autoplay" in there
    assert asked.get(f"/photos/{number}?face=zz").status_code == 200


def test_moments_stand_among_the_faces_of_a_person(asked: TestClient, site: Site) -> None:
    with site.library() as library:
        person = library.browse.face("red.png#1").person
    for path in (f"/people/{person}", f"/people/{person}/timeline"):
        page = asked.get(path).text
        assert page.count('class="tile"') == 2 and page.count('class="moment"') == 1, path
        assert "at 0:00" in page and "▶ 0:00" in page
        assert CLIP not in page and "ann &amp; bob" in page  # as a name it is no markup


def test_a_track_is_named_corrected_and_searched_by_as_a_face(
    asked: TestClient, number: int, site: Site
) -> None:
    with site.library() as library:
        tracks = library.browse.photo(number).faces
    red, blue, green = (face_key(face.face_id) for face in tracks)
    sent = {"person": tracks[0].person, "faces": [red], "name": "Ann"}
    assert asked.post("/say/split", json=sent).status_code == 200
    assert asked.post("/say/not-a-face", json={"faces": [blue]}).status_code == 200
    with site.library() as library:
        named = {face.address.rpartition("#")[2]: face.title for face in library.browse.photo(number).faces}
    assert (named["1"], named["2"]) == ("Ann", "Not a face") and named["3"].startswith("Person")
    page = asked.get(f"/photos/{number}").text
    assert 'value="Ann"' in page and "Not a face" in page
    assert "red.png" in asked.get(f"/faces/{red}").text
    assert 'class="moment"' in asked.get(f"/faces/{green}").text  # other tracks are found too


def test_the_offline_page_links_the_moment(tmp_path: Path, photos: Path, site: Site) -> None:
    with Library(site.folder) as library:
        html = write_page(library, library.group(SPEC), photos).read_text(encoding="utf-8")
    links = re.findall(r'href="(file:[^"]*)"[^>]*aria-label="([^"]*)"( data-shown)?', html)
    moments = [(href, label, shown) for href, label, shown in links if "#t=" in href]
    assert [href.partition("#")[2] for href, _, _ in moments] == ["t=0.0", "t=3.0", "t=3.0"]
    assert all(" at 0:0" in label and not shown for _, label, shown in moments)
    assert sum(bool(shown) for _, _, shown in links) == 1 and html.count('class="moment"') == 3


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0:00"),
        (-1, "0:00"),
        (9.99, "0:09"),
        (75.3, "1:15"),
        (3599, "59:59"),
        (3671, "1:01:11"),
        (43200, "12:00:00"),
    ],
)
def test_times_in_a_video(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown
