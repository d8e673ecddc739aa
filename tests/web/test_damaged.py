"""Pages of a library whose file is damaged: one line that says so, and no fault of ours."""

import logging
import random
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from facespace.web.app import create_app
from facespace.web.security import CSRF_HEADER, Guard
from served import make_library, make_site

HOST = "127.0.0.1:8128"
PAGES = (
    "/", "/?kind=seen-once", "/?kind=to-review", "/people/1", "/people/2/timeline", "/people/1/card", "/photos",
    "/photos?since=2019", "/photos/1", "/photos/1/small", "/search?q=a", "/history", "/names", "/state",
)  # fmt: skip
ROUNDS = 12


def ask_all(folder: Path) -> list[int]:
    """The status of each page and of a few corrections."""
    site = make_site(folder, Guard(frozenset({HOST})))
    site.warm()
    asked = TestClient(create_app(site), base_url=f"http://{HOST}", headers={CSRF_HEADER: site.guard.csrf})
    answers = [asked.get(page) for page in PAGES]
    answers += [asked.get(page, headers={"accept": "text/html"}) for page in PAGES[:2]]
    answers += [asked.post("/say/name", json={"person": 1, "name": "Ann"}), asked.post("/say/undo", json={})]
    answers += [asked.post("/scan")]
    site.close()
    for answer in answers:
        assert answer.status_code < 500 or answer.status_code == 503, answer.text
        assert (
            "Traceback" not in answer.text and str(folder.parent) not in answer.text.partition("<footer")[0]
        )
    return [answer.status_code for answer in answers]


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_flipped_bytes(tmp_path: Path, caplog: pytest.LogCaptureFixture, seed: int) -> None:
    folder, chance = make_library(tmp_path), random.Random(seed)
    file = folder / "library.sqlite"
    content = bytearray(file.read_bytes())
    for _ in range(40 * (seed + 1)):
        content[chance.randrange(100, len(content))] ^= 1 << chance.randrange(8)
    file.write_bytes(content)
    ask_all(folder)
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("keep", [0, 50, 4096, 20_000])
def test_a_file_that_ends_too_early(tmp_path: Path, keep: int) -> None:
    folder = make_library(tmp_path)
    file = folder / "library.sqlite"
    file.write_bytes(file.read_bytes()[:keep])
    ask_all(folder)


@pytest.mark.parametrize(
    ("statement", "page"),
    [
        ("UPDATE photos SET taken_at = 'x'", "/photos"),
        ("UPDATE photos SET taken_at = '2019-99-99T'", "/people/1/timeline"),
        ("UPDATE photos SET width = 'x', height = x'00'", "/photos/1"),
        ("UPDATE photos SET path = 7", "/photos"),
        ("UPDATE photos SET path = x'ff2e6a7067' || photo_id", "/photos"),
        ("UPDATE faces SET x0 = NULL", "/photos/1"),
        ("UPDATE faces SET quality = 'x', thumbnail = 5", "/people/1"),
        ("UPDATE people SET name = CAST(x'fffe' AS TEXT) WHERE person_id = 1", "/"),
        ("UPDATE people SET name = 12 WHERE person_id = 1", "/search?q=1"),
        ("UPDATE templates SET vector = x'00'", "/people/1"),
        ("UPDATE models SET spec = '{'", "/"),
        ("UPDATE grouping SET model = 'x'", "/people/1"),
        ("DELETE FROM models", "/"),
        ("DROP TABLE people", "/"),
    ],
)
def test_rows_that_cannot_be(tmp_path: Path, statement: str, page: str) -> None:
    import sqlite3

    folder = make_library(tmp_path)
    with sqlite3.connect(folder / "library.sqlite") as catalogue:
        catalogue.execute("PRAGMA ignore_check_constraints = ON")
        try:
            catalogue.execute(statement)
        except sqlite3.IntegrityError:
            pytest.skip("the schema itself refuses it")
    catalogue.close()
    ask_all(folder)


def test_the_page_names_the_file_and_what_to_do(tmp_path: Path) -> None:
    folder = make_library(tmp_path)
    (folder / "library.sqlite").write_bytes(b"no database " * 1000)
    site = make_site(folder, Guard(frozenset({HOST})))
    asked = TestClient(create_app(site), base_url=f"http://{HOST}")
    for accept in ("text/html", "application/json"):
        answer = asked.get("/", headers={"accept": accept})
        assert answer.status_code == 503 and "library.sqlite" in answer.text and "damaged" in answer.text
        assert str(tmp_path) not in answer.text
    site.close()


def test_a_name_of_a_megabyte_makes_no_page_of_megabytes(tmp_path: Path) -> None:
    import sqlite3

    folder = make_library(tmp_path)
    with sqlite3.connect(folder / "library.sqlite") as catalogue:
        catalogue.execute("UPDATE people SET name = ? WHERE person_id = 1", ("\u202ex\x1b<b>" * 200_000,))
    catalogue.close()
    site = make_site(folder, Guard(frozenset({HOST})))
    asked = TestClient(create_app(site), base_url=f"http://{HOST}")
    for page in PAGES:
        answer = asked.get(page)
        assert answer.status_code == 200 and len(answer.content) < 100_000, page
        if page not in ("/names", "/photos/1/small"):
            assert "\x1b" not in answer.text and "<b>" not in answer.text and "\u202e" not in answer.text
    site.close()
