"""Galleries over HTTP."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from facespace.gallery import Gallery
from facespace.service import galleries
from facespace.service.settings import Limits, Settings
from facespace.service.working import look_after_once
from service.asked import PNG, ask, make_service, photo


def test_a_service_without_galleries_answers_too(tmp_path: Path) -> None:
    with ask(make_service(tmp_path)) as asked:
        assert asked.get("/v1/galleries").json() == {"galleries": []}
        assert asked.get("/livez").json() == {"status": "alive"}
        assert asked.get("/readyz").json() == {"status": "ready"}
        assert asked.get("/v1/galleries/team").status_code == 404


def test_it_is_not_ready_before_it_has_started(tmp_path: Path) -> None:
    answer = ask(make_service(tmp_path)).get("/readyz")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


def test_a_gallery_is_made_once_and_deleted_with_its_files(tmp_path: Path) -> None:
    with ask(make_service(tmp_path)) as asked:
        made = asked.put("/v1/galleries/team", json={"keep_pictures": True})
        assert (made.status_code, made.json()["keep_pictures"]) == (201, True)
        assert made.json()["model"]["name"] == "drawn"
        assert asked.put("/v1/galleries/team").status_code == 200
        assert asked.get("/v1/galleries").json() == {"galleries": [{"name": "team"}]}
        assert asked.delete("/v1/galleries/team").status_code == 204
        assert asked.get("/v1/galleries/team").status_code == 404
        assert [path.name for path in tmp_path.iterdir()] == ["audit.jsonl"]


@pytest.mark.parametrize("name", ["..", "%2e%2e", "a%2fb", ".hidden", "x" * 65, "a b", "\u00e9"])
def test_a_name_that_could_be_a_path_is_none(tmp_path: Path, name: str) -> None:
    with ask(make_service(tmp_path)) as asked:
        assert asked.put(f"/v1/galleries/{name}").status_code in (404, 405)
        assert list(tmp_path.iterdir()) == []


def test_an_empty_gallery_knows_nobody(tmp_path: Path) -> None:
    with ask(make_service(tmp_path)) as asked:
        asked.put("/v1/galleries/team")
        sent = {"content": photo("red", "green"), "headers": PNG}
        found = asked.post("/v1/galleries/team/identify", **sent).json()
        assert [face["subject"] for face in found["faces"]] == [None, None]
        assert found["fpir"] == 0.01 and found["far"] is None
        near = asked.post("/v1/galleries/team/search?faces=largest", **sent).json()
        assert [face["matches"] for face in near["faces"]] == [[]]


def test_the_description_is_whole(tmp_path: Path) -> None:
    with ask(make_service(tmp_path)) as asked:
        document = asked.get("/openapi.json").json()
    assert "/v1/galleries/{gallery}/identify" in document["paths"] and "security" not in document
    assert "urn:facespace:queue-full" in document["info"]["description"]
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            if path.startswith("/v1") and path != "/v1/galleries/{gallery}/export":
                assert route["summary"] and ("4XX" in route["responses"] or method == "delete"), (
                    method,
                    path,
                )
    with ask(make_service(tmp_path, keys=True)) as asked:
        assert asked.get("/openapi.json").json()["security"] == [{"bearer": []}, {"key": []}]


def test_upkeep_removes_pictures_of_faces_that_are_gone_and_closes_idle_galleries(tmp_path: Path) -> None:
    service = make_service(tmp_path, limits=Limits(galleries=1))
    with ask(service) as asked:
        for name in ("one", "two"):
            asked.put(f"/v1/galleries/{name}", json={"keep_pictures": True})
            asked.put(f"/v1/galleries/{name}/faces/a1?subject=Ann", content=photo("red"), headers=PNG)
        kept = {path: tmp_path / "one.pictures" / path for path in ("a1", "old", "new")}
        for path in ("old", "new"):
            kept[path].write_bytes(b"x")
        for path in ("a1", "old"):
            os.utime(kept[path], (0, 0))
        asyncio.run(look_after_once(service, set()))
        assert [path for path, picture in kept.items() if picture.exists()] == ["a1", "new"]
        assert asked.get("/v1/galleries/one").json()["n_faces"] == 1


def test_a_gallery_at_an_address_is_opened_with_the_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Any, str]] = []

    def opened(place: Any, *, create: bool = True, token: str = "") -> Gallery:
        asked.append((place, token))
        return Gallery(tmp_path / "elsewhere", create=create)

    monkeypatch.setattr(galleries, "Gallery", opened)
    address, addresses = "milvus://host:19530/team", {"team": "milvus://host:19530/team"}
    settings = {"addresses": addresses, "token": "root:secret"}
    with ask(make_service(tmp_path / "own", **settings)) as service:
        assert service.put("/v1/galleries/team").is_success
        assert service.get("/v1/galleries/team").is_success
    assert set(asked) == {(address, "root:secret")}
    assert "secret" not in repr(Settings(tmp_path, **settings))
