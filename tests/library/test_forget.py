"""What is forgotten is gone from the bytes of all files."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from facespace.errors import CorrectionError, LibraryError
from facespace.library import Library
from facespace.library.photos import remove_photos
from facespace.web.page import write_page
from fakes import SPEC
from inside import inside, sql
from known_photos import add, person_of, photo

RED, BLUE = 0, 1
N = 40


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "library") as opened:
        for i in range(N):
            add(opened, photo(f"{i:02}.tiff", RED, BLUE))
        opened.group(SPEC)
        yield opened


def secrets(library: Library, face: str) -> dict[str, list[bytes]]:
    """Pieces of the templates and thumbnails of the person of a face."""
    rows = inside(library).rows(
        "SELECT vector, thumbnail, landmarks FROM templates JOIN faces USING (face_id)"
        " JOIN assignments USING (face_id) WHERE person_id = ?",
        (person_of(library, face),),
    )
    return {
        "templates": [row[0][i : i + 32] for row in rows for i in (0, 48, 96)],
        "thumbnails": [
            row[1][i : i + 64] for row in rows for i in (700, len(row[1]) // 2, len(row[1]) - 100)
        ],
    }


def found(folder: Path, pieces: list[bytes]) -> int:
    """How many of the pieces stand in any file of the folder."""
    content = b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
    return sum(piece in content for piece in pieces)


def with_page(library: Library) -> None:
    write_page(library, library.group(SPEC), Path("/photos"))
    for face in inside(library).faces_of_model(SPEC.sha256, SPEC.dim).face_id.tolist()[:4]:
        preview = library.folder / "previews" / f"{face:016x}.jpg"
        preview.parent.mkdir(exist_ok=True)
        preview.write_bytes(b"preview")


def leave_traces(library: Library) -> None:
    """Deleted copies of all templates in the free pages, as files from before facespace overwrote them have."""
    careless = sqlite3.connect(library.folder / "library.sqlite")
    careless.execute("PRAGMA secure_delete = OFF")
    careless.executescript("CREATE TABLE copies AS SELECT vector FROM templates; DROP TABLE copies;")
    careless.close()


def test_nothing_of_a_person_is_left_in_any_file(library: Library) -> None:
    library.name(person_of(library, "00.tiff#1"), "Rumpelstiltskin")
    library.name(person_of(library, "00.tiff#2"), "Bob")
    library.reject("Rumpelstiltskin", ["00.tiff#2"])
    library.undo()
    with_page(library)
    leave_traces(library)
    theirs, others = secrets(library, "00.tiff#1"), secrets(library, "00.tiff#2")
    theirs["names"] = [b"Rumpelstiltskin"]
    assert {kind: found(library.folder, p) for kind, p in theirs.items()} == {
        kind: len(p) for kind, p in theirs.items()
    }
    forgotten = library.forget("Rumpelstiltskin")
    assert (forgotten.n_faces, forgotten.n_templates) == (N, N) and forgotten.n_files == N * 2 + 4 + 1
    assert {kind: found(library.folder, p) for kind, p in theirs.items()} == dict.fromkeys(theirs, 0)
    assert found(library.folder, others["templates"]) == len(others["templates"])
    (entry, *rest) = library.history()
    assert (entry.action, entry.what) == (
        "forget", f"forgot a person: {N} faces, {N} templates, {forgotten.n_files} files",
    )  # fmt: skip
    assert [e.what for e in rest] == [f"name person {person_of(library, '00.tiff#2')} Bob"]
    assert [p.name for p in library.group(SPEC).people] == ["Bob"]
    library.undo()
    with pytest.raises(CorrectionError, match="nothing to undo"):
        library.undo()


def test_the_forgotten_are_not_learned_again_from_the_same_photo(library: Library) -> None:
    gone = library.forget(person_of(library, "00.tiff#1"))
    assert gone.n_faces == N
    add(library, photo("00.tiff", RED, BLUE))  # read again, by another detector say
    remove_photos(inside(library), [p.photo_id for p in library.photos() if p.path == "01.tiff"])
    add(library, photo("back/01.tiff", RED, BLUE, content=f"{'01.tiff':0>64}"))
    people = library.group(SPEC)
    assert {face.address for p in people.people for face in p.faces} == {
        *(f"{i:02}.tiff#2" for i in range(N) if i != 1),
        "back/01.tiff#2",
    }
    with pytest.raises(CorrectionError, match="expected a face"):
        library.not_a_face(["00.tiff#1"])
    add(library, photo("new.tiff", RED))
    assert len(library.group(SPEC).people) == 2


def test_deleted_photos_leave_no_template_and_no_thumbnail(library: Library) -> None:
    library.name(person_of(library, "00.tiff#1"), "Ann")  # something was said of these faces
    with_page(library)
    theirs = secrets(library, "00.tiff#1")
    assert found(library.folder, theirs["templates"]) == len(theirs["templates"])
    (library.folder / "people.html").unlink()
    remove_photos(inside(library), [photo.photo_id for photo in library.photos()])
    assert found(library.folder, theirs["templates"] + theirs["thumbnails"]) == 0
    assert library.group(SPEC).n_faces == 0


def test_another_process_that_holds_the_file_is_named(library: Library) -> None:
    reader = sqlite3.connect(library.folder / "library.sqlite", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM faces").fetchone()
    sql(library).execute("PRAGMA busy_timeout = 50")
    with pytest.raises(LibraryError, match="another process holds the file"):
        library.forget(person_of(library, "00.tiff#1"))
    reader.close()
    assert library.history()[0].action == "forget"
