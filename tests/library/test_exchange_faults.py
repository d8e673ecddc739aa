"""What stands in the way of exchange: it is named and counted, the rest comes through, and nobody gets a wrong name."""

import csv
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from drawn_album import STORED, draw_stored, names, person_at, scanned
from facespace.cli import app
from facespace.errors import InputError, WriteError
from facespace.gallery import Gallery
from facespace.library import Library
from facespace.library.exchange.embedded import put_packet
from facespace.library.exchange.folders import safe_name
from facespace.library.exchange.xmp import NamedFace, NamedPhoto, merge_packet, read_packet
from fakes import draw_photo
from hostile.mutate import peak_memory_bytes

LEFT, RIGHT = (20.0, 20.0, 80.0, 80.0), (110.0, 20.0, 170.0, 80.0)
SIZE_HW = (100, 220)


def packet(*named: tuple[str, tuple[float, float, float, float]], orientation: int = 1) -> bytes:
    made = merge_packet(
        None, NamedPhoto(tuple(NamedFace(box, name) for name, box in named), SIZE_HW, orientation)
    )
    assert made is not None
    return made


def rect64(box: tuple[float, float, float, float]) -> str:
    shares = (box[0] / 220, box[1] / 100, box[2] / 220, box[3] / 100)
    return "".join(f"{round(share * 65535):04x}" for share in shares).lstrip("0")


def faces(left: str = "", right: str = "") -> bytes:
    """The line of Picasa for the two drawn faces."""
    pairs = ((LEFT, left), (RIGHT, right))
    return ("faces=" + ";".join(f"rect64({rect64(box)}),{who}" for box, who in pairs if who) + "\n").encode()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Red and blue on four photos in three folders."""
    folder = tmp_path / "photos"
    for name in ("1.png", "2.png", "sub/3.png", "other/4.png"):
        draw_photo(folder / name, "red", "blue")
    return folder


@pytest.fixture
def library(tmp_path: Path, photos: Path) -> Iterator[Library]:
    with Library(tmp_path / "library") as opened:
        yield scanned(opened, photos)


# Names go to the wrong person.


@pytest.mark.parametrize("kind", ["tif", "jpg", "png", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_regions_of_pictures_stored_sideways_name_the_right_person(
    tmp_path: Path, kind: str, orientation: int
) -> None:
    """Two people side by side; the sidecar's regions are of the picture as it is stored."""
    photos = tmp_path / "photos"
    photo = draw_stored(photos / f"a.{kind}", "red", "blue", orientation=orientation)
    (photos / f"a.{kind}.xmp").write_bytes(packet(("Red", LEFT), ("Blue", RIGHT), orientation=orientation))
    with Library(tmp_path / "library") as library:
        scanned(library, photos)
        imported = library.import_names()
        assert (imported.n_confirmed, imported.unmatched, imported.skipped) == (2, (), ())
        assert names(library) == {f"a.{kind}#1": "Red", f"a.{kind}#2": "Blue"}
        library.write_sidecars(tmp_path / "out")
    before, after = (
        read_packet(p.read_bytes()) for p in (photos / f"a.{kind}.xmp", tmp_path / "out" / f"a.{kind}.xmp")
    )
    assert before.applied_wh == after.applied_wh == ((220, 100) if orientation < 5 else (100, 220))
    assert [r.name for r in after.regions] == ["Red", "Blue"]
    upright = draw_photo(tmp_path / "upright.png", "red", "blue")
    turn = STORED[orientation]
    with Image.open(upright) as image:
        stored = image.convert("RGB") if turn is None else image.convert("RGB").transpose(turn)
    for region, colour in zip(after.regions, ((220, 30, 30), (40, 50, 220)), strict=True):
        x, y = int(region.area[0] * stored.width), int(region.area[1] * stored.height)
        assert stored.getpixel((x, y)) == colour
    assert photo.is_file()


def test_a_size_of_an_earlier_version_is_not_trusted(library: Library, photos: Path) -> None:
    photo = draw_stored(photos / "5.tif", "red", "blue", orientation=6)
    scanned(library, photos)
    with library._catalogue.transaction():
        library._catalogue.execute(
            "UPDATE photos SET width = height, height = width, note = '' WHERE path = '5.tif'"
        )
    photo.with_name("5.tif.xmp").write_bytes(packet(("Red", LEFT), orientation=6))
    imported = library.import_names()
    assert imported.n_confirmed == 0 and [s.photo for s in imported.skipped] == ["5.tif"]
    scanned(library, photos)
    library.import_names()
    assert names(library) == {"5.tif#1": "Red"}


NAMES = [
    # bytes of the name, what it becomes, or None where it cannot be told
    (b"", None),
    ("Jörg".encode(), "Jörg"),
    (b"J\xf6rg", "Jörg"),
    (b"J\xf6rg M\xfcller", "Jörg Müller"),
    (b"Andr\xe9", "André"),
    (b"Bj\xf8rn", None),  # Björn's neighbours: the letter is another one in the Baltic countries
    (b"Fran\xe7ois", None),
    (b"\xc8\xe2\xe0\xed", None),  # Russian, or four accented vowels
    (b"\x8d\x9d", None),
    (b"J\xf6rg" * 300, None),
]


@pytest.mark.parametrize(("raw", "name"), NAMES)
def test_a_name_in_a_code_page_is_taken_only_where_it_is_certain(
    library: Library, photos: Path, raw: bytes, name: str | None
) -> None:
    (photos / ".picasa.ini").write_bytes(b"[Contacts2]\nab=" + raw + b";;\n[1.png]\n" + faces("ab"))
    imported = library.import_names()
    assert names(library) == ({"1.png#1": name} if name else {})
    assert len(imported.unmatched) == (0 if name else 1)
    assert all(one.photo == "1.png" and len(one.reason) < 500 for one in imported.unmatched)


def test_the_user_can_say_the_code_page(library: Library, photos: Path) -> None:
    (photos / ".picasa.ini").write_bytes(b"[Contacts2]\nab=Bj\xf8rn;;\n[1.png]\n" + faces("ab"))
    (left,) = library.import_names().unmatched
    assert "Bjørn" in left.reason and "--encoding" in left.reason
    for wrong in ("klingon", "hex"):
        with pytest.raises(InputError, match="expected a code page such as cp1252"):
            library.import_names(encoding=wrong)
    library.import_names(encoding="cp1252")
    assert names(library) == {"1.png#1": "Bjørn"}


def test_file_names_in_a_code_page_are_found(library: Library, photos: Path) -> None:
    draw_photo(photos / "Jörg.png", "red", "blue")
    draw_photo(photos / os.fsdecode(b"M\xfcller.png"), "red", "blue")
    scanned(library, photos)
    (photos / ".picasa.ini").write_bytes(
        b"[Contacts2]\nab=Ann\n[J\xf6rg.png]\n" + faces("ab") + b"[M\xfcller.png]\n" + faces("ab")
    )
    library.import_names()
    assert names(library) == {"Jörg.png#1": "Ann", os.fsdecode(b"M\xfcller.png#1"): "Ann"}


PICASA = {
    # Picasa's files by folder, who is found, what is said of whom is not
    "nothing": ({}, {}, []),
    "an older section": ({"": b"[Contacts]\nab=Ann;a@b\n[1.png]\n" + faces("ab")}, {"1.png#1": "Ann"}, []),
    "other capitals": (
        {"": b"[CONTACTS2]\nAB=Ann\n[1.PNG]\n" + faces("00Ab").replace(b"faces", b"Faces")},
        {"1.png#1": "Ann"},
        [],
    ),
    "UTF-16": (
        {"": ("[Contacts2]\nab=Zoë\n[1.png]\n" + faces("ab").decode()).encode("utf-16")},
        {"1.png#1": "Zoë"},
        [],
    ),
    "a mark": ({"": b"\xef\xbb\xbf[Contacts2]\nab=Ann\n[1.png]\n" + faces("ab")}, {"1.png#1": "Ann"}, []),
    "the parent's file": (
        {"": b"[Contacts2]\nab=Ann\n", "sub": b"[3.png]\n" + faces("ab")},
        {"sub/3.png#1": "Ann"},
        [],
    ),
    "a sibling's file": (
        {"other": b"[Contacts2]\nab=Ann\n", "sub": b"[3.png]\n" + faces("ab")},
        {"sub/3.png#1": "Ann"},
        [],
    ),
    "siblings that differ": (
        {
            "": b"[1.png]\n" + faces("ab"),
            "other": b"[Contacts2]\nab=Ann\n",
            "sub": b"[Contacts2]\nab=Bob\n[3.png]\n" + faces("ab"),
        },
        {"sub/3.png#1": "Bob"},
        [("1.png", "other folders call it Ann and Bob")],
    ),
    "an unknown contact": (
        {"": b"[1.png]\n" + faces("ab", "f" * 16)},
        {},
        [("1.png", "no file gives it a name")],
    ),
    "a photo that is not there": (
        {"": b"[Contacts2]\nab=Ann\n[9.png]\n" + faces("ab")},
        {},
        [("9.png", "no photo of the library has that name")],
    ),
    "a section twice": (
        {
            "": b"[Contacts2]\nab=Ann\ncd=Bob\n[1.png]\n"
            + faces("ab")
            + b"[2.png]\n[1.png]\n"
            + faces("", "cd")
        },
        {"1.png#1": "Ann", "1.png#2": "Bob"},
        [],
    ),
    "a broken face": (
        {"": b"[Contacts2]\nab=Ann\n[1.png]\nfaces=rect64(xyz),ab;" + faces("ab")[6:]},
        {"1.png#1": "Ann"},
        [],
    ),
}


@pytest.mark.parametrize(("files", "found", "left"), PICASA.values(), ids=PICASA)
def test_names_of_picasa_are_found_or_counted(
    library: Library,
    photos: Path,
    files: dict[str, bytes],
    found: dict[str, str],
    left: list[tuple[str, str]],
) -> None:
    for folder, content in files.items():
        (photos / folder / ".picasa.ini").write_bytes(content)
    imported = library.import_names()
    assert names(library) == found
    assert [(one.photo, one.reason.rpartition(": ")[2].split(";")[0]) for one in imported.unmatched] == left


def test_photos_that_differ_in_capitals_alone_are_not_mixed_up(library: Library, photos: Path) -> None:
    draw_photo(photos / "A.png", "red")
    draw_photo(photos / "a.png", "blue")
    if len({p.name for p in photos.glob("[aA].png")}) < 2:
        pytest.skip("this file system takes the two names for one")
    scanned(library, photos)
    contacts = b"[Contacts2]\nab=Ann\n"
    (photos / ".picasa.ini").write_bytes(contacts + b"[A.png]\n" + faces("ab"))
    library.import_names()
    assert names(library) == {"A.png#1": "Ann"}
    (photos / ".picasa.ini").write_bytes(contacts + b"[a.PNG]\n" + faces("ab"))
    (left,) = library.import_names().unmatched
    assert left.reason.endswith("2 photos have such a name")


def test_a_broken_face_of_picasa_is_named_by_its_line(library: Library, photos: Path) -> None:
    (photos / ".picasa.ini").write_bytes(b"[1.png]\n\nfaces=rect64(xyz),ab\n")
    (skipped,) = library.import_names().skipped
    assert skipped.photo == ".picasa.ini" and "line 3: expected rect64(DIGITS),CONTACT" in skipped.reason


def test_what_a_later_source_says_besides_is_counted(library: Library, photos: Path) -> None:
    (photos / "1.png.xmp").write_bytes(packet(("Ann", LEFT)))
    (photos / "1.xmp").write_bytes(packet(("ANN", LEFT), ("Zoe", RIGHT)))
    (photos / ".picasa.ini").write_bytes(b"[Contacts2]\nab=Pia\n[1.png]\n" + faces("ab", "cd"))
    imported = library.import_names()
    assert names(library) == {"1.png#1": "Ann"} and imported.n_regions == 1
    assert [(one.name, one.reason) for one in imported.unmatched[:2]] == [
        ("Zoe", "stands in 1.xmp; 1.png.xmp counts"),
        ("Pia", "stands in Picasa; 1.png.xmp counts"),
    ]
    assert len(imported.unmatched) == 2  # nobody's name is asked for where a face has one already


def test_names_in_the_second_part_of_a_packet_come_in(library: Library, photos: Path) -> None:
    photo = draw_stored(photos / "5.jpg", "red", "blue")
    name, extension = b"http://ns.adobe.com/xmp/extension/\0", packet(("Ann", LEFT))
    body = name + b"A" * 32 + len(extension).to_bytes(4, "big") + bytes(4) + extension
    content = put_packet(
        photo.read_bytes(),
        b'<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><!--' + b"A" * 32 + b"--></r:RDF>",
    )
    photo.write_bytes(content[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + content[2:])
    scanned(library, photos)
    library.import_names()
    assert names(library) == {"5.jpg#1": "Ann"}


@pytest.mark.parametrize("name", ["1.PNG.xmp", "1.png.XMP", "1.Xmp", "1.PNG.Xmp"])
def test_sidecars_in_other_capitals_are_found(library: Library, photos: Path, name: str) -> None:
    (photos / name).write_bytes(packet(("Ann", LEFT)))
    library.import_names()
    assert names(library) == {"1.png#1": "Ann"}
    library.name("Ann", "Anna")
    assert library.write_sidecars().written == [photos / name]


def test_a_sidecar_is_that_of_the_photo_that_is_spelt_like_it(library: Library, photos: Path) -> None:
    draw_photo(photos / "A.png", "red", "blue")
    draw_photo(photos / "a.png", "red", "blue")
    scanned(library, photos)
    (photos / "A.png.xmp").write_bytes(packet(("Ann", LEFT)))
    library.import_names()
    assert names(library) == {"A.png#1": "Ann"}


def test_names_in_sidecars_of_no_photo_are_counted(library: Library, photos: Path) -> None:
    (photos / "9.png.xmp").write_bytes(packet(("Ann", LEFT), ("", RIGHT)))
    (photos / "sub" / "film.mp4.xmp").write_bytes(b"<x/>")
    draw_photo(photos / "1.bmp", "red")
    scanned(library, photos)
    (photos / "1.xmp").write_bytes(packet(("Bob", LEFT)))  # of 1.png or of 1.bmp?
    imported = library.import_names()
    assert names(library) == {}
    assert [(one.photo, one.name) for one in imported.unmatched] == [("1.xmp", "Bob"), ("9.png.xmp", "Ann")]
    assert [one.photo for one in imported.skipped] == ["sub/film.mp4.xmp"]


# Writing.


@pytest.fixture
def named(library: Library) -> Library:
    library.name(person_at(library, "1.png#1"), "Ann")
    return library


def block(path: Path) -> None:
    """Nothing can be written below or at a place, whoever one is."""
    path.mkdir(parents=True)


@pytest.mark.parametrize("what", ["sidecars", "copies", "folders"])
def test_writing_goes_on_past_a_place_that_cannot_be_written(
    named: Library, photos: Path, tmp_path: Path, what: str
) -> None:
    to = tmp_path / "to"
    to.mkdir()
    if what == "sidecars":
        block(photos / "1.png.xmp")
        (to / "sub").write_bytes(b"a file where a folder is needed")
        results = [named.write_sidecars(), named.write_sidecars(to)]
        failed, written = [["1.png"], ["sub/3.png"]], [3, 3]
    elif what == "copies":
        (to / "sub").write_bytes(b"")
        results, failed, written = [named.write_copies(to)], [["sub/3.png"]], [3]
    else:
        (to / "Ann").write_bytes(b"")
        named.name(person_at(named, "1.png#2"), "Bob")
        results = [named.sort_into_folders(to)]
        failed, written = [["1.png", "2.png", "other/4.png", "sub/3.png"]], [0]
    assert [[s.photo for s in result.skipped] for result in results] == failed
    assert [len(result.written) for result in results] == written
    assert all(result.n_failed == len(result.skipped) for result in results)
    assert not list(tmp_path.rglob("*.partial"))


def test_names_that_get_too_long_by_a_suffix_are_named(
    library: Library, photos: Path, tmp_path: Path
) -> None:
    for length in (255, 252, 251, 240):
        draw_photo(photos / "long.png", "red").rename(photos / ("x" * (length - 4) + ".png"))
    scanned(library, photos)
    library.name(person_at(library, "1.png#1"), "Ann")
    result = library.write_sidecars()
    assert [len(p.name) for p in result.written] == [9, 9, 9, 9, 244, 255]
    assert [len(s.photo) for s in result.skipped] == [252, 255]
    assert all(s.reason.endswith("file name too long") for s in result.skipped)
    assert len(library.write_copies(tmp_path / "copies").written) == 8
    assert len(library.sort_into_folders(tmp_path / "people").written) == 8


def full(*_: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_a_full_disk_leaves_no_part_of_a_table(
    named: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    table = tmp_path / f"a{suffix}"
    table.write_text("old")
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(WriteError, match="No space left") as refused:
        named.export_people(table)
    assert "\n" not in str(refused.value)
    assert table.read_text() == "old" and not [p for p in tmp_path.iterdir() if p.suffix == ".partial"]


def test_a_full_disk_is_named_for_each_photo(
    named: Library, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "write_bytes", full)
    for result in (named.write_sidecars(), named.write_copies(tmp_path / "copies")):
        assert (result.written, result.n_failed) == ([], 4)
        assert result.skipped[0].reason.endswith("no space left on device")
    assert not list(tmp_path.rglob("*.partial")) and not list(photos.rglob("*.xmp"))


def test_the_command_ends_with_an_error_where_nothing_could_be_written(named: Library, photos: Path) -> None:
    where = named.folder
    named.close()
    for name in ("1.png", "2.png", "sub/3.png"):
        block(photos / f"{name}.xmp")
    done = CliRunner().invoke(app, ["library", "export", str(where), "--xmp", "beside"])
    assert done.exit_code == 0 and "1 files written, 0 up to date, 3 photos with notes" in done.output
    (photos / "other" / "4.png.xmp").unlink()
    block(photos / "other" / "4.png.xmp")
    done = CliRunner().invoke(app, ["library", "export", str(where), "--xmp", "beside"])
    assert done.exit_code != 0 and "none of 4 files could be written; 1.png: 1.png.xmp" in str(done.exception)


def test_exports_with_names_are_for_the_owner_alone(named: Library, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    table = tmp_path / "open.csv"
    table.touch(mode=0o644)
    before = os.umask(0)
    try:
        for file in (out / "a.csv", out / "a.json", table):
            named.export_people(file)
        named.write_sidecars()
        named.write_sidecars(out / "xmp" / "deep")
        named.write_copies(out / "copies")
        named.sort_into_folders(out / "people")
    finally:
        os.umask(before)
    for path in [table, *out.rglob("*"), *photos.rglob("*.xmp")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


# Links, pipes and devices beside photos.


@pytest.mark.parametrize("name", ["1.png.xmp", "1.xmp", ".picasa.ini"])
@pytest.mark.parametrize("kind", ["pipe", "link", "device", "folder", "large"])
def test_only_regular_files_of_a_bounded_size_are_read_beside_photos(
    named: Library, photos: Path, tmp_path: Path, name: str, kind: str
) -> None:
    place = photos / name
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "folder":
        place.mkdir()
    elif kind == "large":
        with place.open("wb") as file:
            file.truncate(10**12)
    else:
        (tmp_path / "elsewhere").write_bytes(packet(("Zoe", RIGHT)))
        place.symlink_to("/dev/zero" if kind == "device" else tmp_path / "elsewhere")
    (photos / "2.png.xmp").write_bytes(packet(("Bob", RIGHT)))
    imported = named.import_names()
    assert imported.n_confirmed == 1 and names(named)["2.png#2"] == "Bob"
    if kind == "folder" and name != "1.png.xmp":  # in the way of nothing
        return
    if kind != "folder":
        assert [s.photo for s in imported.skipped] == [".picasa.ini" if name == ".picasa.ini" else "1.png"]
    result = named.write_sidecars()
    assert [s.photo for s in result.skipped] == ([] if name == ".picasa.ini" else ["1.png"])
    assert os.path.lexists(place) and len(result.written) + result.n_unchanged == 4 - len(result.skipped)


def test_a_name_of_a_megabyte_costs_nothing(library: Library, photos: Path) -> None:
    long = "e\u0301\u0327" * 300_000
    (photos / ".picasa.ini").write_text(
        f"[Contacts2]\nab={long}\n[{long}]\n{faces('ab').decode()}[1.png]\n{faces('ab').decode()}"
        + "[" * 10**6
    )
    (photos / "2.png.xmp").write_bytes(packet((long, LEFT)))
    before = peak_memory_bytes()
    imported = library.import_names()
    assert peak_memory_bytes() - before < 200_000_000
    assert imported.n_confirmed == 0 and len(imported.unmatched) == 3
    assert all(len(one.name) <= 1_000 and len(one.reason) < 600 for one in imported.unmatched)


# Names as data.


@pytest.mark.parametrize("name", ["A\u202enn", "A\u200bnn", "An\x1b[31mn", "x" * 201, "12", "\u3164"])
def test_names_that_cannot_be_seen_or_are_too_long_do_not_come_in(
    library: Library, photos: Path, name: str
) -> None:
    (photos / "1.png.xmp").write_bytes(packet((name, LEFT), ("Bob", RIGHT)))
    (photos / ".picasa.ini").write_text(
        f"[Contacts2]\nab={name}\n[2.png]\n{faces('ab').decode()}", encoding="utf-8"
    )
    imported = library.import_names()
    expected = {"1.png#2": "Bob"}
    if "\x1b" in name:  # XML cannot hold it
        expected["1.png#1"] = "An[31mn"
    assert names(library) == expected
    assert len(imported.unmatched) == 3 - len(expected)
    for one in imported.unmatched:
        assert one.name.isprintable() and one.reason.isprintable()


def test_formulas_in_names_are_text_unless_asked_for(library: Library, tmp_path: Path, photos: Path) -> None:
    draw_photo(photos / "=1+1.png", "red")
    scanned(library, photos)
    library.name(person_at(library, "1.png#1"), '=HYPERLINK("x")')
    table = tmp_path / "a.csv"

    def cells(formulas: str) -> tuple[str, str]:
        library.export_people(table, formulas=formulas)
        with table.open(newline="") as file:
            row = next(row for row in csv.DictReader(file) if "=1+1" in row["photo"])
        return row["name"], row["photo"]

    assert cells("names") == ('\'=HYPERLINK("x")', "=1+1.png")
    assert cells("all") == ('\'=HYPERLINK("x")', "'=1+1.png")
    assert cells("keep") == ('=HYPERLINK("x")', "=1+1.png")
    with pytest.raises(InputError, match="expected one of names, all, keep"):
        cells("none")
    with Gallery(tmp_path / "g") as gallery, pytest.raises(InputError, match="expected one of names"):
        gallery.export(tmp_path / "g.csv", formulas="none")


@pytest.mark.parametrize("name", ["../../etc", "a/b", "a\\b", "..", "/", "~", "a\u202eb", "C:\\x", "con"])
def test_a_name_is_one_folder_in_the_folder_asked_for(name: str) -> None:
    safe = safe_name(name)
    assert safe not in ("", ".", "..") and not set(safe) & set("/\\\u202e:")
