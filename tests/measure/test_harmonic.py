"""Figures 8 to 10 from run folders: the shipped embedder stands for both versions, so that all curves must agree."""

import json
from pathlib import Path

import pytest

from facespace.measure.context import Setup
from facespace.measure.report import make_report
from facespace.measure.result import COMPUTED, MEASURED, NOT_RUN, Plot, Result, Table
from facespace.models import find_model, read_spec
from few_people import few_people

PARTS = ["figure8", "figure9", "figure10"]


def made(data: Path, runs: Path | None, work: Path) -> dict[str, Result]:
    report = make_report(Setup(data, runs=runs, quick=True), work, only=PARTS)
    return {part.name: part.result for part in report.parts}


def run_folder(folder: Path, **recipe: object) -> Path:
    """A finished run that brings its own model."""
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(find_model(None, "embedder").read_bytes())
    (folder / "recipe.json").write_text(json.dumps({"network": "plain-residual-s", **recipe}))
    return folder


def test_without_a_harmonic_run_the_drawing_alone_is_made(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    parts = made(data, None, tmp_path / "work")
    assert [parts[name].status for name in PARTS] == [NOT_RUN, COMPUTED, NOT_RUN]
    assert "facespace harmonise" in parts["figure8"].remedy
    sketch, table = parts["figure9"].blocks
    assert isinstance(sketch, Plot) and sketch.bare
    assert isinstance(table, Table) and len(table.rows) == 8
    assert [row[3] for row in table.rows[-2:]] == ["negative", "nothing"]


def test_the_model_is_compared_with_each_older_one(tmp_path: Path, data: Path) -> None:
    few = few_people(data, tmp_path / "data", 12)
    model = find_model(None, "embedder")
    old = tmp_path / "old.onnx"
    old.write_bytes(model.read_bytes())
    setup = Setup(few, quick=True, old=(str(old), str(model)))
    parts = {part.name: part.result for part in make_report(setup, tmp_path / "work", only=PARTS).parts}
    label = read_spec(model).label
    assert parts["figure8"].headline.startswith(f"{label}, v1: {label}: VAL at FAR 1e-3")
    assert len(parts["figure8"].blocks) == 2, "models that are equal by their hash are one pair"
    assert [len(parts["figure10"].blocks), parts["figure10"].figures["corrected"]] == [1, 0]
    changed = make_report(Setup(few, quick=True), tmp_path / "work", only=["figure8"]).parts
    assert [part.result.status for part in changed if part.name == "figure8"] == [NOT_RUN], (
        "not what was kept"
    )


def test_a_harmonic_run_is_compared_with_its_older_model_and_with_what_it_began_with(
    tmp_path: Path, data: Path
) -> None:
    pytest.importorskip("torch")
    few = few_people(data, tmp_path / "data", 12)
    alone = run_folder(tmp_path / "elsewhere" / "alone")
    old = str(alone / "model.onnx")
    new = run_folder(
        tmp_path / "runs" / "new",
        harmonic={"old": old, "combinations": ["222"]},
        init=str(tmp_path / "runs/new/embedding"),
    )
    (new / "embedding").mkdir()
    # It went on from a harmonic run, of which the recipe is left: alone is what that began with.
    first = tmp_path / "elsewhere" / "first"
    first.mkdir()
    for folder, begun in ((new / "embedding", first), (first, alone)):
        recipe = {"init": str(begun), "harmonic": {"old": old}}
        (folder / "recipe.json").write_text(json.dumps(recipe))
    run_folder(tmp_path / "runs" / "taught", harmonic={"old": old, "combinations": []})
    gone = run_folder(
        tmp_path / "runs" / "gone", harmonic={"old": str(tmp_path / "no.onnx"), "combinations": ["222"]}
    )
    assert gone.is_dir()

    parts = made(few, tmp_path / "runs", tmp_path / "work")
    assert parts["figure8"].status == MEASURED and "new, v1: facespace-s" in parts["figure8"].headline
    roc, table = parts["figure8"].blocks
    assert isinstance(roc, Plot) and [s.name for s in roc.series] == [
        "v2-v2",
        "v2-v1",
        "v1-v1",
        "alone-alone",
    ]
    assert isinstance(table, Table)
    rows = {row[0]: row for row in table.rows}
    assert {"alone-rotation(v1)", "alone-linear(v1)", "alone-mlp(v1)", "taught-v1"} <= set(rows)
    for name in ("v2-v1", "alone-v1", "alone-rotation(v1)", "taught-v1"):
        assert rows[name][2] == pytest.approx(rows["v2-v2"][2], abs=2e-3), name
    (plane,) = parts["figure10"].blocks
    assert isinstance(plane, Plot) and len(plane.series) == 6, "nothing moves between equal versions"
    assert "corrects 0 of them" in parts["figure10"].headline
    again = made(few, tmp_path / "runs", tmp_path / "work")
    assert again["figure8"] == parts["figure8"], "kept, and read back whole"
