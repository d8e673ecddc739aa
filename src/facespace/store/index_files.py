"""The files of an index: bytes of templates in the order of their ids, mapped into memory, and the cells beside them.

A file of arrays is a head, JSON of what it holds, and arrays at places that are multiples of a page: of bytes
`template_id`, `face_id`, `low` and `high` (lengths, by block) and `codes`. The files carry a token in their names, that
the store names too while they are its own: what another history of the store, or a copy of it, has left beside it is
never read. Everything in them can be worked out again from the store.
"""

import json
import os
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.saved_files import try_lock, written_beside
from facespace.store.nearest import ROWS_AT_ONCE, ByteRows, block_limits
from facespace.store.templates import Templates

MAGIC = b"facespace bytes\n"
PAGE = 4096
FORMAT = 2
WIPED_AT_ONCE = 2**20

Sections = Mapping[str, tuple[str, tuple[int, ...]]]  # dtype and shape by name


def new_token() -> str:
    """A name for the files of one index."""
    return secrets.token_hex(8)


@dataclass(frozen=True)
class IndexFiles:
    """The files of the indexes of a store, beside it: "index" of the bytes of templates, "cells" of those of an index
    that misses some, "subjects" of prototypes.

    Attributes:
        store: the file of the store.
    """

    store: Path

    def path(self, kind: str, token: str) -> Path:
        """Of the file of a kind with that token."""
        return self.store.with_name(f"{self.store.name}.{kind}-{token}")

    def names(self, *kinds: str, but: Collection[str] = ()) -> list[Path]:
        """The files of these kinds that are there, but for those with some tokens."""
        beside, name = self.store.parent, escape(self.store.name)
        found = [path for kind in kinds for path in beside.glob(f"{name}.{kind}-*")]
        return sorted(path for path in found if path.name.rpartition("-")[2] not in but)

    @property
    def lock_path(self) -> Path:
        """An empty file that is locked while somebody builds."""
        return self.store.with_name(f"{self.store.name}.index.lock")

    @contextmanager
    def building(self) -> Iterator[bool]:
        """Keeps others from building; False where another process or thread does so already."""
        opened = os.open(self.lock_path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            yield try_lock(opened)
        finally:
            os.close(opened)  # and with it the lock

    def write_bytes(self, token: str, batches: Iterable[Templates], n: int, dim: int) -> ByteRows:
        """Write the templates and map them into memory.

        Args:
            token: names the file.
            batches: in the order of ids.
            n: how many there are in all.
            dim: components.

        Raises:
            WriteError: no room on the disk, or no right to write there.
        """
        with _room_for(
            self.path("index", token), {"rows_a_block": ROWS_AT_ONCE}, _sections(n, dim)
        ) as arrays:
            done = 0
            for batch in batches:
                part = ByteRows.of(batch.template_id, batch.face_id, batch.vectors)
                here = slice(done, done + len(part))
                arrays["template_id"][here], arrays["face_id"][here] = part.template_id, part.face_id
                arrays["codes"][here] = part.codes
                done += len(part)
            assert done == n, "the templates are read at one moment"
            for i, start in enumerate(range(0, n, ROWS_AT_ONCE)):
                block = arrays["codes"][start : start + ROWS_AT_ONCE]
                arrays["low"][i], arrays["high"][i] = block_limits(block)
        rows = self.read_bytes(token)
        assert rows is not None
        return rows

    def read_bytes(self, token: str) -> ByteRows | None:
        """The templates, mapped into memory; None where there is no such file, or another one."""
        try:
            head, arrays = map_arrays(self.path("index", token))
        except (OSError, ValueError, KeyError):
            return None
        if head["rows_a_block"] != ROWS_AT_ONCE:
            return None
        names = ("template_id", "face_id", "codes")
        rows = ByteRows(*(np.asarray(arrays[name]) for name in names))
        rows.__dict__["length_limits"] = np.asarray(arrays["low"]), np.asarray(arrays["high"])
        return rows

    def overwrite(self, token: str, renamed: str, rows: NDArray[np.int64]) -> None:
        """Take some rows out of the file of bytes, on the disk and for whoever has it mapped, under a new token.

        Raises:
            OSError: it cannot be written.
        """
        renamed_path = self.path("index", token).replace(self.path("index", renamed))
        _, arrays = map_arrays(renamed_path, "r+")
        arrays["codes"][rows] = 128  # zeros: at distance 2 of everything
        arrays["face_id"][rows] = -1
        for array in arrays.values():
            array.flush()
        self.wipe(token)

    def wipe(self, token: str) -> None:
        """Remove the files with that token, their contents first where nobody has them mapped."""
        with suppress(OSError):
            self.path("index", token).unlink()
        wipe_file(self.path("cells", token))

    def drop_others(self, tokens: Collection[str]) -> None:
        """Remove the files of indexes of templates but those with these tokens; call it while `building`."""
        for path in self.names("index", "cells", but=tokens):
            with suppress(OSError):  # mapped by another process, where that keeps a file
                path.unlink()


def wipe_file(path: Path) -> None:
    """Overwrite a file that nobody has mapped, and remove it."""
    with suppress(OSError), path.open("r+b") as file:
        for _ in range(0, path.stat().st_size, WIPED_AT_ONCE):
            file.write(bytes(WIPED_AT_ONCE))
        file.flush()
        os.fsync(file.fileno())
    with suppress(OSError):
        path.unlink()


def _sections(n: int, dim: int) -> Sections:
    n_blocks = -(-n // ROWS_AT_ONCE)
    return {
        "template_id": ("<i8", (n,)), "face_id": ("<i8", (n,)), "low": ("<f8", (n_blocks,)),
        "high": ("<f8", (n_blocks,)), "codes": ("|u1", (n, dim)),
    }  # fmt: skip


@contextmanager
def _room_for(path: Path, head: dict[str, Any], sections: Sections) -> Iterator[dict[str, Any]]:
    """Arrays to fill, mapped from a new file with that head, which takes its place once they are on the disk."""
    places, at = {}, PAGE
    for name, (kind, shape) in sections.items():
        places[name] = (at, kind, shape)
        at += -(-int(np.dtype(kind).itemsize * np.prod(shape)) // PAGE) * PAGE
    text = json.dumps({**head, "format": FORMAT, "places": places}).encode()
    assert len(MAGIC) + len(text) <= PAGE, "a head is of a page"
    with written_beside(path, private=True) as partial:
        with partial.open("r+b") as file:
            file.write((MAGIC + text).ljust(PAGE))
            file.truncate(at)
        arrays = map_arrays(partial, "r+")[1]
        yield arrays
        for array in arrays.values():
            if isinstance(array, np.memmap):
                array.flush()
        arrays.clear()  # where a file that is mapped cannot be renamed
        with partial.open("rb+") as file:
            os.fsync(file.fileno())


def write_arrays(path: Path, head: dict[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays as a file that can be mapped into memory, with a head of small values.

    Raises:
        WriteError: no room on the disk, or no right to write there.
    """
    sections = {name: (array.dtype.str, array.shape) for name, array in arrays.items()}
    with _room_for(path, head, sections) as room:
        for name, array in arrays.items():
            room[name][...] = array


def map_arrays(path: Path, mode: Any = "r") -> tuple[dict[str, Any], dict[str, Any]]:
    """The head and the arrays of a file.

    Raises:
        OSError: it cannot be read.
        ValueError, KeyError: it is no such file, or cut short.
    """
    with path.open("rb") as file:
        start = file.read(PAGE)
    if not start.startswith(MAGIC):
        raise ValueError(path)
    head = json.loads(start[len(MAGIC) :])
    if head["format"] != FORMAT:
        raise ValueError(path)
    # An empty array cannot be mapped.
    return head, {
        name: np.memmap(path, kind, mode, at, tuple(shape)) if all(shape) else np.zeros(shape, kind)
        for name, (at, kind, shape) in head["places"].items()
    }
