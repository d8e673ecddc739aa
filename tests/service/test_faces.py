"""Faces under keys of the client's: once however often they are put, listed in pages, gone for good."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from facespace.embed import quantise
from facespace.gallery import Gallery
from facespace.service.audit import digest_of
from fakes import SPEC, DrawnEmbedder
from service.asked import PNG, ask, make_service, photo

TEAM = "/v1/galleries/team"


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[TestClient]:
    with ask(make_service(tmp_path)) as client:
        client.put(TEAM)
        yield client


def put(asked: TestClient, key: str, subject: str, *colours: str, **more: Any) -> Any:
    sent = {"content": photo(*colours), "headers": PNG, "params": {"subject": subject, **more}}
    return asked.put(f"{TEAM}/faces/{key}", **sent)


def row_of(colour: str) -> np.ndarray:
    """The embedding of a drawn face."""
    from fakes import COLOURS

    crop = np.full((1, 112, 112, 3), COLOURS[colour], np.uint8)
    return DrawnEmbedder().embed(crop)[0]


def test_a_face_that_is_put_twice_is_there_once(asked: TestClient) -> None:
    first, again = (put(asked, "a1", "Ann", "red") for _ in range(2))
    assert (first.status_code, first.json()["outcome"]) == (201, "new")
    assert (again.status_code, again.json()["outcome"]) == (200, "unchanged")
    assert asked.get(f"{TEAM}/faces").json()["faces"] == [asked.get(f"{TEAM}/faces/a1").json()]
    assert first.json()["box_xyxy"] == [20, 20, 80, 80] and first.json()["model"]["sha256"] == SPEC.sha256


def test_another_picture_or_person_takes_the_place_of_the_first(asked: TestClient) -> None:
    put(asked, "a1", "Ann", "red")
    assert put(asked, "a1", "Ann", "green").json()["outcome"] == "replaced"
    assert put(asked, "a1", "Bob", "green").json()["subject"] == "Bob"
    found = asked.post(f"{TEAM}/identify", content=photo("green", "red"), headers=PNG).json()
    assert [face["subject"] for face in found["faces"]] == ["Bob", None]
    assert asked.get(TEAM).json()["n_faces"] == 1


def test_of_several_faces_the_largest_is_enrolled_and_that_is_said(asked: TestClient) -> None:
    assert put(asked, "a1", "Ann", "red", "green").json()["n_faces"] == 2
    assert put(asked, "a2", "Ann").json()["type"] == "urn:facespace:no-face"


def test_a_poor_face_is_refused_where_that_is_asked(asked: TestClient) -> None:
    quality = put(asked, "a1", "Ann", "red").json()["quality"]
    answer = put(asked, "a2", "Ann", "red", min_quality=min(1.0, quality + 0.01))
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:facespace:invalid")


@pytest.mark.parametrize("form", ["numbers", "bytes"])
def test_an_embedding_is_enrolled_and_found_as_a_picture_is(asked: TestClient, form: str) -> None:
    row = row_of("red")
    bytes_of_it = base64.b64encode(quantise(row[None], SPEC.byte_scale).tobytes()).decode()
    value = row.tolist() if form == "numbers" else bytes_of_it
    made = asked.put(f"{TEAM}/faces/e1", json={"subject": "Ann", "embedding": value})
    assert (made.status_code, made.json()["box_xyxy"]) == (201, None)
    for sent in ({"json": {"embeddings": [value]}}, {"content": photo("red"), "headers": PNG}):
        found = asked.post(f"{TEAM}/identify", **sent).json()
        assert found["faces"][0]["subject"] == "Ann" and found["faces"][0]["distance"] < 1e-3
        near = asked.post(f"{TEAM}/search?k=1", **sent).json()
        assert near["faces"][0]["matches"][0]["key"] == "e1" and near["faces"][0]["matches"][0]["same"]


def test_a_face_posted_without_a_key_gets_one_of_its_content(asked: TestClient) -> None:
    sent = {"files": {"image": ("a.png", photo("red"))}, "data": {"subject": "Ann"}}
    key = asked.post(f"{TEAM}/faces", **sent).json()["key"]
    assert asked.post(f"{TEAM}/faces", **sent).json()["outcome"] == "unchanged"
    assert asked.get(f"{TEAM}/faces/{key}").json()["subject"] == "Ann"


def test_pages_list_everything_once(asked: TestClient) -> None:
    for i in range(7):
        put(asked, f"k{i}", f"Nr {i % 4}", "red")
    for path, name in ((f"{TEAM}/faces", "faces"), (f"{TEAM}/subjects", "subjects")):
        seen, cursor = [], ""
        while cursor is not None:
            page = asked.get(path, params={"limit": 3, "cursor": cursor}).json()
            seen += [one.get("key", one.get("name")) for one in page[name]]
            cursor = page["next"]
        assert sorted(seen) == sorted(
            {"faces": [f"k{i}" for i in range(7)]}.get(name, [f"Nr {i}" for i in range(4)])
        )
    assert len(asked.get(f"{TEAM}/faces?subject=nr%201").json()["faces"]) == 2
    assert asked.get(f"{TEAM}/faces?subject=nobody").status_code == 404
    assert asked.get(f"{TEAM}/faces?limit=1001").status_code == 422
    assert asked.get(f"{TEAM}/faces?cursor=%25").status_code == 422


def test_people_are_added_shown_and_removed(asked: TestClient) -> None:
    assert asked.put(f"{TEAM}/subjects/Ann%2FLee").status_code == 201
    assert asked.put(f"{TEAM}/subjects/ann%2Flee").status_code == 200
    put(asked, "a1", "Ann/Lee", "red")
    assert asked.get(f"{TEAM}/subjects/Ann%2FLee").json() == {
        "name": "Ann/Lee",
        "n_faces": 1,
        "faces": ["a1"],
    }
    gone = asked.delete(f"{TEAM}/subjects/Ann%2FLee").json()
    assert gone == {"name": "Ann/Lee", "n_faces": 1, "overwritten": True}
    assert asked.delete(f"{TEAM}/subjects/Ann%2FLee").status_code == 404
    assert asked.get(f"{TEAM}/faces/a1").status_code == 404
    assert asked.put(f"{TEAM}/subjects/%00").status_code == 422


def test_a_removed_face_is_not_found_any_more(asked: TestClient, tmp_path: Path) -> None:
    put(asked, "a1", "Ann", "red")
    put(asked, "b1", "Bob", "green")
    assert asked.delete(f"{TEAM}/faces/a1").json() == {"key": "a1", "n_faces": 1, "overwritten": True}
    found = asked.post(f"{TEAM}/identify", content=photo("red"), headers=PNG).json()
    assert found["faces"][0]["subject"] is None and found["faces"][0]["nearest"] == "Bob"


def test_pictures_are_kept_only_where_that_is_told_and_go_with_their_face(
    asked: TestClient, tmp_path: Path
) -> None:
    put(asked, "a1", "Ann", "red")
    assert not (tmp_path / "team.pictures").exists()
    asked.put(TEAM, json={"keep_pictures": True})
    put(asked, "a2", "Ann", "red")
    kept = tmp_path / "team.pictures" / "a2"
    assert kept.read_bytes() == photo("red") and kept.stat().st_mode & 0o777 == 0o600
    asked.delete(f"{TEAM}/faces/a2")
    assert not kept.exists()


def test_faces_enrolled_by_the_command_have_their_id_for_a_key(asked: TestClient, tmp_path: Path) -> None:
    path = tmp_path / "ann.png"
    path.write_bytes(photo("red"))
    from fakes import DrawnDetector

    with Gallery(tmp_path / "team.gallery") as gallery:
        gallery.enrol([(path, "Ann")], DrawnDetector(), DrawnEmbedder())
        (face,) = gallery.faces()
    key = f"{face.face_id:016x}"
    assert [one["key"] for one in asked.get(f"{TEAM}/faces").json()["faces"]] == [key]
    assert put(asked, key, "Ann", "red").status_code == 422
    assert asked.delete(f"{TEAM}/faces/{key}").status_code == 200


def test_an_export_has_every_face_with_its_templates(asked: TestClient) -> None:
    for i, colour in enumerate(("red", "green")):
        put(asked, f"k{i}", colour, colour)
    lines = [json.loads(line) for line in asked.get(f"{TEAM}/export").text.splitlines()]
    assert sorted(line["key"] for line in lines) == ["k0", "k1"]
    for line in lines:
        expected = quantise(row_of(line["subject"])[None], SPEC.byte_scale).tobytes()
        assert line["templates"] == [{"model": SPEC.sha256, "bytes": base64.b64encode(expected).decode()}]


def test_the_log_says_what_was_done_and_names_nobody(asked: TestClient, tmp_path: Path) -> None:
    put(asked, "a1", "Ann", "red")
    put(asked, "a1", "Ann", "red")
    asked.get(f"{TEAM}/export")
    asked.delete(f"{TEAM}/subjects/ann")
    log = tmp_path / "audit.jsonl"
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    assert [entry["action"] for entry in entries] == ["create", "enrol", "export", "remove", "remove-subject"]
    assert log.stat().st_mode & 0o777 == 0o600
    assert "Ann" not in log.read_text() and entries[1]["subject"] == digest_of("ANN")
