import os
import socket
from pathlib import Path

import pytest

from facespace.regular_files import open_regular, read_regular


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "photos/sub").mkdir(parents=True)
    (tmp_path / "photos/a.jpg").write_bytes(b"picture")
    (tmp_path / "secret").write_bytes(b"secret")
    return tmp_path / "photos"


@pytest.mark.parametrize("content", [b"", b"x", b"x" * 100])
def test_a_regular_file_is_read_up_to_the_limit(folder: Path, content: bytes) -> None:
    (folder / "b.jpg").write_bytes(content)
    assert read_regular(folder / "b.jpg", max_bytes=100, within=folder) == content


def test_what_is_longer_is_refused(folder: Path) -> None:
    with pytest.raises(OSError, match="larger than the limit of"):
        read_regular(folder / "a.jpg", max_bytes=6)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize(
    "kind", ["pipe", "device", "socket", "folder", "link to a pipe", "nothing", "circle"]
)
def test_nothing_else_is_waited_for_or_read(folder: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "b.jpg"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path = Path("/dev/zero")
    elif kind == "socket":
        monkeypatch.chdir(folder)  # names of sockets are short
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(path.name)
    elif kind == "folder":
        path.mkdir()
    elif kind == "link to a pipe":
        os.mkfifo(folder / "pipe")
        path.symlink_to("pipe")
    elif kind == "circle":
        path.symlink_to(path)
    with pytest.raises(OSError, match=r"regular file|No such file|Too many levels"):
        read_regular(path, max_bytes=100)


@pytest.mark.parametrize(
    ("link", "to", "opens"),
    [
        ("b.jpg", "a.jpg", True),
        ("sub/b.jpg", "../a.jpg", True),
        ("b.jpg", "../secret", False),
        ("b.jpg", "/etc/hostname", False),
        ("b.jpg", "../photos", False),
    ],
)
def test_links_are_followed_inside_the_folder_alone(folder: Path, link: str, to: str, opens: bool) -> None:
    (folder / link).symlink_to(to)
    if opens:
        assert read_regular(folder / link, max_bytes=100, within=folder) == b"picture"
        return
    with pytest.raises(OSError, match=r"leads out|met a folder"):
        read_regular(folder / link, max_bytes=100, within=folder)


def test_a_folder_that_is_a_link_out_is_not_entered(folder: Path) -> None:
    (folder / "out").symlink_to("..")
    with pytest.raises(OSError, match="leads out"):
        read_regular(folder / "out/secret", max_bytes=100, within=folder)
    assert read_regular(folder / "out/secret", max_bytes=100) == b"secret"


def test_the_folder_itself_may_be_a_link(folder: Path) -> None:
    (folder.parent / "alias").symlink_to(folder)
    alias = folder.parent / "alias"
    assert read_regular(alias / "a.jpg", max_bytes=100, within=alias) == b"picture"


def test_an_exchange_between_check_and_opening_is_noticed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def exchanging(path: Path, flags: int) -> int:
        (folder / "sub").rename(folder / "moved")
        (folder / "sub").symlink_to(folder.parent)
        return real(path, flags)

    (folder / "sub/secret").write_bytes(b"picture")
    monkeypatch.setattr(os, "open", exchanging)
    with pytest.raises(OSError, match="changed while it was opened"):
        open_regular(folder / "sub/secret", within=folder)
