"""Processes are killed in the middle of their work: what they acknowledged is there, and nothing is half done."""

import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facespace.distances import distance
from facespace.embed import dequantise, quantise
from facespace.extract import extract_table
from facespace.gallery import Gallery
from facespace.gallery.subject_index import SubjectIndex
from facespace.store.nearest import ByteRows
from fakes import COLOURS, SPEC, DrawnEmbedder
from gallery.acting import NEWER, NewerEmbedder
from gallery.conftest import Start
from stored import V1, database_of, faces, shown_prototypes


def whole(path: Path) -> list[int]:
    """The ids of all faces of a file that is sound; each has a template."""
    with Gallery(path, create=False) as gallery:
        connection = database_of(gallery).connection
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        ids = sorted(face.face_id for face in gallery.faces())
        assert set(ids) == {int(i) for batch in gallery.templates.batches() for i in batch.face_id}
    return ids


def test_no_kill_loses_an_enrolment_that_was_acknowledged(tmp_path: Path, start: Start) -> None:
    path, safe = tmp_path / "g", []
    for round_ in range(8):
        actor = start("enrol", path, 1 + 100_000 * round_, 5000)
        actor.wait(1 + 7 * round_)
        safe += [int(line) for line in actor.kill()]
        ids = whole(path)
        assert {i + j for i in safe for j in (0, 1)} <= set(ids)
        # Both faces of a pair or neither; at most the pair in hand is there without having been acknowledged.
        assert len(ids) % 2 == 0 and len(ids) <= 2 * (len(safe) + round_ + 1)


def test_processes_that_make_and_fill_a_gallery_together_lose_nothing(tmp_path: Path, start: Start) -> None:
    for attempt in range(5):
        path = tmp_path / f"g{attempt}"
        together = [start("enrol", path, 1 + 1000 * p, 10) for p in range(2)]
        assert [actor.wait()[-1] for actor in together] == ["done", "done"]
        assert whole(path) == [1000 * p + i for p in range(2) for i in range(1, 21)]


@pytest.mark.parametrize("n_kills", [4, pytest.param(30, marks=pytest.mark.slow)])
def test_no_kill_parts_the_index_from_the_gallery(tmp_path: Path, start: Start, n_kills: int) -> None:
    path, safe = tmp_path / "g", set[int]()
    probes = faces(3, V1, seed=9).embedding
    for round_ in range(n_kills):
        first = 1 + 1000 * round_
        actor = start("index", path, first, 5000)
        actor.wait(1 + (7 * round_) % 13)
        time.sleep(0.003 * (round_ % 11))  # at another point of what it does
        safe |= {int(line) + 1 for line in actor.kill()}
        ids = whole(path)
        assert safe <= set(ids)
        with Gallery(path, create=False) as gallery:
            assert gallery.check() == ()
            ((state),) = gallery.index_states().values()
            assert state.n == len(ids)
            hits = gallery.templates.search(probes, V1, k=len(ids))
            rows = ByteRows.joined(
                [ByteRows.of(b.template_id, b.face_id, b.vectors) for b in gallery.templates.batches()]
            )
            place, distances = rows.nearest(quantise(probes, V1.byte_scale), len(ids))
            assert hits.face_id.tolist() == rows.face_id[place].tolist()
            assert np.array_equal(hits.distance, distances)
            followed = gallery.roster.prototypes(quantise(probes, V1.byte_scale), V1)[0]
            afresh = SubjectIndex(database_of(gallery), gallery.roster.templates).of(V1)  # type: ignore[arg-type]
            assert shown_prototypes(followed) == shown_prototypes(afresh)


def draw_crops(folder: Path, n: int) -> list[tuple[Path, str]]:
    """Crops of four people, each of its person's colour and a little more blue."""
    folder.mkdir()
    named = []
    for i in range(n):
        name = list(COLOURS)[i % 4]
        red, green, blue = COLOURS[name]
        Image.new("RGB", (112, 112), (red, green, blue + i)).save(folder / f"{i}.png")
        named.append((folder / f"{i}.png", name))
    return named


def check_search(gallery: Gallery, probes: np.ndarray) -> int:
    """A search equals brute force over what the file holds at this moment; how many new templates it holds."""
    with gallery.roster.snapshot():
        found = gallery.search(probes, NEWER, k=3, far=1e-3)
        held = {spec.sha256: {} for spec in (SPEC, NEWER)}
        for batch in gallery.templates.batches():
            held[batch.model] |= dict(zip(batch.face_id.tolist(), dequantise(batch.vectors), strict=True))
    thresholds = {NEWER.sha256: 0.25, SPEC.sha256: 0.3}
    for probe, row in zip(dequantise(quantise(probes, NEWER.byte_scale)), found, strict=True):
        every = []
        for face in held[SPEC.sha256]:
            model = NEWER.sha256 if face in held[NEWER.sha256] else SPEC.sha256
            d = float(distance(probe[None], held[model][face][None])[0])
            # Both lines of log FAR begin at threshold 1e-3 and rise by 1 over 0.1.
            every.append(((d - thresholds[model]) / 0.1, face, model, d))
        nearest = sorted(every)[:3]
        assert [m.model for m in row] == [one[2] for one in nearest]
        assert [m.distance for m in row] == pytest.approx([one[3] for one in nearest], abs=1e-5)
        assert [m.same for m in row] == [one[3] <= thresholds[one[2]] for one in nearest]
    return len(held[NEWER.sha256])


def test_no_kill_loses_what_an_upgrade_acknowledged_and_searches_go_on(tmp_path: Path, start: Start) -> None:
    path, named = tmp_path / "g", draw_crops(tmp_path / "crops", 40)
    probes = extract_table([p for p, _ in named[:3]], None, NewerEmbedder())[0].embedding
    with Gallery(path) as gallery:
        assert gallery.enrol(named, None, DrawnEmbedder(), workers=1).n_new == 40
    for _ in range(20):
        actor = start("upgrade", path)
        with Gallery(path, create=False) as gallery:  # searched while the other process writes
            for n in (1, 4, 7):
                actor.wait(n)
                n_new = check_search(gallery, probes)
            done = actor.kill()
            before, n_new = n_new, check_search(gallery, probes)  # it may have ended before the kill
            assert n_new >= before
            numbers = [int(line) for line in done if line != "done"]
            assert gallery.templates.count()[NEWER.sha256] >= max(numbers, default=0)
        assert len(whole(path)) == 40
        if "done" in done:
            break
    assert n_new == 40
    with Gallery(tmp_path / "fresh") as fresh, Gallery(path) as gallery:
        fresh.enrol(named, None, NewerEmbedder(), workers=1)
        (expected,), (got,) = (
            [
                {int(i): v.tolist() for i, v in zip(b.face_id, b.vectors, strict=True)}
                for b in g.templates.batches(model=NEWER.sha256)
            ]
            for g in (fresh, gallery)
        )
        assert got == expected
