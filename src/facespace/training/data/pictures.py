"""Where training pictures lie: `root/<identity>/<image>`, a list file, or tar and zip shards.

Every source ends as the same thing: a name and an identity for each picture, and its bytes on request. Shards are
indexed once by their headers; afterwards a picture is one read at its offset, without unpacking the shard.
"""

import csv
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from facespace.errors import DataError

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
LISTS = {".txt", ".csv", ".tsv"}
SHARDS = {".tar", ".zip"}
EXPECTED = "expected <identity>/<image> folders, a list file (.txt, .csv, .tsv), or .tar or .zip shards"

Read = Callable[[], bytes]


@dataclass(frozen=True)
class Pictures:
    """Encoded pictures and who they show.

    Attributes:
        names: a path for people, one a picture.
        labels: int64, shape (N,), an index into ``identities``.
        identities: sorted.
        readers: gives the bytes of each picture; safe to call from several threads.
    """

    names: tuple[str, ...]
    labels: NDArray[np.int64]
    identities: tuple[str, ...]
    readers: tuple[Read, ...]

    def __len__(self) -> int:
        return len(self.names)


def find_pictures(source: Path) -> Pictures:
    """The pictures of a folder of identities, a folder of shards, one shard, or a list file.

    A list file has one picture a line: its path (relative to the file) and its identity, separated by a tab, a comma
    or, in .txt, white space. Pictures are ordered by identity and name, whatever the source's order.

    Raises:
        DataError: nothing there, a list that names a missing file, or fewer than two identities with pictures.
    """
    found = sorted(_entries(source), key=lambda entry: entry[:2])
    identities = sorted({identity for identity, _, _ in found})
    if len(identities) < 2:
        raise DataError(f"{source}: {EXPECTED}; met {len(identities)} identities with pictures")
    index = {identity: i for i, identity in enumerate(identities)}
    labels = np.array([index[identity] for identity, _, _ in found], np.int64)
    return Pictures(
        tuple(name for _, name, _ in found), labels, tuple(identities), tuple(read for _, _, read in found)
    )


def _entries(source: Path) -> Iterator[tuple[str, str, Read]]:
    """Identity, name and reader of each picture."""
    if source.is_dir():
        shards = sorted(p for p in source.iterdir() if p.suffix.lower() in SHARDS)
        yield from _shards(shards) if shards else _folders(source)
    elif source.suffix.lower() in SHARDS and source.is_file():
        yield from _shards([source])
    elif source.suffix.lower() in LISTS and source.is_file():
        yield from _listed(source)
    else:
        raise DataError(f"{source}: {EXPECTED}; there is nothing like it")


def _folders(root: Path) -> Iterator[tuple[str, str, Read]]:
    for folder in root.iterdir():
        if folder.is_dir():
            for path in folder.iterdir():
                if path.suffix.lower() in SUFFIXES:
                    yield folder.name, f"{folder.name}/{path.name}", path.read_bytes


def _listed(path: Path) -> Iterator[tuple[str, str, Read]]:
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    if path.suffix.lower() == ".txt":
        rows: Sequence[list[str]] = [line.split("\t") if "\t" in line else line.split() for line in lines]
    else:
        rows = list(csv.reader(lines, delimiter="\t" if path.suffix.lower() == ".tsv" else ","))
    for number, row in enumerate(rows, 1):
        if not row:
            continue
        if len(row) != 2:
            raise DataError(f"{path}, line {number}: expected a picture's path and its identity, got {row}")
        picture = path.parent / row[0].strip()
        if not picture.is_file():
            if number == 1 and picture.suffix.lower() not in SUFFIXES:  # a heading such as path,identity
                continue
            raise DataError(f"{path}, line {number}: names {picture}, there is no such file")
        yield row[1].strip(), row[0].strip(), picture.read_bytes


def _shards(shards: Sequence[Path]) -> Iterator[tuple[str, str, Read]]:
    for shard in shards:
        try:
            yield from _tar(shard) if shard.suffix.lower() == ".tar" else _zip(shard)
        except (tarfile.TarError, zipfile.BadZipFile, OSError) as error:
            raise DataError(f"{shard}: expected a readable shard, got: {error}") from error


def _tar(shard: Path) -> Iterator[tuple[str, str, Read]]:
    with tarfile.open(shard, "r:") as archive:
        for member in archive:
            if member.isfile() and (named := _named(member.name)):
                yield *named, partial(_read_at, shard, member.offset_data, member.size)


def _zip(shard: Path) -> Iterator[tuple[str, str, Read]]:
    archive, lock = zipfile.ZipFile(shard), threading.Lock()
    for member in archive.infolist():
        if not member.is_dir() and (named := _named(member.filename)):
            yield *named, partial(_read_zip, archive, lock, member)


def _named(member: str) -> tuple[str, str] | None:
    path = PurePosixPath(member)
    if path.suffix.lower() not in SUFFIXES or len(path.parts) < 2:
        return None
    return path.parts[-2], "/".join(path.parts[-2:])


def _read_at(shard: Path, offset: int, size: int) -> bytes:
    with shard.open("rb") as file:
        file.seek(offset)
        return file.read(size)


def _read_zip(archive: zipfile.ZipFile, lock: threading.Lock, member: zipfile.ZipInfo) -> bytes:
    with lock:
        return archive.read(member)
