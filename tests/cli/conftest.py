"""What the tests of commands share: models for drawn pictures, where the commands open their own."""

from pathlib import Path

import pytest

from facespace.cli import faces, gallery, people, verify
from fakes import SPEC, DrawnDetector, OpenedEmbedder


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands find and embed drawn faces."""
    for module in (people, verify, faces):
        monkeypatch.setattr(module, "Embedder", OpenedEmbedder)
    for module in (people, verify, faces, gallery):
        monkeypatch.setattr(module, "Detector", lambda *_, **__: DrawnDetector())
    monkeypatch.setattr(faces, "read_spec", lambda _: SPEC)
    monkeypatch.setattr(faces, "find_model", lambda *_: Path("drawn"))
