"""`facespace gallery` as a person or a script meets it; models are those of drawn pictures."""

import dataclasses
import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from facespace.cli import app
from facespace.errors import DataError, FacespaceError, InputError
from facespace.gallery import named_by_folder, uses
from fakes import SPEC, DrawnEmbedder, draw_photo
from gallery.acting import NEWER, NewerEmbedder


@pytest.fixture(autouse=True)
def newer(drawn: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def open_embedder(model: str | None = None, **_: object) -> DrawnEmbedder:
        embedder = NewerEmbedder() if model and "newer" in model else DrawnEmbedder()
        embedder.path = Path("newer.onnx" if isinstance(embedder, NewerEmbedder) else "drawn.onnx")  # type: ignore[attr-defined]
        return embedder

    monkeypatch.setattr(uses, "Embedder", open_embedder)


@pytest.fixture
def team(tmp_path: Path) -> Path:
    """A gallery of ann and bob, by the folders of their photos."""
    draw_photo(tmp_path / "photos" / "ann" / "1.png", "red")
    draw_photo(tmp_path / "photos" / "ann" / "2.png", "red", "blue")
    draw_photo(tmp_path / "photos" / "bob" / "3.png", "green")
    draw_photo(tmp_path / "photos" / "loose.png", "green")
    result = call("enrol", tmp_path / "team", tmp_path / "photos", "--by-folder")
    assert result.exit_code == 0 and "3 faces enrolled from 3 photos" in result.stdout
    assert (
        "1 photos are in no person's folder" in result.stderr and "the largest is enrolled" in result.stderr
    )
    return tmp_path / "team"


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["gallery", *(str(a) for a in arguments)])


def document(*arguments: object) -> dict:  # type: ignore[type-arg]
    result = call(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)  # type: ignore[no-any-return]


def test_people_are_enrolled_by_name_and_by_list(tmp_path: Path, team: Path) -> None:
    cy = draw_photo(tmp_path / "cy.png", "blue")
    assert document("enrol", team, cy, "--subject", "Cy")["new"] == 1
    assert document("enrol", team, cy, "--subject", "Cy")["known"] == 1
    (tmp_path / "who.csv").write_text("photo,person\ncy.png,Dora\n")
    refused = document("enrol", team, tmp_path, "--labels", tmp_path / "who.csv")["refused"]
    assert refused[0]["reason"].startswith("the same picture is enrolled for Cy")
    seen = document("list", team)
    assert [(s["name"], s["n_faces"]) for s in seen["subjects"]] == [("Cy", 1), ("ann", 2), ("bob", 1)]
    assert seen["templates"] == {SPEC.label: 4} and "3 subjects, 4 faces" in call("list", team).stdout
    (face,) = document("list", team, "--subject", "Cy")["faces"]
    assert face["photo"] == str(cy) and "cy.png" in call("list", team, "--subject", "Cy").stdout


def test_identify_names_or_says_unknown_and_what_that_is_worth(tmp_path: Path, team: Path) -> None:
    party = draw_photo(tmp_path / "party" / "p.png", "red", "green", "blue")
    draw_photo(tmp_path / "party" / "none.png")
    (tmp_path / "party" / "bad.png").write_bytes(b"x")
    shown = call("identify", team, tmp_path / "party")
    assert "ann" in shown.stdout and "bob" in shown.stdout and "unknown (nearest: " in shown.stdout
    assert "about 1 in 100 unknown people would be taken for one of 2 subjects" in shown.stdout
    assert "none.png: no face found" in shown.stderr and "bad.png: not a picture" in shown.stderr
    found = document("identify", team, tmp_path / "party", "--fpir", "0.02")
    assert [face["subject"] for face in found["faces"]] == ["ann", "bob", None]
    assert set(found["faces"][0]) == {
        "photo", "box_xyxy", "score", "quality", "subject", "nearest", "distance", "threshold", "chance",
    }  # fmt: skip
    assert (found["fpir"], found["n_subjects"], found["n_comparisons"], found["measured"]) == (
        0.02,
        2,
        3,
        True,
    )
    assert [Path(p).name for p in found["no_face"]] == ["none.png"] and len(found["unreadable"]) == 1
    crop = draw_photo(tmp_path / "crop.png", "red")
    assert document("identify", team, crop, "--crops")["faces"][0]["box_xyxy"] is None
    assert document("identify", team, party, "--model", "newer")["model"] == NEWER.label


def test_search_gives_the_nearest_of_each_face(tmp_path: Path, team: Path) -> None:
    party = draw_photo(tmp_path / "p.png", "green", "red")
    found = document("search", team, party, "-k", 2, "--far", "1e-3")
    assert [face["matches"][0]["subject"] for face in found["faces"]] == ["bob", "ann"]
    assert [len(face["matches"]) for face in found["faces"]] == [2, 2]
    shown = call("search", team, party, "-k", 1, "--far", "1e-3").stdout
    assert "3.png" in shown and "about 1 in 1,000 pairs of different people" in shown


def test_removal_and_export(tmp_path: Path, team: Path) -> None:
    assert document("export", team, "-o", tmp_path / "all.csv")["faces"] == 3
    assert len((tmp_path / "all.csv").read_text().splitlines()) == 4
    removed = call("remove", team, "--photo", tmp_path / "photos" / "ann" / "1.png")
    assert "removed 1 faces" in removed.stdout
    assert document("remove", team, "--subject", "bob")["n_faces"] == 1
    assert [s["name"] for s in document("list", team)["subjects"]] == ["ann"]


def test_upgrade_there_and_back_and_for_good(tmp_path: Path, team: Path) -> None:
    at_once = document("upgrade", team, "--to", "newer", "--at-once")
    assert (at_once["model"], at_once["before"], at_once["progress"]["share"]) == (
        NEWER.label,
        SPEC.label,
        0.0,
    )
    (tmp_path / "photos" / "bob" / "3.png").rename(tmp_path / "photos" / "moved.png")
    result = call("upgrade", team)
    assert "2 of 3 faces (67%) have a template of this model" in result.stdout
    assert (
        "the other 1 keep their old templates" in result.stdout and "3.png: cannot be read" in result.stderr
    )
    assert document("upgrade", team, "--photos", tmp_path / "photos")["embedded"] == 1
    assert document("upgrade", team, "--back")["model"] == SPEC.label
    assert "100%" in call("upgrade", team, "--to", "newer").stdout
    refused = call("upgrade", team, "--drop-old", "--json")
    assert isinstance(refused.exception, FacespaceError) and "--yes" in str(refused.exception)
    asked = CliRunner().invoke(app, ["gallery", "upgrade", str(team), "--drop-old"], input="n\n")
    assert isinstance(asked.exception, FacespaceError)
    assert document("list", team)["templates"] == {SPEC.label: 3, NEWER.label: 3}
    assert document("upgrade", team, "--drop-old", "--yes")["dropped"] == {SPEC.label: 3}
    history = document("list", team)["history"]
    assert len(history) == 5 and history[-1].endswith(f"3 templates of {SPEC.label} dropped")
    assert "were dropped on" in str(call("upgrade", team, "--back").exception)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["identify", "{new}", "x.png"], "there is no such file"),
        (["enrol", "{new}", "nowhere.png", "--subject", "Ann"], "nothing of that name"),
        (["enrol", "{team}", "x.png"], "--subject NAME, --by-folder and --labels CSV"),
        (["enrol", "{team}", "x.png", "--by-folder", "--subject", "Ann"], "expected one of"),
        (["enrol", "{team}", "{photos}", "--by-folder", "--model", "newer"], "facespace gallery upgrade"),
        (["identify", "{team}", "{photos}", "--fpir", "0"], "fpir: expected a rate"),
        (["search", "{team}", "{photos}", "--far", "1e-9"], "no threshold at FAR"),
        (["remove", "{team}"], "expected what to remove"),
        (["remove", "{team}", "--subject", "Zoe"], "nobody is called Zoe"),
        (["list", "{team}", "--subject", "Zoe"], "nobody is called Zoe"),
        (["export", "{team}", "-o", "x.txt"], "ends in .csv, .json, .npz"),
        (["upgrade", "{team}", "--back", "--drop-old"], "expected one of --to"),
        (["upgrade", "{team}", "--back"], "is its first"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
def test_a_mistake_is_said_in_one_line(tmp_path: Path, team: Path, arguments: list[str], said: str) -> None:
    places = {"team": team, "new": tmp_path / "new", "photos": tmp_path / "photos"}
    result = call(*(a.format(**places) for a in arguments))
    assert isinstance(result.exception, FacespaceError), result.output
    assert said in str(result.exception) and "\n" not in str(result.exception)
    assert not (tmp_path / "new").exists()


def test_a_person_whose_folder_cannot_be_opened_is_named_and_counted(
    tmp_path: Path, team: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "photos" / "cy").mkdir()
    look = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("cy"):
            raise PermissionError(13, "Permission denied", path)
        return look(path)

    monkeypatch.setattr(os, "scandir", refuse)
    done = document("enrol", team, tmp_path / "photos", "--by-folder")
    assert done["new"] == 0 and [Path(one["photo"]).name for one in done["refused"]] == ["cy"]
    shown = call("enrol", team, tmp_path / "photos", "--by-folder")
    assert "cy: " in shown.stderr and "1 refused" in shown.stdout
    with pytest.raises(DataError, match="cy: expected a folder of a person"):
        named_by_folder([tmp_path / "photos"])


def test_a_subject_called_unknown_does_not_look_like_somebody_unknown(tmp_path: Path, team: Path) -> None:
    photo = draw_photo(tmp_path / "x.png", "blue")
    call("enrol", team, photo, "--subject", " Unknown ")
    assert '"Unknown"' in call("identify", team, photo).stdout
    assert '"Unknown"' in call("search", team, photo).stdout and '"Unknown"' in call("list", team).stdout
    assert document("identify", team, photo)["faces"][0]["subject"] == "Unknown"


def test_names_that_look_alike_are_one_subject(tmp_path: Path, team: Path) -> None:
    photo = draw_photo(tmp_path / "x.png", "blue")
    assert document("enrol", team, photo, "--subject", "  ANN ")["new"] == 1
    assert [(s["name"], s["n_faces"]) for s in document("list", team)["subjects"]] == [("ann", 3), ("bob", 1)]
    refused = call("enrol", team, photo, "--subject", "A\x1b[31mnn").exception
    assert isinstance(refused, InputError) and r"\x1b" in str(refused)


def test_a_population_sets_the_thresholds_of_identify_and_search(
    tmp_path: Path, team: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict: dict[str, float | None] = {far: 0.5 * (d or 0.0) for far, d in SPEC.distances.items()}
    spec = dataclasses.replace(SPEC, populations={"everyone": SPEC.distances, "children": strict})
    monkeypatch.setattr(DrawnEmbedder, "spec", spec)
    party = draw_photo(tmp_path / "p.png", "green", "red")
    for command, asked in (("identify", ("--fpir", "0.02")), ("search", ("-k", "1"))):
        usual = document(command, team, party, *asked)
        other = document(command, team, party, *asked, "--population", "children")
        assert (usual["population"], other["population"]) == ("everyone", "children")
        pairs = zip(_thresholds(usual), _thresholds(other), strict=True)
        assert all(b == pytest.approx(0.5 * a) for a, b in pairs)
        assert "population: children" in call(command, team, party, "--population", "children").stdout
    refused = call("search", team, party, "--population", "martians")
    assert isinstance(refused.exception, FacespaceError) and "everyone, children" in str(refused.exception)


def _thresholds(found: dict) -> list[float]:  # type: ignore[type-arg]
    """Of each face, or of its nearest."""
    return [
        face["threshold"] if "threshold" in face else face["matches"][0]["threshold"]
        for face in found["faces"]
    ]
