"""A damaged file is said to be one, in one line, wherever it is read."""

import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from facespace.errors import FacespaceError, GalleryError, InputError
from facespace.gallery import Gallery
from stored import V1, V2, database_of, faces

PROBE = faces(1).embedding


def small_gallery(path: Path) -> Path:
    with Gallery(path) as gallery:
        gallery.load(faces(300), [f"Person {i % 40}" for i in range(300)], V1)
        gallery.load(faces(40, V2), [f"Person {i}" for i in range(40)], V2)
    return path


def look_at_everything(path: Path) -> None:
    with Gallery(path, create=False) as gallery:
        gallery.overview()
        list(gallery.faces())
        list(gallery.templates.batches())
        gallery.search(PROBE, V2, k=400, far=1e-2)
        gallery.identify(PROBE, V2)
        gallery.roster.find_faces(range(1, 301))


def test_flipped_bits_anywhere_end_in_one_line_or_in_an_answer(tmp_path: Path) -> None:
    sound = small_gallery(tmp_path / "sound").read_bytes()
    rng, path, said = np.random.default_rng(0), tmp_path / "g", 0
    for case in range(150):
        damaged = np.frombuffer(sound, np.uint8).copy()
        # The head and the tables' own pages tell the most, so every third case is there.
        places = rng.integers(0, 200 if case % 3 == 0 else len(damaged), rng.integers(1, 40))
        damaged[places] ^= rng.integers(1, 256, len(places), dtype=np.uint8)
        for left in tmp_path.glob("g-*"):
            left.unlink()
        path.write_bytes(damaged.tobytes())
        try:
            look_at_everything(path)
        except FacespaceError as error:
            line = str(error)
            assert "\n" not in line and line.isprintable() and len(line) < 1000, line
            said += "damaged" in line and str(path) in line
    assert said > 60


@pytest.mark.parametrize("keep", [0, 10, 100, 5000])
def test_a_file_cut_short(tmp_path: Path, keep: int) -> None:
    path = small_gallery(tmp_path / "g")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(GalleryError, match="damaged" if keep else "the file is empty"):
        look_at_everything(path)


def test_a_damaged_row_is_told_as_damage_and_a_mistake_of_the_caller_is_not(tmp_path: Path) -> None:
    path = small_gallery(tmp_path / "g")
    with sqlite3.connect(path) as other:
        other.execute("UPDATE templates SET vector = x'00' WHERE template_id = 7")
    other.close()
    with pytest.raises(GalleryError, match=r"damaged \(a template of 1 bytes"), Gallery(path) as gallery:
        gallery.search(PROBE, V1, k=1)
    with pytest.raises(InputError, match="k: expected at least 1"), Gallery(path) as gallery:
        gallery.search(PROBE, V1, k=0)
    with pytest.raises(ValueError, match="mine"), Gallery(path):
        raise ValueError("mine")
    with pytest.raises(GalleryError, match=r"damaged \(Expecting value"), Gallery(path):
        json.loads("")


def test_a_backup_is_the_file_while_it_is_written(tmp_path: Path) -> None:
    path = small_gallery(tmp_path / "g")
    with Gallery(path) as gallery, gallery.roster.transaction():
        gallery.roster.add_subject("Not yet")
        with Gallery(path) as other:
            database_of(other).backup(tmp_path / "kept" / "b")
            database_of(other).backup(tmp_path / "kept" / "b")  # takes the place of an older one
    assert [file.name for file in (tmp_path / "kept").iterdir()] == ["b"]
    assert (tmp_path / "kept" / "b").stat().st_mode & 0o077 == 0
    with Gallery(tmp_path / "kept" / "b") as backup:
        assert len(backup.subjects()) == 40 and backup.templates.count() == {V1.sha256: 300, V2.sha256: 40}
        assert database_of(backup).problems() == ()


def test_a_backup_takes_no_other_files_place(tmp_path: Path) -> None:
    path = small_gallery(tmp_path / "g")
    (tmp_path / "photo").write_bytes(b"x" * 100)
    with Gallery(path) as gallery:
        for taken in (path, tmp_path / "photo", tmp_path):
            with pytest.raises(InputError, match="expected no file there"):
                database_of(gallery).backup(taken)
    assert (tmp_path / "photo").read_bytes() == b"x" * 100


def test_the_file_of_an_earlier_version_is_kept_until_something_is_removed_for_good(tmp_path: Path) -> None:
    script = (Path(__file__).parents[1] / "gallery" / "gallery_1.sql").read_text(encoding="utf-8")
    with sqlite3.connect(tmp_path / "g") as old:
        old.executescript(script)
    old.close()
    with Gallery(tmp_path / "g") as gallery:
        (kept,) = database_of(gallery).kept()
        with sqlite3.connect(kept) as before:
            assert before.execute("PRAGMA user_version").fetchone() == (1,)
            assert before.execute("SELECT count(*) FROM faces").fetchone()[0] == len(list(gallery.faces()))
        before.close()
        assert kept.name == "g.v1.backup" and kept.stat().st_mode & 0o077 == 0
        database_of(gallery).scrub()
        assert database_of(gallery).kept() == []
