"""An XML tree as text with all that it was read from; minidom itself turns line breaks in attributes into blanks."""

from typing import Any
from xml.dom import Node, minidom

__all__ = ["xml_bytes"]

XMLNS = "http://www.w3.org/2000/xmlns/"
XML = "http://www.w3.org/XML/1998/namespace"
# The ampersand first: the references begin with it.
QUOTED = '&<>"\t\n\r'
REFERENCES = {
    "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;",
}  # fmt: skip


def xml_bytes(document: minidom.Document) -> bytes:
    """The document as UTF-8; prefixes that are not declared where they are used get their declaration."""
    parts = ['<?xml version="1.0" encoding="UTF-8"?>\n'] if document.version else []
    for node in document.childNodes:
        _write(node, {"xml": XML}, parts)
        parts.append("\n")
    return "".join(parts).encode()


def _write(node: Any, scope: dict[str, str], parts: list[str]) -> None:
    if node.nodeType == Node.ELEMENT_NODE:
        _write_element(node, scope, parts)
    elif node.nodeType == Node.TEXT_NODE:
        parts.append(_escaped(node.data, "&<>\r"))
    elif node.nodeType == Node.CDATA_SECTION_NODE:
        parts.append(f"<![CDATA[{node.data}]]>")
    elif node.nodeType == Node.COMMENT_NODE:
        parts.append(f"<!--{node.data}-->")
    elif node.nodeType == Node.PROCESSING_INSTRUCTION_NODE:
        parts.append(f"<?{node.target} {node.data}?>")


def _write_element(element: minidom.Element, scope: dict[str, str], parts: list[str]) -> None:
    """An element with the declarations of prefixes that are not in scope."""
    attributes = list(element.attributes.values())
    declared = {a.localName if a.prefix else "": a.value for a in attributes if a.namespaceURI == XMLNS}
    missing = {}
    for node in (element, *(a for a in attributes if a.namespaceURI not in (None, XMLNS))):
        prefix = node.prefix or ""
        if node.namespaceURI and declared.get(prefix, scope.get(prefix)) != node.namespaceURI:
            missing[prefix] = declared[prefix] = node.namespaceURI
    parts.append(f"<{element.tagName}")
    for prefix, uri in missing.items():
        parts.append(f' xmlns{":" * bool(prefix)}{prefix}="{_escaped(uri, QUOTED)}"')
    for attribute in attributes:
        parts.append(f' {attribute.nodeName}="{_escaped(attribute.value, QUOTED)}"')
    if not element.childNodes:
        parts.append("/>")
        return
    parts.append(">")
    inner = {**scope, **declared} if declared else scope
    for child in element.childNodes:
        _write(child, inner, parts)
    parts.append(f"</{element.tagName}>")


def _escaped(text: str, special: str) -> str:
    for character in special:
        if character in text:
            text = text.replace(character, REFERENCES[character])
    return text
