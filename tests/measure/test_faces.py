from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from drawn_context import drawn_context
from facespace.errors import DataError
from facespace.extract import embed_photos
from facespace.measure.faces import read_embedded
from facespace.measure.holdout import evaluate_holdout
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
    folder = drawn_context().read(crops(tmp_path / "crops"))
    embed_photos([tmp_path / "crops"], tmp_path / "table", None, embedder)
    FaceTable.load(tmp_path / "table").save_npz(tmp_path / "faces.npz")
    for source in (tmp_path / "table", tmp_path / "faces.npz"):
        faces = read_embedded(source)
        assert faces.identities == folder.identities == ("blue", "green", "red")
        assert faces.labels.tolist() == folder.labels.tolist()
        np.testing.assert_array_equal(faces.embeddings, folder.embeddings)


def test_byte_templates_are_measured_as_they_are(tmp_path: Path, rng: np.random.Generator) -> None:
    labels = np.repeat(np.arange(12), 10)
    rows = rng.normal(size=(12, 64))[labels] + rng.normal(size=(120, 64))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    np.savez(tmp_path / "floats.npz", embedding=rows, labels=labels)
    np.savez(tmp_path / "bytes.npz", embedding=np.rint(rows * 250).astype(np.int8), labels=labels)
    floats, templates = (evaluate_holdout(read_embedded(tmp_path / f"{k}.npz")) for k in ("floats", "bytes"))
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
        read_embedded(tmp_path / "f.npz")


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_embedded(tmp_path / "nowhere.npz")
    (tmp_path / "text.npz").write_text("no")
    with pytest.raises(DataError, match="cannot be read"):
        read_embedded(tmp_path / "text.npz")
    FaceTable.empty(dim=4, model="m").save(tmp_path / "unknown")
    with pytest.raises(DataError, match="embed --crops"):
        read_embedded(tmp_path / "unknown")
    embed_photos([crops(tmp_path / "crops")], tmp_path / "table", None, DrawnEmbedder())
    other = DrawnEmbedder()
    other.spec = type(other.spec)("other", "1", "embedder", (112, 112), sha256="f" * 64)
    with pytest.raises(DataError, match="leave --model out"):
        read_embedded(tmp_path / "table", other.spec)


def test_embeddings_are_kept_by_the_content_of_the_pictures(tmp_path: Path) -> None:
    root = crops(tmp_path / "crops")
    first = drawn_context(cache=tmp_path / "kept").read(root)
    kept = list((tmp_path / "kept").iterdir())
    again = drawn_context(cache=tmp_path / "kept").read(root)
    np.testing.assert_array_equal(first.embeddings, again.embeddings)
    assert list((tmp_path / "kept").iterdir()) == kept and len(kept) == 1
    Image.new("RGB", (112, 112), COLOURS["ochre"]).save(root / "red" / "0.png")  # same name, another picture
    other = drawn_context(cache=tmp_path / "kept").read(root)
    assert not np.allclose(other.embeddings[-2], first.embeddings[-2])
