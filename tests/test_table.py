import dataclasses
import errno
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from facespace import table as table_module
from facespace.errors import DataError, FacespaceError, InputError, WriteError
from facespace.table import FaceTable, FaceTableWriter, face_id
from hostile.mutate import mutations


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


def test_one_writer_at_a_time_and_the_other_says_so(tmp_path: Path) -> None:
    with FaceTableWriter(tmp_path / "t", model="m" * 64) as writer:
        with pytest.raises(DataError, match="another run is writing to this folder"):
            FaceTableWriter(tmp_path / "t", model="m" * 64)
        writer.append(table_of(3))
    table_of(2, seed=1).save(tmp_path / "t")
    assert len(FaceTable.load(tmp_path / "t")) == 5


def test_what_another_run_has_written_is_noticed_where_folders_cannot_be_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        table_module, "lock_folder", lambda folder: folder.mkdir(exist_ok=True) or ExitStack()
    )
    with (
        FaceTableWriter(tmp_path / "t", model="m" * 64) as one,
        FaceTableWriter(tmp_path / "t", model="m" * 64) as two,
    ):
        one.append(table_of(3))
        with pytest.raises(DataError, match="another run has written to this table"):
            two.append(table_of(4))
    assert len(FaceTable.load(tmp_path / "t")) == 3


def test_photos_leave_with_their_faces(tmp_path: Path) -> None:
    parts = [table_of(9, seed=seed) for seed in range(3)]
    for part in parts:
        part.save(tmp_path / "t")
    with FaceTableWriter(tmp_path / "t", model="m" * 64) as writer:
        assert writer.drop(lambda path, digest: False) == 0
        assert writer.drop(lambda path, digest: digest.startswith("1") or digest == "2a") == 3
        n_left = writer.n_faces
        writer.append(table_of(2, seed=5))
    kept = FaceTable.load(tmp_path / "t")
    assert kept.photo_sha256 == ("0a", "0b", "2b", "5a", "5b") and len(kept) == n_left + 2
    np.testing.assert_array_equal(kept.face_id[:9], parts[0].face_id)
    np.testing.assert_array_equal(kept.embedding[9:n_left], parts[2].embedding[parts[2].photo_idx == 1])
    assert all(kept.photo_sha256[i] == "2b" for i in kept.photo_idx[9:n_left])
    assert sorted(p.name for p in (tmp_path / "t").iterdir()) == [
        "000000",
        "000003",
        "000004",
        "manifest.json",
    ]


def test_a_table_from_which_all_photos_left_is_empty(tmp_path: Path) -> None:
    table_of(3).save(tmp_path / "t")
    with FaceTableWriter(tmp_path / "t", model="m" * 64) as writer:
        assert writer.drop(lambda path, digest: True) == 2 and writer.n_faces == 0
    assert len(FaceTable.load(tmp_path / "t")) == 0


def test_a_table_that_holds_nothing_leaves_no_folder(tmp_path: Path) -> None:
    with FaceTableWriter(tmp_path / "t", model="m" * 64):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("first", "second", "refused"),
    [
        ("d", "d", False),
        ("d", "e", True),
        ("d", "", True),
        ("", "d", True),
        (None, "d", False),
        ("d", None, False),
    ],
)
def test_detectors_do_not_mix(tmp_path: Path, first: str | None, second: str | None, refused: bool) -> None:
    with FaceTableWriter(tmp_path / "t", model="m" * 64, detector=first) as writer:
        writer.append(table_of(1))
    if refused:
        with pytest.raises(DataError, match="another detector"):
            FaceTableWriter(tmp_path / "t", model="m" * 64, detector=second)
    else:
        FaceTableWriter(tmp_path / "t", model="m" * 64, detector=second).close()


def test_a_full_disk_is_one_line_and_leaves_the_table_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table_of(3).save(tmp_path / "t")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    for folder in ("t", "new"):
        with pytest.raises(WriteError, match="cannot be written: No space left"):
            table_of(2).save(tmp_path / folder)
    assert [p.name for p in tmp_path.iterdir()] == ["t"]
    assert sorted(p.name for p in (tmp_path / "t").iterdir()) == ["000000", "manifest.json"]
    assert len(FaceTable.load(tmp_path / "t")) == 3


def test_a_file_in_place_of_the_table_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("mine")
    with pytest.raises(WriteError, match="cannot be written"):
        table_of(2).save(tmp_path / "t")
    assert (tmp_path / "t").read_text() == "mine"


def test_hostile_tables_are_one_line(tmp_path: Path) -> None:
    table_of(6).save(tmp_path / "t")
    files = [p for p in (tmp_path / "t").rglob("*") if p.is_file()]
    said = []
    for file in files:
        good = file.read_bytes()
        for bad in mutations(
            [good], 40, seed=1, words=[b"null", b"[]", b"{}", b"'descr'", b"(6,)", b"|O", b"-1"]
        ):
            file.write_bytes(bad)
            try:
                FaceTable.load(tmp_path / "t")
                FaceTableWriter(tmp_path / "t", model="m" * 64).close()
            except FacespaceError as error:
                said.append(str(error))
            file.write_bytes(good)
    assert len(said) > 100 and not any("\n" in line for line in said)
    assert len(FaceTable.load(tmp_path / "t")) == 6
