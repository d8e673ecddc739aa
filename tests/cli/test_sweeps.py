"""`facespace evaluate sweep` and `facespace reproduce` as a person or a script meets them, on drawn crops."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from facespace.cli import app
from facespace.embed import Embedder
from facespace.errors import DataError, InputError
from facespace.reproduce import run
from facespace.reproduce.blocks import MEASURED, Column, Table
from facespace.reproduce.blocks import Result as PartResult
from facespace.reproduce.part import Part, not_run
from fakes import COLOURS, SPEC


class ColourEmbedder(Embedder):
    """Stands where the command looks for the built-in embedder."""

    def __init__(self, *_: object, **__: object) -> None:
        self.spec = SPEC
        self.path = Path("drawn")

    def embed(self, crops: np.ndarray, *, flip: bool = False) -> np.ndarray:
        rows = np.full((len(crops), 128), 1e-3, np.float32)
        rows[:, :3] = crops[:, 56, 56, :].astype(np.float32) / 255 - 0.45
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("facespace.embed.Embedder", ColourEmbedder)
    for part in ("train", "val"):
        for name, colour in COLOURS.items():
            for i in range(3):
                path = tmp_path / "faces" / part / name / f"{i}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (112, 112), colour).save(path)
    return tmp_path


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.mark.parametrize(
    ("command", "options", "settings"),
    [
        ("jpeg", ["--quality", "10", "--quality", "90"], ["as they are", "quality 10", "quality 90"]),
        ("size", ["--side", "40", "--side", "256"], ["112 px, as they are", "40 px", "256 px"]),
        ("bytes", [], ["128 floats", "128 x 1 byte", "128 x 4 bits", "64 of 128 rotated components x 1 byte",
                       "128 x 2 bits", "32 of 128 rotated components x 1 byte"]),
    ],
)  # fmt: skip
def test_a_sweep_prints_one_json_document(
    drawn: Path, command: str, options: list[str], settings: list[str]
) -> None:
    result = call("evaluate", "sweep", command, "--data", drawn, "--json", *options)
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert list(document) == ["varied", "model", "material", "n_same", "n_diff", "points", "notes"]
    assert [point["setting"] for point in document["points"]] == settings
    assert (document["n_same"], document["n_diff"]) == (12, 54)


def test_a_sweep_for_people_marks_what_was_upsampled_and_says_how_it_was_done(drawn: Path) -> None:
    result = call("evaluate", "sweep", "size", "--data", drawn, "--side", "256")
    assert "256 px" in result.stdout and "(upsampled)" in result.stdout and "not supported" in result.stdout
    assert "note: faces/val: the files are not JPEGs" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["jpeg", "--on", "ytf"], InputError, "'val' or 'lfw', got 'ytf'"),
        (["jpeg", "--quality", "99"], InputError, "1 to 95, got 99"),
        (["size", "--side", "4"], InputError, "8 px or more"),
        (["alignment"], DataError, "pairs.txt"),
    ],
)
def test_what_cannot_be_is_one_line(
    drawn: Path, arguments: list[str], error: type[Exception], message: str
) -> None:
    result = call("evaluate", "sweep", *arguments, "--data", drawn)
    assert isinstance(result.exception, error) and message in str(result.exception)


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table("t", (Column("a"), Column("b", "percent")), (("x", 0.25),))
    made = PartResult(MEASURED, "A quarter.", (table,))
    shown = (
        Part("made", "Table 1: made", "It was made.", lambda *_: made),
        Part("waiting", "Figure 2: waiting", "It was drawn.", lambda *_: not_run("Not yet.")),
    )
    monkeypatch.setattr(run, "PARTS", shown)


def test_reproduce_writes_page_json_and_markdown(tmp_path: Path, parts: None) -> None:
    out, docs = tmp_path / "out" / "report.html", tmp_path / "docs.md"
    result = call("reproduce", "--data", tmp_path, "--out", out, "--quick", "--docs", docs, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == json.loads(out.with_suffix(".json").read_text())
    assert "A quarter." in out.read_text() and "| x | 25.0 % |" in docs.read_text()
    assert f"--out report.html --quick --docs {docs}" in docs.read_text()
    assert "Table 1: made. A quarter." in result.stderr and "report.parts" in result.stderr


def test_reproduce_refuses_a_part_of_no_such_name(tmp_path: Path, parts: None) -> None:
    result = call("reproduce", "--data", tmp_path, "--out", tmp_path / "r.html", "--only", "tabel1")
    assert isinstance(result.exception, InputError) and "made, waiting" in str(result.exception)
    assert not list(tmp_path.iterdir())
