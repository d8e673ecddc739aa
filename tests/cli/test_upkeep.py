"""Files are checked, copied, and rid of old templates, as a person or a script does it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from facespace.cli import app
from facespace.errors import InputError
from facespace.gallery import Gallery
from facespace.library import Library
from fakes import DrawnDetector, DrawnEmbedder, draw_photo
from stored import V1, faces


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    draw_photo(tmp_path / "photos" / "1.png", "red", "blue")
    with Library(tmp_path / "library") as library:
        library.scan(tmp_path / "photos", DrawnDetector(), DrawnEmbedder())
    with Gallery(tmp_path / "team") as gallery:
        gallery.load(faces(2), ["Ann", "Bob"], V1)
    return {"library": tmp_path / "library", "gallery": tmp_path / "team"}


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_a_sound_gallery_has_no_problems_and_is_copied(tmp_path: Path, files: dict[str, Path]) -> None:
    assert json.loads(call("gallery", "check", files["gallery"], "--json").stdout) == {
        "is_sound": True,
        "problems": [],
    }
    assert call("gallery", "backup", files["gallery"], "-o", tmp_path / "copy").exit_code == 0
    assert (tmp_path / "copy").stat().st_mode & 0o077 == 0
    refused = call("gallery", "backup", files["gallery"], "-o", tmp_path / "photos").exception
    assert isinstance(refused, InputError) and "name another" in str(refused)


@pytest.mark.parametrize("kind", ["library", "gallery"])
def test_a_damaged_file_is_named_with_what_is_wrong(files: dict[str, Path], kind: str) -> None:
    file = files[kind] / "library.sqlite" if kind == "library" else files[kind]
    content = bytearray(file.read_bytes())
    content[len(content) // 2 :] = b"\xff" * (len(content) - len(content) // 2)
    file.write_bytes(content)
    result = call(kind, "check", files[kind])
    said = result.output + str(result.exception)
    assert result.exit_code != 0 and str(files[kind]) in said and ("damaged" in said or "problems" in said)


def test_nothing_old_is_nothing_to_delete(files: dict[str, Path]) -> None:
    assert call("library", "drop-old", files["library"], "--yes").stdout == "nothing to delete\n"
    assert json.loads(call("library", "drop-old", files["library"], "--yes", "--json").stdout) == {
        "dropped": {}
    }


def test_the_kept_file_of_an_earlier_version_is_named_where_a_file_is_damaged(files: dict[str, Path]) -> None:
    file = files["gallery"]
    kept = file.with_name("team.v2.backup")
    kept.write_bytes(file.read_bytes())
    file.write_bytes(file.read_bytes()[:5000])
    assert str(kept) in str(call("gallery", "list", file).exception)
