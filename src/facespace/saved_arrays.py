"""Arrays kept in a folder while long work runs, so that it can be stopped and resumed."""

from collections.abc import Iterator, MutableMapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facespace.errors import DataError
from facespace.saved_files import written_beside

MARK = "input.txt"
Pair = tuple[NDArray[np.int32], NDArray[np.float32]]


class ArrayFolder(MutableMapping[str, Pair]):
    """Pairs of arrays by name, one .npz file each, written beside and renamed.

    Args:
        folder: made if absent.
        key: names the input of the work, such as a hash: what another input left in the folder is dropped.

    Raises:
        DataError: the folder cannot be made, or holds other files.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.folder = folder
        try:
            self._take(key)
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "no text in input.txt"
            raise DataError(f"{folder}: cannot keep work there: {reason}; name another folder") from error

    def _take(self, key: str) -> None:
        mark = self.folder / MARK
        self.folder.mkdir(parents=True, exist_ok=True)
        kept = [path for path in self.folder.iterdir() if path.suffix == ".npz"]
        others = [p for p in self.folder.iterdir() if p.suffix not in (".npz", ".partial") and p != mark]
        if others or (kept and not mark.exists()):
            raise DataError(
                f"{self.folder}: expected a folder of kept work or an empty one, met other files; name another folder"
            )
        if mark.exists() and mark.read_text() == key:
            return
        for path in kept:
            path.unlink()
        mark.write_text(key)

    def __getitem__(self, name: str) -> Pair:
        try:
            with self._path(name).open("rb") as file, np.load(file) as pair:
                return pair["first"], pair["second"]
        except Exception:  # nothing kept, or damaged in one of many ways: it is worked out again
            raise KeyError(name) from None

    def __setitem__(self, name: str, value: Pair) -> None:
        with written_beside(self._path(name)) as partial, partial.open("wb") as file:
            np.savez(file, first=value[0], second=value[1])

    def __delitem__(self, name: str) -> None:
        try:
            self._path(name).unlink()
        except FileNotFoundError:
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        return (path.stem for path in sorted(self.folder.glob("*.npz")))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.npz"
