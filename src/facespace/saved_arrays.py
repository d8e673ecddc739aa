"""Arrays kept in a folder while long work goes on, so that it can be stopped and gone on with."""

import shutil
from collections.abc import Iterator, MutableMapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facespace.errors import DataError
from facespace.saved_files import written_beside

__all__ = ["ArrayFolder"]

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
        mark = folder / "input.txt"
        if folder.exists() and not mark.exists() and any(folder.iterdir()):
            raise DataError(f"{folder}: expected a folder of kept work or an empty one, met other files")
        if mark.exists() and mark.read_text() != key:
            shutil.rmtree(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            mark.write_text(key)
        except OSError as error:
            raise DataError(f"{folder}: cannot keep work there: {error.strerror}") from error

    def __getitem__(self, name: str) -> Pair:
        try:
            with np.load(self._path(name)) as file:
                return file["first"], file["second"]
        except FileNotFoundError:
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
