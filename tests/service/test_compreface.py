"""CompreFace's API: what its clients send, and what they get."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from facespace.models import FarCurve
from facespace.service.compreface.answers import CUT_FAR, similarities
from facespace.service.keys import Keys
from service.asked import ask, make_service, photo

FACES, SUBJECTS = "/api/v1/recognition/faces", "/api/v1/recognition/subjects"
RECOGNIZE, DETECT, VERIFY = (
    "/api/v1/recognition/recognize", "/api/v1/detection/detect", "/api/v1/verification/verify",
)  # fmt: skip
BY_ROWS = "/api/v1/recognition/embeddings/recognize"


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[TestClient]:
    """A service without keys, where the key names the gallery."""
    with ask(make_service(tmp_path), **{"x-api-key": "team"}) as client:
        client.put("/v1/galleries/team", json={"keep_pictures": True})
        yield client


def file(*colours: str) -> dict[str, Any]:
    return {"file": ("photo.png", photo(*colours), "image/png")}


def add(asked: TestClient, subject: str, *colours: str) -> str:
    answer = asked.post(FACES, params={"subject": subject}, files=file(*colours))
    assert answer.status_code == 201 and answer.json()["subject"] == subject
    return str(UUID(answer.json()["image_id"]))


def names(asked: TestClient) -> list[str]:
    found: list[str] = asked.get(SUBJECTS).json()["subjects"]
    return found


def test_subjects_are_added_listed_renamed_merged_and_deleted(asked: TestClient) -> None:
    assert names(asked) == []
    for name in ("Ann", "Bob"):
        assert (asked.post(SUBJECTS, json={"subject": name}).json()) == {"subject": name}
    again = asked.post(SUBJECTS, json={"subject": "Ann"})
    assert (again.status_code, again.json()) == (400, {"message": "Subject already exists", "code": 43})
    add(asked, "Bob", "red")
    assert asked.put(f"{SUBJECTS}/Bob", json={"subject": "Bea Lee"}).json() == {"updated": True}
    assert asked.put(f"{SUBJECTS}/Bea Lee", json={"subject": "Bea Lee"}).json() == {"updated": False}
    assert names(asked) == ["Ann", "Bea Lee"]
    add(asked, "Ann", "green")
    assert asked.put(f"{SUBJECTS}/Bea Lee", json={"subject": "Ann"}).json() == {"updated": True}
    assert [face["subject"] for face in asked.get(FACES).json()["faces"]] == ["Ann", "Ann"]
    found = asked.post(RECOGNIZE, files=file("red")).json()["result"][0]["subjects"]
    assert found[0]["subject"] == "Ann"
    assert asked.put(f"{SUBJECTS}/Bob", json={"subject": "Cy"}).json()["code"] == 42
    assert asked.delete(f"{SUBJECTS}/Ann").json() == {"subject": "Ann"}
    assert asked.delete(f"{SUBJECTS}/Ann").status_code == 404
    assert asked.delete(SUBJECTS).json() == {"deleted": 0}


def test_examples_are_added_paged_and_deleted(asked: TestClient) -> None:
    empty = {"faces": [], "page_number": 0, "page_size": 20, "total_pages": 0, "total_elements": 0}
    assert asked.get(FACES).json() == empty
    ids = [add(asked, name, colour) for name, colour in (("Ann", "red"), ("Ann", "rust"), ("Bob", "green"))]
    encoded = {"file": base64.b64encode(photo("blue")).decode()}
    assert asked.post(FACES, params={"subject": "Cy"}, json=encoded).status_code == 201
    pages = [asked.get(FACES, params={"page": i, "size": 3}).json() for i in range(3)]
    assert [len(page["faces"]) for page in pages] == [3, 1, 0]
    assert pages[1] | {"faces": []} == {
        "faces": [], "page_number": 1, "page_size": 3, "total_pages": 2, "total_elements": 4,
    }  # fmt: skip
    listed = [face["image_id"] for page in pages for face in page["faces"]]
    assert len(set(listed)) == 4 and set(ids) < set(listed)
    anns = asked.get(FACES, params={"subject": "Ann"}).json()
    assert {face["image_id"] for face in anns["faces"]} == set(ids[:2]) and anns["total_elements"] == 2
    assert asked.get(FACES, params={"subject": "Nobody"}).json()["total_elements"] == 0
    assert asked.delete(f"{FACES}/{ids[2]}").json() == {"image_id": ids[2], "subject": "Bob"}
    assert asked.delete(f"{FACES}/{ids[2]}").json() == {"message": f"Image {ids[2]} not found", "code": 44}
    assert asked.post(f"{FACES}/delete", json=[ids[0], str(uuid4())]).json() == [
        {"image_id": ids[0], "subject": "Ann"}
    ]
    assert asked.delete(FACES, params={"subject": "Ann"}).json() == {"deleted": 1}
    assert names(asked) == ["Ann", "Bob", "Cy"]
    assert asked.delete(FACES).json() == {"deleted": 1}
    assert asked.delete(SUBJECTS).json() == {"deleted": 3}
    assert asked.get(FACES).json() == empty


def test_pictures_are_given_back_where_they_are_kept(asked: TestClient) -> None:
    image_id = add(asked, "Ann", "red")
    assert asked.get(f"{FACES}/{image_id}/img").content == photo("red")
    refused = asked.get(f"/api/v1/static/team/images/{image_id}")
    assert (refused.status_code, refused.json()["code"]) == (400, 36)
    asked.put("/v1/galleries/other")
    image_id = asked.post(
        FACES, params={"subject": "Ann"}, files=file("red"), headers={"x-api-key": "other"}
    ).json()["image_id"]
    none = asked.get(f"{FACES}/{image_id}/img", headers={"x-api-key": "other"})
    assert (none.status_code, none.json()["code"]) == (404, 11)


def test_faces_are_recognised_the_largest_first(asked: TestClient) -> None:
    assert asked.post(RECOGNIZE, files=file("red")).json()["result"][0]["subjects"] == []
    add(asked, "Ann", "red")
    add(asked, "Ann", "rust")
    add(asked, "Bob", "green")
    options = {"face_plugins": "landmarks,calculator", "status": "True", "prediction_count": 5, "limit": 1}
    answer = asked.post(RECOGNIZE, params=options, files=file("red", "green")).json()
    (face,) = answer["result"]
    assert face["box"] == {"probability": 0.9, "x_min": 20, "y_min": 20, "x_max": 80, "y_max": 80}
    assert len(face["landmarks"]) == 5 and len(face["embedding"]) == 128
    assert [one["subject"] for one in face["subjects"]] == ["Ann", "Bob"]
    assert face["subjects"][0]["similarity"] > 0.9 > 0.5 > face["subjects"][1]["similarity"] >= 0
    assert answer["plugins_versions"] == {
        "detector": "squares 1 (dddddddd)",
        "calculator": "drawn 1 (eeeeeeee)",
    }
    assert face["execution_time"]["detector"] >= 0
    plain = asked.post(RECOGNIZE, params={"limit": 0}, files=file("red", "green", "blue")).json()
    assert [set(face) for face in plain["result"]] == [{"box", "subjects"}] * 3 and set(plain) == {"result"}
    assert [len(face["subjects"]) for face in plain["result"]] == [1, 1, 1]
    encoded = asked.post(RECOGNIZE, json={"file": base64.b64encode(photo("red")).decode()}).json()
    assert encoded["result"][0]["subjects"] == [face["subjects"][0]]


def test_embeddings_of_one_call_are_recognised_by_another(asked: TestClient) -> None:
    image_id = add(asked, "Ann", "red")
    add(asked, "Bob", "green")
    found = asked.post(DETECT, params={"face_plugins": "calculator"}, files=file("red", "green")).json()
    rows = [face["embedding"] for face in found["result"]]
    answer = asked.post(BY_ROWS, params={"prediction_count": 2}, json={"embeddings": rows}).json()["result"]
    assert [[one["subject"] for one in row["similarities"]] for row in answer] == [
        ["Ann", "Bob"],
        ["Bob", "Ann"],
    ]
    longer = [[3 * value for value in row] for row in rows]
    assert (
        asked.post(BY_ROWS, json={"embeddings": longer}).json()["result"][0]["similarities"][0]["subject"]
        == "Ann"
    )
    url = f"/api/v1/recognition/embeddings/faces/{image_id}/verify"
    verified = asked.post(url, json={"embeddings": rows[::-1]}).json()["result"]
    assert verified[0]["embedding"] == rows[0] and verified[0]["similarity"] > 0.9
    assert verified[1]["similarity"] < 0.5
    pair = {"source": rows[0], "targets": rows[::-1]}
    compared = asked.post("/api/v1/verification/embeddings/verify", json=pair).json()["result"]
    assert [one["similarity"] for one in compared] == pytest.approx(
        [one["similarity"] for one in verified], abs=0.02
    )


def test_pictures_are_verified_against_examples_and_each_other(asked: TestClient) -> None:
    image_id = add(asked, "Ann", "red")
    answer = asked.post(f"{FACES}/{image_id}/verify", files=file("rust", "green")).json()["result"]
    assert [face["subject"] for face in answer] == ["Ann", "Ann"]
    assert answer[0]["similarity"] > 0.5 > answer[1]["similarity"]
    wrong = asked.post(f"{FACES}/{uuid4()}/verify", files=file("red"))
    assert (wrong.status_code, wrong.json()["code"]) == (404, 44)
    pair = {"source_image": ("a.png", photo("red")), "target_image": ("b.png", photo("green", "red"))}
    (result,) = asked.post(VERIFY, params={"status": True}, files=pair).json()["result"]
    assert set(result) == {"source_image_face", "face_matches", "plugins_versions"}
    assert [face["similarity"] > 0.5 for face in result["face_matches"]] == [False, True]
    pair["source_image"] = ("a.png", photo("red", "green"))
    several = asked.post(VERIFY, files=pair)
    assert (several.status_code, several.json()["code"]) == (400, 31)
    encoded = {name: base64.b64encode(photo("red")).decode() for name in pair}
    assert asked.post(VERIFY, json=encoded).json()["result"][0]["face_matches"][0]["similarity"] > 0.9


REFUSED = [
    ("POST", RECOGNIZE, {"files": file()}, 400, 28),
    ("POST", RECOGNIZE, {"files": {"file": ("x.jpg", b"no picture")}}, 400, 21),
    ("POST", RECOGNIZE, {"files": {"other": ("x.jpg", b"no picture")}}, 400, 34),
    ("POST", RECOGNIZE, {"json": {}}, 400, 5),
    ("POST", RECOGNIZE, {"json": {"file": "no base64!"}}, 400, 21),
    ("POST", RECOGNIZE, {"content": b"x"}, 400, 36),
    ("POST", RECOGNIZE, {"files": file("red"), "params": {"limit": -1}}, 400, 26),
    ("POST", RECOGNIZE, {"files": file("red"), "params": {"prediction_count": 0}}, 400, 26),
    ("POST", RECOGNIZE, {"files": file("red"), "params": {"det_prob_threshold": 0.95}}, 400, 28),
    ("POST", RECOGNIZE, {"files": file("red"), "params": {"face_plugins": "landmarks,age"}}, 400, 36),
    ("POST", RECOGNIZE, {"files": file("red"), "params": {"detect_faces": "false"}}, 400, 36),
    ("POST", FACES, {"files": file("red")}, 400, 33),
    ("POST", FACES, {"files": file("red"), "params": {"subject": " "}}, 400, 26),
    ("POST", FACES, {"files": file("red", "green"), "params": {"subject": "Ann"}}, 400, 31),
    ("POST", SUBJECTS, {"json": {"subject": ""}}, 400, 26),
    ("POST", BY_ROWS, {"json": {"embeddings": []}}, 400, 26),
    ("POST", BY_ROWS, {"json": {"embeddings": [[0.0] * 128]}}, 400, 26),
    ("POST", BY_ROWS, {"json": {"embeddings": [[1.0, 0.0]]}}, 400, 26),
    ("DELETE", f"{FACES}/{UUID(int=2**127)}", {}, 404, 44),
    ("GET", "/api/v1/recognition/nothing", {}, 404, 0),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "sent", "status", "code"), REFUSED)
def test_errors_have_compreface_s_codes(
    asked: TestClient, method: str, path: str, sent: Any, status: int, code: int
) -> None:
    answer = asked.request(method, path, **sent)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.json()
    assert set(answer.json()) == {"message", "code"}


def test_keys_stand_for_galleries(tmp_path: Path) -> None:
    service = make_service(tmp_path, keys=True)
    keys = Keys(tmp_path)
    sent = {name: keys.make(name, ("read", "write"))[1] for name in ("team", "other", "*")}
    with ask(service) as client:
        for name in ("team", "other"):
            client.put(f"/v1/galleries/{name}", headers={"x-api-key": sent[name]})
            added = client.post(SUBJECTS, json={"subject": name}, headers={"x-api-key": sent[name]})
            assert added.status_code == 201
        assert client.get(SUBJECTS, headers={"x-api-key": sent["team"]}).json() == {"subjects": ["team"]}
        cases: list[tuple[dict[str, str], int, int]] = [
            ({}, 400, 20),
            ({"x-api-key": str(uuid4())}, 404, 10),
            ({"x-api-key": sent["*"]}, 400, 36),
        ]
        for headers, status, code in cases:
            answer = client.get(SUBJECTS, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert client.delete(SUBJECTS, headers={"x-api-key": sent["team"]}).status_code == 403


CURVE = FarCurve((0.8, 1.0, 1.2, 1.4), (-5.0, -4.0, -3.0, -2.0))


def test_half_stands_for_the_stated_rate() -> None:
    at = np.array([CURVE.distance(far) for far in (1.0, 1e-2, CUT_FAR, 1e-4, 1e-5)])
    assert similarities(CURVE, at) == pytest.approx([0.03065, 0.24025, 0.5, 0.75975, 0.90909], abs=1e-5)


@given(st.floats(0, 4), st.floats(0, 4))
def test_similarities_fall_with_the_distance(a: float, b: float) -> None:
    low, high = sorted((a, b))
    alike = similarities(CURVE, np.array([low, high]))
    assert 0 <= alike[1] <= alike[0] <= 1
