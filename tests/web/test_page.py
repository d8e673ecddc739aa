import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest

from facespace.library import Library
from facespace.web.page import write_page
from facespace.web.rendering import items
from fakes import SPEC, DrawnDetector, DrawnEmbedder, draw_photo


class Reader(HTMLParser):
    """Links with their attributes, and headings, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.faces: list[dict[str, str | None]] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        if values.get("data-box"):
            self.faces.append(values)
        if values.get("src"):
            self.sources.append(str(values["src"]))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / 'odd "names" #1 %41?'
    draw_photo(folder / "1.png", "red", "green")
    draw_photo(folder / "<b>2</b>.png", "red")
    draw_photo(folder / "3.tiff", "red")
    (folder / "bad.jpg").write_bytes(b"x")
    return folder


def written(tmp_path: Path, photos: Path) -> tuple[str, Reader, Path]:
    with Library(tmp_path / "library") as library:
        library.scan(photos, DrawnDetector(), DrawnEmbedder())
        page = write_page(library, library.group(SPEC), photos)
    html = page.read_text(encoding="utf-8")
    reader = Reader()
    reader.feed(html)
    return html, reader, page


def test_every_face_stands_once_and_those_seen_once_at_the_end(tmp_path: Path, photos: Path) -> None:
    html, reader, _ = written(tmp_path, photos)
    assert len(reader.faces) == 4
    assert html.index("3 faces in 3 photos") < html.index("Seen once") < html.index("bad.jpg: not a picture")
    assert reader.faces[-1]["title"] == "1.png"
    assert "1 person in 4 photos" in html


def test_links_lead_to_the_photos_and_thumbnails_are_there(tmp_path: Path, photos: Path) -> None:
    _, reader, page = written(tmp_path, photos)
    linked = {Path(unquote(urlparse(str(face["href"])).path)) for face in reader.faces}
    assert linked == {photos / "1.png", photos / "<b>2</b>.png", photos / "3.tiff"}
    assert all((page.parent / source).stat().st_size > 200 for source in reader.sources)
    (tiff,) = [face for face in reader.faces if face["title"] == "3.tiff"]
    assert (page.parent / str(tiff["data-shown"])).read_bytes()[:2] == b"\xff\xd8"


def test_pages_and_pictures_are_the_owners_alone(tmp_path: Path, photos: Path) -> None:
    _, _, page = written(tmp_path, photos)
    files = [path for path in page.parent.rglob("*") if path.is_file() and path.name != ".gitignore"]
    assert len(files) > 5 and all(path.stat().st_mode & 0o077 == 0 for path in files)


def test_boxes_are_in_per_cent_of_the_photo(tmp_path: Path, photos: Path) -> None:
    _, reader, _ = written(tmp_path, photos)
    (face,) = [f for f in reader.faces if f["title"] == "<b>2</b>.png"]
    left, top, width, height = (float(v) for v in str(face["data-box"]).split())
    assert (left, top, width, height) == pytest.approx((15.8, 20.5, 46.2, 60.0), abs=0.6)


def test_the_page_names_no_outside_address_and_escapes(tmp_path: Path, photos: Path) -> None:
    html, _, _ = written(tmp_path, photos)
    assert not re.search(r"(?:https?:)?//(?!/)[a-z]", html.replace("file://", ""))
    assert "<b>2</b>" not in html and "&lt;b&gt;2&lt;/b&gt;.png" in html
    assert "default-src 'none'" in html and "prefers-color-scheme: dark" in html


def test_only_its_own_style_and_script_are_allowed(tmp_path: Path, photos: Path) -> None:
    html, _, _ = written(tmp_path, photos)
    for tag in ("style", "script"):
        inline = html.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert len(inline) > 1000 and f"{tag}-src 'sha256-{digest}'" in html
    assert "unsafe" not in html and "style=" not in html


def test_each_card_leads_to_its_person(tmp_path: Path, photos: Path) -> None:
    html, _, _ = written(tmp_path, photos)
    assert html.count('href="#person-') == html.count('id="person-') == 1


def test_an_empty_library_has_a_page_too(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    html, reader, _ = written(tmp_path, tmp_path / "photos")
    assert "0 people in 0 photos" in html and "Nobody was seen more than once" in html and reader.faces == []


@pytest.mark.parametrize(
    ("n", "n_videos", "shown"),
    [
        (0, 0, "0 photos"), (1, 0, "1 photo"), (14, 2, "12 photos, 2 videos"), (1, 1, "1 video"),
        (2, 1, "1 photo, 1 video"),
    ],
)  # fmt: skip
def test_photos_and_videos_are_counted_apart(n: int, n_videos: int, shown: str) -> None:
    assert items(n, n_videos) == shown
