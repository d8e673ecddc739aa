from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facespace.errors import InputError
from facespace.extract import embed_photos
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


def exported(tmp_path: Path, form: str) -> tuple[FaceTable, dict[str, Path]]:
    embed_photos([crops(tmp_path / "crops")], tmp_path / "table", None, DrawnEmbedder())
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
