"""Names that other programs gave: matched to faces, said in one entry, and never against what was said here."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from drawn_album import draw_stored, names, person_at, scanned
from facespace.errors import DataError, LibraryError
from facespace.library import LeftAlone, Library, Skipped
from facespace.library.exchange.embedded import put_packet
from facespace.library.exchange.picasa import Picasa
from facespace.library.exchange.xmp import NamedFace, NamedPhoto, merge_packet
from fakes import SPEC
from inside import sql

# The drawn faces of two people, in a picture of 220 x 100 (fakes.draw_photo).
LEFT, RIGHT, NOWHERE = (20.0, 20.0, 80.0, 80.0), (110.0, 20.0, 170.0, 80.0), (185.0, 1.0, 199.0, 15.0)
SIZE_HW = (100, 220)


def packet(*named: tuple[str, tuple[float, float, float, float]], orientation: int = 1) -> bytes:
    faces = tuple(NamedFace(box, name) for name, box in named)
    made = merge_packet(None, NamedPhoto(faces, SIZE_HW, orientation))
    assert made is not None
    return made


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Red and blue on four photos, one of them stored sideways."""
    folder = tmp_path / "photos"
    for name, orientation in (("1.jpg", 1), ("2.png", 1), ("3.jpg", 6), ("sub/4.png", 1)):
        draw_stored(folder / name, "red", "blue", orientation=orientation)
    return folder


@pytest.fixture
def library(tmp_path: Path, photos: Path) -> Iterator[Library]:
    with Library(tmp_path / "library") as opened:
        yield scanned(opened, photos)


def test_nothing_to_import_changes_nothing(library: Library, tmp_path: Path) -> None:
    imported = library.import_names()
    assert (imported.entry, imported.n_regions, imported.skipped) == (None, 0, ())
    with Library(tmp_path / "new") as new, pytest.raises(LibraryError, match="where the photos are"):
        new.import_names()
    with pytest.raises(LibraryError, match="expected the folder of the photos"):
        library.import_names(photos=tmp_path / "absent")


def test_names_come_in_from_everywhere_and_one_undo_takes_them_back(library: Library, photos: Path) -> None:
    (photos / "1.jpg.xmp").write_bytes(packet(("Ann", LEFT), ("Bob", RIGHT)))
    (photos / "2.xmp").write_bytes(packet(("ann", LEFT)))  # Lightroom's way, other capitals
    (photos / "3.jpg.xmp").write_bytes(packet(("Ann", LEFT), ("", RIGHT), orientation=6))
    (photos / "sub" / ".picasa.ini").write_text(
        "[Contacts2]\n8e62b2035b74b477=Bob;;\n[4.png]\nrotate=rotate(1)\n"
        f"faces=rect64({rect64(RIGHT)}),8e62b2035b74b477;rect64({rect64(LEFT)}),ffffffffffffffff\n"
    )
    before = groups(library)
    dry = library.import_names(dry_run=True)
    assert library.history() == [] and groups(library) == before
    imported = library.import_names()
    assert imported.entry and imported.entry.what == "import 5 names from other programs"
    assert (imported.n_regions, imported.n_confirmed, imported.n_known) == (5, 5, 0)
    assert (dry.n_regions, dry.n_confirmed, dry.entry) == (5, 5, None)
    assert names(library) == {
        "1.jpg#1": "Ann", "1.jpg#2": "Bob", "2.png#1": "Ann", "3.jpg#1": "Ann", "sub/4.png#2": "Bob",
    }  # fmt: skip
    again = library.import_names()
    assert (again.entry, again.n_confirmed, again.n_known) == (None, 0, 5)
    library.undo()
    assert names(library) == {} and groups(library) == before


def groups(library: Library) -> set[frozenset[str]]:
    return {frozenset(f.address for f in p.faces) for p in library.group(SPEC).people}


def rect64(box: tuple[float, float, float, float]) -> str:
    shares = (box[0] / 220, box[1] / 100, box[2] / 220, box[3] / 100)
    return "".join(f"{round(share * 65535):04x}" for share in shares).lstrip("0")


def test_the_others_of_a_group_are_suggested_for_the_name(library: Library, photos: Path) -> None:
    (photos / "1.jpg.xmp").write_bytes(packet(("Ann", LEFT)))
    library.import_names()
    (ann,) = [p for p in library.group(SPEC).people if p.name == "Ann"]
    assert {f.address: f.confirmed for f in ann.faces} == {
        "1.jpg#1": True, "2.png#1": False, "3.jpg#1": False, "sub/4.png#1": False,
    }  # fmt: skip


def test_a_name_inside_a_photo_comes_in(library: Library, photos: Path) -> None:
    photo = photos / "2.png"
    photo.write_bytes(put_packet(photo.read_bytes(), packet(("Ann", LEFT))))
    stale = library.import_names()
    assert stale.skipped == (Skipped("2.png", "changed since the last `facespace people`; run that first"),)
    scanned(library, photos)
    assert library.import_names().n_confirmed == 1 and names(library) == {"2.png#1": "Ann"}


def test_the_nearest_source_counts(library: Library, photos: Path) -> None:
    (photos / "1.jpg.xmp").write_bytes(packet(("Ann", LEFT)))
    (photos / "1.xmp").write_bytes(packet(("Zoe", LEFT)))
    nameless = packet(("X", LEFT)).replace(b">X<", b"><")  # the next one is asked
    (photos / "2.png.xmp").write_bytes(nameless)
    (photos / ".picasa.ini").write_text(f"[2.png]\nfaces=rect64({rect64(LEFT)}),ab\n[Contacts2]\nab=Pia\n")
    library.import_names()
    assert names(library) == {"1.jpg#1": "Ann", "2.png#1": "Pia"}


def test_a_sidecar_that_two_photos_could_claim_is_nobodys(library: Library, photos: Path) -> None:
    draw_stored(photos / "1.png", "red", "blue")
    scanned(library, photos)
    sidecar = photos / "1.xmp"
    sidecar.write_bytes(packet(("Ann", LEFT)))
    assert library.import_names().n_regions == 0
    mark = b'xmlns:p="http://ns.adobe.com/photoshop/1.0/" p:SidecarForExtension="PNG" rdf:about=""'
    sidecar.write_bytes(packet(("Ann", LEFT)).replace(b'rdf:about=""', mark, 1))
    library.import_names()
    assert names(library) == {"1.png#1": "Ann"}


def test_regions_without_a_face_are_listed(library: Library, photos: Path) -> None:
    (photos / "1.jpg.xmp").write_bytes(
        packet(("Ann", NOWHERE), ("12", LEFT), ("Bob", RIGHT), ("Bob 2", RIGHT))
    )
    imported = library.import_names()
    assert imported.n_regions == 4 and imported.n_confirmed == 1
    assert [(u.name, u.reason.split(",")[0]) for u in imported.unmatched] == [
        ("Ann", "no face was found there"),
        ("12", "name: expected a name with a letter in it"),
        ("Bob 2", "no face was found there"),  # its face is Bob's already
    ]


def test_what_cannot_be_parsed_is_reported_and_the_rest_comes_in(library: Library, photos: Path) -> None:
    (photos / "1.jpg.xmp").write_bytes(b"<x:xmpmeta")
    (photos / "2.png.xmp").write_bytes(packet(("Ann", LEFT)))
    imported = library.import_names()
    assert imported.n_confirmed == 1
    (skipped,) = imported.skipped
    assert skipped.photo == "1.jpg" and "1.jpg.xmp: expected an XMP packet" in skipped.reason
    assert "\n" not in skipped.reason


def test_what_was_said_here_wins(library: Library, photos: Path) -> None:
    library.confirm(person_at(library, "1.jpg#1"), ["1.jpg#1", "2.png#1"])
    library.name(person_at(library, "1.jpg#1"), "Ann")
    library.reject("Ann", ["3.jpg#2"])
    library.not_a_face(["1.jpg#2"])
    before = list(sql(library).iterdump())
    for photo in ("1.jpg", "2.png"):
        named = packet(("Zoe", LEFT), ("Bob", RIGHT)) if photo == "1.jpg" else packet(("ANN", LEFT))
        (photos / f"{photo}.xmp").write_bytes(named)
    (photos / "3.jpg.xmp").write_bytes(packet(("Ann", RIGHT), orientation=6))
    imported = library.import_names()
    assert (imported.n_regions, imported.n_confirmed, imported.n_known) == (4, 0, 1)
    assert imported.contradictions == (
        LeftAlone("1.jpg", "Zoe", f"here it is Ann: {said(library, 'confirm')}"),
        LeftAlone("1.jpg", "Bob", f"it was marked as no face: {said(library, 'not-a-face')}"),
        LeftAlone("3.jpg", "Ann", f"it was rejected: {said(library, 'reject')}"),
    )
    assert imported.entry is None and list(sql(library).iterdump()) == before


def said(library: Library, action: str) -> str:
    entry = next(e for e in library.history() if e.action == action)
    return f"entry {entry.entry_id} ({entry.what})"


def test_a_settled_person_without_a_name_gets_it(library: Library, photos: Path) -> None:
    red, blue = person_at(library, "1.jpg#1"), person_at(library, "1.jpg#2")
    library.apart(red, blue)
    (photos / "1.jpg.xmp").write_bytes(packet(("Ann", LEFT), ("Ann", RIGHT)))
    imported = library.import_names()
    assert imported.n_confirmed == 1 and set(names(library).values()) == {"Ann"}
    (left,) = imported.contradictions  # one name for two who were told apart
    assert left.reason.startswith(f"here it is person {blue}: entry 1 (")
    assert [p.person for p in library.group(SPEC).people if p.name] == [red]


def test_a_forgotten_face_is_not_learnt_again(library: Library, photos: Path) -> None:
    library.name(person_at(library, "1.jpg#1"), "Ann")
    library.forget("Ann")
    (photos / "1.jpg.xmp").write_bytes(packet(("Ann", LEFT)))
    imported = library.import_names()
    assert imported.entry is None and [u.name for u in imported.unmatched] == ["Ann"]
    assert all("Ann" not in line for line in sql(library).iterdump())


def test_names_that_look_equal_are_one(library: Library, photos: Path) -> None:
    (photos / "1.jpg.xmp").write_bytes(packet(("Zo\u00eb  Li", LEFT)))
    (photos / "2.png.xmp").write_bytes(packet(("zoe\u0308 li", LEFT)))
    library.import_names()
    assert names(library) == {"1.jpg#1": "Zo\u00eb Li", "2.png#1": "Zo\u00eb Li"}


def test_picasas_contacts_name_those_its_folders_do_not(
    library: Library, photos: Path, tmp_path: Path
) -> None:
    (photos / ".picasa.ini").write_text(
        f"[1.jpg]\nfaces=rect64({rect64(LEFT)}),00ab12;rect64(1),\n[2.png]\nfaces=\n"
    )
    assert library.import_names().n_regions == 0
    contacts = tmp_path / "contacts.xml"
    contacts.write_text('<contacts><contact id="ab12" name="Ann &amp; Co"/><contact id="3"/></contacts>')
    library.import_names(contacts=contacts)
    assert names(library) == {"1.jpg#1": "Ann & Co"}
    contacts.write_text("<contacts>")
    with pytest.raises(DataError, match="of Picasa"):
        library.import_names(contacts=contacts)


def test_rectangles_of_picasa_have_leading_zeros_left_out(tmp_path: Path) -> None:
    (tmp_path / "Picasa.ini").write_text("[a.jpg]\nfaces=rect64(3f845bcb59418507),1;rect64(8000ffffffff),2\n")
    first, second = Picasa(tmp_path, ["Picasa.ini"], ["a.jpg"], {"1": "Ann", "2": "Bob"}).regions("a.jpg")
    assert (first.name, second.name) == ("Ann", "Bob")
    corners = (0x3F84 / 65535, 0x5BCB / 65535, 0x5941 / 65535, 0x8507 / 65535)
    x, y, w, h = first.area
    assert (x - w / 2, y - h / 2, x + w / 2, y + h / 2) == pytest.approx(corners)
    assert second.area == pytest.approx((0.5, 0x8000 / 65535 / 2 + 0.5, 1.0, 1 - 0x8000 / 65535))
