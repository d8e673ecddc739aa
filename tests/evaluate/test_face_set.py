from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facespace.errors import DataError, InputError
from facespace.evaluate.face_set import read_faces
from facespace.evaluate.holdout import evaluate_holdout
from facespace.extract import embed_crops
from facespace.extract.exports import export_table
from facespace.table import FaceTable
from fakes import COLOURS, DrawnEmbedder


def crops(root: Path) -> Path:
    for name, colour in list(COLOURS.items())[:3]:
        (root / name).mkdir(parents=True)
        for i in range(2):
            image = Image.new("RGB", (112, 112), colour)
            image.putpixel((0, 0), (i, i, i))
            image.save(root / name / f"{i}.png")
    return root


def test_folders_tables_and_files_hold_the_same_faces(tmp_path: Path) -> None:
    embedder = DrawnEmbedder()
    folder = read_faces(crops(tmp_path / "crops"), embedder)
    embed_crops([tmp_path / "crops"], tmp_path / "table", embedder)
    FaceTable.load(tmp_path / "table").save_npz(tmp_path / "faces.npz")
    for source in (tmp_path / "table", tmp_path / "faces.npz"):
        faces = read_faces(source)
        assert faces.identities == folder.identities == ("blue", "green", "red")
        assert faces.labels.tolist() == folder.labels.tolist()
        np.testing.assert_array_equal(faces.embeddings, folder.embeddings)


def test_byte_templates_are_measured_as_they_are(tmp_path: Path, rng: np.random.Generator) -> None:
    labels = np.repeat(np.arange(12), 10)
    rows = rng.normal(size=(12, 64))[labels] + rng.normal(size=(120, 64))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    np.savez(tmp_path / "floats.npz", embedding=rows, labels=labels)
    np.savez(tmp_path / "bytes.npz", embedding=np.rint(rows * 250).astype(np.int8), labels=labels)
    floats, templates = (evaluate_holdout(read_faces(tmp_path / f"{k}.npz")) for k in ("floats", "bytes"))
    assert templates.tar["1e-2"]["all"] == pytest.approx(floats.tar["1e-2"]["all"], abs=0.02)
    assert templates.tar["1e-2"]["mean"] == pytest.approx(floats.tar["1e-2"]["mean"], abs=0.05)


UNIT = np.eye(4, dtype=np.float32)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "got neither"),
        ({"embedding": UNIT}, "'embedding' and 'labels'"),
        ({"embedding": UNIT, "labels": np.arange(3)}, r"\(N,\) labels, got \(4, 4\), \(3,\)"),
        ({"embedding": UNIT * 2, "labels": np.arange(4)}, "row 0 has length 2"),
        ({"embedding": UNIT * np.nan, "labels": np.arange(4)}, "row 0 has length nan"),
        ({"embedding": UNIT, "labels": np.zeros(4)}, "two people or more, met 1"),
    ],
)
def test_a_bad_file_is_one_line(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    np.savez(tmp_path / "f.npz", **arrays)
    with pytest.raises(DataError, match=message):
        read_faces(tmp_path / "f.npz")


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_faces(tmp_path / "nowhere.npz")
    (tmp_path / "text.npz").write_text("no")
    with pytest.raises(DataError, match="cannot be read"):
        read_faces(tmp_path / "text.npz")
    FaceTable.empty(dim=4, model="m").save(tmp_path / "unknown")
    with pytest.raises(DataError, match="embed --crops"):
        read_faces(tmp_path / "unknown")
    with pytest.raises(InputError, match="a model"):
        read_faces(tmp_path)
    embed_crops([crops(tmp_path / "crops")], tmp_path / "table", DrawnEmbedder())
    other = DrawnEmbedder()
    other.spec = type(other.spec)("other", "1", "embedder", (112, 112), sha256="f" * 64)
    with pytest.raises(DataError, match="leave --model out"):
        read_faces(tmp_path / "table", other)


def exported(tmp_path: Path, form: str) -> tuple[FaceTable, dict[str, Path]]:
    embed_crops([crops(tmp_path / "crops")], tmp_path / "table", DrawnEmbedder())
    table = FaceTable.load(tmp_path / "table")
    return table, {path.name: path for path in export_table(table, tmp_path / "out", form)}


def test_openface_files_bring_back_every_number(tmp_path: Path) -> None:
    table, files = exported(tmp_path, "openface")
    np.testing.assert_array_equal(
        np.loadtxt(files["reps.csv"], delimiter=",", dtype=np.float32), table.embedding
    )
    lines = [line.split(",") for line in files["labels.csv"].read_text().splitlines()]
    assert [int(n) for n, _ in lines] == (table.labels + 1).tolist() == [1, 1, 2, 2, 3, 3]
    assert [path for _, path in lines] == list(table.photos)


def test_arrays_are_those_of_facenets_export(tmp_path: Path) -> None:
    table, files = exported(tmp_path, "npy")
    np.testing.assert_array_equal(np.load(files["embeddings.npy"]), table.embedding)
    np.testing.assert_array_equal(np.load(files["labels.npy"]), table.labels)
    assert np.load(files["label_strings.npy"]).tolist() == list(table.identities)


def test_the_projector_finds_a_line_of_metadata_for_each_vector(tmp_path: Path) -> None:
    from google.protobuf import text_format
    from tensorboard.plugins.projector import ProjectorConfig

    table, files = exported(tmp_path, "projector")
    np.testing.assert_array_equal(
        np.loadtxt(files["tensors.tsv"], delimiter="\t", dtype=np.float32), table.embedding
    )
    head, *rows = [line.split("\t") for line in files["metadata.tsv"].read_text().splitlines()]
    assert head == ["identity", "photo"] and [row[0] for row in rows] == list(table.identities)
    config = text_format.Parse(files["projector_config.pbtxt"].read_text(), ProjectorConfig())
    assert [e.tensor_path for e in config.embeddings] == ["tensors.tsv"]


def test_a_table_that_cannot_be_exported_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="with faces"):
        export_table(FaceTable.empty(dim=4, model="m"), tmp_path / "out", "npy")
    with pytest.raises(InputError, match="expected one of openface, npy, projector"):
        export_table(FaceTable.empty(dim=4, model="m"), tmp_path / "out", "xls")
    assert not (tmp_path / "out").exists()
