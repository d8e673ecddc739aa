"""The pages as a server answers them."""

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from starlette.testclient import TestClient

from facespace.library import Library
from facespace.library.browse import KINDS
from facespace.library.progress import keep_progress
from facespace.web.app import create_app
from facespace.web.background import Background
from facespace.web.corrections import ACTIONS
from facespace.web.parameters import Action, Kind
from facespace.web.rendering import day
from facespace.web.security import CSRF_HEADER, Guard
from fakes import SPEC, DrawnEmbedder, draw_photo
from inside import inside, sql
from served import make_library, make_site

HOST = "127.0.0.1:8128"
PAGES = ("/", "/?kind=seen-once", "/photos", "/search?q=ann", "/search", "/history", "/names", "/state")


class Asked(TestClient):
    """A browser's requests, with the secret of the pages."""

    def __init__(self, folder: Path) -> None:
        self.site = make_site(folder, Guard(frozenset({HOST})))
        super().__init__(
            create_app(self.site), base_url=f"http://{HOST}", headers={CSRF_HEADER: self.site.guard.csrf}
        )

    def say(self, action: str, **said: Any) -> Any:
        return self.post(f"/say/{action}", json=said)

    def settled(self) -> None:
        """Wait until nothing goes on in the background."""
        until = time.monotonic() + 30
        while self.site.background.state.grouping or self.site.background.state.doing:
            assert time.monotonic() < until
            time.sleep(0.05)


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    client = Asked(make_library(tmp_path))
    yield client
    client.site.close()


def test_an_empty_library_has_pages_too(tmp_path: Path) -> None:
    Library(tmp_path).close()
    client = Asked(tmp_path)
    for path in PAGES:
        assert client.get(path).status_code == 200, path
    assert "facespace people PHOTOS" in client.get("/").text
    assert "run `facespace people PHOTOS` once" in client.post("/scan").json()["error"]
    client.site.close()


def test_the_page_of_a_photo_that_is_cut_short_says_so(asked: Asked) -> None:
    assert "end mark" not in asked.get("/photos/1").text
    with Library(asked.site.folder) as library:
        sql(library).execute("UPDATE photos SET note = 'its end mark is missing' WHERE photo_id = 1")
        sql(library).execute("UPDATE photos SET note = '' WHERE photo_id = 2")
    assert '<p class="note">Its end mark is missing.</p>' in asked.get("/photos/1").text
    assert 'class="note"' not in asked.get("/photos/2").text


def test_every_page_is_there_and_names_no_outside_address(asked: Asked) -> None:
    face = asked.get("/photos/1").text.partition('data-face="')[2][:16]
    for path in (*PAGES, "/people/1", "/people/1/timeline", "/people/1/card", "/photos/1", f"/faces/{face}"):
        answer = asked.get(path)
        assert answer.status_code == 200, path
        assert "http" not in answer.text and "style=" not in answer.text and "<script>" not in answer.text
    for path in (f"/faces/{face}/thumbnail", "/photos/1/small", "/photos/1/large"):
        answer = asked.get(path)
        assert answer.headers["content-type"] == "image/jpeg" and answer.content[:2] == b"\xff\xd8"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/people/99", 404), ("/people/99/timeline", 404), ("/photos/99", 404), ("/photos/99/large", 404),
        ("/photos/1/huge", 404), ("/faces/zz", 404), ("/faces/zz/thumbnail", 404), ("/?kind=none", 422),
        ("/?offset=-1", 422), ("/people/x", 404), ("/nowhere", 404), ("/faces/0000000000000001/thumbnail", 409),
    ],
)  # fmt: skip
def test_what_is_not_there_is_said_in_one_line(asked: Asked, path: str, status: int) -> None:
    assert asked.get(path).status_code == status
    page = asked.get(path, headers={"accept": "text/html"})
    assert page.status_code == status and len(page.text.splitlines()) < 12


@pytest.mark.parametrize(
    ("action", "said", "status"),
    [
        ("name", {"person": 1, "name": "Ann"}, 200),
        ("name", {"person": 1, "name": ""}, 409),
        ("name", {"person": 99, "name": "Ann"}, 409),
        ("name", {"person": 1, "name": "A" * 201}, 422),
        ("name", {"person": 1, "name": "Ann", "more": 1}, 422),
        ("merge", {"person": 1, "others": [2]}, 200),
        ("apart", {"person": 1, "others": [2]}, 200),
        ("apart", {"person": 1}, 409),
        ("split", {"person": 1, "faces": ["1.png#1"], "name": "Bob"}, 200),
        ("confirm", {"person": 1}, 200),
        ("reject", {"person": 1, "faces": ["1.png#1"]}, 200),
        ("not-a-face", {"faces": ["1.png#1"]}, 200),
        ("not-a-face", {"faces": ["../etc/passwd"]}, 409),
        ("hide", {"person": 1}, 200),
        ("undo", {}, 409),
        ("redo", {}, 409),
        ("forget", {"person": 1}, 200),
        ("dance", {}, 404),
    ],
)
def test_a_correction_is_the_librarys_own(
    asked: Asked, action: str, said: dict[str, Any], status: int
) -> None:
    answer = asked.say(action, **said)
    assert answer.status_code == status, answer.text
    with asked.site.library() as library:
        entries = library.history()
    assert [entry.action for entry in entries] == ([action] if status == 200 else [])
    if status == 200:
        assert answer.json()["entry"]["what"] == entries[0].what


def test_suggestions_are_worked_out_again_after_a_correction(asked: Asked) -> None:
    asked.say("name", person=1, name="Ann")
    asked.settled()
    asked.say("reject", person=1, faces=["2.png#1"])
    asked.settled()
    with asked.site.library() as library:
        rows = sql(library).execute("SELECT count(*), sum(person_id = 1) FROM assignments").fetchone()
    assert rows == (7, 2)  # the rejected face is somebody else's now, not nobody's
    assert asked.site.background.state.rounds > 0


def test_a_namesake_is_named(asked: Asked) -> None:
    asked.say("name", person=1, name="Ann")
    answer = asked.say("name", person=2, name=" ann ")
    assert (answer.status_code, answer.json()["namesake"]) == (409, 1)


def test_new_photos_are_read_and_progress_is_told(asked: Asked, tmp_path: Path) -> None:
    draw_photo(tmp_path / "photos/new.png", "red", "green")
    assert asked.post("/scan").json() == {"started": True}
    asked.settled()
    state = asked.get("/state").json()
    assert (state["doing"], state["trouble"]) == (None, None)
    assert "4 faces" in asked.get("/people/1").text


def test_a_scan_by_another_process_is_shown(asked: Asked) -> None:
    with asked.site.library() as library, keep_progress(inside(library)) as progress:
        progress("reading", 3, 7)
        time.sleep(0.6)  # it speaks twice a second
        progress("reading", 4, 7)
        state = asked.get("/state").json()
    assert (state["doing"], state["done"], state["todo"]) == ("reading photos", 4, 7)
    assert asked.get("/state").json()["doing"] is None


def test_a_folder_is_followed(asked: Asked, tmp_path: Path) -> None:
    assert asked.site.background.start(asked.site.follow)
    assert not asked.site.background.start(asked.site.follow)
    draw_photo(tmp_path / "photos/new.png", "red", "green")
    until = time.monotonic() + 30
    while "4 faces" not in asked.get("/people/1").text:
        assert time.monotonic() < until
        time.sleep(0.1)


def test_a_better_model_is_moved_to_while_pages_are_looked_at(asked: Asked) -> None:
    asked.say("name", person=1, name="Ann")
    better = dataclasses.replace(SPEC, version="2", sha256="b" * 64)
    asked.site.embedder = type("Better", (DrawnEmbedder,), {"spec": better})()
    asked.post("/scan")
    asked.settled()
    with asked.site.library() as library:
        n_templates = library.templates.count()
        assert library.model() == better and n_templates[better.sha256] == n_templates[SPEC.sha256] == 7
        assert next(card.name for card in library.browse.people()) == "Ann"
    assert "drawn 2" in asked.get("/").text


def test_a_scan_that_fails_says_why(asked: Asked, tmp_path: Path) -> None:
    (tmp_path / "photos").rename(tmp_path / "away")
    asked.post("/scan")
    asked.settled()
    assert "expected a folder of photos" in asked.get("/state").json()["trouble"]
    answer = asked.get("/photos/1/large")
    assert answer.status_code == 404 and "is its disk connected" in answer.json()["error"]


def test_names_and_paths_are_escaped(tmp_path: Path) -> None:
    client = Asked(make_library(tmp_path, {'<b>"1"</b> é#?.png': ("red",), "2.png": ("red",)}))
    client.say("name", person=1, name='<script>alert("Ann")</script>')
    for path in ("/", "/people/1", "/photos", "/photos/1", "/history", "/search?q=<b>script"):
        text = client.get(path).text
        assert "<b>" not in text and "<script>alert" not in text, path
    client.site.close()


def test_a_name_that_is_not_utf8_is_shown(tmp_path: Path) -> None:
    folder = make_library(tmp_path, {"1.png": ("red",)})
    (tmp_path / "photos/1.png").rename(tmp_path / "photos" / "\udcff.png")
    client = Asked(folder)
    client.post("/scan")
    client.settled()
    assert "\ufffd.png" in client.get("/photos").text
    assert client.get("/photos/1/small").status_code == 200
    client.site.close()


def test_a_person_of_many_faces_comes_by_the_screenful(tmp_path: Path) -> None:
    client = Asked(make_library(tmp_path, {f"{i}.png": ("red",) for i in range(130)}))
    first = client.get("/people/1").text
    assert first.count("data-face=") == 120 and 'href="/people/1?offset=120"' in first
    rest = client.get("/people/1?offset=120&part=true").text
    assert rest.count("data-face=") == 10 and "<html" not in rest and "more" not in rest
    client.site.close()


def test_a_background_that_is_stopped_ends(tmp_path: Path) -> None:
    Library(tmp_path).close()
    background = Background(lambda: Library(tmp_path))
    background.group_soon()
    background.stop()
    assert not background.start(lambda background: background.tell("never"))
    assert background.state.doing is None


def test_what_addresses_may_say_is_what_there_is() -> None:
    assert get_args(Kind) == tuple(KINDS) and get_args(Action) == tuple(ACTIONS)


@pytest.mark.parametrize(
    ("at", "said"),
    [(None, "no date"), ("2019-07", "July 2019"), ("2019-07-04T12:30:00", "4 July 2019")],
)
def test_times_for_people(at: str | None, said: str) -> None:
    assert day(at) == said
