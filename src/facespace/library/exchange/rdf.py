"""The XML of an XMP packet: read into a tree with limits, changed in places, written again with all else as it was.

XMP Specification Part 1 (ISO 16684-1), section 7: RDF in which a property is an element or an attribute, a structure is
`parseType="Resource"`, an inner `rdf:Description` or attributes, and an array is a Bag, Seq or Alt of `rdf:li`.
"""

import codecs
import re
from collections.abc import Iterator

from lxml import etree

from facespace.errors import DataError

Element = etree._Element

# What the packets of raw developers with hundreds of masks do not reach; lxml stops at a depth of 256 by itself.
MAX_BYTES = 16 * 2**20
MAX_TAGS = 200_000
MAX_ATTRIBUTES = 400_000
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
NO_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
PARSE_TYPE = f"{{{RDF}}}parseType"
NAMESPACES = {
    "rdf": RDF,
    "mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions/",
    "stArea": "http://ns.adobe.com/xmp/sType/Area#",
    "stDim": "http://ns.adobe.com/xap/1.0/sType/Dimensions#",
    "MP": "http://ns.microsoft.com/photo/1.2/",
    "MPRI": "http://ns.microsoft.com/photo/1.2/t/RegionInfo#",
    "MPReg": "http://ns.microsoft.com/photo/1.2/t/Region#",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "digiKam": "http://www.digikam.org/ns/1.0/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
}
# Prefixes that are declared together where the first is used.
TOGETHER = {"mwg-rs": ("mwg-rs", "stDim", "stArea"), "MP": ("MP", "MPRI", "MPReg")}
EMPTY = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="facespace">\n <rdf:RDF xmlns:rdf="' + RDF + '">\n'
    ' </rdf:RDF>\n</x:xmpmeta>\n<?xpacket end="w"?>'
)


def make_packet() -> Element:
    """The root of a packet that says nothing."""
    return parse_packet(EMPTY.encode())


def parse_packet(content: bytes) -> Element:
    """The root of a packet's tree.

    Raises:
        DataError: it is no XML or no RDF, beyond a limit, or declares a document type, which XMP never does.
    """
    root = parse_xml(content, "an XMP packet")
    if _rdf(root) is None:
        raise DataError("expected an XMP packet, it holds no RDF")
    return root


def parse_xml(content: bytes, what: str) -> Element:
    """The root of any XML from elsewhere: nothing is fetched, no entity expanded, no limit passed.

    Args:
        content: all of it.
        what: named in errors.

    Raises:
        DataError: it is no XML, beyond a limit, or declares a document type.
    """
    if len(content) > MAX_BYTES:
        raise DataError(
            f"expected {what} of {MAX_BYTES / 2**20:g} MB at most, it has {len(content) / 2**20:.0f}"
        )
    if content.count(b"<") > MAX_TAGS or content.count(b"=") > MAX_ATTRIBUTES:
        raise DataError(
            f"expected {what}, it has more than {MAX_TAGS:,} tags or {MAX_ATTRIBUTES:,} attributes"
        )
    if not content.startswith(UTF16):
        content = content.strip(b"\0 \t\r\n")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, strip_cdata=False)
    try:
        # In UTF-16 and UTF-32 there are zeros between the letters.
        has_type = b"<!DOCTYPE" in content.replace(b"\0", b"")
        root = None if has_type else etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError, LookupError) as error:
        reason = str(error).partition("\n")[0][:200]
        raise DataError(f"expected {what}, it is no XML: {reason}") from error
    if root is None or root.getroottree().docinfo.internalDTD is not None:
        raise DataError(f"expected {what}, it declares a document type")
    return root


def packet_bytes(root: Element, like: bytes | None) -> bytes:
    """A packet as UTF-8.

    Args:
        root: of the tree.
        like: the packet that it was read from, which began with an XML declaration or not; None for a new one, which
            gets lines for people to read.
    """
    if like is None:
        etree.indent(root, " ")
    nodes = [*reversed(list(root.itersiblings(preceding=True))), root, *root.itersiblings()]
    lines = [etree.tostring(node, encoding="UTF-8", with_tail=False) for node in nodes]
    if like is not None and b"<?xml " in like[:50].replace(b"\0", b""):
        lines.insert(0, b'<?xml version="1.0" encoding="UTF-8"?>')
    return b"\n".join((*lines, b""))


def properties(root: Element, name: str) -> list[Element]:
    """The elements of a property such as "mwg-rs:Regions"; a valid packet has one at most."""
    return [element for top in _descriptions(root) for element in top.iterchildren(_expanded(name))]


def simple(root: Element, name: str) -> str | None:
    """The text of a property without structure, an element or an attribute."""
    for top in _descriptions(root):
        if (text := top.get(_expanded(name))) is not None:
            return text
    found = properties(root, name)
    return text_of(found[0]) if found else None


def field(element: Element, local: str) -> Element | None:
    """An element among the fields of a structure, by its local name: there are writers with a wrong namespace."""
    children = _inside(element).iterchildren("*")
    return next((child for child in children if etree.QName(child).localname == local), None)


def field_text(element: Element, local: str) -> str:
    """The text of a field, an element or an attribute; empty where there is none."""
    found = field(element, local)
    if found is not None:
        return text_of(found)
    key = _attribute(element, local)
    return "" if key is None else _inside(element).get(key, "")


def put_field(element: Element, name: str, text: str) -> None:
    """Write a simple field such as "mwg-rs:Name", in place where it is there."""
    local = name.partition(":")[2]
    found, key = field(element, local), _attribute(element, local)
    if found is not None:
        for child in list(found):
            found.remove(child)
        found.text = _clean(text)
    elif key is not None:
        _inside(element).set(key, _clean(text))
    else:
        add(element, name, text)


def items(element: Element) -> list[Element]:
    """The `rdf:li` of an array."""
    return [li for listed in element.iterchildren("*") for li in listed.iterchildren(f"{{{RDF}}}li")]


def text_of(element: Element) -> str:
    """The text of a simple value."""
    return "".join([element.text or "", *(child.tail or "" for child in element)]).strip()


def add(parent: Element, name: str, text: str | None = None, *, structure: bool = False) -> Element:
    """A new last child or field, such as "mwg-rs:Name".

    Args:
        parent: an array, or a structure in any of its forms.
        name: with its usual prefix, which is declared if it is not.
        text: of a simple value.
        structure: it holds fields.
    """
    prefix = name.partition(":")[0]
    uri = NAMESPACES[prefix]
    declared = None if uri in parent.nsmap.values() else {prefix: uri}
    element = etree.SubElement(_inside(parent), _expanded(name), nsmap=declared)
    element.text = None if text is None else _clean(text)
    if structure:
        element.set(PARSE_TYPE, "Resource")
    return element


def array(parent: Element, kind: str) -> Element:
    """The array inside a property, made if absent."""
    found = next(parent.iterchildren(*(f"{{{RDF}}}{name}" for name in ("Bag", "Seq", "Alt"))), None)
    return add(parent, f"rdf:{kind}") if found is None else found


def make_property(root: Element, name: str, *, structure: bool = False) -> Element:
    """The element of a property, made if absent in a description of its own; its namespaces are declared there."""
    found = properties(root, name)
    if found:
        return found[0]
    about = next((top.get(f"{{{RDF}}}about", "") for top in _descriptions(root)), "")
    prefix = name.partition(":")[0]
    declared = {used: NAMESPACES[used] for used in TOGETHER.get(prefix, (prefix,))}
    parent = _rdf(root)
    assert parent is not None
    top = etree.SubElement(parent, f"{{{RDF}}}Description", {f"{{{RDF}}}about": about}, nsmap=declared)
    return add(top, name, structure=structure)


def remove(element: Element) -> None:
    """Take an element out of the tree."""
    parent = element.getparent()
    if parent is not None:
        parent.remove(element)


def _descriptions(root: Element) -> Iterator[Element]:
    rdf = _rdf(root)
    return iter(()) if rdf is None else rdf.iterchildren(f"{{{RDF}}}Description")


def _rdf(root: Element) -> Element | None:
    """`rdf:RDF`, by itself or in `x:xmpmeta`."""
    return root if root.tag == f"{{{RDF}}}RDF" else root.find(f"{{{RDF}}}RDF")


def _inside(element: Element) -> Element:
    """The element whose children and attributes are the fields of a structure."""
    inner = element.find(f"{{{RDF}}}Description")
    return element if inner is None else inner


def _attribute(element: Element, local: str) -> str | None:
    """The key of an attribute by its local name."""
    keys = (str(key) for key in _inside(element).attrib)
    return next((key for key in keys if etree.QName(key).localname == local), None)


def _expanded(name: str) -> str:
    prefix, _, local = name.partition(":")
    return f"{{{NAMESPACES[prefix]}}}{local}"


def _clean(text: str) -> str:
    """Without the characters that XML 1.0 cannot hold."""
    return NO_XML.sub("", text)
