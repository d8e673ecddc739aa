import dataclasses
from pathlib import Path

import numpy as np
import pytest

from facespace.errors import DataError, InputError
from facespace.table import FaceTable, FaceTableWriter, face_id


def table_of(n: int, *, seed: int = 0, model: str = "m" * 64) -> FaceTable:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, 8)).astype(np.float32)
    return FaceTable(
        model,
        ("a.jpg", "b.jpg"),
        (f"{seed}a", f"{seed}b"),
        rng.integers(0, 2**62, n),
        rng.integers(0, 2, n).astype(np.int32),
        rng.random((n, 4)).astype(np.float32),
        rng.random((n, 5, 2)).astype(np.float32),
        rng.random(n).astype(np.float32),
        rng.random(n).astype(np.float32),
        rows / np.linalg.norm(rows, axis=1, keepdims=True),
    )


def assert_equal(a: FaceTable, b: FaceTable) -> None:
    for field in dataclasses.fields(FaceTable):
        one, other = getattr(a, field.name), getattr(b, field.name)
        if isinstance(one, np.ndarray):
            np.testing.assert_array_equal(one, other)
        else:
            assert one == other


@pytest.mark.parametrize("n", [0, 1, 50])
def test_a_table_survives_the_disk(tmp_path: Path, n: int) -> None:
    table = table_of(n)
    table.save(tmp_path / "t")
    assert_equal(FaceTable.load(tmp_path / "t"), table)


def test_appending_is_merging(tmp_path: Path) -> None:
    parts = [table_of(5, seed=1), table_of(3, seed=2)]
    for part in parts:
        part.save(tmp_path / "t")
    loaded = FaceTable.load(tmp_path / "t")
    assert_equal(loaded, FaceTable.merge(parts))
    assert loaded.photo_idx[5:].min() >= 2
    assert FaceTableWriter(tmp_path / "t", model="m" * 64).done == {"1a", "1b", "2a", "2b"}


def test_a_shard_that_was_not_finished_does_not_count(tmp_path: Path) -> None:
    table_of(5).save(tmp_path / "t")
    (tmp_path / "t" / ".facespace-00000000-1-0.partial").mkdir()
    (tmp_path / "t" / "000001").mkdir()
    assert len(FaceTable.load(tmp_path / "t")) == 5
    table_of(2, seed=3).save(tmp_path / "t")
    assert len(FaceTable.load(tmp_path / "t")) == 7


def test_a_part_by_mask_keeps_the_photos() -> None:
    table = table_of(10)
    part = table[table.score > 0.5]
    assert len(part) == (table.score > 0.5).sum() and part.photos == table.photos


def test_npz_holds_the_columns(tmp_path: Path) -> None:
    table = table_of(4)
    table.save_npz(tmp_path / "t.npz")
    with np.load(tmp_path / "t.npz") as content:
        np.testing.assert_array_equal(content["embedding"], table.embedding)


def test_face_ids_are_stable_and_positive() -> None:
    assert face_id("ab", 0) == face_id("ab", 0) != face_id("ab", 1)
    assert 0 <= face_id("ab", 0) < 2**63


@pytest.mark.parametrize(
    "change",
    [
        {"score": np.zeros(3)},
        {"embedding": np.zeros(4)},
        {"photo_idx": np.full(4, 7)},
        {"photo_sha256": ("x",)},
    ],
)
def test_columns_that_do_not_fit_are_refused(change: dict) -> None:
    with pytest.raises(InputError, match="FaceTable"):
        dataclasses.replace(table_of(4), **change)


def test_tables_of_two_models_do_not_mix(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="one model"):
        FaceTable.merge([table_of(1), table_of(1, model="n" * 64)])
    table_of(1).save(tmp_path / "t")
    with pytest.raises(DataError, match="another model"):
        table_of(1, model="n" * 64).save(tmp_path / "t")


@pytest.mark.parametrize("manifest", [None, "{", '{"format": 99, "model": "m", "shards": []}', "{}"])
def test_what_is_no_table_is_said(tmp_path: Path, manifest: str | None) -> None:
    if manifest is not None:
        (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(DataError, match="FaceTable"):
        FaceTable.load(tmp_path)


def test_another_folder_is_not_written_into(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(DataError, match="other files"):
        table_of(1).save(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
