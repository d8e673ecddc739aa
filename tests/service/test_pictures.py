"""Pictures without a gallery, and what is sent in their place."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from fakes import SPEC
from service.asked import PNG, ask, make_service, photo


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[TestClient]:
    with ask(make_service(tmp_path)) as client:
        yield client


def test_faces_are_found_and_embedded(asked: TestClient) -> None:
    sent = {"content": photo("red", "green"), "headers": PNG}
    found = asked.post("/v1/detect", **sent).json()
    assert [face["box_xyxy"][0] for face in found["faces"]] == [20, 110]
    assert asked.post("/v1/detect?min_score=0.95", **sent).json()["faces"] == []
    rows = asked.post("/v1/embed", **sent).json()
    assert rows["model"]["sha256"] == SPEC.sha256 and len(rows["faces"][1]["embedding"]) == SPEC.dim
    assert len(base64.b64decode(rows["faces"][0]["bytes"])) == SPEC.dim
    assert asked.post("/v1/embed", content=photo(), headers=PNG).json()["faces"] == []


@pytest.mark.parametrize(("a", "b", "same"), [("red", "red", True), ("red", "green", False)])
def test_two_sides_are_compared_in_every_form(asked: TestClient, a: str, b: str, same: bool) -> None:
    def embedded(name: str) -> Any:
        answer = asked.post("/v1/embed", content=photo(name), headers=PNG).json()
        return answer["faces"][0]

    sides = {"a": a, "b": b}
    forms: list[dict[str, Any]] = [
        {"files": {side: ("x.png", photo(name)) for side, name in sides.items()}},
        {"json": {side: {"image": base64.b64encode(photo(name)).decode()} for side, name in sides.items()}},
        {"json": {side: {"embedding": embedded(name)["embedding"]} for side, name in sides.items()}},
        {"json": {side: {"embedding": embedded(name)["bytes"]} for side, name in sides.items()}},
    ]
    for form in forms:
        found = asked.post("/v1/verify?far=0.01", **form).json()
        assert (found["same"], found["threshold"], found["far"]) == (same, 0.3, 0.01)


@pytest.mark.parametrize(
    ("sent", "status", "kind"),
    [
        ({"content": b"", "headers": PNG}, 422, "unreadable-picture"),
        ({"content": b"no picture", "headers": PNG}, 422, "unreadable-picture"),
        ({"content": b"x", "headers": {"content-type": "text/plain"}}, 415, "media-type"),
        ({"content": b"x"}, 415, "media-type"),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 400, "invalid"),
        ({"json": []}, 400, "invalid"),
        ({"json": {}}, 422, "invalid"),
        ({"json": {"image": "no base64!"}}, 422, "invalid"),
        ({"json": {"image": "http://127.0.0.1/a.jpg"}}, 422, "invalid"),
        ({"json": {"embedding": [0.1] * 128}}, 422, "invalid"),
        ({"files": {"other": ("a.png", b"x")}}, 422, "invalid"),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 400, "invalid"),
    ],
)
def test_what_is_no_picture_is_refused(
    asked: TestClient, sent: dict[str, Any], status: int, kind: str
) -> None:
    answer = asked.post("/v1/detect", **sent)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:facespace:{kind}")
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "value",
    [
        [], [1.0], [0.0] * 128, [1.0] * 128, ["x"] * 128, [None] * 128, [True] * 128, [10**400] * 128, "AAAA", 7,
        {"a": 1}, base64.b64encode(bytes(128)).decode(),
    ],
)  # fmt: skip
def test_what_is_no_embedding_is_refused(asked: TestClient, value: Any) -> None:
    asked.put("/v1/galleries/team")
    for body in ({"embedding": value}, {"embeddings": [value]}, {"embeddings": value}):
        answer = asked.post("/v1/galleries/team/identify", json=body)
        assert answer.status_code in (400, 422), answer.text


def test_embeddings_of_a_model_that_may_not_meet_are_refused(asked: TestClient) -> None:
    asked.put("/v1/galleries/team")
    asked.put("/v1/galleries/team/faces/a1?subject=Ann", content=photo("red"), headers=PNG)
    row = [1.0] + [0.0] * 127
    answer = asked.post("/v1/galleries/team/identify", json={"embedding": row, "model": "facespace-xs"})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:facespace:models")
    answer = asked.post("/v1/galleries/team/identify", json={"embedding": row, "model": "../../x"})
    assert answer.status_code == 422
