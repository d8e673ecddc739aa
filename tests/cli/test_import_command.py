"""`facespace models import` as a script meets it: one clear error for what is missing, then a model by name."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from facespace.cli.app import run

KNOWN = ["--colour", "rgb", "--scaling", "127.5/127.5", "--alignment", "similarity"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Models are looked for here, and no data folder is named."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("FACESPACE_DATA", raising=False)


@dataclass(frozen=True)
class Ended:
    returncode: int
    stdout: str
    stderr: str


Call = Callable[..., Ended]


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]) -> Call:
    return lambda *arguments: Ended(run([str(a) for a in arguments]), *capfd.readouterr())


@pytest.fixture
def faces(tmp_path: Path, data: Path) -> Path:
    for identity in sorted((data / "faces" / "val").iterdir())[:24]:
        (tmp_path / "val" / identity.name).mkdir(parents=True)
        for face in sorted(identity.iterdir())[:2]:
            (tmp_path / "val" / identity.name / face.name).symlink_to(face)
    return tmp_path / "val"


def test_what_is_missing_is_named_in_one_line(tmp_path: Path, data: Path, faces: Path, call: Call) -> None:
    peer = data / "peers" / "mobilefacenet.onnx"
    result = call("models", "import", peer, "--colour", "RGB", "--holdout", faces)
    assert result.returncode == 2 and result.stdout == ""
    assert "--scaling" in result.stderr and "--alignment" in result.stderr and "--colour" not in result.stderr
    assert result.stderr.count("facespace: error: ") == 1 and "Traceback" not in result.stderr
    assert not (tmp_path / "facespace").exists()


def test_an_imported_model_is_listed_shown_and_used_by_name(
    tmp_path: Path, data: Path, faces: Path, call: Call
) -> None:
    peer = data / "peers" / "mobilefacenet.onnx"
    result = call("models", "import", peer, *KNOWN, "--holdout", faces, "--json")
    assert result.returncode == 0, result.stderr
    spec = json.loads(result.stdout)["spec"]
    assert (spec["name"], spec["dim"], spec["colour"]) == ("mobilefacenet", 128, "RGB")
    assert "use it with --model mobilefacenet" in result.stderr
    listed = json.loads(call("models", "list", "--json").stdout)
    assert [s["name"] for s in listed] == [
        "facespace-detector",
        "facespace-s",
        "facespace-xs",
        "mobilefacenet",
    ]
    assert json.loads(call("models", "show", "mobilefacenet", "--json").stdout)["dim"] == 128
    first, second = sorted((data / "albums" / "facenet" / "data" / "test_images").rglob("*.jpg"))[:2]
    verdict = call("verify", first, second, "--far", "1e-2", "--model", "mobilefacenet")
    assert verdict.returncode in (0, 1), verdict.stderr
    (tmp_path / "facespace" / "models" / "bad.onnx").write_bytes(b"no model")
    after = call("models", "list")
    assert after.returncode == 0 and "bad.onnx: skipped" in after.stderr and "mobilefacenet" in after.stdout
