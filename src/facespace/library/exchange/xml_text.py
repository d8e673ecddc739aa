"""An XML tree as text with all that it was read from; minidom itself turns line breaks in attributes into blanks."""

from collections.abc import Iterator
from typing import Any
from xml.dom import Node, minidom

__all__ = ["xml_bytes"]

XMLNS = "http://www.w3.org/2000/xmlns/"
XML = "http://www.w3.org/XML/1998/namespace"
QUOTED = '&<>"\t\n\r'
REFERENCES = {
    "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;",
}  # fmt: skip


def xml_bytes(document: minidom.Document) -> bytes:
    """The document as UTF-8; prefixes that are not declared where they are used get their declaration."""
    declaration = '<?xml version="1.0" encoding="UTF-8"?>\n' if document.version else ""
    parts = ["".join(_written(node, {"xml": XML})) for node in document.childNodes]
    return (declaration + "\n".join(parts) + "\n").encode()


def _written(node: Any, scope: dict[str, str]) -> Iterator[str]:
    if node.nodeType == Node.ELEMENT_NODE:
        yield from _element(node, scope)
    elif node.nodeType == Node.TEXT_NODE:
        yield _escaped(node.data, "&<>\r")
    elif node.nodeType == Node.CDATA_SECTION_NODE:
        yield f"<![CDATA[{node.data}]]>"
    elif node.nodeType == Node.COMMENT_NODE:
        yield f"<!--{node.data}-->"
    elif node.nodeType == Node.PROCESSING_INSTRUCTION_NODE:
        yield f"<?{node.target} {node.data}?>"


def _element(element: minidom.Element, scope: dict[str, str]) -> Iterator[str]:
    """An element with the declarations of prefixes that are not in scope."""
    attributes = list(element.attributes.values())
    declared = {a.localName if a.prefix else "": a.value for a in attributes if a.namespaceURI == XMLNS}
    scope = {**scope, **declared}
    missing = {}
    for node in (element, *(a for a in attributes if a.namespaceURI not in (None, XMLNS))):
        prefix = node.prefix or ""
        if node.namespaceURI and scope.get(prefix) != node.namespaceURI:
            missing[prefix] = scope[prefix] = node.namespaceURI
    yield f"<{element.tagName}"
    for prefix, uri in missing.items():
        yield f' xmlns{":" * bool(prefix)}{prefix}="{_escaped(uri, QUOTED)}"'
    for attribute in attributes:
        yield f' {attribute.nodeName}="{_escaped(attribute.value, QUOTED)}"'
    if not element.childNodes:
        yield "/>"
        return
    yield ">"
    for child in element.childNodes:
        yield from _written(child, scope)
    yield f"</{element.tagName}>"


def _escaped(text: str, special: str) -> str:
    return text.translate({ord(c): REFERENCES[c] for c in special})
