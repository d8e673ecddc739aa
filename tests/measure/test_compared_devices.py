import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from facespace.cli.app import app
from facespace.errors import DataError, InputError, ModelError
from facespace.measure import speed
from facespace.measure.speed import DeviceSpeed, compare_devices
from fakes import DrawnDetector, OpenedEmbedder, draw_photo


@pytest.mark.parametrize(
    ("rows", "taken"),
    [
        ([("cpu", 1.0, None)], "cpu"),
        ([("cpu", 1.0, None), ("openvino", 0.95, None)], "cpu"),
        ([("cpu", 1.0, None), ("openvino", 0.8, None), ("cuda", 0.2, None)], "cuda"),
        ([("cpu", 1.0, None), ("coreml", 0.2, "embeddings move")], "cpu"),
        ([("cpu", 1.0, None), ("cuda", None, "does not start")], "cpu"),
    ],
)
def test_the_fastest_that_agrees_is_taken_if_it_is_worth_it(
    rows: list[tuple[str, float | None, str | None]], taken: str
) -> None:
    assert speed._take(tuple(DeviceSpeed(name, 1.0, ratio, note=note) for name, ratio, note in rows)) == taken


@pytest.fixture
def two_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second device beside the processor, and one that does not start."""

    def detector(_: object, *, device: str) -> DrawnDetector:
        if device == "cuda":
            raise ModelError("device cuda: does not start here")
        return DrawnDetector()

    monkeypatch.setattr(speed, "Detector", detector)
    monkeypatch.setattr(speed, "Embedder", OpenedEmbedder)
    monkeypatch.setattr(speed, "installed_devices", lambda: ("cpu", "cuda", "openvino"))


@pytest.mark.usefixtures("two_devices")
def test_devices_are_compared_on_the_same_photos(tmp_path: Path) -> None:
    draw_photo(tmp_path / "a.png", "red", "blue")
    draw_photo(tmp_path / "b.png")
    found = compare_devices(tmp_path, workers=1)
    assert [one.device for one in found.devices] == ["cpu", "cuda", "openvino"]
    cpu, cuda, openvino = found.devices
    assert (cpu.ratio, cpu.moved, cpu.n_faces, openvino.n_faces, openvino.moved) == (1.0, 0.0, 2, 2, 0.0)
    assert (cuda.ratio, cuda.note) == (None, "device cuda: does not start here")
    assert found.take in ("cpu", "openvino")
    assert found.lines()[-1] == f"take --device {found.take}"
    with pytest.raises(ModelError, match="does not start"):
        compare_devices(tmp_path, devices=["cuda"])


@pytest.mark.usefixtures("two_devices")
def test_there_must_be_photos_with_faces(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected photos to measure on"):
        compare_devices(tmp_path)
    draw_photo(tmp_path / "a.png")
    with pytest.raises(DataError, match="expected photos with faces"):
        compare_devices(tmp_path)


@pytest.mark.usefixtures("two_devices")
def test_the_command_says_which_device_to_take(tmp_path: Path) -> None:
    draw_photo(tmp_path / "a.png", "red")
    done = CliRunner().invoke(app, ["bench", str(tmp_path), "--device", "all", "--json"])
    document = json.loads(done.stdout)
    assert done.exit_code == 0 and len(document["devices"]) == 3 and document["take"] in ("cpu", "openvino")


def test_no_device_of_that_name(tmp_path: Path) -> None:
    draw_photo(tmp_path / "a.png", "red")
    with pytest.raises(InputError, match="expected auto or one of"):
        compare_devices(tmp_path, devices=["gpu"])
