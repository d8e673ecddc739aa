"""A gallery in Milvus does and answers what one in a file does, on milvus-lite and on a real server."""

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embeddings import unit_rows
from facespace.errors import GalleryError, InputError
from facespace.gallery import Gallery
from facespace.gallery.milvus_roster import MilvusRoster
from facespace.models import ModelSpec
from facespace.store import IndexState
from facespace.store.milvus import MilvusAddress
from facespace.store.milvus import database as milvus_database
from in_milvus import emptied
from stored import DIM, V1, V2, faces

PROBES = unit_rows(np.random.default_rng(1), 12, DIM)
NAMES = [f"N{i % 17}" for i in range(60)]


@pytest.fixture(params=["lite_address", "server_address"])
def address(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


@pytest.fixture
def two(address: str, tmp_path: Path) -> Iterator[tuple[Gallery, Gallery]]:
    with emptied(address) as one, Gallery(tmp_path / "g") as other:
        yield one, other


def outcome(do: Callable[[Gallery], Any], gallery: Gallery) -> str:
    try:
        return repr(do(gallery))  # of which nan equals nan
    except GalleryError as error:
        return str(error).replace(str(gallery.place), "PLACE")


def hits(gallery: Gallery, spec: ModelSpec) -> Any:
    return [
        [(m.face.face_id, m.face.subject, m.model, m.distance, m.threshold, m.same) for m in row]
        for row in gallery.search(PROBES, spec, k=7, far=1e-2)
    ]


def identities(gallery: Gallery, spec: ModelSpec) -> Any:
    found = gallery.identify(PROBES, spec)
    rows = [column.round(9).tolist() for column in (found.distance, found.threshold, found.chance)]
    return found.subject, found.nearest, rows, found.n_subjects, found.n_comparisons, found.far


def shown(gallery: Gallery) -> Any:
    seen = gallery.overview()
    people = [(one.name, one.n_faces) for one in seen.subjects]
    return seen.model, people, seen.templates, seen.progress, [entry.spec for entry in seen.history]


LOOKS: list[Callable[[Gallery], Any]] = [
    lambda g: hits(g, V1),
    lambda g: hits(g, V2),
    lambda g: identities(g, V1),
    lambda g: identities(g, V2),
    shown,
    lambda g: g.count(),
    lambda g: list(g.faces()),
    lambda g: g.faces_of("n4"),
    lambda g: [one.name for one in g.subjects(after="N11", limit=3)],
    lambda g: g.page_of_faces(after=5, limit=4),
    lambda g: g.roster.by_quality(),
    lambda g: g.roster.enrolled(["p1.png", "p2.png", "p7.png"], V1.sha256),
    lambda g: g.check(),
]
CHANGES: list[Callable[[Gallery], Any]] = [
    lambda g: g.load(faces(0), [], V1),
    lambda g: g.load(faces(60), NAMES, V1),
    lambda g: g.load(faces(60), NAMES, V1),  # again
    lambda g: g.load(faces(2), ["N0", "Someone else"], V1),  # refused
    lambda g: g.load(faces(20, V2), NAMES[:20], V2),
    lambda g: g.remove(subjects=["n3"], photos=["p1.png"], face_id=[56]).n_faces,
    lambda g: g.remove(subjects=["n3"]),  # refused
    lambda g: g.replace(faces(4, start=10, seed=5), ["N0"] * 4, V1),
    lambda g: g.rename("N5", 'Zoé "Z" \\ O\'x'),
    lambda g: g.rename("N6", "N7"),
    lambda g: g.rename("N8", "n8"),
    lambda g: g.roster.moved([20, 21], "/elsewhere/\udcff.png"),
    lambda g: g.drop_old(),
    lambda g: g.remove(photos=["/elsewhere/\udcff.png"]).n_faces,
]


def test_every_change_and_every_answer_are_those_of_a_gallery_in_a_file(two: tuple[Gallery, Gallery]) -> None:
    for i, change in enumerate(CHANGES):
        done = [outcome(change, gallery) for gallery in two]
        assert done[0] == done[1], f"change {i}"
        # A real server waits for its clock at each look.
        is_looked_at = i in (4, 8, len(CHANGES) - 1) or str(two[0].place).endswith(".db")
        for j, look in enumerate(LOOKS if is_looked_at else ()):
            seen = [outcome(look, gallery) for gallery in two]
            assert seen[0] == seen[1], f"look {j} after change {i}"


def test_a_removal_says_when_the_bytes_are_gone(two: tuple[Gallery, Gallery]) -> None:
    for gallery in two:
        gallery.load(faces(2), ["Ann", "Bob"], V1)
    removed = [gallery.remove(subjects=["Ann"]) for gallery in two]
    assert [one.overwritten for one in removed] == [False, True]
    assert "compaction" in removed[0].left and not removed[1].left


class KilledError(Exception):
    """Ends a write as a kill would, since nothing is tidied up on its way."""


def cut_off(gallery: Gallery, collection: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on writes to a collection end the writer."""
    assert isinstance(gallery.roster, MilvusRoster)
    one = getattr(gallery.roster.database, collection)

    def die(rows: list[Any]) -> None:
        if rows:
            raise KilledError

    monkeypatch.setattr(one, "put", die)
    monkeypatch.setattr(one, "drop", die)


def n_rows(gallery: Gallery) -> dict[str, int]:
    """Of each collection, whatever the gallery says of them."""
    assert isinstance(gallery.roster, MilvusRoster)
    db = gallery.roster.database
    counts = {spec.label: db.templates(spec).count() for spec in db.models()}
    return {"faces": db.faces.count(), "steps": len(db.steps()), **counts}


def test_an_enrolment_that_is_cut_off_is_not_seen_and_taken_back(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with emptied(address) as gallery:
        gallery.load(faces(4), ["Ann"] * 4, V1)
        with monkeypatch.context() as patch, Gallery(address) as other:
            cut_off(other, "faces", patch)
            with pytest.raises(KilledError):
                other.load(faces(3, start=11), ["Bob"] * 3, V1)
        assert n_rows(gallery) == {"faces": 4, "steps": 1, V1.label: 7}
        found = gallery.search(faces(3, start=11).embedding, V1, k=9, far=1e-2)
        assert {m.face.face_id for row in found for m in row} == {1, 2, 3, 4}
        assert gallery.templates.count() == {V1.sha256: 4} and gallery.check() == ()
        with Gallery(address) as other:  # the writer could still be at work
            other.load(faces(1, start=21), ["Cy"], V1)
            assert n_rows(other)["steps"] == 1
        monkeypatch.setattr(milvus_database, "STEP_S", -1.0)  # it cannot any more
        with Gallery(address) as other:
            with other.roster.transaction():
                pass
            assert n_rows(other) == {"faces": 5, "steps": 0, V1.label: 5}
            assert [one.name for one in other.subjects()] == ["Ann", "Cy"]


def test_a_removal_that_is_cut_off_is_completed(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with emptied(address) as gallery:
        gallery.load(faces(4), ["Ann", "Ann", "Bob", "Bob"], V1)
        with monkeypatch.context() as patch, Gallery(address) as other:
            cut_off(other, "faces", patch)
            with pytest.raises(KilledError):
                other.remove(subjects=["Ann"])
        assert n_rows(gallery) == {"faces": 4, "steps": 1, V1.label: 2}
        assert gallery.count()[1] == 2 and [f.face_id for f in gallery.faces()] == [3, 4]
        with Gallery(address) as other:  # one of them comes back, which ends the removal first
            assert other.load(faces(1), ["Ann"], V1) == 1
            assert n_rows(other) == {"faces": 3, "steps": 0, V1.label: 3}


def test_a_server_that_is_away_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pymilvus")
    monkeypatch.setattr("facespace.store.milvus.server.PATIENCE_S", 0.0)
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        address = f"milvus://127.0.0.1:{one.getsockname()[1]}/team"
    with pytest.raises(GalleryError, match="cannot connect: the server is away; start it") as error:
        Gallery(address)
    assert "\n" not in str(error.value)


def test_an_absent_gallery_is_not_made_where_one_is_expected(lite_address: str) -> None:
    with pytest.raises(GalleryError, match="there is no such one"):
        Gallery(lite_address.replace("gallery.db", "another.db"), create=False)


@pytest.mark.parametrize(
    ("text", "uri", "database", "gallery"),
    [
        ("milvus://host/team", "http://host:19530", "", "team"),
        ("milvus+tls://h.example:443/db/team", "https://h.example:443", "db", "team"),
        ("milvus://[::1]:1/t?consistency=session", "http://[::1]:1", "", "t"),
        ("milvus:///a/b.db", "/a/b.db", "", "gallery"),
    ],
)
def test_addresses(text: str, uri: str, database: str, gallery: str) -> None:
    found = MilvusAddress.parse(text)
    assert (found.uri, found.database, found.gallery) == (uri, database, gallery)


@pytest.mark.parametrize(
    "text",
    ["milvus://host", "milvus://host/a-b", "milvus://host/a/b/c", "milvus://u:p@host/a", "milvus://host:x/a",
     "milvus:///a/b", "milvus://host/a?consistency=none"],
)  # fmt: skip
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(InputError) as error:
        Gallery(text)
    assert ":p@" not in str(error.value)


def test_what_milvus_finds_is_measured_and_told(two: tuple[Gallery, Gallery]) -> None:
    gallery, _ = two
    gallery.load(faces(60), NAMES, V1)
    (state,) = gallery.index_states().values()
    assert not state.is_exact and "not measured" in state.line()
    assert gallery.refresh_index()
    (state,) = gallery.index_states().values()
    assert not state.is_exact and state.recall is not None and state.recall.share == 1.0 and state.n == 60
    assert "60 templates finds 100.0% (" in state.line()
    told = gallery.identify(PROBES, V1)
    assert told.indexes == {V1.label: state}
    assert IndexState.from_json(json.loads(json.dumps(state.to_json()))) == state
