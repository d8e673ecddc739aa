"""Hundreds of broken sidecars, Picasa files, packets in pictures and tables of labels: no traceback, little memory."""

import copy
import io
import random
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import pytest
from lxml import etree
from PIL import Image

from drawn_album import names, person_at, scanned
from facespace.errors import FacespaceError
from facespace.gallery import named_by_labels, read_labels
from facespace.library import Library
from facespace.library.exchange.embedded import put_packet, read_embedded
from facespace.library.exchange.picasa import Picasa, read_contacts
from facespace.library.exchange.xmp import NamedFace, NamedPhoto, merge_packet, read_packet
from facespace.spreadsheets import read_table
from fakes import draw_photo
from hostile.mutate import mutations, peak_memory_bytes

SAID = NamedPhoto(
    (NamedFace((20, 20, 80, 80), "Ann"), NamedFace((110, 20, 170, 80), None, ("Bob",))), (100, 220), 6
)
MAX_GROWTH_BYTES = 300_000_000
LONGEST_MESSAGE = 1_000


def packet(*people: str) -> bytes:
    boxes = ((20.0, 20.0, 80.0, 80.0), (110.0, 20.0, 170.0, 80.0))
    faces = tuple(NamedFace(box, name) for box, name in zip(boxes, people, strict=False))
    made = merge_packet(None, NamedPhoto(faces, (100, 220)), keywords=True)
    assert made is not None
    return made


PACKETS = [packet("Ann"), packet("Bob", "Zoë"), packet("Ann", "Bob").decode().encode("utf-16")]
XML_WORDS = [
    b"<rdf:li>", b"</rdf:li>", b"<rdf:Bag>", b"</rdf:Bag>", b'rdf:parseType="Resource"', b"mwg-rs:Name", b"stArea:x",
    b"stDim:w", b"rdf:Description", b"<![CDATA[", b"<!DOCTYPE a>", b"&amp;", b"&#x110000;", b'xmlns=""', b"0.300000",
    b"MPReg:Rectangle", b"<a>" * 300, b"<?xpacket?>",
]  # fmt: skip
PICASA = [
    b"[Contacts2]\r\n8e62b2035b74b477=J\xf6rg;;\r\nab=Ann;;\r\n[1.png]\r\nrotate=rotate(1)\r\n"
    b"faces=rect64(174c33335d16cccc),8e62b2035b74b477;rect64(8000333346ffcccc),ab\r\n[2.png]\r\nfaces=rect64(1),ab\r\n",
    "[encoding]\nutf8=1\n[Contacts2]\nab=李小龍\n[1.png]\nfaces=rect64(174c33335d16cccc),ab\n".encode(
        "utf-16"
    ),
]
PICASA_WORDS = [
    b"[1.png]",
    b"[Contacts2]",
    b"faces=",
    b"rect64(",
    b"),",
    b";",
    b"ffffffffffffffff",
    b"]",
    b"[",
    b"0" * 300,
]
CONTACTS = [
    b'<contacts><contact id="ab" name="Ann"/><contact id="8e62b2035b74b477" name="Bob &amp; Co"/></contacts>'
]
LABELS = [
    b"photo,person\n1.png,Ann\n2.png,\"Lee, Bob\"\n", b"\xef\xbb\xbfPhoto;Person\r\n1.png;Ann\r\n2.png;Zo\xc3\xab\r\n",
    "photo\tperson\n1.png\tAnn\n".encode("utf-16"),
]  # fmt: skip
LABEL_WORDS = [
    b"photo",
    b"person",
    b'"',
    b'""',
    b",",
    b";",
    b"\t",
    b"sep=;\n",
    b"\r",
    b"1.png",
    b"../../etc/passwd",
]


def refused_in_one_line(call: Callable[[], object]) -> bool:
    """Whether a call raises an error for people; any other one is a fault."""
    try:
        call()
    except FacespaceError as error:
        message = str(error)
    else:
        message = ""
    assert "\n" not in message and len(message) < LONGEST_MESSAGE
    return bool(message)


@pytest.fixture
def memory() -> object:
    """No test may need more than so much memory."""
    before = peak_memory_bytes()
    yield
    assert peak_memory_bytes() - before < MAX_GROWTH_BYTES


def other_trees(n: int, *, seed: int) -> Iterator[bytes]:
    """Packets that are XML, with elements left out, doubled, moved, renamed and filled with other text."""
    chance = random.Random(seed)
    texts = [
        "",
        "nan",
        "1e9",
        "-1",
        "1e-320",
        "0,3",
        "x" * 900,
        "A\u202enn",
        "Ann",
        "Bob",
        "0.1, 0.2, 0.3, 0.4",
        "]]>",
    ]
    for _ in range(n):
        root = etree.fromstring(chance.choice(PACKETS))
        for _ in range(chance.randint(1, 5)):
            elements = [element for element in root.iter("*") if element.getparent() is not None]
            if not elements:
                break
            one, other = chance.choice(elements), chance.choice(elements)
            match chance.randrange(5):
                case 0:
                    one.getparent().remove(one)
                case 1:
                    other.extend([copy.deepcopy(one) for _ in range(chance.choice((1, 3)))])
                case 2:
                    one.tag = other.tag
                case 3:
                    one.text = chance.choice(texts)
                case _:
                    one.set(other.tag, chance.choice(texts))
        yield etree.tostring(root)


def test_broken_packets_are_refused_or_merged(memory: object) -> None:
    n_refused = 0
    broken = mutations(PACKETS, 500, seed=1, words=XML_WORDS)
    for content in chain(broken, other_trees(400, seed=8)):
        n_refused += refused_in_one_line(lambda c=content: read_packet(c))
        try:
            merged = merge_packet(content, SAID, keywords=True)
        except FacespaceError:
            continue
        if merged is not None:  # what comes out can be read, and says the name
            assert "Ann" in [region.name for region in read_packet(merged).regions]
            merge_packet(merged, SAID, keywords=True)
    assert 400 < n_refused < 600


def pictures() -> list[bytes]:
    made = []
    for form in ("JPEG", "PNG", "WEBP"):
        content = io.BytesIO()
        Image.new("RGB", (30, 20), "red").save(content, form)
        made += [content.getvalue(), put_packet(content.getvalue(), PACKETS[0])]
    return made


def test_packets_in_broken_pictures_are_read_or_not(memory: object) -> None:
    words = [b"\xff\xe1", b"\xff\xda", b"iTXt", b"IDAT", b"XMP ", b"VP8X", b"http://ns.adobe.com/xap/1.0/\0"]
    for content in mutations(pictures(), 600, seed=2, words=words):
        refused_in_one_line(lambda c=content: read_embedded(c))
        refused_in_one_line(lambda c=content: put_packet(c, PACKETS[0]))


def test_broken_tables_of_labels_are_read_or_refused(tmp_path: Path, memory: object) -> None:
    (tmp_path / "1.png").touch()
    table, n_read = tmp_path / "labels.csv", 0
    for content in mutations(LABELS, 500, seed=3, words=LABEL_WORDS):
        table.write_bytes(content)
        refused_in_one_line(lambda: read_table(table))
        refused_in_one_line(lambda: named_by_labels([tmp_path], table))
        reports: list[str] = []
        refused_in_one_line(lambda r=reports: named_by_labels([tmp_path], table, on_broken=r.append))
        assert all(len(report) < LONGEST_MESSAGE for report in reports)
        n_read += not refused_in_one_line(lambda r=reports: read_labels(table, on_broken=r.append))
    assert n_read > 100


def test_broken_files_of_picasa_are_read(tmp_path: Path, memory: object) -> None:
    place, contacts = tmp_path / ".picasa.ini", tmp_path / "contacts.xml"
    for content, more in zip(
        mutations(PICASA, 400, seed=4, words=PICASA_WORDS), mutations(CONTACTS, 400, seed=5), strict=True
    ):
        place.write_bytes(content)
        contacts.write_bytes(more)
        refused_in_one_line(lambda: read_contacts(contacts))
        found = Picasa(tmp_path, [".picasa.ini"], ["1.png", "2.png"], {"ab": "Ann"})
        for region in (*found.regions("1.png"), *found.regions("2.png")):
            assert all(abs(value) <= 1 for value in region.area)
            assert region.problem is None or len(region.problem) < LONGEST_MESSAGE


def test_broken_files_beside_photos_end_no_import_and_no_export(tmp_path: Path, memory: object) -> None:
    """A library of two photos, and beside them what other programs may have left."""
    photos = tmp_path / "photos"
    for name in ("1.png", "2.png"):
        draw_photo(photos / name, "red", "blue")
    sidecars = mutations(PACKETS, 60, seed=6, words=XML_WORDS)
    inis = mutations(PICASA, 60, seed=7, words=PICASA_WORDS)
    with Library(tmp_path / "library") as library:
        scanned(library, photos)
        library.name(person_at(library, "2.png#1"), "Ann")
        for sidecar, ini in zip(sidecars, inis, strict=True):
            (photos / "1.png.xmp").write_bytes(sidecar)
            (photos / ".picasa.ini").write_bytes(ini)
            imported = library.import_names()
            result = library.write_sidecars(tmp_path / "out")
            assert not [s for s in result.skipped if s.photo == "2.png"]
            assert names(library)["2.png#1"] == "Ann"
            if imported.entry:
                library.undo()
