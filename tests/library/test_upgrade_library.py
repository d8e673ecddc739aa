"""A better model takes a library over: what people said stays, and nothing is looked for anew."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from facespace.embed import Embedder
from facespace.errors import ModelError
from facespace.faces.detect import Detector
from facespace.library import (
    Library,
    Upgrade,
    grouping,
)
from facespace.library.upgrading import LibraryFaces
from facespace.models import ModelSpec
from facespace.store.upgrading import embed_waiting
from fakes import COLOURS, SPEC, DrawnDetector, DrawnEmbedder, draw_photo
from inside import inside, sql

# The later model sees colours in other components, and says so or not.
LATER = dataclasses.replace(
    SPEC, version="2", sha256="a" * 64, byte_scale=90.0, distances={"1e-2": 0.35, "1e-3": 0.25}
)
COMPATIBLE = dataclasses.replace(
    LATER, sha256="c" * 64, compatible_with={SPEC.sha256: {"1e-2": 0.3, "1e-3": 0.2}}
)
NAMES = tuple(COLOURS)


class LaterEmbedder(DrawnEmbedder):
    def __init__(self, spec: ModelSpec = LATER, *, turned: bool = True) -> None:
        self.spec = spec
        self.turned = turned

    def embed(self, crops: np.ndarray, /) -> np.ndarray:
        rows = super().embed(crops)
        return np.roll(rows, 5, axis=1) if self.turned else rows


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for i in range(8):
        draw_photo(tmp_path / "photos" / f"{i}.png", NAMES[i % 4], NAMES[(i + 1) % 4])
    return tmp_path / "photos"


@pytest.fixture
def library(tmp_path: Path, photos: Path) -> Iterator[Library]:
    with Library(tmp_path / "library") as opened:
        opened.scan(photos, DrawnDetector(), DrawnEmbedder())
        opened.group(SPEC)
        speak(opened)
        yield opened


def speak(library: Library) -> None:
    """A name, a rejected face, two people told apart, something that is no face, a hidden person."""
    library.name(person_of(library, "0.png#1"), "Ann")
    library.confirm("Ann", ["0.png#1"])
    library.reject("Ann", ["4.png#1"])
    library.name(person_of(library, "1.png#1"), "Ben")
    library.apart("Ann", "Ben")
    library.not_a_face(["7.png#2"])
    library.hide(person_of(library, "2.png#1"))


def person_of(library: Library, face: str, spec: ModelSpec = SPEC) -> int:
    people = library.group(spec).people
    return next(p.person for p in people if face in {f.address for f in p.faces})


def words(library: Library) -> dict[str, list[tuple[object, ...]]]:
    """All that people said, row by row."""
    ask = {
        "confirmed": "SELECT face_id, person_id, named FROM assignments WHERE state = 'confirmed' ORDER BY 1",
        "people": "SELECT person_id, name, hidden, settled FROM people WHERE settled ORDER BY 1",
        "rejections": "SELECT * FROM rejections ORDER BY 1, 2",
        "told apart": "SELECT * FROM told_apart ORDER BY 1, 2",
        "ignored": "SELECT * FROM ignored ORDER BY 1",
        "history": "SELECT entry_id, what FROM history ORDER BY 1",
    }
    return {name: sql(library).execute(query).fetchall() for name, query in ask.items()}


def groups(library: Library, spec: ModelSpec) -> set[tuple[int, frozenset[str]]]:
    people = library.group(spec).people
    return {(person.person, frozenset(face.address for face in person.faces)) for person in people}


def test_an_empty_library_has_nothing_to_move(tmp_path: Path) -> None:
    with Library(tmp_path / "library") as library:
        assert library.model() is None
        done = library.upgrade(tmp_path, LaterEmbedder())
        assert (done.n_faces, done.n_embedded, done.is_complete) == (0, 0, True)


def test_names_and_corrections_are_the_same_afterwards(library: Library, photos: Path) -> None:
    before, said = groups(library, SPEC), words(library)
    told: list[tuple[int, int]] = []
    done = library.upgrade(photos, LaterEmbedder(), progress=lambda *now: told.append(now[1:]))
    assert done == Upgrade(SPEC.label, LATER.label, 16, 16, 16, True)
    assert "takes the place of" in done.line() and "16 of 16 faces done" in done.line()
    assert told[0] == (2, 16) and told[-1] == (16, 16)
    assert library.model() == LATER
    assert words(library) == said
    assert groups(library, LATER) == before
    assert library.templates.count() == {SPEC.sha256: 16, LATER.sha256: 16}
    assert {photo.embedder for photo in library.photos()} == {LATER.sha256}
    assert library.upgrade(photos, LaterEmbedder()).n_embedded == 0
    library.undo()
    assert library.upgrade(photos, DrawnEmbedder()).n_embedded == 0  # and back
    assert library.model() == SPEC and groups(library, SPEC) == before


def test_old_templates_leave_no_byte_behind(library: Library, photos: Path) -> None:
    old = [bytes(row[0]) for row in sql(library).execute("SELECT vector FROM templates")]
    assert any(vector in files_of(library) for vector in old)
    library.upgrade(photos, LaterEmbedder())
    assert library.drop_old() == {SPEC.label: 16} and library.drop_old() == {}
    content = files_of(library)
    assert not any(vector in content for vector in old)


def files_of(library: Library) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(library.folder.glob("library.sqlite*")))


def test_nothing_is_detected_and_the_old_model_serves_meanwhile(library: Library, photos: Path) -> None:
    detector, stop = DrawnDetector(), Event()
    before = groups(library, SPEC)
    stop.set()
    done = library.upgrade(photos, LaterEmbedder(), stop=stop)
    assert (done.n_done, done.is_complete, library.model()) == (2, False, SPEC)
    assert library.scan(photos, detector, LaterEmbedder()).n_new == detector.calls == 0
    assert groups(library, SPEC) == before
    probe = np.concatenate([batch.vectors for batch in library.templates.batches(model=SPEC.sha256)])[:1]
    rows = probe / np.linalg.norm(probe.astype(np.float32))
    assert library.templates.search(rows.astype(np.float32), SPEC, k=3).distance.max() < 0.01
    done = library.upgrade(photos, LaterEmbedder())
    assert (done.n_embedded, done.n_done, done.is_complete) == (14, 16, True)


def test_those_whom_people_spoke_of_come_first(library: Library, photos: Path) -> None:
    confirmed = {row[0] for row in words(library)["confirmed"]}
    turns = [
        bool(confirmed & set(job.face_id.tolist()))
        for job in LibraryFaces(inside(library), photos).waiting(LATER)
    ]
    assert turns == sorted(turns, reverse=True) and len(turns) == 8


def test_a_library_is_not_grouped_by_a_model_that_it_has_not_been_moved_to(
    library: Library, photos: Path
) -> None:
    before = groups(library, SPEC)
    draw_photo(photos / "new.png", "blue")
    library.scan(photos, DrawnDetector(), LaterEmbedder())
    with pytest.raises(ModelError, match=r"16 of its 17 faces have no template of drawn 2.*upgrade"):
        library.group(LATER)
    assert groups(library, SPEC) == before


def test_photos_that_cannot_be_embedded_keep_their_old_templates(library: Library, photos: Path) -> None:
    said = words(library)
    (photos / "0.png").unlink()
    status, content = (photos / "1.png").stat(), (photos / "1.png").read_bytes()
    (photos / "1.png").write_bytes(content[:-1] + b"x")  # behind an unchanged stamp
    os.utime(photos / "1.png", ns=(status.st_atime_ns, status.st_mtime_ns))
    done = library.upgrade(photos, LaterEmbedder())
    assert (done.n_done, done.is_complete) == (12, True)
    assert [str(u.photo) for u in done.not_at_hand] == ["0.png"]
    library.drop_old()
    assert library.templates.count() == {SPEC.sha256: 4, LATER.sha256: 12}
    assert words(library) == said
    draw_photo(photos / "0.png", "red", "green")
    detector = DrawnDetector()
    library.scan(photos, detector, LaterEmbedder())
    assert detector.calls == 1  # the one put back is known, the other was found changed
    done = library.upgrade(photos, LaterEmbedder())
    assert done.n_done == done.n_faces
    assert words(library) == said


def test_forgotten_meanwhile_stays_forgotten(library: Library, photos: Path) -> None:
    class Forgetter(LaterEmbedder):
        def embed(self, crops: np.ndarray, /) -> np.ndarray:
            with Library(library.folder) as other:
                if not sql(other).execute("SELECT 1 FROM ignored WHERE why = 'forgotten'").fetchone():
                    other.forget("Ann")
            return super().embed(crops)

    embed_waiting(LibraryFaces(inside(library), photos), Forgetter(), workers=1)
    lost = sql(library).execute("SELECT face_id FROM ignored WHERE why = 'forgotten'").fetchall()
    templates = {row[0] for row in sql(library).execute("SELECT face_id FROM templates")}
    assert lost and not templates & {row[0] for row in lost}


@pytest.mark.parametrize(("spec", "turned", "joined"), [(LATER, True, False), (COMPATIBLE, False, True)])
def test_new_photos_while_the_old_model_is_lost(
    library: Library, photos: Path, spec: ModelSpec, turned: bool, joined: bool
) -> None:
    """They are compared across where the models may meet, else they wait for the end."""
    said, later = words(library), LaterEmbedder(spec, turned=turned)
    assert library.reading_embedder(later) is later
    draw_photo(photos / "new.png", "blue")
    draw_photo(photos / "other.png")
    assert library.scan(photos, DrawnDetector(), later).n_new == 2
    with_blue = {faces for _, faces in groups(library, SPEC) if "2.png#1" in faces}
    assert ("new.png#1" in next(iter(with_blue))) is joined
    done = library.upgrade(photos, later)
    assert (done.n_embedded, done.n_done) == (16, 17)
    assert "new.png#1" in next(faces for _, faces in groups(library, spec) if "2.png#1" in faces)
    assert words(library) == said


def test_new_photos_are_read_by_the_librarys_model_where_it_is_at_hand(
    library: Library, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facespace.library.upgrading.find_weights", lambda sha256: Path(sha256))
    monkeypatch.setattr("facespace.library.upgrading.Embedder", lambda path, **_: DrawnEmbedder())
    reader = library.reading_embedder(LaterEmbedder())
    assert reader.spec == SPEC
    monkeypatch.setattr("facespace.library.upgrading.Embedder", lambda path, **_: LaterEmbedder())
    with pytest.raises(ModelError, match="expected the library's model drawn 1"):
        library.reading_embedder(LaterEmbedder(COMPATIBLE))


def test_groups_that_are_worked_out_while_another_process_moves_the_library_are_the_new_models(
    library: Library, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = grouping._group
    before = groups(library, SPEC)

    def interrupted(*arguments: object) -> object:
        monkeypatch.setattr(grouping, "_group", group)
        with Library(library.folder) as other:
            other.upgrade(photos, LaterEmbedder())
        return group(*arguments)  # type: ignore[arg-type]

    library.reject("Ben", [sorted(group_named(library, "Ben"))[-1]])
    library.undo()  # something was said: the groups are worked out again
    monkeypatch.setattr(grouping, "_group", interrupted)
    library.regroup()
    assert library.model() == LATER
    assert groups(library, LATER) == before


def group_named(library: Library, name: str) -> set[str]:
    people = library.group(SPEC).people
    return {face.address for person in people if person.name == name for face in person.faces}


def test_a_model_that_cannot_group_is_refused_before_the_work(library: Library, photos: Path) -> None:
    bare = LaterEmbedder(dataclasses.replace(LATER, distances={}))
    with pytest.raises(ModelError):
        library.upgrade(photos, bare)
    assert library.templates.count() == {SPEC.sha256: 16}


MOVE = f"""
import sys, time
sys.path[:0] = [{str(Path(__file__).parents[1])!r}, {str(Path(__file__).parent)!r}]
from pathlib import Path
from facespace.library import Library
from test_upgrade_library import LaterEmbedder
class Slow(LaterEmbedder):
    def embed(self, crops, /):
        time.sleep(0.02)
        return super().embed(crops)
with Library(Path(sys.argv[1])) as library:
    library.upgrade(Path(sys.argv[2]), Slow(), workers=1, progress=lambda *now: print(now[1], flush=True))
"""


def test_a_kill_at_any_moment_loses_nothing_and_is_gone_on_from(library: Library, photos: Path) -> None:
    for i in range(8, 40):
        draw_photo(photos / f"{i}.png", NAMES[i % 4], NAMES[(i + 2) % 4])
    library.scan(photos, DrawnDetector(), DrawnEmbedder())
    before, said = groups(library, SPEC), words(library)
    done = 0
    for patience in (1, 3, 5, 2, 7):
        process = subprocess.Popen(
            [sys.executable, "-c", MOVE, library.folder, photos], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(patience)]
        process.send_signal(signal.SIGKILL)
        process.communicate()
        now = library.templates.count().get(LATER.sha256, 0)
        assert now >= int(lines[-1]) > done
        done = now
        assert sql(library).execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert (words(library), groups(library, SPEC)) == (said, before)
    last = library.upgrade(photos, LaterEmbedder())
    assert (last.n_embedded, last.n_done) == (80 - done, 80)
    assert (words(library), groups(library, LATER)) == (said, before)


def test_real_faces_are_embedded_again_as_a_fresh_scan_would(data: Path, tmp_path: Path) -> None:
    detector, smaller, larger = Detector(), Embedder("facespace-xs"), Embedder("facespace-s")
    photos = tmp_path / "photos"
    photos.mkdir()
    for i in range(12):
        shutil.copy(data / "albums" / "people" / f"IMG_{i:04}.jpg", photos)
    with Library(tmp_path / "library") as library, Library(tmp_path / "fresh") as fresh:
        library.scan(photos, detector, smaller)
        first = library.group(smaller.spec).people[0]
        library.name(first.person, "Ann")
        said = words(library)
        assert library.reading_embedder(larger).spec == smaller.spec
        done = library.upgrade(photos, larger)
        assert done.n_embedded == done.n_faces > 8
        assert words(library) == said
        fresh.scan(photos, detector, larger)
        again, anew = (
            {
                int(i): v.tolist()
                for batch in opened.templates.batches(model=larger.spec.sha256)
                for i, v in zip(batch.face_id, batch.vectors, strict=True)
            }
            for opened in (library, fresh)
        )
        assert again == anew
