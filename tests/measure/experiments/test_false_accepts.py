import csv
import gzip
import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from drawn_context import drawn_context
from facespace.errors import DataError
from facespace.measure.context import Context
from facespace.measure.experiments import false_accepts
from facespace.measure.experiments.false_accepts import run
from facespace.measure.unnamed_faces import is_held_out, open_unnamed, without_doubles
from fakes import SPEC, DrawnEmbedder

SIDE = 112


class PixelEmbedder(DrawnEmbedder):
    """Some pixels of a crop: far enough apart for different noise, near enough for some pairs to be accepted."""

    spec = replace(SPEC, distances={"1e-2": 1.7, "1e-3": 1.5})

    def embed(self, crops: np.ndarray, /) -> np.ndarray:
        rows = np.zeros((len(crops), 128), np.float32)
        rows[:, :60] = crops[:, 0, :20].reshape(len(crops), -1).astype(np.float32) / 255 - 0.4
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def context_of_pixels() -> Context:
    context = drawn_context()
    vars(context).update(embedder=PixelEmbedder(), built_in=PixelEmbedder())
    return context


def write_faces(root: Path, ages: list[str], *, colours: list[int] | None = None, origin: str = "") -> Path:
    """An index and an archive of one-coloured crops."""
    root.mkdir(parents=True)
    with (
        gzip.open(root / "index.csv.gz", "wt", newline="") as text,
        zipfile.ZipFile(root / "a.zip", "w") as archive,
    ):
        table = csv.writer(text)
        table.writerow(["file", "source", "age", "sex", "group"])
        for i, age in enumerate(ages):
            picture = io.BytesIO()
            colour = (colours or list(range(len(ages))))[i]
            pixels = np.random.default_rng(colour).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
            Image.fromarray(pixels).save(picture, "PNG")
            archive.writestr(f"a/{i:03}.png", picture.getvalue())
            table.writerow([f"a/{i:03}.png", "a", age, "MF"[i % 2], origin])
    return root


def test_no_faces_have_no_groups(tmp_path: Path) -> None:
    faces = open_unnamed(write_faces(tmp_path / "none", []))
    assert len(faces) == 0 and all(len(group.members) == 0 for group in faces.groups())
    result = run(drawn_context(), root=tmp_path / "none")
    assert result.headline == "No group has enough faces." and result.figures["groups"] == []


def test_ages_lie_in_the_group_that_begins_at_them(tmp_path: Path) -> None:
    ages = ["0", "9.9", "10", "19", "20", "59", "60", "101", ""]
    groups = {
        (g.kind, g.name): g.members.tolist() for g in open_unnamed(write_faces(tmp_path / "a", ages)).groups()
    }
    assert groups["age", "0 to 9"] == [0, 1] and groups["age", "10 to 19"] == [2, 3]
    assert groups["age", "20 to 39"] == [4] and groups["age", "40 to 59"] == [5]
    assert groups["age", "60 and over"] == [6, 7]
    assert groups["sex", "M"] == [0, 2, 4, 6, 8] and groups["source", "a"] == list(range(9))
    assert not any(kind == "origin" for kind, _ in groups)


def test_a_quarter_is_held_out_whoever_else_is_there() -> None:
    held_out = [name for name in (f"utk/{i:05}.webp" for i in range(4000)) if is_held_out(name)]
    assert 900 < len(held_out) < 1100
    # The files that the built-in models were never shown: another rule would measure them on their training faces.
    assert held_out[:4] == ["utk/00006.webp", "utk/00008.webp", "utk/00011.webp", "utk/00016.webp"]


def test_a_face_that_stands_there_twice_counts_once() -> None:
    rows = np.eye(4, dtype=np.float32)[[0, 1, 0, 2, 0, 1]]
    assert without_doubles(rows).tolist() == [True, True, False, True, False, False]
    assert without_doubles(rows[:0]).tolist() == []


def test_rates_within_and_between_groups_are_those_of_all_pairs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(false_accepts, "LEAST_FACES", 2)
    context = context_of_pixels()
    root = write_faces(tmp_path / "faces", ["5"] * 12 + ["30"] * 15, colours=[*range(26), 3])
    result = run(context, root=root, far=1e-2, everything=True)
    assert result.differs[0].startswith("1 of 27 pictures are left out")
    faces = open_unnamed(root)
    rows = context.embedder.embed(faces.crops(np.arange(26)))
    near = 2 - 2 * rows @ rows.T <= result.figures["threshold"]
    assert 0.05 < near[np.triu_indices(26, 1)].mean() < 0.8
    found = {(g["kind"], g["first"], g["second"]): g for g in result.figures["groups"]}
    children, adults = np.arange(12), np.arange(12, 26)
    for first, second, expected in (
        ("0 to 9", "0 to 9", near[:12, :12][np.triu_indices(12, 1)].mean()),
        ("20 to 39", "20 to 39", near[12:, 12:][np.triu_indices(14, 1)].mean()),
        ("0 to 9", "20 to 39", near[np.ix_(children, adults)].mean()),
    ):
        entry = found["age", first, second]
        assert entry["rates"]["far"] == pytest.approx(expected) and entry["times"] == pytest.approx(
            100 * expected
        )


def test_thinned_groups_keep_the_number_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(false_accepts, "LEAST_FACES", 2)
    monkeypatch.setattr(false_accepts, "MOST_FACES", 5)
    root = write_faces(tmp_path / "faces", ["5"] * 12)
    result = run(context_of_pixels(), root=root, everything=True)
    assert {g["n_faces"] for g in result.figures["groups"] if g["first"] == g["second"]} == {5}


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (None, "expected index.csv.gz or index.csv"),
        ("picture,age\na/1.png,3\n", "a column 'file'"),
        ("file,age\na/1.png,old\n", "ages in years"),
    ],
)
def test_an_index_that_cannot_be_used_is_named(tmp_path: Path, index: str | None, message: str) -> None:
    if index is not None:
        (tmp_path / "index.csv").write_text(index)
    with pytest.raises(DataError, match=message):
        open_unnamed(tmp_path)


def test_a_picture_that_is_not_in_its_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "index.csv").write_text("file\nb/1.png\n")
    with pytest.raises(DataError, match=r"b\.zip: expected the picture b/1\.png"):
        open_unnamed(tmp_path).crops(np.array([0]))
