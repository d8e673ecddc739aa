"""CompreFace's own clients, as they are published, against a running service."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browsers import listening
from facespace.gallery import Gallery
from facespace.service.app import create_app
from facespace.service.keys import Keys
from fakes import OpenedEmbedder
from service.asked import make_service, photo

ROOT = Path(__file__).parents[2]
JAVASCRIPT = ROOT / ".work/compreface-js/node_modules/@exadel/compreface-js-sdk/index.js"
PICTURES = {"red": ("red",), "green": ("green",), "both": ("red", "green"), "none": ()}


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The port of a service, and a key to its gallery."""
    for name, colours in PICTURES.items():
        (tmp_path / f"{name}.png").write_bytes(photo(*colours))
    folder = tmp_path / "galleries"
    service = make_service(folder, keys=True)
    with Gallery(folder / "team.gallery") as gallery:
        gallery.use_model(OpenedEmbedder())
    _, key = Keys(folder).make("team", ("read", "write", "delete"))
    with listening(create_app(service)) as address:
        yield address.rpartition(":")[2], key


# It does not close the pictures that it opens.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_python_client(running: tuple[str, str], tmp_path: Path) -> None:
    sdk = pytest.importorskip("compreface", reason="run `make clients`")
    port, key = running
    client = sdk.CompreFace("http://127.0.0.1", port, {"limit": 0, "status": True, "prediction_count": 2})
    recognition = client.init_face_recognition(key)
    examples, subjects = recognition.get_face_collection(), recognition.get_subjects()

    def at(name: str) -> str:
        return str(tmp_path / f"{name}.png")

    assert subjects.add("Cy Young") == {"subject": "Cy Young"}
    assert subjects.add("Cy Young")["code"] == 43
    red = examples.add(image_path=at("red"), subject="Ann", options={"det_prob_threshold": 0.8})
    green = examples.add(photo("green"), "Bob")
    assert examples.add(at("both"), "Ann") == {
        "message": "More than one face in the source image",
        "code": 31,
    }
    assert examples.add(at("none"), "Ann") == {"message": "No face is found in the given image", "code": 28}
    listed = examples.list()
    assert listed["total_elements"] == 2 and {one["subject"] for one in listed["faces"]} == {"Ann", "Bob"}
    found = recognition.recognize(at("both"))
    assert [[one["subject"] for one in face["subjects"]] for face in found["result"]] == [
        ["Ann", "Bob"], ["Bob", "Ann"],
    ]  # fmt: skip
    assert found["plugins_versions"]["calculator"] == "drawn 1 (eeeeeeee)"
    plugins = recognition.recognize(at("red"), {"face_plugins": "calculator,landmarks", "limit": 1})["result"]
    assert len(plugins[0]["embedding"]) == 128 and len(plugins[0]["landmarks"]) == 5
    assert recognition.recognize(at("red"), {"face_plugins": "age,gender"})["code"] == 36
    assert examples.verify(at("red"), red["image_id"])["result"][0]["similarity"] > 0.9
    assert len(client.init_face_detection(key).detect(at("both"))["result"]) == 2
    (compared,) = client.init_face_verification(key).verify(at("red"), at("both"))["result"]
    assert [face["similarity"] > 0.5 for face in compared["face_matches"]] == [True, False]
    assert subjects.update("Cy Young", "Dan") == {"updated": True}
    assert subjects.list() == {"subjects": ["Ann", "Bob", "Dan"]}
    assert examples.delete(green["image_id"]) == {"image_id": green["image_id"], "subject": "Bob"}
    assert examples.delete(green["image_id"])["code"] == 44
    assert examples.delete_all("Ann") == {"deleted": 1}
    assert subjects.delete("Dan") == {"subject": "Dan"}
    assert subjects.delete_all() == {"deleted": 2}


def test_the_javascript_client(running: tuple[str, str], tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node: apt-get install nodejs")
    if not JAVASCRIPT.is_file():
        pytest.skip("no @exadel/compreface-js-sdk: run `make clients`")
    script = Path(__file__).with_name("compreface_client.mjs")
    done = subprocess.run(
        [node, script, JAVASCRIPT, *running, tmp_path], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["added"] == {"subject": "Cy"}
    assert told["list"]["total_elements"] == 2
    subjects = [[one["subject"] for one in face["subjects"]] for face in told["recognized"]["result"]]
    assert [names[0] for names in subjects] == ["Ann", "Bob"]
    assert told["verified"]["result"][0]["similarity"] > 0.9
    assert len(told["detected"]["result"]) == 1
    alike = [face["similarity"] > 0.5 for face in told["compared"]["result"][0]["face_matches"]]
    assert alike == [True, False]
    assert told["several"] == {"status": 400, "message": "More than one face in the source image", "code": 31}
    assert told["renamed"] == {"updated": True} and told["names"] == {"subjects": ["Ann", "Bob", "Dan"]}
    assert told["deleted"] == told["red"] and told["removed"] == [told["green"]]
    assert (told["gone"]["status"], told["gone"]["code"]) == (404, 44)
    assert (told["person"], told["rest"], told["all"]) == ({"subject": "Dan"}, {"deleted": 0}, {"deleted": 2})
