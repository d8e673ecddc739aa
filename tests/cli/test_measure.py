"""The protocols' commands as a person or a script meets them."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from facespace.cli import app
from facespace.errors import FacespaceError


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["measure", *(str(a) for a in arguments)])


def write_faces(path: Path, rng: np.random.Generator, *, noise: float = 0.8, n_people: int = 40) -> Path:
    labels = np.repeat(np.arange(n_people), 10)
    centres = np.random.default_rng(5).normal(size=(n_people, 16))
    rows = centres[labels] + noise * rng.normal(size=(len(labels), 16))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    names = np.array([f"p{k:02}" for k in range(n_people)])[labels]
    np.savez(path, embedding=rows.astype(np.float32), labels=names)
    return path


def test_holdout_of_a_table_with_groups_and_a_second_model(tmp_path: Path, rng: np.random.Generator) -> None:
    good, bad = (write_faces(tmp_path / f"{n}.npz", rng, noise=n) for n in (0.6, 1.0))
    groups = {f"p{k:02}": "one" if k < 20 else "two" for k in range(40)} | {"nobody": "three"}
    (tmp_path / "half.json").write_text(json.dumps(groups))
    options = ("--against", bad, "--groups", tmp_path / "half.json")
    text = call("holdout", good, *options, "-o", tmp_path / "page.html").stdout
    assert "1,800 same and 78,000 different pairs" in text and "7,000 different pairs in all splits" in text
    assert "significantly better" in text and "half: three" in text and "empty" in text
    assert "half: three" in (tmp_path / "page.html").read_text()
    document = json.loads(call("holdout", good, *options, "--json").stdout)
    assert set(document["tar"]["1e-3"]) == {"mean", "se", "all"}
    assert document["interval"]["1e-2"]["low"] < document["tar"]["1e-2"]["all"]
    assert document["against"]["verdict"] == "significantly better"
    assert [(g["group"], g["n_identities"]) for g in document["groups"]] == [
        ("one", 20),
        ("three", 0),
        ("two", 20),
    ]


def test_photos_give_each_collection_and_their_mean(tmp_path: Path, rng: np.random.Generator) -> None:
    files = [write_faces(tmp_path / f"{k}.npz", rng) for k in range(3)]
    text = call("photos", *files).stdout
    assert text.startswith("VAL at FAR 1e-3: ") and "over 3 collections" in text
    assert [line.split()[0] for line in text.splitlines()[4:8]] == [*map(str, files), "mean"]
    document = json.loads(call("photos", *files, "--json").stdout)
    values = [document["collections"][str(f)]["tar"]["1e-3"]["all"] for f in files]
    assert document["tar"]["1e-3"]["mean"] == pytest.approx(np.mean(values))
    assert document["tar"]["1e-3"]["se"] == pytest.approx(np.std(values, ddof=1) / np.sqrt(3))


def test_leaks_name_whom_two_sets_share(tmp_path: Path, rng: np.random.Generator) -> None:
    one, other = (
        write_faces(tmp_path / "a.npz", rng, noise=0.2),
        write_faces(tmp_path / "b.npz", rng, noise=0.2),
    )
    result = call("leaks", one, other)
    assert "40 by name" in result.stdout
    assert next(line for line in result.stdout.splitlines() if line.startswith("p07")).split()[:3] == [
        "p07",
        "p07",
        "yes",
    ]
    document = json.loads(call("leaks", one, other, "--threshold", "0.1", "--json").stdout)
    assert document["n_by_embedding"] == 40 and document["far"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["holdout", "nowhere.npz"], "cannot be read"),
        (["holdout", "a.npz", "--against", "nowhere.npz"], "cannot be read"),
        (["holdout", "a.npz", "--against", "some-model"], "a second table beside the table"),
        (["holdout", "a.npz", "--against", "small.npz"], "the same faces in the same order"),
        (["holdout", "a.npz", "--groups", "nowhere.json"], "identity: group"),
        (["photos", "a.npz", "a.npz"], "each collection once"),
        (["leaks", "a.npz", "other.npz"], "16 and 3 dimensions"),
        (["youtube", ".", "--splits", "nowhere.txt", "--mode", "centre"], "splits.txt"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
def test_a_mistake_is_said_before_anything_is_written(
    tmp_path: Path,
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_faces(Path("a.npz"), rng)
    write_faces(Path("small.npz"), rng, n_people=3)
    np.savez("other.npz", embedding=np.eye(3, dtype=np.float32), labels=np.arange(3))
    result = call(*arguments)
    assert isinstance(result.exception, FacespaceError) and message in str(result.exception)
    assert result.stdout == "" and {p.name for p in Path().iterdir()} == {"a.npz", "small.npz", "other.npz"}
