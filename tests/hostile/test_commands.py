"""Every command with input that is absent, of the wrong kind, unreadable or out of range.

Each slip is one line on stderr and exit code 2, without a traceback, and leaves no new file behind.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

from facespace.cli.app import run
from facespace.cli.reference import commands
from facespace.gallery import Gallery
from facespace.library import Library
from facespace.table import FaceTable
from fakes import draw_photo

COMMANDS = dict(commands())
# A call of each command that takes files: <name> is an input, [name] an output, {name} what is left alone.
CALLS = {
    "people": "<photos> --library [new]",
    "serve": "<library>",
    "verify": "<photo> <photo>",
    "library name": "<library> 1 Ann",
    "library merge": "<library> 1 2",
    "library split": "<library> 1 a.png#1",
    "library apart": "<library> 1 2",
    "library confirm": "<library> 1",
    "library reject": "<library> 1 a.png#1",
    "library not-a-face": "<library> a.png#1",
    "library hide": "<library> 1",
    "library undo": "<library>",
    "library redo": "<library>",
    "library history": "<library>",
    "library forget": "<library> 1 --yes",
    "library import-names": "<library>",
    "library export": "<library> -o [new].csv",
    "library check": "<library>",
    "library backup": "<library> -o [new].sqlite",
    "library drop-old": "<library> --yes",
    "gallery create": "[new]",
    "gallery load": "<gallery> <faces>",
    "gallery index": "<gallery>",
    "gallery enrol": "[new] <photos> --subject Ann",
    "gallery identify": "<gallery> {photo}",
    "gallery search": "<gallery> {photo}",
    "gallery remove": "<gallery> --subject Ann",
    "gallery list": "<gallery>",
    "gallery export": "<gallery> -o [new].csv",
    "gallery upgrade": "<gallery>",
    "gallery check": "<gallery>",
    "gallery backup": "<gallery> -o [new]",
    "api keys make": "<galleries> --gallery team --right read",
    "api keys list": "<galleries>",
    "api keys revoke": "<galleries> abc",
    "models import": "<model> --colour RGB --scaling 0/255 --alignment tight --layout NCHW --holdout {photos}",
    "models show": "<model>",
    "models calibrate": "<model> --data {data}",
    "models export": "<run> -o {new}.onnx --data {data}",
    "train": "<recipe> -o {new} --data {data}",
    "harmonise": "--old <model> --init <run> -o {new} --data {data}",
    "embed": "<photo> -o [new]",
    "cluster": "<faces> -o [new].csv",
    "convert": "<faces> -o [new]",
    "bench": "<photos>",
}
# What is no slip: the command has an answer, with this exit code.
FINE = {
    # A folder of galleries begins without keys.
    **{
        (f"api keys {verb}", "<galleries>", kind): 0
        for verb in ("make", "list")
        for kind in ("empty folder", "absent", "control characters")
    },
    ("people", "<photos>", "empty folder"): 0,
    **{
        ("gallery enrol", "<photos>", kind): 0 for kind in ("empty folder", "empty file", "garbage", "device")
    },
    **{("embed", "<photo>", kind): 0 for kind in ("empty folder", "empty file", "garbage", "device")},
}
KINDS = (
    "absent", "empty folder", "empty file", "garbage", "loop", "below a file", "too long", "control characters",
    "device",
)  # fmt: skip
# Where nothing can be written.
NO_PLACES = ("below a file", "too long", "no folder for files")
BAD_NUMBERS = ("nan", "inf", "-1", "1e99", "x", "")


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What is right, by the names that `CALLS` uses."""
    root = tmp_path_factory.mktemp("right")
    draw_photo(root / "photos" / "a.png", "red")
    Library(root / "library").close()
    (root / "data").mkdir()
    Gallery(root / "gallery").close()
    FaceTable.empty(dim=128, model="e" * 64).save(root / "faces")
    return {
        "photos": root / "photos", "photo": root / "photos" / "a.png", "library": root / "library",
        "data": root / "data", "faces": root / "faces", "gallery": root / "gallery",
    }  # fmt: skip


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A current folder and a home that must stay as they are."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("FACESPACE_DATA", raising=False)
    monkeypatch.chdir(tmp_path)


def hostile(folder: Path, kind: str) -> str:
    """A path of that kind."""
    (folder / "file.txt").write_text("text\n")
    (folder / "empty").mkdir()
    (folder / "zero").touch()
    (folder / "garbage").write_bytes(np.random.default_rng(0).bytes(5000))
    (folder / "loop").symlink_to(folder / "loop")
    found = {
        "absent": folder / "absent", "empty folder": folder / "empty", "empty file": folder / "zero",
        "garbage": folder / "garbage", "loop": folder / "loop", "below a file": folder / "file.txt" / "x",
        "too long": folder / ("n" * 300), "control characters": folder / "a\n\x1b[31mb", "device": Path("/dev/null"),
        "no folder for files": Path("/proc/new"),
    }  # fmt: skip
    return str(found[kind])


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def check(arguments: list[str], folder: Path, capsys: pytest.CaptureFixture[str], code: int = 2) -> None:
    before = files_below(folder)
    met = run(arguments)
    out, err = capsys.readouterr()
    assert met == code, (arguments, out, err)
    if code == 2:
        assert out == "" and err.startswith("facespace: error: ") and err.count("\n") == 1, (
            arguments,
            out,
            err,
        )
        assert "\x1b" not in err
        assert files_below(folder) == before


def slips(marks: str, kinds: tuple[str, ...]) -> list[tuple[str, str, str]]:
    return [
        (name, word, kind)
        for name, call in CALLS.items()
        for word in dict.fromkeys(call.split())
        if word[0] == marks[0] and marks[1] in word
        for kind in kinds
    ]


def filled(name: str, right: dict[str, Path], wrong: dict[str, str]) -> list[str]:
    """The words of a call, one of them replaced."""
    words = []
    for word in CALLS[name].split():
        stem, mark, ending = word.strip("<[").replace("]", ">").partition(">")
        place = str(right.get(stem, "absent")) + ending if mark else word.format(**right)
        words.append(wrong.pop(word, place))
    return [*name.split(), *words]


@pytest.mark.parametrize(("name", "word", "kind"), slips("<>", KINDS), ids=lambda part: str(part))
def test_an_input_of_the_wrong_kind(
    name: str,
    word: str,
    kind: str,
    tmp_path: Path,
    places: dict[str, Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    right = {**places, "new": tmp_path / "new"}
    arguments = filled(name, right, {word: hostile(tmp_path, kind)})
    check(arguments, tmp_path, capsys, FINE.get((name, word, kind), 2))


@pytest.mark.parametrize(("name", "word", "kind"), slips("[]", NO_PLACES), ids=lambda part: str(part))
def test_an_output_that_cannot_be_written(
    name: str,
    word: str,
    kind: str,
    tmp_path: Path,
    places: dict[str, Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    wrong = hostile(tmp_path, kind) + word.partition("]")[2]
    check(filled(name, places, {word: wrong}), tmp_path, capsys)


def numbers() -> list[tuple[str, str, str]]:
    return [
        (name, parameter.opts[-1], value)
        for name, command in COMMANDS.items()
        for parameter in command.params
        if parameter.opts[0].startswith("-") and is_number(command, parameter)
        for value in BAD_NUMBERS
    ]


def is_number(command: Any, parameter: Any) -> bool:
    record = parameter.get_help_record(typer.Context(command))  # None of a hidden one
    return record is not None and re.search(r"<float|<int|FLOAT|INTEGER", record[0]) is not None


@pytest.mark.parametrize(("name", "option", "value"), numbers(), ids=lambda part: str(part))
def test_a_number_out_of_range(
    name: str,
    option: str,
    value: str,
    tmp_path: Path,
    places: dict[str, Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    right = {**places, "new": tmp_path / "new"}
    arguments = filled(name, right, {}) if name in CALLS else name.split()
    check([*arguments, option, value], tmp_path, capsys)


def measured() -> list[str]:
    return [
        name
        for name, command in COMMANDS.items()
        if name.startswith("measure ") and any("--data" in parameter.opts for parameter in command.params)
    ]


@pytest.mark.parametrize("kind", ["absent", "empty file", "loop", "below a file"])
@pytest.mark.parametrize("name", measured())
def test_a_data_folder_of_the_wrong_kind(
    name: str, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check([*name.split(), "--data", hostile(tmp_path, kind)], tmp_path, capsys)


def test_every_command_is_swept() -> None:
    own = [name for name in COMMANDS if not name.startswith("measure ")]
    # Two take no files, and a service that starts does not end.
    assert [name for name in own if name not in {*CALLS, "models list", "gallery plan", "api start"}] == []
