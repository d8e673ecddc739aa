"""Several processes on one library, and processes that are killed: every word that was answered is there afterwards."""

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from facespace.library import Library
from fakes import SPEC, draw_photo
from inside import sql
from known_photos import add, photo

HEAD = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from pathlib import Path
from facespace.library import Library
from inside import sql
from fakes import SPEC, DrawnDetector, DrawnEmbedder
folder, photos = map(Path, sys.argv[1:3])
"""
# Names, tells apart and takes back, again and again; says which entry it had an answer for.
SPEAK = (
    HEAD
    + """
with Library(folder) as library:
    faces = [r[0] for r in sql(library).execute("SELECT face_id FROM faces ORDER BY face_id")]
    for i in range(int(sys.argv[3])):
        people = [r[0] for r in sql(library).execute("SELECT DISTINCT person_id FROM assignments")]
        entry = library.name(people[i % len(people)], f"{os.getpid()} name {i}")
        print(entry.entry_id, flush=True)
        if i % 3 == 0:
            print(library.hide(people[i % len(people)]).entry_id, flush=True)
            print(library.undo().entry_id, flush=True)
        if i % 4 == 0:
            library.group(SPEC)
"""
)
SCAN = (
    HEAD
    + """
with Library(folder) as library:
    for _ in range(int(sys.argv[3])):
        library.scan(photos, DrawnDetector(pause_s=0.01), DrawnEmbedder(), workers=1)
        library.group(SPEC)
"""
)


def start(code: str, library: Path, photos: Path, rounds: int) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", code, str(library), str(photos), str(rounds)],
        stdout=subprocess.PIPE,
        text=True,
    )


def check_whole(library: Library) -> None:
    catalogue = sql(library)
    assert catalogue.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert catalogue.execute("PRAGMA foreign_key_check").fetchall() == []
    without_steps = "SELECT count(*) FROM history WHERE entry_id NOT IN (SELECT entry_id FROM changes)"
    assert catalogue.execute(without_steps).fetchone() == (0,)


def test_a_kill_loses_no_word_that_was_answered(tmp_path: Path) -> None:
    with Library(tmp_path) as library:
        for i in range(8):
            add(library, photo(f"{i}.jpg", i % 4, 4 + i % 2))
        library.group(SPEC)
    answered = 0
    for patience in (3, 7, 12):
        process = start(SPEAK, tmp_path, tmp_path, 10_000)
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(patience)]
        process.send_signal(signal.SIGKILL)
        lines += process.communicate()[0].splitlines()
        answered = max([answered, *(int(line) for line in lines if line.strip())])
        with Library(tmp_path) as library:
            check_whole(library)
            assert library.history()[0].entry_id >= answered
    with Library(tmp_path) as library:
        while any(e.in_force and e.undoes is None for e in library.history()):
            library.undo()
        assert sql(library).execute("SELECT count(*) FROM people WHERE settled").fetchone() == (0,)


def test_one_scans_while_another_corrects(tmp_path: Path) -> None:
    photos, folder = tmp_path / "photos", tmp_path / "library"
    for i in range(10):
        draw_photo(photos / f"{i}.png", *["red", "green", "blue", "ochre"][i % 3 : i % 3 + 2])
    first = start(SCAN, folder, photos, 1)
    first.communicate(timeout=100)
    assert first.returncode == 0
    for i in range(10, 30):
        draw_photo(photos / f"{i}.png", *["red", "green", "blue", "ochre"][i % 3 : i % 3 + 2])
    both = [start(SCAN, folder, photos, 3), start(SPEAK, folder, photos, 20)]
    said = [process.communicate(timeout=100)[0].split() for process in both][1]
    assert [process.returncode for process in both] == [0, 0]
    with Library(folder) as library:
        check_whole(library)
        assert len(library.photos()) == 30
        assert {int(entry) for entry in said} <= {e.entry_id for e in library.history()}
        last = next(e for e in library.history() if e.action == "name")
        assert last.what.endswith("name 19")
        assert any((p.name or "").endswith("name 19") for p in library.group(SPEC).people)


def test_a_correction_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    from facespace.errors import LibraryError

    with Library(tmp_path) as library:
        add(library, photo("1.jpg", 0))
        library.group(SPEC)
        sql(library).execute("PRAGMA busy_timeout = 10")
        other = sqlite3.connect(tmp_path / "library.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LibraryError, match="cannot write the library: database is locked"):
            library.name(1, "Ann")
        other.close()
        assert library.name(1, "Ann") is not None
