"""Photos that are no longer what was scanned, and uploads that are more than they seem."""

import io
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

from facespace.images import decode_image
from facespace.web import finding, photo_files
from facespace.web.app import create_app
from facespace.web.security import CSRF_HEADER, Guard
from facespace.web.site import Site
from fakes import draw_photo
from served import make_library, make_site

HOST = "127.0.0.1:8128"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = make_site(make_library(tmp_path), Guard(frozenset({HOST})))
    yield made
    made.close()


@pytest.fixture
def asked(site: Site) -> TestClient:
    return TestClient(create_app(site), base_url=f"http://{HOST}", headers={CSRF_HEADER: site.guard.csrf})


def exchange(photo: Path, kind: str) -> None:
    """Put something else in the place of a photo."""
    outside = draw_photo(photo.parents[1] / "outside/secret.png", "blue")
    photo.unlink()
    match kind:
        case "pipe":
            os.mkfifo(photo)
        case "device":
            photo.symlink_to("/dev/zero")
        case "folder":
            photo.mkdir()
        case "link out":
            photo.symlink_to(outside)
        case "link to a file of the system":
            photo.symlink_to("/etc/passwd")
        case "link to itself":
            photo.symlink_to(photo.name)
        case "huge":
            with photo.open("wb") as file:
                file.truncate(photo_files.MAX_FILE_BYTES + 1)
        case "bomb":
            photo.write_bytes(bomb())
        case "text":
            photo.write_text("secret")


def bomb(side_px: int = 13_300) -> bytes:
    """A picture of 177 megapixels in 22 kB."""
    written = io.BytesIO()
    Image.new("1", (side_px, side_px)).save(written, "PNG")
    return written.getvalue()


KINDS = (
    "pipe", "device", "folder", "link out", "link to a file of the system", "link to itself", "huge", "bomb", "text",
    "nothing",
)  # fmt: skip


@pytest.mark.skipif(os.name == "nt", reason="links and pipes are not for everybody there")
@pytest.mark.parametrize("kind", KINDS)
def test_what_has_taken_the_place_of_a_photo_is_not_shown(
    asked: TestClient, tmp_path: Path, kind: str
) -> None:
    assert asked.get("/photos/1/large").status_code == 200
    exchange(tmp_path / "photos/1.png", kind)
    for size in ("small", "large"):
        answer = asked.get(f"/photos/1/{size}")
        assert answer.status_code == 404 and str(tmp_path) not in answer.text
        assert answer.json()["error"].startswith("1.png: ")
    assert asked.get("/photos/1").status_code == 200


@pytest.mark.skipif(os.name == "nt", reason="links and pipes are not for everybody there")
def test_a_folder_that_became_a_link_out_is_not_entered(asked: TestClient, tmp_path: Path) -> None:
    (number,) = [n for n in range(1, 5) if "sub/3.png" in asked.get(f"/photos/{n}").text]
    (tmp_path / "photos/sub").rename(tmp_path / "moved")
    (tmp_path / "photos/sub").symlink_to(tmp_path / "moved")
    assert "leads out of its folder" in asked.get(f"/photos/{number}/large").json()["error"]


@pytest.mark.skipif(os.name == "nt", reason="links and pipes are not for everybody there")
def test_a_link_inside_the_folder_is_followed(asked: TestClient, tmp_path: Path) -> None:
    (tmp_path / "photos/1.png").rename(tmp_path / "photos/sub/moved.png")
    (tmp_path / "photos/1.png").symlink_to("sub/moved.png")
    assert asked.get("/photos/1/large").status_code == 200


@pytest.mark.parametrize("content", [b"", b"x", b"\x89PNG\r\n\x1a\n", bomb(), b"II*\0\xff\xff\xff\xff"])
def test_uploads_that_are_no_picture_are_refused(asked: TestClient, content: bytes) -> None:
    answer = asked.post("/search/photo", content=content, headers={"content-type": "image/png"})
    assert answer.status_code == 422 and answer.json()["error"].startswith("the uploaded photo: ")


def test_a_large_jpeg_is_reduced_while_it_is_decoded(asked: TestClient) -> None:
    written = io.BytesIO()
    Image.new("L", (10_000, 6000), 255).save(written, "JPEG")
    answer = asked.post("/search/photo", content=written.getvalue(), headers={"content-type": "image/jpeg"})
    assert answer.status_code == 200 and "No face was found" in answer.text


def test_uploads_are_decoded_one_at_a_time_and_few_wait(
    asked: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, inside, most = threading.Event(), threading.Semaphore(0), [0, 0]

    def waiting(*arguments: object, **named: object) -> object:
        most[0] += 1
        most[1] = max(most)
        inside.release()
        go_on.wait(60)
        most[0] -= 1
        return decode_image(*arguments, **named)

    monkeypatch.setattr(finding, "decode_image", waiting)
    monkeypatch.setattr(finding, "MAX_WAITING", 2)
    photo = draw_photo(tmp_path / "probe.png", "green").read_bytes()
    statuses: list[int] = []

    def search() -> None:
        sent = asked.post("/search/photo", content=photo, headers={"content-type": "image/png"})
        statuses.append(sent.status_code)
        if sent.status_code == 503:
            go_on.set()

    with asked:  # one event loop for all
        threads = [threading.Thread(target=search) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert most[1] == 1 and 503 in statuses and 200 in statuses and set(statuses) == {200, 503}
