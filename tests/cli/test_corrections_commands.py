"""The corrections as a person or a script meets them, on drawn faces."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from facespace.cli import app
from facespace.errors import FacespaceError
from fakes import draw_photo


def call(*arguments: object, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments], input=stdin)


@pytest.fixture
def photos(tmp_path: Path, drawn: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Photos that `facespace people` has been through, its library in the user's data folder."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    folder = tmp_path / "photos"
    draw_photo(folder / "1.png", "red", "green")
    draw_photo(folder / "2.png", "red", "green")
    draw_photo(folder / "3.png", "red")
    assert call("people", folder).exit_code == 0
    return folder


def document(*arguments: object) -> Any:
    result = call(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def people(photos: Path) -> dict[str, dict[str, str]]:
    """Each person's faces with their state, by name or number."""
    return {
        str(p["name"] or p["person"]): {f["face"]: f["state"] for f in p["faces"]}
        for p in document("people", photos)["people"]
    }


def test_a_library_from_the_first_name_to_the_last_word(photos: Path) -> None:
    assert call("library", "name", photos, 1, "Ann").stdout == "1: name person 1 Ann\n"
    assert call("library", "name", photos, 2, "Bob").stdout == "2: name person 2 Bob\n"
    draw_photo(photos / "4.png", "red", "blue")
    found = document("people", photos)
    (ann,) = [p for p in found["people"] if p["name"] == "Ann"]
    (new,) = [f for f in ann["faces"] if f["state"] == "suggested"]
    assert (new["face"], new["far"], new["extrapolated"]) == ("4.png#1", 1e-3, False)
    assert 0 <= new["distance"] < 0.01
    table = call("people", photos).stdout
    assert "suggested" in table and "1  at most 1 in 1,000 at 0.00" in table
    confirmed = document("library", "confirm", photos, "ann", photos / "4.png#1")
    assert confirmed | {"at": ""} == {
        "entry_id": 3, "at": "", "action": "confirm", "what": "confirm 4.png#1 as Ann", "undoes": None,
        "in_force": True,
    }  # fmt: skip
    assert document("library", "confirm", photos, "Ann") is None
    assert call("library", "confirm", photos, "Ann").stdout == "nothing to change\n"
    call("library", "reject", photos, "Bob", "2.png#2")
    call("library", "not-a-face", photos, "4.png#2")
    now = people(photos)
    assert now.pop("Ann") == {f"{k}.png#1": "confirmed" for k in (1, 2, 3, 4)}
    assert now.pop("Bob") == {"1.png#2": "confirmed"}
    assert list(now.values()) == [{"2.png#2": "suggested"}]
    assert call("library", "undo", photos).stdout == "6: undo 5: 4.png#2: not a face\n"
    assert call("library", "redo", photos).stdout == "7: redo 5: 4.png#2: not a face\n"
    lines = call("library", "history", photos).stdout.splitlines()
    assert len(lines) == 7 and lines[1].endswith("undo 5: 4.png#2: not a face (undone)")
    assert [entry["entry_id"] for entry in document("library", "history", photos)] == [7, 6, 5, 4, 3, 2, 1]


def test_merge_split_apart_and_hide(photos: Path) -> None:
    call("library", "name", photos, 1, "Ann")
    split = document("library", "split", photos, "Ann", "3.png")
    assert split["what"] == "split 3.png#1 from Ann: person 3"
    refused = call("library", "merge", photos, "Ann", 3)
    assert isinstance(refused.exception, FacespaceError)
    assert "entry 2 (split 3.png#1 from Ann: person 3) told them apart" in str(refused.exception)
    assert call("library", "undo", photos, 2).exit_code == 0
    assert document("library", "merge", photos, "Ann", 2)["what"] == "merge person 2 into Ann"
    assert {frozenset(faces) for faces in people(photos).values()} == {
        frozenset({"1.png#1", "1.png#2", "2.png#1", "2.png#2", "3.png#1"})
    }
    call("library", "undo", photos)
    assert document("library", "apart", photos, "Ann", 2)["action"] == "apart"
    call("library", "hide", photos, 2)
    assert "\n2 " not in call("people", photos).stdout
    hidden = {p["person"]: p["hidden"] for p in document("people", photos)["people"]}
    assert hidden == {1: False, 2: True}
    call("library", "hide", photos, 2, "--show")
    assert "\n2 " in call("people", photos).stdout


def test_forget_asks_first(photos: Path) -> None:
    call("library", "name", photos, 1, "Ann")
    assert call("library", "forget", photos, "Ann", stdin="n\n").exit_code == 1
    assert "Ann" in people(photos)
    forgotten = document("library", "forget", photos, "Ann", "--yes")
    assert (forgotten["n_faces"], forgotten["n_templates"]) == (3, 3)
    assert {frozenset(faces) for faces in people(photos).values()} == {frozenset({"1.png#2", "2.png#2"})}
    assert (
        call("library", "history", photos)
        .stdout.strip()
        .endswith("forgot a person: 3 faces, 3 templates, 6 files")
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("name", "1", " "), "expected a name"),
        (("name", "9", "Zoe"), "nobody has number 9"),
        (("merge", "Zoe", "1"), "nobody is called Zoe"),
        (("split", "1", "1.png#2"), "it is another's"),
        (("confirm", "1", "7.png#1"), "no photo of that path"),
        (("reject", "1", "1.png"), "1.png#1 to 1.png#2"),
        (("undo",), "nothing to undo"),
        (("undo", "7"), "nothing to undo"),
        (("redo",), "nothing to redo"),
        (("forget", "Zoe", "--yes"), "nobody is called Zoe"),
    ],
)
def test_a_mistake_is_one_line(photos: Path, arguments: tuple[str, ...], said: str) -> None:
    result = call("library", arguments[0], photos, *arguments[1:])
    assert isinstance(result.exception, FacespaceError) and said in str(result.exception)
    assert "\n" not in str(result.exception) and result.stdout == ""


def test_a_folder_without_a_library_is_a_mistake(tmp_path: Path, photos: Path) -> None:
    result = call("library", "history", tmp_path)
    assert isinstance(result.exception, FacespaceError) and "facespace people" in str(result.exception)
