"""`facespace gallery create`, `load` and `index`; models are those of drawn pictures."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from facespace.cli import app
from facespace.errors import DataError, FacespaceError, GalleryError, InputError
from facespace.gallery import Gallery, uses
from fakes import SPEC, DrawnEmbedder
from stored import faces

FOLDERS = ("/photos/ann/1.png", "/photos/ann/2.png", "/photos/bob/1.png", "loose.png")


@pytest.fixture(autouse=True)
def embedder(monkeypatch: pytest.MonkeyPatch) -> None:
    def open_embedder(*_: object, **__: object) -> DrawnEmbedder:
        found = DrawnEmbedder()
        found.path = Path("drawn.onnx")  # type: ignore[attr-defined]
        return found

    monkeypatch.setattr(uses, "Embedder", open_embedder)


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["gallery", *(str(a) for a in arguments)])


def document(*arguments: object) -> dict:  # type: ignore[type-arg]
    result = call(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)  # type: ignore[no-any-return]


def table(folder: Path, identities: tuple[str, ...] | None = None) -> Path:
    """Two faces a photo, in two shards; the second one of a photo is a crop, which counts as the smaller."""
    whole = faces(8, SPEC)
    for photos in (FOLDERS[:2], FOLDERS[2:]):
        rows = slice(0, 4) if photos == FOLDERS[:2] else slice(4, 8)
        part = dataclasses.replace(
            whole[rows], photos=photos, photo_sha256=photos, photo_idx=np.array([0, 0, 1, 1], np.int32),
            identities=None if identities is None else tuple(identities[FOLDERS.index(p)] for p in photos),
            box_xyxy=np.array([[0, 0, 9, 9], [np.nan] * 4] * 2, np.float32),
        )  # fmt: skip
        part.save(folder)
    return folder


def people(file: Path) -> dict[str, int]:
    with Gallery(file, create=False) as gallery:
        return {subject.name: subject.n_faces for subject in gallery.subjects()}


@pytest.mark.parametrize(
    ("identities", "how", "expected", "n_passed"),
    [
        (("Ann", "Ann", "Bob", "Cy"), [], {"Ann": 2, "Bob": 1, "Cy": 1}, 4),
        (("Ann", "Ann", "Bob", ""), [], {"Ann": 2, "Bob": 1}, 5),
        (None, ["--by-folder"], {"ann": 2, "bob": 1}, 5),
        (None, ["--labels", "who.csv"], {"Dora": 1, "Eve": 1}, 6),
    ],
)
def test_the_faces_of_a_table_are_enrolled_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    identities: tuple[str, ...] | None,
    how: list[str],
    expected: dict[str, int],
    n_passed: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("who.csv").write_text("photo,person\nann/1.png,Dora\n/photos/bob/1.png,Eve\n")
    folder = table(tmp_path / "t", identities)
    first = document("load", "team", folder, *how)
    assert (first["faces"], first["new"], first["passed_over"]) == (8 - n_passed, 8 - n_passed, n_passed)
    assert people(tmp_path / "team") == expected
    again = document("load", "team", folder, *how)
    assert (again["faces"], again["new"]) == (8 - n_passed, 0)
    with Gallery(tmp_path / "team") as gallery:
        assert all(face.box_xyxy for face in gallery.faces())  # the largest of each photo


@pytest.mark.parametrize(
    ("arguments", "error", "line"),
    [
        (["load", "team", "nothing"], DataError, "nothing"),
        (["load", "team", "t"], DataError, "--by-folder, or --labels"),
        (["load", "team", "t", "--by-folder", "--labels", "who.csv"], InputError, "one of --by-folder"),
        (["index", "absent"], GalleryError, "no such file"),
    ],
)
def test_what_cannot_be_loaded_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    error: type[FacespaceError],
    line: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    table(tmp_path / "t")
    result = call(*arguments)
    assert isinstance(result.exception, error) and line in str(result.exception)


@pytest.mark.parametrize("error", [KeyboardInterrupt, GalleryError("full")])
def test_a_new_gallery_that_holds_nobody_goes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    folder, before = table(tmp_path / "t", ("Ann", "Ann", "Bob", "Cy")), {"t"}

    def fail(*_: object) -> int:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(Gallery, "load", fail)
        assert call("load", tmp_path / "team", folder).exit_code
        assert {path.name for path in tmp_path.iterdir()} == before
    document("create", tmp_path / "kept")
    document("load", tmp_path / "team", folder)
    with monkeypatch.context() as patch:
        patch.setattr(Gallery, "load", fail)
        assert call("load", tmp_path / "team", folder).exit_code
    assert people(tmp_path / "team") == {"Ann": 2, "Bob": 1, "Cy": 1} and (tmp_path / "kept").exists()


def test_a_gallery_is_created_with_settings_once(tmp_path: Path) -> None:
    made = document("create", tmp_path / "team", "--exact-up-to", 500)
    assert made["index_settings"] == {"exact_up_to": 500, "least_recall": 0.98}
    assert isinstance(call("create", tmp_path / "team").exception, GalleryError)
    assert "nobody is enrolled" in call("index", tmp_path / "team").stdout
    with Gallery(tmp_path / "team") as gallery:
        assert gallery.index_settings.exact_up_to == 500


def test_what_an_answer_rests_on_is_shown(tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    team, many = tmp_path / "team", faces(600, SPEC)
    document("create", team, "--exact-up-to", 500, "--least-recall", 0.9)
    with Gallery(team) as gallery:
        gallery.load(many, [f"Nr {i % 99}" for i in range(600)], SPEC)
    assert "exact search of 600 templates" in call("list", team).stdout
    (state,) = document("index", team)["indexes"].values()
    assert state["kind"] == "ivf" and not state["is_exact"] and 0 <= state["recall"]["share"] <= 1
    assert document("list", team)["indexes"][SPEC.label] == state
    assert "hits within the distance at FAR" in call("list", team).stdout
    (later,) = document("index", team, "--exact-up-to", 5000)["indexes"].values()
    assert later["is_exact"]
