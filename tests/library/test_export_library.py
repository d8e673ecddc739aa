"""What leaves a library: tables, sidecars, copies and folders, by function and by command."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from drawn_album import draw_stored, person_at, scanned
from facespace.cli import app
from facespace.errors import FacespaceError, InputError, LibraryError
from facespace.library import Library
from facespace.library.exchange.embedded import put_packet, read_embedded
from facespace.library.exchange.folders import safe_name
from facespace.library.exchange.regions import Region
from facespace.library.exchange.xmp import read_packet
from fakes import SPEC


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for name, people in (
        ("1.jpg", "red blue"),
        ("2.png", "red"),
        ("sub/1.jpg", "red blue green"),
        ("sub/3.bmp", "red"),
    ):
        draw_stored(folder / name, *people.split())
    draw_stored(folder / os.fsdecode(b"\xff.png"), "blue")
    return folder


@pytest.fixture
def library(tmp_path: Path, photos: Path) -> Iterator[Library]:
    """Red is Ann, confirmed on all photos but one; blue is a person without a name, green was seen once."""
    with Library(tmp_path / "library") as opened:
        scanned(opened, photos)
        opened.name(person_at(opened, "1.jpg#1"), "Ann")
        draw_stored(photos / "new.png", "red")
        yield scanned(opened, photos)


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_an_empty_library_has_nothing_to_say(tmp_path: Path) -> None:
    with Library(tmp_path / "library") as library:
        assert library.export_people(tmp_path / "a.csv") == 0
        assert library.export_people(tmp_path / "a.json") == 0
        with pytest.raises(LibraryError, match="where the photos are"):
            library.write_sidecars()
    assert (tmp_path / "a.csv").read_text().startswith("photo,person,name,state,")
    document = json.loads((tmp_path / "a.json").read_text())
    assert document["people"] == [] and document["model"] is None


def test_a_table_has_a_line_for_each_face(library: Library, tmp_path: Path) -> None:
    green = person_at(library, "sub/1.jpg#3")
    library.not_a_face([os.fsdecode(b"\xff.png#1")])
    assert library.export_people(tmp_path / "faces.csv") == 8
    with (tmp_path / "faces.csv").open(newline="") as file:
        rows = {row["face"]: row for row in csv.DictReader(file)}
    assert list(rows) == [
        "1.jpg#1", "1.jpg#2", "2.png#1", "new.png#1", "sub/1.jpg#1", "sub/1.jpg#2", "sub/1.jpg#3", "sub/3.bmp#1",
    ]  # fmt: skip
    ann, new, stranger = rows["1.jpg#1"], rows["new.png#1"], rows["sub/1.jpg#3"]
    assert (ann["name"], ann["state"], ann["distance"]) == ("Ann", "confirmed", "")
    assert [float(ann[k]) for k in ("x0", "y0", "x1", "y1")] == [20, 20, 80, 80]
    assert (new["name"], new["state"]) == ("Ann", "suggested")
    assert float(new["distance"]) < 0.01 and float(new["far"]) == pytest.approx(1e-3)
    assert (stranger["person"], stranger["name"], stranger["state"]) == (str(green), "", "suggested")


def test_the_document_is_that_of_people_with_the_history(library: Library, tmp_path: Path) -> None:
    assert library.export_people(tmp_path / "people.json") == 9
    found = json.loads((tmp_path / "people.json").read_text())
    expected = library.group(SPEC).to_json()
    assert [e["what"] for e in found.pop("history")] == [library.history()[0].what]
    for person in expected["people"]:
        del person["tightness"]
        person["faces"].sort(key=lambda face: face["face"])
    for person in found["people"]:
        person["faces"].sort(key=lambda face: face["face"])
        assert {face.pop("taken_at") for face in person["faces"]} == {None}

    def by_number(person: dict[str, Any]) -> int:
        return int(person["person"])

    found["people"].sort(key=by_number)
    expected["people"].sort(key=by_number)
    assert found == json.loads(json.dumps(expected))


def test_other_forms_are_refused(library: Library, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ends in .csv or .json"):
        library.export_people(tmp_path / "a.xlsx")


def test_names_of_files_that_are_no_text_are_escaped(library: Library, tmp_path: Path) -> None:
    library.export_people(tmp_path / "a.csv")
    library.export_people(tmp_path / "a.json")
    assert "\n\\udcff.png," in (tmp_path / "a.csv").read_text(encoding="utf-8")
    document = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    paths = {os.fsencode(f["photo"]) for p in document["people"] for f in p["faces"]}
    assert b"\xff.png" in paths


def test_sidecars_lie_beside_the_photos_which_stay_as_they_are(library: Library, photos: Path) -> None:
    before = snapshot(photos)
    dry = library.write_sidecars(dry_run=True)
    assert snapshot(photos) == before
    result = library.write_sidecars()
    told = ["1.jpg", "2.png", "sub/1.jpg", "sub/3.bmp"]
    assert result.written == dry.written == [photos / f"{name}.xmp" for name in told]
    after = snapshot(photos)
    assert {name for name in after if name not in before} == {f"{name}.xmp" for name in told}
    assert {name: after[name] for name in before} == before
    assert [r.name for r in read_packet(after["sub/1.jpg.xmp"]).regions] == ["Ann"]
    again = library.write_sidecars()
    assert (again.written, again.n_unchanged) == ([], 4) and snapshot(photos) == after


def test_suggested_names_go_out_on_request_and_hidden_people_never(library: Library, photos: Path) -> None:
    assert photos / "new.png.xmp" in library.write_sidecars(suggested=True).written
    library.name(person_at(library, "1.jpg#2"), "Bob")
    library.hide("Bob")
    library.write_sidecars(suggested=True)
    assert b"Bob" not in (photos / "1.jpg.xmp").read_bytes()


def test_a_photo_whose_name_is_no_text_has_its_sidecar_and_copy(
    library: Library, photos: Path, tmp_path: Path
) -> None:
    library.name(person_at(library, "1.jpg#2"), "Bob")
    library.write_sidecars()
    library.write_copies(tmp_path / "copies")
    assert (photos / os.fsdecode(b"\xff.png.xmp")).is_file()
    assert (tmp_path / "copies" / os.fsdecode(b"\xff.png")).is_file()
    assert library.import_names().n_known == 7


def test_sidecars_follow_what_is_said_later(library: Library, photos: Path) -> None:
    library.name(person_at(library, "1.jpg#2"), "Bob")
    library.write_sidecars()
    (photos / "1.jpg.xmp").chmod(0o640)
    library.name("Ann", "Anna")
    library.reject("Anna", ["2.png#1"])  # which other programs know as Ann
    library.not_a_face(["1.jpg#2"])
    library.write_sidecars()
    (anna,) = read_packet((photos / "1.jpg.xmp").read_bytes()).regions
    assert anna.name == "Anna" and (photos / "1.jpg.xmp").stat().st_mode & 0o777 == 0o640
    assert read_packet((photos / "2.png.xmp").read_bytes()).regions == ()
    assert not any(name in (photos / "2.png.xmp").read_bytes() for name in (b">Ann<", b">Anna<"))


def test_what_was_only_unsaid_stays(library: Library, photos: Path) -> None:
    """Who wrote it cannot be known: the region may be another program's."""
    library.write_sidecars()
    before = snapshot(photos)
    library.undo()
    assert library.write_sidecars().written == [] and snapshot(photos) == before


def test_a_photo_with_a_sidecar_of_lightroom_keeps_that_one(library: Library, photos: Path) -> None:
    library.write_sidecars()
    (photos / "2.png.xmp").rename(photos / "2.xmp")
    library.name("Ann", "Anna")
    assert photos / "2.xmp" in library.write_sidecars().written
    assert not (photos / "2.png.xmp").exists()
    raw = (photos / "2.xmp").read_bytes()
    mark = b'xmlns:p="http://ns.adobe.com/photoshop/1.0/" p:SidecarForExtension="CR2" rdf:about=""'
    (photos / "2.xmp").write_bytes(raw.replace(b'rdf:about=""', mark, 1))  # that of a raw file of the name
    assert library.write_sidecars().written == [photos / "2.png.xmp"]


def test_a_linked_sidecar_is_neither_read_nor_written(library: Library, photos: Path, tmp_path: Path) -> None:
    library.write_sidecars()
    real = (photos / "2.png.xmp").rename(tmp_path / "elsewhere.xmp")
    (photos / "2.png.xmp").symlink_to(real)
    library.name("Ann", "Anna")
    result = library.write_sidecars()
    assert [s.reason for s in result.skipped] == [
        "2.png.xmp: cannot be read or written: a link, which is not followed"
    ]
    assert (photos / "2.png.xmp").is_symlink() and b"Anna" not in real.read_bytes()


def test_a_folder_of_sidecars_mirrors_that_of_the_photos(
    library: Library, photos: Path, tmp_path: Path
) -> None:
    library.write_sidecars()
    keep = b'rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="4"'
    beside = photos / "2.png.xmp"
    beside.write_bytes(beside.read_bytes().replace(b'rdf:about=""', keep, 1))
    before = snapshot(photos)
    result = library.write_sidecars(tmp_path / "out")
    assert result.written == [
        tmp_path / "out" / f"{n}.xmp" for n in ("1.jpg", "2.png", "sub/1.jpg", "sub/3.bmp")
    ]
    assert b'xmp:Rating="4"' in (tmp_path / "out" / "2.png.xmp").read_bytes()  # of the one beside the photo
    assert snapshot(photos) == before
    assert library.write_sidecars(tmp_path / "out").written == []


def test_regions_inside_a_photo_are_not_hidden_by_its_sidecar(library: Library, photos: Path) -> None:
    photo = photos / "2.png"
    stranger = Region("Stranger", (0.9, 0.9, 0.1, 0.1))
    from facespace.library.exchange.xmp import NamedFace, NamedPhoto, merge_packet

    packet = merge_packet(None, NamedPhoto((NamedFace((109.7, 84.5, 122.7, 94.5), "Stranger"),), (100, 130)))
    assert packet is not None
    photo.write_bytes(put_packet(photo.read_bytes(), packet))
    scanned(library, photos)
    library.write_sidecars()
    found = read_packet((photos / "2.png.xmp").read_bytes()).regions
    assert [r.name for r in found] == ["Stranger", "Ann"]
    assert found[0].area == pytest.approx(stranger.area, abs=0.01)


def test_regions_of_heic_are_of_the_picture_as_it_was_stored(tmp_path: Path) -> None:
    """Its decoder turns the picture; a JPEG of the same pixels and orientation gets the same regions."""
    pillow_heif = pytest.importorskip("pillow_heif", reason="needs the extra heif")
    pillow_heif.register_heif_opener()
    photos = tmp_path / "photos"
    draw_stored(photos / "a.jpg", "red", orientation=6)
    with Image.open(photos / "a.jpg") as image:
        exif = image.getexif().tobytes()
        image.save(photos / "b.heic", "HEIF", quality=95, exif=exif)
    with Library(tmp_path / "library") as library:
        scanned(library, photos)
        library.name(person_at(library, "b.heic#1"), "Ann")
        library.write_sidecars()
        jpeg, heic = (read_packet((photos / f"{name}.xmp").read_bytes()) for name in ("a.jpg", "b.heic"))
        assert jpeg.applied_wh == heic.applied_wh == (100, 130)
        assert heic.regions[0].area == pytest.approx(jpeg.regions[0].area, abs=0.02)
        assert library.import_names().n_known == 2


def test_what_stands_in_the_way_is_reported_and_the_rest_is_written(library: Library, photos: Path) -> None:
    (photos / "1.jpg.xmp").write_bytes(b"<x:xmpmeta")
    draw_stored(photos / "2.png", "red", "red")
    (photos / "sub" / "3.bmp").unlink()
    result = library.write_sidecars()
    assert result.written == [photos / "sub" / "1.jpg.xmp"]
    assert (photos / "1.jpg.xmp").read_bytes() == b"<x:xmpmeta"
    reasons = {s.photo: s.reason for s in result.skipped}
    assert "left as it is: expected an XMP packet" in reasons["1.jpg"]
    assert "changed since the last `facespace people`" in reasons["2.png"]
    assert reasons["sub/3.bmp"] == "cannot be read: no such file or directory"


def test_copies_hold_the_names_and_every_pixel(library: Library, photos: Path, tmp_path: Path) -> None:
    before = snapshot(photos)
    result = library.write_copies(tmp_path / "copies")
    copies = snapshot(tmp_path / "copies")
    assert set(copies) == {"1.jpg", "2.png", "sub/1.jpg", "sub/3.bmp", "sub/3.bmp.xmp"}
    assert [f.relative_to(tmp_path / "copies").as_posix() for f in result.written] == sorted(copies)
    assert [s.photo for s in result.skipped] == ["sub/3.bmp"] and "has a sidecar" in result.skipped[0].reason
    for name in ("1.jpg", "2.png", "sub/1.jpg"):
        packet = read_embedded(copies[name]).packet
        assert packet and put_packet(before[name], packet) == copies[name]
        assert [r.name for r in read_packet(packet).regions] == ["Ann"]
        with Image.open(photos / name) as a, Image.open(tmp_path / "copies" / name) as b:
            assert np.array_equal(np.asarray(a), np.asarray(b))
        assert (tmp_path / "copies" / name).stat().st_mtime_ns == (photos / name).stat().st_mtime_ns
    assert copies["sub/3.bmp"] == before["sub/3.bmp"] and snapshot(photos) == before
    again = library.write_copies(tmp_path / "copies")
    assert (again.written, again.n_unchanged) == ([], 4)


def test_copies_are_brought_up_to_date_and_other_files_left(library: Library, tmp_path: Path) -> None:
    to = tmp_path / "copies"
    library.write_copies(to)
    (to / "sub" / "1.jpg").write_bytes(b"another file")
    library.name("Ann", "Anna")
    result = library.write_copies(to)
    assert [f.name for f in result.written] == ["1.jpg", "2.png", "3.bmp.xmp"]
    assert "another file" in {s.photo: s.reason for s in result.skipped}["sub/1.jpg"]
    assert (to / "sub" / "1.jpg").read_bytes() == b"another file"
    assert b"Anna" in (to / "1.jpg").read_bytes() and b">Ann<" not in (to / "1.jpg").read_bytes()


def test_pictures_are_not_put_among_the_photos(library: Library, photos: Path) -> None:
    for write in (library.write_copies, library.sort_into_folders):
        with pytest.raises(InputError, match="outside"):
            write(photos / "new")
    assert not (photos / "new").exists()


def tree(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir())


def test_a_photo_goes_into_the_folder_of_everybody_on_it(library: Library, tmp_path: Path) -> None:
    library.name(person_at(library, "1.jpg#2"), "A/B: *")
    library.name(person_at(library, "sub/1.jpg#3"), "con")
    to = tmp_path / "people"
    result = library.sort_into_folders(to)
    found = tree(to)
    digits = next(name for name in found if name.startswith("Ann/1-"))[6:14]
    assert {name.replace(digits, "D").encode("utf-8", "surrogateescape") for name in found} == {
        b"Ann/1.jpg", b"Ann/1-D.jpg", b"Ann/2.png", b"Ann/3.bmp",
        b"A_B_ _/1.jpg", b"A_B_ _/1-D.jpg", b"A_B_ _/\xff.png", b"con_/1.jpg",
    }  # fmt: skip
    assert len(result.written) == 8
    again = library.sort_into_folders(to)
    assert (again.written, again.n_unchanged) == ([], 8) and tree(to) == found


@pytest.mark.parametrize("link", ["copy", "hard", "symbolic"])
def test_photos_are_copied_or_linked_and_never_twice(
    library: Library, photos: Path, tmp_path: Path, link: str
) -> None:
    to = tmp_path / "people"
    assert len(library.sort_into_folders(to, link=link, dry_run=True).written) == 4 and not to.exists()
    library.sort_into_folders(to, link=link)
    one = to / "Ann" / "2.png"
    assert one.read_bytes() == (photos / "2.png").read_bytes()
    assert one.is_symlink() == (link == "symbolic")
    assert one.samefile(photos / "2.png") == (link != "copy")
    for other in ("copy", "hard", "symbolic"):
        assert library.sort_into_folders(to, link=other).written == []


def test_pictures_of_one_size_and_time_are_told_apart(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for folder, people in (("a", "red"), ("b", "red blue")):
        draw_stored(photos / folder / "1.bmp", *people.split())
        os.utime(photos / folder / "1.bmp", ns=(0, 0))
    shorter = (photos / "a" / "1.bmp").read_bytes()
    longer = (photos / "b" / "1.bmp").read_bytes()
    (photos / "a" / "1.bmp").write_bytes(shorter + b"\0" * (len(longer) - len(shorter)))
    os.utime(photos / "a" / "1.bmp", ns=(0, 0))
    with Library(tmp_path / "library") as library:
        scanned(library, photos)
        library.name(person_at(library, "a/1.bmp#1"), "Ann")
        assert len(library.sort_into_folders(tmp_path / "people").written) == 2


def test_a_photo_that_is_a_link_goes_into_folders_as_what_it_leads_to(tmp_path: Path) -> None:
    draw_stored(tmp_path / "elsewhere.png", "red")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "1.png").symlink_to(Path("..") / "elsewhere.png")
    with Library(tmp_path / "library") as library:
        scanned(library, tmp_path / "photos")
        library.name(person_at(library, "1.png#1"), "Ann")
        for link in ("copy", "hard", "symbolic"):
            library.sort_into_folders(tmp_path / link, link=link)
            assert (tmp_path / link / "Ann" / "1.png").read_bytes() == (
                tmp_path / "elsewhere.png"
            ).read_bytes()


def test_what_stands_in_a_folder_is_never_overwritten(library: Library, tmp_path: Path) -> None:
    to = tmp_path / "people"
    (to / "Ann").mkdir(parents=True)
    (to / "Ann" / "2.png").write_bytes(b"mine")
    library.sort_into_folders(to)
    assert (to / "Ann" / "2.png").read_bytes() == b"mine"
    assert len([name for name in tree(to) if name.startswith("Ann/2-")]) == 1
    assert library.sort_into_folders(to).written == []


def test_persons_without_a_name_and_suggestions_are_sorted_on_request(
    library: Library, tmp_path: Path
) -> None:
    blue = person_at(library, "1.jpg#2")
    library.sort_into_folders(tmp_path / "a", unnamed=True, suggested=True)
    found = tree(tmp_path / "a")
    assert "Ann/new.png" in found and f"person {blue}/1.jpg" in found
    library.hide(blue)
    library.sort_into_folders(tmp_path / "b", unnamed=True)
    assert {name.split("/")[0] for name in tree(tmp_path / "b")} == {
        "Ann",
        f"person {person_at(library, 'sub/1.jpg#3')}",
    }


SAFE = [
    ("Ann Lee", "Ann Lee"), ("a/b\\c", "a_b_c"), ("..", "_"), (" . ", "_"), ("Dr. No.", "Dr. No"), ("NUL", "NUL_"),
    ("com1.txt", "com1.txt_"), (".hidden", ".hidden_"), ("e\u0301", "\u00e9"), ("李" * 100, "李" * 40),
    ("a\x00b\udcff", "a_b_"), ("Who?", "Who_"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "safe"), SAFE)
def test_names_of_folders_are_safe_everywhere(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_names_that_a_file_system_takes_for_one_stay_two(library: Library, tmp_path: Path) -> None:
    library.name(person_at(library, "1.jpg#1"), "A:")
    blue = person_at(library, "1.jpg#2")
    library.name(blue, "a?")
    library.sort_into_folders(tmp_path / "p")
    assert {name.split("/")[0] for name in tree(tmp_path / "p")} == {"A_", f"a_ ({blue})"}


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_the_command_does_it_all_at_once(library: Library, photos: Path, tmp_path: Path) -> None:
    where, out = library.folder, tmp_path / "out"
    library.close()
    wanted = (
        "library", "export", where, "-o", out / "f.csv", "-o", out / "p.json", "--xmp", "beside",
        "--xmp-copies", out / "copies", "--folders", out / "people", "--link", "hard",
    )  # fmt: skip
    dry = call(*wanted, "--dry-run")
    assert dry.exit_code == 0 and str(photos / "1.jpg.xmp") in dry.stdout and not out.exists()
    result = call(*wanted, "--json")
    assert result.exit_code == 0, result.output
    done = json.loads(result.stdout)
    assert [f["faces"] for f in done["files"]] == [9, 9]
    assert {k: len(done[k]["written"]) for k in ("xmp", "xmp_copies", "folders")} == {
        "xmp": 4, "xmp_copies": 5, "folders": 4,
    }  # fmt: skip
    assert "4 up to date" in call("library", "export", where, "--xmp", "beside").stdout
    assert call("library", "import-names", where, "--json").exit_code == 0
    shown = call("library", "import-names", where, "--dry-run").stdout
    assert "4 named regions: 0 faces would be confirmed, 4 already known" in shown


MISTAKES = [
    (["{library}"], "expected what to write"),
    (["{library}", "-o", "x.xlsx"], "ends in .csv or .json"),
    (["{library}", "--folders", "x", "--link", "soft"], "expected one of copy, hard, symbolic"),
    (["{library}", "--xmp", "beside", "--photos", "absent"], "expected the folder of the photos"),
    (["{empty}", "-o", "x.csv"], "expected a library, or a folder of photos that has one"),
]


@pytest.mark.parametrize(("arguments", "said"), MISTAKES)
def test_mistakes_are_one_line(library: Library, tmp_path: Path, arguments: list[str], said: str) -> None:
    (tmp_path / "empty").mkdir()
    places = {"library": library.folder, "empty": tmp_path / "empty"}
    result = call("library", "export", *[a.format(**places) for a in arguments])
    assert isinstance(result.exception, FacespaceError)
    assert said in str(result.exception) and "\n" not in str(result.exception)


def test_a_kill_leaves_whole_files(library: Library, photos: Path, tmp_path: Path) -> None:
    where = library.folder
    library.close()
    code = (
        "import sys; from pathlib import Path; from facespace.library import Library\n"
        "with Library(sys.argv[1]) as b:\n"
        "    for i in range(1000):\n"
        "        b.name('Ann' if i == 0 else f'Ann {i - 1}', f'Ann {i}'); b.write_copies(Path(sys.argv[2]))\n"
        "        print(i, flush=True)\n"
    )
    for pause in (0.0, 0.007, 0.019):
        to = tmp_path / f"copies {pause}"
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(where), str(to)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout and process.stdout.readline()
        time.sleep(pause)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        with Library(where) as opened:
            opened.name(person_at(opened, "1.jpg#1"), "Ann")
        for file in (p for p in to.rglob("*") if p.is_file() and not p.name.endswith(".partial")):
            if file.suffix == ".xmp":
                assert len(read_packet(file.read_bytes()).regions) == 1
                continue
            with Image.open(file) as a, Image.open(photos / file.relative_to(to)) as b:
                assert np.array_equal(np.asarray(a), np.asarray(b))
