"""XMP packets as several programs write them: read, and merged without loss."""

from pathlib import Path
from xml.dom import minidom

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facespace.errors import DataError
from facespace.library.exchange.regions import Region, box_of_area
from facespace.library.exchange.xmp import NamedFace, NamedPhoto, Packet, merge_packet, read_packet

NAMES = (
    'xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/" '
    'xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#" xmlns:stDim="http://ns.adobe.com/xap/1.0/sType/Dimensions#"'
)


def packet(body: str, attributes: str = "") -> bytes:
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" {NAMES} {attributes}>{body}</rdf:Description></rdf:RDF></x:xmpmeta>'
        '<?xpacket end="w"?>'
    ).encode()


def regions(*items: str, dimensions: str = 'stDim:w="200" stDim:h="100" stDim:unit="pixel"') -> str:
    return (
        f'<mwg-rs:Regions rdf:parseType="Resource"><mwg-rs:AppliedToDimensions {dimensions}/>'
        f"<mwg-rs:RegionList><rdf:Bag>{''.join(items)}</rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions>"
    )


# Structures as elements (exiftool), as attributes (Exiv2, digiKam), as inner descriptions (Adobe, Picasa).
ELEMENTS = (
    '<rdf:li rdf:parseType="Resource"><mwg-rs:Area rdf:parseType="Resource"><stArea:x>0.3</stArea:x>'
    "<stArea:y>0.4</stArea:y><stArea:w>0.2</stArea:w><stArea:h>0.1</stArea:h>"
    "<stArea:unit>normalized</stArea:unit></mwg-rs:Area><mwg-rs:Name>Ann</mwg-rs:Name>"
    "<mwg-rs:Type>Face</mwg-rs:Type></rdf:li>"
)
ATTRIBUTES = (
    '<rdf:li mwg-rs:Name="Ann" mwg-rs:Type="Face" rdf:parseType="Resource">'
    '<mwg-rs:Area stArea:x="0,3" stArea:y="0,4" stArea:w="0,2" stArea:h="0,1" stArea:unit="normalized"/></rdf:li>'
)
INNER = (
    '<rdf:li><rdf:Description mwg-rs:Rotation="0.00000" mwg-rs:Name="Ann" mwg-rs:Type="Face">'
    '<mwg-rs:Area stArea:h="0.1" stArea:w="0.2" stArea:x="0.3" stArea:y="0.4"/></rdf:Description></rdf:li>'
)
PIXELS = (
    '<rdf:li mwg-rs:Name="Ann" rdf:parseType="Resource"><mwg-rs:Area stArea:x="60" stArea:y="40" stArea:w="40" '
    'stArea:h="10" stArea:unit="pixel"/></rdf:li>'
)
PET = ELEMENTS.replace("Ann", "Rex").replace("Face", "Pet")
MICROSOFT = (
    '<MP:RegionInfo xmlns:MP="http://ns.microsoft.com/photo/1.2/" rdf:parseType="Resource">'
    '<MPRI:Regions xmlns:MPRI="http://ns.microsoft.com/photo/1.2/t/RegionInfo#"><rdf:Bag>'
    '<rdf:li xmlns:MPReg="http://ns.microsoft.com/photo/1.2/t/Region#" MPReg:PersonDisplayName="Ann" '
    'MPReg:Rectangle="0.2, 0.35, 0.2, 0.1"/></rdf:Bag></MPRI:Regions></MP:RegionInfo>'
)
ANN = Region("Ann", (0.3, 0.4, 0.2, 0.1))


@pytest.mark.parametrize(
    "item", [ELEMENTS, ATTRIBUTES, INNER, PIXELS], ids=["exiftool", "Exiv2", "Adobe", "pixels"]
)
def test_every_way_to_write_a_region_is_read(item: str) -> None:
    found = read_packet(packet(regions(item, PET)))
    assert found.applied_wh == (200, 100)
    assert [(r.name, pytest.approx(r.area)) for r in found.regions] == [("Ann", ANN.area)]


def test_regions_of_microsoft_are_read_where_there_are_no_others() -> None:
    (found,) = read_packet(packet(MICROSOFT)).regions
    assert (found.name, found.area) == ("Ann", pytest.approx(ANN.area))
    both = read_packet(packet(regions(ELEMENTS.replace("Ann", "Bea")) + MICROSOFT))
    assert [r.name for r in both.regions] == ["Bea"]


POOR = [
    ELEMENTS.replace("<stArea:w>0.2</stArea:w>", ""),
    ELEMENTS.replace("0.2", "wide"),
    ELEMENTS.replace("0.2", "nan"),
    ELEMENTS.replace("0.2", "-0.2"),
    PIXELS.replace("40", "0"),
]


@pytest.mark.parametrize("item", POOR)
def test_a_region_without_a_rectangle_is_none(item: str) -> None:
    assert read_packet(packet(regions(item))).regions == ()


def test_an_empty_packet_says_nothing() -> None:
    assert read_packet(packet("")) == Packet(())
    assert read_packet(
        packet("", 'xmlns:p="http://ns.adobe.com/photoshop/1.0/" p:SidecarForExtension="CR2"')
    ) == Packet((), None, "CR2")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no XML"),
        (b"<x:xmpmeta", "no XML"),
        (b"\xff\xfe\x00", "no XML"),
        (b"<a/>", "no RDF"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "document type"),
    ],
)
def test_what_cannot_be_parsed_is_refused_in_one_line(content: bytes, said: str) -> None:
    for use in (read_packet, lambda c: merge_packet(c, SAID)):
        with pytest.raises(DataError, match=said) as refused:
            use(content)
        assert "\n" not in str(refused.value)


# A picture of 200 x 100 with two faces; that of Ann is where ANN is.
BOX = (39.5, 34.5, 79.5, 44.5)
SAID = NamedPhoto((NamedFace(BOX, "Ann"), NamedFace((119.5, 9.5, 159.5, 49.5))), (100, 200))


def said(name: str | None, *rejected: str) -> NamedPhoto:
    return NamedPhoto((NamedFace(BOX, name, rejected), SAID.faces[1]), SAID.size_hw)


def test_a_new_packet_is_as_it_always_was() -> None:
    made = merge_packet(None, SAID, keywords=True)
    assert made is not None
    # Golden: what digiKam, Lightroom and exiftool were seen to read must not change by accident.
    assert made == (Path(__file__).parent / "packet.xmp").read_bytes()
    assert read_packet(made) == Packet((ANN,), (200, 100))
    assert merge_packet(made, SAID, keywords=True) is None


def test_nothing_to_say_makes_no_packet() -> None:
    assert merge_packet(None, said(None)) is None
    assert merge_packet(packet(regions(ELEMENTS)), said(None)) is None


OTHERS = (
    '<!-- by hand --><crs:Look xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/" rdf:parseType="Resource">'
    '<crs:Name>Velvet &amp; Co</crs:Name></crs:Look><dc:subject xmlns:dc="http://purl.org/dc/elements/1.1/"><rdf:Bag>'
    '<rdf:li>beach</rdf:li></rdf:Bag></dc:subject><darktable:history xmlns:darktable="http://darktable.sf.net/">'
    '<rdf:Seq><rdf:li darktable:num="0"/></rdf:Seq></darktable:history>'
)
LINES = 'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:ImageDescription="two&#10;lines&#9;&lt;&quot;é"'


def facts(content: bytes) -> set[str]:
    """Every element and attribute of a document, by its path and expanded name, whatever its prefix and order."""
    found = set()

    def walk(node: minidom.Node, path: str) -> None:
        here = f"{path}/{node.namespaceURI}:{node.localName}"
        texts = "".join(c.data for c in node.childNodes if c.nodeType in (3, 4)).strip()
        found.add(f"{here}={texts}")
        for a in node.attributes.values():
            if a.prefix != "xmlns" and a.name != "xmlns":
                found.add(f"{here}@{a.namespaceURI}:{a.localName}={a.value}")
        for child in node.childNodes:
            if child.nodeType == 1:
                walk(child, here)
            elif child.nodeType == 8:
                found.add(f"{here}<!--{child.data}-->")

    walk(minidom.parseString(content).documentElement, "")
    return found


@pytest.mark.parametrize("item", [ELEMENTS, ATTRIBUTES, INNER])
def test_what_others_wrote_stays(item: str) -> None:
    far_away = item.replace("0.3", "0.9").replace("0,3", "0,9").replace("Ann", "Stranger")
    before = packet(OTHERS + regions(PET, far_away), LINES)
    after = merge_packet(before, SAID, keywords=True)
    assert after is not None
    assert facts(before) <= facts(after)
    assert b"<!-- by hand -->" in after and b'"two&#10;lines&#9;&lt;&quot;\xc3\xa9"' in after
    assert after.count(b"xpacket") == 2
    assert [r.name for r in read_packet(after).regions] == ["Stranger", "Ann"]
    assert merge_packet(after, SAID, keywords=True) is None


@pytest.mark.parametrize("item", [ELEMENTS, ATTRIBUTES, INNER])
def test_a_region_takes_the_name_of_its_face_and_keeps_all_else(item: str) -> None:
    before = packet(regions(item) + MICROSOFT + persons("Ann", "Cat"))
    after = merge_packet(before, said("Anna Lee"))
    assert after is not None
    assert read_packet(after).regions == (Region("Anna Lee", pytest.approx(ANN.area)),)
    lost = {fact.rpartition("=")[2] for fact in facts(before) - facts(after)}
    assert lost == {"Ann"}
    assert b"<rdf:li>Cat</rdf:li>" in after and b"<rdf:li>Anna Lee</rdf:li>" in after
    assert after.count(b"Anna Lee") == 3 and after.count(b">Ann<") == 0


def persons(*names: str) -> str:
    items = "".join(f"<rdf:li>{name}</rdf:li>" for name in names)
    return (
        '<i:PersonInImage xmlns:i="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"><rdf:Bag>'
        f"{items}</rdf:Bag></i:PersonInImage>"
    )


def test_a_name_that_another_region_still_has_stays_in_the_list_of_people() -> None:
    twice = NamedPhoto((NamedFace(BOX, "Ann"), NamedFace(SAID.faces[1].box_xyxy, "Ann")), SAID.size_hw)
    one_is_bob = NamedPhoto((twice.faces[0], NamedFace(SAID.faces[1].box_xyxy, "Bob")), SAID.size_hw)
    after = merge_packet(merge_packet(None, twice), one_is_bob)
    assert after is not None
    assert [r.name for r in read_packet(after).regions] == ["Ann", "Bob"]
    assert after.count(b"<rdf:li>Ann</rdf:li>") == after.count(b"<rdf:li>Bob</rdf:li>") == 1


def test_the_same_name_in_other_letters_is_left() -> None:
    before = merge_packet(None, said("ANN"))
    assert merge_packet(before, said("Ann")) is None


def test_a_name_that_the_face_was_said_not_to_have_goes() -> None:
    before = merge_packet(None, SAID)
    assert before is not None
    assert merge_packet(before, said(None, "Bob")) is None
    after = merge_packet(before, said(None, "Ann"))
    assert after is not None and b"Ann" not in after
    assert read_packet(after).regions == ()


def test_a_region_in_which_no_face_lies_stays_whosever_it_is() -> None:
    before = merge_packet(None, SAID)
    elsewhere = NamedPhoto((NamedFace((99.5, 59.5, 119.5, 79.5), "Ann"),), SAID.size_hw)
    after = merge_packet(before, elsewhere)
    assert after is not None
    assert read_packet(after).regions == (ANN, Region("Ann", (0.55, 0.7, 0.1, 0.2)))
    assert after.count(b"<rdf:li>Ann</rdf:li>") == 1


def test_regions_of_the_upright_picture_are_joined_by_such() -> None:
    """A packet made by a program that ignores the orientation keeps one frame for all of its regions."""
    sideways = NamedPhoto(
        (NamedFace((9.5, 19.5, 29.5, 39.5), "Ann"), NamedFace((59.5, 9.5, 79.5, 29.5), "Bob")), (200, 100), 6
    )
    upright = NamedPhoto(sideways.faces[:1], (200, 100))
    before = merge_packet(None, upright)
    after = merge_packet(before, sideways)
    assert after is not None
    assert read_packet(after).regions == (
        Region("Ann", (0.2, 0.15, 0.2, 0.1)),
        Region("Bob", (0.7, 0.1, 0.2, 0.1)),
    )


@pytest.mark.parametrize("name", ["<&\"'>", "Ødegård 李小龍 🙂", "a\x00b\x0bc", "=cmd()"])
def test_any_name_comes_back(name: str) -> None:
    made = merge_packet(None, said(name))
    assert made is not None
    assert [r.name for r in read_packet(made).regions] == [name.replace("\x00", "").replace("\x0b", "")]


def test_a_prefix_that_means_something_else_is_declared_anew() -> None:
    before = packet(
        '<dc:x xmlns:dc="http://example.org/">y</dc:x>', 'xmlns:MP="http://example.org/MP" MP:a="b"'
    )
    after = merge_packet(before, SAID, keywords=True)
    assert after is not None and facts(before) <= facts(after)
    assert merge_packet(after, SAID, keywords=True) is None


CELLS = [(x, y) for x in range(3) for y in range(2)]
PEOPLE = st.sampled_from(["Ann", "Bob", "Cat", None])


def cell_box(cell: tuple[int, int]) -> tuple[float, float, float, float]:
    x, y = cell
    return (100.0 * x + 20, 100.0 * y + 10, 100.0 * x + 70, 100.0 * y + 80)


@given(
    st.lists(st.tuples(PEOPLE, PEOPLE), min_size=6, max_size=6),
    st.integers(1, 8),
    st.sets(st.sampled_from(range(6))),
    st.booleans(),
)
def test_after_a_merge_each_face_has_its_name_and_each_strange_region_its_own(
    told: list[tuple[str | None, str | None]], orientation: int, unseen: set[int], keywords: bool
) -> None:
    """One program names some faces of six, the library sees and names others: whatever the two say, it comes out."""
    boxes, size = [cell_box(cell) for cell in CELLS], (200, 300)
    theirs = tuple(NamedFace(box, name) for box, (name, _) in zip(boxes, told, strict=True))
    before = merge_packet(None, NamedPhoto(theirs, size, orientation))
    ours = tuple(NamedFace(boxes[i], told[i][1]) for i in range(6) if i not in unseen)
    photo = NamedPhoto(ours, size, orientation)
    after = merge_packet(before, photo, keywords=keywords) or before
    named = (
        {}
        if after is None
        else {boxes.index(_snapped(r, size, orientation)): r.name for r in read_packet(after).regions}
    )
    there = [i for i in range(6) if told[i][0]]
    here = [i for i in range(6) if i not in unseen and told[i][1]]
    for i in here:
        assert named[i] == told[i][1]
    for i in there:
        assert i in here or named[i] == told[i][0]
    assert set(named) == set(here) | set(there)
    assert merge_packet(after, photo, keywords=keywords) is None


def _snapped(region: Region, size: tuple[int, int], orientation: int) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = box_of_area(region.area, size, orientation)
    return (round(x0, 2), round(y0, 2), round(x1, 2), round(y1, 2))


HOSTILE = {
    "deep": b"<a>" * 900 + b"</a>" * 900,
    "deep in a packet": packet("<a>" * 900 + "</a>" * 900),
    "many elements": packet("<a/>" * 300_000),
    "many attributes": packet("", " ".join(f'a{i}=""' for i in range(450_000))),
    "large": packet("<a/>" * 15_000_000),
    "many regions": packet(regions(ELEMENTS * 5_001)),
    "entities in UTF-16": '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'.encode("utf-16"),
    "entities in attributes": b'<!DOCTYPE a [<!ENTITY b "'
    + b"c" * 10_000
    + b'">]><a b="'
    + b"&b;" * 10_000
    + b'"/>',
    "unknown encoding": b'<?xml version="1.0" encoding="martian"?><a/>',
    "external": b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_what_is_beyond_a_limit_is_refused_in_one_short_line(content: bytes) -> None:
    for use in (read_packet, lambda c: merge_packet(c, SAID)):
        with pytest.raises(DataError) as refused:
            use(content)
        assert "\n" not in str(refused.value) and len(str(refused.value)) < 300


def test_a_slash_in_a_name_makes_no_hierarchy_of_keywords() -> None:
    made = merge_packet(None, said("AC/DC|x\\y"), keywords=True)
    assert made is not None
    assert made.count(b">AC/DC|x\\y<") == 3  # both regions and PersonInImage
    assert made.count(b">AC_DC_x_y<") == 1 and made.count(b">People/AC_DC_x_y<") == 1
    assert merge_packet(made, said("AC/DC|x\\y"), keywords=True) is None
    after = merge_packet(made, said("Ann", "AC/DC|x\\y"), keywords=True)
    assert after is not None and b"AC" not in after and b">People/Ann<" in after
