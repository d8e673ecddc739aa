"""The commands as a person or a script meets them; models are tiny ones made for drawn pictures."""

import dataclasses
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from facespace.cli import app
from facespace.cli.app import run
from facespace.errors import DataError, FacespaceError
from fakes import SPEC, OpenedEmbedder, draw_photo

SMOKE = str(Path(__file__).parents[2] / "recipes" / "smoke.toml")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    draw_photo(folder / "1.png", "red", "green")
    draw_photo(folder / "2.png", "red")
    draw_photo(folder / "none.png")
    (folder / "bad.jpg").write_bytes(b"x")
    return folder


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_people_prints_the_table_and_writes_the_page(tmp_path: Path, photos: Path, drawn: None) -> None:
    result = call("people", photos, "--library", tmp_path / "library")
    assert result.exit_code == 0
    assert "1 person in 4 photos (4 new); 1 face seen once; 1 file not readable" in result.stdout
    assert "a collection of 3 faces: about 1 in 133 pairs of different people" in result.stdout
    assert "warning: bad.jpg: not a picture" in result.stderr and "people.html" in result.stderr
    assert (tmp_path / "library" / "people.html").is_file()
    assert "(0 new)" in call("people", photos, "--library", tmp_path / "library").stdout


def test_people_leaves_a_page_that_is_as_it_should_be(tmp_path: Path, photos: Path, drawn: None) -> None:
    command = ("people", photos, "--library", tmp_path / "library")
    page = tmp_path / "library" / "people.html"
    call(*command)
    first = page.stat()
    assert call(*command).exit_code == 0 and page.stat() == first
    call("library", "name", tmp_path / "library", "1", "Ann")
    call(*command)
    assert page.stat() != first and "Ann" in page.read_text()
    page.unlink()
    call(*command)
    assert page.exists()


def test_people_verifies_and_refuses_another_folder(tmp_path: Path, photos: Path, drawn: None) -> None:
    call("people", photos, "--library", tmp_path / "library")
    content = (photos / "1.png").read_bytes()
    before = (photos / "1.png").stat()
    (photos / "1.png").write_bytes(content[:-1] + b"x")
    os.utime(photos / "1.png", ns=(before.st_atime_ns, before.st_mtime_ns))
    verified = call("people", photos, "--library", tmp_path / "library", "--verify")
    assert "content of 4 photos: 1 changed behind an unchanged time, read again: 1.png" in verified.stderr
    assert "as it was" in call("people", photos, "--library", tmp_path / "library", "--verify").stderr
    other = draw_photo(tmp_path / "other" / "1.png", "blue").parent
    refused = call("people", other, "--library", tmp_path / "library")
    assert isinstance(refused.exception, DataError) and "expected the photos" in str(refused.exception)
    assert call("people", other, "--library", tmp_path / "library", "--drop-missing").exit_code == 0


def test_people_moves_a_library_to_another_model(
    tmp_path: Path, photos: Path, drawn: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("people", photos, "--library", tmp_path / "library")
    call(*command)
    call("library", "name", tmp_path / "library", "1", "Ann")
    later = dataclasses.replace(SPEC, version="2", sha256="a" * 64)
    monkeypatch.setattr(OpenedEmbedder, "opens", later)
    moved = call(*command)
    assert moved.exit_code == 0 and "drawn 2 (aaaaaaaa) takes the place of drawn 1" in moved.stderr
    assert "3 of 3 faces done; the groups are its own now" in moved.stderr and "Ann" in moved.stdout
    again = call(*command)
    assert "takes the place" not in again.stderr and "Ann" in again.stdout


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_people_follows_a_folder_until_it_is_told_to_end(tmp_path: Path, sent: signal.Signals) -> None:
    draw_photo(tmp_path / "photos" / "1.png", "red")
    arguments = ("people", tmp_path / "photos", "--library", tmp_path / "l", "--watch")
    command = [sys.executable, "-m", "facespace", *map(str, arguments)]
    # A child inherits only that it is ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, before)
    assert process.stderr is not None
    while "following" not in process.stderr.readline():
        assert process.poll() is None
    draw_photo(tmp_path / "photos" / "2.png", "blue")
    assert "1 read, 0 moved, 0 gone: 0 people in 2 photos" in process.stderr.readline()
    process.send_signal(sent)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 0
    assert stderr.endswith("stopped following; the library is up to date with what was read\n")


def test_people_as_json_has_the_fixed_keys(tmp_path: Path, photos: Path, drawn: None) -> None:
    document = json.loads(call("people", photos, "--library", tmp_path / "library", "--json").stdout)
    assert list(document) == [
        "photos",
        "faces",
        "model",
        "threshold",
        "far",
        "people",
        "unreadable",
        "extrapolated",
    ]
    assert [len(person["faces"]) for person in document["people"]] == [2, 1]
    assert document["unreadable"] == [{"photo": "bad.jpg", "reason": "not a picture, whatever its name says"}]


@pytest.mark.parametrize(
    ("options", "exit_code", "same"), [([], 0, True), (["--any"], 0, True), (["--far", "1e-3"], 0, True)]
)
def test_verify_answers_by_exit_code(
    photos: Path, drawn: None, options: list[str], exit_code: int, same: bool
) -> None:
    result = call("verify", photos / "1.png", photos / "2.png", "--json", *options)
    assert result.exit_code == exit_code
    document = json.loads(result.stdout)
    assert list(document) == ["same", "distance", "similarity", "threshold", "far", "model", "faces"]
    assert (
        document["same"] is same
        and [set(f) for f in document["faces"]] == [{"photo", "box_xyxy", "score", "n_faces"}] * 2
    )


def test_verify_says_which_face_it_took_and_takes_another(photos: Path, drawn: None) -> None:
    assert "2 faces, the largest is used" in call("verify", photos / "1.png", photos / "2.png").stderr
    draw_photo(photos / "3.png", "blue", "blue")
    different = call("verify", f"{photos / '1.png'}#2", photos / "3.png")
    assert different.exit_code == 1 and "different people" in different.stdout
    assert call("verify", f"{photos / '1.png'}#1", photos / "2.png").exit_code == 0
    beyond = call("verify", f"{photos / '1.png'}#3", photos / "2.png")
    assert "expected face 1 to 2 of the photo" in str(beyond.exception)


def test_verify_without_a_face_is_an_error(photos: Path, drawn: None) -> None:
    result = call("verify", photos / "1.png", photos / "none.png")
    assert isinstance(result.exception, FacespaceError) and "found none" in str(result.exception)


def test_embed_then_cluster(
    tmp_path: Path, photos: Path, drawn: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded = json.loads(call("embed", photos, "-o", tmp_path / "faces", "--json").stdout)
    assert (embedded["faces"], embedded["photos"], embedded["new"]) == (3, 3, 3)
    result = call("cluster", tmp_path / "faces", "-o", tmp_path / "people.csv", "--json")
    document = json.loads(result.stdout)
    assert (document["n_faces"], document["n_people"], document["scores"]) == (3, 2, None)
    # Three faces are few: the rate is looser than any that was calibrated, and says so.
    assert (document["far"], document["extrapolated"], document["heaps"]) == (0.0075, False, [])
    named = ("cluster", tmp_path / "faces", "-o", tmp_path / "people.csv", "--far", "1e-2")
    document = json.loads(call(*named, "--json").stdout)
    assert (document["threshold"], document["far"], document["extrapolated"]) == (0.3, 0.01, False)
    assert "the threshold is 0.300" in call(*named, "--explain", "0", "1").stdout
    asked = (f"{photos / '1.png'}#2", photos / "2.png")
    shown = call(*named, "--explain", *asked, "--pictures", tmp_path / "pictures").stdout
    assert "false-accept rate" in shown and "the threshold is 0.300" in shown
    assert sorted(p.name for p in (tmp_path / "pictures").iterdir()) == [
        "dendrogram.png", "distances.png", "people.png",
    ]  # fmt: skip
    poor = json.loads(call(*named, "--min-quality", "1", "--json").stdout)
    assert poor["n_faces"] == 3
    rows = (tmp_path / "people.csv").read_text().splitlines()
    assert rows[0] == "photo,x0,y0,x1,y1,person,time" and len(rows) == 4


def test_cluster_scores_crops_of_known_people(
    tmp_path: Path, drawn: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    for name, colour in (("ann", (220, 30, 30)), ("bob", (30, 200, 40))):
        (tmp_path / "crops" / name).mkdir(parents=True)
        for i in range(3):
            image = Image.new("RGB", (112, 112), colour)
            image.putpixel((0, 0), (i, i, i))
            image.save(tmp_path / "crops" / name / f"{i}.png")
    call("embed", tmp_path / "crops", "--crops", "-o", tmp_path / "faces")
    document = json.loads(call("cluster", tmp_path / "faces", "-o", tmp_path / "p.csv", "--json").stdout)
    assert set(document["scores"]) == {"pairwise_precision", "pairwise_recall", "pairwise_f1", "bcubed_f1"}
    assert set(document["scores"].values()) == {1.0}


def as_a_process(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "facespace", *(str(a) for a in arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["people", "nowhere"], "expected a folder of photos"),
        (["verify", "a.jpg", "b.jpg"], "cannot be read"),
        (["measure", "lfw"], "FACESPACE_DATA"),
        (["measure", "holdout", "--data", "nowhere"], "expected the data sets' folder"),
        (["models", "show", "nowhere.onnx"], "expected a built-in model"),
        (["cluster", "nowhere", "-o", "x.csv"], "expected a FaceTable"),
        (["train", "nowhere.toml", "-o", "run", "--data", "."], "nowhere.toml"),
        (["train", SMOKE, "--network", "nn5", "-o", "run", "--data", "."], "expected a network out of nn1"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
def test_a_mistake_is_one_line_on_stderr_and_exit_code_2(
    tmp_path: Path,
    arguments: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FACESPACE_DATA", raising=False)
    assert run(arguments) == 2
    shown, told = capsys.readouterr()
    errors = [line for line in told.splitlines() if line.startswith("facespace: error: ")]
    assert shown == "" and len(errors) == 1 and said in errors[0]
    assert "Traceback" not in told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("sent", "interrupts"),
    [(signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_IGN)],
    ids=["Ctrl-C", "kill, of a script's background job"],
)
def test_a_stop_keeps_what_is_done_and_the_next_run_goes_on(
    sent: signal.Signals, interrupts: Any, tmp_path: Path
) -> None:
    for i in range(400):
        draw_photo(tmp_path / "photos" / f"{i}.png", "red", "blue", "green")
    command = [
        sys.executable,
        "-m",
        "facespace",
        "people",
        str(tmp_path / "photos"),
        "--library",
        str(tmp_path / "l"),
    ]
    before = signal.signal(signal.SIGINT, interrupts)  # a child inherits only that it is ignored
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, before)
    catalogue = tmp_path / "l" / "library.sqlite"
    while not catalogue.exists() or stored_photos(catalogue) < 5:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(sent)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (130, "")
    assert (
        stderr.strip()
        == "facespace: error: stopped; what is done is kept. Run the same command again to resume"
    )
    done = stored_photos(catalogue)
    assert 5 <= done < 400
    again = as_a_process("people", tmp_path / "photos", "--library", tmp_path / "l")
    assert f"in 400 photos ({400 - done} new)" in again.stdout


def stored_photos(catalogue: Path) -> int:
    connection = sqlite3.connect(catalogue)
    try:
        return int(connection.execute("SELECT count(*) FROM photos").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
    finally:
        connection.close()


def test_an_empty_folder_gets_a_friendly_line(tmp_path: Path) -> None:
    result = as_a_process("people", tmp_path)
    assert result.returncode == 0 and "no photos in" in result.stderr


def test_a_folder_of_other_pictures_alone_says_so(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for name in ("1.psd", "2.psd"):
        (tmp_path / "photos" / name).write_bytes(b"8BPS")
    result = call("people", tmp_path / "photos", "--library", tmp_path / "library")
    assert "2 pictures of a kind that is not read" in result.stderr and "no photos in" in result.stderr
    assert not (tmp_path / "library").exists()


def test_version() -> None:
    assert as_a_process("--version").stdout.startswith("facespace 0.")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-o", "nowhere/people.csv"], "folder that exists"),
        (["--person", "1"], "--pictures"),
        (["--explain", "0", "3"], "faces 0 to 2"),
        (["--explain", "{photos}/1.png", "{photos}/2.png"], "it shows 2, say which: "),
        (["--explain", "{photos}/1.png#1", "{photos}/1.png#3"], "expected face 1 to 2 of the photo"),
        (["--explain", "{photos}/1.png#1", "absent.png"], "no face of the table is from there"),
        (["--far", "2"], "expected a rate between 0 and 1"),
    ],
)
def test_cluster_refuses_before_it_groups(
    options: list[str],
    message: str,
    tmp_path: Path,
    photos: Path,
    drawn: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "facespace.cluster.table_groups.agglomerative", lambda *_, **__: pytest.fail("grouped")
    )
    call("embed", photos, "-o", tmp_path / "faces")
    options = [option.format(photos=photos) for option in options]
    result = call("cluster", tmp_path / "faces", "-o", tmp_path / "people.csv", *options)
    assert result.exit_code != 0 and message in f"{result.exception} {' '.join(result.stderr.split())}"
