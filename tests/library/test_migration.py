"""Catalogues of every earlier schema version, brought up to date."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from facespace.errors import LibraryError
from facespace.library import Library, Rule
from facespace.library.schema import LIBRARY_FILE
from fakes import SPEC
from inside import sql

OPEN = "import sys; from facespace.library import Library; Library(sys.argv[1]).close()"


@pytest.fixture(params=range(1, LIBRARY_FILE.version), ids=lambda v: f"version {v}")
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The folder of a library of an earlier version, as that version wrote it of drawn pictures."""
    script = (Path(__file__).parent / f"catalogue_{request.param}.sql").read_text(encoding="utf-8")
    with sqlite3.connect(tmp_path / "library.sqlite") as catalogue:
        catalogue.executescript(script)
    catalogue.close()
    return tmp_path


def schema(folder: Path) -> set[tuple[str, str]]:
    with Library(folder) as library:
        rows = sql(library).execute("SELECT name, sql FROM sqlite_master").fetchall()
    return {(name, " ".join((sql or "").replace('"', "").split())) for name, sql in rows}


def test_everything_is_there_as_it_was(old: Path) -> None:
    with Library(old) as library:
        catalogue = sql(library)
        assert catalogue.execute("PRAGMA user_version").fetchone() == (LIBRARY_FILE.version,)
        assert catalogue.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert catalogue.execute("PRAGMA foreign_key_check").fetchall() == []
        assert catalogue.execute("PRAGMA foreign_keys").fetchone() == (1,)
        assert [os.fsencode(p.path) for p in library.photos()] == [
            b"1.png", b"2.png", b"4.png", b"bad.jpg", b"sub/3.png", b"\xff.png",
        ]  # fmt: skip
        assert [p.embedder for p in library.photos()] == [SPEC.sha256] * 3 + [None] + [SPEC.sha256] * 2
        assert library.templates.count() == {SPEC.sha256: 6}
        assert SPEC in library.templates.models()
        (batch,) = library.templates.batches()
        qualities = dict(catalogue.execute("SELECT face_id, quality FROM faces"))
        assert batch.quality.tolist() == pytest.approx([qualities[int(i)] for i in batch.face_id])
        assert batch.vectors[0, :3].tolist() == [66, -53, -53]
        people = library.group(SPEC, rule=Rule(far=1e-3)).people
    assert [(p.name, len(p.faces)) for p in people] == [("Ann", 3), (None, 2), (None, 1)]


def test_photos_that_earlier_versions_could_not_read_are_tried_once_more(old: Path, tmp_path: Path) -> None:
    with Library(old) as library:
        stamps = {photo.path: photo.stamp for photo in library.photos()}
    assert [path for path, stamp in stamps.items() if stamp[3] == -1] == ["bad.jpg"]


def test_an_old_catalogue_ends_like_a_new_one(old: Path) -> None:
    assert schema(old) == schema(old / "new")


def test_processes_that_open_an_old_catalogue_together_bring_it_up_once(old: Path) -> None:
    together = [subprocess.Popen([sys.executable, "-c", OPEN, str(old)]) for _ in range(2)]
    assert [process.wait(60) for process in together] == [0, 0]
    with Library(old) as library:
        assert library.templates.count() == {SPEC.sha256: 6}


def test_a_migration_that_fails_leaves_the_file_as_it_was(old: Path) -> None:
    path = old / "library.sqlite"
    with sqlite3.connect(path) as catalogue:
        catalogue.execute("DELETE FROM people WHERE person_id = 3")  # an assignment now refers to nobody
        before = list(catalogue.iterdump())
    catalogue.close()
    with pytest.raises(LibraryError, match="refer to nothing"):
        Library(old)
    with sqlite3.connect(path) as catalogue:
        assert list(catalogue.iterdump()) == before
    catalogue.close()
