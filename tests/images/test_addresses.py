"""Photos at addresses: pyarrow's local file system, fsspec's in memory, and S3 itself, spoken by a small server."""

import pickle
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest

from facespace.errors import DataError, ImageError, InputError
from facespace.extract import embed_photos
from facespace.images import list_photos, photo_path, read_bytes, read_image
from facespace.images.addresses import Address
from facespace.table import FaceTable
from fakes import DrawnDetector, DrawnEmbedder, draw_photo

fs = pytest.importorskip("pyarrow.fs", reason="pyarrow is not installed: pip install 'facespace[ray]'")


def test_a_plain_path_stays_one() -> None:
    assert type(photo_path("photos/a.jpg")) is type(Path("a"))


def test_a_folder_is_listed_and_read_as_a_plain_one(tmp_path: Path) -> None:
    root = tmp_path / "a folder #1"
    for name in ("b.png", "a.png", "ann/c d.png", ".hidden/e.png", "ann/@eaDir/f.png"):
        draw_photo(root / name, "red")
    (root / "note.txt").write_text("no picture")
    (root / "old.psd").write_text("none that is read")
    address = photo_path(root.as_uri())
    plain, found = list_photos(root), list_photos(address)
    assert [str(photo) for photo in found.photos] == [f"file://{photo}" for photo in plain.photos]
    assert [(str(u.photo), u.reason) for u in found.unreadable] == [
        (u.photo.name, u.reason) for u in plain.unreadable
    ]
    assert [read_bytes(photo) for photo in found.photos] == [photo.read_bytes() for photo in plain.photos]
    sent = pickle.loads(pickle.dumps(found.photos[1]))
    assert (str(sent), sent.parent.name, sent.suffix) == (str(found.photos[1]), "ann", ".png")
    assert read_image(sent).size_hw == (100, 130)


def test_a_table_of_an_address_goes_on_where_it_stopped(tmp_path: Path) -> None:
    for name in ("ann/a.png", "bob/b.png"):
        draw_photo(tmp_path / "photos" / name, "red", "blue")
    paths, table = [photo_path((tmp_path / "photos").as_uri())], tmp_path / "faces"
    first = embed_photos(paths, table, DrawnDetector(), DrawnEmbedder())
    draw_photo(tmp_path / "photos" / "ann" / "a.png", "green")
    draw_photo(tmp_path / "photos" / "c.png", "green", "red")
    second = embed_photos(paths, table, DrawnDetector(), DrawnEmbedder())
    assert (first.n_new, second.n_new, second.n_left, second.n_faces) == (2, 2, 1, 5)
    assert FaceTable.load(table).photos[0].startswith("file:///")
    embed_photos(paths, tmp_path / "crops", None, DrawnEmbedder())
    assert FaceTable.load(tmp_path / "crops").identities == ("ann", "bob", "photos")


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    with pytest.raises(DataError, match="nothing of that name"):
        embed_photos(
            [photo_path(f"file://{tmp_path}/none")], tmp_path / "t", DrawnDetector(), DrawnEmbedder()
        )
    with pytest.raises(ImageError, match=r"^file://.*none\.png: cannot be read"):
        read_bytes(photo_path(f"file://{tmp_path}/none.png"))
    with pytest.raises(ImageError, match="empty"):
        read_bytes(photo_path(f"file://{tmp_path}/empty.png"))
    with pytest.raises(InputError, match="what fsspec can open"):
        photo_path("nonsense://a/b")


def test_a_store_of_fsspec_will_do(tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    memory.pipe("/album/a.png", draw_photo(tmp_path / "a.png", "red", "blue").read_bytes())
    try:
        result = embed_photos(
            [photo_path("memory://album")], tmp_path / "t", DrawnDetector(), DrawnEmbedder()
        )
        assert (result.n_faces, result.unreadable) == (2, ())
        assert FaceTable.load(tmp_path / "t").photos == ("memory://album/a.png",)
    finally:
        memory.rm("/album", recursive=True)


class Bucket(BaseHTTPRequestHandler):
    """As much of S3 as reading takes: HEAD and GET of an object, parts of it, and the list of a prefix."""

    protocol_version = "HTTP/1.1"
    root: Path

    def do_HEAD(self) -> None:
        self._object()

    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        self._list(asked) if "list-type" in asked else self._object()

    def _object(self) -> None:
        path = self.root / unquote(urlsplit(self.path).path).strip("/")
        if not path.is_file():
            return self._answer(404, b"")
        content = path.read_bytes()
        wanted = self.headers.get("Range")
        if not wanted:
            return self._answer(200, content)
        begin, end = wanted.removeprefix("bytes=").split("-")
        self._answer(206, content[int(begin) : int(end or len(content)) + 1])

    def _list(self, asked: dict[str, list[str]]) -> None:
        bucket = self.root / unquote(urlsplit(self.path).path).strip("/")
        prefix = asked.get("prefix", [""])[0]
        names = sorted(str(p.relative_to(bucket)) for p in bucket.rglob("*") if p.is_file())
        names = [name for name in names if name.startswith(prefix)]
        entries = "".join(
            f"<Contents><Key>{escape(name)}</Key><Size>{(bucket / name).stat().st_size}</Size>"
            "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
            for name in names
        )
        count = f"<KeyCount>{len(names)}</KeyCount><IsTruncated>false</IsTruncated>"
        body = f"<ListBucketResult>{count}{entries}</ListBucketResult>"
        self._answer(200, body.encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The port and the folder of a bucket `faces`."""
    Bucket.root = tmp_path / "s3"
    (Bucket.root / "faces").mkdir(parents=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}", Bucket.root / "faces"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_bucket_is_read_and_its_keys_are_not_shown(s3: tuple[str, Path], tmp_path: Path) -> None:
    endpoint, bucket = s3
    draw_photo(bucket / "2024" / "a b.png", "red", "blue")
    draw_photo(bucket / "2024" / "sub" / "c.png", "green")
    draw_photo(bucket / "elsewhere.png", "green")
    options = f"scheme=http&endpoint_override={endpoint}&region=here"
    root = photo_path(f"s3://who:secret@faces/2024/?{options}")
    result = embed_photos([root], tmp_path / "t", DrawnDetector(), DrawnEmbedder())
    assert (result.n_photos, result.n_faces, result.unreadable) == (2, 3, ())
    assert FaceTable.load(tmp_path / "t").photos == ("s3://faces/2024/a b.png", "s3://faces/2024/sub/c.png")
    assert embed_photos([root], tmp_path / "t", DrawnDetector(), DrawnEmbedder()).n_new == 0
    assert isinstance(root, Address) and "secret" not in str(root) and "secret" not in repr(root)
    with pytest.raises(DataError) as met:
        embed_photos(
            [photo_path(f"s3://who:secret@faces/none?{options}")],
            tmp_path / "u",
            DrawnDetector(),
            DrawnEmbedder(),
        )
    assert "secret" not in str(met.value)
