"""The Python of README and docs runs as it is printed, on drawn people and models that see them."""

import asyncio
import dataclasses
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

import facespace
from browsers import listening
from drawn_context import draw_lfw
from facespace import jobs
from facespace.measure import context
from fakes import COLOURS, SPEC, DrawnDetector, OpenedEmbedder, draw_photo
from stored import faces

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NEWER = dataclasses.replace(
    SPEC, version="2", sha256="f" * 64, compatible_with={SPEC.sha256: dict(SPEC.distances)}
)
PEOPLE = {"Ann Lee": "red", "Ben Oak": "green", "Cleo Day": "blue"}


class AnyEmbedder(OpenedEmbedder):
    """The built-in embedder; a file that is named holds its next version."""

    def __init__(self, path: str | None = None, **_: object) -> None:
        super().__init__()
        self.spec = SPEC if path is None else NEWER


def blocks_of(path: Path) -> list[str]:
    """The Python of a document, block by block."""
    return re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), flags=re.DOTALL)


def draw_people(folder: Path) -> dict[str, Any]:
    """Three people with two photos each, and a party of two of them, all of a while ago."""
    for name, colour in PEOPLE.items():
        for i in (1, 2):
            draw_photo(folder / "photos" / name / f"{i}.png", colour)
    draw_photo(folder / "photos" / "party.jpg", "red", "green")
    for path in [*folder.rglob("*.png"), *folder.rglob("*.jpg")]:
        os.utime(path, (1e9, 1e9))
    draw_photo(folder / "party.jpg", "red", "green")
    draw_photo(folder / "ann.jpg", "red")
    return {}


def draw_gallery(folder: Path) -> dict[str, Any]:
    (folder / "v2.onnx").touch()
    return {**draw_people(folder), "table": faces(4, NEWER), "names": ["Dan", "Dan", "Eve", "Eve"]}


def draw_library(folder: Path) -> dict[str, Any]:
    """A library whose person 3 is the second face of the party, and a folder that goes on changing."""
    draw_people(folder)
    with facespace.Library(folder / "my-library") as library:
        library.refresh(folder / "photos", DrawnDetector(), OpenedEmbedder())
    return {}


def draw_crops(folder: Path) -> dict[str, Any]:
    for name, colour in COLOURS.items():
        for i in range(3):
            path = folder / "faces" / "val" / name / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (112, 112), tuple(channel + i for channel in colour)).save(path)
    return {}


def draw_pairs(folder: Path) -> dict[str, Any]:
    draw_lfw(folder / "data" / "lfw")
    rng, labels = np.random.default_rng(0), np.repeat(np.arange(60), 4)
    rows = rng.normal(size=(60, 16))[labels] + 0.5 * rng.normal(size=(240, 16))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    np.savez(folder / "faces.npz", embedding=rows.astype(np.float32), labels=labels)
    return {}


def draw_video(folder: Path) -> dict[str, Any]:
    pytest.importorskip("av", reason="the extra `video` is not installed")
    from drawn_video import draw_frame, write_video

    write_video(folder / "clip.mp4", [draw_frame({"red": 40.0})] * 10)
    return {}


@contextmanager
def nothing_else(folder: Path, scope: dict[str, Any]) -> Iterator[dict[str, str]]:
    """What goes on beside the examples of most documents."""
    yield {}


@contextmanager
def changing(folder: Path, scope: dict[str, Any]) -> Iterator[dict[str, str]]:
    """New photos, until the folder is watched and its first change was printed."""
    done = threading.Event()

    def add() -> None:
        for i in range(600):
            if done.wait(0.1):
                return
            photo = draw_photo(folder / "new.png", "ochre")
            os.utime(photo, (1e9 + i, 1e9 + i))
            photo.rename(folder / "photos" / f"new{i}.png")

    def show(*values: object) -> None:
        if all(isinstance(value, int) for value in values):
            scope["stop"].set()

    scope["print"], thread = show, threading.Thread(target=add)
    thread.start()
    try:
        yield {}
    finally:
        done.set()
        thread.join()


@contextmanager
def a_service(folder: Path, scope: dict[str, Any]) -> Iterator[dict[str, str]]:
    """A service with one gallery of each key, and what stands for its address and keys in the document."""
    pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")
    from facespace.service.app import create_app
    from facespace.service.keys import Keys
    from service.asked import make_service

    keys = {
        name: Keys(folder / "galleries").make(name, ("read", "write", "delete"))[1]
        for name in ("team", "old")
    }
    service = make_service(folder / "galleries", keys=True)
    with listening(create_app(service)) as address, httpx.Client(base_url=address) as client:
        old = {"x-api-key": keys["old"]}
        client.put("/v1/galleries/old", json={"keep_pictures": True}, headers=old)
        face = {"params": {"subject": "Ben"}, "content": (folder / "ben.png").read_bytes()}
        client.put("/v1/galleries/old/faces/1", headers={**old, "content-type": "image/png"}, **face)
        yield {
            "http://127.0.0.1:8129": address, "http://localhost:8000": address, "https://faces.example.org": address,
            "fsk_...": keys["team"], "new key": keys["team"], "old key": keys["old"], '"KEY"': f'"{keys["team"]}"',
        }  # fmt: skip


def draw_pictures(folder: Path) -> dict[str, Any]:
    draw_photo(folder / "ben.png", "green")
    return draw_people(folder)


Draw = Callable[[Path], dict[str, Any]]
Beside = Callable[[Path, dict[str, Any]], AbstractContextManager[dict[str, str]]]
# What a document's examples find in the folder where they run, and what goes on beside them.
SETTINGS: dict[str, tuple[Draw, Beside]] = {
    "README.md": (draw_people, nothing_else),
    "docs/galleries.md": (draw_gallery, nothing_else),
    "docs/harmonic.md": (draw_crops, nothing_else),
    "docs/library.md": (draw_library, changing),
    "docs/measure.md": (draw_pairs, nothing_else),
    "docs/python.md": (draw_people, nothing_else),
    "docs/service.md": (draw_pictures, a_service),
    "docs/videos.md": (draw_video, nothing_else),
}


def test_every_document_with_python_is_run() -> None:
    assert {str(path.relative_to(ROOT)) for path in DOCUMENTS if blocks_of(path)} == set(SETTINGS)


@pytest.mark.parametrize("name", SETTINGS)
def test_the_python_of_a_document_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw, beside = SETTINGS[name]
    scope: dict[str, Any] = {"__name__": "example", **draw(tmp_path)}
    monkeypatch.chdir(tmp_path)
    for module in (facespace, context, jobs):
        monkeypatch.setattr(module, "Detector", lambda *_, **__: DrawnDetector(), raising=False)
        monkeypatch.setattr(module, "Embedder", AnyEmbedder, raising=False)
    monkeypatch.setattr(jobs, "library_of", lambda *_: tmp_path / "kept")
    with beside(tmp_path, scope) as instead:
        for block in blocks_of(ROOT / name):
            for printed, real in instead.items():
                block = block.replace(printed, real)
            exec(compile(block, name, "exec"), scope)
            for left_open in [value for value in scope.values() if isinstance(value, httpx.Client)]:
                left_open.close()
        if "names" in scope and asyncio.iscoroutinefunction(scope["names"]):
            assert asyncio.run(scope["names"]([(tmp_path / "ben.png").read_bytes()])) == ["Ben"]
