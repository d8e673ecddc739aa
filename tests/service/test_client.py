"""The Python client against a running service, and the commands that take an address."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from browsers import listening
from facespace.cli import app, gallery_remote
from facespace.client import AsyncRemoteGallery, RemoteGallery
from facespace.embed import quantise
from facespace.errors import InputError, ServiceError
from facespace.gallery import Gallery
from facespace.service.app import create_app
from facespace.service.keys import Keys
from fakes import SPEC, DrawnDetector, DrawnEmbedder, OpenedEmbedder, draw_photo
from service.asked import make_service, photo


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The address of a gallery of a running service, and its key."""
    service = make_service(tmp_path / "galleries", keys=True)
    _, key = Keys(tmp_path / "galleries").make("team", ("read", "write", "delete"))
    with listening(create_app(service)) as address:
        yield f"{address}/team", key


def row_of(colour: str) -> np.ndarray:
    image = np.zeros((1, 112, 112, 3), np.uint8)
    image[:] = {"red": (220, 30, 30), "green": (30, 200, 40)}[colour]
    return DrawnEmbedder().embed(image)


def test_a_gallery_is_asked_by_the_names_of_gallery(running: tuple[str, str], tmp_path: Path) -> None:
    with RemoteGallery(running[0], key=running[1]) as gallery:
        with pytest.raises(ServiceError, match="there is none called team") as refused:
            gallery.overview()
        assert (refused.value.status, refused.value.kind) == (404, "not-found")
        assert gallery.create()["n_subjects"] == 0
        assert list(gallery.subjects()) == [] and list(gallery.faces()) == []
        red = gallery.enrol(draw_photo(tmp_path / "1.png", "red"), "Ann Lee")
        assert (red["outcome"], red["subject"]) == ("new", "Ann Lee")
        assert gallery.enrol(photo("red"), "Ann Lee", key="hr-1")["outcome"] == "new"
        assert gallery.enrol(photo("red"), "Ann Lee", key="hr-1")["outcome"] == "unchanged"
        green = gallery.enrol(row_of("green"), "Bob", key="hr-2", model=SPEC.sha256)
        assert green["key"] == "hr-2"
        assert gallery.overview()["n_faces"] == 3
        assert [one["name"] for one in gallery.subjects()] == ["Ann Lee", "Bob"]
        assert {face["key"] for face in gallery.faces(subject="Ann Lee")} == {"hr-1", red["key"]}
        for probes in (photo("green"), row_of("green"), quantise(row_of("green"), SPEC.byte_scale)):
            told = gallery.identify(probes, fpir=0.01)
            assert [face["subject"] for face in told["faces"]] == ["Bob"] and told["fpir"] == 0.01
        assert len(gallery.identify(photo("red", "green"), faces="largest")["faces"]) == 1
        (found,) = gallery.search(photo("red"), k=3)["faces"]
        assert [m["subject"] for m in found["matches"]] == ["Ann Lee", "Ann Lee", "Bob"]
        assert gallery.add_subject("Cy/Dee?")["n_faces"] == 0 and gallery.faces_of("Cy/Dee?")["faces"] == []
        assert gallery.remove(face="hr-1")["n_faces"] == 1
        assert gallery.remove(subject="Ann Lee")["n_faces"] == 1
        with pytest.raises(ServiceError, match="shows none"):
            gallery.enrol(photo(), "Ann")
        with pytest.raises(InputError, match="one of"):
            gallery.remove()


def test_many_are_listed_in_pages(running: tuple[str, str]) -> None:
    with RemoteGallery(running[0], key=running[1]) as gallery:
        gallery.create()
        for i in range(105):
            gallery.add_subject(f"person {i:03}")
        assert [one["name"] for one in gallery.subjects()] == [f"person {i:03}" for i in range(105)]


def test_the_same_for_an_event_loop(running: tuple[str, str]) -> None:
    async def act() -> tuple[list[Any], list[str]]:
        async with AsyncRemoteGallery(running[0], key=running[1]) as gallery:
            await gallery.create()
            await asyncio.gather(gallery.enrol(photo("red"), "Ann"), gallery.enrol(photo("green"), "Bob"))
            told = await asyncio.gather(*(gallery.identify(photo(c)) for c in ("red", "green", "blue")))
            with pytest.raises(ServiceError, match="nobody of that name"):
                await gallery.faces_of("Cy")
            return [t["faces"][0]["subject"] for t in told], [s["name"] async for s in gallery.subjects()]

    assert asyncio.run(act()) == (["Ann", "Bob", None], ["Ann", "Bob"])


@pytest.mark.parametrize(
    "address", ["", "team", "https://host", "ftp://host/team", "https://me:pass@host/team"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InputError, match="address of a gallery"):
        RemoteGallery(address)


def test_a_key_is_not_sent_for_all_to_read() -> None:
    with pytest.raises(InputError, match="expected https"):
        RemoteGallery("http://192.0.2.1/team", key="secret")
    RemoteGallery("http://192.0.2.1/team").close()


def test_a_busy_service_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("facespace.client.time.sleep", waited.append)
    answers = [httpx.Response(429, headers={"Retry-After": "2"}), httpx.Response(200, json={"n_faces": 1})]
    transport = httpx.MockTransport(lambda _: answers.pop(0))
    with RemoteGallery("https://host/faces/team", transport=transport) as gallery:
        assert gallery.overview() == {"n_faces": 1} and waited == [2.0]
    always = httpx.MockTransport(lambda _: httpx.Response(503, headers={"Retry-After": "1"}, text="busy"))
    with (
        RemoteGallery("https://host/team", transport=always) as gallery,
        pytest.raises(ServiceError, match="met status 503"),
    ):
        gallery.overview()
    assert len(waited) == 5


def test_what_cannot_be_reached_is_one_line() -> None:
    with (
        RemoteGallery("http://127.0.0.1:9/team") as gallery,
        pytest.raises(ServiceError, match="cannot be reached") as error,
    ):
        gallery.overview()
    assert "\n" not in str(error.value) and error.value.status == 0


class TestCommands:
    """`facespace gallery ... https://HOST/GALLERY`."""

    @pytest.fixture(autouse=True)
    def drawn(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(gallery_remote, "Embedder", OpenedEmbedder)
        monkeypatch.setattr(gallery_remote, "find_weights", lambda _: Path("drawn"))
        monkeypatch.setattr("facespace.cli.gallery.Detector", lambda *_, **__: DrawnDetector())

    @pytest.fixture
    def call(self, running: tuple[str, str]) -> Any:
        address, key = running

        def run(command: str, *arguments: object, key: str = key) -> Result:
            line = ["gallery", command, address, *map(str, arguments)]
            return CliRunner().invoke(app, line, env={"FACESPACE_KEY": key})

        return run

    def test_all_of_them_as_with_a_file(self, call: Any, running: tuple[str, str], tmp_path: Path) -> None:
        photos = tmp_path / "photos"
        draw_photo(photos / "ann" / "1.png", "red")
        draw_photo(photos / "ann" / "2.png", "red", "blue")
        draw_photo(photos / "bob" / "3.png", "green")
        draw_photo(photos / "bob" / "4.png")
        (photos / "bob" / "5.png").write_bytes(b"no picture")
        first = call("enrol", photos, "--by-folder", "--json")
        assert first.exit_code == 0, first.output
        told = json.loads(first.stdout)
        assert (told["photos"], told["new"], told["known"], len(told["several"])) == (5, 3, 0, 1)
        assert [Path(one["photo"]).name for one in told["refused"]] == ["4.png", "5.png"]
        assert json.loads(call("enrol", photos, "--by-folder", "--json").stdout)["known"] == 3
        probe = draw_photo(tmp_path / "party.png", "green", "blue")
        who = json.loads(call("identify", probe, "--json").stdout)
        assert [face["subject"] for face in who["faces"]] == ["bob", None] and who["gallery"] == running[0]
        assert "unknown" in call("identify", probe).stdout
        near = json.loads(call("search", probe, "-k", 1, "--json").stdout)["faces"][0]["matches"]
        assert [m["subject"] for m in near] == ["bob"]
        listed = json.loads(call("list", "--json").stdout)
        assert (listed["n_subjects"], listed["n_faces"], listed["model"]) == (2, 3, SPEC.label)
        (face,) = json.loads(call("list", "--subject", "bob", "--json").stdout)["faces"]
        assert face["face_id"] == near[0]["face_id"]
        removed = json.loads(call("remove", "--face", face["face_id"], "--subject", "ann", "--json").stdout)
        assert removed["n_faces"] == 3
        assert "0 faces in" in call("list").stdout

    def test_identities_are_those_of_the_file_itself(
        self, call: Any, running: tuple[str, str], tmp_path: Path
    ) -> None:
        draw_photo(tmp_path / "photos" / "ann" / "1.png", "red")
        draw_photo(tmp_path / "photos" / "bob" / "2.png", "green")
        call("enrol", tmp_path / "photos", "--by-folder")
        rows = np.concatenate([row_of(c) for c in ("red", "green")])
        with Gallery(tmp_path / "galleries" / "team.gallery") as gallery:
            here = gallery.identify(rows, SPEC)
        with gallery_remote.AskedGallery(*running) as asked:
            there = asked.identify(rows, SPEC, fpir=here.fpir)
        assert there.subject == here.subject and there.meaning() == here.meaning()
        np.testing.assert_allclose(there.distance, here.distance, atol=1e-6)
        np.testing.assert_allclose(there.threshold, here.threshold, atol=1e-6)

    def test_an_upgrade_is_followed_to_its_end(self, call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        ended = {"ended": "now", "todo": 3, "done": 3, "state": "done", "trouble": None, "job_id": "1"}
        jobs = [
            {"ended": None, "todo": 3, "done": 0, "job_id": "1"},
            ended | {"outcomes": {"embedded_again": 2, "not_available": 1}},
            ended | {"state": "failed", "trouble": "no such model"},
        ]
        monkeypatch.setattr(RemoteGallery, "_send", lambda *_, **__: jobs.pop(0))
        monkeypatch.setattr("facespace.cli.gallery_remote.LOOK_AGAIN_S", 0)
        assert "2 embedded again, 1 not available" in call("upgrade", "--to", "newer").stdout
        assert "no such model" in str(call("upgrade", "--to", "newer").exception)
        assert "expected --to MODEL alone" in str(call("upgrade", "--back").exception)

    @pytest.mark.parametrize(
        ("command", "arguments", "key", "reason"),
        [
            ("identify", ["."], "", "send a key"),
            ("list", [], "wrong", "this key is not valid"),
            ("export", ["-o", "x.csv"], "", "expected a gallery's own place"),
            ("remove", ["--photo", "x.png"], "", "a service knows no paths"),
            ("enrol", [".", "--subject", "Ann", "--crops"], "", "neither --crops"),
        ],
    )
    def test_errors_are_one_line(
        self, call: Any, command: str, arguments: list[str], key: str, reason: str
    ) -> None:
        result = call(command, *arguments, key=key)
        assert result.exit_code != 0
        assert reason in str(result.exception)
