"""Files that cannot be written are read all the same, and nothing is written beside them."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from facespace.errors import GalleryError
from facespace.gallery import Gallery
from stored import V1, faces

HERE = Path(__file__).parents[1]
# What a user who may not write does with a gallery.
LOOK = """
import os, sys
from facespace.errors import GalleryError
from facespace.gallery import Gallery
from stored import V1, faces
if os.geteuid() == 0:
    os.setgid(65534), os.setuid(65534)
with Gallery(sys.argv[1]) as gallery:
    assert gallery.roster.database.read_only
    (found,) = gallery.search(faces(2).embedding[:1], V1, k=1, far=1e-2)
    print([(s.name, s.n_faces) for s in gallery.subjects()], [match.face.face_id for match in found])
    try:
        gallery.roster.add_subject("Bob")
    except GalleryError as error:
        print(error)
"""


@pytest.fixture
def medium(tmp_path: Path) -> Iterator[Path]:
    """A folder that only root can write, in reach of everybody."""
    folder = Path(f"/tmp/facespace-medium-{os.getpid()}") if os.geteuid() == 0 else tmp_path / "medium"
    folder.mkdir(mode=0o755)
    yield folder
    folder.chmod(0o700)
    shutil.rmtree(folder)


def look(folder: Path, name: str = "g") -> str:
    for file in folder.iterdir():
        file.chmod(0o444)
    folder.chmod(0o555)
    before = sorted(path.name for path in folder.iterdir())
    done = subprocess.run(
        [sys.executable, "-c", LOOK, str(folder / name)], capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in folder.iterdir()) == before
    return done.stdout


@pytest.mark.parametrize("state", ["closed", "with a log", "of an earlier version"])
def test_a_gallery_on_a_medium_that_cannot_be_written(medium: Path, tmp_path: Path, state: str) -> None:
    if state == "of an earlier version":
        with sqlite3.connect(medium / "g") as old:
            old.executescript((HERE / "gallery" / "gallery_1.sql").read_text(encoding="utf-8"))
        old.close()
    else:
        with Gallery(tmp_path / "g") as gallery:
            gallery.load(faces(2), ["Ann", "Ann"], V1)
            if state == "with a log":  # as a kill leaves it
                for end in ("", "-wal"):
                    shutil.copyfile(tmp_path / f"g{end}", medium / f"g{end}")
        if state == "closed":
            shutil.copyfile(tmp_path / "g", medium / "g")
    shown, refused = look(medium).splitlines()
    assert refused.endswith(
        "can only be read: its disk or its rights allow no more; copy it to a folder of your own to change it"
    )
    if state != "of an earlier version":
        assert shown == "[('Ann', 2)] [1]"


def test_what_another_process_writes_is_seen(medium: Path) -> None:
    with Gallery(medium / "g") as gallery:
        gallery.load(faces(2), ["Ann", "Ann"], V1)
        assert "[('Ann', 2)]" in look(medium)


def test_a_file_that_is_not_there_cannot_be_made_there(tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match="cannot open the gallery"):
        Gallery(tmp_path / "absent" / "g")
