"""The files of an index: bytes of templates in the order of their ids, mapped into memory, and the cells beside them.

A file of arrays is a head, JSON of what it holds, and arrays at places that are multiples of a page: of bytes
`template_id`, `face_id`, `low` and `high` (lengths, by block) and `codes`. The files carry a token in their names, that
the store names too while they are its own: what another history of the store, or a copy of it, has left beside it is
never read. Everything in them can be worked out again from the store.
"""

import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.saved_files import written_beside
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
    """The files of the indexes of a store, beside it.

    Attributes:
        store: the file of the store.
    """

    store: Path

    def bytes_path(self, token: str) -> Path:
        """Of the bytes of templates."""
        return self.store.with_name(f"{self.store.name}.index-{token}")

    def cells_path(self, token: str) -> Path:
        """Of the cells and codes of an index that misses some."""
        return self.store.with_name(f"{self.store.name}.cells-{token}")

    @property
    def lock_path(self) -> Path:
        """An empty file that is locked while somebody builds."""
        return self.store.with_name(f"{self.store.name}.index.lock")

    @contextmanager
    def building(self) -> Iterator[bool]:
        """Keeps others from building; False where another process or thread does so already."""
        opened = os.open(self.lock_path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            yield _locked(opened)
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
        path = self.bytes_path(token)
        with written_beside(path, private=True) as partial:
            arrays = _laid_out(partial, _sections(n, dim), {"rows_a_block": ROWS_AT_ONCE})
            done = 0
            for batch in batches:
                part = ByteRows.of(batch.template_id, batch.face_id, batch.vectors)
                here = slice(done, done + len(part))
                arrays["template_id"][here], arrays["face_id"][here] = part.template_id, part.face_id
                arrays["codes"][here] = part.codes
                done += len(part)
            assert done == n, "the templates are read at one moment"
            _write_limits(arrays)
            del arrays
            _to_disk(partial)
        rows = self.read_bytes(token)
        assert rows is not None
        return rows

    def read_bytes(self, token: str) -> ByteRows | None:
        """The templates, mapped into memory; None where there is no such file, or another one."""
        try:
            head, arrays = map_arrays(self.bytes_path(token))
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
        self.bytes_path(token).replace(self.bytes_path(renamed))
        _, arrays = map_arrays(self.bytes_path(renamed), "r+")
        arrays["codes"][rows] = 128  # zeros: at distance 2 of everything
        arrays["face_id"][rows] = -1
        for array in arrays.values():
            array.flush()
        self.wipe(token)

    def wipe(self, token: str) -> None:
        """Remove the files with that token, their contents first where nobody has them mapped."""
        with suppress(OSError):
            self.bytes_path(token).unlink()
        wipe_file(self.cells_path(token))

    def subjects_path(self, token: str) -> Path:
        """Of the prototypes of subjects."""
        return self.store.with_name(f"{self.store.name}.subjects-{token}")

    def wipe_subjects(self, kept: str) -> None:
        """Remove the files of prototypes but for one."""
        for path in self.store.parent.glob(f"{escape(self.store.name)}.subjects-*"):
            if path.name.rpartition("-")[2] != kept:
                wipe_file(path)

    def drop_others(self, tokens: Iterable[str]) -> None:
        """Remove the files of all indexes but those with these tokens; call it while `building`."""
        name, kept = escape(self.store.name), set(tokens)
        for kind in ("index", "cells"):
            for path in self.store.parent.glob(f"{name}.{kind}-*"):
                if path.name.rpartition("-")[2] not in kept:
                    with suppress(OSError):  # mapped by another process, where that keeps a file
                        path.unlink()

    def names(self) -> list[Path]:
        """Those that are there."""
        name = escape(self.store.name)
        return sorted(
            path for kind in ("index", "cells") for path in self.store.parent.glob(f"{name}.{kind}-*")
        )


def wipe_file(path: Path) -> None:
    """Overwrite a file that nobody has mapped, and remove it."""
    with suppress(OSError), path.open("r+b") as file:
        for _ in range(0, path.stat().st_size, WIPED_AT_ONCE):
            file.write(bytes(WIPED_AT_ONCE))
        file.flush()
        os.fsync(file.fileno())
    with suppress(OSError):
        path.unlink()


def _locked(opened: int) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        try:
            msvcrt.locking(opened, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except OSError:
            return False
        return True
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # not on this file system
        pass
    return True


def _sections(n: int, dim: int) -> Sections:
    n_blocks = -(-n // ROWS_AT_ONCE)
    return {
        "template_id": ("<i8", (n,)), "face_id": ("<i8", (n,)), "low": ("<f8", (n_blocks,)),
        "high": ("<f8", (n_blocks,)), "codes": ("|u1", (n, dim)),
    }  # fmt: skip


def _laid_out(path: Path, sections: Sections, head: dict[str, Any]) -> dict[str, Any]:
    """A new file with its head and room for the arrays; these, mapped."""
    places, at = {}, PAGE
    for name, (kind, shape) in sections.items():
        places[name] = (at, kind, shape)
        at += -(-int(np.dtype(kind).itemsize * np.prod(shape)) // PAGE) * PAGE
    text = json.dumps({**head, "format": FORMAT, "places": places}).encode()
    assert len(MAGIC) + len(text) <= PAGE, "a head is of a page"
    with path.open("r+b") as file:
        file.write((MAGIC + text).ljust(PAGE))
        file.truncate(at)
    return map_arrays(path, "r+")[1]


def write_arrays(path: Path, head: dict[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays as a file that can be mapped into memory, with a head of small values.

    Raises:
        WriteError: no room on the disk, or no right to write there.
    """
    with written_beside(path, private=True) as partial:
        sections = {name: (array.dtype.str, array.shape) for name, array in arrays.items()}
        for name, room in _laid_out(partial, sections, head).items():
            room[...] = arrays[name]
        _to_disk(partial)


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


def _write_limits(arrays: dict[str, Any]) -> None:
    for i, start in enumerate(range(0, len(arrays["codes"]), ROWS_AT_ONCE)):
        arrays["low"][i], arrays["high"][i] = block_limits(arrays["codes"][start : start + ROWS_AT_ONCE])
    for array in arrays.values():
        if isinstance(array, np.memmap):
            array.flush()


def _to_disk(path: Path) -> None:
    """Before its name says that it is whole."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
