"""Where a gallery in Milvus is: `milvus://host:port/gallery`, and what may stand in such an address."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from facespace.errors import InputError

SCHEMES = {"milvus": "http", "milvus+tls": "https"}
PORT = 19530
CONSISTENCIES = ("strong", "session")
FORM = "milvus://HOST:PORT/GALLERY, milvus+tls://HOST/DATABASE/GALLERY or milvus:///PATH/TO/FILE.db"


@dataclass(frozen=True)
class MilvusAddress:
    """A gallery of a Milvus server, or of milvus-lite in a file.

    Attributes:
        text: as it was given.
        uri: of the server, or the file of milvus-lite.
        database: of the server; empty for its own default.
        gallery: letters, digits and underscores; the names of its collections begin so.
        consistency: "strong": every read sees whatever is written, by any process; "session": one's own writes,
            and those of others a moment later, without waiting for the server's next tick.
    """

    text: str
    uri: str
    database: str
    gallery: str
    consistency: str

    @property
    def is_lite(self) -> bool:
        """Whether it is a file of milvus-lite."""
        return "://" not in self.uri

    @classmethod
    def parse(cls, text: str) -> "MilvusAddress":
        """The address that a text is.

        Raises:
            InputError: it is none.
        """
        try:
            url = urlsplit(text)
            port = url.port or PORT
        except ValueError as error:
            raise InputError(f"{text}: expected {FORM}, {error}") from error
        if url.username or url.password:
            raise InputError("milvus: expected no password in an address; give it as the token")
        consistency = parse_qs(url.query).get("consistency", ["strong"])[-1]
        if url.scheme not in SCHEMES or consistency not in CONSISTENCIES:
            raise InputError(f"{text}: expected {FORM}, with ?consistency=strong or session at most")
        if not url.hostname:
            return cls(text, _lite_file(text, unquote(url.path)), "", "gallery", consistency)
        parts = [unquote(part) for part in url.path.split("/") if part]
        if len(parts) not in (1, 2) or not all(
            re.fullmatch(r"[A-Za-z_]\w{0,99}", p, re.ASCII) for p in parts
        ):
            raise InputError(f"{text}: expected {FORM}, names of letters, digits and underscores")
        host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
        return cls(
            text,
            f"{SCHEMES[url.scheme]}://{host}:{port}",
            parts[0] if parts[1:] else "",
            parts[-1],
            consistency,
        )


def is_milvus(place: object) -> bool:
    """Whether a gallery's place is an address in Milvus and not a file."""
    return isinstance(place, str) and place.partition("://")[0] in SCHEMES and "://" in place


def _lite_file(text: str, path: str) -> str:
    if not path.endswith(".db"):
        raise InputError(f"{text}: expected a host, or a file of milvus-lite that ends in .db")
    return str(Path(path))
