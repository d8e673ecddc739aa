"""The main flows by click and key in a headless browser, with no error on its console and no request elsewhere."""

import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drawn_album import scanned
from drawn_video import draw_frame, write_video
from facespace.library import Library
from facespace.web.page import write_page
from facespace.web.security import Sessions
from fakes import draw_photo
from inside import sql
from served import make_library, served

playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install 'facespace[dev]'")
playwright.expect.set_options(timeout=15_000)  # of a busy machine
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return make_library(tmp_path)


@pytest.fixture
def page(browser: Any, library: Path) -> Iterator[Any]:
    """The people's page; the test fails where the console complains or anything else is asked."""
    with served(library) as address:
        context = browser.new_context(base_url=address)
        opened = context.new_page()
        opened.set_default_timeout(15_000)
        complaints: list[str] = []
        # A correction that is refused is a failed request to Chromium, too.
        opened.on(
            "console",
            lambda m: (
                m.type == "error"
                and not re.search("status of 4(09|22)", m.text)
                and complaints.append(m.text)
            ),
        )
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.on("request", lambda r: r.url.startswith((address, "data:")) or complaints.append(r.url))
        opened.goto("/")
        yield opened
        context.close()
        assert complaints == []


def card(page: Any, colour: int) -> Any:
    """The n-th largest person's card."""
    return page.locator(".card").nth(colour)


def open_person(page: Any, place: int) -> None:
    card(page, place).locator("a.face").click()
    page.wait_for_url("**/people/*")
    page.wait_for_load_state()


def told(page: Any) -> Any:
    return page.locator("#toast span")


def people(folder: Path) -> dict[str | None, int]:
    with Library(folder) as library:
        return {who.name: who.n_faces for who in library.browse.people()}


def expect(locator: Any) -> Any:
    return playwright.expect(locator)


def test_a_name_is_typed_and_completed(page: Any, library: Path) -> None:
    field = card(page, 0).locator("input[name=name]")
    field.fill("Ann Lee")
    field.press("Enter")
    expect(told(page)).to_contain_text("Ann Lee")
    expect(page.locator('#names option[value="Ann Lee"]')).to_have_count(1)
    assert people(library) == {"Ann Lee": 3, None: 2}
    page.reload()
    expect(card(page, 0).locator("input[name=name]")).to_have_value("Ann Lee")


def test_the_same_name_twice_is_one_person(page: Any, library: Path) -> None:
    for place in (0, 1):
        field = card(page, place).locator("input[name=name]")
        field.fill("Ann")
        field.press("Enter")
        expect(told(page) if place == 0 else page.locator("#ask p")).to_contain_text("Ann")
    page.locator("#ask button[value=yes]").click()
    expect(page.locator(".card")).to_have_count(1)
    assert people(library) == {"Ann": 5}


def test_a_card_dropped_on_another_merges_and_undo_parts_them(page: Any, library: Path) -> None:
    card(page, 1).locator("a.face").drag_to(card(page, 0).locator("a.face"))
    expect(page.locator(".card")).to_have_count(1)
    assert people(library) == {None: 5}
    page.locator('#toast [data-do="undo"]').click()
    expect(page.locator(".card")).to_have_count(2)


def test_people_are_chosen_and_merged_by_keys(page: Any, library: Path) -> None:
    page.keyboard.press("ArrowRight")
    page.keyboard.press("x")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("x")
    expect(page.locator("#actions .n")).to_have_text("2 selected")
    page.keyboard.press("m")
    expect(page.locator(".card")).to_have_count(1)
    assert people(library) == {None: 5}
    page.keyboard.press("u")
    expect(page.locator(".card")).to_have_count(2)


def test_escape_takes_back_what_is_typed_and_chosen(page: Any) -> None:
    field = card(page, 0).locator("input[name=name]")
    field.fill("Ann")
    field.press("Escape")
    expect(field).to_have_value("")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("x")
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator("#actions")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#actions")).to_be_hidden()
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()


def test_people_who_look_alike_are_joined_or_told_apart(browser: Any, tmp_path: Path) -> None:
    # Two faces of one photo are two people, however alike they are.
    library = make_library(tmp_path, {f"{i}.png": ("red", "rust", "blue") for i in range(2)})
    with served(library) as address:
        page = browser.new_page(base_url=address)
        page.goto("/people/1")
        expect(page.locator(".like")).to_have_count(1)
        page.locator('.like [data-do="different"]').click()
        expect(page.locator(".like")).to_have_count(0)
        page.locator('#toast [data-do="undo"]').click()
        page.locator(".like").wait_for()
        page.wait_for_load_state()
        page.locator('.like [data-do="same"]').click()
        expect(page.locator(".who")).to_contain_text("4 faces in 2 photos")
        page.close()


def test_suggestions_are_answered_by_one_key_each(page: Any, library: Path, tmp_path: Path) -> None:
    card(page, 0).locator("input[name=name]").fill("Ann")
    card(page, 0).locator("input[name=name]").press("Enter")
    expect(told(page)).to_contain_text("Ann")
    draw_photo(tmp_path / "photos/5.png", "red")
    draw_photo(tmp_path / "photos/6.png", "red")
    page.locator('[data-do="scan"]').click()
    expect(page.locator(".card").first).to_contain_text("2 to review")
    open_person(page, 0)
    expect(page.locator(".tile.waits")).to_have_count(2)
    expect(page.locator(".tile.waits figcaption").first).to_contain_text("1 in")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("y")
    expect(page.locator(".tile.waits")).to_have_count(1)
    page.locator(".tile.waits a.face").focus()
    page.keyboard.press("n")
    expect(page.locator(".tile.waits")).to_have_count(0)
    with Library(library) as opened:
        states = (
            sql(opened)
            .execute(
                "SELECT (SELECT count(*) FROM assignments WHERE state = 'confirmed'), (SELECT count(*) FROM rejections)"
            )
            .fetchone()
        )
    assert states == (4, 1)


def test_faces_are_split_off_by_selection(page: Any, library: Path) -> None:
    open_person(page, 0)
    page.locator(".tile").nth(2).hover()
    page.locator(".tile").nth(2).locator(".pick input").check()
    page.locator('#actions input[name="name"]').fill("Bob")
    page.locator('#actions input[name="name"]').press("Enter")
    expect(page.locator(".tile")).to_have_count(2)
    assert people(library)["Bob"] == 1


def test_what_is_no_face_is_put_away(page: Any, library: Path) -> None:
    page.goto("/?kind=seen-once")
    expect(page.locator(".card")).to_have_count(2)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("f")
    expect(page.locator(".card")).to_have_count(1)
    page.goto("/history")
    expect(page.locator(".entries li")).to_contain_text("not a face")
    page.locator(".entries button").click()
    expect(page.locator(".taken-back")).to_have_count(1)
    page.goto("/?kind=seen-once")
    expect(page.locator(".card")).to_have_count(2)


def test_a_photo_shows_its_boxes_and_takes_names(page: Any, library: Path) -> None:
    page.goto("/photos")
    page.locator('a[title="1.png"]').click()
    page.wait_for_url("**/photos/1")
    expect(page.locator("svg rect")).to_have_count(2)
    page.keyboard.press("Shift+ArrowRight")
    page.wait_for_url("**/photos/2")
    page.keyboard.press("Shift+ArrowLeft")
    page.wait_for_url("**/photos/1")
    box = page.locator("svg rect").first.bounding_box()
    image = page.locator(".boxed img").bounding_box()
    assert (box["x"] - image["x"]) / image["width"] == pytest.approx(20.5 / 220, abs=0.02)
    field = page.locator(".row-face").nth(1).locator("input[name=name]")
    field.fill("Gus")
    field.press("Enter")
    expect(told(page)).to_contain_text("Gus")
    assert people(library)["Gus"] == 2


def test_a_video_plays_from_a_face_and_plays_on_while_it_is_named(page: Any, library: Path) -> None:
    photos = library.parent / "photos"
    frames = [draw_frame({"red": 20})] * 30 + [draw_frame({"blue": 20})] * 30
    write_video(photos / "clip.mp4", frames, codec="libx264")
    with Library(library) as opened:
        scanned(opened, photos)
        number = opened.browse.face("clip.mp4#2").photo_id
    page.goto(f"/photos/{number}")
    second = page.locator(".row-face").nth(1)
    until(page, "film.readyState >= 1")  # its length is known
    assert page.evaluate("film.duration") == pytest.approx(6.0, abs=0.2)
    second.locator("a.face").focus()
    page.keyboard.press("p")
    until(page, "film.currentTime >= 3 && !film.seeking")
    page.evaluate("film.pause()")
    at = page.evaluate("film.currentTime")
    second.locator("input[name=name]").fill("Bo")
    second.locator("input[name=name]").press("Enter")
    expect(told(page)).to_contain_text("Bo")
    expect(page.locator(".row-face").nth(1).locator("a[href^='/people/']")).to_have_text("Bo")
    assert page.evaluate("film.currentTime") == at  # the page was brought up to date around it
    page.goto("/people/" + str(person_of(library, "Bo")))
    page.locator('.tile a[aria-label*="clip.mp4 at 0:03"]').click()
    until(page, "film.readyState >= 1 && film.currentTime >= 3")


def until(page: Any, condition: str) -> None:
    """Wait for it from here: the page's own rules forbid the evaluation that `wait_for_function` polls with."""
    end = time.monotonic() + 60
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        page.wait_for_timeout(50)


def person_of(folder: Path, name: str) -> int:
    with Library(folder) as library:
        return next(who.person for who in library.browse.people() if who.name == name)


def test_a_face_finds_its_like_and_so_does_a_photo(page: Any, tmp_path: Path) -> None:
    page.goto("/photos")
    page.locator('a[title="2.png"]').click()
    page.locator(".row-face a.face").click()
    expect(page.locator(".tile").first).to_contain_text("0.00")
    page.goto("/search")
    page.set_input_files("#upload input", draw_photo(tmp_path / "probe.png", "green"))
    expect(page.locator("#found .probe")).to_have_count(1)
    expect(page.locator("#found .tile").first).to_contain_text("0.00")
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    page.set_input_files("#upload input", tmp_path / "bad.jpg")
    expect(told(page)).to_contain_text("not a picture")


def test_a_person_is_forgotten_only_when_one_is_sure(page: Any, library: Path) -> None:
    open_person(page, 0)
    page.locator('[data-do="forget"]').click()
    page.locator('#ask [value="no"]').click()
    page.locator('[data-do="forget"]').click()
    page.locator('#ask [value="yes"]').click()
    expect(page.locator(".card")).to_have_count(1)
    assert people(library) == {None: 2}


def test_a_name_that_is_no_name_is_refused_and_the_field_is_as_it_was(page: Any, library: Path) -> None:
    field = card(page, 0).locator("input[name=name]")
    field.fill("7")
    field.press("Enter")
    expect(told(page)).to_contain_text("expected a name with a letter in it")
    expect(field).to_have_value("")
    with Library(library) as opened:
        assert opened.browse.names() == []


def test_a_code_lets_the_browser_in_and_leaves_its_address(browser: Any, library: Path) -> None:
    sessions = Sessions("facespace-test")
    with served(library, sessions) as address:
        context = browser.new_context(base_url=address)
        page = context.new_page()
        page.goto(f"/people/1?code={sessions.new_code()}")
        assert page.url == f"{address}/people/1"
        page.reload()
        page.locator("a[href='/people/1/timeline']").click()
        page.wait_for_url("**/people/1/timeline")
        field = page.locator(".who input[name=name]")
        field.fill("Ann")
        field.press("Enter")
        expect(told(page)).to_contain_text("Ann")
        other = browser.new_context(base_url=address).new_page()
        assert other.goto("/people/1").status == 401
        # A link on another site brings no cookie; the page that answers it asks again.
        page.goto("about:blank")
        page.set_content(f"<a href='{address}/people/1'>look</a>")
        page.locator("a").click()
        expect(page.locator(".who input[name=name]")).to_have_value("Ann")
        context.close()
    assert people(library)["Ann"] == 3


def test_the_offline_page_opens_photos(browser: Any, library: Path, tmp_path: Path) -> None:
    with Library(library) as opened:
        written = write_page(opened, opened.group(), tmp_path / "photos")
    page = browser.new_page()
    complaints: list[str] = []
    page.on("console", lambda m: m.type == "error" and complaints.append(m.text))
    page.on("request", lambda r: r.url.startswith("file:") or complaints.append(r.url))
    page.goto(written.as_uri())
    page.locator(".card a.face").first.click()
    assert page.url.endswith("#person-1")
    page.locator("section .tile a.face").first.click()
    expect(page.locator(".viewer")).to_be_visible()
    first = page.locator(".viewer figcaption a").inner_text()
    box, image = page.locator(".viewer .box").bounding_box(), page.locator(".viewer img").bounding_box()
    assert 0.2 < box["height"] / image["height"] < 0.9
    page.keyboard.press("ArrowRight")
    expect(page.locator(".viewer figcaption a")).not_to_have_text(first)
    page.locator(".viewer [data-close]").click()
    expect(page.locator(".viewer")).to_be_hidden()
    assert complaints == []
    page.close()


def test_phones_and_the_dark(browser: Any, library: Path) -> None:
    with served(library) as address:
        context = browser.new_context(
            base_url=address, color_scheme="dark", viewport={"width": 360, "height": 740}, has_touch=True
        )
        page = context.new_page()
        for path in ("/", "/people/1", "/photos", "/photos/1", "/search", "/history"):
            page.goto(path)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
            assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(19, 20, 22)"
        context.close()
