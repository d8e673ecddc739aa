"""The XML of an XMP packet: read into a tree, changed in places, written again with all else as it was.

XMP Specification Part 1 (ISO 16684-1), section 7: RDF in which a property is an element or an attribute, a structure is
`parseType="Resource"`, an inner `rdf:Description` or attributes, and an array is a Bag, Seq or Alt of `rdf:li`. The
tree is xml.dom.minidom's, which keeps prefixes, comments and instructions.
"""

import codecs
from xml.dom import Node, minidom
from xml.parsers.expat import ExpatError

from facespace.errors import DataError

__all__ = [
    "add",
    "add_structure",
    "array",
    "field",
    "indent",
    "items",
    "make_packet",
    "make_property",
    "make_structure",
    "parse_packet",
    "properties",
    "remove",
    "set_text",
    "simple",
    "structure",
    "text_of",
]

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
XMLNS = "http://www.w3.org/2000/xmlns/"
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
    "xmpNote": "http://ns.adobe.com/xmp/note/",
}
# Prefixes that are declared together where the first is used.
TOGETHER = {"mwg-rs": ("mwg-rs", "stDim", "stArea"), "MP": ("MP", "MPRI", "MPReg")}
EMPTY = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="facespace">\n <rdf:RDF xmlns:rdf="' + RDF + '">\n'
    ' </rdf:RDF>\n</x:xmpmeta>\n<?xpacket end="w"?>'
)


def make_packet() -> minidom.Document:
    """A packet that says nothing."""
    return minidom.parseString(EMPTY.encode())


def parse_packet(content: bytes) -> minidom.Document:
    """The tree of a packet.

    Raises:
        DataError: it is no XML, is no RDF, or declares a document type, which XMP never does.
    """
    if not content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        content = content.strip(b"\0 \t\r\n")
    if b"<!DOCTYPE" in content:
        raise DataError("expected an XMP packet, it declares a document type")
    try:
        document = minidom.parseString(content)
    except (ExpatError, ValueError, LookupError) as error:
        raise DataError(f"expected an XMP packet, it is no XML: {error}") from error
    if _root(document) is None:
        raise DataError("expected an XMP packet, it holds no RDF")
    return document


def properties(document: minidom.Document, name: str) -> list[minidom.Element]:
    """The elements of a property such as "mwg-rs:Regions"; a valid packet has one at most."""
    uri, local = _expanded(name)
    return [e for top in _descriptions(document) for e in _children(top) if _is(e, uri, local)]


def simple(document: minidom.Document, name: str) -> str | None:
    """The text of a property without structure, an element or an attribute."""
    uri, local = _expanded(name)
    for top in _descriptions(document):
        if top.hasAttributeNS(uri, local):
            return str(top.getAttributeNS(uri, local))
    found = properties(document, name)
    return text_of(found[0]) if found else None


def structure(element: minidom.Element) -> minidom.Element:
    """The element whose children and attributes are the fields of a structure."""
    inner = [child for child in _children(element) if _is(child, RDF, "Description")]
    return inner[0] if inner else element


def field(element: minidom.Element, local: str) -> minidom.Element | minidom.Attr | None:
    """A field of a structure by its local name: there are writers with a wrong namespace for areas."""
    inside = structure(element)
    for child in _children(inside):
        if child.localName == local:
            return child
    attributes = [a for a in inside.attributes.values() if a.localName == local and a.namespaceURI != XMLNS]
    return attributes[0] if attributes else None


def items(element: minidom.Element) -> list[minidom.Element]:
    """The `rdf:li` of an array."""
    return [li for array in _children(element) for li in _children(array) if _is(li, RDF, "li")]


def text_of(node: minidom.Element | minidom.Attr | None) -> str:
    """The text of a simple value; empty where there is none."""
    if node is None or isinstance(node, minidom.Attr):
        return "" if node is None else str(node.value)
    texts = [c.data for c in node.childNodes if c.nodeType in (Node.TEXT_NODE, Node.CDATA_SECTION_NODE)]
    return "".join(texts).strip()


def set_text(node: minidom.Element | minidom.Attr, text: str) -> None:
    """Put text in place of a simple value."""
    if isinstance(node, minidom.Attr):
        node.value = _clean(text)
        return
    for child in list(node.childNodes):
        node.removeChild(child)
    node.appendChild(_document(node).createTextNode(_clean(text)))


def add(parent: minidom.Element, name: str, text: str | None = None) -> minidom.Element:
    """A new last child, such as "mwg-rs:Name"; without text what an array or a structure goes into."""
    element = _document(parent).createElementNS(_expanded(name)[0], name)
    if text is not None:
        set_text(element, text)
    parent.appendChild(element)
    return element


def add_structure(parent: minidom.Element, name: str) -> minidom.Element:
    """A new last child that holds fields."""
    return _as_structure(add(parent, name))


def array(parent: minidom.Element, kind: str) -> minidom.Element:
    """The array inside a property, made if absent."""
    found = [c for c in _children(parent) if c.namespaceURI == RDF and c.localName in ("Bag", "Seq", "Alt")]
    return found[0] if found else add(parent, f"rdf:{kind}")


def make_property(document: minidom.Document, name: str) -> minidom.Element:
    """The element of a property, made if absent in a description of its own."""
    found = properties(document, name)
    if found:
        return found[0]
    tops = _descriptions(document)
    root = _root(document)
    assert root is not None
    top = add(root, "rdf:Description")
    top.setAttributeNS(RDF, "rdf:about", tops[0].getAttributeNS(RDF, "about") if tops else "")
    prefix = name.split(":")[0]
    for used in TOGETHER.get(prefix, (prefix,)):
        top.setAttributeNS(XMLNS, f"xmlns:{used}", NAMESPACES[used])
    return add(top, name)


def indent(document: minidom.Document) -> None:
    """Lines for people to read, in a packet that is all ours."""
    root = _root(document)
    assert root is not None
    _indent(root, "\n ")


def _indent(element: minidom.Element, line: str) -> None:
    children = _children(element)
    for node in [node for node in element.childNodes if children and node.nodeType == Node.TEXT_NODE]:
        element.removeChild(node)
    for child in children:
        element.insertBefore(_document(element).createTextNode(line + " "), child)
        _indent(child, line + " ")
    if children:
        element.appendChild(_document(element).createTextNode(line))


def make_structure(document: minidom.Document, name: str) -> minidom.Element:
    """The element of a new property that holds fields."""
    return _as_structure(make_property(document, name))


def _as_structure(element: minidom.Element) -> minidom.Element:
    element.setAttributeNS(RDF, "rdf:parseType", "Resource")
    return element


def _descriptions(document: minidom.Document) -> list[minidom.Element]:
    root = _root(document)
    return [top for top in _children(root) if _is(top, RDF, "Description")] if root else []


def _root(document: minidom.Document) -> minidom.Element | None:
    """`rdf:RDF`, by itself or in `x:xmpmeta`."""
    outer = document.documentElement
    if outer is None or _is(outer, RDF, "RDF"):
        return outer
    return next((child for child in _children(outer) if _is(child, RDF, "RDF")), None)


def _children(element: minidom.Element) -> list[minidom.Element]:
    return [child for child in element.childNodes if child.nodeType == Node.ELEMENT_NODE]


def remove(element: minidom.Element) -> None:
    """Take an element out of the tree."""
    if element.parentNode is not None:
        element.parentNode.removeChild(element)


def _document(element: minidom.Element) -> minidom.Document:
    assert element.ownerDocument is not None
    return element.ownerDocument


def _is(element: minidom.Element, uri: str, local: str) -> bool:
    return bool(element.namespaceURI == uri and element.localName == local)


def _expanded(name: str) -> tuple[str, str]:
    prefix, local = name.split(":")
    return NAMESPACES[prefix], local


def _clean(text: str) -> str:
    """Without the characters that XML 1.0 cannot hold."""
    return "".join(
        c for c in text if c in "\t\n\r" or " " <= c < "\ud800" or "\ue000" <= c < "\ufffe" or c > "\uffff"
    )
