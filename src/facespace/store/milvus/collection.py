"""A collection of a gallery in Milvus: rows with a key, written and read within the limits of one request."""

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.store.milvus.server import REQUEST_S, MilvusServer

# Rows of one request to write, ids of one to read, and rows of one page; the server's limit is 16,384.
ROWS_AT_ONCE, IDS_AT_ONCE, PAGE = 2048, 4096, 16384

Row = dict[str, Any]


@dataclass(frozen=True)
class Field:
    """A column: "INT64", "FLOAT" or "VARCHAR", this of so many bytes at most."""

    name: str
    type: str
    max_length: int = 0


class Collection:
    """Rows of one kind; the first field is their key, and a row that is written takes the place of that of its key.

    Args:
        server: connected.
        name: of the collection.
        fields: the columns but for the vector.
        dim: of the vector; 0 where rows have none, which Milvus does not know.
    """

    def __init__(self, server: MilvusServer, name: str, fields: Sequence[Field], dim: int = 0) -> None:
        self.server, self.name, self.fields, self.dim = server, name, tuple(fields), dim
        self.key = fields[0].name

    def create(self) -> None:
        """Make it with its index, if it is not there, and have it ready to be read."""
        client = self.server.client
        if not self.server.has(self.name):
            schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
            for field in self.fields:
                more = {"max_length": field.max_length} if field.max_length else {}
                schema.add_field(field.name, _type(field.type), is_primary=field.name == self.key, **more)
            schema.add_field("vector", _type("FLOAT_VECTOR"), dim=self.dim or 2)
            index = client.prepare_index_params()
            index.add_index("vector", **(VECTOR_INDEX if self.dim else NO_INDEX))
            # Asked for twice it is made once, also by two processes together.
            self.server.ask(
                f"make {self.name}",
                lambda: client.create_collection(
                    self.name, schema=schema, index_params=index, consistency_level="Strong", timeout=60.0
                ),
            )
        self.server.load(self.name)

    def put(self, rows: Sequence[Row]) -> None:
        """Write rows, all that fit into a request at once."""
        without = {} if self.dim else {"vector": [0.0, 0.0]}
        for start in range(0, len(rows), ROWS_AT_ONCE):
            some = [{**row, **without} for row in rows[start : start + ROWS_AT_ONCE]]
            self.server.ask("write", partial(self.server.client.upsert, self.name, some, timeout=REQUEST_S))

    def drop(self, keys: Sequence[int] | Sequence[str]) -> None:
        """Delete the rows of these keys, those that there are."""
        for start in range(0, len(keys), ROWS_AT_ONCE):
            some = list(keys[start : start + ROWS_AT_ONCE])
            self.server.ask("delete", partial(self.server.client.delete, self.name, some, timeout=REQUEST_S))

    def get(self, keys: Sequence[int] | Sequence[str], fields: Sequence[str] | None = None) -> list[Row]:
        """The rows of these keys, those that there are."""
        return self.among(self.key, keys, fields)

    def among(
        self, name: str, values: Sequence[int] | Sequence[str], fields: Sequence[str] | None = None
    ) -> list[Row]:
        """The rows in which a field has one of these values."""
        found: list[Row] = []
        for start in range(0, len(values), IDS_AT_ONCE):
            some = json.dumps(list(values[start : start + IDS_AT_ONCE]), ensure_ascii=False)
            found += self.scan(fields, where=f"{name} in {some}")
        return found

    def page(self, where: str, limit: int, fields: Sequence[str] | None = None) -> list[Row]:
        """The first rows of a condition, by key."""
        names = [field.name for field in self.fields] if fields is None else list(fields)
        rows = self._query(where, names, limit=min(limit, PAGE))
        return sorted(rows, key=lambda row: row[self.key])

    def scan(
        self, fields: Sequence[str] | None = None, *, where: str = "", size: int = PAGE
    ) -> Iterator[Row]:
        """All rows of a condition; by key where that is a number. Of a text there may be one page."""
        is_text = self.fields[0].type == "VARCHAR"
        after = f'{self.key} > ""' if is_text else f"{self.key} >= {-(2**63) + 1}"
        while True:
            rows = self.page(f"{after} and ({where})" if where else after, size, fields)
            yield from rows
            if len(rows) < min(size, PAGE):
                return
            assert not is_text, f"{self.name}: more rows than a page has"
            after = f"{self.key} > {rows[-1][self.key]}"

    def count(self, where: str = "") -> int:
        """How many rows there are."""
        return int(self._query(where, ["count(*)"])[0]["count(*)"])

    def nearest(
        self, vectors: NDArray[np.float32], limit: int, fields: Sequence[str], search: dict[str, Any]
    ) -> list[list[Row]]:
        """The rows whose vectors are nearest to each of these, as far as the index of Milvus finds them."""
        reading = self.server.reading()
        found = self.server.ask(
            "search",
            lambda: self.server.client.search(
                self.name, data=list(vectors), limit=limit, output_fields=list(fields), anns_field="vector",
                search_params={"metric_type": "IP", "params": search}, **reading,
            ),
        )  # fmt: skip
        return [[hit["entity"] for hit in hits] for hits in found]

    def _query(self, where: str, fields: list[str], **limit: int) -> list[Row]:
        reading, client = {**limit, **self.server.reading()}, self.server.client
        return list(
            self.server.ask(
                "read", lambda: client.query(self.name, filter=where, output_fields=fields, **reading)
            )
        )


# One byte a component; a segment of a million rows has so many cells.
CELLS = 1024
VECTOR_INDEX = {"index_type": "IVF_SQ8", "metric_type": "IP", "params": {"nlist": CELLS}}
NO_INDEX = {"index_type": "FLAT", "metric_type": "L2"}


def key_of(text: str | bytes) -> int:
    """A number from 0 to 2^63 - 1 for a text, the same everywhere: equal ones are almost surely of equal texts."""
    whole = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    return int.from_bytes(hashlib.blake2b(whole, digest_size=8).digest(), "big") >> 1


def to_text(array: NDArray[Any]) -> str:
    """The bytes of an array as text, which Milvus keeps."""
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")


def from_text(text: str, kind: str) -> NDArray[Any]:
    """The flat array that `to_text` made a text of."""
    return np.frombuffer(base64.b64decode(text), kind)


def _type(name: str) -> Any:
    from pymilvus import DataType

    return getattr(DataType, name)
